//! The store (保管庫): journal first, everything else afterwards and repairable from it.
//!
//! A commit is one journal record, appended and synced once; rolls and index are written behind it and
//! mended from it when the store is opened. A root is signed only after it was computed from the same
//! bytes, and a [`Receipt`] has no other maker than a [`Committed`]. Damage is found and reported, never
//! served. After any error in a commit the store takes no more: the process stops and opens it again.

pub(crate) mod held;
pub mod look;
pub mod name;
pub(crate) mod recent;
pub mod scrub;
pub mod snapshot;
pub mod staged;
pub(crate) mod state;
pub(crate) mod tally;

pub(crate) mod nodes;
pub mod opening;
pub mod roll;
mod writing;

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use held::Held;
use minicbor::{Decode, Encode};
use name::Kind;
use nodes::{Growth, Memory, View};
use opening::Base;
use scrub::Scrub;
use snapshot::Snapshot;
use staged::Staged;
use state::{Append, Change, State};
use tally::CHECK_BYTES;

use crate::book::Book;
use crate::digest::Digest;
use crate::disk::{Disk, DiskError, FileName};
use crate::index::{Changes, Index, IndexError, Row};
use crate::journal::Journal;
use crate::key::PublicKey;
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::leaf::Leaf;
use crate::ledger::origin::Origin;
use crate::ledger::tree;
use crate::limits::ROWS_PER_APPLY_MAX;
use crate::primitives::{self, Primitives, Secret, SigningKey};
use crate::vault::Vault;

/// One organisation's machine in this process (席): its keys, its ledger, its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Seat(#[n(0)] u8);

/// The key of a row: seat ‖ table ‖ rest. Ordered as its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<u8>);

/// A family of append-only files; each seat has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Roll {
    /// Entries of the ledger: the leaf and the place of its detail.
    #[n(0)]
    Leaves,
    /// Hashes of the ledger's tree in stored order.
    #[n(1)]
    Nodes,
    /// Versions of records.
    #[n(2)]
    Records,
    /// What leaves commit to.
    #[n(3)]
    Details,
}

/// Where an entry stands in its roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Position {
    /// Offset of the first byte.
    #[n(0)]
    pub offset: u64,
    /// Length in bytes, the checksum not counted.
    #[n(1)]
    pub len: u32,
}

/// Who signs for a seat.
#[derive(Debug)]
pub struct Signer {
    /// The seat.
    pub seat: Seat,
    /// The ledger it keeps.
    pub origin: Origin,
    /// Its log key.
    pub log_secret: Secret,
}

/// What the store seals with.
#[derive(Clone, Debug)]
pub struct StoreSecret {
    journal: Secret,
    vault: Secret,
    book: Secret,
}

/// The place of a leaf in a seat's ledger, or in the ledger as it will be after the commit. Leaves are
/// numbered through all epochs of the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    seat: Seat,
    index: u64,
}

/// A signed state of a seat's ledger.
#[derive(Clone, Debug)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Digest,
    /// The signed note over both.
    pub note: Arc<SignedCheckpoint>,
}

/// Proof that a commit is durable; made by [`Store::commit`] alone.
#[derive(Debug)]
pub struct Committed {
    heads: BTreeMap<Seat, Head>,
    /// What the commit put behind rolls of leaves.
    leaves: Vec<Append>,
    /// How the heads follow from what askers named, once it was found out: many name the same.
    grown: RefCell<BTreeMap<(Seat, u64), Vec<Digest>>>,
}

/// Proof that a leaf is in a ledger (受領証); made by [`Committed::receipt`] alone.
#[derive(Clone, Debug)]
pub struct Receipt {
    leaf: Vec<u8>,
    index: u64,
    inclusion: Vec<Digest>,
    checkpoint: Arc<SignedCheckpoint>,
    consistency: Vec<Digest>,
}

/// Why the store does not go on. Each is a fault of this node, never an outcome for an asker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A file does not hold what was written.
    #[error("the file {file} is damaged at {at}")]
    Damaged {
        /// Which file.
        file: FileName,
        /// Offset in bytes of what cannot be read.
        at: u64,
    },
    /// The persons' keys are kept apart from ordinary backups, and were not put back.
    #[error(
        "鍵庫 vault.keys がありません。別に保管した控えから戻して起動してください / the key file vault.keys is missing; put it \
         back from where it is kept apart"
    )]
    KeysMissing,
    /// The disk failed while nothing was being committed.
    #[error(transparent)]
    Disk(DiskError),
    /// The disk failed inside a commit: what is durable is known only after opening again.
    #[error("inside a commit, {0}")]
    Fatal(DiskError),
    /// The index failed or lost something; opening again rebuilds it.
    #[error(transparent)]
    Index(IndexError),
    /// The store stopped after an earlier error.
    #[error("the store has stopped")]
    Stopped,
    /// Something was committed since this was staged.
    #[error("staged on an earlier commit")]
    Stale,
    /// Above a bound of keys, values or entries.
    #[error("too long to be stored")]
    TooLong,
    /// A seat that is not served here, or not the machine's own, or a roll it may not write.
    #[error("not this seat's")]
    Foreign,
    /// There is no such leaf or entry.
    #[error("no such entry")]
    Unknown,
    /// A value is not what its table holds: ours, so a damage or a mistake of ours.
    #[error("a value of {0} cannot be read")]
    Unreadable(&'static str),
}

/// The one place where everything a process keeps is written and read.
pub struct Store {
    disk: Box<dyn Disk>,
    index: Held,
    journal: Journal,
    vault: Vault,
    state: State,
    ledgers: BTreeMap<Seat, Ledger>,
    secret: StoreSecret,
    primitives: Arc<dyn Primitives>,
    /// What the newest book covers, and that book.
    base: Base,
    book: Option<Book>,
    snapshot: Option<Snapshot>,
    scrub: Option<Scrub>,
    stopped: bool,
}

/// A seat that is served.
struct Ledger {
    origin: Origin,
    log: Box<dyn SigningKey>,
    /// The public halves of every log key its keeper is known to have used, that one among them.
    logs: BTreeSet<[u8; 32]>,
    memory: Memory,
    head: Head,
}

impl Store {
    /// The sequence number of the last commit; 0 before the first.
    pub const fn sequence(&self) -> u64 {
        self.journal.link().sequence
    }

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn room(&self) -> Result<u64, StoreError> {
        self.disk.room().map_err(StoreError::Disk)
    }

    /// Rows of the index as of the last commit.
    pub const fn index_rows(&self) -> u64 {
        self.state.index.rows()
    }

    /// The name of the ledger a seat keeps: its open epoch.
    pub fn origin(&self, seat: Seat) -> Option<&Origin> {
        self.ledgers.get(&seat).map(|ledger| &ledger.origin)
    }

    /// Whether the seat is one of those the store was opened for.
    pub fn serves(&self, seat: Seat) -> bool {
        self.ledgers.contains_key(&seat)
    }

    /// The last signed state of a seat's ledger.
    pub fn head(&self, seat: Seat) -> Option<&Head> {
        self.ledgers.get(&seat).map(|ledger| &ledger.head)
    }

    /// Signs a seat's heads with another log key from now on, the newest at once. Its root stays the one that was
    /// computed from the disk.
    pub fn sign_with(&mut self, seat: Seat, log: Box<dyn SigningKey>) {
        let Some(ledger) = self.ledgers.get_mut(&seat).filter(|ledger| ledger.log.public() != log.public()) else {
            return;
        };
        ledger.head = sign(&ledger.origin, log.as_ref(), ledger.head.size, ledger.head.root);
        ledger.logs.insert(log.public());
        ledger.log = log;
    }

    /// Takes note of log keys that a seat's heads may have been signed with, though they are retired.
    pub fn know_logs<'k>(&mut self, seat: Seat, logs: impl Iterator<Item = &'k PublicKey>) {
        if let Some(ledger) = self.ledgers.get_mut(&seat) {
            ledger.logs.extend(logs.map(|log| *log.as_bytes()));
        }
    }

    /// Makes everything staged durable with one append and one sync, then writes rolls and index and
    /// signs the new heads. Nothing staged: nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] if the disk fails; after any error the store refuses everything further and the
    /// process stops.
    pub fn commit(&mut self, staged: Staged) -> Result<Committed, StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        let mut leaves = Vec::new();
        if !staged.is_empty() {
            let written = self.write(staged);
            self.stopped = written.is_err();
            leaves = written?;
        }
        let heads = self.ledgers.iter().map(|(seat, ledger)| (*seat, ledger.head.clone())).collect();
        Ok(Committed { heads, leaves, grown: RefCell::default() })
    }

    /// Hands the index every row it does not have yet, so that opening again has nothing to apply.
    ///
    /// # Errors
    /// [`StoreError::Index`] if the index fails; the store stops.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        let settled = self.index.settle().map_err(StoreError::Index);
        self.stopped = settled.is_err();
        settled
    }

    /// From now on about `rows_max` changed rows wait in memory before the index gets them
    /// ([`crate::limits::HELD_ROWS_MAX`] unless told); with 0 none does.
    pub const fn hold(&mut self, rows_max: usize) {
        self.index.hold(rows_max);
    }
}

/// What batches read.
impl Store {
    /// How a seat's newest head follows from an earlier size of the same ledger; empty for 0 and for sizes
    /// it never had.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn consistency(&self, seat: Seat, from: u64) -> Result<Vec<Digest>, StoreError> {
        let size = self.head(seat).ok_or(StoreError::Foreign)?.size;
        self.consistency_to(seat, from, size)
    }

    /// The same to an earlier size.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn consistency_to(&self, seat: Seat, from: u64, size: u64) -> Result<Vec<Digest>, StoreError> {
        let Some(ledger) = self.ledgers.get(&seat) else { return Err(StoreError::Foreign) };
        if from == 0 || from > size || size > ledger.head.size {
            return Ok(Vec::new());
        }
        let view = View { disk: self.disk.as_ref(), seat, memory: &ledger.memory, fresh: &[] };
        tree::consistency(from, size, &view)
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn roll_len(&self, seat: Seat, of: Roll) -> u64 {
        self.state.seat(seat).len(of)
    }

    /// Leaves of a seat in all its epochs.
    pub(crate) fn ledger_size(&self, seat: Seat) -> u64 {
        self.state.seat(seat).leaves()
    }

    /// Leaves of a seat before its open epoch.
    pub(crate) fn epoch_begins(&self, seat: Seat) -> u64 {
        self.state.seat(seat).begins
    }

    /// The root that a seat's open epoch had at an earlier size.
    pub(crate) fn root_at(&self, seat: Seat, size: u64) -> Result<Digest, StoreError> {
        let ledger = self.ledgers.get(&seat).ok_or(StoreError::Foreign)?;
        if size > ledger.head.size {
            return Err(StoreError::Unknown);
        }
        tree::root(size, &View { disk: self.disk.as_ref(), seat, memory: &ledger.memory, fresh: &[] })
    }

    /// Whether a note was signed with a log key of a seat, the one in use or a retired one.
    pub(crate) fn is_signed_here(&self, seat: Seat, note: &SignedCheckpoint) -> bool {
        let (Some(ledger), Ok(claimed)) = (self.ledgers.get(&seat), note.claim()) else { return false };
        let mut logs = ledger.logs.iter();
        logs.any(|log| note.verify(self.primitives.as_ref(), &claimed.origin, log).is_ok())
    }

    /// The signed head that a seat's open epoch had at an earlier size: the same bytes as then.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] for a size it never had, or those of the disk.
    pub fn note_at(&self, seat: Seat, size: u64) -> Result<SignedCheckpoint, StoreError> {
        let root = self.root_at(seat, size)?;
        let ledger = self.ledgers.get(&seat).ok_or(StoreError::Foreign)?;
        Ok(Checkpoint { origin: ledger.origin.clone(), size, root }.sign_with(ledger.log.as_ref()))
    }

    pub(crate) fn read(&self, seat: Seat, from: Roll, position: Position) -> Result<Vec<u8>, StoreError> {
        roll::read(self.disk.as_ref(), seat, from, position)
    }

    pub(crate) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.index.get(key).map_err(StoreError::Index)?;
        Ok(stored.map(|stored| checked_row(key, stored)).transpose()?.map(|(value, _digest)| value))
    }

    pub(crate) fn rows(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, StoreError> {
        let stored = self.index.range(from, to, rows_max).map_err(StoreError::Index)?;
        stored.into_iter().map(|(key, value)| checked_row(&key, value).map(|(value, _digest)| (key, value))).collect()
    }

    pub(crate) fn leaf(&self, seat: Seat, index: u64) -> Result<(Leaf, Position), StoreError> {
        let file = name::of(Kind::Roll(seat, Roll::Leaves));
        let at = roll::leaf_offset(index);
        let stored =
            self.disk.read(&file, at, roll::LEAF_ENTRY_BYTES).map_err(|error| StoreError::of_read(&file, at, error))?;
        roll::parse_leaf_entry(&stored, seat, at).ok_or_else(|| StoreError::damaged(&file, at))
    }
}

impl Committed {
    /// The signed state of a seat's ledger right after this commit.
    pub fn head(&self, seat: Seat) -> Option<&Head> {
        self.heads.get(&seat)
    }

    /// The seats whose ledgers the commit made longer.
    pub fn grown(&self) -> impl Iterator<Item = Seat> {
        self.leaves.iter().map(|append| append.seat)
    }

    /// The receipt of a leaf of this commit or of an earlier one, with a proof that the ledger of
    /// `named_size` leaves (the last the asker verified) is its beginning; that proof is empty if nothing was
    /// named, or a size that is not below the head's.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such leaf, [`StoreError::Damaged`] if the leaf or its proofs do not
    /// lead to the signed root.
    pub fn receipt(&self, store: &Store, entry: &Entry, named_size: Option<u64>) -> Result<Receipt, StoreError> {
        let seat = entry.seat;
        let index = entry.index.checked_sub(store.epoch_begins(seat)).ok_or(StoreError::Unknown)?;
        let head = self.heads.get(&seat).filter(|head| index < head.size).ok_or(StoreError::Unknown)?;
        let ledger = store.ledgers.get(&seat).ok_or(StoreError::Foreign)?;
        let damaged = || StoreError::damaged(&name::of(Kind::Roll(seat, Roll::Nodes)), 0);
        let view = View { disk: store.disk.as_ref(), seat, memory: &ledger.memory, fresh: &[] };

        let leaf = match self.leaf(seat, entry.index) {
            Some(leaf) => leaf,
            None => store.leaf(seat, entry.index)?.0,
        };
        let leaf = leaf.to_bytes();
        let inclusion = tree::inclusion(index, head.size, &view)?;
        if !tree::check_inclusion(tree::leaf_hash(&leaf), index, head.size, head.root, &inclusion) {
            return Err(damaged());
        }
        let consistency = match named_size.filter(|from| (1..head.size).contains(from)) {
            Some(from) => self.growth(seat, from, head, &view)?,
            None => Vec::new(),
        };
        Ok(Receipt { leaf, index, inclusion, checkpoint: Arc::clone(&head.note), consistency })
    }

    /// A leaf of this very commit.
    fn leaf(&self, seat: Seat, index: u64) -> Option<Leaf> {
        let at = roll::leaf_offset(index);
        let append = self.leaves.iter().find(|append| append.seat == seat)?;
        let begin = usize::try_from(at.checked_sub(append.offset)?).ok()?;
        let stored = append.bytes.get(begin..begin.checked_add(roll::LEAF_ENTRY_BYTES)?)?;
        roll::parse_leaf_entry(stored, seat, at).map(|(leaf, _detail)| leaf)
    }

    /// The checked proof that the first `from` leaves are the beginning of `head`.
    fn growth(&self, seat: Seat, from: u64, head: &Head, view: &View<'_>) -> Result<Vec<Digest>, StoreError> {
        if let Some(known) = self.grown.borrow().get(&(seat, from)) {
            return Ok(known.clone());
        }
        let proof = tree::consistency(from, head.size, view)?;
        let old = tree::root(from, view)?;
        if !tree::check_consistency((from, old), (head.size, head.root), &proof) {
            return Err(StoreError::damaged(&name::of(Kind::Roll(seat, Roll::Nodes)), 0));
        }
        self.grown.borrow_mut().insert((seat, from), proof.clone());
        Ok(proof)
    }
}

impl Receipt {
    /// The leaf, as its bytes.
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// Its number.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The proof that it is under the checkpoint's root.
    pub fn inclusion(&self) -> &[Digest] {
        &self.inclusion
    }

    /// The signed checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The proof that the ledger the asker named is the beginning of this one; may be empty.
    pub fn consistency(&self) -> &[Digest] {
        &self.consistency
    }
}

impl Ledger {
    /// A ledger whose hashes are all on the disk, its head signed.
    fn new(signer: Signer, memory: Memory, size: u64, root: Digest, primitives: &dyn Primitives) -> Self {
        let Signer { seat: _, origin, log_secret } = signer;
        let log = primitives.signing_key(&log_secret);
        let head = sign(&origin, log.as_ref(), size, root);
        Self { origin, logs: BTreeSet::from([log.public()]), log, memory, head }
    }

    /// Begins the tree of a new epoch, whose hashes come at offset `base` of their roll.
    fn reopen(&mut self, epoch: u32, base: u64) {
        self.origin = self.origin.of_epoch(epoch);
        self.memory = Memory::begin(base);
    }

    fn take(&mut self, growth: Growth) {
        self.head = sign(&self.origin, self.log.as_ref(), growth.size, growth.root);
        self.memory.take(growth);
    }
}

fn sign(origin: &Origin, log: &dyn SigningKey, size: u64, root: Digest) -> Head {
    let note = Checkpoint { origin: origin.clone(), size, root }.sign_with(log);
    Head { size, root, note: Arc::new(note) }
}

/// Hands changes to the index in pieces; only the last carries the new position.
fn apply(
    index: &mut dyn Index,
    changes: Vec<Change>,
    checks: Vec<[u8; CHECK_BYTES]>,
    base: u64,
    sequence: u64,
) -> Result<(), IndexError> {
    let mut piece = Changes::new();
    for (change, check) in changes.into_iter().zip(checks) {
        if piece.len() >= ROWS_PER_APPLY_MAX {
            index.apply(&piece, base)?;
            piece.clear();
        }
        let (key, value) = stored_change(change, check);
        piece.insert(key, value);
    }
    index.apply(&piece, sequence)
}

/// A changed row as the index keeps it: its checksum behind its value.
fn stored_change(change: Change, check: [u8; CHECK_BYTES]) -> (Vec<u8>, Option<Vec<u8>>) {
    let value = change.value.map(|value| {
        let mut stored = Vec::from(value);
        stored.extend_from_slice(&check);
        stored
    });
    (change.key.into(), value)
}

/// Takes the checksum off a row's value; beside it the digest it was held against.
fn checked_row(key: &[u8], mut stored: Vec<u8>) -> Result<(Vec<u8>, Digest), StoreError> {
    let len = stored.len().saturating_sub(CHECK_BYTES);
    let (value, check) = stored.split_at_checked(len).unwrap_or_default();
    let digest = tally::row(key, value);
    if tally::check(digest) != check {
        return Err(StoreError::Index(IndexError("a row is damaged".to_owned())));
    }
    stored.truncate(len);
    Ok((stored, digest))
}

impl Seat {
    /// Seat number `number`.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Key {
    /// The key `rest` in a table of a seat.
    pub fn new(seat: Seat, table: u8, rest: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(rest.len().saturating_add(2));
        bytes.extend_from_slice(&[seat.0, table]);
        bytes.extend_from_slice(rest);
        Self(bytes)
    }

    /// The first key behind this one.
    pub fn after(&self) -> Self {
        let mut bytes = self.0.clone();
        bytes.push(0);
        Self(bytes)
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Whose row it is.
    pub fn seat(&self) -> Seat {
        Seat(self.0.first().copied().unwrap_or_default())
    }

    /// The table.
    pub fn table(&self) -> u8 {
        self.0.get(1).copied().unwrap_or_default()
    }

    /// What follows seat and table.
    pub fn rest(&self) -> &[u8] {
        self.0.get(2..).unwrap_or_default()
    }

    /// All its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// All its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Roll {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Leaves, Self::Nodes, Self::Records, Self::Details];

    /// Its word in the name of a file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leaves => "leaves",
            Self::Nodes => "nodes",
            Self::Records => "records",
            Self::Details => "details",
        }
    }
}

impl Position {
    /// Twelve bytes: offset and length, big-endian.
    pub fn to_bytes(self) -> [u8; roll::POSITION_BYTES] {
        let mut out = [0; roll::POSITION_BYTES];
        let bytes = self.offset.to_be_bytes().into_iter().chain(self.len.to_be_bytes());
        out.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        out
    }

    /// Reads twelve bytes.
    pub fn from_bytes(bytes: [u8; roll::POSITION_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, len @ ..] = bytes;
        Self { offset: u64::from_be_bytes([a, b, c, d, e, f, g, h]), len: u32::from_be_bytes(len) }
    }
}

impl Entry {
    pub(crate) const fn new(seat: Seat, index: u64) -> Self {
        Self { seat, index }
    }

    /// Whose ledger.
    pub const fn seat(&self) -> Seat {
        self.seat
    }

    /// The number of the leaf.
    pub const fn index(&self) -> u64 {
        self.index
    }
}

impl StoreSecret {
    /// Derives what the store seals with from the node's secret.
    pub fn derive(secret: &Secret) -> Self {
        let of = |what: &[u8]| primitives::derive(secret.expose(), b"tsunagi store", what);
        Self { journal: of(b"journal"), vault: of(b"vault"), book: of(b"book") }
    }
}

impl StoreError {
    pub(crate) fn damaged(file: &FileName, at: u64) -> Self {
        Self::Damaged { file: file.clone(), at }
    }

    /// A read of what must be there: a range that is missing is damage.
    pub(crate) fn of_read(file: &FileName, at: u64, error: DiskError) -> Self {
        if matches!(error, DiskError::Missing(_)) { Self::damaged(file, at) } else { Self::Disk(error) }
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}:[redacted]", self.seat().0, self.table())
    }
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").field("link", &self.journal.link()).finish_non_exhaustive()
    }
}
