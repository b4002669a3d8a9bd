//! Books (帳簿): sorted rows in one immutable, paged file that is named by its digest.
//!
//! Every page has its digest in the page index, the page index has one digest, and that is the book's.
//! A book is made by merging an earlier one with changes, a few pages at a time, into a draft that is
//! then published. Knows nothing of what the rows mean. Holds the page index in memory, never the rows.

use std::collections::VecDeque;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::index::{Changes, Row};
use crate::primitives::{self, Secret};
use crate::store::StoreError;
use crate::store::name::{self, Kind};
use crate::store::tally::{self, Tally};

/// A page is closed once it has this many bytes.
pub const PAGE_BYTES: usize = 16 << 10;

/// What stands at the end of the file: length and digest of the contents page before it, and a word.
const FOOT_BYTES: usize = 8 + 32 + 4;
const MAGIC: &[u8; 4] = b"tsb1";
const SALT_BYTES: usize = 32;
/// In place of a page's number, when the page index is sealed.
const CONTENTS: u64 = u64::MAX;

/// An open book: its name, and where its pages are.
#[derive(Clone, Debug)]
pub struct Book {
    file: FileName,
    digest: Digest,
    contents: Contents,
    cover: Option<Secret>,
    /// What page keys are derived with.
    salt: [u8; SALT_BYTES],
}

/// The page index, with what the maker wrote into the book beside the rows.
#[derive(Clone, Debug, Encode, Decode)]
struct Contents {
    #[n(0)]
    pages: Vec<Page>,
    #[n(1)]
    tally: Tally,
    /// The maker's own words.
    #[n(2)]
    about: ByteVec,
}

#[derive(Clone, Debug, Encode, Decode)]
struct Page {
    /// The first key on it.
    #[n(0)]
    first: ByteVec,
    #[n(1)]
    at: u64,
    #[n(2)]
    len: u32,
    /// Of the page's bytes as they stand in the file.
    #[n(3)]
    digest: Digest,
}

/// A book in the making.
#[derive(Debug)]
pub struct Merge {
    previous: Option<Book>,
    /// The next page of the previous book.
    next: usize,
    old: VecDeque<Row>,
    changes: std::collections::btree_map::IntoIter<Vec<u8>, Option<Vec<u8>>>,
    change: Option<(Vec<u8>, Option<Vec<u8>>)>,
    draft: FileName,
    at: u64,
    page: Vec<Row>,
    page_bytes: usize,
    contents: Contents,
    cover: Option<Secret>,
    salt: [u8; SALT_BYTES],
    begun: bool,
}

impl Book {
    /// Opens a book, its page index held against its digest and its name. `cover` opens sealed pages.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not whole, or those of the disk.
    pub fn open(disk: &dyn Disk, file: &FileName, len: u64, cover: Option<Secret>) -> Result<Self, StoreError> {
        let damaged = || StoreError::damaged(file, len);
        let foot_at = len.checked_sub(len_u64(FOOT_BYTES)).ok_or_else(damaged)?;
        let read = |at, len| disk.read(file, at, len).map_err(|error| StoreError::of_read(file, at, error));
        let foot = read(foot_at, FOOT_BYTES)?;
        let (contents_len, digest) = foot_of(&foot).ok_or_else(damaged)?;
        let contents_at = foot_at.checked_sub(contents_len).ok_or_else(damaged)?;
        let bytes = read(contents_at, usize::try_from(contents_len).map_err(|_error| damaged())?)?;
        if Digest::of(&bytes) != digest || name::of(Kind::Book(digest)) != *file {
            return Err(damaged());
        }
        let (salt, sealed) = bytes.split_first_chunk::<SALT_BYTES>().ok_or_else(damaged)?;
        let plain = uncovered(cover.as_ref(), salt, CONTENTS, sealed.to_vec()).ok_or_else(damaged)?;
        let contents = minicbor::decode(&plain).map_err(|_error| damaged())?;
        Ok(Self { file: file.clone(), digest, contents, cover, salt: *salt })
    }

    /// Its file.
    pub const fn file(&self) -> &FileName {
        &self.file
    }

    /// Its digest: of the page index, which has the digest of every page.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many rows it has, and their order-free digest.
    pub const fn tally(&self) -> Tally {
        self.contents.tally
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.contents.pages.len()
    }

    /// What its maker wrote into it beside the rows.
    pub fn about(&self) -> &[u8] {
        &self.contents.about
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if its page is.
    pub fn get(&self, disk: &dyn Disk, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(number) = self.page_of(key) else { return Ok(None) };
        let rows = self.page(disk, number)?;
        Ok(rows.into_iter().find(|(stored, _value)| stored == key).map(|(_key, value)| value))
    }

    /// The first `rows_max` rows with `from <= key < to`, in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a page is.
    pub fn range(&self, disk: &dyn Disk, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for number in self.page_of(from).unwrap_or_default()..self.pages() {
            for row in self.page(disk, number)? {
                if row.0.as_slice() >= to || found.len() >= rows_max {
                    return Ok(found);
                }
                if row.0.as_slice() >= from {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    /// All rows of one page, in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the page is, [`StoreError::Unknown`] if there is none of that number.
    pub fn page(&self, disk: &dyn Disk, number: usize) -> Result<Vec<Row>, StoreError> {
        let page = self.contents.pages.get(number).ok_or(StoreError::Unknown)?;
        let damaged = || StoreError::damaged(&self.file, page.at);
        let len = usize::try_from(page.len).map_err(|_error| damaged())?;
        let bytes =
            disk.read(&self.file, page.at, len).map_err(|error| StoreError::of_read(&self.file, page.at, error))?;
        if Digest::of(&bytes) != page.digest {
            return Err(damaged());
        }
        let plain = uncovered(self.cover.as_ref(), &self.salt, len_u64(number), bytes).ok_or_else(damaged)?;
        let rows: Vec<(ByteVec, ByteVec)> = minicbor::decode(&plain).map_err(|_error| damaged())?;
        Ok(rows.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The page on which `key` would stand; `None` if it comes before all.
    fn page_of(&self, key: &[u8]) -> Option<usize> {
        self.contents.pages.partition_point(|page| page.first.as_slice() <= key).checked_sub(1)
    }
}

impl Merge {
    /// Begins a book of the rows of `previous` with `changes`, in the file `draft`. `about` goes into it
    /// beside the rows. With a `cover` the pages are sealed; then `salt` must name what the book holds
    /// (two books of one salt must be the same book), since it makes the keys.
    pub fn new(
        previous: Option<Book>,
        changes: Changes,
        draft: FileName,
        about: &[u8],
        cover: Option<Secret>,
        salt: Digest,
    ) -> Self {
        let contents = Contents { pages: Vec::new(), tally: Tally::default(), about: about.to_vec().into() };
        let mut changes = changes.into_iter();
        Self {
            previous,
            next: 0,
            old: VecDeque::new(),
            change: changes.next(),
            changes,
            draft,
            at: 0,
            page: Vec::new(),
            page_bytes: 0,
            contents,
            cover,
            salt: *salt.as_bytes(),
            begun: false,
        }
    }

    /// Writes up to `pages_max` pages; true once all rows are written.
    ///
    /// # Errors
    /// Those of the disk and of the previous book. The draft is then worthless.
    pub fn step(&mut self, disk: &mut dyn Disk, pages_max: usize) -> Result<bool, StoreError> {
        if !self.begun {
            disk.remove(&self.draft).map_err(StoreError::Disk)?;
            self.begun = true;
        }
        let until = self.contents.pages.len().saturating_add(pages_max);
        while self.contents.pages.len() < until {
            let Some(row) = self.next_row(disk)? else {
                self.close_page(disk)?;
                return Ok(true);
            };
            self.contents.tally.add(tally::row(&row.0, &row.1));
            self.page_bytes = self.page_bytes.saturating_add(row.0.len()).saturating_add(row.1.len()).saturating_add(8);
            self.page.push(row);
            if self.page_bytes >= PAGE_BYTES {
                self.close_page(disk)?;
            }
        }
        Ok(false)
    }

    /// How many rows were written, and their order-free digest.
    pub const fn tally(&self) -> Tally {
        self.contents.tally
    }

    /// Closes the draft and publishes it under its digest. Only after [`Merge::step`] returned true.
    ///
    /// # Errors
    /// Those of the disk, [`StoreError::Stopped`] if not all rows are written.
    pub fn finish(self, disk: &mut dyn Disk) -> Result<Book, StoreError> {
        if !self.begun || self.change.is_some() || !self.old.is_empty() || !self.page.is_empty() {
            return Err(StoreError::Stopped);
        }
        let mut bytes = self.salt.to_vec();
        bytes.extend(covered(self.cover.as_ref(), &self.salt, CONTENTS, crate::cbor::encode(&self.contents)));
        let digest = Digest::of(&bytes);
        let len = len_u64(bytes.len());
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(MAGIC);
        disk.append(&self.draft, &bytes).map_err(StoreError::Disk)?;
        let file = name::of(Kind::Book(digest));
        disk.publish(&self.draft, &file).map_err(StoreError::Disk)?;
        Ok(Book { file, digest, contents: self.contents, cover: self.cover, salt: self.salt })
    }

    /// The next row of the new book: a change beats the old row of the same key.
    fn next_row(&mut self, disk: &dyn Disk) -> Result<Option<Row>, StoreError> {
        loop {
            self.refill(disk)?;
            let old_first = match (self.old.front(), &self.change) {
                (Some((old, _value)), Some((changed, _new))) if old == changed => {
                    self.old.pop_front();
                    false
                }
                (Some((old, _value)), Some((changed, _new))) => old < changed,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if old_first {
                return Ok(self.old.pop_front());
            }
            match core::mem::replace(&mut self.change, self.changes.next()) {
                Some((key, Some(value))) => return Ok(Some((key, value))),
                Some((_key, None)) => {}
                None => return Ok(None),
            }
        }
    }

    fn refill(&mut self, disk: &dyn Disk) -> Result<(), StoreError> {
        let Some(previous) = &self.previous else { return Ok(()) };
        while self.old.is_empty() && self.next < previous.pages() {
            self.old = previous.page(disk, self.next)?.into();
            self.next = self.next.saturating_add(1);
        }
        Ok(())
    }

    fn close_page(&mut self, disk: &mut dyn Disk) -> Result<(), StoreError> {
        let rows: Vec<(ByteVec, ByteVec)> =
            core::mem::take(&mut self.page).into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let Some((first, _value)) = rows.first() else { return Ok(()) };
        let first = first.clone();
        let number = len_u64(self.contents.pages.len());
        let bytes = covered(self.cover.as_ref(), &self.salt, number, crate::cbor::encode(&rows));
        let len = u32::try_from(bytes.len()).map_err(|_error| StoreError::TooLong)?;
        let at = disk.append(&self.draft, &bytes).map_err(StoreError::Disk)?;
        if at != self.at {
            return Err(StoreError::damaged(&self.draft, self.at));
        }
        self.contents.pages.push(Page { first, at, len, digest: Digest::of(&bytes) });
        self.at = self.at.saturating_add(u64::from(len));
        self.page_bytes = 0;
        Ok(())
    }
}

fn foot_of(foot: &[u8]) -> Option<(u64, Digest)> {
    let (len, rest) = foot.split_first_chunk::<8>()?;
    let (digest, magic) = rest.split_first_chunk::<32>()?;
    (magic == MAGIC).then(|| (u64::from_be_bytes(*len), Digest::from_bytes(*digest)))
}

fn page_key(cover: &Secret, salt: &[u8; SALT_BYTES], number: u64) -> Secret {
    let mut info = b"tsunagi book page".to_vec();
    info.extend_from_slice(&number.to_be_bytes());
    primitives::derive(cover.expose(), salt, &info)
}

fn covered(cover: Option<&Secret>, salt: &[u8; SALT_BYTES], number: u64, plain: Vec<u8>) -> Vec<u8> {
    match cover {
        Some(cover) => primitives::seal(&page_key(cover, salt, number), &[], &plain),
        None => plain,
    }
}

fn uncovered(cover: Option<&Secret>, salt: &[u8; SALT_BYTES], number: u64, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match cover {
        Some(cover) => primitives::open(&page_key(cover, salt, number), &[], &bytes).ok(),
        None => Some(bytes),
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
