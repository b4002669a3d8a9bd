//! The heart (鼓動): the one plain thread that owns host and store. It takes what waits, lets the host decide,
//! commits once, and only then lets go — over and over. Decides nothing itself; of files it touches the store's,
//! and key files when keys are renewed.
//!
//! A fault of the store ends the thread, and with it the process.

mod alarms;
mod errands;
pub mod inbox;
pub mod local;
pub mod vitals;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use protocol::cbor;
use protocol::digest::Digest;
use protocol::frame::{self, Frame};
use protocol::host::{Effect, Host, Input};
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::limits;
use protocol::machine::{AskId, Ending, Event};
use protocol::primitives::Secret;
use protocol::store::{Seat, Store, StoreError};
use protocol::time::{Now, Span, Steady};

use crate::assemble::Statements;
use crate::clock::Clock;
use crate::dice::OsDice;
use crate::network::{Connection, Network, NetworkEvent, PeerKey, SendError};
use crate::telemetry::{Metrics, Queue};
use crate::workers::Workers;
use alarms::Alarms;
use errands::Errands;
use inbox::{Inbox, Taken, Waiters};
pub use local::Local;
use vitals::Vitals;

/// What a peer is told to wait when there is no room on the disk, in milliseconds.
const NO_ROOM_BUSY_MS: u64 = 5_000;
/// How long a stopping heart waits for what is in flight.
const STOP_LIMIT: Span = Span::from_s(20);
/// The longest sleep of an idle heart.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// Everything the thread owns.
#[derive(Debug)]
pub struct Heart {
    /// Decides.
    pub host: Host,
    /// Keeps.
    pub store: Store,
    /// The seats by name, for what needs a seat's party.
    pub seats: BTreeMap<Seat, PartyId>,
    /// Signs what the members served here say of themselves.
    pub statements: Statements,
    /// Whom to stay connected to.
    pub contacts: Vec<Contact>,
    /// The wire.
    pub network: Arc<Network>,
    /// The hands.
    pub workers: Workers,
    /// The way in.
    pub inbox: Arc<Inbox>,
    /// The time.
    pub clock: Arc<Clock>,
    /// The figures.
    pub metrics: Metrics,
    /// What others may see of the heart.
    pub vitals: Arc<Vitals>,
    /// How often the disk was synced.
    pub syncs: Arc<AtomicU64>,
}

/// A member to stay connected to.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its transport key.
    pub peer: PeerKey,
    /// Where it listens.
    pub addresses: Vec<String>,
}

/// The heart while it beats.
struct Beat {
    heart: Heart,
    connections: BTreeMap<u64, (Connection, PeerKey)>,
    asks: Waiters<AskId, Ending>,
    imports: Waiters<AskId, Result<u64, String>>,
    next_ask: u64,
    /// Pieces of work given out and not taken back yet.
    out: usize,
    errands: Errands,
    alarms: Alarms,
    stops: Option<Steady>,
}

impl Heart {
    /// Beats until it is told to stop and nothing is in flight, or 20 seconds after that.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails: the process is to end.
    pub fn run(self) -> Result<(), StoreError> {
        let errands = Errands::new(&self.contacts);
        let mut beat = Beat {
            heart: self,
            connections: BTreeMap::new(),
            asks: BTreeMap::new(),
            imports: BTreeMap::new(),
            next_ask: 1,
            out: 0,
            errands,
            alarms: Alarms::default(),
            stops: None,
        };
        // Before anything else is shown: nobody must take a node that has not looked yet for one that is ready.
        beat.heart.vitals.show_ledger(beat.heart.host.unsettled());
        beat.heart.vitals.show_gate(beat.heart.host.gate().condition(beat.heart.clock.now().wall));
        while !beat.is_over() {
            beat.once()?;
        }
        beat.heart.store.settle()
    }
}

impl Beat {
    fn once(&mut self) -> Result<(), StoreError> {
        let limit = self.sleep();
        let has_room = self.heart.workers.has_room();
        if self.heart.workers.is_idle() {
            // A piece that panicked and had nobody waiting for it never comes back.
            self.out = 0;
        }
        let taken = self.heart.inbox.take(limits::EVENTS_PER_BATCH_MAX, has_room, self.out, limit);
        self.out = self.out.saturating_sub(taken.done.len());
        let now = self.heart.clock.now();
        self.heart.vitals.begin_turn(now.steady);
        if taken.stopping && self.stops.is_none() {
            self.stops = Some(now.steady.plus(STOP_LIMIT));
        }
        let is_quiet = taken.done.is_empty() && taken.network.is_empty() && taken.local.is_empty();
        let events = self.receive_all(taken, now)?;
        let is_due = self.heart.host.deadline().is_some_and(|at| at <= now.steady);
        if !events.is_empty() || is_due || self.heart.host.has_rows() {
            self.turn(events, now)?;
        }
        self.heart.vitals.show_ledger(self.heart.host.unsettled());
        self.run_errands(now, is_quiet)?;
        self.heart.vitals.end_turn(now.steady);
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(limit) = self.stops else { return false };
        let is_done = self.asks.is_empty() && self.imports.is_empty() && self.heart.workers.is_idle();
        (is_done && self.heart.inbox.waiting() == 0) || self.heart.clock.now().steady >= limit
    }

    fn sleep(&self) -> Duration {
        let goes_on = self.errands.is_under_way() && !self.heart.vitals.is_without_room();
        if goes_on || self.heart.host.has_rows() {
            return Duration::ZERO;
        }
        let now = self.heart.clock.now().steady;
        let due = self.heart.host.deadline().map(|at| Duration::from_millis(at.since(now).ms()));
        let most = if self.stops.is_some() { Duration::from_millis(20) } else { SLEEP_MAX };
        due.map_or(most, |due| due.min(most))
    }

    fn receive_all(&mut self, taken: Taken, now: Now) -> Result<Vec<(Seat, Event)>, StoreError> {
        let mut events = Vec::new();
        let mut effects = Vec::new();
        for done in taken.done {
            events.extend(self.heart.host.receive(Input::Done(done), now, &mut effects));
        }
        for event in taken.network {
            self.hear(event, now, &mut events, &mut effects);
        }
        self.carry_out(effects);
        for wish in taken.local {
            self.wish(wish, now, &mut events)?;
        }
        for connection in taken.resumed {
            self.heart.network.resume(connection);
        }
        Ok(events)
    }

    /// Gives the host one input and carries out what needs no decision.
    fn receive(&mut self, input: Input, now: Now, events: &mut Vec<(Seat, Event)>) {
        let mut effects = Vec::new();
        events.extend(self.heart.host.receive(input, now, &mut effects));
        self.carry_out(effects);
    }

    fn turn(&mut self, events: Vec<(Seat, Event)>, now: Now) -> Result<(), StoreError> {
        let count = events.len();
        let began = Instant::now();
        // One call for the operating system's dice instead of one for every salt; never used for a second turn.
        let mut dice = protocol::primitives::seeded(&Secret::random(&mut OsDice), &Digest::of(b"turn"));
        let effects = self.heart.host.turn(events, &mut self.heart.store, now, &mut dice)?;
        self.heart.metrics.count_commit(count, began.elapsed());
        self.carry_out(effects);
        Ok(())
    }

    /// What the network says.
    fn hear(&mut self, event: NetworkEvent, now: Now, events: &mut Vec<(Seat, Event)>, effects: &mut Vec<Effect>) {
        let input = match event {
            NetworkEvent::Opened { connection, peer, outbound } => {
                self.connections.insert(connection.number(), (connection, peer));
                let peer_key = PublicKey::from_bytes(peer.0);
                Input::Opened { connection: connection.number(), peer: peer_key, outbound }
            }
            NetworkEvent::Frame { connection, bytes } => {
                if self.heart.vitals.is_without_room() && self.refuse_for_room(connection, &bytes) {
                    return;
                }
                Input::Frame { connection: connection.number(), bytes }
            }
            NetworkEvent::Closed { connection } => {
                self.connections.remove(&connection.number());
                Input::Closed { connection: connection.number() }
            }
            NetworkEvent::Unreachable { peer } => Input::Unreachable { peer: PublicKey::from_bytes(peer.0) },
        };
        events.extend(self.heart.host.receive(input, now, effects));
    }

    /// A request that could not be written down is answered with Busy; all else goes its way.
    fn refuse_for_room(&self, connection: Connection, bytes: &[u8]) -> bool {
        let Ok(Frame::Request(id, _envelope)) = frame::parse(bytes) else { return false };
        self.heart.metrics.count_busy();
        self.send(connection, cbor::encode(&Frame::Busy(id, NO_ROOM_BUSY_MS)));
        true
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut pieces = Vec::new();
        for effect in effects {
            match effect {
                Effect::Work(seat, work) => pieces.push((seat, work)),
                Effect::Send { connection, bytes } => {
                    if let Some((connection, _peer)) = self.connections.get(&connection) {
                        self.send(*connection, bytes);
                    }
                }
                Effect::Dial { peer, addresses } => self.heart.network.dial(PeerKey(*peer.as_bytes()), &addresses),
                Effect::Close { connection } => {
                    if let Some((connection, _peer)) = self.connections.get(&connection) {
                        self.heart.network.close(*connection);
                    }
                }
                Effect::Admitted { connection } => {
                    if let Some((connection, _peer)) = self.connections.get(&connection) {
                        self.heart.network.admit(*connection);
                    }
                }
                Effect::Estranged { connection } => {
                    if let Some((connection, _peer)) = self.connections.get(&connection) {
                        self.heart.network.estrange(*connection);
                    }
                }
                // Whoever no longer waits needs no answer.
                Effect::Tell(id, ending) => drop(self.asks.remove(&id).map(|waits| waits.send(*ending))),
                Effect::Imported(id, result) => drop(self.imports.remove(&id).map(|waits| waits.send(result))),
                Effect::Destroyed(seat, key) => self.heart.statements.destroy(seat, key),
                Effect::Alarm(what) => {
                    self.heart.metrics.count_alarm();
                    if let Some(times) = self.alarms.ring(what, self.heart.clock.now().steady) {
                        tracing::warn!(alarm = what, times, "alarm");
                    }
                }
                Effect::Count(count) => vitals::count(&self.heart.metrics, count),
                Effect::Dropped(reason) => {
                    tracing::debug!(?reason, "a frame was dropped");
                    self.heart.metrics.count_drop(vitals::reason(reason));
                }
            }
        }
        if !pieces.is_empty() {
            self.out = self.out.saturating_add(pieces.len());
            self.heart.workers.give(pieces);
        }
    }

    fn send(&self, connection: Connection, bytes: Vec<u8>) {
        match self.heart.network.send(connection, bytes) {
            // Who does not read is cut off; what matters is asked for again.
            Err(SendError::Full) => self.heart.network.close(connection),
            Err(SendError::Length) => tracing::error!("a frame of our own is too long"),
            Ok(()) | Err(SendError::Gone) => {}
        }
    }

    fn show(&mut self, now: Now) {
        let reliance = self.heart.host.reliance(now);
        self.heart.vitals.show_reliance(reliance);
        let Heart { metrics, inbox, workers, store, seats, clock, .. } = &self.heart;
        metrics.show_fdatasyncs(self.heart.syncs.load(Ordering::Relaxed));
        metrics.show_queue(Queue::Heart, inbox.waiting());
        metrics.show_queue(Queue::Work, workers.waiting());
        let leaves = seats.keys().filter_map(|seat| store.head(*seat)).map(|head| head.size).sum();
        metrics.show_store(leaves, store.index_rows(), self.heart.vitals.room());
        metrics.show_clock_step(clock.step_ms());
        let condition = self.heart.host.gate().condition(now.wall);
        self.heart.vitals.show_gate(condition);
    }
}

impl core::fmt::Debug for Beat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Beat").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}
