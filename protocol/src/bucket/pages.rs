//! The frame of a book of buckets: pages one behind another in one file, then its contents, then a foot. The digest of
//! the contents is the file's name. Knows nothing of what is on a page.

use crate::digest::Digest;
use crate::disk::{Disk, FileName};
use crate::store::StoreError;
use crate::store::name::{self, Kind};

/// What stands at the end: length and digest of the contents, and a word.
const FOOT_BYTES: usize = 8 + 32 + 4;
const MAGIC: &[u8; 4] = b"tsk1";
/// So many bytes of a draft wait for the disk at most: a sync of gigabytes at the end would hold up every commit.
const UNSYNCED_BYTES_MAX: u64 = 16 << 20;

/// Where pages lie: eight bytes for each.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Behind the last byte of each.
    ends: Vec<u64>,
}

/// A file in the making.
#[derive(Debug)]
pub(super) struct Draft {
    file: FileName,
    at: u64,
    synced: u64,
    begun: bool,
}

/// The contents of a file, held against their digest and its name; and where the pages end.
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) at: u64,
}

impl Places {
    /// Of pages of these lengths, in bytes, which end at `end`. `None` if they end elsewhere.
    pub(super) fn new(lens: impl Iterator<Item = u32>, end: u64) -> Option<Self> {
        let mut at = 0_u64;
        let mut ends = Vec::with_capacity(lens.size_hint().0);
        for len in lens {
            at = at.checked_add(u64::from(len))?;
            ends.push(at);
        }
        (at == end).then_some(Self { ends })
    }

    /// How many pages there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a page, and where they begin.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such page, or those of the disk.
    pub(super) fn read(&self, disk: &dyn Disk, file: &FileName, page: usize) -> Result<(u64, Vec<u8>), StoreError> {
        let end = *self.ends.get(page).ok_or(StoreError::Unknown)?;
        let before = page.checked_sub(1).and_then(|before| self.ends.get(before));
        let at = before.copied().unwrap_or(0);
        let len = usize::try_from(end.saturating_sub(at)).map_err(|_error| StoreError::TooLong)?;
        Ok((at, disk.read(file, at, len).map_err(|error| StoreError::of_read(file, at, error))?))
    }
}

impl Draft {
    pub(super) const fn new(file: FileName) -> Self {
        Self { file, at: 0, synced: 0, begun: false }
    }

    /// Adds a page and says how long it is. The first removes what an earlier attempt left.
    ///
    /// # Errors
    /// Those of the disk, [`StoreError::Damaged`] if somebody else writes there. The draft is then worthless.
    pub(super) fn add(&mut self, disk: &mut dyn Disk, bytes: &[u8]) -> Result<u32, StoreError> {
        let len = u32::try_from(bytes.len()).map_err(|_error| StoreError::TooLong)?;
        if !self.begun {
            disk.remove(&self.file).map_err(StoreError::Disk)?;
            self.begun = true;
        }
        let at = disk.append(&self.file, bytes).map_err(StoreError::Disk)?;
        if at != self.at {
            return Err(StoreError::damaged(&self.file, self.at));
        }
        self.at = self.at.saturating_add(u64::from(len));
        if self.at.saturating_sub(self.synced) >= UNSYNCED_BYTES_MAX {
            disk.sync(&self.file).map_err(StoreError::Disk)?;
            self.synced = self.at;
        }
        Ok(len)
    }

    /// Closes the draft with its contents and publishes it under their digest.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn finish(
        mut self,
        disk: &mut dyn Disk,
        contents: &[u8],
        kind: fn(Digest) -> Kind,
    ) -> Result<(FileName, Digest), StoreError> {
        let digest = Digest::of(contents);
        let mut bytes = contents.to_vec();
        bytes.extend_from_slice(&u64::try_from(contents.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(MAGIC);
        self.add(disk, &bytes)?;
        let file = name::of(kind(digest));
        disk.publish(&self.file, &file).map_err(StoreError::Disk)?;
        Ok((file, digest))
    }
}

/// Reads the contents of `file`, which is `len` bytes long.
///
/// # Errors
/// [`StoreError::Damaged`] if foot, contents and name do not belong together, or those of the disk.
pub(super) fn contents(
    disk: &dyn Disk,
    file: &FileName,
    len: u64,
    kind: fn(Digest) -> Kind,
) -> Result<Contents, StoreError> {
    let damaged = || StoreError::damaged(file, len);
    let read = |at, len| disk.read(file, at, len).map_err(|error| StoreError::of_read(file, at, error));
    let foot_at = len.checked_sub(u64::try_from(FOOT_BYTES).unwrap_or(u64::MAX)).ok_or_else(damaged)?;
    let foot = read(foot_at, FOOT_BYTES)?;
    let (contents_len, digest) = foot_of(&foot).ok_or_else(damaged)?;
    let at = foot_at.checked_sub(contents_len).ok_or_else(damaged)?;
    let bytes = read(at, usize::try_from(contents_len).map_err(|_error| damaged())?)?;
    if Digest::of(&bytes) != digest || name::of(kind(digest)) != *file {
        return Err(damaged());
    }
    Ok(Contents { bytes, digest, at })
}

fn foot_of(foot: &[u8]) -> Option<(u64, Digest)> {
    let (len, rest) = foot.split_first_chunk::<8>()?;
    let (digest, magic) = rest.split_first_chunk::<32>()?;
    (magic == MAGIC).then(|| (u64::from_be_bytes(*len), Digest::from_bytes(*digest)))
}
