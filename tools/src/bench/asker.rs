//! The asker: an office's whole node in this process — heart, workers, disk, connection — asked directly, so
//! that no HTTP stands between the load and what is measured.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use node::daemon::{self, Parts};
use node::heart::Local;
use protocol::id::party::PartyId;
use protocol::machine::{Ask, Ending};
use protocol::primitives::Suite;
use protocol::store::Seat;

use crate::line::wait_until;

/// A running asker. Ends with the process.
#[derive(Debug)]
pub struct Asker {
    parts: Arc<Parts>,
}

/// The one seat of a bench node.
const SEAT: Seat = Seat::new(1);
/// How long the asker may take to know the municipality.
const MEET_LIMIT: Duration = Duration::from_secs(30);

impl Asker {
    /// Starts the node that `config` configures, with its suite and reuse of encapsulations as chosen.
    ///
    /// # Errors
    /// A text saying which part did not start.
    pub fn start(config: &Path, suite: Suite, fresh_kem: bool) -> Result<Self, String> {
        let parts = daemon::start_parts(config, &|identity| {
            identity.suite = suite;
            identity.fresh_encapsulations = fresh_kem;
        })?;
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Waits until it knows how to seal to a member.
    ///
    /// # Errors
    /// A text if it does not within the limit.
    pub fn meet(&self, party: &PartyId) -> Result<(), String> {
        let knows = || {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let asked = self.parts.inbox.put_local(Local::Knows(party.clone(), sender));
            asked.is_ok() && receiver.blocking_recv().unwrap_or(false)
        };
        if wait_until(MEET_LIMIT, knows) { Ok(()) } else { Err(format!("{party} did not make itself known")) }
    }

    /// Asks and waits for the end; `None` if the node is full or stopping.
    pub async fn ask(&self, ask: Ask) -> Option<Ending> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.parts.inbox.put_local(Local::Ask(SEAT, Box::new(ask), sender)).ok()?;
        receiver.await.ok()
    }
}

/// CPU this process has used, in microseconds.
///
/// # Errors
/// A text if the system does not tell.
pub fn cpu_of_self() -> Result<f64, String> {
    cpu_of("self")
}

/// CPU a process has used, user and system, in microseconds; the system counts in hundredths of a second.
///
/// # Errors
/// A text if the system does not tell.
pub fn cpu_of(process: &str) -> Result<f64, String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|error| error.to_string())?;
    // The name of the program may hold spaces; everything behind its bracket does not.
    let fields: Vec<_> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks(11), ticks(12));
    user.zip(system).map(|(user, system)| (user + system) * 10_000.0).ok_or_else(|| "no CPU figures".to_owned())
}
