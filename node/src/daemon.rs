//! The daemon (常駐): starts the parts in their order, waits for a signal or a fault, and stops them in the
//! other order. Ends with 0 after a signal, 78 for a configuration that cannot be run, 74 if the store
//! failed, 70 for a fault of our own.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use protocol::requester::Identity;
use protocol::store::StoreError;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::api::serve::Bounds;
use crate::api::{self, Desk, Tokens};
use crate::assemble::{AssembleError, Assembled, Ground};
use crate::clock::Clock;
use crate::config::{LogFormat, NodeConfig};
use crate::disk::reserve::{self, Reserve};
use crate::heart::Heart;
use crate::heart::inbox::Inbox;
use crate::heart::vitals::Vitals;
use crate::network::{self, Network};
use crate::telemetry::{self, Metrics};
use crate::workers::Workers;

/// The configuration, keys or data cannot be run with (`EX_CONFIG`).
const BAD_CONFIG: u8 = 78;
/// The store failed (`EX_IOERR`).
const STORE_FAILED: u8 = 74;
/// A fault of our own (`EX_SOFTWARE`).
const OWN_FAULT: u8 = 70;
/// The file of the API's address in the data folder.
const API_ADDRESS_FILE: &str = "api.addr";
/// The file of the address of the figures.
const METRICS_ADDRESS_FILE: &str = "metrics.addr";
/// The file of the network's addresses, one a line.
const NETWORK_ADDRESS_FILE: &str = "network.addr";
/// From when on a long turn is logged, and from when on it ends the process.
const TURN_SLOW_MS: u64 = 10_000;
/// See [`TURN_SLOW_MS`].
const TURN_STUCK_MS: u64 = 60_000;
/// However few connections are configured, so many may speak for nobody yet.
const STRANGERS_MIN: u32 = 16;
/// The threads that serve the API.
const API_THREADS: usize = 2;
/// How soon it is looked again whether the node is ready, before it was once.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long callers may take to end once the process is stopping.
const CALLERS_LIMIT: Duration = Duration::from_secs(20);

/// How the heart ended.
type HeartEnd = Result<(), StoreError>;
/// Why the daemon does not run; the text is for the operator.
type Fault = (u8, String);

/// Runs the daemon until a signal or a fault; with `check`, only looks whether it could.
pub(crate) fn run(config_path: &Path, check: bool) -> ExitCode {
    if std::env::var_os("SSLKEYLOGFILE").is_some() {
        return start_again_without("SSLKEYLOGFILE");
    }
    quiet_panics();
    match try_run(config_path, check) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, what)) => {
            eprintln!("tsunagi-node: {what}");
            ExitCode::from(code)
        }
    }
}

fn try_run(config_path: &Path, check: bool) -> Result<(), Fault> {
    let config = NodeConfig::read(config_path).map_err(bad)?;
    config.check_environment().map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        (BAD_CONFIG, lines.join("\n"))
    })?;
    let tokens = Tokens::read(&config.api.token_file).map_err(bad)?;
    let ground = Ground::read(&config).map_err(bad)?;
    if check {
        ground.look_for_persons_keys(&config).map_err(bad)?;
        eprintln!("設定に問題はありません / the configuration is good");
        return Ok(());
    }
    telemetry::init_log(&config.log).map_err(bad)?;
    for file in [API_ADDRESS_FILE, METRICS_ADDRESS_FILE, NETWORK_ADDRESS_FILE] {
        // Whoever waits for these files must not find those of before.
        drop(std::fs::remove_file(config.data.join(file)));
    }
    start(&config, tokens, ground)
}

/// A beating heart and the way to it, without an API in front.
#[derive(Debug)]
pub struct Parts {
    /// The way in; [`Inbox::stop`] ends the heart.
    pub inbox: Arc<Inbox>,
    /// The figures.
    pub metrics: Metrics,
}

/// Starts the node of a configuration without an API, its requesters changed by `adjust`: for measuring.
///
/// # Errors
/// A text saying what cannot be started.
pub fn start_parts(config_path: &Path, adjust: &dyn Fn(&mut Identity)) -> Result<Parts, String> {
    let config = NodeConfig::read(config_path).map_err(|error| error.to_string())?;
    let ground = Ground::read(&config).map_err(|error| error.to_string())?;
    let made = make(&config, ground, adjust).map_err(|(_code, what)| what)?;
    let parts = Parts { inbox: Arc::clone(&made.inbox), metrics: made.metrics.clone() };
    thread::Builder::new()
        .name("heart".to_owned())
        .spawn(move || made.heart.run())
        .map_err(|error| error.to_string())?;
    Ok(parts)
}

/// Everything that runs, before it runs.
struct Made {
    heart: Heart,
    inbox: Arc<Inbox>,
    vitals: Arc<Vitals>,
    clock: Arc<Clock>,
    metrics: Metrics,
    network: Arc<Network>,
    seats: std::collections::BTreeMap<protocol::store::Seat, protocol::id::party::PartyId>,
}

fn make(config: &NodeConfig, ground: Ground, adjust: &dyn Fn(&mut Identity)) -> Result<Made, Fault> {
    let clock = Arc::new(Clock::start());
    let metrics = Metrics::new().map_err(own)?;
    let inbox = Arc::new(Inbox::new(usize::try_from(config.network.frames_waiting_max).unwrap_or(usize::MAX)));
    let vitals = Arc::new(Vitals::default());
    let contacts = ground.contacts.clone();
    let network = Arc::new(start_network(config, &ground, &inbox)?);
    set_room_aside(config);
    let assembled = ground.assemble(config, network.listening(), clock.now()).map_err(|error| {
        match reserve::room(&config.data) {
            // Not for want of a better configuration: it will start once there is room.
            Ok(free) if free < reserve::RESERVE_BYTES => (STORE_FAILED, no_room(free, &error)),
            _ => bad(error),
        }
    })?;
    let Assembled { mut host, store, opened, seats, statements, syncs } = assembled;
    host.adjust(adjust);
    tracing::info!(?opened, "the store is open");
    if opened.index_rebuilt {
        metrics.count_index_rebuild();
    }
    let workers = Workers::start(config.machine.workers, &inbox, &clock).map_err(own)?;
    let heart = Heart {
        host,
        store,
        seats: seats.clone(),
        statements,
        contacts,
        network: Arc::clone(&network),
        workers,
        inbox: Arc::clone(&inbox),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        vitals: Arc::clone(&vitals),
        syncs,
    };
    Ok(Made { heart, inbox, vitals, clock, metrics, network, seats })
}

fn set_room_aside(config: &NodeConfig) {
    if !config.data.exists() {
        return;
    }
    match reserve::prepare(&config.data, reserve::RESERVE_BYTES) {
        Ok(Reserve::Kept) => {}
        Ok(Reserve::GivenUp) => tracing::warn!("little room on the disk: there is no reserve any more"),
        Err(error) => tracing::warn!(%error, "no room could be set aside"),
    }
}

fn no_room(free: u64, error: &AssembleError) -> String {
    let free = free >> 20;
    format!(
        "ディスクの空きが {free} MiB しかなく、保管庫を開けません。空きを作ると自動で起動します / only {free} MiB are free and \
         the store does not open; free some and the node starts by itself: {error}"
    )
}

fn start(config: &NodeConfig, tokens: Tokens, ground: Ground) -> Result<(), Fault> {
    let Made { heart, inbox, vitals, clock, metrics, network, seats } = make(config, ground, &|_identity| {})?;
    let by_party = seats
        .iter()
        .zip(&config.seats)
        .map(|((seat, party), configured)| (party.clone(), (*seat, configured.credential.clone())))
        .collect();
    let first = config.seats.first().map(|seat| seat.party.clone()).ok_or((BAD_CONFIG, "seats".to_owned()))?;
    let network_id = heart.host.gate().network();
    let desk = Desk {
        inbox: Arc::clone(&inbox),
        vitals: Arc::clone(&vitals),
        clock: Arc::clone(&clock),
        metrics,
        network: Arc::clone(&network),
        tokens,
        bounds: Bounds::default(),
        hosts: config.api.hosts.clone(),
        network_id,
        seats: by_party,
        first,
    };
    watch_turns(&vitals, &clock).map_err(own)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(API_THREADS)
        .thread_name("api")
        .enable_all()
        .build()
        .map_err(own)?;
    let (ended, end) = oneshot::channel();
    let beating = thread::Builder::new().name("heart".to_owned()).spawn(move || {
        let end = heart.run();
        // Whoever waits may be gone already.
        drop(ended.send(end));
    });
    let beating = beating.map_err(own)?;
    let served = runtime.block_on(serve(config, Arc::new(desk), &inbox, end));
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Ok(network) = served.as_ref().map(|()| network).map(Arc::try_unwrap)
        && beating.join().is_ok()
        && let Ok(network) = network
    {
        network.stop();
    }
    served
}

fn start_network(config: &NodeConfig, ground: &Ground, inbox: &Arc<Inbox>) -> Result<Network, Fault> {
    let secret = ground.transport_secret().ok_or((BAD_CONFIG, "seats".to_owned()))?;
    let configured = &config.network;
    let settings = network::NetworkConfig {
        listen: configured.listen.clone(),
        noise_fallback: configured.noise_fallback,
        connections_max: configured.connections_max,
        connections_per_peer_max: configured.connections_per_peer_max,
        strangers_max: (configured.connections_max / 16).max(STRANGERS_MIN),
        memory_bytes_max: usize::try_from(configured.memory_max_mib.saturating_mul(1 << 20)).unwrap_or(usize::MAX),
        ..network::NetworkConfig::default()
    };
    let inbox = Arc::clone(inbox);
    Network::start(settings, secret, Box::new(move |event| inbox.put_network(event))).map_err(bad)
}

/// Serves until a signal or until the heart ends; then lets callers and heart come to their end.
async fn serve(
    config: &NodeConfig,
    desk: Arc<Desk>,
    inbox: &Inbox,
    mut end: oneshot::Receiver<HeartEnd>,
) -> Result<(), Fault> {
    let office = TcpListener::bind(config.api.listen).await.map_err(|error| (BAD_CONFIG, format!("api: {error}")))?;
    let figures =
        TcpListener::bind(config.metrics.listen).await.map_err(|error| (BAD_CONFIG, format!("metrics: {error}")))?;
    let api_address = office.local_addr().map_err(own)?;
    let metrics_address = figures.local_addr().map_err(own)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(own)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(own)?;
    tell_addresses(config, api_address, metrics_address, &desk.network.listening()).map_err(own)?;
    let (stop, stopped) = watch::channel(false);
    let bounds = desk.bounds;
    let office = api::serve::serve(office, api::office(Arc::clone(&desk)), bounds, stopped.clone());
    let watched = Arc::clone(&desk);
    let figures = api::serve::serve(figures, api::figures(desk), bounds, stopped);
    let (office, figures) = (tokio::spawn(office), tokio::spawn(figures));
    let announce = announce(config.log.format, &watched, (api_address, metrics_address));
    let early = tokio::select! {
        end = &mut end => Some(end),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        never = announce => match never {},
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    inbox.stop();
    let end = match early {
        Some(end) => end,
        // The heart has a limit of its own.
        None => end.await,
    };
    let callers = async { (office.await, figures.await) };
    if tokio::time::timeout(CALLERS_LIMIT, callers).await.is_err() {
        tracing::warn!("callers were cut off");
    }
    match end {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store failed");
            Err((STORE_FAILED, format!("保管庫の障害のため停止しました / the store failed: {error}")))
        }
        Err(_panicked) => Err((OWN_FAULT, "内部の障害のため停止しました / the heart ended by itself".to_owned())),
    }
}

/// Says where the node serves, and whether it answers yet: first that it is settling and why, if so, and once that it
/// is ready. A line for whoever starts it; whatever comes later stands in the log and in `/readyz`.
async fn announce(
    format: LogFormat,
    desk: &Desk,
    (api, metrics): (SocketAddr, SocketAddr),
) -> core::convert::Infallible {
    let say = |state, why| announce_one(format, state, why, api, metrics);
    while !desk.has_looked() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    if let Some(why) = desk.unready() {
        say("settling", Some(why));
        while desk.unready().is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    say("ready", None);
    core::future::pending().await
}

/// One line on standard error: of the log where that is JSON, so that all lines are.
fn announce_one(format: LogFormat, state: &str, because: Option<&str>, api: SocketAddr, metrics: SocketAddr) {
    let pid = std::process::id();
    match format {
        LogFormat::Json => tracing::info!(%api, %metrics, pid, because, "{state}"),
        LogFormat::Text => {
            let because = because.map_or_else(String::new, |why| format!(" because={why:?}"));
            eprintln!("{state} api=http://{api} metrics=http://{metrics} pid={pid}{because}");
        }
    }
}

fn tell_addresses(
    config: &NodeConfig,
    api: SocketAddr,
    metrics: SocketAddr,
    network: &[String],
) -> std::io::Result<()> {
    let lines = network.iter().map(|address| format!("{address}\n")).collect::<String>();
    for (name, text) in [
        (NETWORK_ADDRESS_FILE, lines),
        (METRICS_ADDRESS_FILE, format!("{metrics}\n")),
        (API_ADDRESS_FILE, format!("{api}\n")),
    ] {
        let draft = config.data.join(format!(".{name}.draft"));
        std::fs::write(&draft, text)?;
        std::fs::rename(&draft, config.data.join(name))?;
    }
    Ok(())
}

/// A turn that does not end is worse than a process that does.
fn watch_turns(vitals: &Arc<Vitals>, clock: &Arc<Clock>) -> std::io::Result<()> {
    let (vitals, clock) = (Arc::downgrade(vitals), Arc::clone(clock));
    let watch = move || {
        while let Some(vitals) = vitals.upgrade() {
            let turned = vitals.turning_since().map(|since| clock.now().steady.since(since).ms());
            match turned {
                Some(ms) if ms > TURN_STUCK_MS => {
                    tracing::error!(ms, "a turn does not end; the process is aborted");
                    std::process::abort();
                }
                Some(ms) if ms > TURN_SLOW_MS => tracing::error!(ms, "a turn takes long"),
                _ => {}
            }
            drop(vitals);
            thread::park_timeout(Duration::from_secs(1));
        }
    };
    thread::Builder::new().name("watchdog".to_owned()).spawn(watch).map(drop)
}

/// A panic is told by its place only: its message may hold what must not be logged.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "?".to_owned(), ToString::to_string);
        tracing::error!(place, "panic");
        eprintln!("tsunagi-node: panic at {place}");
    }));
}

/// The TLS library would write session secrets into the file this variable names.
fn start_again_without(variable: &str) -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let program = std::env::current_exe().ok().map(std::path::PathBuf::into_os_string).or(name);
    let Some(program) = program else { return ExitCode::from(OWN_FAULT) };
    let error = Command::new(program).args(arguments).env_remove(variable).exec();
    eprintln!("tsunagi-node: {variable} を外して再起動できません / cannot start again without {variable}: {error}");
    ExitCode::from(OWN_FAULT)
}

fn bad(error: impl core::fmt::Display) -> Fault {
    (BAD_CONFIG, error.to_string())
}

fn own(error: impl core::fmt::Display) -> Fault {
    (OWN_FAULT, error.to_string())
}
