//! The one way to the heart: a bounded box that threads put into and one thread takes from. Knows nothing
//! of what its contents mean.
//!
//! Three trays with a bound each: what workers hand back (bounded by the work given out), what the
//! network brings (a full tray makes a connection wait) and what local software wants (a full tray
//! refuses).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::machine::Done;

use super::Local;
use crate::network::{Connection, Flow, NetworkEvent};

/// How long what is there waits for what workers are about to hand back, so that both share a commit. A
/// commit costs as much as signing ten times; an idle node's first question waits for nothing.
pub const GATHER_LIMIT: Duration = Duration::from_millis(2);
/// The most wishes of local software that wait.
pub const LOCAL_WAITING_MAX: usize = 1024;

/// The box.
#[derive(Debug)]
pub struct Inbox {
    trays: Mutex<Trays>,
    bell: Condvar,
    frames_max: usize,
}

#[derive(Debug, Default)]
struct Trays {
    done: VecDeque<Done>,
    network: VecDeque<NetworkEvent>,
    frames: usize,
    paused: BTreeSet<Connection>,
    local: VecDeque<Local>,
    stopping: bool,
    /// Whether the heart was woken for it.
    told: bool,
    /// For how many things the heart waits; 0 if it does not. A bell that nobody hears costs a call into the
    /// kernel.
    wanted: usize,
}

/// What was taken at once.
#[derive(Debug, Default)]
pub struct Taken {
    /// From workers.
    pub done: Vec<Done>,
    /// From the network.
    pub network: Vec<NetworkEvent>,
    /// From local software.
    pub local: Vec<Local>,
    /// Connections to read on from.
    pub resumed: BTreeSet<Connection>,
    /// Whether the process is to end.
    pub stopping: bool,
}

impl Inbox {
    /// An empty box for at most `frames_max` frames, and one more of each connection.
    pub fn new(frames_max: usize) -> Self {
        Self { trays: Mutex::default(), bell: Condvar::new(), frames_max: frames_max.max(1) }
    }

    /// A worker is done.
    pub fn put_done(&self, done: Done) {
        let mut trays = self.trays();
        trays.done.push_back(done);
        self.ring(trays);
    }

    /// The network has something; never waits, but may ask the connection to.
    pub fn put_network(&self, event: NetworkEvent) -> Flow {
        let mut trays = self.trays();
        let mut flow = Flow::On;
        match &event {
            NetworkEvent::Frame { connection, .. } => {
                trays.frames = trays.frames.saturating_add(1);
                if trays.frames >= self.frames_max {
                    trays.paused.insert(*connection);
                    flow = Flow::Wait;
                }
            }
            NetworkEvent::Closed { connection } => {
                trays.paused.remove(connection);
            }
            NetworkEvent::Opened { .. } | NetworkEvent::Unreachable { .. } => {}
        }
        trays.network.push_back(event);
        self.ring(trays);
        flow
    }

    /// Local software wants something.
    ///
    /// # Errors
    /// Gives it back if the tray is full or the process is ending.
    pub fn put_local(&self, wish: Local) -> Result<(), Box<Local>> {
        let mut trays = self.trays();
        if trays.stopping || trays.local.len() >= LOCAL_WAITING_MAX {
            return Err(Box::new(wish));
        }
        trays.local.push_back(wish);
        self.ring(trays);
        Ok(())
    }

    /// The process is to end: nothing more is taken from local software.
    pub fn stop(&self) {
        let mut trays = self.trays();
        trays.stopping = true;
        self.ring(trays);
    }

    /// Takes up to `most` things, waiting at most `limit` for the first, and at most [`GATHER_LIMIT`] for the
    /// `out` pieces of work that have not come back. Without room for new work only what workers hand back is
    /// taken.
    pub fn take(&self, most: usize, has_room: bool, out: usize, limit: Duration) -> Taken {
        let mut trays = self.wait(self.trays(), has_room, 1, limit);
        let missing = out.saturating_sub(trays.done.len());
        if missing > 0 && trays.has_something(has_room) {
            let wanted = trays.count(has_room).saturating_add(missing).min(most);
            trays = self.wait(trays, has_room, wanted, GATHER_LIMIT);
        }
        trays.take(most, has_room, self.frames_max)
    }

    /// Waits until `wanted` things are there, or the end, at most `limit`.
    fn wait<'a>(
        &'a self,
        mut trays: MutexGuard<'a, Trays>,
        has_room: bool,
        wanted: usize,
        limit: Duration,
    ) -> MutexGuard<'a, Trays> {
        let until = Instant::now().checked_add(limit);
        while trays.count(has_room) < wanted && !trays.ends() {
            let left = until.map_or(limit, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            trays.wanted = wanted;
            trays = self.bell.wait_timeout(trays, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        trays.wanted = 0;
        trays
    }

    /// How many things wait.
    pub fn waiting(&self) -> usize {
        let trays = self.trays();
        trays.done.len().saturating_add(trays.network.len()).saturating_add(trays.local.len())
    }

    /// Wakes the heart if it waits for no more than is there, and was not woken yet.
    fn ring(&self, mut trays: MutexGuard<'_, Trays>) {
        let is_enough = trays.wanted > 0 && (trays.count(true) >= trays.wanted || trays.ends());
        if is_enough {
            trays.wanted = 0;
        }
        drop(trays);
        if is_enough {
            self.bell.notify_one();
        }
    }

    fn trays(&self) -> MutexGuard<'_, Trays> {
        self.trays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trays {
    /// How many things may be taken.
    fn count(&self, has_room: bool) -> usize {
        let new = self.network.len().saturating_add(self.local.len());
        self.done.len().saturating_add(if has_room { new } else { 0 })
    }

    fn has_something(&self, has_room: bool) -> bool {
        self.count(has_room) > 0
    }

    /// Whether the process is to end and the heart does not know it.
    const fn ends(&self) -> bool {
        self.stopping && !self.told
    }

    fn take(&mut self, most: usize, has_room: bool, frames_max: usize) -> Taken {
        self.told = self.stopping;
        let mut taken = Taken { stopping: self.stopping, ..Taken::default() };
        let count = self.done.len().min(most);
        taken.done.extend(self.done.drain(..count));
        if !has_room {
            return taken;
        }
        let mut left = most.saturating_sub(count);
        // Half of what is left is kept for local software, so that a busy network does not silence it.
        let local = self.local.len().min(left.div_ceil(2));
        taken.local.extend(self.local.drain(..local));
        left = left.saturating_sub(local);
        let count = self.network.len().min(left);
        taken.network.extend(self.network.drain(..count));
        let frames = taken.network.iter().filter(|event| matches!(event, NetworkEvent::Frame { .. })).count();
        self.frames = self.frames.saturating_sub(frames);
        if self.frames <= frames_max / 2 {
            taken.resumed = std::mem::take(&mut self.paused);
        }
        taken
    }
}

/// Who waits for an end, by the number of what they wait for.
pub(super) type Waiters<K, T> = BTreeMap<K, tokio::sync::oneshot::Sender<T>>;

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn unreachable(byte: u8) -> NetworkEvent {
        NetworkEvent::Unreachable { peer: crate::network::PeerKey([byte; 32]) }
    }

    #[test]
    fn what_the_network_brings_comes_out_in_order_and_in_portions() {
        let inbox = Inbox::new(8);
        for byte in 0..5 {
            assert_eq!(inbox.put_network(unreachable(byte)), Flow::On);
        }
        assert_eq!(inbox.take(3, true, 0, NO_TIME).network, [unreachable(0), unreachable(1), unreachable(2)]);
        assert_eq!(inbox.waiting(), 2);
        assert!(inbox.take(3, false, 0, NO_TIME).network.is_empty(), "there is no room for new work");
        assert_eq!(inbox.take(3, true, 0, NO_TIME).network, [unreachable(3), unreachable(4)]);
    }

    #[test]
    fn what_is_there_waits_for_what_workers_have_in_hand_but_not_for_long() {
        let inbox = Inbox::new(8);
        inbox.put_network(unreachable(1));
        let began = Instant::now();
        assert_eq!(inbox.take(3, true, 1, NO_TIME).network, [unreachable(1)]);
        assert!(began.elapsed() >= GATHER_LIMIT, "one piece was out and did not come");
        let long = Duration::from_secs(600);
        std::thread::scope(|scope| {
            let heart = scope.spawn(|| inbox.take(3, true, 2, long));
            for byte in 2..4 {
                inbox.put_network(unreachable(byte));
            }
            assert!(!heart.join().unwrap().network.is_empty(), "nobody rang");
        });
    }

    #[test]
    fn a_full_tray_and_a_stopping_process_refuse_local_software() {
        let inbox = Inbox::new(8);
        let wish = || Local::Checkpoint(protocol::store::Seat::new(1), tokio::sync::oneshot::channel().0);
        for _ in 0..LOCAL_WAITING_MAX {
            assert!(inbox.put_local(wish()).is_ok());
        }
        assert!(inbox.put_local(wish()).is_err());
        assert_eq!(inbox.take(4, true, 0, NO_TIME).local.len(), 2);
        assert!(inbox.put_local(wish()).is_ok());
        inbox.stop();
        assert!(inbox.put_local(wish()).is_err());
        assert!(inbox.take(4, true, 0, NO_TIME).stopping);
    }
}
