//! The baseline: the same questions between two processes without what this network adds. Mutual TLS 1.3 on
//! sessions kept open, JSON, the same records out of the same kind of store, judged by the same policy; no
//! envelope, no signature of a message, no ledger, no sync.
//!
//! It opens no store but one that it made itself and filled with invented persons.

pub mod server;
mod session;
mod tls;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use protocol::date::Date;
use protocol::digest::Digest;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::target;
use crate::line::wait_until;
use session::Session;
use tls::Identities;

/// The most persons of a baseline: loading is most of its time.
pub const PERSONS_MAX: u64 = 10_000;
/// The longest measurement.
const SPAN_MAX: Duration = Duration::from_secs(10);
/// How long questions are asked before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the server may take to fill its store.
const READY_LIMIT: Duration = Duration::from_secs(180);
/// Where the server writes down its address, in the folder it is given.
const ADDRESS_FILE: &str = "baseline.addr";

/// Questions a second with `concurrency` in flight, over that many persons.
///
/// # Errors
/// A text for the operator.
pub fn measure(persons: u64, concurrency: usize, span: Duration, today: Date) -> Result<f64, String> {
    let folder = Folder::make()?;
    let identities = Identities::make()?;
    identities.write_for_server(&folder.0)?;
    let _server = Server::start(&folder.0, persons, today)?;
    let address = std::fs::read_to_string(folder.0.join(ADDRESS_FILE)).map_err(|error| error.to_string())?;
    let questions = questions(persons, today)?;
    let sessions: Result<Vec<_>, String> =
        (0..concurrency.max(1)).map(|_| Session::open(address.trim(), &identities)).collect();
    let mut sessions = sessions?;
    ask(&mut sessions, &questions, WARM_UP)?;
    let began = Instant::now();
    let answered = ask(&mut sessions, &questions, span.min(SPAN_MAX))?;
    Ok(super::as_f64(answered) / began.elapsed().as_secs_f64())
}

/// Every question there is, as the body of a request: any person and any kind.
fn questions(persons: u64, today: Date) -> Result<Vec<Vec<u8>>, String> {
    let mut questions = Vec::new();
    for person in target::invented(persons, today)? {
        for kind in target::KINDS {
            let body = json!({ "insured": person.insured().expose(), "kind": kind.as_str() });
            questions.push(body.to_string().into_bytes());
        }
    }
    if questions.is_empty() { Err("a baseline without persons".to_owned()) } else { Ok(questions) }
}

/// Asks on every session at once, one question at a time on each, and counts the answers.
fn ask(sessions: &mut [Session], questions: &[Vec<u8>], span: Duration) -> Result<u64, String> {
    let end = Instant::now() + span;
    let counts: Result<Vec<u64>, String> = std::thread::scope(|scope| {
        let askers: Vec<_> = sessions
            .iter_mut()
            .enumerate()
            .map(|(number, session)| {
                scope.spawn(move || {
                    let seed = Digest::of(format!("tsunagi baseline {number}").as_bytes());
                    let mut dice = ChaCha20Rng::from_seed(*seed.as_bytes());
                    let mut answered = 0;
                    while Instant::now() < end {
                        let count = u64::try_from(questions.len()).unwrap_or(u64::MAX);
                        let at = usize::try_from(dice.next_u64() % count).unwrap_or(0);
                        session.ask(questions.get(at).ok_or("no question")?)?;
                        answered += 1;
                    }
                    Ok(answered)
                })
            })
            .collect();
        askers.into_iter().map(|asker| asker.join().map_err(|_panicked| "an asker panicked".to_owned())?).collect()
    });
    counts.map(|counts| counts.into_iter().sum())
}

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("tsunagi-baseline-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The server's process, ended with this value.
struct Server(Child);

impl Server {
    fn start(folder: &Path, persons: u64, today: Date) -> Result<Self, String> {
        let exe = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(exe)
            .args(["bench", "baseline-server", "--persons", &persons.to_string(), "--today", &today.to_string()])
            .arg("--folder")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut server = Self(child);
        let mut is_over = false;
        let is_ready = wait_until(READY_LIMIT, || {
            is_over = !matches!(server.0.try_wait(), Ok(None));
            is_over || folder.join(ADDRESS_FILE).exists()
        });
        if is_ready && !is_over { Ok(server) } else { Err("the baseline's server was not ready in time".to_owned()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever is gone already cannot be ended again.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
