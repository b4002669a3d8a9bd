//! The delta (差分) of a bucket: what changed under its prefix since the book was made, as everybody may see it.
//!
//! It names what is gone by its place in the bucket and what is new by the entry itself. So it tells that something
//! changed under a tag, which the two states would tell as well, and nothing of who changed it.

use minicbor::{Decode, Encode};

use super::prefix::Prefix;
use super::{Bucket, BucketError, SealedEntry, check};
use crate::cbor;
use crate::digest::Digest;
use crate::limits::{BUCKET_ENTRIES_MAX, DELTA_BYTES_MAX};

/// Changes of one bucket. Of two buckets there is one delta, however the one became the other.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Delta {
    #[n(0)]
    prefix: Prefix,
    /// Places in the bucket, from 0, ascending.
    #[n(1)]
    removed: Vec<u16>,
    /// Ascending; none of them stands in the bucket.
    #[n(2)]
    added: Vec<SealedEntry>,
}

impl Delta {
    /// The delta of a bucket that did not change.
    pub const fn none(prefix: Prefix) -> Self {
        Self { prefix, removed: Vec::new(), added: Vec::new() }
    }

    /// What makes `now` out of `base`.
    ///
    /// # Errors
    /// [`BucketError::Foreign`] if they are of different prefixes.
    pub fn between(base: &Bucket, now: &Bucket) -> Result<Self, BucketError> {
        if base.prefix != now.prefix {
            return Err(BucketError::Foreign);
        }
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        let mut new = now.entries.iter().peekable();
        for (place, old) in (0..).zip(&base.entries) {
            while let Some(entry) = new.next_if(|entry| *entry < old) {
                added.push(entry.clone());
            }
            if new.next_if(|entry| *entry == old).is_none() {
                removed.push(place);
            }
        }
        added.extend(new.cloned());
        Ok(Self { prefix: base.prefix, removed, added })
    }

    /// Reads what [`Delta::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`BucketError::TooLong`], [`BucketError::Malformed`], [`BucketError::TooMany`], [`BucketError::Unsorted`] or
    /// [`BucketError::Foreign`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BucketError> {
        if bytes.len() > DELTA_BYTES_MAX {
            return Err(BucketError::TooLong);
        }
        let Unchecked(prefix, removed, added) = cbor::decode(bytes).map_err(|_error| BucketError::Malformed)?;
        check(prefix, &added)?;
        if removed.len() > BUCKET_ENTRIES_MAX {
            return Err(BucketError::TooMany);
        }
        if !removed.is_sorted_by(|a, b| a < b) {
            return Err(BucketError::Unsorted);
        }
        Ok(Self { prefix, removed, added })
    }

    /// Its one byte string, at most [`DELTA_BYTES_MAX`] long.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Of which bucket.
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Whether nothing changed.
    pub const fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The bucket as it stands now.
    ///
    /// # Errors
    /// [`BucketError::Foreign`], [`BucketError::Unfitting`], or [`BucketError::TooMany`] if too many would stand.
    pub fn apply(&self, base: Bucket) -> Result<Bucket, BucketError> {
        if base.prefix != self.prefix {
            return Err(BucketError::Foreign);
        }
        // Places ascend, so the last speaks for all.
        let beyond = self.removed.last().is_some_and(|place| usize::from(*place) >= base.entries.len());
        if beyond || self.added.iter().any(|entry| base.entries.binary_search(entry).is_ok()) {
            return Err(BucketError::Unfitting);
        }
        let mut gone = self.removed.iter().peekable();
        let mut entries = Vec::with_capacity(base.entries.len());
        for (place, entry) in (0..).zip(base.entries) {
            if gone.next_if(|gone| **gone == place).is_none() {
                entries.push(entry);
            }
        }
        entries.extend(self.added.iter().cloned());
        // Two ascending runs, which this sort merges.
        entries.sort();
        Bucket::new(self.prefix, entries)
    }
}

/// The bytes of a [`Delta`] that nobody has checked.
#[derive(Encode, Decode)]
struct Unchecked(#[n(0)] Prefix, #[n(1)] Vec<u16>, #[n(2)] Vec<SealedEntry>);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tests::{entry, prefix};
    use super::*;

    fn bucket(entries: BTreeSet<(u8, u64)>) -> Bucket {
        Bucket::new(prefix(0, 0), entries.into_iter().map(|(tag, number)| entry(tag, number)).collect()).unwrap()
    }

    #[test]
    fn a_delta_that_takes_out_what_is_not_there_or_puts_in_what_was_there_does_not_fit() {
        let base = bucket(BTreeSet::from([(1, 1), (2, 1)]));
        let whole = prefix(0, 0);
        for (removed, added) in
            [(vec![2], vec![]), (vec![], vec![entry(1, 1)]), (vec![0], vec![entry(1, 1)]), (vec![], vec![entry(2, 1)])]
        {
            let delta = Delta { prefix: whole, removed, added };
            let read = Delta::decode(&delta.encode()).unwrap();
            assert_eq!(read.apply(base.clone()), Err(BucketError::Unfitting), "{delta:?}");
        }
        assert_eq!(Delta::none(prefix(1, 0)).apply(base), Err(BucketError::Foreign));
    }

    #[test]
    fn a_delta_that_is_not_in_order_is_refused() {
        let whole = prefix(0, 0);
        for (removed, added) in [
            (vec![1, 0], vec![]),
            (vec![1, 1], vec![]),
            (vec![], vec![entry(2, 1), entry(1, 1)]),
            (vec![], vec![entry(1, 1), entry(1, 1)]),
        ] {
            let bytes = Delta { prefix: whole, removed, added }.encode();
            assert_eq!(Delta::decode(&bytes), Err(BucketError::Unsorted));
        }
        let foreign = Delta { prefix: prefix(1, 1), removed: vec![], added: vec![entry(1, 1)] };
        assert_eq!(Delta::decode(&foreign.encode()), Err(BucketError::Foreign));
    }

    proptest! {
        #[test]
        fn a_bucket_with_its_delta_is_the_bucket_that_stands(
            old in prop::collection::btree_set((0..20_u8, 0..3_u64), 0..30),
            new in prop::collection::btree_set((0..20_u8, 0..3_u64), 0..30),
        ) {
            let (base, now) = (bucket(old), bucket(new));
            let delta = Delta::between(&base, &now).unwrap();
            prop_assert_eq!(delta.is_empty(), base == now);
            let read = Delta::decode(&delta.encode()).unwrap();
            prop_assert_eq!(read.digest(), delta.digest());
            prop_assert_eq!(read.apply(base), Ok(now));
        }

        #[test]
        fn bytes_that_decode_as_a_delta_are_its_only_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(delta) = Delta::decode(&bytes) {
                prop_assert_eq!(delta.encode(), bytes);
            }
        }
    }
}
