//! A snapshot is a book: the last one merged with what the journal says since. When it and the rolls
//! are durable, the segments it covers go.
//!
//! It is made in bounded steps between commits; a crash at any step leaves the old book and all its
//! segments, or the new book.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::book::{Book, Merge};
use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::index::Changes;
use crate::journal::Link;
use crate::primitives::Secret;

use super::name::{self, Kind};
use super::opening::{Base, Segments, Walk};
use super::state::State;
use super::{Roll, Store, StoreError};

/// The most records read, or pages written, in one step.
const PIECES_PER_STEP: usize = 64;
/// A step that has read so many bytes of records reads no further.
const BYTES_PER_STEP: usize = 1 << 20;

/// A snapshot in the making.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// What the book will cover.
    upto: Base,
    walk: Walk,
    changes: Changes,
    merge: Option<Merge>,
}

/// What a book of the store says of itself.
#[derive(Encode, Decode)]
struct About {
    #[n(0)]
    sequence: u64,
    #[n(1)]
    digest: Digest,
    #[n(2)]
    segment: u64,
    #[n(3)]
    state: State,
}

impl Store {
    /// Makes a snapshot of the last commit at one go; see [`Store::snapshot_step`].
    ///
    /// # Errors
    /// As [`Store::snapshot_step`].
    pub fn snapshot(&mut self) -> Result<(), StoreError> {
        while !self.snapshot_step()? {}
        Ok(())
    }

    /// Goes on with a snapshot, or begins one of the last commit; true when there is nothing (more) to do.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the journal or the last book is, or those of the disk. The store stops.
    pub fn snapshot_step(&mut self) -> Result<bool, StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        let stepped = self.step();
        self.stopped = stepped.is_err();
        stepped
    }

    /// How many commits no book covers yet.
    pub const fn uncovered_commits(&self) -> u64 {
        self.sequence().saturating_sub(self.base.link.sequence)
    }

    /// About how many bytes of the journal no book covers yet: what opening would have to read.
    pub fn uncovered_bytes(&self) -> u64 {
        self.journal.bytes_since(self.base.segment)
    }

    fn step(&mut self) -> Result<bool, StoreError> {
        let Some(snapshot) = &mut self.snapshot else { return self.begin() };
        let Some(merge) = &mut snapshot.merge else {
            if snapshot.gather(self.disk.as_ref(), &self.secret.journal)? {
                snapshot.merge = Some(snapshot.merge_onto(self.book.clone(), &self.secret.book));
            }
            return Ok(false);
        };
        if !merge.step(self.disk.as_mut(), PIECES_PER_STEP)? {
            return Ok(false);
        }
        // The journal that says what the index does not have yet is about to go.
        if self.index.at() < snapshot.upto.link.sequence {
            self.index.settle().map_err(StoreError::Index)?;
        }
        self.end()?;
        Ok(true)
    }

    fn begin(&mut self) -> Result<bool, StoreError> {
        if self.uncovered_commits() == 0 {
            return Ok(true);
        }
        self.journal.turn_over();
        let upto = Base { link: self.journal.link(), state: self.state.clone(), segment: self.journal.segment() };
        let files = self.disk.list().map_err(StoreError::Disk)?;
        let segments: Segments = files
            .iter()
            .filter_map(|(file, len)| Some((name::journal_number(file)?, *len)))
            .filter(|(number, _len)| *number < upto.segment)
            .collect();
        let walk = Walk::new(segments, self.base.link);
        self.snapshot = Some(Snapshot { upto, walk, changes: Changes::new(), merge: None });
        Ok(false)
    }

    /// All rows are written: what the segments to be removed still stood for becomes durable, then they go.
    fn end(&mut self) -> Result<(), StoreError> {
        let Some(Snapshot { upto, merge: Some(merge), .. }) = self.snapshot.take() else { return Ok(()) };
        if merge.tally() != upto.state.index {
            let file = self.book.as_ref().map_or_else(|| name::of(Kind::BookDraft), |book| book.file().clone());
            return Err(StoreError::damaged(&file, 0));
        }
        for seat in &upto.state.seats {
            for roll in Roll::ALL.into_iter().filter(|roll| seat.len(*roll) > 0) {
                self.disk.sync(&name::of(Kind::Roll(seat.seat, roll))).map_err(StoreError::Fatal)?;
            }
        }
        let book = merge.finish(self.disk.as_mut())?;
        remove_covered(self.disk.as_mut(), &upto, Some(&book))?;
        self.base = upto;
        self.book = Some(book);
        Ok(())
    }
}

impl Snapshot {
    /// Takes up to [`PIECES_PER_STEP`] records, or about [`BYTES_PER_STEP`] of them; true at the end.
    fn gather(&mut self, disk: &dyn Disk, secret: &Secret) -> Result<bool, StoreError> {
        let mut bytes: usize = 0;
        for _ in 0..PIECES_PER_STEP {
            if bytes >= BYTES_PER_STEP {
                break;
            }
            let Some((_link, record)) = self.walk.next(disk, secret)? else {
                return if self.walk.link()? == self.upto.link {
                    Ok(true)
                } else {
                    Err(StoreError::damaged(&name::of(Kind::Journal(self.upto.segment.saturating_sub(1))), 0))
                };
            };
            bytes = bytes.saturating_add(record.about_bytes());
            self.changes
                .extend(record.changes.into_iter().map(|change| (change.key.into(), change.value.map(Into::into))));
        }
        Ok(false)
    }

    fn merge_onto(&mut self, book: Option<Book>, cover: &Secret) -> Merge {
        let Base { link, state, segment } = self.upto.clone();
        let previous = book.as_ref().map_or(Digest::from_bytes([0; 32]), Book::digest);
        let about = crate::cbor::encode(&About { sequence: link.sequence, digest: link.digest, segment, state });
        // Predecessor, journal and state decide every byte of the book.
        let salt = Digest::of_parts(&[previous.as_bytes(), link.digest.as_bytes(), &about]);
        let changes = core::mem::take(&mut self.changes);
        Merge::new(book, changes, name::of(Kind::BookDraft), &about, Some(cover.clone()), salt)
    }
}

/// The newest book that opens. One that does not open is no loss as long as the journal still leads on
/// from an older one; whether it does shows when the journal is walked.
pub(super) fn newest(
    disk: &dyn Disk,
    files: &BTreeMap<FileName, u64>,
    cover: &Secret,
) -> Result<Option<Book>, StoreError> {
    let mut newest: Option<(u64, Book)> = None;
    let mut broken = None;
    for (file, len) in files.iter().filter(|(file, _len)| name::is_book(file)) {
        match Book::open(disk, file, *len, Some(cover.clone())) {
            Ok(book) => {
                let sequence = base_of(&book)?.link.sequence;
                if newest.as_ref().is_none_or(|(known, _book)| *known < sequence) {
                    newest = Some((sequence, book));
                }
            }
            Err(error) => broken = Some(error),
        }
    }
    match (newest, broken) {
        (Some((_sequence, book)), _) => Ok(Some(book)),
        // Without a book the journal must begin at its beginning.
        (None, Some(error)) if !files.contains_key(&name::of(Kind::Journal(1))) => Err(error),
        (None, _) => Ok(None),
    }
}

/// What a book covers.
pub(super) fn base_of(book: &Book) -> Result<Base, StoreError> {
    let about: About = minicbor::decode(book.about()).map_err(|_error| StoreError::damaged(book.file(), 0))?;
    let link = Link { sequence: about.sequence, digest: about.digest };
    Ok(Base { link, state: about.state, segment: about.segment })
}

/// Removes every book but the one that stands for `base`, then the segments it covers, oldest first (files are
/// listed by name). So while an older book is there all its segments are, and it can take over.
pub(super) fn remove_covered(disk: &mut dyn Disk, base: &Base, book: Option<&Book>) -> Result<(), StoreError> {
    let files = disk.list().map_err(StoreError::Disk)?;
    for (file, _len) in files {
        let covered = name::journal_number(&file).is_some_and(|number| number < base.segment);
        let superseded = name::is_book(&file) && book.is_none_or(|book| *book.file() != file);
        if covered || superseded {
            disk.remove(&file).map_err(StoreError::Disk)?;
        }
    }
    Ok(())
}
