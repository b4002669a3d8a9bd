//! The journal (仕訳): one record for each commit, in segments that only grow.
//!
//! A record has a header in clear (length, sequence, digest of the record before it, salt), a payload
//! sealed under a key of its own and a SHA-256 over both, which is the link the next record names. So
//! a copy can be followed and checked without a key, and whatever was taken out, turned round or
//! flipped shows. Knows nothing of what the payload means.

use crate::digest::Digest;
use crate::disk::{Disk, DiskError, FileName};
use crate::primitives::{self, Secret};
use crate::store::StoreError;
use crate::store::name::{self, Kind};

/// A segment this long, in bytes, takes no more records.
pub const SEGMENT_BYTES: u64 = 32 << 20;
/// The length of a record's header, in bytes.
pub const HEADER_BYTES: usize = 64;
/// The length of the salt in a header, in bytes.
pub const SALT_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"tsj1";
const DIGEST_BYTES: usize = 32;

/// The place behind the last record: where the next one goes and what it must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Number of the last commit; 0 before the first.
    pub sequence: u64,
    /// Digest of the last record; zeros before the first.
    pub digest: Digest,
}

/// The end of the journal, ready to take the next record.
#[derive(Debug)]
pub struct Journal {
    secret: Secret,
    segment: u64,
    len: u64,
    link: Link,
}

/// A record as it was read, its payload open.
pub struct Opened {
    /// The place behind this record.
    pub link: Link,
    /// What was sealed.
    pub payload: Vec<u8>,
}

impl Link {
    /// Before the first record.
    pub const START: Self = Self { sequence: 0, digest: Digest::from_bytes([0; 32]) };
}

impl Journal {
    /// Goes on behind `link`, in segment number `segment`, which is `len` bytes long.
    pub const fn new(secret: Secret, segment: u64, len: u64, link: Link) -> Self {
        Self { secret, segment, len, link }
    }

    /// The place behind the last record.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// The number of the segment that takes the next record.
    pub const fn segment(&self) -> u64 {
        self.segment
    }

    /// Bytes of records in the segments from number `first` on, whole segments counted at their usual length.
    pub fn bytes_since(&self, first: u64) -> u64 {
        self.segment.saturating_sub(first).saturating_mul(SEGMENT_BYTES).saturating_add(self.len)
    }

    /// Whether the current segment holds nothing.
    pub const fn is_fresh(&self) -> bool {
        self.len == 0
    }

    /// Begins a new segment with the next record.
    pub const fn turn_over(&mut self) {
        if self.len > 0 {
            self.segment = self.segment.saturating_add(1);
            self.len = 0;
        }
    }

    /// Seals `payload`, appends it and syncs once. When this returns, the record is durable. `salt` is
    /// fresh, so that a number used again after a torn end repeats no key.
    ///
    /// # Errors
    /// Those of the disk; the caller stops and opens again.
    pub fn append(&mut self, disk: &mut dyn Disk, payload: &[u8], salt: [u8; SALT_BYTES]) -> Result<(), DiskError> {
        if self.len >= SEGMENT_BYTES {
            self.turn_over();
        }
        let sequence = self.link.sequence.saturating_add(1);
        let sealed_len = payload.len().saturating_add(primitives::TAG_BYTES);
        let len = u32::try_from(sealed_len).map_err(|_error| DiskError::Failed("a record of 4 GiB".to_owned()))?;
        let mut record = Vec::with_capacity(HEADER_BYTES.saturating_add(sealed_len).saturating_add(DIGEST_BYTES));
        record.extend_from_slice(MAGIC);
        record.extend_from_slice(&len.to_be_bytes());
        record.extend_from_slice(&sequence.to_be_bytes());
        record.extend_from_slice(self.link.digest.as_bytes());
        record.extend_from_slice(&salt);
        let key = record_key(&self.secret, self.segment, sequence, &salt);
        let sealed = primitives::seal(&key, &record, payload);
        record.extend_from_slice(&sealed);
        let digest = Digest::of(&record);
        record.extend_from_slice(digest.as_bytes());

        let file = name::of(Kind::Journal(self.segment));
        disk.append(&file, &record)?;
        disk.sync(&file)?;
        self.len = self.len.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
        self.link = Link { sequence, digest };
        Ok(())
    }
}

/// One segment in memory, read record by record.
pub struct Segment {
    file: FileName,
    number: u64,
    bytes: Vec<u8>,
    at: usize,
}

/// What stands at a place of a segment.
enum Found<'a> {
    Record { header: &'a [u8], sealed: &'a [u8], sequence: u64, previous: Digest, digest: Digest, len: usize },
    End,
    Broken,
}

impl Segment {
    /// Reads segment number `number`, which is `len` bytes long.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn read(disk: &dyn Disk, number: u64, len: u64) -> Result<Self, StoreError> {
        let file = name::of(Kind::Journal(number));
        let wanted = usize::try_from(len).map_err(|_error| StoreError::damaged(&file, 0))?;
        let bytes = disk.read(&file, 0, wanted).map_err(StoreError::Disk)?;
        Ok(Self { file, number, bytes, at: 0 })
    }

    /// The segment's file.
    pub const fn file(&self) -> &FileName {
        &self.file
    }

    /// The offset of the next record, in bytes.
    pub fn offset(&self) -> u64 {
        u64::try_from(self.at).unwrap_or(u64::MAX)
    }

    /// Whether the bytes from here on can be the torn end of one append that was never acknowledged:
    /// not a whole record, and no whole record behind them.
    pub fn is_torn_here(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        matches!(find(rest), Found::Broken)
            && !(1..rest.len()).any(|skip| {
                let later = rest.get(skip..).unwrap_or_default();
                later.starts_with(MAGIC) && matches!(find(later), Found::Record { .. })
            })
    }

    /// Goes past the record that comes next without opening it; false if none whole comes.
    pub fn skip(&mut self) -> bool {
        let Found::Record { len, .. } = find(self.bytes.get(self.at..).unwrap_or_default()) else { return false };
        self.at = self.at.saturating_add(len);
        true
    }

    /// The sequence number and the link named by the record that comes next; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what comes is not a whole record.
    pub fn peek(&self) -> Result<Option<Link>, StoreError> {
        match find(self.bytes.get(self.at..).unwrap_or_default()) {
            Found::Record { sequence, previous, .. } => {
                Ok(Some(Link { sequence: sequence.saturating_sub(1), digest: previous }))
            }
            Found::End => Ok(None),
            Found::Broken => Err(StoreError::damaged(&self.file, self.offset())),
        }
    }

    /// Opens the record that comes next, if it names `link`; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what comes is not a whole record, names another link, or does not open.
    pub fn next(&mut self, secret: &Secret, link: Link) -> Result<Option<Opened>, StoreError> {
        let damaged = || StoreError::damaged(&self.file, self.offset());
        match find(self.bytes.get(self.at..).unwrap_or_default()) {
            Found::End => Ok(None),
            Found::Broken => Err(damaged()),
            Found::Record { header, sealed, sequence, previous, digest, len } => {
                if sequence.checked_sub(1) != Some(link.sequence) || previous != link.digest {
                    return Err(damaged());
                }
                let salt = header.get(HEADER_BYTES.saturating_sub(SALT_BYTES)..).unwrap_or_default();
                let key = record_key(secret, self.number, sequence, salt);
                let payload = primitives::open(&key, header, sealed).map_err(|_error| damaged())?;
                self.at = self.at.saturating_add(len);
                Ok(Some(Opened { link: Link { sequence, digest }, payload }))
            }
        }
    }
}

fn record_key(secret: &Secret, segment: u64, sequence: u64, salt: &[u8]) -> Secret {
    let mut place = Vec::with_capacity(16 + SALT_BYTES);
    place.extend_from_slice(&segment.to_be_bytes());
    place.extend_from_slice(&sequence.to_be_bytes());
    place.extend_from_slice(salt);
    primitives::derive(secret.expose(), &place, b"tsunagi journal record")
}

fn find(bytes: &[u8]) -> Found<'_> {
    if bytes.is_empty() { Found::End } else { whole(bytes).unwrap_or(Found::Broken) }
}

fn whole(bytes: &[u8]) -> Option<Found<'_>> {
    let header = bytes.get(..HEADER_BYTES)?;
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (sealed_len, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (previous, _salt) = rest.split_first_chunk::<32>()?;
    let sealed_len = usize::try_from(u32::from_be_bytes(*sealed_len)).ok()?;
    let covered = HEADER_BYTES.checked_add(sealed_len)?;
    let sealed = bytes.get(HEADER_BYTES..covered)?;
    let (digest, _later) = bytes.get(covered..)?.split_first_chunk::<DIGEST_BYTES>()?;
    let digest = Digest::from_bytes(*digest);
    if magic != MAGIC || Digest::of(bytes.get(..covered)?) != digest {
        return None;
    }
    let sequence = u64::from_be_bytes(*sequence);
    let len = covered.checked_add(DIGEST_BYTES)?;
    Some(Found::Record { header, sealed, sequence, previous: Digest::from_bytes(*previous), digest, len })
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opened").field("link", &self.link).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Segment {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Segment").field("file", &self.file).field("at", &self.at).finish_non_exhaustive()
    }
}
