//! The one task that owns libp2p's swarm: listens, dials, gives every open substream a task of its own and
//! closes what has ended. Carries no frame itself.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Config, ConnectionId, DialError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, identity, noise, ping, quic, tcp, tls};
use libp2p_connection_limits::ConnectionLimits;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::link::{Common, DRAIN_LIMIT, Link};
use super::mux::Yamux;
use super::{NetworkConfig, NetworkError, NetworkEvent, PeerKey, doorway, peer, substream};

/// What is said in identify about this program: nothing of its version.
const IDENTITY_PROTOCOL: &str = "/tsunagi/1";
/// The most streams a peer may have open on one connection; memory per QUIC connection follows it.
const STREAMS_MAX: u32 = 32;
/// The most streams a peer may have in negotiation on one connection.
const STREAMS_NEGOTIATING_MAX: usize = 8;
/// The most unread bytes on one QUIC stream, and on one QUIC connection.
const STREAM_BYTES_MAX: u32 = 2 << 20;
const CONNECTION_BYTES_MAX: u32 = 4 << 20;
/// How long dialling and handshakes may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long the connections may take to close after their links.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// After this many panics the swarm is not trusted any more and the network ends.
const PANICS_MAX: u32 = 16;

/// What the rest of the node wants of the swarm.
pub(crate) enum Command {
    /// Dial a peer.
    Dial { peer: PeerKey, addresses: Vec<String> },
    /// End in good order.
    Stop { done: SyncSender<()> },
}

/// Everything libp2p does on each connection.
#[derive(NetworkBehaviour)]
struct Parts {
    doorway: doorway::Behaviour,
    limits: libp2p_connection_limits::Behaviour,
    memory: libp2p_memory_connection_limits::Behaviour,
    substream: substream::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// The swarm and what is known of its connections.
pub(crate) struct Loop {
    swarm: Swarm<Parts>,
    common: Arc<Common>,
    listening: Arc<Mutex<Vec<String>>>,
    wanted: Vec<(String, Multiaddr)>,
    links: BTreeMap<ConnectionId, Arc<Link>>,
    /// Connections this node dialled whose substream is not open yet.
    unopened: BTreeMap<ConnectionId, PeerKey>,
    /// Where else to dial whom, should the dial fail.
    otherwise: BTreeMap<ConnectionId, Vec<Multiaddr>>,
    tasks: JoinSet<ConnectionId>,
}

impl Loop {
    /// Sets up the transports; nothing is listened on yet. Must be called within the runtime.
    pub(crate) fn new(
        config: &NetworkConfig,
        secret: [u8; 32],
        common: Arc<Common>,
        listening: Arc<Mutex<Vec<String>>>,
    ) -> Result<(PeerKey, Self), NetworkError> {
        let pair = identity::Keypair::ed25519_from_bytes(secret).map_err(transport)?;
        let key = peer::key_of(&pair.public().to_peer_id()).ok_or_else(|| transport("not an Ed25519 key"))?;
        let mut wanted = Vec::new();
        for text in &config.listen {
            let address = text.parse().map_err(|error| unheard(text, error))?;
            wanted.push((text.clone(), address));
        }
        let swarm = build(config, pair, &common)?;
        let links = BTreeMap::new();
        let (unopened, otherwise) = (BTreeMap::new(), BTreeMap::new());
        Ok((key, Self { swarm, common, listening, wanted, links, unopened, otherwise, tasks: JoinSet::new() }))
    }

    /// Begins to listen, says so, and goes on until told to stop.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        ready: SyncSender<Result<(), NetworkError>>,
    ) {
        let listening = self.listen().await;
        let failed = listening.is_err();
        if ready.send(listening).is_err() || failed {
            return;
        }
        let mut panics = 0;
        while panics < PANICS_MAX {
            match AssertUnwindSafe(self.step(&mut commands)).catch_unwind().await {
                Ok(None) => {}
                Ok(Some(done)) => {
                    self.finish().await;
                    if done.send(()).is_err() {
                        tracing::debug!("nobody waits for the end of the network any more");
                    }
                    return;
                }
                Err(_panic) => {
                    panics += 1;
                    self.common.counts.panics.inc();
                    tracing::error!(panics, "panic in the swarm");
                }
            }
        }
        tracing::error!("the network has ended after too many panics");
        self.finish().await;
    }

    async fn listen(&mut self) -> Result<(), NetworkError> {
        let mut awaited = Vec::new();
        for (text, address) in std::mem::take(&mut self.wanted) {
            let id = self.swarm.listen_on(address).map_err(|error| unheard(&text, error))?;
            awaited.push((id, text));
        }
        while !awaited.is_empty() {
            match self.swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, address } => {
                    awaited.retain(|(id, _)| *id != listener_id);
                    self.add_address(address);
                }
                SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. }
                | SwarmEvent::ListenerError { listener_id, error } => {
                    if let Some((_, text)) = awaited.iter().find(|(id, _)| *id == listener_id) {
                        return Err(unheard(text, error));
                    }
                }
                event => self.note(event),
            }
        }
        Ok(())
    }

    /// Handles one thing; whom to tell of the end if it is time to stop.
    async fn step(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<SyncSender<()>> {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Dial { peer, addresses }) => self.dial(peer, &addresses),
                Some(Command::Stop { done }) => return Some(done),
                // the network was dropped: its runtime ends with it
                None => std::future::pending().await,
            },
            event = self.swarm.select_next_some() => self.note(event),
            Some(ended) = self.tasks.join_next() => self.part(ended.ok()),
        }
        None
    }

    /// Dials over TCP, and over QUIC if that fails: one long-lived substream gains nothing from QUIC, and its
    /// packets cost both ends more CPU per question.
    fn dial(&mut self, key: PeerKey, addresses: &[String]) {
        let addresses = addresses.iter().filter_map(|text| text.parse::<Multiaddr>().ok());
        let (tcp, quic): (Vec<_>, Vec<_>) = addresses.partition(is_tcp);
        let (first, otherwise) = if tcp.is_empty() { (quic, tcp) } else { (tcp, quic) };
        if !peer::id_of(&key).is_some_and(|peer| self.begin_dial(peer, first, otherwise)) {
            self.common.tell(NetworkEvent::Unreachable { peer: key });
        }
    }

    /// Whether the peer is being dialled.
    fn begin_dial(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, otherwise: Vec<Multiaddr>) -> bool {
        if addresses.is_empty() {
            return false;
        }
        let dial = DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::NotDialing).build();
        let connection = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => {
                self.otherwise.insert(connection, otherwise);
                true
            }
            // a dial that is under way will have its answer
            Err(error) => matches!(error, DialError::DialPeerConditionFalse(_)),
        }
    }

    fn note(&mut self, event: SwarmEvent<PartsEvent>) {
        self.common.counts.note(&event);
        match event {
            SwarmEvent::Behaviour(PartsEvent::Substream(opened)) => self.open(opened),
            SwarmEvent::Behaviour(PartsEvent::Ping(event)) => self.judge(&event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } if endpoint.is_dialer() => {
                self.otherwise.remove(&connection_id);
                if let Some(key) = peer::key_of(&peer_id) {
                    self.unopened.insert(connection_id, key);
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                if let Some(link) = self.links.remove(&connection_id) {
                    link.lose();
                }
                if let Some(peer) = self.unopened.remove(&connection_id) {
                    self.common.tell(NetworkEvent::Unreachable { peer });
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer_id), connection_id, error, .. } => {
                tracing::debug!(%error, "dial failed");
                let otherwise = self.otherwise.remove(&connection_id).unwrap_or_default();
                if !self.begin_dial(peer_id, otherwise, Vec::new())
                    && let Some(peer) = peer::key_of(&peer_id)
                {
                    self.common.tell(NetworkEvent::Unreachable { peer });
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.add_address(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.remove_address(address),
            SwarmEvent::ListenerClosed { reason, .. } => tracing::error!(?reason, "a listener has ended"),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            _ => {}
        }
    }

    fn open(&mut self, opened: substream::Opened) {
        let substream::Opened { id, peer, outbound, stream } = opened;
        self.unopened.remove(&id);
        let (link, task) = self.common.open(peer, outbound, stream);
        self.common.doorway.name(id, link.connection);
        self.links.insert(id, link);
        self.tasks.spawn(async move {
            task.await;
            id
        });
    }

    /// Closes a connection that does not answer pings; one that does not know them lives on.
    fn judge(&mut self, event: &ping::Event) {
        self.common.counts.note_ping(event);
        if matches!(event.result, Err(ping::Failure::Timeout | ping::Failure::Other { .. })) {
            self.swarm.close_connection(event.connection);
        }
    }

    /// Closes the connection of a link that has ended.
    fn part(&mut self, ended: Option<ConnectionId>) {
        if let Some(id) = ended {
            self.links.remove(&id);
            self.swarm.close_connection(id);
        }
    }

    fn add_address(&self, address: Multiaddr) {
        let address = self.named(address);
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    fn remove_address(&self, address: Multiaddr) {
        let address = self.named(address);
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != address);
    }

    fn named(&self, address: Multiaddr) -> String {
        address.with(Protocol::P2p(*self.swarm.local_peer_id())).to_string()
    }

    /// Closes the links, then the connections, each within its time.
    async fn finish(&mut self) {
        for link in self.links.values() {
            link.close();
        }
        drop(tokio::time::timeout(DRAIN_LIMIT, self.settle(|this| this.tasks.is_empty())).await);
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            if self.swarm.disconnect_peer_id(peer).is_err() {
                tracing::debug!("a connection was gone before its goodbye");
            }
        }
        let done = |this: &Self| this.swarm.network_info().num_peers() == 0;
        drop(tokio::time::timeout(GOODBYE_LIMIT, self.settle(done)).await);
    }

    async fn settle(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            tokio::select! {
                event = self.swarm.select_next_some() => self.note(event),
                Some(ended) = self.tasks.join_next() => self.part(ended.ok()),
            }
        }
    }
}

fn build(config: &NetworkConfig, pair: identity::Keypair, common: &Arc<Common>) -> Result<Swarm<Parts>, NetworkError> {
    let parts = |pair: &identity::Keypair| parts(config, pair, common);
    let builder = SwarmBuilder::with_existing_identity(pair).with_tokio();
    let swarm = if config.noise_fallback {
        let tcp = builder.with_tcp(tcp_config(), (tls::Config::new, noise::Config::new), Yamux::new);
        let both = tcp.map_err(transport)?.with_quic_config(quic_config).with_behaviour(parts).map_err(transport)?;
        both.with_swarm_config(|_| swarm_config(common)).with_connection_timeout(HANDSHAKE_LIMIT).build()
    } else {
        let tcp = builder.with_tcp(tcp_config(), tls::Config::new, Yamux::new);
        let both = tcp.map_err(transport)?.with_quic_config(quic_config).with_behaviour(parts).map_err(transport)?;
        both.with_swarm_config(|_| swarm_config(common)).with_connection_timeout(HANDSHAKE_LIMIT).build()
    };
    Ok(swarm)
}

fn parts(config: &NetworkConfig, pair: &identity::Keypair, common: &Arc<Common>) -> Parts {
    let incoming_max = config.connections_max.saturating_sub(config.connections_max.div_ceil(8)).max(1);
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(config.connections_pending_max))
        .with_max_pending_outgoing(Some(config.connections_pending_max))
        .with_max_established_incoming(Some(incoming_max))
        .with_max_established_outgoing(Some(config.connections_max))
        .with_max_established(Some(config.connections_max))
        .with_max_established_per_peer(Some(config.connections_per_peer_max));
    let identify = identify::Config::new(IDENTITY_PROTOCOL.to_owned(), pair.public())
        .with_agent_version(IDENTITY_PROTOCOL.to_owned())
        .with_cache_size(0)
        .with_hide_listen_addrs(true);
    Parts {
        doorway: doorway::Behaviour::new(Arc::clone(common)),
        limits: libp2p_connection_limits::Behaviour::new(limits),
        memory: libp2p_memory_connection_limits::Behaviour::with_max_bytes(config.memory_bytes_max),
        substream: substream::Behaviour::new(config.opening_limit),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
    }
}

fn is_tcp(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
}

fn tcp_config() -> tcp::Config {
    tcp::Config::default().nodelay(true)
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.max_concurrent_stream_limit = STREAMS_MAX;
    config.max_stream_data = STREAM_BYTES_MAX;
    config.max_connection_data = CONNECTION_BYTES_MAX;
    config
}

/// Runs each connection's own task so that a panic in it is counted and ends there.
fn swarm_config(common: &Arc<Common>) -> Config {
    let common = Arc::clone(common);
    let spawn = move |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let common = Arc::clone(&common);
        tokio::spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                common.counts.panics.inc();
                tracing::error!("panic in a connection; the connection is closed");
            }
        });
    };
    Config::with_executor(spawn)
        .with_smart_dial()
        .with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING_MAX)
        .with_idle_connection_timeout(HANDSHAKE_LIMIT)
}

fn transport(error: impl ToString) -> NetworkError {
    NetworkError::Transport(error.to_string())
}

/// libp2p's own error may say nothing; what the operating system said stands at its end.
fn unheard(address: &str, error: impl std::error::Error + 'static) -> NetworkError {
    let first: &(dyn std::error::Error + 'static) = &error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    let told = causes.map(ToString::to_string).filter(|text| !text.is_empty()).last();
    let mut why = told.unwrap_or_else(|| format!("{error:?}"));
    if why.contains("Address already in use") || why.contains("AddrInUse") {
        why.push_str(
            "。別のプロセス(すでに動いているこのノードかもしれません)が待ち受けています。それを止めるか、[network] listen を\
             変えてください / another process, perhaps this node already running, listens there",
        );
    }
    NetworkError::Listen(address.to_owned(), why)
}
