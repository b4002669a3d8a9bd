//! The world: hosts with false disks, a clock that only events move, and a wire between them. The same
//! hosts, machines and journal as the node's; every delay and every die comes from one seed.

pub mod fate;
mod sight;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::code::service::ServiceKind;
use protocol::digest::Digest;
use protocol::disk::DiskError;
use protocol::gate::{Gate, Notice};
use protocol::host::{Effect, Host, Input};
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use protocol::machine::{Ask, AskId, Ending};
use protocol::primitives::Primitives;
use protocol::roster::Roster;
use protocol::store::{Seat, Store, StoreError};
use protocol::time::{Now, Span, Steady, Timestamp};

use self::fate::Asleep;
use self::wire::Parting;
use crate::disk::FalseDisk;
use crate::founding::{Founding, Plan};
use crate::index::FalseIndex;
use crate::passage::Tamper;
use crate::seed;

/// Something that happened, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, since the founding.
    pub at: Span,
    /// To whom, or who sent it.
    pub who: PartyId,
    /// To whom it was sent, if it is a frame.
    pub to: Option<PartyId>,
    /// What.
    pub what: String,
}

/// The world.
pub struct World {
    founding: Founding,
    primitives: Arc<dyn Primitives>,
    now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), (PartyId, Input)>,
    hosts: BTreeMap<PartyId, Place>,
    wires: BTreeMap<u64, (PartyId, PartyId)>,
    by_peer: BTreeMap<PublicKey, PartyId>,
    /// Whoever dialled each host.
    dialled: BTreeMap<PartyId, BTreeSet<PartyId>>,
    next_wire: u64,
    next_ask: u64,
    works: u64,
    /// Over everything that was sent, told or alarmed, in order.
    trace: Digest,
    endings: BTreeMap<AskId, (Span, Ending)>,
    imports: BTreeMap<AskId, Result<u64, String>>,
    alarms: Vec<(PartyId, &'static str)>,
    drops: Vec<(PartyId, protocol::host::Drop)>,
    /// When each host wants its next turn, and who waits for something: asked of a host after its turns only.
    due: BTreeSet<(u64, PartyId)>,
    due_at: BTreeMap<PartyId, u64>,
    /// Who took a turn since somebody asked.
    moved: BTreeSet<PartyId>,
    waiting: BTreeSet<PartyId>,
    /// Of a nation, whoever was not started yet, and the gate that everybody begins with.
    dormant: BTreeMap<PartyId, Vec<ServiceKind>>,
    common: Option<Arc<Gate>>,
    /// The wall clocks that are not the world's.
    clocks: BTreeMap<PartyId, Clock>,
    /// Hosts whose process does not run, though their machine does, and what came to them since.
    paused: BTreeMap<PartyId, Vec<Input>>,
    destroyed: Vec<(PartyId, protocol::key::KeyId)>,
    asleep: BTreeMap<PartyId, Asleep>,
    /// Hosts whose power fails amid one of their next writes.
    doomed: BTreeSet<PartyId>,
    /// Hosts whose disk is as good as full, and those of them whose process ended of it since somebody asked.
    cramped: BTreeSet<PartyId>,
    filled: Vec<PartyId>,
    /// Hosts whose store failed of itself, each with how, if that is borne and does not end the run.
    failed: Option<Vec<(PartyId, String)>>,
    tamper: Option<Tamper>,
    /// Who cannot reach whom.
    partings: Vec<Parting>,
    /// Frames lost at a parting.
    cut_off: u64,
    /// Everything that happened, if somebody wants to read it.
    happenings: Option<Vec<Happening>>,
    /// What the issuers revoked last, and the number of that list.
    revoked: (Vec<u64>, u64),
}

/// One host and what is under it.
struct Place {
    host: Host,
    store: Store,
    disk: FalseDisk,
    index: FalseIndex,
    services: Vec<ServiceKind>,
    /// When its statement or credential was issued.
    issued: Timestamp,
}

/// A wall clock beside the world's.
#[derive(Clone, Copy)]
struct Clock {
    /// How far it was off when it was set.
    off_ms: i64,
    /// How much too fast it runs since.
    drift_ppm: i64,
    set_at: u64,
}

/// How long a frame is under way, in milliseconds.
const WIRE_MS: u64 = 5;
/// How long a piece of work takes.
const WORK_MS: u64 = 1;
/// How long a commit takes.
const COMMIT_MS: u64 = 1;
/// A journal longer than this, and than so many bytes for each row of the index, is made a book of.
const JOURNAL_BYTES: u64 = 64 << 10;
/// See [`JOURNAL_BYTES`].
const JOURNAL_PER_ROW_BYTES: u64 = 256;
/// The room of a false disk, in bytes.
const DISK_BYTES: u64 = 1 << 30;
/// The one seat of every simulated host.
pub const SEAT: Seat = Seat::new(1);

impl World {
    /// Founds the plan's network and starts every organisation as a host of its own.
    ///
    /// # Errors
    /// [`StoreError`] if a store cannot be opened.
    pub fn new(
        seed: u64,
        plan: &Plan,
        suite: protocol::primitives::Suite,
        primitives: Arc<dyn Primitives>,
    ) -> Result<Self, StoreError> {
        let began = Timestamp::from_unix_ms(1_793_000_000_000);
        let founding = Founding::new(seed, plan, suite, Arc::clone(&primitives), began);
        let mut world = Self {
            founding,
            primitives,
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            hosts: BTreeMap::new(),
            wires: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            dialled: BTreeMap::new(),
            next_wire: 1,
            next_ask: 1,
            works: 0,
            trace: Digest::of(b"tsunagi trace"),
            endings: BTreeMap::new(),
            imports: BTreeMap::new(),
            alarms: Vec::new(),
            drops: Vec::new(),
            due: BTreeSet::new(),
            due_at: BTreeMap::new(),
            moved: BTreeSet::new(),
            dormant: BTreeMap::new(),
            common: None,
            waiting: BTreeSet::new(),
            clocks: BTreeMap::new(),
            paused: BTreeMap::new(),
            destroyed: Vec::new(),
            asleep: BTreeMap::new(),
            doomed: BTreeSet::new(),
            cramped: BTreeSet::new(),
            filled: Vec::new(),
            failed: None,
            tamper: None,
            partings: Vec::new(),
            cut_off: 0,
            happenings: None,
            revoked: (Vec::new(), 1),
        };
        let is_known = |party: &PartyId| plan.members.contains(party);
        let gate = world.founding.informed_gate(world.wall(), &is_known).map(Arc::new);
        let Some(gate) = gate else { return Ok(world) };
        let members = plan.members.iter().map(|party| (party.clone(), Vec::new()));
        if plan.is_nation {
            world.common = Some(Arc::clone(&gate));
            world.dormant = plan.holders.iter().cloned().collect();
            for (party, services) in members {
                world.begin(&party, services, &gate)?;
            }
        } else {
            for (party, services) in members.chain(plan.holders.iter().cloned()) {
                world.begin(&party, services, &gate)?;
            }
        }
        world.run();
        Ok(world)
    }

    /// Starts a host of a nation that was not started yet; whether it was not.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn rouse(&mut self, party: &PartyId) -> Result<bool, StoreError> {
        match (self.common.clone(), self.dormant.remove(party)) {
            (Some(gate), Some(services)) => self.begin(party, services, &gate).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Who took a turn since this was last asked.
    pub fn take_moved(&mut self) -> BTreeSet<PartyId> {
        core::mem::take(&mut self.moved)
    }

    /// Whether a host runs.
    pub fn runs(&self, party: &PartyId) -> bool {
        self.hosts.contains_key(party)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now { wall: self.wall(), steady: Steady::from_ms(self.now) }
    }

    /// Both clocks of a host.
    pub fn now_of(&self, party: &PartyId) -> Now {
        let off_ms = self.clocks.get(party).map_or(0, |clock| clock.off_ms(self.now));
        let wall = Timestamp::from_unix_ms(self.wall().unix_ms().saturating_add_signed(off_ms));
        Now { wall, ..self.now() }
    }

    /// Sets a host's wall clock that many seconds off the world's.
    pub fn set_clock(&mut self, party: &PartyId, off_s: i64) {
        let off_ms = off_s.saturating_mul(1000);
        self.clocks.insert(party.clone(), Clock { off_ms, drift_ppm: 0, set_at: self.now });
    }

    /// From now on a host's wall clock runs too fast by so many millionths, or too slow.
    pub fn let_drift(&mut self, party: &PartyId, drift_ppm: i64) {
        self.clocks.insert(party.clone(), Clock { off_ms: 0, drift_ppm, set_at: self.now });
    }

    /// A host's process stands still; what comes to it waits.
    pub fn pause(&mut self, party: &PartyId) {
        if self.hosts.contains_key(party) {
            self.paused.entry(party.clone()).or_default();
            self.note_deadline(party);
        }
    }

    /// It goes on, with everything that came meanwhile.
    pub fn resume(&mut self, party: &PartyId) {
        let Some(waiting) = self.paused.remove(party) else { return };
        waiting.into_iter().for_each(|input| self.push(0, party, input));
        self.note_deadline(party);
    }

    /// Whether a host's process stands still.
    pub fn is_paused(&self, party: &PartyId) -> bool {
        self.paused.contains_key(party)
    }

    /// How far a host relies on its wall clock.
    pub fn reliance(&mut self, party: &PartyId) -> Option<protocol::wall::Reliance> {
        let now = self.now_of(party);
        self.hosts.get_mut(party).map(|place| place.host.reliance(now))
    }

    /// From now on everything that happens is kept to be read.
    pub fn listen(&mut self) {
        self.happenings.get_or_insert_default();
    }

    /// What happened since somebody listened.
    pub fn happenings(&self) -> &[Happening] {
        self.happenings.as_deref().unwrap_or_default()
    }

    fn happen(&mut self, who: &PartyId, to: Option<&PartyId>, what: impl FnOnce() -> String) {
        let at = self.passed();
        if let Some(happenings) = &mut self.happenings {
            happenings.push(Happening { at, who: who.clone(), to: to.cloned(), what: what() });
        }
    }

    /// Something that somebody did, beside what a host says of itself.
    pub fn remark(&mut self, who: &PartyId, what: &str) {
        self.happen(who, None, || what.to_owned());
    }

    /// Publishes pulse and status list anew, with every credential revoked that these holders ever had. What was revoked
    /// before stays so.
    pub fn revoke(&mut self, parties: &[PartyId], number: u64) {
        let mut serials = self.revoked.0.clone();
        serials.extend(parties.iter().flat_map(|party| self.founding.serials(party)));
        serials.sort_unstable();
        serials.dedup();
        self.tell_everyone(&serials, number);
        self.run();
    }

    /// The number of the newest status lists.
    pub const fn edition(&self) -> u64 {
        self.revoked.1
    }

    /// Hands a signed object to some only.
    pub fn tell(&mut self, parties: &[PartyId], notice: &Notice) {
        for party in parties {
            self.push(0, party, Input::Notice(notice.clone()));
        }
        self.run();
    }

    /// Whom a host believes.
    pub fn gate(&self, party: &PartyId) -> Option<Arc<Gate>> {
        self.hosts.get(party).map(|place| Arc::clone(place.host.gate()))
    }

    /// The signing key a host uses.
    pub fn signs_with(&self, party: &PartyId) -> Option<PublicKey> {
        Some(self.hosts.get(party)?.host.identity(SEAT)?.signing_public)
    }

    /// Authority, issuers and all keys.
    pub const fn founding_mut(&mut self) -> &mut Founding {
        &mut self.founding
    }

    /// The authority signs the next roster, made by `edit` of the newest; nobody is told yet.
    pub fn next_roster(&mut self, edit: &dyn Fn(&mut Roster)) {
        self.founding.next_roster(self.wall(), edit);
    }

    /// Feeds a municipality import lines.
    pub fn import(&mut self, to: &PartyId, lines: &str) -> Option<Result<u64, String>> {
        let id = self.ask_id();
        self.push(0, to, Input::Import(SEAT, id, lines.as_bytes().to_vec()));
        self.run();
        self.imports.remove(&id)
    }

    /// Asks, and moves on until nothing is left to happen: how the ask ended, if it did.
    pub fn ask(&mut self, who: &PartyId, ask: Ask) -> Option<Ending> {
        let id = self.ask_id();
        self.push(0, who, Input::Ask(SEAT, id, ask));
        self.run();
        self.ending(id)
    }

    /// Puts an input before a host, as the outside could.
    pub fn push_now(&mut self, to: &PartyId, input: Input) {
        self.push(0, to, input);
    }

    /// Moves on until nothing but far deadlines is left, or `ASK_LIMIT` has passed twice.
    pub fn run(&mut self) {
        let end = self.now.saturating_add(2 * protocol::limits::ASK_LIMIT.ms());
        while self.step(end) {}
    }

    /// Lets time pass, and what is under way come to its end.
    pub fn wait(&mut self, span: Span) {
        self.pass(span);
        self.run();
    }

    /// Lets time pass, and leaves off in the middle of whatever is under way.
    pub fn pass(&mut self, span: Span) {
        let end = self.now.saturating_add(span.ms());
        while self.step_until(end) {}
        self.now = end;
    }

    /// One digest of everything that was sent, told, dropped or alarmed so far, and when: two runs with the same
    /// digest are the same run.
    pub const fn trace(&self) -> Digest {
        self.trace
    }

    /// Turns of hosts and pieces of work so far.
    pub const fn events(&self) -> u64 {
        self.works
    }

    /// Time that passed since the founding.
    pub const fn passed(&self) -> Span {
        Span::from_ms(self.now)
    }

    /// Alarms so far.
    pub fn alarms(&self) -> &[(PartyId, &'static str)] {
        &self.alarms
    }

    /// Frames dropped so far.
    pub fn drops(&self) -> &[(PartyId, protocol::host::Drop)] {
        &self.drops
    }

    /// An issuer's host is told of a credential it issued; the number of its leaf.
    pub fn issued(&mut self, issuer: &PartyId, credential: Vec<u8>) -> Option<Result<u64, String>> {
        let id = self.ask_id();
        self.push(0, issuer, Input::Issued(SEAT, id, credential));
        self.run();
        self.imports.remove(&id)
    }

    /// Everybody gets what would run out: pulse, lists, statements and credentials, under the next `number`. Whoever is
    /// revoked stays so.
    pub fn renew_all(&mut self, number: u64) {
        let revoked = self.revoked.0.clone();
        self.tell_everyone(&revoked, number);
        let wall = self.wall();
        let hosts: Vec<_> = self.hosts.iter().map(|(party, place)| (party.clone(), place.services.clone())).collect();
        for (party, services) in hosts {
            if let Some(statement) = self.founding.statement(&party, wall) {
                self.push(0, &party, Input::Statement(SEAT, statement.clone()));
                self.notice_everyone(&Notice::Statement(statement.into()));
            } else if let Some(credential) = self.founding.credential(&party, &services, wall) {
                self.push(0, &party, Input::Credential(SEAT, credential));
            }
            if let Some(place) = self.hosts.get_mut(&party) {
                place.issued = wall;
            }
        }
        self.run();
    }

    /// A member signs its statement anew; an office or hospital is given a credential anew.
    pub fn renew(&mut self, party: &PartyId) {
        let wall = self.wall();
        let services = self.hosts.get(party).map(|place| place.services.clone()).unwrap_or_default();
        let statement = self.founding.statement(party, wall).map(|bytes| Input::Statement(SEAT, bytes));
        let renewed = statement.or_else(|| {
            let bytes = self.founding.credential(party, &services, wall)?;
            Some(Input::Credential(SEAT, bytes))
        });
        if let Some(renewed) = renewed {
            self.push(0, party, renewed);
        }
    }

    /// A host makes a fresh sealing key and says so.
    pub fn rotate_sealing(&mut self, party: &PartyId) {
        if let Some(key) = self.founding.rotate_sealing(party) {
            self.push(0, party, Input::Hold(SEAT, self.founding.suite(), key));
            self.renew(party);
        }
    }

    /// Sealing keys that hosts let go of so far.
    pub fn destroyed(&self) -> &[(PartyId, protocol::key::KeyId)] {
        &self.destroyed
    }

    /// Lets time pass in which nobody does anything.
    pub const fn sleep(&mut self, span: Span) {
        self.now = self.now.saturating_add(span.ms());
    }

    /// Asks without waiting for the end; [`World::ending`] has it later.
    pub fn begin_ask(&mut self, who: &PartyId, ask: Ask) -> AskId {
        self.begin_ask_in(Span::ZERO, who, ask)
    }

    /// The same, after a while.
    pub fn begin_ask_in(&mut self, span: Span, who: &PartyId, ask: Ask) -> AskId {
        let id = self.ask_id();
        self.push(span.ms(), who, Input::Ask(SEAT, id, ask));
        id
    }

    /// Feeds a municipality import lines without waiting for the end; [`World::imported`] has it later.
    pub fn begin_import(&mut self, to: &PartyId, lines: &str) -> AskId {
        let id = self.ask_id();
        self.push(0, to, Input::Import(SEAT, id, lines.as_bytes().to_vec()));
        id
    }

    /// How an import ended, once.
    pub fn imported(&mut self, import: AskId) -> Option<Result<u64, String>> {
        self.imports.remove(&import)
    }

    /// How an ask ended, once.
    pub fn ending(&mut self, ask: AskId) -> Option<Ending> {
        self.ending_at(ask).map(|(_at, ending)| ending)
    }

    /// The same, and when, since the founding.
    pub fn ending_at(&mut self, ask: AskId) -> Option<(Span, Ending)> {
        self.endings.remove(&ask)
    }

    fn tell_everyone(&mut self, revoked: &[u64], number: u64) {
        self.revoked = (revoked.to_vec(), number);
        for notice in self.founding.notices(self.wall(), revoked, number) {
            self.notice_everyone(&notice);
        }
    }

    /// What the authority and the issuers tell whoever asks.
    fn published(&self) -> Vec<Notice> {
        self.founding.notices(self.wall(), &self.revoked.0, self.revoked.1)
    }

    fn notice_everyone(&mut self, notice: &Notice) {
        let parties: Vec<_> = self.hosts.keys().cloned().collect();
        for party in parties {
            self.push(0, &party, Input::Notice(notice.clone()));
        }
    }

    fn wall(&self) -> Timestamp {
        self.founding.began().plus(Span::from_ms(self.now))
    }

    fn ask_id(&mut self) -> AskId {
        self.next_ask = self.next_ask.saturating_add(1);
        AskId(self.next_ask)
    }

    fn push(&mut self, after_ms: u64, to: &PartyId, input: Input) {
        self.order = self.order.saturating_add(1);
        self.queue.insert((self.now.saturating_add(after_ms), self.order), (to.clone(), input));
    }

    /// One instant, if there is anything to happen that somebody waits for.
    fn step(&mut self, end: u64) -> bool {
        if !self.waiting.is_empty() {
            return self.step_until(end);
        }
        // Nobody waits for a deadline: only what is under way keeps the world going.
        match self.queue.first_key_value() {
            Some(((at, _order), _input)) if *at <= end => self.instant(*at),
            _ => false,
        }
    }

    fn step_until(&mut self, end: u64) -> bool {
        let queued = self.queue.first_key_value().map(|((at, _order), _input)| *at);
        let due = self.due.first().map(|(at, _party)| *at);
        match queued.into_iter().chain(due).min() {
            Some(at) if at <= end => self.instant(at.max(self.now)),
            _ => false,
        }
    }

    fn instant(&mut self, at: u64) -> bool {
        self.now = self.now.max(at);
        let now = self.now();
        let mut inputs: BTreeMap<PartyId, Vec<Input>> = BTreeMap::new();
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (to, input) = entry.remove();
            inputs.entry(to).or_default().push(input);
        }
        for (_at, party) in self.due.iter().take_while(|(at, _party)| *at <= now.steady.ms()) {
            inputs.entry(party.clone()).or_default();
        }
        for (party, inputs) in inputs {
            if let Some(waiting) = self.paused.get_mut(&party) {
                waiting.extend(inputs);
                continue;
            }
            let now = self.now_of(&party);
            self.turn(&party, inputs, now);
            self.note_deadline(&party);
        }
        true
    }

    fn note_deadline(&mut self, party: &PartyId) {
        if let Some(at) = self.due_at.remove(party) {
            self.due.remove(&(at, party.clone()));
        }
        self.waiting.remove(party);
        let Some(place) = self.hosts.get(party).filter(|_place| !self.paused.contains_key(party)) else { return };
        if let Some(at) = place.host.deadline() {
            self.due.insert((at.ms(), party.clone()));
            self.due_at.insert(party.clone(), at.ms());
        }
        if place.host.waits() {
            self.waiting.insert(party.clone());
        }
    }

    fn turn(&mut self, party: &PartyId, inputs: Vec<Input>, now: Now) {
        let Some(place) = self.hosts.get_mut(party) else { return };
        self.moved.insert(party.clone());
        let mut effects = Vec::new();
        let events: Vec<_> =
            inputs.into_iter().filter_map(|input| place.host.receive(input, now, &mut effects)).collect();
        self.works = self.works.saturating_add(1);
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} turn {}", self.works));
        let turned = place.host.turn(events, &mut place.store, now, &mut dice);
        let turned = turned.and_then(|effects| place.tidy().map(|()| effects));
        if turned.is_err() && self.doomed.contains(party) {
            self.lose_power(party);
            return;
        }
        if self.cramped.contains(party)
            && matches!(turned, Err(StoreError::Disk(DiskError::Full) | StoreError::Fatal(DiskError::Full)))
        {
            self.happen(party, None, || "ended, its disk full".to_owned());
            self.record("full", party, &[]);
            self.filled.push(party.clone());
            self.stop(party);
            return;
        }
        if let (Err(error), Some(failed)) = (&turned, &mut self.failed) {
            failed.push((party.clone(), format!("its store failed: {error}")));
            self.record("failed", party, &[]);
            self.stop(party);
            return;
        }
        assert!(turned.is_ok(), "the store of {party} failed: {:?}", turned.as_ref().err());
        for effect in effects {
            self.perform(party, effect, 0, now);
        }
        for effect in turned.unwrap_or_default() {
            self.perform(party, effect, COMMIT_MS, now);
        }
    }

    fn record(&mut self, what: &str, who: &PartyId, bytes: &[u8]) {
        let at = self.now.to_be_bytes();
        let who = who.to_string();
        self.trace = Digest::of_parts(&[self.trace.as_bytes(), &at, what.as_bytes(), who.as_bytes(), bytes]);
    }

    fn perform(&mut self, party: &PartyId, effect: Effect, after_ms: u64, now: Now) {
        match effect {
            Effect::Work(seat, work) => {
                self.works = self.works.saturating_add(1);
                let mut dice = seed::stream(self.founding.seed(), &format!("{party} work {}", self.works));
                let done = work.perform(seat, now, &mut dice, self.primitives.as_ref());
                self.push(after_ms.saturating_add(WORK_MS), party, Input::Done(done));
            }
            Effect::Send { connection, bytes } => self.send(party, connection, bytes, after_ms),
            Effect::Dial { peer, .. } => self.dial(party, peer, after_ms),
            Effect::Close { connection } => self.close(connection),
            Effect::Tell(id, ending) => {
                self.happen(party, None, || match ending.as_ref() {
                    Ending::Answered(answered) => {
                        format!(
                            "told: answered by {}, its leaf {}, own leaf {}",
                            answered.responder, answered.leaf, answered.own_leaf
                        )
                    }
                    Ending::Failed(failure) => format!("told: {failure}"),
                });
                match ending.as_ref() {
                    Ending::Answered(answered) => {
                        let parts = [id.0.to_be_bytes().as_slice(), &answered.body, &answered.evidence].concat();
                        self.record("tell", party, &parts);
                    }
                    Ending::Failed(_) => self.record("tell", party, format!("{} {ending:?}", id.0).as_bytes()),
                }
                self.endings.insert(id, (self.passed(), *ending));
            }
            Effect::Imported(id, result) => {
                self.imports.insert(id, result);
            }
            Effect::Alarm(what) => {
                self.happen(party, None, || format!("alarm: {what}"));
                self.record("alarm", party, what.as_bytes());
                self.alarms.push((party.clone(), what));
            }
            Effect::Dropped(reason) => {
                self.happen(party, None, || format!("turned a frame away: {reason:?}"));
                self.record("drop", party, format!("{reason:?}").as_bytes());
                self.drops.push((party.clone(), reason));
            }
            Effect::Destroyed(_seat, key) => self.destroyed.push((party.clone(), key)),
            Effect::Count(_) | Effect::Admitted { .. } | Effect::Estranged { .. } => {}
        }
    }

    /// The cryptography of the world.
    pub fn primitives(&self) -> &dyn Primitives {
        self.primitives.as_ref()
    }

    /// The network the world runs.
    pub const fn founding(&self) -> &Founding {
        &self.founding
    }
}

impl Place {
    /// Makes a book of a journal that has become long beside what is kept.
    fn tidy(&mut self) -> Result<(), StoreError> {
        let long = self.store.index_rows().saturating_mul(JOURNAL_PER_ROW_BYTES).max(JOURNAL_BYTES);
        if self.store.uncovered_bytes() > long { self.store.snapshot() } else { Ok(()) }
    }
}

impl Clock {
    fn off_ms(self, now: u64) -> i64 {
        let run_ms = i64::try_from(now.saturating_sub(self.set_at)).unwrap_or(i64::MAX);
        self.off_ms.saturating_add(run_ms.saturating_mul(self.drift_ppm) / 1_000_000)
    }
}

/// What a signed note claims.
pub fn claimed(note: &[u8]) -> Option<Checkpoint> {
    SignedCheckpoint::parse(note).ok()?.claim().ok()
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World").field("now", &self.now).field("hosts", &self.hosts.len()).finish_non_exhaustive()
    }
}
