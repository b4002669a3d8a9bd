//! The host (宿): everything one process decides — which connection speaks for whom, which frame goes to
//! which seat — and the turn of the loop: handle all, commit once, let go.
//!
//! The node and the simulator drive this and nothing else. It reads no clock, owns no socket and no
//! file; frames and connections are numbers and bytes.

mod allowance;
mod frames;
mod generations;
mod handing;
pub mod heard;
mod learning;
mod links;
mod settling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use allowance::{Allowance, Peers};
use rand_core::CryptoRng;

use crate::batch::Batch;
use crate::cbor;
use crate::cosigning::Cosigning;
use crate::digest::Digest;
use crate::frame::Frame;
use crate::gate::{Gate, NotAdmitted, Notice, Presentation, Standing};
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::key::{KeyId, PublicKey};
use crate::keyring::{Keyring, Pair};
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::machine::{Action, Ask, AskId, Count, Done, Ending, Event, Failure, Machine, Outbox, Work};
use crate::news::News;
use crate::noting::{self, Noting};
use crate::primitives::{Channel, Primitives, SealingKey, Suite};
use crate::requester::{Identity, Requester};
use crate::statement::Statement;
use crate::store::staged::Staged;
use crate::store::{Seat, Store, StoreError};
use crate::succession::{Seen, Succession};
use crate::time::{Now, Span, Steady, Timestamp};
use crate::verify::Unfit;
use crate::wall::{Reliance, Wall};

/// What reaches the host.
#[derive(Debug)]
pub enum Input {
    /// A connection is open; its other end proved `peer`.
    Opened {
        /// Its number, never used twice, never 0.
        connection: u64,
        /// The transport key of the other end.
        peer: PublicKey,
        /// Whether we dialled.
        outbound: bool,
    },
    /// Bytes came on a connection.
    Frame {
        /// Which.
        connection: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        connection: u64,
    },
    /// A dial failed.
    Unreachable {
        /// Whom.
        peer: PublicKey,
    },
    /// A worker is done.
    Done(Done),
    /// Local software asks.
    Ask(Seat, AskId, Ask),
    /// The seat's own staff feed it.
    Import(Seat, AskId, Vec<u8>),
    /// The seat, an issuer, issued a credential, which is to stand in its ledger before it is handed out; told like
    /// an import, with the number of the leaf.
    Issued(Seat, AskId, Vec<u8>),
    /// A signed object came by another way than a connection.
    Notice(Notice),
    /// A seat's renewed credential.
    Credential(Seat, Vec<u8>),
    /// A seat's new statement of itself, signed.
    Statement(Seat, Vec<u8>),
    /// A seat's fresh sealing key, which its next statement will name.
    Hold(Seat, Suite, Arc<dyn SealingKey>),
    /// Signing and log keys of a seat that may follow those in use.
    Follow(Seat, Vec<Pair>, Vec<Pair>),
    /// Dial somebody whose statement may not be known yet, and ask what is new.
    Meet {
        /// Whom.
        peer: PublicKey,
        /// Where.
        addresses: Vec<String>,
    },
}

/// What the host wants done.
#[derive(Debug)]
pub enum Effect {
    /// Give this to a worker.
    Work(Seat, Box<Work>),
    /// Send bytes on a connection.
    Send {
        /// Which.
        connection: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Make a connection.
    Dial {
        /// To whom.
        peer: PublicKey,
        /// Where.
        addresses: Vec<String>,
    },
    /// End a connection.
    Close {
        /// Which.
        connection: u64,
    },
    /// A connection that somebody else made speaks for an organisation from now on.
    Admitted {
        /// Which.
        connection: u64,
    },
    /// It speaks for nobody any more.
    Estranged {
        /// Which.
        connection: u64,
    },
    /// Tell local software how its ask ended.
    Tell(AskId, Box<Ending>),
    /// Tell local software what an import did.
    Imported(AskId, Result<u64, String>),
    /// A sealing key of a seat was let go of; what keeps keys destroys it.
    Destroyed(Seat, KeyId),
    /// Something an operator must see.
    Alarm(&'static str),
    /// Something to count.
    Count(Count),
    /// A frame that was dropped, by reason.
    Dropped(Drop),
}

/// Why a frame was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// Not a frame.
    MalformedFrame,
    /// Not an envelope.
    MalformedEnvelope,
    /// Of another network.
    OtherNetwork,
    /// To nobody this process serves.
    NobodyHere,
    /// The sender was not admitted on this connection.
    NotAdmitted,
    /// For a sealing key we do not hold, or of a suite too weak.
    UnknownKey,
    /// An encapsulation used too long or too often.
    EncapsulationWornOut,
    /// Opened and found unfit.
    Unfit(Unfit),
    /// A presentation that was not believed.
    NotBelieved(NotAdmitted),
    /// A notice that was not believed.
    NoticeNotBelieved,
    /// An answer to nothing we asked.
    Unasked,
    /// A stranger asked for more than its allowance.
    TooMuch,
}

/// One organisation that the process serves.
pub struct Office {
    /// Asks for it.
    pub requester: Requester,
    /// Answers for it, if it answers.
    pub machine: Option<Box<dyn Machine>>,
    /// Its keys, generation by generation.
    pub keys: Keyring,
    /// Its signed statement, if it is a member.
    pub statement: Option<Vec<u8>>,
    /// Goes to witnesses with its heads, if it is a member.
    pub cosigning: Option<Cosigning>,
    /// Notes in its ledger what the keeper of a ledger notes.
    pub noting: Noting,
}

/// Everything one process decides.
pub struct Host {
    gate: Arc<Gate>,
    primitives: Arc<dyn Primitives>,
    offices: BTreeMap<Seat, Office>,
    seats: BTreeMap<PartyId, Seat>,
    links: BTreeMap<u64, Link>,
    /// Connections that somebody else made and that spoke for nobody when noted, by when they are to be closed.
    strangers: VecDeque<(Steady, u64)>,
    dialled: BTreeMap<PublicKey, Dialled>,
    waiting: BTreeMap<u64, Waiting>,
    contexts: BTreeMap<PartyId, VecDeque<Context>>,
    opening: BTreeMap<PartyId, usize>,
    peers: Peers,
    rows: Vec<(u8, Vec<u8>, Vec<u8>)>,
    succession: Succession,
    /// The generation of the gate by which log keys were chosen; 0 to choose again.
    logs_of: u64,
    /// Peers whose last dial failed.
    unreached: BTreeSet<PublicKey>,
    /// Whether somebody was not reached since statements were last asked for: what is known of them may be old.
    is_astray: bool,
    /// Events that came beside the one an input returned.
    beside: Vec<(Seat, Event)>,
    /// Second rosters of a version and second beginnings of an epoch, already told of.
    forks: BTreeSet<Vec<u8>>,
    /// When to ask again for what is behind the pulse, how long to wait after that, and whom to begin with.
    behind: Option<(Steady, Span, usize)>,
    /// Answers to Fetch that are not whole yet.
    handing: BTreeMap<u64, handing::Handing>,
    next_frame: u64,
    wall: Wall,
    /// What one seat says to another of this process, for the next turn.
    later: Vec<(Seat, Event)>,
}

struct Link {
    peer: PublicKey,
    outbound: bool,
    standings: BTreeMap<PartyId, Admitted>,
    news: News,
    hellos: BTreeMap<u64, (Seat, Steady)>,
    welcomed: BTreeSet<Seat>,
    failures: VecDeque<Steady>,
    asked: Allowance,
    shown: Allowance,
}

/// A party on a connection: as it stands, and as it stood before its keys or credential changed.
struct Admitted {
    now: Arc<Standing>,
    before: Option<Arc<Standing>>,
}

/// A member being dialled or connected, and what waits for it.
#[derive(Default)]
struct Dialled {
    connection: Option<u64>,
    queued: VecDeque<(Seat, ExchangeId, Parcel)>,
}

/// What goes to a member in a frame with a number.
enum Parcel {
    Request(Vec<u8>),
    Cosign { note: Arc<SignedCheckpoint>, from: u64, proof: Vec<Digest>, opening: Option<Vec<u8>> },
    Prove { of: PartyId, sizes: Vec<u64> },
}

struct Waiting {
    seat: Seat,
    exchange: ExchangeId,
    connection: u64,
    /// The head a witness was asked to cosign.
    note: Option<Arc<SignedCheckpoint>>,
}

struct Context {
    name: Digest,
    channel: Option<Arc<dyn Channel>>,
    since: Steady,
    messages: u32,
}

impl Host {
    /// A host with nobody connected. What the gate holds is kept for the next start by [`Host::keep_gate`].
    pub fn new(
        gate: impl Into<Arc<Gate>>,
        primitives: Arc<dyn Primitives>,
        mut offices: BTreeMap<Seat, Office>,
    ) -> Self {
        for office in offices.values_mut() {
            if let Some(statement) = office.statement.as_deref().and_then(Statement::own) {
                office.keys.named_in(&statement);
            }
        }
        let seats = offices.iter().map(|(seat, office)| (office.requester.identity().party.clone(), *seat)).collect();
        let mut host = Self {
            gate: gate.into(),
            primitives,
            offices,
            seats,
            links: BTreeMap::new(),
            strangers: VecDeque::new(),
            dialled: BTreeMap::new(),
            waiting: BTreeMap::new(),
            contexts: BTreeMap::new(),
            opening: BTreeMap::new(),
            peers: Peers::default(),
            rows: Vec::new(),
            succession: Succession::default(),
            logs_of: 0,
            unreached: BTreeSet::new(),
            is_astray: false,
            beside: Vec::new(),
            forks: BTreeSet::new(),
            behind: None,
            handing: BTreeMap::new(),
            next_frame: 1,
            wall: Wall::default(),
            later: Vec::new(),
        };
        host.use_signing_keys();
        host
    }

    /// Gives back what was remembered of credentials before the process stopped.
    pub fn recall(&mut self, seen: Vec<Seen>, now: Timestamp) {
        for seen in seen {
            self.succession.recall(seen, now);
        }
    }

    /// What a seat's requester knows of itself.
    pub fn identity(&self, seat: Seat) -> Option<&Identity> {
        self.offices.get(&seat).map(|office| office.requester.identity())
    }

    /// Changes what the requesters know of themselves, before anything is asked.
    pub fn adjust(&mut self, adjust: &dyn Fn(&mut Identity)) {
        self.offices.values_mut().for_each(|office| office.requester.adjust(adjust));
    }

    /// Whom this process believes.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// How far the wall clock is to be relied on.
    pub fn reliance(&mut self, now: Now) -> Reliance {
        self.wall.judge(now)
    }

    /// How many connections speak for somebody.
    pub fn admitted(&self) -> usize {
        self.links.values().filter(|link| !link.standings.is_empty()).count()
    }

    /// When [`Host::turn`] is to be called even if nothing happens.
    pub fn deadline(&self) -> Option<Steady> {
        let requesters = self.offices.values().filter_map(|office| office.requester.deadline());
        let machines = self.offices.values().filter_map(|office| office.machine.as_ref()?.deadline());
        let heads = self.offices.values().filter_map(|office| Some(office.cosigning.as_ref()?.deadline()));
        let notes = self.offices.values().filter(|office| office.is_settled()).map(|office| office.noting.deadline());
        let stranger = self.strangers.front().map(|(at, _connection)| *at);
        let behind = self.behind.map(|(at, _wait, _first)| at);
        let later = (!self.later.is_empty()).then(|| Steady::from_ms(0));
        let times = requesters.chain(machines).map(|(at, _what)| at);
        times.chain(heads).chain(notes).chain(stranger).chain(behind).chain(later).chain(self.next_portion()).min()
    }

    /// Whether an ask of our own has not ended yet, or it is not settled whether a ledger is the newest.
    pub fn waits(&self) -> bool {
        self.offices.values().any(|office| office.requester.waits() || !office.is_settled())
    }

    /// Whether there is something to commit that no event will bring.
    pub fn has_rows(&self) -> bool {
        !self.rows.is_empty() || !self.beside.is_empty()
    }

    /// Takes one input: looks at headers only, gives out at once what needs no decision, and returns the event
    /// that does.
    pub fn receive(&mut self, input: Input, now: Now, out: &mut Vec<Effect>) -> Option<(Seat, Event)> {
        match input {
            Input::Opened { connection, peer, outbound } => self.opened(connection, peer, outbound, now, out),
            Input::Frame { connection, bytes } => return self.frame(connection, &bytes, now, out),
            Input::Closed { connection } => return self.closed(connection),
            Input::Unreachable { peer } => return self.unreachable(&peer),
            Input::Done(done) => return self.done(done, now, out),
            Input::Ask(seat, id, ask) => return Some((seat, Event::Ask(id, ask))),
            Input::Import(seat, id, bytes) => return Some((seat, Event::Import(id, bytes))),
            Input::Issued(seat, id, bytes) => return Some((seat, Event::Issued(id, bytes))),
            Input::Notice(notice) => self.learn(&notice, None, now, out),
            Input::Credential(seat, bytes) => {
                if let Some(office) = self.offices.get_mut(&seat) {
                    office.requester.renew(bytes);
                    self.use_signing_keys();
                    self.greet_again(seat, now.steady, out);
                }
            }
            Input::Statement(seat, bytes) => {
                self.learn(&Notice::Statement(bytes.clone().into()), None, now, out);
                if let Some(office) = self.offices.get_mut(&seat) {
                    if let Some(statement) = Statement::own(&bytes) {
                        office.keys.named_in(&statement);
                    }
                    office.statement = Some(bytes);
                    self.greet_again(seat, now.steady, out);
                }
            }
            Input::Hold(seat, suite, key) => {
                if let Some(office) = self.offices.get_mut(&seat) {
                    office.keys.hold(suite, key, None);
                }
            }
            Input::Follow(seat, signing, log) => {
                if let Some(office) = self.offices.get_mut(&seat) {
                    signing.into_iter().for_each(|pair| office.keys.follow_signing(pair));
                    log.into_iter().for_each(|pair| office.keys.follow_log(pair));
                    self.use_signing_keys();
                }
            }
            Input::Meet { peer, addresses } => {
                self.dialled.entry(peer).or_default();
                out.push(Effect::Dial { peer, addresses });
            }
        }
        None
    }

    /// Handles events in order, commits once, and returns what may now happen.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the caller stops the process.
    pub fn turn(
        &mut self,
        events: Vec<(Seat, Event)>,
        store: &mut Store,
        now: Now,
        dice: &mut dyn CryptoRng,
    ) -> Result<Vec<Effect>, StoreError> {
        self.use_log_keys(store);
        let mut staged = Staged::new();
        let mut out = Outbox::default();
        let reliance = self.wall.judge(now);
        if let (Some(home), false) = (self.home(), self.rows.is_empty()) {
            let mut batch = Batch::new(now, home, store, &mut staged, dice)?;
            for (table, rest, value) in std::mem::take(&mut self.rows) {
                heard::keep(&mut batch, table, &rest, value)?;
            }
        }
        let gate = Arc::clone(&self.gate);
        self.settle(&gate, store, &mut staged, now, dice, &mut out)?;
        self.note_rosters(&gate, store, &mut staged, now, dice)?;
        let (later, beside) = (std::mem::take(&mut self.later), std::mem::take(&mut self.beside));
        for (seat, event) in later.into_iter().chain(events).chain(beside) {
            let mut batch = Batch::new(now, seat, store, &mut staged, dice)?.relying(reliance);
            self.dispatch(seat, event, &gate, &mut batch, &mut out)?;
        }
        for seat in self.due(now.steady) {
            let mut batch = Batch::new(now, seat, store, &mut staged, dice)?.relying(reliance);
            self.dispatch(seat, Event::Deadline, &gate, &mut batch, &mut out)?;
        }
        let committed = store.commit(staged)?;
        for seat in committed.grown() {
            if let Some(cosigning) = self.offices.get_mut(&seat).and_then(|office| office.cosigning.as_mut()) {
                cosigning.grew(now.steady);
            }
        }
        let mut effects: Vec<_> = out.take_counts().into_iter().map(Effect::Count).collect();
        self.catch_up(now.steady, &mut effects);
        self.destroy_over(now.wall, &mut effects);
        for action in out.release(store, &committed)? {
            self.act(action, store, now, &mut effects)?;
        }
        self.part_with_strangers(now.steady, &mut effects);
        self.hand_on(now.steady, &mut effects);
        Ok(effects)
    }

    fn dispatch(
        &mut self,
        seat: Seat,
        event: Event,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let seats = &self.seats;
        let Some(office) = self.offices.get_mut(&seat) else { return Ok(()) };
        let event = if office.is_settled() { Some(event) } else { settling::withhold(event, out) };
        let Some(event) = event else { return Ok(()) };
        let Some(event) = office.requester.handle(event, gate, batch, out)? else { return Ok(()) };
        let event = match (event, &mut office.cosigning) {
            (Event::Cosigned(attempt, verdict, sent), Some(cosigning)) => {
                let primitives = self.primitives.as_ref();
                return cosigning.take(attempt, verdict, sent.as_deref(), gate, primitives, batch, out);
            }
            (Event::Shown(note), Some(cosigning)) => {
                return cosigning.shown(&note, gate, self.primitives.as_ref(), batch, out);
            }
            (Event::Prove { route, sizes }, Some(cosigning)) => return cosigning.prove(route, &sizes, batch, out),
            (Event::Proven(attempt, note, proofs), _cosigning) => {
                let primitives = self.primitives.as_ref();
                return office.requester.proven(attempt, &note, &proofs, gate, primitives, batch, out);
            }
            (Event::Deadline, Some(cosigning)) => {
                cosigning.go(gate, &|party| seats.contains_key(party), batch, out);
                Event::Deadline
            }
            (Event::Issued(id, bytes), _cosigning) => {
                let author = office.author();
                let noted = noting::note_credential(&bytes, &author, gate, self.primitives.as_ref(), batch)?;
                out.act(Action::Imported(id, noted));
                return Ok(());
            }
            (event, _cosigning) => event,
        };
        if matches!(event, Event::Deadline) && office.is_settled() {
            let author = office.author();
            office.noting.go(&author, gate, batch)?;
        }
        match &mut office.machine {
            Some(machine) => machine.handle(event, gate, batch, out),
            None => Ok(()),
        }
    }

    /// The seat under which the process keeps what is nobody's own: rosters, statements, lists.
    fn home(&self) -> Option<Seat> {
        self.offices.keys().next().copied()
    }

    fn due(&self, now: Steady) -> Vec<Seat> {
        let is_due = |office: &Office| {
            let machine = office.machine.as_ref().and_then(|machine| machine.deadline());
            let heads = office.cosigning.as_ref().map(|cosigning| (cosigning.deadline(), "heads"));
            let notes = office.is_settled().then(|| (office.noting.deadline(), "notes"));
            [office.requester.deadline(), machine, heads, notes].into_iter().flatten().any(|(at, _what)| at <= now)
        };
        self.offices.iter().filter(|(_seat, office)| is_due(office)).map(|(seat, _office)| *seat).collect()
    }

    fn act(&mut self, action: Action, store: &Store, now: Now, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        match action {
            Action::Work(seat, work) => out.push(Effect::Work(seat, work)),
            // What is not sent now its requester sends again.
            Action::Transmit { seat, .. } if !self.is_settled(seat) => {}
            Action::Transmit { seat, to, exchange, bytes } => {
                self.transmit(seat, &to, exchange, Parcel::Request(bytes), now, out);
            }
            Action::Cosign { seat, to, attempt, from, opening } => {
                let parcel = match (opening, store.head(seat)) {
                    (None, Some(head)) => {
                        let note = Arc::clone(&head.note);
                        Parcel::Cosign { note, from, proof: store.consistency(seat, from)?, opening: None }
                    }
                    (opening, _head) => {
                        let note = Arc::new(store.note_at(seat, 1)?);
                        Parcel::Cosign { note, from, proof: Vec::new(), opening }
                    }
                };
                self.transmit(seat, &to, attempt, parcel, now, out);
            }
            Action::Prove { seat, to, attempt, sizes } => {
                self.transmit(seat, &to, attempt, Parcel::Prove { of: to.clone(), sizes }, now, out);
            }
            Action::Publish(notice) => self.learn(&notice, None, now, out),
            Action::Reply(route, Frame::Proven(id, note, proofs)) if route.connection == crate::machine::Route::OWN => {
                let waiting = self.waiting.remove(&id);
                self.later.extend(
                    waiting.map(|waiting| (waiting.seat, Event::Proven(waiting.exchange, note.to_vec(), proofs))),
                );
            }
            Action::Reply(route, frame) => send(out, route.connection, &frame),
            Action::Tell(id, ending) => {
                self.is_astray |= matches!(*ending, Ending::Failed(Failure::Unreachable(_)));
                out.push(Effect::Tell(id, ending));
            }
            Action::Imported(id, result) => out.push(Effect::Imported(id, result)),
            Action::Heard(party, signed) => self.hear(&party, signed, now.steady),
            Action::Alarm(what) => out.push(Effect::Alarm(what)),
        }
        Ok(())
    }

    // ── connections ──

    // ── frames ──
}

/// What a busy node asks for, in milliseconds.
const BUSY_MS: u64 = 200;

fn present(gate: &Gate, office: &Office) -> Vec<u8> {
    let identity = office.requester.identity();
    cbor::encode(&Presentation {
        network: gate.network(),
        party: identity.party.clone(),
        statement: office.statement.clone().map(Into::into),
        credential: identity.credential.clone().map(Into::into),
        roster: gate.roster().version,
    })
}

fn send(out: &mut Vec<Effect>, connection: u64, frame: &Frame) {
    out.push(Effect::Send { connection, bytes: cbor::encode(frame) });
}

/// Like [`send`], but nothing is sent from a process to itself.
fn reply(out: &mut Vec<Effect>, connection: u64, frame: &Frame) {
    if connection != crate::machine::Route::OWN {
        send(out, connection, frame);
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").field("seats", &self.seats).field("links", &self.links.len()).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Office {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Office").field("party", &self.requester.identity().party).finish_non_exhaustive()
    }
}
