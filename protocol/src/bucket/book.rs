//! Books of buckets (区画帳): one generation of a directory on disk, in two files. *Buckets* are for everybody: every bucket
//! in the order of its prefix. *Registrants* are the directory's own: who registered what is in them, page by page, sealed
//! for its disk. Opening reads the contents only; a page is held against its digest, or its seal, whenever it is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::Bucket;
use super::delta::Delta;
use super::holding::{Holdings, Table};
use super::pages::{self, Places};
use super::prefix::{Bits, Prefix};
use super::tree::{Digests, leaf};
use crate::cbor;
use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::id::party::PartyId;
use crate::primitives::{self, Secret};
use crate::store::StoreError;
use crate::store::name::{self, Kind};

/// The public file, open: 42 bytes in memory for each prefix.
#[derive(Clone, Debug)]
pub struct Buckets {
    file: FileName,
    digest: Digest,
    bits: Bits,
    places: Places,
    digests: Vec<Digest>,
    counts: Vec<u16>,
}

/// The directory's own file, open: 8 bytes in memory for each prefix.
#[derive(Clone, Debug)]
pub struct Registrants {
    file: FileName,
    /// The public file it belongs to.
    buckets: Digest,
    table: Table,
    places: Places,
    cover: Secret,
    /// What page keys are derived with.
    salt: Salt,
}

/// One generation, as a directory has it.
#[derive(Clone, Debug)]
pub struct Book {
    buckets: Buckets,
    registrants: Registrants,
}

pub(super) type Salt = [u8; 32];

/// The contents of the public file.
#[derive(Debug, Encode, Decode)]
pub(super) struct BucketsContents {
    #[n(0)]
    pub(super) bits: Bits,
    /// In the order of their prefixes.
    #[n(1)]
    pub(super) pages: Vec<PageEntry>,
}

/// One page of the public file.
#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(super) struct PageEntry {
    /// Its bytes.
    #[n(0)]
    pub(super) len: u32,
    /// Its entries.
    #[n(1)]
    pub(super) entries: u16,
    #[n(2)]
    pub(super) digest: Digest,
}

/// The contents of the directory's own file.
#[derive(Debug, Encode, Decode)]
pub(super) struct RegistrantsContents {
    #[n(0)]
    pub(super) buckets: Digest,
    #[n(1)]
    pub(super) salt: ByteArray<32>,
    #[n(2)]
    pub(super) table: Vec<PartyId>,
    /// The bytes of each page.
    #[n(3)]
    pub(super) lens: Vec<u32>,
}

impl Buckets {
    /// Opens a public file, its contents held against their digest and its name.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not whole, or those of the disk.
    pub fn open(disk: &dyn Disk, file: &FileName, len: u64) -> Result<Self, StoreError> {
        let damaged = || StoreError::damaged(file, len);
        let found = pages::contents(disk, file, len, Kind::Buckets)?;
        let BucketsContents { bits, pages } = cbor::decode(&found.bytes).map_err(|_error| damaged())?;
        if u32::try_from(pages.len()) != Ok(bits.count()) {
            return Err(damaged());
        }
        let places = Places::new(pages.iter().map(|page| page.len), found.at).ok_or_else(damaged)?;
        let (digests, counts) = pages.into_iter().map(|page| (page.digest, page.entries)).unzip();
        Ok(Self { file: file.clone(), digest: found.digest, bits, places, digests, counts })
    }

    /// Its file.
    pub const fn file(&self) -> &FileName {
        &self.file
    }

    /// Its digest: of the contents, which have the digest of every bucket.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bits the prefixes have.
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// How many entries it has.
    pub fn entries(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    /// The digest of the bucket of `prefix`; `None` if the prefix has other bits.
    pub fn page_digest(&self, prefix: Prefix) -> Option<Digest> {
        self.digests.get(prefix.index()).copied().filter(|_digest| prefix.bits() == self.bits)
    }

    /// How many entries the bucket of `prefix` has; `None` if the prefix has other bits.
    pub fn count(&self, prefix: Prefix) -> Option<u16> {
        self.counts.get(prefix.index()).copied().filter(|_count| prefix.bits() == self.bits)
    }

    /// The bytes of the bucket of `prefix`, held against their digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if they are not those, [`StoreError::Unknown`] if the prefix has other bits.
    pub fn page(&self, disk: &dyn Disk, prefix: Prefix) -> Result<Vec<u8>, StoreError> {
        let digest = self.page_digest(prefix).ok_or(StoreError::Unknown)?;
        let (at, bytes) = self.places.read(disk, &self.file, prefix.index())?;
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(StoreError::damaged(&self.file, at)) }
    }

    /// The bucket of `prefix`.
    ///
    /// # Errors
    /// Those of [`Buckets::page`].
    pub fn read(&self, disk: &dyn Disk, prefix: Prefix) -> Result<Bucket, StoreError> {
        let bytes = self.page(disk, prefix)?;
        let bucket = Bucket::decode(&bytes).ok().filter(|bucket| {
            let count = self.count(prefix).map(usize::from);
            bucket.prefix() == prefix && Some(bucket.entries().len()) == count
        });
        bucket.ok_or_else(|| StoreError::damaged(&self.file, 0))
    }

    /// The tree over its buckets, as long as nothing has changed.
    pub fn tree(&self) -> Option<Digests> {
        let pages = self.bits.prefixes().zip(self.digests.iter().zip(&self.counts));
        let leaves = pages.map(|(prefix, (digest, count))| (leaf(*digest, Delta::none(prefix).digest()), *count));
        Digests::new(self.bits, leaves)
    }
}

impl Registrants {
    /// Opens a directory's own file, its contents held against their digest and its name. `cover` opens its pages.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not whole, or those of the disk.
    pub fn open(disk: &dyn Disk, file: &FileName, len: u64, cover: Secret) -> Result<Self, StoreError> {
        let damaged = || StoreError::damaged(file, len);
        let found = pages::contents(disk, file, len, Kind::Registrants)?;
        let RegistrantsContents { buckets, salt, table, lens } =
            cbor::decode(&found.bytes).map_err(|_error| damaged())?;
        let places = Places::new(lens.into_iter(), found.at).ok_or_else(damaged)?;
        let table = table.into_iter().map(Arc::new).collect();
        Ok(Self { file: file.clone(), buckets, table, places, cover, salt: salt.into() })
    }

    /// Its file.
    pub const fn file(&self) -> &FileName {
        &self.file
    }

    /// Everybody who registered anything in it, ascending.
    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    /// A page as it was before it was sealed.
    pub(super) fn page(&self, disk: &dyn Disk, prefix: Prefix) -> Result<Vec<u8>, StoreError> {
        let (at, sealed) = self.places.read(disk, &self.file, prefix.index())?;
        let key = page_key(&self.cover, &self.salt, prefix);
        primitives::open(&key, &[], &sealed).map_err(|_broken| StoreError::damaged(&self.file, at))
    }
}

impl Book {
    /// Puts the two files of one generation together.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if they are of different generations.
    pub fn new(buckets: Buckets, registrants: Registrants) -> Result<Self, StoreError> {
        if registrants.buckets != buckets.digest || registrants.places.count() != buckets.places.count() {
            return Err(StoreError::damaged(&registrants.file, 0));
        }
        Ok(Self { buckets, registrants })
    }

    /// What everybody may have.
    pub const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// What is the directory's own.
    pub const fn registrants(&self) -> &Registrants {
        &self.registrants
    }

    /// Who registered what under `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if either page is, [`StoreError::Unknown`] if the prefix has other bits.
    pub fn read(&self, disk: &dyn Disk, prefix: Prefix) -> Result<Holdings, StoreError> {
        let bucket = self.buckets.read(disk, prefix)?;
        let page = self.registrants.page(disk, prefix)?;
        Holdings::read(bucket, &page, &self.registrants.table)
            .ok_or_else(|| StoreError::damaged(&self.registrants.file, 0))
    }
}

/// Seals a page of the directory's own file.
pub(super) fn cover_page(cover: &Secret, salt: &Salt, prefix: Prefix, page: &[u8]) -> Vec<u8> {
    primitives::seal(&page_key(cover, salt, prefix), &[], page)
}

/// Removes every file of buckets but those `kept`, drafts too, so that what was withdrawn or replaced lies nowhere any
/// more. Not while a merge is under way on that disk.
///
/// # Errors
/// Those of the disk.
pub fn remove_all_but(disk: &mut dyn Disk, kept: &BTreeSet<FileName>) -> Result<(), StoreError> {
    for (file, _len) in disk.list().map_err(StoreError::Disk)? {
        if name::is_of_buckets(&file) && !kept.contains(&file) {
            disk.remove(&file).map_err(StoreError::Disk)?;
        }
    }
    Ok(())
}

fn page_key(cover: &Secret, salt: &Salt, prefix: Prefix) -> Secret {
    let mut info = b"tsunagi registrants page".to_vec();
    info.extend_from_slice(&prefix.value().to_be_bytes());
    primitives::derive(cover.expose(), salt, &info)
}
