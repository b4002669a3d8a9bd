//! The world: hosts with false disks, a clock that only events move, and a wire between them. The same
//! hosts, machines and journal as the node's; every delay and every die comes from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::access_log;
use protocol::access_log::note::{self, Noted};
use protocol::batch::Batch;
use protocol::digest::Digest;
use protocol::disk::{Disk, DiskError};
use protocol::host::{Effect, Host, Input, Office};
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use protocol::ledger::leaf::Leaf;
use protocol::machine::{Ask, AskId, Ending};
use protocol::primitives::{Primitives, Secret};
use protocol::store::staged::Staged;
use protocol::store::{Seat, Store, StoreError, StoreSecret};
use protocol::time::{Now, Span, Steady, Timestamp};
use rand_core::Rng;

use crate::disk::{FalseDisk, Fault};
use crate::founding::{Founding, Plan};
use crate::index::FalseIndex;
use crate::passage::{self, Delivery, Passage, Tamper};
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
    waiting: BTreeSet<PartyId>,
    /// How far the wall clocks of some hosts are from the world's, in milliseconds.
    clocks: BTreeMap<PartyId, i64>,
    destroyed: Vec<(PartyId, protocol::key::KeyId)>,
    asleep: BTreeMap<PartyId, Asleep>,
    /// Hosts whose power fails amid one of their next writes.
    doomed: BTreeSet<PartyId>,
    /// Hosts whose disk is as good as full, and those of them whose process ended of it since somebody asked.
    cramped: BTreeSet<PartyId>,
    filled: Vec<PartyId>,
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

/// What became of an attempt to start a host from files in which somebody changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edited {
    /// It does not start: the change was found.
    Found,
    /// It starts with every leaf and the same head.
    Harmless,
    /// It starts and has another history.
    Believed,
}

/// Some hosts that the others cannot reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Those hosts; they reach each other.
    pub some: BTreeSet<PartyId>,
    /// Whether what the others say does reach them.
    pub hears: bool,
}

/// One host and what is under it.
struct Place {
    host: Host,
    store: Store,
    disk: FalseDisk,
    index: FalseIndex,
    services: Vec<protocol::code::service::ServiceKind>,
    /// When its statement or credential was issued.
    issued: Timestamp,
}

/// What lies on the disk of a host at one moment: a backup.
#[derive(Debug)]
pub struct Image {
    disk: FalseDisk,
    index: FalseIndex,
}

/// What is left of a host that does not run.
struct Asleep {
    disk: FalseDisk,
    index: FalseIndex,
    services: Vec<protocol::code::service::ServiceKind>,
    issued: Timestamp,
}

/// How long a frame is under way, in milliseconds.
const WIRE_MS: u64 = 5;
/// How long whoever dials waits for a host that does not answer.
const DIAL_MS: u64 = 5_000;
/// How long a piece of work takes.
const WORK_MS: u64 = 1;
/// How long a commit takes.
const COMMIT_MS: u64 = 1;
/// The room of a false disk, in bytes.
const DISK_BYTES: u64 = 1 << 30;
/// The one seat of every simulated host.
const SEAT: Seat = Seat::new(1);

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
            waiting: BTreeSet::new(),
            clocks: BTreeMap::new(),
            destroyed: Vec::new(),
            asleep: BTreeMap::new(),
            doomed: BTreeSet::new(),
            cramped: BTreeSet::new(),
            filled: Vec::new(),
            tamper: None,
            partings: Vec::new(),
            cut_off: 0,
            happenings: None,
            revoked: (Vec::new(), 1),
        };
        let members = plan.members.iter().map(|party| (party.clone(), Vec::new()));
        let everyone: Vec<_> = members.chain(plan.holders.iter().cloned()).collect();
        for (party, services) in everyone {
            let issued = world.wall();
            world.start(&party, services, issued, FalseDisk::new(DISK_BYTES), FalseIndex::new())?;
        }
        world.tell_everyone(&[], 1);
        for party in plan.members.clone() {
            if let Some(bytes) = world.founding.statement(&party, world.wall()) {
                world.notice_everyone(&protocol::gate::Notice::Statement(bytes.into()));
            }
        }
        world.run();
        Ok(world)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now { wall: self.wall(), steady: Steady::from_ms(self.now) }
    }

    /// Both clocks of a host.
    pub fn now_of(&self, party: &PartyId) -> Now {
        let off_ms = self.clocks.get(party).copied().unwrap_or(0);
        let wall = Timestamp::from_unix_ms(self.wall().unix_ms().saturating_add_signed(off_ms));
        Now { wall, ..self.now() }
    }

    /// Sets a host's wall clock that many seconds off the world's.
    pub fn set_clock(&mut self, party: &PartyId, off_s: i64) {
        self.clocks.insert(party.clone(), off_s.saturating_mul(1000));
    }

    /// How far a host relies on its wall clock.
    pub fn reliance(&mut self, party: &PartyId) -> Option<protocol::wall::Reliance> {
        let now = self.now_of(party);
        self.hosts.get_mut(party).map(|place| place.host.reliance(now))
    }

    /// Lets frames be held up, changed, repeated or lost.
    pub fn tamper(&mut self, tamper: Option<Tamper>) {
        self.tamper = tamper;
    }

    /// From now on these hosts do not reach each other, and no others.
    pub fn part_hosts(&mut self, partings: Vec<Parting>) {
        self.partings = partings;
    }

    /// Frames so far that were lost as one host could not reach the other.
    pub const fn cut_off(&self) -> u64 {
        self.cut_off
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

    /// Publishes pulse and status list anew, with these holders' credentials revoked.
    pub fn revoke(&mut self, parties: &[PartyId], number: u64) {
        let mut serials: Vec<_> = parties.iter().filter_map(|party| self.founding.serial(party)).collect();
        serials.sort_unstable();
        self.tell_everyone(&serials, number);
        self.run();
    }

    /// The number of the newest status lists.
    pub const fn edition(&self) -> u64 {
        self.revoked.1
    }

    /// Hands a signed object to some only.
    pub fn tell(&mut self, parties: &[PartyId], notice: &protocol::gate::Notice) {
        for party in parties {
            self.push(0, party, Input::Notice(notice.clone()));
        }
        self.run();
    }

    /// Whom a host believes.
    pub fn gate(&self, party: &PartyId) -> Option<Arc<protocol::gate::Gate>> {
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

    /// Feeds a municipality import lines.
    pub fn import(&mut self, to: &PartyId, lines: &str) -> Option<Result<u64, String>> {
        let id = self.ask_id();
        self.push(0, to, Input::Import(SEAT, id, lines.as_bytes().to_vec()));
        self.run();
        self.imports.remove(&id)
    }

    /// Registers in the directory where a handle's home is, as the insurer would.
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

    /// How many leaves a host's ledger has.
    pub fn ledger_size(&self, party: &PartyId) -> u64 {
        self.hosts.get(party).and_then(|place| place.store.head(SEAT)).map_or(0, |head| head.size)
    }

    /// The host's newest signed head.
    pub fn head(&self, party: &PartyId) -> Option<Vec<u8>> {
        let head = self.hosts.get(party)?.store.head(SEAT)?;
        Some(head.note.as_bytes().to_vec())
    }

    /// The root of the host's newest signed head.
    pub fn root(&self, party: &PartyId) -> Option<Digest> {
        Some(self.hosts.get(party)?.store.head(SEAT)?.root)
    }

    /// What the host's newest signed head says.
    pub fn stands(&self, party: &PartyId) -> Option<Checkpoint> {
        claimed(self.hosts.get(party)?.store.head(SEAT)?.note.as_bytes())
    }

    /// What became of it if somebody flipped a bit in one of a host's files, and started it from there.
    pub fn edit(&self, party: &PartyId, dice: &mut dyn Rng) -> Option<Edited> {
        let place = self.hosts.get(party)?;
        let (disk, index) = (place.disk.copy(), place.index.copy());
        let files: Vec<_> = disk.list().ok()?.into_iter().filter(|(_file, bytes)| *bytes > 0).collect();
        let (file, bytes) = seed::pick(dice, &files)?;
        disk.flip(file, seed::below(dice, bytes.saturating_mul(8)));
        // The index is made from the files; without it each of them is read.
        index.lose();
        let Ok((_office, store)) = self.open(party, &place.services, place.issued, &disk, &index) else {
            return Some(Edited::Found);
        };
        let head = |store: &Store| store.head(SEAT).map(|head| head.note.as_bytes().to_vec());
        let is_same = head(&store) == head(&place.store) && self.leaves_of(&store) == self.leaves(party);
        Some(if is_same { Edited::Harmless } else { Edited::Believed })
    }

    /// Everybody who has a host that runs.
    pub fn parties(&self) -> Vec<PartyId> {
        self.hosts.keys().cloned().collect()
    }

    /// The leaves of a host's open epoch.
    pub fn leaves(&self, party: &PartyId) -> Vec<Leaf> {
        self.hosts.get(party).map(|place| self.leaves_of(&place.store)).unwrap_or_default()
    }

    /// How many leaves a host wrote in all epochs before the open one.
    pub fn epoch_begins(&self, party: &PartyId) -> u64 {
        self.look(party, |batch| batch.epoch_begins())
    }

    fn leaves_of(&self, store: &Store) -> Vec<Leaf> {
        self.see(store, |batch| {
            let leaves = batch.epoch_begins()..batch.ledger_size();
            leaves.filter_map(|leaf| batch.leaf(leaf).ok()).map(|(leaf, _place)| leaf).collect()
        })
    }

    /// The requests of `asker` that a host answered, each with its leaf in the open epoch.
    pub fn answered(&self, party: &PartyId, asker: &PartyId) -> Vec<(Digest, u64)> {
        let from = (Timestamp::from_unix_ms(0), 0);
        let touched =
            self.look(party, |batch| access_log::of_party(batch, asker, from, usize::MAX).unwrap_or_default());
        let details = touched.into_iter().filter_map(|touched| Some((touched.detail?, touched.leaf)));
        let answered = details.filter(|(detail, _leaf)| detail.decision.refusal.is_none());
        answered.map(|(detail, leaf)| (detail.request, leaf)).collect()
    }

    /// What a host noted in its ledger of its own accord, through all epochs.
    pub fn notes(&self, party: &PartyId) -> Vec<Noted> {
        self.look(party, |batch| note::from(batch, 0, usize::MAX).unwrap_or_default())
    }

    fn look<T: Default>(&self, party: &PartyId, see: impl Fn(&Batch<'_>) -> T) -> T {
        self.hosts.get(party).map(|place| self.see(&place.store, see)).unwrap_or_default()
    }

    fn see<T: Default>(&self, store: &Store, see: impl Fn(&Batch<'_>) -> T) -> T {
        let mut staged = Staged::new();
        let mut dice = seed::stream(self.founding.seed(), "a look");
        let batch = Batch::new(self.now(), SEAT, store, &mut staged, &mut dice);
        batch.map_or_else(|_error| T::default(), |batch| see(&batch))
    }

    /// Changes what lies on a host's disk, as another hand could.
    pub fn stage(&mut self, party: &PartyId, act: impl FnOnce(&mut Batch<'_>)) {
        let now = self.now();
        self.order = self.order.saturating_add(1);
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} staged {}", self.order));
        let Some(place) = self.hosts.get_mut(party) else { return };
        let mut staged = Staged::new();
        if let Ok(mut batch) = Batch::new(now, SEAT, &place.store, &mut staged, &mut dice) {
            act(&mut batch);
        }
        let committed = place.store.commit(staged);
        assert!(committed.is_ok(), "the store of {party} failed: {:?}", committed.err());
    }

    /// An issuer's host is told of a credential it issued; the number of its leaf.
    pub fn issued(&mut self, issuer: &PartyId, credential: Vec<u8>) -> Option<Result<u64, String>> {
        let id = self.ask_id();
        self.push(0, issuer, Input::Issued(SEAT, id, credential));
        self.run();
        self.imports.remove(&id)
    }

    /// The newest head of a host that a witness cosigned, as the host keeps it.
    pub fn cosigned(&mut self, party: &PartyId, witness: &PartyId) -> Option<Vec<u8>> {
        let now = self.now();
        let place = self.hosts.get(party)?;
        let mut staged = Staged::new();
        let mut dice = seed::stream(self.founding.seed(), "a look");
        let batch = Batch::new(now, SEAT, &place.store, &mut staged, &mut dice).ok()?;
        batch.get(&protocol::cosigning::cosigned_key(SEAT, witness)).ok()?
    }

    /// How many exchanges of its own a host keeps over a restart: those that have not ended.
    pub fn open_asks(&self, party: &PartyId) -> usize {
        self.rows(party, protocol::table::ASK).len()
    }

    /// Everything a host keeps in rows, key and value.
    pub fn everything(&self, party: &PartyId) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.range(party, 0, u8::MAX)
    }

    /// The rows of a host's table.
    pub fn rows(&self, party: &PartyId, table: u8) -> Vec<Vec<u8>> {
        let rows = self.range(party, table, table.saturating_add(1));
        rows.into_iter().map(|(_key, value)| value).collect()
    }

    /// The rows of a host's tables, from the first to before the last.
    fn range(&self, party: &PartyId, first: u8, end: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.look(party, |batch| {
            let rows = batch.range(&batch.key(first, &[]), &batch.key(end, &[]), usize::MAX).unwrap_or_default();
            rows.into_iter().map(|(key, value)| (key.rest().to_vec(), value)).collect()
        })
    }

    /// A host dies with what was not synced, and starts again on what is left.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn crash(&mut self, party: &PartyId) -> Result<(), StoreError> {
        self.crash_for(party, Span::ZERO)
    }

    /// The same, with time between.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn crash_for(&mut self, party: &PartyId, span: Span) -> Result<(), StoreError> {
        let Some(place) = self.kill(party) else { return Ok(()) };
        place.disk.crash(&mut seed::stream(self.founding.seed(), &format!("crash {}", self.order)));
        place.disk.revive();
        self.pass(span);
        self.start(party, place.services, place.issued, place.disk, place.index)?;
        self.greet(party);
        Ok(())
    }

    /// The power of a host fails amid a write that is so many away; it stays off until [`World::wake`].
    pub fn doom(&mut self, party: &PartyId, calls: u64) {
        if let Some(place) = self.hosts.get(party) {
            place.disk.set_fault(place.disk.calls().saturating_add(calls), Fault::DieAmid);
            self.doomed.insert(party.clone());
        }
    }

    /// The power of a host fails now, whatever it does.
    pub fn lose_power(&mut self, party: &PartyId) {
        self.doomed.remove(party);
        let Some(Place { disk, index, services, issued, .. }) = self.kill(party) else { return };
        disk.clear_fault();
        disk.crash(&mut seed::stream(self.founding.seed(), &format!("fall {}", self.order)));
        self.happen(party, None, || "lost its power".to_owned());
        self.record("fall", party, &[]);
        self.asleep.insert(party.clone(), Asleep { disk, index, services, issued });
    }

    /// A host's disk has so many bytes left; its process ends when they do not suffice.
    pub fn cramp(&mut self, party: &PartyId, room_bytes: u64) {
        if let Some(place) = self.hosts.get(party) {
            place.disk.fill_up(room_bytes);
            self.cramped.insert(party.clone());
        }
    }

    /// There is room again on a host's disk.
    pub fn make_room(&mut self, party: &PartyId) {
        self.cramped.remove(party);
        let running = self.hosts.get(party).map(|place| &place.disk);
        if let Some(disk) = running.or_else(|| self.asleep.get(party).map(|asleep| &asleep.disk)) {
            disk.fill_up(DISK_BYTES);
        }
    }

    /// Whether a host's disk is as good as full.
    pub fn is_cramped(&self, party: &PartyId) -> bool {
        self.cramped.contains(party)
    }

    /// Whose process ended on a full disk since this was last asked.
    pub fn take_filled(&mut self) -> Vec<PartyId> {
        core::mem::take(&mut self.filled)
    }

    /// The index of a host that does not run is lost.
    pub fn lose_index(&self, party: &PartyId) {
        if let Some(asleep) = self.asleep.get(party) {
            asleep.index.lose();
        }
    }

    /// A backup of a host, taken while it runs.
    pub fn image(&self, party: &PartyId) -> Option<Image> {
        let place = self.hosts.get(party)?;
        Some(Image { disk: place.disk.copy(), index: place.index.copy() })
    }

    /// A host dies and is started again from a backup, with time between.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn restore(&mut self, party: &PartyId, image: &Image) -> Result<(), StoreError> {
        let Some(place) = self.kill(party) else { return Ok(()) };
        let (services, issued) = (place.services.clone(), place.issued);
        drop(place);
        self.start(party, services, issued, image.disk.copy(), image.index.copy())?;
        self.greet(party);
        Ok(())
    }

    /// A host that is not there is started from what lay on its disk.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn revive(&mut self, party: &PartyId, image: &Image) -> Result<(), StoreError> {
        let wall = self.wall();
        self.start(party, Vec::new(), wall, image.disk.copy(), image.index.copy())?;
        self.greet(party);
        Ok(())
    }

    /// What keeps a host from writing, if anything does.
    pub fn unsettled(&self, party: &PartyId) -> Option<&'static str> {
        self.hosts.get(party)?.host.unsettled()
    }

    /// The heads under which receipts of `who` stand and which no quorum cosigned yet.
    pub fn unwitnessed(&self, who: &PartyId) -> Vec<protocol::receipts::Unwitnessed> {
        let rows = self.rows(who, protocol::table::UNWITNESSED);
        rows.iter().filter_map(|row| protocol::cbor::decode(row).ok()).collect()
    }

    /// Everybody gets what would run out: pulse, lists, statements and credentials, under the next `number`.
    pub fn renew_all(&mut self, number: u64) {
        self.tell_everyone(&[], number);
        let wall = self.wall();
        let hosts: Vec<_> = self.hosts.iter().map(|(party, place)| (party.clone(), place.services.clone())).collect();
        for (party, services) in hosts {
            if let Some(statement) = self.founding.statement(&party, wall) {
                self.push(0, &party, Input::Statement(SEAT, statement.clone()));
                self.notice_everyone(&protocol::gate::Notice::Statement(statement.into()));
            } else if let Some(credential) = self.founding.credential(&party, &services, wall) {
                self.push(0, &party, Input::Credential(SEAT, credential));
            }
            if let Some(place) = self.hosts.get_mut(&party) {
                place.issued = wall;
            }
        }
        self.run();
    }

    /// What the authority and issuers would tell a host that was away.
    fn greet(&mut self, party: &PartyId) {
        for notice in self.published() {
            self.push(0, party, Input::Notice(notice));
        }
        self.run();
    }

    /// A host stops.
    pub fn stop(&mut self, party: &PartyId) {
        if let Some(Place { disk, index, services, issued, .. }) = self.kill(party) {
            self.asleep.insert(party.clone(), Asleep { disk, index, services, issued });
        }
    }

    /// A host that stopped starts again with what it knew, and meets the others anew.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn start_again(&mut self, party: &PartyId, meets: &PartyId) -> Result<(), StoreError> {
        let Some(asleep) = self.asleep.remove(party) else { return Ok(()) };
        self.start(party, asleep.services, asleep.issued, asleep.disk, asleep.index)?;
        if let Some(peer) = self.founding.keys(meets).and_then(|keys| keys.transport.first()).copied() {
            self.push(0, party, Input::Meet { peer, addresses: Vec::new() });
        }
        self.run();
        Ok(())
    }

    /// A host that stopped starts again with what it knew and hears what the authority publishes.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn wake(&mut self, party: &PartyId) -> Result<(), StoreError> {
        let Some(asleep) = self.asleep.remove(party) else { return Ok(()) };
        self.start(party, asleep.services, asleep.issued, asleep.disk, asleep.index)?;
        for notice in self.published() {
            self.push(0, party, Input::Notice(notice));
        }
        Ok(())
    }

    fn kill(&mut self, party: &PartyId) -> Option<Place> {
        let place = self.hosts.remove(party)?;
        self.note_deadline(party);
        let cut: Vec<_> =
            self.wires.iter().filter(|(_wire, (a, b))| a == party || b == party).map(|(wire, _ends)| *wire).collect();
        for wire in cut {
            if let Some((a, b)) = self.wires.remove(&wire) {
                let other = if a == *party { b } else { a };
                self.part(wire, &other);
            }
        }
        self.queue.retain(|_at, (to, _input)| to != party);
        self.by_peer.retain(|_peer, owner| owner != party);
        Some(place)
    }

    /// The other end hears that a wire is gone, or, if it was not open there yet, that nobody is there: what was
    /// never opened is not closed.
    fn part(&mut self, wire: u64, other: &PartyId) {
        let is_opening = |to: &PartyId, input: &Input| {
            to == other && matches!(input, Input::Opened { connection, .. } if *connection == wire)
        };
        let opening = self.queue.iter().find(|(_at, (to, input))| is_opening(to, input)).map(|(at, _input)| *at);
        match opening.and_then(|at| self.queue.remove(&at)) {
            Some((_to, Input::Opened { peer, outbound: true, .. })) => {
                self.push(WIRE_MS, other, Input::Unreachable { peer });
            }
            Some(_) => {}
            None => self.push(WIRE_MS, other, Input::Closed { connection: wire }),
        }
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
        let id = self.ask_id();
        self.push(0, who, Input::Ask(SEAT, id, ask));
        id
    }

    /// How an ask ended, once.
    pub fn ending(&mut self, ask: AskId) -> Option<Ending> {
        self.ending_at(ask).map(|(_at, ending)| ending)
    }

    /// The same, and when, since the founding.
    pub fn ending_at(&mut self, ask: AskId) -> Option<(Span, Ending)> {
        self.endings.remove(&ask)
    }

    fn start(
        &mut self,
        party: &PartyId,
        services: Vec<protocol::code::service::ServiceKind>,
        issued: Timestamp,
        disk: FalseDisk,
        index: FalseIndex,
    ) -> Result<(), StoreError> {
        let now = self.now();
        // What is still valid is in use again after a restart: a request names its credential.
        let issued = if now.wall.since(issued) < protocol::limits::CREDENTIAL_LIFE { issued } else { now.wall };
        let (mut office, mut store) = self.open(party, &services, issued, &disk, &index)?;
        let Some(gate) = self.founding.gate() else { return Ok(()) };
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} resume {}", self.order));
        let mut staged = Staged::new();
        office.requester.resume(&gate, &mut Batch::new(now, SEAT, &store, &mut staged, &mut dice)?)?;
        store.commit(staged)?;
        let mut host = Host::new(gate, Arc::clone(&self.primitives), BTreeMap::from([(SEAT, office)]));
        if let Some(peer) = self.founding.keys(party).and_then(|keys| keys.transport.first()) {
            self.by_peer.insert(*peer, party.clone());
        }
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} start {}", self.order));
        let notices = protocol::host::heard::remembered_notices(SEAT, &store, now, &mut dice)?;
        host.recall(protocol::host::heard::remembered_credentials(SEAT, &store, now, &mut dice)?, now.wall);
        self.hosts.insert(party.clone(), Place { host, store, disk, index, services, issued });
        self.note_deadline(party);
        for notice in notices {
            self.push(0, party, Input::Notice(notice));
        }
        Ok(())
    }

    /// What a host is, and the store on its files.
    fn open(
        &self,
        party: &PartyId,
        services: &[protocol::code::service::ServiceKind],
        issued: Timestamp,
        disk: &FalseDisk,
        index: &FalseIndex,
    ) -> Result<(Office, Store), StoreError> {
        let founded = self.founding.office(SEAT, party, services, issued, self.now().steady);
        assert!(founded.is_some(), "not founded: {party}");
        let (office, signer) = founded.unwrap_or_else(|| unreachable!());
        let secret =
            StoreSecret::derive(&Secret::random(&mut seed::stream(self.founding.seed(), &format!("{party} store"))));
        let doors = (Box::new(disk.clone()), Box::new(index.clone()));
        let (store, _opened) = Store::open(doors.0, doors.1, &secret, vec![signer], Arc::clone(&self.primitives))?;
        Ok((office, store))
    }

    fn tell_everyone(&mut self, revoked: &[u64], number: u64) {
        self.revoked = (revoked.to_vec(), number);
        for notice in self.founding.notices(self.wall(), revoked, number) {
            self.notice_everyone(&notice);
        }
    }

    /// What the authority and the issuers tell whoever asks.
    fn published(&self) -> Vec<protocol::gate::Notice> {
        self.founding.notices(self.wall(), &self.revoked.0, self.revoked.1)
    }

    fn notice_everyone(&mut self, notice: &protocol::gate::Notice) {
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
        if let Some(((at, _order), _input)) = self.queue.first_key_value() {
            return *at <= end && self.instant(*at);
        }
        // Nothing under way: only asks that wait for a deadline keep the world going.
        match self.due.first() {
            Some((at, _party)) if !self.waiting.is_empty() && *at <= end => self.instant((*at).max(self.now)),
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
        let Some(place) = self.hosts.get(party) else { return };
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
        let mut effects = Vec::new();
        let events: Vec<_> =
            inputs.into_iter().filter_map(|input| place.host.receive(input, now, &mut effects)).collect();
        self.works = self.works.saturating_add(1);
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} turn {}", self.works));
        let turned = place.host.turn(events, &mut place.store, now, &mut dice);
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

    fn send(&mut self, from: &PartyId, connection: u64, bytes: Vec<u8>, after_ms: u64) {
        let Some((a, b)) = self.wires.get(&connection).cloned() else { return };
        let to = if a == *from { b } else { a };
        self.record("send", from, &bytes);
        if !self.reaches(from, &to) {
            self.happen(from, Some(&to), || format!("{}, cut off", passage::described(&bytes)));
            self.cut_off = self.cut_off.saturating_add(1);
            return;
        }
        let passage = Passage { from: from.clone(), to: to.clone(), bytes };
        let deliveries = match &mut self.tamper {
            Some(tamper) => tamper(&passage),
            None => vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }],
        };
        self.happen(from, Some(&to), || passage::fate(&passage.bytes, &deliveries));
        for delivery in deliveries {
            let after = after_ms.saturating_add(WIRE_MS).saturating_add(delivery.delay.ms());
            self.push(after, &to, Input::Frame { connection, bytes: delivery.bytes });
        }
    }

    fn dial(&mut self, from: &PartyId, peer: PublicKey, after_ms: u64) {
        let own = self.founding.keys(from).and_then(|keys| keys.transport.first()).copied();
        let (Some(to), Some(own)) = (self.by_peer.get(&peer).cloned(), own) else {
            self.push(after_ms, from, Input::Unreachable { peer });
            return;
        };
        if !self.hosts.contains_key(&to) {
            self.push(after_ms.saturating_add(WIRE_MS), from, Input::Unreachable { peer });
            return;
        }
        if !self.reaches(from, &to) || !self.reaches(&to, from) {
            self.push(after_ms.saturating_add(DIAL_MS), from, Input::Unreachable { peer });
            return;
        }
        let wire = self.next_wire;
        self.next_wire = wire.saturating_add(1);
        self.wires.insert(wire, (from.clone(), to.clone()));
        let after = after_ms.saturating_add(WIRE_MS);
        self.push(after, &to, Input::Opened { connection: wire, peer: own, outbound: false });
        self.push(after, from, Input::Opened { connection: wire, peer, outbound: true });
    }

    fn reaches(&self, from: &PartyId, to: &PartyId) -> bool {
        self.partings.iter().all(|parting| match (parting.some.contains(from), parting.some.contains(to)) {
            (true, false) => false,
            (false, true) => parting.hears,
            (true, true) | (false, false) => true,
        })
    }

    /// Cuts a wire.
    pub fn cut(&mut self, wire: u64) {
        self.close(wire);
        self.run();
    }

    fn close(&mut self, connection: u64) {
        if let Some((a, b)) = self.wires.remove(&connection) {
            self.push(0, &a, Input::Closed { connection });
            self.push(0, &b, Input::Closed { connection });
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

    /// The wire between two hosts, if there is one.
    pub fn wire(&self, a: &PartyId, b: &PartyId) -> Option<u64> {
        let joins = |ends: &(PartyId, PartyId)| (ends.0 == *a && ends.1 == *b) || (ends.0 == *b && ends.1 == *a);
        self.wires.iter().find(|(_wire, ends)| joins(ends)).map(|(wire, _ends)| *wire)
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
