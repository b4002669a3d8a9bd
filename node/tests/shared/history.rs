//! A history for the fault tests: what commit number n writes follows from n alone, so that whoever
//! finds a store can say, byte for byte, what must be in it. Only keys and sealed bytes are left to chance.

#![allow(dead_code, reason = "each of the tests uses a part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use node::dice::OsDice;
use node::disk::FolderDisk;
use node::index::SledIndex;
use protocol::batch::Batch;
use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::leaf::{Contents, Leaf, LeafKind, Salts};
use protocol::ledger::origin::Origin;
use protocol::ledger::tree;
use protocol::primitives::{Real, STORED_EXTRA_BYTES, Secret, open_stored, seal_stored, seeded};
use protocol::store::opening::Opened;
use protocol::store::staged::Staged;
use protocol::store::{Key, Position, Roll, Seat, Signer, Store, StoreError, StoreSecret};
use protocol::table;
use protocol::time::{Now, Steady, Timestamp};
use protocol::vault::Label;
use rand_core::Rng as _;

/// The organisations of the process.
pub(crate) const SEATS: [Seat; 2] = [Seat::new(0), Seat::new(7)];
/// The persons each of them knows.
pub(crate) const PERSONS: u64 = 160;
/// sled's cache, in bytes.
pub(crate) const CACHE_BYTES: u64 = 1 << 20;

/// Persons written to in one commit, in each seat.
const PERSONS_PER_COMMIT: u64 = 8;
/// Every so many commits each seat forgets somebody.
const FORGETS_EVERY: u64 = 9;
/// How many commits a replay row lives.
const REPLAY_COMMITS: u64 = 10;
/// What stands behind each entry of a roll.
const CHECK_BYTES: u64 = 8;

/// Everything that must be in the store after a number of commits.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    pub(crate) sequence: u64,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    seats: BTreeMap<Seat, ExpectedSeat>,
}

#[derive(Clone, Default)]
struct ExpectedSeat {
    records_len: u64,
    /// Each leaf and its detail.
    leaves: Vec<(Vec<u8>, Vec<u8>)>,
    nodes: Vec<Digest>,
    /// Every version of every person who is not forgotten, opened.
    records: BTreeMap<u64, Vec<(Position, Vec<u8>)>>,
}

/// What one commit does in one seat.
struct Chapter {
    seat: Seat,
    visits: Vec<Visit>,
    replay: [u8; 16],
    forgotten: Option<u64>,
}

/// What it does for one person.
struct Visit {
    who: u64,
    record: Vec<u8>,
    detail: Vec<u8>,
    leaf: Leaf,
}

/// Opens the store in `folder` with its index in a folder below.
pub(crate) fn open(folder: &Path) -> Result<(Store, Opened), StoreError> {
    open_with(folder, &folder.join("index"))
}

/// Opens the store in `folder` with its index in `index`.
pub(crate) fn open_with(folder: &Path, index: &Path) -> Result<(Store, Opened), StoreError> {
    let disk = FolderDisk::open(folder).expect("the folder is nobody else's");
    let index = SledIndex::open(index, CACHE_BYTES).map_err(StoreError::Index)?;
    let signers = SEATS.into_iter().map(|seat| {
        let party = PartyId::new(PartyKind::Insurer, &format!("13{}", seat.number())).unwrap();
        let origin = Origin::new(&Digest::of(b"network"), &party, 0);
        Signer { seat, origin, log_secret: Secret::from_bytes([seat.number(); 32]) }
    });
    let secret = StoreSecret::derive(&Secret::from_bytes([9; 32]));
    let (store, mut opened) = Store::open(Box::new(disk), Box::new(index), &secret, signers.collect(), Arc::new(Real))?;
    opened.sequence = store.sequence();
    Ok((store, opened))
}

/// Makes the next commit of the history.
pub(crate) fn go_on(store: &mut Store) -> Result<(), StoreError> {
    let number = store.sequence() + 1;
    let mut dice = OsDice;
    let mut staged = Staged::new();
    for chapter in chapters(number) {
        let mut batch = Batch::new(now(), chapter.seat, store, &mut staged, &mut dice)?;
        stage(&mut batch, number, &chapter)?;
    }
    store.commit(staged).map(|_committed| ())
}

fn stage(batch: &mut Batch<'_>, number: u64, chapter: &Chapter) -> Result<(), StoreError> {
    for visit in &chapter.visits {
        let key = batch.person_key(label(visit.who))?;
        let sealed = seal_stored(&key, label(visit.who).as_bytes(), &visit.record, batch.dice());
        let position = batch.append(Roll::Records, sealed)?;
        let entry = batch.enter(&visit.leaf, visit.detail.clone())?;
        batch.put(record_key(chapter.seat, visit.who), Some(record_row(position, number)))?;
        batch.put(chain_key(chapter.seat, visit.who), Some(entry.index().to_be_bytes().to_vec()))?;
    }
    batch.put(replay_key(chapter.seat, number), Some(chapter.replay.to_vec()))?;
    if let Some(old) = number.checked_sub(REPLAY_COMMITS) {
        batch.put(replay_key(chapter.seat, old), None)?;
    }
    if let Some(who) = chapter.forgotten {
        batch.forget(label(who));
        batch.put(record_key(chapter.seat, who), None)?;
    }
    Ok(())
}

impl Expected {
    /// After `sequence` commits, of which there are no fewer than now.
    pub(crate) fn advance(&mut self, sequence: u64) {
        while self.sequence < sequence {
            self.sequence += 1;
            for chapter in chapters(self.sequence) {
                self.take(chapter);
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many sealed versions of records there are.
    pub(crate) fn records(&self) -> usize {
        self.seats.values().flat_map(|seat| seat.records.values()).map(Vec::len).sum()
    }

    /// How many persons have something sealed.
    pub(crate) fn persons(&self) -> usize {
        self.seats.values().map(|seat| seat.records.len()).sum()
    }

    /// How many leaves there are in all ledgers.
    pub(crate) fn leaves(&self) -> usize {
        self.seats.values().map(|seat| seat.leaves.len()).sum()
    }

    /// Size and root of a seat's ledger.
    pub(crate) fn head(&self, seat: Seat) -> (u64, Digest) {
        let Some(expected) = self.seats.get(&seat) else { return (0, Digest::of(b"")) };
        let size = number_of(expected.leaves.len());
        let Ok(root) = tree::root(size, &Nodes(&expected.nodes));
        (size, root)
    }

    fn take(&mut self, chapter: Chapter) {
        let Chapter { seat, visits, replay, forgotten } = chapter;
        let own = self.seats.entry(seat).or_default();
        for Visit { who, record, detail, leaf } in visits {
            let len = record.len() + STORED_EXTRA_BYTES;
            let position = Position { offset: own.records_len, len: u32::try_from(len).unwrap() };
            own.records_len += number_of(len) + CHECK_BYTES;
            let index = number_of(own.leaves.len());
            let leaf = leaf.to_bytes();
            let Ok(nodes) = tree::nodes_of_leaf(index, tree::leaf_hash(&leaf), &Nodes(&own.nodes));
            own.nodes.extend(nodes);
            own.leaves.push((leaf.to_vec(), detail));
            own.records.entry(who).or_default().push((position, record));
            self.rows.insert(record_key(seat, who).into_bytes(), record_row(position, self.sequence));
            self.rows.insert(chain_key(seat, who).into_bytes(), index.to_be_bytes().to_vec());
        }
        self.rows.insert(replay_key(seat, self.sequence).into_bytes(), replay.to_vec());
        if let Some(old) = self.sequence.checked_sub(REPLAY_COMMITS) {
            self.rows.remove(replay_key(seat, old).as_bytes());
        }
        if let Some(who) = forgotten {
            own.records.remove(&who);
            self.rows.remove(record_key(seat, who).as_bytes());
        }
    }

    /// Reads everything there is through the store's own doors; the first thing that is not as it must be
    /// is named. What is wrong without an error of the store is `Ok(Some(_))`.
    pub(crate) fn difference(&self, store: &mut Store) -> Result<Option<String>, StoreError> {
        if store.sequence() != self.sequence {
            return Ok(Some(format!("{} commits instead of {}", store.sequence(), self.sequence)));
        }
        for seat in SEATS {
            for part in [Self::rows_differ, Self::records_differ, Self::ledger_differs] {
                if let Some(difference) = part(self, store, seat)? {
                    return Ok(Some(format!("seat {}: {difference}", seat.number())));
                }
            }
        }
        Ok(None)
    }

    fn rows_differ(&self, store: &mut Store, seat: Seat) -> Result<Option<String>, StoreError> {
        let (mut staged, mut dice) = (Staged::new(), OsDice);
        let batch = Batch::new(now(), seat, store, &mut staged, &mut dice)?;
        let (from, to) = (Key::new(seat, 0, &[]), Key::new(seat, u8::MAX, &[]));
        let found = batch.range(&from, &to, usize::MAX)?;
        let found: BTreeMap<_, _> = found.into_iter().map(|(key, value)| (key.into_bytes(), value)).collect();
        let expected = || self.rows.range(from.as_bytes().to_vec()..to.as_bytes().to_vec());
        if !found.iter().eq(expected()) {
            return Ok(Some(format!("{} rows in order are not the {}", found.len(), expected().count())));
        }
        for (key, value) in expected() {
            let (table, rest) = (key[1], &key[2..]);
            if batch.get(&Key::new(seat, table, rest))?.as_ref() != Some(value) {
                return Ok(Some(format!("a row of table {table}")));
            }
        }
        Ok(None)
    }

    fn records_differ(&self, store: &mut Store, seat: Seat) -> Result<Option<String>, StoreError> {
        let (mut staged, mut dice) = (Staged::new(), OsDice);
        let batch = Batch::new(now(), seat, store, &mut staged, &mut dice)?;
        for who in 0..PERSONS {
            let records = self.seats.get(&seat).and_then(|own| own.records.get(&who));
            let key = batch.known_person_key(label(who))?;
            match (key, records) {
                (None, None) => {}
                (Some(key), Some(records)) => {
                    for (position, expected) in records {
                        let sealed = batch.read(Roll::Records, *position)?;
                        if open_stored(&key, label(who).as_bytes(), &sealed).ok().as_ref() != Some(expected) {
                            return Ok(Some(format!("a record of person {who}")));
                        }
                    }
                }
                _ => return Ok(Some(format!("the key of person {who}"))),
            }
        }
        Ok(None)
    }

    fn ledger_differs(&self, store: &mut Store, seat: Seat) -> Result<Option<String>, StoreError> {
        let committed = store.commit(Staged::new())?;
        let (mut staged, mut dice) = (Staged::new(), OsDice);
        let batch = Batch::new(now(), seat, store, &mut staged, &mut dice)?;
        let (size, root) = self.head(seat);
        let head = committed.head(seat).unwrap();
        if (batch.ledger_size(), head.size, head.root) != (size, size, root) {
            return Ok(Some("the head".to_owned()));
        }
        let leaves = self.seats.get(&seat).map_or(&[][..], |own| &own.leaves);
        for (index, (leaf, detail)) in leaves.iter().enumerate() {
            let index = number_of(index);
            let (found, place) = batch.leaf(index)?;
            if found.to_bytes()[..] != leaf[..] || batch.read(Roll::Details, place)? != *detail {
                return Ok(Some(format!("leaf {index} or its detail")));
            }
            let receipt = committed.receipt(store, &batch.entry(index).unwrap(), Some(index + 1))?;
            let hash = tree::leaf_hash(receipt.leaf());
            if receipt.leaf() != leaf || !tree::check_inclusion(hash, index, size, root, receipt.inclusion()) {
                return Ok(Some(format!("the receipt of leaf {index}")));
            }
        }
        Ok(None)
    }
}

/// A tree's hashes in memory.
struct Nodes<'a>(&'a [Digest]);

impl tree::Nodes for Nodes<'_> {
    type Error = Infallible;

    fn node(&self, index: u64) -> Result<Digest, Infallible> {
        Ok(self.0[usize::try_from(index).unwrap()])
    }
}

fn chapters(number: u64) -> impl Iterator<Item = Chapter> {
    SEATS.into_iter().map(move |seat| chapter(number, seat))
}

fn chapter(number: u64, seat: Seat) -> Chapter {
    let subject = Digest::of_parts(&[&[seat.number()], &number.to_be_bytes()]);
    let mut dice = seeded(&Secret::from_bytes([4; 32]), &subject);
    let first = (number - 1) * PERSONS_PER_COMMIT % PERSONS;
    let mut visits = Vec::new();
    for who in first..first + PERSONS_PER_COMMIT {
        let (record, detail) = (some_bytes(&mut dice, 40, 240), some_bytes(&mut dice, 30, 150));
        let digest = Digest::of(&detail);
        let contents = Contents { request: digest, answer: digest, detail: digest, person: digest };
        let time = Timestamp::from_unix_ms(1_790_000_000_000 + number);
        let leaf = Leaf::new(LeafKind::Exchange, time, &Salts::random(&mut dice), &contents);
        visits.push(Visit { who, record, detail, leaf });
    }
    let mut replay = [0; 16];
    dice.fill_bytes(&mut replay);
    let forgotten = number.is_multiple_of(FORGETS_EVERY).then_some((first + PERSONS / 2) % PERSONS);
    Chapter { seat, visits, replay, forgotten }
}

fn some_bytes(dice: &mut impl rand_core::Rng, len_min: u64, len_max: u64) -> Vec<u8> {
    let len = len_min + dice.next_u64() % (len_max - len_min);
    let mut out = vec![0; usize::try_from(len).unwrap()];
    dice.fill_bytes(&mut out);
    out
}

fn record_row(position: Position, number: u64) -> Vec<u8> {
    [&position.to_bytes()[..], &number.to_be_bytes()].concat()
}

fn record_key(seat: Seat, who: u64) -> Key {
    Key::new(seat, table::RECORD, label(who).as_bytes())
}

fn chain_key(seat: Seat, who: u64) -> Key {
    Key::new(seat, table::CHAIN, label(who).as_bytes())
}

fn replay_key(seat: Seat, number: u64) -> Key {
    Key::new(seat, table::REPLAY, &number.to_be_bytes())
}

fn label(who: u64) -> Label {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&who.to_be_bytes());
    Label::from_bytes(bytes)
}

fn number_of(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

fn now() -> Now {
    Now { wall: Timestamp::from_unix_ms(1_790_000_000_000), steady: Steady::from_ms(1) }
}
