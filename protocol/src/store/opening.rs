//! Opening a store: what the journal says is made true again, or it is said what is damaged.
//!
//! Rolls and index are written after the journal, so either may be behind it, torn at its end or (the
//! index) anything at all; both are mended. What is ahead of the journal shows that the journal lost
//! something acknowledged, and is damage.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::book::Book;
use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::index::{Changes, Index, IndexError};
use crate::journal::{Journal, Link, Segment};
use crate::ledger::leaf::LEAF_BYTES;
use crate::ledger::tree;
use crate::primitives::{Primitives, Secret};
use crate::vault::{Label, Vault};

use super::held::Held;
use super::name::{self, Kind};
use super::nodes::{self, Memory};
use super::state::{Append, Change, Record, State};
use super::tally::{self, Tally};
use super::{Ledger, Roll, Seat, Signer, Store, StoreError, StoreSecret, checked_row, roll, snapshot};

/// The most rows of the index read at once while it is scanned.
const ROWS_PER_SCAN: usize = 2048;

/// What opening found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The last commit.
    pub sequence: u64,
    /// Bytes of a record, never acknowledged, that were cut from the end of the journal.
    pub torn_bytes: u64,
    /// Pieces of rolls written again from the journal.
    pub roll_pieces_mended: u64,
    /// Whether the key file held what no commit stands for, or still held what one erased.
    pub vault_mended: bool,
    /// Commits the index had missed.
    pub commits_reapplied: u64,
    /// Whether the index was lost, damaged or wrong, and was built anew.
    pub index_rebuilt: bool,
}

/// What is true before the first record that is replayed.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) link: Link,
    pub(super) state: State,
    /// The first segment not covered.
    pub(super) segment: u64,
}

impl Base {
    /// Before the first commit.
    pub(super) fn start() -> Self {
        Self { link: Link::START, state: State::default(), segment: 1 }
    }
}

/// The journal's segments, by number, with their lengths.
pub(super) type Segments = BTreeMap<u64, u64>;

impl Store {
    /// Opens what lies on `disk`, mends rolls and index, and signs the head of every seat.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if anything acknowledged cannot be read, or those of disk and index.
    pub fn open(
        disk: Box<dyn Disk>,
        index: Box<dyn Index>,
        secret: &StoreSecret,
        signers: Vec<Signer>,
        primitives: Arc<dyn Primitives>,
    ) -> Result<(Self, Opened), StoreError> {
        let (mut disk, mut index) = (disk, index);
        for (file, _len) in disk.list().map_err(StoreError::Disk)? {
            if name::is_draft(&file) {
                disk.remove(&file).map_err(StoreError::Disk)?;
            }
        }
        let files: BTreeMap<FileName, u64> = disk.list().map_err(StoreError::Disk)?.into_iter().collect();
        let book = snapshot::newest(disk.as_ref(), &files, &secret.book)?;
        let base = book.as_ref().map_or_else(|| Ok(Base::start()), snapshot::base_of)?;

        let mut opened = Opened::default();
        let replayed = replay(disk.as_mut(), &secret.journal, &files, &base, index.position().ok(), &mut opened)?;
        let vault = open_vault(disk.as_mut(), &secret.vault, &files, &replayed, &mut opened)?;
        open_index(disk.as_ref(), index.as_mut(), &secret.journal, book.as_ref(), &base, &replayed, &mut opened)?;
        snapshot::remove_covered(disk.as_mut(), &base, book.as_ref())?;

        let mut memories = replayed.memories;
        let mut ledgers = BTreeMap::new();
        for mut signer in signers {
            let seat = signer.seat;
            let state = replayed.state.seat(seat);
            if state.epoch != 0 {
                signer.origin = signer.origin.of_epoch(state.epoch);
            }
            let memory = memories.remove(&seat).unwrap_or_default();
            ledgers.insert(seat, Ledger::new(signer, memory, state.size, state.root, primitives.as_ref()));
        }
        opened.sequence = replayed.journal.link().sequence;
        let store = Self {
            disk,
            index: Held::new(index, opened.sequence),
            secret: secret.clone(),
            primitives,
            journal: replayed.journal,
            vault,
            state: replayed.state,
            ledgers,
            base,
            book,
            snapshot: None,
            scrub: None,
            stopped: false,
        };
        Ok((store, opened))
    }
}

/// What replaying the journal leaves.
struct Replayed {
    journal: Journal,
    state: State,
    segments: Segments,
    memories: BTreeMap<Seat, Memory>,
    forgotten: Vec<(u64, Seat, Label)>,
}

/// Walks the journal from `base` on, mending rolls as it goes.
fn replay(
    disk: &mut dyn Disk,
    secret: &Secret,
    files: &BTreeMap<FileName, u64>,
    base: &Base,
    position: Option<u64>,
    opened: &mut Opened,
) -> Result<Replayed, StoreError> {
    let mut segments = segments_of(files)?;
    let torn = find_end(disk, &mut segments)?;
    // Whether the journal lost anything is found out before anything is cut or mended.
    let mut walk = Walk::new(segments.clone(), base.link);
    let mut state = base.state.clone();
    let mut forgotten = Vec::new();
    while let Some((link, record)) = walk.next(disk, secret)? {
        forgotten.extend(record.forgotten.iter().map(|who| (link.sequence, who.seat, Label::from_bytes(who.label))));
        state = record.after;
    }
    let link = walk.link()?;
    if is_ahead(files, position, &state, link) {
        let (number, len) = segments.last_key_value().map_or((base.segment, 0), |(number, len)| (*number, *len));
        return Err(StoreError::damaged(&name::of(Kind::Journal(number)), len));
    }
    if let Some((file, end, bytes)) = torn {
        disk.truncate(&file, end).map_err(StoreError::Disk)?;
        opened.torn_bytes = bytes;
    }
    if let Some((number, _len)) = segments.last_key_value() {
        // The process may have died between append and sync: what is built on from here must be durable.
        disk.sync(&name::of(Kind::Journal(*number))).map_err(StoreError::Disk)?;
    }

    let mut rolls = Rolls::load(disk, files, base)?;
    let mut walk = Walk::new(segments.clone(), base.link);
    while let Some((_link, record)) = walk.next(disk, secret)? {
        rolls.put(disk, &record, opened)?;
    }
    rolls.hold_against(&state)?;
    let (segment, len) = segments.last_key_value().map_or((base.segment, 0), |(number, len)| {
        if *number < base.segment { (base.segment, 0) } else { (*number, *len) }
    });
    let journal = Journal::new(secret.clone(), segment, len, link);
    Ok(Replayed { journal, state, segments, memories: rolls.memories, forgotten })
}

pub(super) fn segments_of(files: &BTreeMap<FileName, u64>) -> Result<Segments, StoreError> {
    let segments: Segments = files.iter().filter_map(|(file, len)| Some((name::journal_number(file)?, *len))).collect();
    let mut expected = None;
    for number in segments.keys() {
        if expected.is_some_and(|expected| expected != *number) {
            return Err(StoreError::damaged(&name::of(Kind::Journal(*number)), 0));
        }
        expected = Some(number.saturating_add(1));
    }
    Ok(segments)
}

/// Finds where the last segment ends, leaving a torn end out of `segments`; that is returned, with its
/// offset and length.
pub(super) fn find_end(disk: &dyn Disk, segments: &mut Segments) -> Result<Option<(FileName, u64, u64)>, StoreError> {
    let Some((number, len)) = segments.last_key_value().map(|(number, len)| (*number, *len)) else { return Ok(None) };
    let mut segment = Segment::read(disk, number, len)?;
    while segment.skip() {}
    let end = segment.offset();
    if end == len {
        return Ok(None);
    }
    if !segment.is_torn_here() {
        return Err(StoreError::damaged(segment.file(), end));
    }
    segments.insert(number, end);
    Ok(Some((segment.file().clone(), end, len.saturating_sub(end))))
}

/// Whether a roll or the index went further than the journal. They come after it, so what they have
/// more was acknowledged, and the journal lost it.
fn is_ahead(files: &BTreeMap<FileName, u64>, position: Option<u64>, state: &State, link: Link) -> bool {
    let longer =
        |(file, len): (&FileName, &u64)| name::roll(file).is_some_and(|(seat, of)| state.seat(seat).len(of) < *len);
    position.is_some_and(|position| position > link.sequence) || files.iter().any(longer)
}

/// A way through the journal, record by record.
#[derive(Debug)]
pub(super) struct Walk {
    ahead: Segments,
    current: Option<Segment>,
    link: Option<Link>,
    base: Link,
}

impl Walk {
    /// Begins right behind `base`, which may lie anywhere in the first segments.
    pub(super) const fn new(segments: Segments, base: Link) -> Self {
        Self { ahead: segments, current: None, link: None, base }
    }

    /// The next record behind `base`.
    pub(super) fn next(&mut self, disk: &dyn Disk, secret: &Secret) -> Result<Option<(Link, Record)>, StoreError> {
        loop {
            let mut segment = match self.current.take() {
                Some(segment) => segment,
                None => match self.ahead.pop_first() {
                    Some((number, len)) => Segment::read(disk, number, len)?,
                    None => return Ok(None),
                },
            };
            let at = segment.offset();
            let link = match self.link {
                Some(link) => link,
                None => match segment.peek()? {
                    // What comes first must not come behind the base: records between would be missing.
                    Some(link) if link.sequence > self.base.sequence => {
                        return Err(StoreError::damaged(segment.file(), at));
                    }
                    Some(link) => self.joined(link, &segment, at)?,
                    None => continue,
                },
            };
            let Some(opened) = segment.next(secret, link)? else { continue };
            let link = self.joined(opened.link, &segment, at)?;
            self.link = Some(link);
            if link.sequence > self.base.sequence {
                let record =
                    minicbor::decode(&opened.payload).map_err(|_error| StoreError::damaged(segment.file(), at))?;
                self.current = Some(segment);
                return Ok(Some((link, record)));
            }
            self.current = Some(segment);
        }
    }

    /// The place behind the last record, once there is no next one.
    pub(super) fn link(&self) -> Result<Link, StoreError> {
        let link = self.link.unwrap_or(self.base);
        if link.sequence < self.base.sequence {
            return Err(StoreError::damaged(&name::of(Kind::Journal(0)), 0));
        }
        Ok(link)
    }

    /// The way must pass through `base` itself.
    fn joined(&self, link: Link, segment: &Segment, at: u64) -> Result<Link, StoreError> {
        if link.sequence == self.base.sequence && link != self.base {
            return Err(StoreError::damaged(segment.file(), at));
        }
        Ok(link)
    }
}

/// The rolls while the journal says what stands in them.
struct Rolls {
    ends: BTreeMap<(Seat, Roll), End>,
    /// Leaves before the open epoch, and in it.
    sizes: BTreeMap<Seat, (u64, u64)>,
    memories: BTreeMap<Seat, Memory>,
}

/// A roll's length, and whether everything from here on is written anew.
#[derive(Clone, Copy, Default)]
struct End {
    len: u64,
    anew: bool,
}

impl Rolls {
    /// The rolls as they lie, the trees as they were at `base`.
    fn load(disk: &dyn Disk, files: &BTreeMap<FileName, u64>, base: &Base) -> Result<Self, StoreError> {
        let mut ends = BTreeMap::new();
        for (file, len) in files {
            if let Some(place) = name::roll(file) {
                ends.insert(place, End { len: *len, anew: false });
            }
        }
        let (mut sizes, mut memories) = (BTreeMap::new(), BTreeMap::new());
        for state in &base.state.seats {
            for of in Roll::ALL {
                let len = ends.get(&(state.seat, of)).map_or(0, |end| end.len);
                if len < state.len(of) {
                    return Err(StoreError::damaged(&name::of(Kind::Roll(state.seat, of)), len));
                }
            }
            let (memory, root) = Memory::load(disk, state.seat, state.size, state.nodes)?;
            if root != state.root {
                return Err(StoreError::damaged(&name::of(Kind::Roll(state.seat, Roll::Nodes)), 0));
            }
            sizes.insert(state.seat, (state.begins, state.size));
            memories.insert(state.seat, memory);
        }
        Ok(Self { ends, sizes, memories })
    }

    /// What one commit put into the rolls.
    fn put(&mut self, disk: &mut dyn Disk, record: &Record, opened: &mut Opened) -> Result<(), StoreError> {
        for append in &record.appends {
            self.put_bytes(disk, (append.seat, append.roll), append.offset, &append.bytes, opened)?;
            if append.roll == Roll::Leaves {
                self.put_leaves(disk, append, &record.after, opened)?;
            }
        }
        Ok(())
    }

    fn put_leaves(
        &mut self,
        disk: &mut dyn Disk,
        append: &Append,
        after: &State,
        opened: &mut Opened,
    ) -> Result<(), StoreError> {
        let seat = append.seat;
        let entries = append.bytes.as_chunks::<{ roll::LEAF_ENTRY_BYTES }>().0;
        let leaves = entries.iter().filter_map(|entry| entry.first_chunk::<LEAF_BYTES>());
        let hashes: Vec<Digest> = leaves.map(|leaf| tree::leaf_hash(leaf)).collect();
        let expected = after.seat(seat);
        let (begins, mut size) = self.sizes.get(&seat).copied().unwrap_or_default();
        let memory = self.memories.entry(seat).or_default();
        if begins != expected.begins {
            (*memory, size) = (Memory::begin(expected.nodes), 0);
        }
        let at = expected.nodes.saturating_add(roll::nodes_len(size));
        let growth = nodes::grow(disk, seat, memory, size, &hashes)?;
        if (growth.size, growth.root) != (expected.size, expected.root) {
            return Err(StoreError::damaged(&name::of(Kind::Roll(seat, Roll::Nodes)), at));
        }
        let bytes = nodes::bytes_of(&growth.nodes);
        memory.take(growth);
        self.sizes.insert(seat, (expected.begins, expected.size));
        self.put_bytes(disk, (seat, Roll::Nodes), at, &bytes, opened)
    }

    /// Holds `bytes` against what stands at `offset`; from the first difference on the roll is written anew.
    fn put_bytes(
        &mut self,
        disk: &mut dyn Disk,
        place: (Seat, Roll),
        offset: u64,
        bytes: &[u8],
        opened: &mut Opened,
    ) -> Result<(), StoreError> {
        let file = name::of(Kind::Roll(place.0, place.1));
        let end = self.ends.entry(place).or_default();
        let until = offset.saturating_add(roll::len_of(bytes));
        if !end.anew && until <= end.len && disk.read(&file, offset, bytes.len()).map_err(StoreError::Disk)? == bytes {
            return Ok(());
        }
        if end.len < offset {
            return Err(StoreError::damaged(&file, end.len));
        }
        if end.len > offset {
            disk.truncate(&file, offset).map_err(StoreError::Disk)?;
        }
        let at = disk.append(&file, bytes).map_err(StoreError::Disk)?;
        if at != offset {
            return Err(StoreError::damaged(&file, offset));
        }
        *end = End { len: until, anew: true };
        opened.roll_pieces_mended = opened.roll_pieces_mended.saturating_add(1);
        Ok(())
    }

    /// Every roll ends where the last commit says.
    fn hold_against(&self, state: &State) -> Result<(), StoreError> {
        let written = state.seats.iter().flat_map(|state| Roll::ALL.map(|of| (state.seat, of)));
        for (seat, of) in self.ends.keys().copied().chain(written) {
            let len = self.ends.get(&(seat, of)).map_or(0, |end| end.len);
            let expected = state.seat(seat).len(of);
            if len != expected {
                return Err(StoreError::damaged(&name::of(Kind::Roll(seat, of)), len.min(expected)));
            }
        }
        Ok(())
    }
}

/// Reads the key file and makes it what the last commit says.
fn open_vault(
    disk: &mut dyn Disk,
    secret: &Secret,
    files: &BTreeMap<FileName, u64>,
    replayed: &Replayed,
    opened: &mut Opened,
) -> Result<Vault, StoreError> {
    let file = name::of(Kind::Vault);
    if !files.contains_key(&file) && replayed.state.vault.rows() > 0 {
        return Err(StoreError::KeysMissing);
    }
    let len = files.get(&file).copied().unwrap_or_default();
    let (mut vault, mut mended) = Vault::read(disk, secret.clone(), len, replayed.journal.link().sequence)?;
    for (sequence, seat, label) in &replayed.forgotten {
        mended |= vault.forget(*sequence, &[(*seat, *label)]);
    }
    if vault.tally() != replayed.state.vault {
        return Err(StoreError::damaged(&file, 0));
    }
    if mended {
        vault.rewrite(disk).map_err(StoreError::Disk)?;
        opened.vault_mended = true;
    }
    Ok(vault)
}

/// Brings the index to the last commit and scans it; one that was lost or is not what it should be is
/// built anew.
fn open_index(
    disk: &dyn Disk,
    index: &mut dyn Index,
    secret: &Secret,
    book: Option<&Book>,
    base: &Base,
    replayed: &Replayed,
    opened: &mut Opened,
) -> Result<(), StoreError> {
    let position = index.position().ok();
    if let Some(position) = position.filter(|position| *position >= base.link.sequence) {
        let walk = Walk::new(replayed.segments.clone(), base.link);
        let tried = reapply(disk, index, secret, walk, position).and_then(|commits| Ok((commits, scan(index)?)));
        match tried {
            Ok((commits, tally)) if tally == replayed.state.index => {
                opened.commits_reapplied = commits;
                return Ok(());
            }
            Ok(_) | Err(StoreError::Index(_)) => {}
            Err(error) => return Err(error),
        }
    }
    opened.index_rebuilt = true;
    index.clear().map_err(StoreError::Index)?;
    if let Some(book) = book {
        copy_book(disk, index, book, base.link.sequence)?;
    }
    reapply(disk, index, secret, Walk::new(replayed.segments.clone(), base.link), base.link.sequence)?;
    if scan(index)? == replayed.state.index {
        Ok(())
    } else {
        Err(StoreError::Index(IndexError("does not hold what was put into it".to_owned())))
    }
}

/// Applies the commits behind `position` and says how many there were.
fn reapply(
    disk: &dyn Disk,
    index: &mut dyn Index,
    secret: &Secret,
    mut walk: Walk,
    position: u64,
) -> Result<u64, StoreError> {
    let mut commits: u64 = 0;
    while let Some((link, record)) = walk.next(disk, secret)? {
        if link.sequence > position {
            let checks = record.changes.iter().map(check_of).collect();
            let base = link.sequence.saturating_sub(1);
            super::apply(index, record.changes, checks, base, link.sequence).map_err(StoreError::Index)?;
            commits = commits.saturating_add(1);
        }
    }
    Ok(commits)
}

/// Fills an empty index with the rows of a book; the position comes with the last of them.
fn copy_book(disk: &dyn Disk, index: &mut dyn Index, book: &Book, sequence: u64) -> Result<(), StoreError> {
    for number in 0..book.pages() {
        let rows = book.page(disk, number)?;
        let changes: Vec<Change> =
            rows.into_iter().map(|(key, value)| Change { key: key.into(), value: Some(value.into()) }).collect();
        let checks = changes.iter().map(check_of).collect();
        super::apply(index, changes, checks, 0, 0).map_err(StoreError::Index)?;
    }
    index.apply(&Changes::new(), sequence).map_err(StoreError::Index)
}

fn check_of(change: &Change) -> [u8; tally::CHECK_BYTES] {
    change.value.as_ref().map(|value| tally::check(tally::row(&change.key, value))).unwrap_or_default()
}

/// Reads the whole index, each row against its checksum.
fn scan(index: &dyn Index) -> Result<Tally, StoreError> {
    let (mut tally, mut sound) = (Tally::default(), Ok(()));
    let seen = index.each(ROWS_PER_SCAN, &mut |rows| {
        sound = rows.into_iter().try_for_each(|(key, stored)| {
            let (_value, digest) = checked_row(&key, stored)?;
            tally.add(digest);
            Ok(())
        });
        sound.is_ok()
    });
    seen.map_err(StoreError::Index)?;
    sound.map(|()| tally)
}
