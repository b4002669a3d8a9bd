//! What the heart does now and then between turns: stay connected, renew statements, look at the room on the
//! disk, and when it is quiet make snapshots and scrub. Each errand is one bounded step.

use protocol::host::{Effect, Input};
use protocol::key::PublicKey;
use protocol::machine::Event;
use protocol::store::scrub::Scrubbed;
use protocol::store::{Seat, StoreError};
use protocol::time::{Now, Span, Steady};

use super::{Beat, Contact};
use crate::assemble::Renewal;

/// How often figures are shown and the disk is looked at.
const LOOK_EVERY: Span = Span::from_s(1);
/// How soon a contact is dialled again, doubled with each failure.
const DIAL_FIRST: Span = Span::from_s(1);
/// See [`DIAL_FIRST`].
const DIAL_LAST_MS: u64 = 60_000;
/// From this many commits on that no book covers a snapshot begins when it is quiet.
const COMMITS_QUIET: u64 = 2_000;
/// From this many on it begins even if it is not.
const COMMITS_MAX: u64 = 20_000;
/// From this many bytes of journal on that no book covers, in the same way: a start reads them all.
const BYTES_QUIET: u64 = 32 << 20;
/// See [`BYTES_QUIET`].
const BYTES_MAX: u64 = 128 << 20;
/// How many rows one step of a scrub reads.
const SCRUB_ROWS: usize = 256;
/// How many pages of a book one step reads.
const SCRUB_PAGES: usize = 4;
/// How long a sound index is left alone.
const SCRUB_EVERY: Span = Span::from_h(1);
/// How long between two steps of a scrub.
const SCRUB_STEP_EVERY: Span = Span::from_s(2);

/// When each errand is due.
#[derive(Debug)]
pub(super) struct Errands {
    look: Steady,
    scrub: Steady,
    /// The page of the newest book to be read next, between two rounds through the index.
    page: Option<usize>,
    in_snapshot: bool,
    dials: Vec<Dial>,
    /// The generation of the gate for which keys were looked up.
    keys_of: u64,
}

#[derive(Debug)]
struct Dial {
    contact: Contact,
    again: Steady,
    wait_ms: u64,
}

impl Errands {
    /// Whether an errand goes on at once, with nothing else to do.
    pub(super) const fn is_under_way(&self) -> bool {
        self.in_snapshot
    }

    pub(super) fn new(contacts: &[Contact]) -> Self {
        let start = Steady::from_ms(0);
        let dial = |contact: &Contact| Dial { contact: contact.clone(), again: start, wait_ms: DIAL_FIRST.ms() };
        Self {
            look: start,
            scrub: start.plus(SCRUB_STEP_EVERY),
            page: None,
            in_snapshot: false,
            dials: contacts.iter().map(dial).collect(),
            keys_of: 0,
        }
    }
}

impl Beat {
    pub(super) fn run_errands(&mut self, now: Now, is_quiet: bool) -> Result<(), StoreError> {
        if now.steady >= self.errands.look {
            self.errands.look = now.steady.plus(LOOK_EVERY);
            self.look(now)?;
        }
        self.snapshot(is_quiet)?;
        if is_quiet && now.steady >= self.errands.scrub {
            self.scrub(now)?;
        }
        Ok(())
    }

    fn look(&mut self, now: Now) -> Result<(), StoreError> {
        let room = self.heart.store.room()?;
        self.heart.vitals.show_room(room);
        self.show(now);
        let gate = std::sync::Arc::clone(self.heart.host.gate());
        // Nothing of this is an event: statements and dials are notices and effects.
        let mut events = Vec::new();
        if self.errands.keys_of != gate.generation() {
            // A roster may have put keys in use that were made since this process began.
            self.errands.keys_of = gate.generation();
            for seat in self.heart.host.lacking_keys() {
                self.follow(seat, now, &mut events);
            }
        }
        for renewal in self.heart.statements.renew(&gate, now.wall) {
            self.say(renewal, now, &mut events);
        }
        self.dial(now, &mut events);
        if events.is_empty() { Ok(()) } else { self.turn(events, now) }
    }

    /// Lets the host have the keys that lie in a seat's file by now.
    pub(super) fn follow(&mut self, seat: Seat, now: Now, events: &mut Vec<(Seat, Event)>) {
        let (signing, log) = self.heart.statements.pairs(seat);
        self.receive(Input::Follow(seat, signing, log), now, events);
    }

    /// Makes a renewed statement known, and first the sealing keys it names.
    pub(super) fn say(&mut self, renewal: Renewal, now: Now, events: &mut Vec<(Seat, Event)>) {
        let Renewal { seat, fresh, signed } = renewal;
        tracing::info!(seat = seat.number(), sealing_keys = fresh.len(), "a statement was renewed");
        for (suite, key) in fresh {
            self.receive(Input::Hold(seat, suite, key), now, events);
        }
        self.receive(Input::Statement(seat, signed), now, events);
    }

    /// Dials each contact that is not connected, more and more seldom.
    fn dial(&mut self, now: Now, events: &mut Vec<(Seat, Event)>) {
        let mut due = Vec::new();
        for dial in &mut self.errands.dials {
            let is_connected = self.connections.values().any(|(_connection, peer)| *peer == dial.contact.peer);
            if is_connected {
                dial.wait_ms = DIAL_FIRST.ms();
            } else if now.steady >= dial.again && self.stops.is_none() {
                dial.again = now.steady.plus(Span::from_ms(dial.wait_ms));
                dial.wait_ms = dial.wait_ms.saturating_mul(2).min(DIAL_LAST_MS);
                due.push(dial.contact.clone());
            }
        }
        for contact in due {
            let peer = PublicKey::from_bytes(contact.peer.0);
            self.receive(Input::Meet { peer, addresses: contact.addresses }, now, events);
        }
    }

    /// One step of a snapshot, so that the journal does not grow without end.
    fn snapshot(&mut self, is_quiet: bool) -> Result<(), StoreError> {
        let (uncovered, bytes) = (self.heart.store.uncovered_commits(), self.heart.store.uncovered_bytes());
        let is_long = uncovered >= COMMITS_MAX || bytes >= BYTES_MAX;
        let is_due = is_long || (is_quiet && (uncovered >= COMMITS_QUIET || bytes >= BYTES_QUIET));
        let is_wanted = self.errands.in_snapshot || is_due;
        if is_wanted && !self.heart.vitals.is_without_room() {
            let is_done = self.heart.store.snapshot_step()?;
            if is_done {
                tracing::info!(commits = uncovered, "a snapshot was made");
            }
            self.errands.in_snapshot = !is_done;
        }
        Ok(())
    }

    fn scrub(&mut self, now: Now) -> Result<(), StoreError> {
        if let Some(page) = self.errands.page {
            self.errands.page = self.scrub_pages(page);
            let wait = if self.errands.page.is_some() { SCRUB_STEP_EVERY } else { SCRUB_EVERY };
            self.errands.scrub = now.steady.plus(wait);
            return Ok(());
        }
        let wait = match self.heart.store.scrub(SCRUB_ROWS)? {
            Scrubbed::Going { .. } => SCRUB_STEP_EVERY,
            Scrubbed::Sound { rows } => {
                tracing::debug!(rows, "the index is sound");
                self.errands.page = Some(0);
                SCRUB_STEP_EVERY
            }
        };
        self.errands.scrub = now.steady.plus(wait);
        Ok(())
    }

    /// Reads some pages of the newest book; the one to go on with. A damaged one stops nothing, since nothing is
    /// served from it.
    fn scrub_pages(&mut self, from: usize) -> Option<usize> {
        let mut page = from;
        for _step in 0..SCRUB_PAGES {
            match self.heart.store.scrub_page(page) {
                Ok(next) => page = next?,
                Err(error) => {
                    tracing::error!(%error, page, "a book is damaged");
                    self.carry_out(vec![Effect::Alarm("a book is damaged")]);
                    return None;
                }
            }
        }
        Some(page)
    }
}
