//! The host (宿): everything one process decides — which connection speaks for whom, which frame goes to
//! which seat — and the turn of the loop: handle all, commit once, let go.
//!
//! The node and the simulator drive this and nothing else. It reads no clock, owns no socket and no
//! file; frames and connections are numbers and bytes.

mod allowance;
mod generations;
mod learning;
mod settling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rand_core::CryptoRng;

use allowance::{Allowance, Cost, Peers};

use crate::batch::Batch;
use crate::cbor;
use crate::cosigning::Cosigning;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::frame::{self, Frame};
use crate::gate::{Gate, NotAdmitted, Notice, Presentation, Standing};
use crate::id::exchange::ExchangeId;
use crate::id::party::{PartyId, PartyKind};
use crate::key::{KeyId, PublicKey};
use crate::keyring::{Keyring, Pair};
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::limits;
use crate::machine::{Action, Ask, AskId, Count, Done, Ending, Event, Machine, Outbox, Work};
use crate::news::News;
use crate::noting::{self, Noting};
use crate::primitives::{Channel, Primitives, SealingKey, Suite};
use crate::requester::{Identity, Requester};
use crate::statement::Statement;
use crate::store::staged::Staged;
use crate::store::{Key, Position, Roll, Seat, Store, StoreError};
use crate::succession::{SEEN_MAX, Seen, Succession};
use crate::table;
use crate::time::{Now, Span, Steady, Timestamp};
use crate::verify::{Opener, Sealed, Unfit};
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
    /// Events that came beside the one an input returned.
    beside: Vec<(Seat, Event)>,
    /// Second rosters of a version and second beginnings of an epoch, already told of.
    forks: BTreeSet<Vec<u8>>,
    /// When to ask again for what is behind the pulse, how long to wait after that, and whom to begin with.
    behind: Option<(Steady, Span, usize)>,
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
    hellos: BTreeMap<u64, Seat>,
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
    /// A host with nobody connected.
    pub fn new(gate: Gate, primitives: Arc<dyn Primitives>, mut offices: BTreeMap<Seat, Office>) -> Self {
        for office in offices.values_mut() {
            if let Some(statement) = office.statement.as_deref().and_then(Statement::own) {
                office.keys.named_in(&statement);
            }
        }
        let seats = offices.iter().map(|(seat, office)| (office.requester.identity().party.clone(), *seat)).collect();
        let mut host = Self {
            gate: Arc::new(gate),
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
            beside: Vec::new(),
            forks: BTreeSet::new(),
            behind: None,
            next_frame: 1,
            wall: Wall::default(),
            later: Vec::new(),
        };
        host.keep_links();
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
        times.chain(heads).chain(notes).chain(stranger).chain(behind).chain(later).min()
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
            Input::Opened { connection, peer, outbound } => self.opened(connection, peer, outbound, now.steady, out),
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
                    self.greet_again(seat, out);
                }
            }
            Input::Statement(seat, bytes) => {
                self.learn(&Notice::Statement(bytes.clone().into()), None, now, out);
                if let Some(office) = self.offices.get_mut(&seat) {
                    if let Some(statement) = Statement::own(&bytes) {
                        office.keys.named_in(&statement);
                    }
                    office.statement = Some(bytes);
                    self.greet_again(seat, out);
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
                keep_heard(&mut batch, table, &rest, value)?;
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
        let mut effects: Vec<_> = out.take_counts().into_iter().map(Effect::Count).collect();
        self.catch_up(now.steady, &mut effects);
        self.destroy_over(now.wall, &mut effects);
        for action in out.release(store, &committed)? {
            self.act(action, store, now, &mut effects)?;
        }
        self.part_with_strangers(now.steady, &mut effects);
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
            Action::Tell(id, ending) => out.push(Effect::Tell(id, ending)),
            Action::Imported(id, result) => out.push(Effect::Imported(id, result)),
            Action::Heard(party, signed) => self.hear(&party, signed, now.steady),
            Action::Alarm(what) => out.push(Effect::Alarm(what)),
        }
        Ok(())
    }

    // ── connections ──

    fn opened(&mut self, connection: u64, peer: PublicKey, outbound: bool, now: Steady, out: &mut Vec<Effect>) {
        let mut link = Link {
            peer,
            outbound,
            standings: BTreeMap::new(),
            news: News::default(),
            hellos: BTreeMap::new(),
            welcomed: BTreeSet::new(),
            failures: VecDeque::new(),
            asked: Allowance::default(),
            shown: Allowance::default(),
        };
        if outbound {
            let version = self.gate.roster().version;
            if link.news.fetch(version, now) {
                self.peers.fetch(&peer, now);
                send(out, connection, &Frame::Fetch(version, true));
            }
            for (seat, office) in &self.offices {
                if let Some(statement) = &office.statement {
                    send(out, connection, &Frame::Notice(Notice::Statement(statement.clone().into())));
                }
                let number = self.next_frame;
                self.next_frame = number.saturating_add(1);
                link.hellos.insert(number, *seat);
                send(out, connection, &Frame::Hello(number, present(&self.gate, office).into()));
            }
            self.dialled.entry(peer).or_default().connection = Some(connection);
            self.unreached.remove(&peer);
        } else {
            self.strangers.push_back((now.plus(limits::STRANGER_LIMIT), connection));
        }
        self.links.insert(connection, link);
    }

    /// Closes what has spoken for nobody for too long: it holds a place that a member may need.
    fn part_with_strangers(&mut self, now: Steady, out: &mut Vec<Effect>) {
        while let Some((at, connection)) = self.strangers.front().copied() {
            if at > now {
                return;
            }
            self.strangers.pop_front();
            let is_stranger = self.links.get(&connection).is_some_and(|link| link.standings.is_empty());
            // Noted again if it was admitted and estranged meanwhile: then the later note counts.
            if is_stranger && self.strangers.iter().all(|(_at, other)| *other != connection) {
                out.push(Effect::Close { connection });
            }
        }
    }

    /// Presents a seat anew on every connection we made: what it showed before runs out.
    fn greet_again(&mut self, seat: Seat, out: &mut Vec<Effect>) {
        let Some(office) = self.offices.get(&seat) else { return };
        let shown = present(&self.gate, office);
        for (connection, link) in self.links.iter_mut().filter(|(_connection, link)| link.outbound) {
            let number = self.next_frame;
            self.next_frame = number.saturating_add(1);
            link.hellos.insert(number, seat);
            send(out, *connection, &Frame::Hello(number, shown.clone().into()));
        }
    }

    fn closed(&mut self, connection: u64) -> Option<(Seat, Event)> {
        let link = self.links.remove(&connection)?;
        if link.outbound
            && let Some(dialled) = self.dialled.get_mut(&link.peer)
            && dialled.connection == Some(connection)
        {
            dialled.connection = None;
            // What waited for a welcome is sent again by its requester, which dials anew.
            dialled.queued.clear();
        }
        let lost: Vec<_> =
            self.waiting.iter().filter(|(_id, waiting)| waiting.connection == connection).map(|(id, _)| *id).collect();
        let mut last = None;
        for id in lost {
            // The requester's own deadline brings up all but the last: a lost connection is rare.
            last = self.waiting.remove(&id).map(|waiting| (waiting.seat, Event::Lost(waiting.exchange)));
        }
        last
    }

    fn unreachable(&mut self, peer: &PublicKey) -> Option<(Seat, Event)> {
        let dialled = self.dialled.get_mut(peer)?;
        if dialled.connection.is_some() {
            return None;
        }
        let dialled = self.dialled.remove(peer)?;
        if self.unreached.len() < WAITING_MAX {
            self.unreached.insert(*peer);
        }
        dialled.queued.into_iter().next_back().map(|(seat, exchange, _parcel)| (seat, Event::Lost(exchange)))
    }

    /// Sends a request over the connection to a member, making one if there is none; to a seat of our own it
    /// goes the same way without a wire.
    fn transmit(
        &mut self,
        seat: Seat,
        to: &PartyId,
        exchange: ExchangeId,
        parcel: Parcel,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.seats.contains_key(to) {
            // A witness does not cosign for its own operator.
            let own = crate::machine::Route::OWN;
            match parcel {
                Parcel::Request(bytes) => {
                    let id = self.wait_for(seat, exchange, own, None);
                    self.request(own, id, &bytes, now, out);
                }
                Parcel::Prove { of, sizes } => {
                    let route = crate::machine::Route { connection: own, id: self.wait_for(seat, exchange, own, None) };
                    self.later.extend(self.seats.get(&of).map(|seat| (*seat, Event::Prove { route, sizes })));
                }
                Parcel::Cosign { .. } => {}
            }
            return;
        }
        let Some(statement) = self.gate.statement(to, now.wall) else { return };
        let (transport, addresses) = (statement.transport.clone(), statement.addresses.clone());
        let Some(peer) = self.peer_of(&transport) else { return };
        let dialled = self.dialled.entry(peer).or_default();
        if let Some(connection) = dialled.connection
            && self.links.get(&connection).is_some_and(|link| link.welcomed.contains(&seat))
        {
            self.post(seat, exchange, parcel, connection, out);
            return;
        }
        let connection = dialled.connection;
        let is_first = connection.is_none() && dialled.queued.is_empty();
        if dialled.queued.len() < limits::OPEN_ASKS_MAX {
            dialled.queued.push_back((seat, exchange, parcel));
        }
        match connection {
            Some(connection) => self.hello(connection, seat, out),
            None if is_first => out.push(Effect::Dial { peer, addresses }),
            None => {}
        }
    }

    /// Presents a seat on a connection, unless it is waiting for the answer to that already.
    fn hello(&mut self, connection: u64, seat: Seat, out: &mut Vec<Effect>) {
        let (Some(link), Some(office)) = (self.links.get_mut(&connection), self.offices.get(&seat)) else { return };
        if link.hellos.values().any(|waiting| *waiting == seat) {
            return;
        }
        let number = self.next_frame;
        self.next_frame = number.saturating_add(1);
        link.hellos.insert(number, seat);
        send(out, connection, &Frame::Hello(number, present(&self.gate, office).into()));
    }

    fn wait_for(
        &mut self,
        seat: Seat,
        exchange: ExchangeId,
        connection: u64,
        note: Option<Arc<SignedCheckpoint>>,
    ) -> u64 {
        let id = self.next_frame;
        self.next_frame = id.saturating_add(1);
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_first();
        }
        self.waiting.insert(id, Waiting { seat, exchange, connection, note });
        id
    }

    fn welcome(&mut self, connection: u64, number: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let Some(seat) = link.hellos.remove(&number) else { return };
        link.welcomed.insert(seat);
        self.show_heads(connection, seat, now, out);
        let Some(link) = self.links.get(&connection) else { return };
        let Some(dialled) = self.dialled.get_mut(&link.peer) else { return };
        let queued = std::mem::take(&mut dialled.queued);
        let (ready, kept): (VecDeque<_>, VecDeque<_>) =
            queued.into_iter().partition(|(waiting, _exchange, _parcel)| *waiting == seat);
        dialled.queued = kept;
        for (seat, exchange, parcel) in ready {
            self.post(seat, exchange, parcel, connection, out);
        }
    }

    /// A presentation of ours is not admitted: what waits for that member ends. A request is not admitted: perhaps
    /// only because something was renewed meanwhile, so the seat presents itself anew before it is sent again.
    fn sorry(&mut self, connection: u64, number: u64, now: Steady, out: &mut Vec<Effect>) -> Option<(Seat, Event)> {
        let Some(seat) = self.links.get_mut(&connection)?.hellos.remove(&number) else {
            let waiting = self.take_waiting(connection, number, now, out)?;
            self.links.get_mut(&connection)?.welcomed.remove(&waiting.seat);
            return Some((waiting.seat, Event::Lost(waiting.exchange)));
        };
        out.push(Effect::Alarm("a member did not admit us"));
        let link = self.links.get_mut(&connection)?;
        if link.outbound && link.hellos.is_empty() && link.welcomed.is_empty() {
            // Of no use; the next one may find the member better informed.
            out.push(Effect::Close { connection });
        }
        let dialled = self.dialled.get_mut(&link.peer)?;
        let (declined, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut dialled.queued).into_iter().partition(|(waiting, _exchange, _parcel)| *waiting == seat);
        dialled.queued = kept;
        self.beside.extend(declined.into_iter().map(|(seat, exchange, _parcel)| (seat, Event::Declined(exchange))));
        self.beside.pop()
    }

    /// What waits for frame `id` of this very connection: nobody else may answer it. Whoever dialled us and
    /// answers what was never asked there is at fault.
    fn take_waiting(&mut self, connection: u64, id: u64, now: Steady, out: &mut Vec<Effect>) -> Option<Waiting> {
        if self.waiting.get(&id).is_some_and(|waiting| waiting.connection == connection) {
            return self.waiting.remove(&id);
        }
        if self.links.get(&connection).is_some_and(|link| !link.outbound) {
            self.fault(connection, Drop::Unasked, now, out);
        } else {
            out.push(Effect::Dropped(Drop::Unasked));
        }
        None
    }

    fn post(&mut self, seat: Seat, exchange: ExchangeId, parcel: Parcel, connection: u64, out: &mut Vec<Effect>) {
        let frame = match parcel {
            Parcel::Request(bytes) => {
                let id = self.wait_for(seat, exchange, connection, None);
                Frame::Request(id, bytes.into())
            }
            Parcel::Cosign { note, from, proof, opening } => {
                let bytes = note.as_bytes().to_vec();
                let id = self.wait_for(seat, exchange, connection, Some(note));
                Frame::Cosign(id, bytes.into(), from, proof, opening.map(Into::into))
            }
            Parcel::Prove { of, sizes } => Frame::Prove(self.wait_for(seat, exchange, connection, None), of, sizes),
        };
        send(out, connection, &frame);
    }

    // ── frames ──

    fn frame(&mut self, connection: u64, bytes: &[u8], now: Now, out: &mut Vec<Effect>) -> Option<(Seat, Event)> {
        let link = self.links.get(&connection)?;
        let Ok(frame) = frame::parse(bytes) else {
            self.fault(connection, Drop::MalformedFrame, now.steady, out);
            return None;
        };
        let is_stranger = !link.outbound && link.standings.is_empty();
        let cost = match frame {
            Frame::Hello(..) => Some(Cost::Hello),
            Frame::Fetch(..) => Some(Cost::Fetch),
            Frame::Notice(_) => Some(Cost::Notice),
            _ => None,
        };
        let peer = link.peer;
        if let Some(cost) = cost {
            // Of a peer all connections count together: whoever dials anew has not become another.
            let is_within = self.peers.may(&peer, cost, is_stranger, now.steady);
            let asked = &mut self.links.get_mut(&connection)?.asked;
            if !is_within || is_stranger && !asked.take(now.steady, ALLOWANCE_MAX) {
                self.fault(connection, Drop::TooMuch, now.steady, out);
                return None;
            }
        }
        // Each is read against the ledger, on the one thread that decides.
        let is_read = matches!(frame, Frame::Shown(_) | Frame::Prove(..) | Frame::Cosign(..));
        if is_read && !self.links.get_mut(&connection)?.shown.take(now.steady, SHOWN_MAX) {
            self.fault(connection, Drop::TooMuch, now.steady, out);
            return None;
        }
        match frame {
            Frame::Hello(number, bytes) => {
                let gate = Arc::clone(&self.gate);
                let admit = Work::Admit { connection, number, peer, bytes: bytes.to_vec(), gate };
                out.extend(self.home().map(|seat| Effect::Work(seat, Box::new(admit))));
                None
            }
            Frame::Welcome(number) => {
                self.welcome(connection, number, now, out);
                None
            }
            Frame::Sorry(number) => self.sorry(connection, number, now.steady, out),
            Frame::Request(id, bytes) => {
                self.request(connection, id, &bytes, now, out);
                None
            }
            Frame::Answer(id, bytes) => {
                self.answer(connection, id, bytes.to_vec(), now.steady, out);
                None
            }
            Frame::Busy(id, ms) => {
                let waiting = self.take_waiting(connection, id, now.steady, out)?;
                Some((waiting.seat, Event::Busy(waiting.exchange, Span::from_ms(ms.min(limits::ASK_LIMIT.ms())))))
            }
            Frame::Fetch(version, statements) => {
                for notice in self.gate.notices_since(version, statements) {
                    send(out, connection, &Frame::Notice(notice));
                }
                None
            }
            Frame::Notice(notice) => {
                self.learn(&notice, Some(connection), now, out);
                None
            }
            Frame::Cosign(number, note, from, proof, opening) => {
                self.cosign(connection, number, (note.to_vec(), from, proof, opening))
            }
            Frame::Shown(note) => self.shown(connection, &note),
            Frame::Prove(number, of, sizes) => {
                self.links.get(&connection).filter(|link| !link.standings.is_empty())?;
                let route = crate::machine::Route { connection, id: number };
                self.seats.get(&of).map(|seat| (*seat, Event::Prove { route, sizes }))
            }
            Frame::Proven(number, note, proofs) => {
                let waiting = self.take_waiting(connection, number, now.steady, out)?;
                Some((waiting.seat, Event::Proven(waiting.exchange, note.to_vec(), proofs)))
            }
            Frame::Cosigned(number, verdict) => {
                let waiting = self.take_waiting(connection, number, now.steady, out)?;
                Some((waiting.seat, Event::Cosigned(waiting.exchange, verdict, waiting.note)))
            }
        }
    }

    /// Triage of a request: everything that costs no public-key operation.
    fn request(&mut self, connection: u64, id: u64, bytes: &[u8], now: Now, out: &mut Vec<Effect>) {
        match self.prepare(connection, bytes, now) {
            Ok((seat, sealed)) => {
                if !self.is_settled(seat) {
                    reply(out, connection, &Frame::Busy(id, BUSY_MS));
                    return;
                }
                let sender = sealed.standing.party().clone();
                let opening = self.opening.entry(sender).or_insert(0);
                if *opening >= OPENING_PER_SENDER_MAX {
                    reply(out, connection, &Frame::Busy(id, BUSY_MS));
                    return;
                }
                *opening = opening.saturating_add(1);
                let route = crate::machine::Route { connection, id };
                out.push(Effect::Work(seat, Box::new(Work::Open { sealed: Box::new(sealed), route })));
            }
            Err(Drop::NotAdmitted) => {
                out.push(Effect::Dropped(Drop::NotAdmitted));
                reply(out, connection, &Frame::Sorry(id));
            }
            Err(reason) => self.fault(connection, reason, now.steady, out),
        }
    }

    fn prepare(&mut self, connection: u64, bytes: &[u8], now: Now) -> Result<(Seat, Sealed), Drop> {
        let envelope = Envelope::parse(bytes).map_err(|_error| Drop::MalformedEnvelope)?;
        let header = envelope.header();
        if header.network != self.gate.network() {
            return Err(Drop::OtherNetwork);
        }
        let seat = *self.seats.get(&header.recipient).ok_or(Drop::NobodyHere)?;
        let (standing, before) = self.standing(connection, &header.sender, now).ok_or(Drop::NotAdmitted)?;
        // A key that was retired, or one we have not heard of yet: the sender presents itself anew.
        let mut generations = std::iter::once(&standing).chain(&before);
        if !generations.any(|standing| standing.signing_key(header.signing_key).is_some()) {
            return Err(Drop::NotAdmitted);
        }
        let office = self.offices.get(&seat).ok_or(Drop::NobodyHere)?;
        let (suite, key) = office.keys.opener(&header.sealing_key, now.wall).ok_or(Drop::UnknownKey)?;
        if suite != header.suite || header.suite < self.gate.roster().suite_min {
            return Err(Drop::UnknownKey);
        }
        let opener = match self.remembered(&header.sender.clone(), header.context(), now.steady)? {
            Some(channel) => Opener::Channel(channel),
            None => Opener::Key(key),
        };
        Ok((seat, Sealed { envelope, standing, before, generation: self.gate.generation(), opener }))
    }

    fn standing(&self, connection: u64, sender: &PartyId, now: Now) -> Option<(Arc<Standing>, Option<Arc<Standing>>)> {
        if connection == crate::machine::Route::OWN {
            let office = self.offices.get(self.seats.get(sender)?)?;
            let credential = office.requester.identity().credential.as_deref();
            let own = self.gate.own(sender, credential, now.wall, self.primitives.as_ref());
            return own.map(|standing| (Arc::new(standing), None));
        }
        let admitted = self.links.get(&connection)?.standings.get(sender)?;
        Some((Arc::clone(&admitted.now), admitted.before.clone()))
    }

    /// The channel of an encapsulation seen before, counted against its bounds.
    fn remembered(&mut self, sender: &PartyId, name: Digest, now: Steady) -> Result<Option<Arc<dyn Channel>>, Drop> {
        let contexts = self.contexts.entry(sender.clone()).or_default();
        if let Some(context) = contexts.iter_mut().find(|context| context.name == name) {
            context.messages = context.messages.saturating_add(1);
            let is_worn = context.messages > limits::ENCAPSULATION_MESSAGES_MAX
                || now.since(context.since) > limits::ENCAPSULATION_LIFE;
            return if is_worn { Err(Drop::EncapsulationWornOut) } else { Ok(context.channel.clone()) };
        }
        if contexts.len() >= limits::CONTEXTS_PER_SENDER_MAX {
            contexts.pop_front();
        }
        contexts.push_back(Context { name, channel: None, since: now, messages: 1 });
        Ok(None)
    }

    fn answer(&mut self, connection: u64, id: u64, bytes: Vec<u8>, now: Steady, out: &mut Vec<Effect>) {
        let Some(waiting) = self.take_waiting(connection, id, now, out) else { return };
        let gate = Arc::clone(&self.gate);
        let pending = self.offices.get_mut(&waiting.seat).and_then(|office| {
            let pending = office.requester.pending(&waiting.exchange, &gate)?;
            Some((waiting.seat, Work::OpenAnswer { pending, bytes }))
        });
        match pending {
            Some((seat, work)) => out.push(Effect::Work(seat, Box::new(work))),
            None => out.push(Effect::Dropped(Drop::Unasked)),
        }
    }

    fn cosign(
        &self,
        connection: u64,
        number: u64,
        (note, from, proof, opening): (Vec<u8>, u64, Vec<Digest>, Option<minicbor::bytes::ByteVec>),
    ) -> Option<(Seat, Event)> {
        let link = self.links.get(&connection)?;
        let standings = link.standings.values().map(|admitted| Arc::clone(&admitted.now)).collect();
        let witness =
            self.offices.iter().find(|(_seat, office)| office.requester.identity().party.kind() == PartyKind::Witness);
        let route = crate::machine::Route { connection, id: number };
        witness.map(|(seat, _office)| (*seat, Event::Cosign { route, standings, note, from, proof, opening }))
    }

    fn done(&mut self, done: Done, now: Now, out: &mut Vec<Effect>) -> Option<(Seat, Event)> {
        match done {
            Done::Event(seat, event) => {
                if let Event::Answered(_exchange, Ok(accepted)) = &event {
                    self.hear(&accepted.body.responder, accepted.body.decided, now.steady);
                }
                Some((seat, event))
            }
            Done::Answers(answers) => {
                for (route, bytes) in answers {
                    if route.connection == crate::machine::Route::OWN {
                        self.answer(route.connection, route.id, bytes, now.steady, out);
                    } else {
                        send(out, route.connection, &Frame::Answer(route.id, bytes.into()));
                    }
                }
                None
            }
            Done::Opened(seat, opened, route) => {
                let sender = opened.verified.standing().party().clone();
                self.opened_one(&sender);
                self.hear(&sender, opened.verified.request().issued, now.steady);
                let (name, channel) = opened.channel;
                if let Some(contexts) = self.contexts.get_mut(&sender)
                    && let Some(context) = contexts.iter_mut().find(|context| context.name == name)
                {
                    context.channel = Some(channel);
                }
                if self.waits_for_news(route, opened.verified.request().roster, now.steady, out) {
                    return None;
                }
                Some((seat, Event::Request(Box::new(opened.verified), route)))
            }
            Done::Dropped(route, sender, unfit) => {
                self.opened_one(&sender);
                self.fault(route.connection, Drop::Unfit(unfit), now.steady, out);
                None
            }
            Done::Admitted(connection, number, result) => {
                self.admitted_on(connection, number, result, now, out);
                None
            }
        }
    }

    /// Hears an instant that somebody signed a moment ago. Whoever holds a credential is one of hundreds of
    /// thousands; only members that are no offices or hospitals speak on what the time is, each with one voice.
    fn hear(&mut self, party: &PartyId, signed: Timestamp, now: Steady) {
        let is_holder = matches!(party.kind(), PartyKind::Office | PartyKind::Hospital);
        if !is_holder && !self.seats.contains_key(party) && self.gate.roster().member(party).is_some() {
            self.wall.hear(party, signed, now);
        }
    }

    fn opened_one(&mut self, sender: &PartyId) {
        if let Some(opening) = self.opening.get_mut(sender) {
            *opening = opening.saturating_sub(1);
            if *opening == 0 {
                self.opening.remove(sender);
            }
        }
    }

    fn admitted_on(
        &mut self,
        connection: u64,
        number: u64,
        result: Result<Arc<Standing>, NotAdmitted>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let result = result.and_then(|standing| self.follows(standing, now.wall));
        if let Ok(standing) = &result {
            self.compare(connection, standing.named(), now.steady, out);
        }
        let Some(link) = self.links.get_mut(&connection) else { return };
        match result {
            Ok(standing) if link.standings.len() < STANDINGS_PER_LINK_MAX => {
                if link.standings.is_empty() && !link.outbound {
                    out.push(Effect::Admitted { connection });
                }
                let party = standing.party().clone();
                // What was signed before a renewal may still be under way.
                let before = link.standings.remove(&party).and_then(|admitted| {
                    let is_other = admitted.now.credential() != standing.credential();
                    if is_other { Some(admitted.now) } else { admitted.before }
                });
                link.standings.insert(party, Admitted { now: standing, before });
                send(out, connection, &Frame::Welcome(number));
            }
            Ok(_standing) => send(out, connection, &Frame::Sorry(number)),
            Err(reason) => {
                out.push(Effect::Dropped(Drop::NotBelieved(reason)));
                send(out, connection, &Frame::Sorry(number));
            }
        }
    }

    /// Counts a fault of the other end; three within a minute end the connection.
    fn fault(&mut self, connection: u64, reason: Drop, now: Steady, out: &mut Vec<Effect>) {
        out.push(Effect::Dropped(reason));
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.failures.retain(|at| now.since(*at) < limits::COST_WINDOW);
        link.failures.push_back(now);
        if link.failures.len() >= FAULTS_MAX {
            out.push(Effect::Close { connection });
        }
    }
}

/// What the host whose first seat is `seat` remembers of credentials.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn remembered_credentials(
    seat: Seat,
    store: &Store,
    now: Now,
    dice: &mut dyn CryptoRng,
) -> Result<Vec<Seen>, StoreError> {
    let mut staged = Staged::new();
    let batch = Batch::new(now, seat, store, &mut staged, dice)?;
    let from = Key::new(seat, table::SUCCESSION, &[]);
    let to = Key::new(seat, table::SUCCESSION.saturating_add(1), &[]);
    let mut seen = Vec::new();
    for (_key, row) in batch.range(&from, &to, SEEN_MAX)? {
        seen.extend(cbor::decode::<Seen>(&heard(&batch, &row)?));
    }
    Ok(seen)
}

/// What the host whose first seat is `seat` learnt before it stopped, in the order to learn it again.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn remembered_notices(
    seat: Seat,
    store: &Store,
    now: Now,
    dice: &mut dyn CryptoRng,
) -> Result<Vec<Notice>, StoreError> {
    let mut staged = Staged::new();
    let batch = Batch::new(now, seat, store, &mut staged, dice)?;
    let mut notices = Vec::new();
    for table in [table::ROSTER, table::PULSE, table::STATUS_LIST, table::STATEMENT, table::OPENING] {
        let from = Key::new(seat, table, &[]);
        let to = Key::new(seat, table.saturating_add(1), &[]);
        for (_key, row) in batch.range(&from, &to, limits::MEMBERS_MAX)? {
            notices.extend(cbor::decode::<Notice>(&heard(&batch, &row)?));
        }
    }
    Ok(notices)
}

/// Keeps what was heard of others. What is longer than a row stands in the roll, and the row says where; it is not
/// put there twice. Only an authority or an issuer can make something so long: nobody else fills the roll.
fn keep_heard(batch: &mut Batch<'_>, table: u8, rest: &[u8], bytes: Vec<u8>) -> Result<(), StoreError> {
    let key = batch.key(table, rest);
    if let Some(row) = batch.get(&key)?
        && heard(batch, &row)? == bytes
    {
        return Ok(());
    }
    let (place, rest) = if bytes.len() < limits::ROW_BYTES_MAX {
        (IN_ROW, bytes)
    } else {
        (IN_ROLL, batch.append(Roll::Details, bytes)?.to_bytes().to_vec())
    };
    batch.put(key, Some([&[place], rest.as_slice()].concat()))
}

/// What a row of [`keep_heard`] stands for.
fn heard(batch: &Batch<'_>, row: &[u8]) -> Result<Vec<u8>, StoreError> {
    let broken = || StoreError::Unreadable("what was heard");
    match row.split_first().ok_or_else(broken)? {
        (&IN_ROW, bytes) => Ok(bytes.to_vec()),
        (&IN_ROLL, position) => {
            let position = position.try_into().map_err(|_length| broken())?;
            batch.read(Roll::Details, Position::from_bytes(position))
        }
        _ => Err(broken()),
    }
}

/// The first byte of a row of [`keep_heard`]: what follows is the thing itself, or its place in the roll.
const IN_ROW: u8 = 0;
const IN_ROLL: u8 = 1;

/// The most standings one connection may gather.
const STANDINGS_PER_LINK_MAX: usize = 256;
/// The most requests of one sender in the hands of workers.
const OPENING_PER_SENDER_MAX: usize = 512;
/// The most frames waiting for an answer.
const WAITING_MAX: usize = 65_536;
/// What a busy node asks for, in milliseconds.
const BUSY_MS: u64 = 200;
/// How many faults within [`limits::COST_WINDOW`] end a connection.
const FAULTS_MAX: usize = 3;
/// How often a stranger may present itself, fetch or bring news within [`limits::COST_WINDOW`].
const ALLOWANCE_MAX: u32 = 64;
/// How often anybody may show heads, or ask for proofs and cosignatures, within [`limits::COST_WINDOW`].
const SHOWN_MAX: u32 = 1_024;

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
