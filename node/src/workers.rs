//! The workers: threads that open, verify, seal and prove, one piece of work at a time. They share nothing
//! but the queue, decide nothing, and a panic in one piece costs that piece only.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, available_parallelism};

use protocol::digest::Digest;
use protocol::feed::Fed;
use protocol::gate::NotAdmitted;
use protocol::machine::{AnswerError, Done, Event, Work};
use protocol::primitives::Real;
use protocol::store::Seat;
use protocol::verify::Unfit;

use crate::clock::Clock;
use crate::dice::OsDice;
use crate::heart::inbox::Inbox;

/// From this many waiting pieces on the heart takes no new frames and asks.
pub const WORK_WAITING_MAX: usize = 1024;

/// The threads and their queue.
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    bell: Condvar,
    /// Pieces given and not yet handed back.
    open: AtomicUsize,
    panics: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<(Seat, Box<Work>)>,
    /// Threads that wait for the bell.
    idle: usize,
    closed: bool,
}

impl Workers {
    /// Starts `count` threads (0: one per processor) that hand back into `inbox`.
    ///
    /// # Errors
    /// If the operating system gives no threads.
    pub fn start(count: u16, inbox: &Arc<Inbox>, clock: &Arc<Clock>) -> std::io::Result<Self> {
        let count = match usize::from(count) {
            0 => available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            bell: Condvar::new(),
            open: AtomicUsize::new(0),
            panics: AtomicU64::new(0),
        });
        let threads = (0..count)
            .map(|number| {
                let (shared, inbox, clock) = (Arc::clone(&shared), Arc::clone(inbox), Arc::clone(clock));
                Builder::new().name(format!("worker-{number}")).spawn(move || work(&shared, &inbox, &clock))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self { shared, threads })
    }

    /// Gives out pieces. Never waits; who gives asks [`Workers::has_room`] before taking on more.
    pub fn give(&self, pieces: Vec<(Seat, Box<Work>)>) {
        let count = pieces.len();
        self.shared.open.fetch_add(count, Ordering::Relaxed);
        let mut queue = self.shared.queue();
        queue.pieces.extend(pieces);
        let wanted = queue.idle.min(count);
        drop(queue);
        for _thread in 0..wanted {
            self.shared.bell.notify_one();
        }
    }

    /// Whether new work may be taken on.
    pub fn has_room(&self) -> bool {
        self.waiting() < WORK_WAITING_MAX
    }

    /// Pieces that no thread has taken yet.
    pub fn waiting(&self) -> usize {
        self.shared.queue().pieces.len()
    }

    /// Whether every piece given out was handed back.
    pub fn is_idle(&self) -> bool {
        self.shared.open.load(Ordering::Acquire) == 0
    }

    /// How many pieces ended in a panic.
    pub fn panics(&self) -> u64 {
        self.shared.panics.load(Ordering::Relaxed)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.bell.notify_all();
        for thread in self.threads.drain(..) {
            // A thread catches its panics, so it ends well; if not, there is nobody left to tell.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece; `None` once the queue is closed.
    fn next(&self) -> Option<(Seat, Box<Work>)> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(piece) = queue.pieces.pop_front() {
                return Some(piece);
            }
            queue.idle = queue.idle.saturating_add(1);
            queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle = queue.idle.saturating_sub(1);
        }
    }
}

fn work(shared: &Shared, inbox: &Inbox, clock: &Clock) {
    while let Some((seat, work)) = shared.next() {
        let instead = instead(seat, &work);
        let done = catch_unwind(AssertUnwindSafe(|| work.perform(seat, clock.now(), &mut OsDice, &Real)));
        if done.is_err() {
            shared.panics.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(done) = done.ok().or(instead) {
            inbox.put_done(done);
        }
        shared.open.fetch_sub(1, Ordering::Release);
    }
}

/// What is handed back for a piece that panicked, so that whoever waits for it does not wait for ever.
/// Sealing an answer, evaluating and examining have nobody who does: the asker asks again, and an ask whose versions
/// cannot be signed runs out of time.
fn instead(seat: Seat, work: &Work) -> Option<Done> {
    match work {
        Work::Admit { connection, number, .. } => {
            Some(Done::Admitted(*connection, *number, Err(NotAdmitted::Malformed)))
        }
        Work::Open { sealed, route } => {
            Some(Done::Dropped(*route, sealed.standing.party().clone(), Unfit::DoesNotOpen))
        }
        Work::SealRequest(draft) => Some(Done::Event(seat, Event::Lost(draft.exchange))),
        Work::OpenAnswer { pending, .. } => {
            Some(Done::Event(seat, Event::Answered(pending.exchange, Err(AnswerError::DoesNotOpen))))
        }
        Work::Blind(ask, ..) | Work::Unblind(ask, _) => Some(Done::Event(seat, Event::Unblinded(*ask, None))),
        Work::ReadFeed(id, _) => {
            let fed = Fed { digest: Digest::of(&[]), lines: Err("it could not be read".to_owned()) };
            Some(Done::Event(seat, Event::Fed(*id, Box::new(fed))))
        }
        Work::SealAnswers(_) | Work::Evaluate(..) | Work::Decline(..) | Work::Sign(..) | Work::Examine(..) => None,
    }
}
