//! Buckets (区画): the public part of a directory, cut by the first bits of the tags, so that whoever asks for one
//! entry asks for some five hundred.
//!
//! A bucket is immutable and has one byte string; what changed since is its delta; the tree over both is what a
//! directory commits to. Nothing public here names a registrant. Decides nothing about who may register or ask.

pub mod book;
pub mod delta;
pub mod holding;
pub mod merge;
pub mod prefix;
pub mod shown;
pub mod tree;

mod pages;

use minicbor::{Decode, Encode};

use prefix::Prefix;

use crate::cbor;
use crate::digest::Digest;
use crate::limits::{BUCKET_BYTES_MAX, BUCKET_ENTRIES_MAX, SEALED_BYTES_MAX};
use crate::message::Tag;

/// What everybody may see of an entry (封緘した所在): ordered by tag, number, value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SealedEntry {
    /// Where it stands.
    #[n(0)]
    pub tag: Tag,
    /// Its registrant's number for it.
    #[n(1)]
    pub number: u64,
    /// The sealed value, at most [`SEALED_BYTES_MAX`] bytes.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// The entries under one prefix (区画), strictly ascending, at most [`BUCKET_ENTRIES_MAX`]. Two of one tag are two
/// claims.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Bucket {
    #[n(0)]
    prefix: Prefix,
    #[n(1)]
    entries: Vec<SealedEntry>,
}

/// Why bytes from somebody else are not what a directory may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// More bytes than a bucket, a delta or a sealed value may have.
    #[error("too long")]
    TooLong,
    /// More entries than a bucket may have.
    #[error("too many entries under one prefix")]
    TooMany,
    /// Not the deterministic encoding of a bucket or a delta.
    #[error("not the deterministic encoding of a bucket")]
    Malformed,
    /// Entries or places that do not strictly ascend.
    #[error("not in order, or doubled")]
    Unsorted,
    /// An entry, a delta or a bucket of another prefix.
    #[error("of another prefix")]
    Foreign,
    /// The delta takes out what is not there, or puts in what was there.
    #[error("the delta does not fit the bucket")]
    Unfitting,
    /// The path does not lead from bucket and delta to the root.
    #[error("not what the directory committed to")]
    Uncommitted,
}

impl Bucket {
    /// Puts entries together that are in order and within bounds.
    ///
    /// # Errors
    /// [`BucketError::TooMany`], [`BucketError::TooLong`], [`BucketError::Unsorted`] or [`BucketError::Foreign`].
    pub fn new(prefix: Prefix, entries: Vec<SealedEntry>) -> Result<Self, BucketError> {
        check(prefix, &entries)?;
        Ok(Self { prefix, entries })
    }

    /// Reads what [`Bucket::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`BucketError::TooLong`], [`BucketError::Malformed`], or those of [`Bucket::new`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BucketError> {
        if bytes.len() > BUCKET_BYTES_MAX {
            return Err(BucketError::TooLong);
        }
        let Unchecked(prefix, entries) = cbor::decode(bytes).map_err(|_error| BucketError::Malformed)?;
        Self::new(prefix, entries)
    }

    /// Its one byte string, at most [`BUCKET_BYTES_MAX`] long.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_about(self, self.entries.len().saturating_mul(96).saturating_add(16))
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// What all its tags begin with.
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// All entries, in order.
    pub fn entries(&self) -> &[SealedEntry] {
        &self.entries
    }

    /// The entries that stand under `tag`.
    pub fn under(&self, tag: &Tag) -> &[SealedEntry] {
        let from = self.entries.partition_point(|entry| entry.tag < *tag);
        let to = self.entries.partition_point(|entry| entry.tag <= *tag);
        self.entries.get(from..to).unwrap_or_default()
    }

    /// All entries.
    pub fn into_entries(self) -> Vec<SealedEntry> {
        self.entries
    }
}

/// The bytes of a [`Bucket`] that nobody has checked.
#[derive(Encode, Decode)]
struct Unchecked(#[n(0)] Prefix, #[n(1)] Vec<SealedEntry>);

/// Whether `entries` may stand together under `prefix`.
fn check(prefix: Prefix, entries: &[SealedEntry]) -> Result<(), BucketError> {
    if entries.len() > BUCKET_ENTRIES_MAX {
        return Err(BucketError::TooMany);
    }
    if entries.iter().any(|entry| entry.sealed.len() > SEALED_BYTES_MAX) {
        return Err(BucketError::TooLong);
    }
    if !entries.is_sorted_by(|a, b| a < b) {
        return Err(BucketError::Unsorted);
    }
    // They are in order, so first and last speak for all.
    let ends = [entries.first(), entries.last()];
    if ends.into_iter().flatten().all(|entry| prefix.holds(&entry.tag)) { Ok(()) } else { Err(BucketError::Foreign) }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::prefix::Bits;
    use super::*;

    pub(crate) fn entry(first: u8, number: u64) -> SealedEntry {
        let mut tag = [0; 32];
        (tag[0], tag[31]) = (first, 7);
        SealedEntry { tag: Tag(tag), number, sealed: format!("sealed {number}").into_bytes() }
    }

    pub(crate) fn prefix(bits: u8, value: u32) -> Prefix {
        Prefix::new(Bits::new(bits).unwrap(), value).unwrap()
    }

    fn full() -> Bucket {
        let tag = |n: usize| {
            let mut tag = [0xff; 32];
            tag[30..].copy_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
            Tag(tag)
        };
        let entry = |n| SealedEntry { tag: tag(n), number: u64::MAX, sealed: vec![1; SEALED_BYTES_MAX] };
        Bucket::new(prefix(24, (1 << 24) - 1), (0..BUCKET_ENTRIES_MAX).map(entry).collect()).unwrap()
    }

    #[test]
    fn a_bucket_comes_back_from_its_bytes_and_finds_the_claims_under_a_tag() {
        let entries = vec![entry(0x80, 1), entry(0x81, 2), entry(0x81, 9), entry(0xff, 0)];
        let bucket = Bucket::new(prefix(1, 1), entries.clone()).unwrap();
        assert_eq!(Bucket::decode(&bucket.encode()), Ok(bucket.clone()));
        assert_eq!(bucket.under(&entries[1].tag), &entries[1..3]);
        assert_eq!(bucket.under(&entry(0x82, 0).tag), &[]);
        assert_eq!(bucket.digest(), Digest::of(&bucket.encode()));
    }

    #[test]
    fn the_fullest_bucket_is_as_long_as_the_bound_says_and_one_more_entry_is_refused() {
        let bytes = full().encode();
        assert!(bytes.len() <= BUCKET_BYTES_MAX && bytes.len() + 16 > BUCKET_BYTES_MAX, "{}", bytes.len());
        assert!(Bucket::decode(&bytes).is_ok());
        let mut entries = full().into_entries();
        let last = SealedEntry { tag: Tag([0xff; 32]), number: 0, sealed: Vec::new() };
        entries.push(last);
        assert_eq!(Bucket::new(full().prefix(), entries.clone()), Err(BucketError::TooMany));
        let bytes = cbor::encode(&Unchecked(full().prefix(), entries));
        assert_eq!(
            Bucket::decode(&bytes),
            Err(if bytes.len() > BUCKET_BYTES_MAX { BucketError::TooLong } else { BucketError::TooMany })
        );
    }

    #[test]
    fn what_is_not_in_order_doubled_foreign_or_too_long_is_refused() {
        let (a, b) = (entry(0x80, 1), entry(0x81, 1));
        let long = SealedEntry { sealed: vec![0; SEALED_BYTES_MAX + 1], ..a };
        for (prefix, entries, error) in [
            (prefix(1, 1), vec![b.clone(), a.clone()], BucketError::Unsorted),
            (prefix(1, 1), vec![a.clone(), a.clone()], BucketError::Unsorted),
            (prefix(1, 0), vec![a.clone()], BucketError::Foreign),
            (prefix(8, 0x80), vec![a.clone(), b], BucketError::Foreign),
            (prefix(1, 1), vec![long], BucketError::TooLong),
        ] {
            assert_eq!(Bucket::decode(&cbor::encode(&Unchecked(prefix, entries))), Err(error));
        }
        let mut bytes = Bucket::new(prefix(1, 1), vec![a]).unwrap().encode();
        bytes.push(0);
        assert_eq!(Bucket::decode(&bytes), Err(BucketError::Malformed));
        assert_eq!(Bucket::decode(&vec![0; BUCKET_BYTES_MAX + 1]), Err(BucketError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(bucket) = Bucket::decode(&bytes) {
                prop_assert_eq!(bucket.encode(), bytes);
            }
        }

        #[test]
        fn a_flipped_bit_makes_another_bucket_or_none(bit in 0..8_usize * 100) {
            let bucket = Bucket::new(prefix(1, 1), vec![entry(0x80, 1), entry(0x81, 300)]).unwrap();
            let mut bytes = bucket.encode();
            let place = bit / 8 % bytes.len();
            bytes[place] ^= 1 << (bit % 8);
            if let Ok(other) = Bucket::decode(&bytes) {
                prop_assert_ne!(&other, &bucket);
                prop_assert_eq!(other.encode(), bytes);
            }
        }
    }
}
