//! The next book of buckets: the one before with what changed since, written a few pages at a time, so that it can run
//! beside everything else. What was replaced or withdrawn is not in it. The number of bits may be another.

use std::collections::{BTreeSet, btree_map};
use std::iter::Peekable;
use std::sync::Arc;

use rand_core::CryptoRng;

use super::BucketError;
use super::book::{Book, Buckets, BucketsContents, PageEntry, Registrants, RegistrantsContents, Salt, cover_page};
use super::holding::{Changes, Holding, Holdings, Rows, Table};
use super::pages::Draft;
use super::prefix::{Bits, Prefix};
use crate::cbor;
use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::id::party::PartyId;
use crate::limits::{HOLDINGS_PER_BUCKET_MAX, REGISTRANTS_MAX};
use crate::message::Tag;
use crate::primitives::Secret;
use crate::store::name::{self, Kind};
use crate::store::{Seat, StoreError};

/// A book in the making. After an error it is worthless, and so are its drafts.
#[derive(Debug)]
pub struct Merge {
    previous: Option<Book>,
    /// The next page of the previous book.
    next_old: u32,
    /// What was read of it and is not written yet.
    old: Rows,
    changes: Peekable<btree_map::IntoIter<(Tag, PartyId), Holding>>,
    bits: Bits,
    /// The next page of the new book.
    next: u32,
    table: Table,
    /// Whether the previous book has the very same table, so that its pages can be taken as they are.
    same_table: bool,
    public: Draft,
    own: Draft,
    pages: Vec<PageEntry>,
    lens: Vec<u32>,
    cover: Secret,
    salt: Salt,
}

/// Why there is no next book.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The disk failed, or the previous book is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What would stand under a prefix is above the bounds: more bits are needed, or registrations should have been
    /// refused.
    #[error("more than a bucket may hold under prefix {} of {} bits", .0.value(), .0.bits().get())]
    Full(Prefix),
    /// More than [`REGISTRANTS_MAX`] registrants.
    #[error("more registrants than a directory may have")]
    TooManyRegistrants,
}

impl Merge {
    /// Begins a book for `seat`, with prefixes of `bits` bits, of what `previous` holds and of `changes`. `cover` seals
    /// the directory's own file, and the `dice` throw the salt of its keys.
    ///
    /// # Errors
    /// [`MergeError::TooManyRegistrants`].
    pub fn new(
        seat: Seat,
        previous: Option<Book>,
        changes: Changes,
        bits: Bits,
        cover: Secret,
        dice: &mut dyn CryptoRng,
    ) -> Result<Self, MergeError> {
        let mut table: Table = previous.as_ref().map(|book| book.registrants().table().clone()).unwrap_or_default();
        let mut new = BTreeSet::new();
        for (_tag, party) in changes.keys() {
            // Few registrants change many tags.
            if !new.contains(party) && table.binary_search_by(|known| known.as_ref().cmp(party)).is_err() {
                new.insert(party.clone());
            }
        }
        let same_table = new.is_empty();
        table.extend(new.into_iter().map(Arc::new));
        table.sort();
        if table.len() > REGISTRANTS_MAX {
            return Err(MergeError::TooManyRegistrants);
        }
        let mut salt = [0; 32];
        dice.fill_bytes(&mut salt);
        Ok(Self {
            previous,
            next_old: 0,
            old: Rows::new(),
            changes: changes.into_iter().peekable(),
            bits,
            next: 0,
            table,
            same_table,
            public: Draft::new(name::of(Kind::BucketsDraft(seat))),
            own: Draft::new(name::of(Kind::RegistrantsDraft(seat))),
            pages: Vec::new(),
            lens: Vec::new(),
            cover,
            salt,
        })
    }

    /// Reads or writes up to `pages_max` pages; true once all are written.
    ///
    /// # Errors
    /// Those of the disk and of the previous book, [`MergeError::Full`].
    pub fn step(&mut self, disk: &mut dyn Disk, pages_max: usize) -> Result<bool, MergeError> {
        for _ in 0..pages_max {
            let Some(prefix) = Prefix::new(self.bits, self.next) else { return Ok(true) };
            match self.reaching(prefix) {
                Some(old) if old == prefix && self.is_untouched(prefix) => self.copy(disk, prefix)?,
                Some(old) => self.gather(disk, old, prefix)?,
                None => self.write(disk, prefix)?,
            }
        }
        Ok(self.next >= self.bits.count())
    }

    /// Closes and publishes both files: the public one first, so that no registrants are without their buckets. Only
    /// after [`Merge::step`] returned true.
    ///
    /// # Errors
    /// Those of the disk, [`StoreError::Stopped`] if not all is written.
    pub fn finish(self, disk: &mut dyn Disk) -> Result<Book, MergeError> {
        if self.next < self.bits.count() {
            return Err(StoreError::Stopped.into());
        }
        let contents = cbor::encode(&BucketsContents { bits: self.bits, pages: self.pages });
        let (public, buckets) = self.public.finish(disk, &contents, Kind::Buckets)?;
        let table = self.table.iter().map(|party| PartyId::clone(party)).collect();
        let contents = RegistrantsContents { buckets, salt: self.salt.into(), table, lens: self.lens };
        let (own, _digest) = self.own.finish(disk, &cbor::encode(&contents), Kind::Registrants)?;
        // Read back what a later process will find, contents and name held together.
        let files = disk.list().map_err(StoreError::Disk)?;
        let len = |wanted: &FileName| {
            let found = files.iter().find(|(file, _len)| file == wanted);
            found.map(|(_file, len)| *len).ok_or_else(|| StoreError::damaged(wanted, 0))
        };
        let buckets = Buckets::open(disk, &public, len(&public)?)?;
        let registrants = Registrants::open(disk, &own, len(&own)?, self.cover)?;
        Ok(Book::new(buckets, registrants)?)
    }

    /// The next page of the previous book, if anything on it can belong under `prefix`.
    fn reaching(&self, prefix: Prefix) -> Option<Prefix> {
        let bits = self.previous.as_ref()?.buckets().bits();
        Prefix::new(bits, self.next_old).filter(|old| old.least() <= prefix.greatest())
    }

    /// Whether the previous book's page of `prefix` is the new one's as well.
    fn is_untouched(&mut self, prefix: Prefix) -> bool {
        let changed = self.changes.peek().is_some_and(|((tag, _registrant), _word)| prefix.holds(tag));
        self.same_table && !changed
    }

    /// Takes a page over as it is.
    fn copy(&mut self, disk: &mut dyn Disk, prefix: Prefix) -> Result<(), MergeError> {
        let Some(previous) = &self.previous else { return Ok(()) };
        let public = previous.buckets().page(disk, prefix)?;
        let own = previous.registrants().page(disk, prefix)?;
        let count = previous.buckets().count(prefix).ok_or(StoreError::Unknown)?;
        self.next_old = self.next_old.saturating_add(1);
        self.put(disk, prefix, count, &public, &own)
    }

    /// Reads a page of the previous book.
    fn gather(&mut self, disk: &dyn Disk, old: Prefix, prefix: Prefix) -> Result<(), MergeError> {
        let Some(previous) = &self.previous else { return Ok(()) };
        self.old.extend(previous.read(disk, old)?.into_rows());
        self.next_old = self.next_old.saturating_add(1);
        // With fewer bits many pages come together under one prefix.
        if old.bits() > prefix.bits() && self.old.len() > HOLDINGS_PER_BUCKET_MAX {
            return Err(MergeError::Full(prefix));
        }
        Ok(())
    }

    /// Writes what stands under `prefix` now.
    fn write(&mut self, disk: &mut dyn Disk, prefix: Prefix) -> Result<(), MergeError> {
        let full = |_error: BucketError| MergeError::Full(prefix);
        let mut holdings = Holdings::of(prefix, self.rows_under(prefix));
        while let Some(((tag, registrant), word)) = self.changes.next_if(|((tag, _), _)| prefix.holds(tag)) {
            let place = self.table.binary_search_by(|known| known.as_ref().cmp(&registrant));
            let known = place.ok().and_then(|place| self.table.get(place)).ok_or(StoreError::Unknown)?;
            holdings.take(tag, Arc::clone(known), word).map_err(full)?;
        }
        let bucket = holdings.bucket().map_err(full)?;
        let own = holdings.page(&self.table).ok_or(StoreError::Unknown)?;
        let count = u16::try_from(bucket.entries().len()).map_err(|_error| MergeError::Full(prefix))?;
        self.put(disk, prefix, count, &bucket.encode(), &own)
    }

    /// What was read of the previous book and belongs under `prefix`.
    fn rows_under(&mut self, prefix: Prefix) -> Rows {
        let last = self.old.last_key_value().is_none_or(|((tag, _registrant), _word)| prefix.holds(tag));
        if last {
            return core::mem::take(&mut self.old);
        }
        let mut rows = Rows::new();
        while let Some(first) = self.old.first_entry().filter(|first| prefix.holds(&first.key().0)) {
            let (key, word) = first.remove_entry();
            rows.insert(key, word);
        }
        rows
    }

    fn put(
        &mut self,
        disk: &mut dyn Disk,
        prefix: Prefix,
        entries: u16,
        public: &[u8],
        own: &[u8],
    ) -> Result<(), MergeError> {
        let len = self.public.add(disk, public)?;
        self.pages.push(PageEntry { len, entries, digest: Digest::of(public) });
        self.lens.push(self.own.add(disk, &cover_page(&self.cover, &self.salt, prefix, own))?);
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}
