//! What a mirror shows for a prefix (提示): bucket, delta and the path to what the directory committed to. It proves what
//! stands under a tag, and that nothing does. Whoever serves it need not be believed.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::delta::Delta;
use super::prefix::Prefix;
use super::tree::{Digests, Root, check, leaf};
use super::{Bucket, BucketError, SealedEntry};
use crate::digest::Digest;
use crate::limits::{BUCKET_BYTES_MAX, DELTA_BYTES_MAX};
use crate::message::Tag;

/// A bucket with what changed since, and its path. Encoded it fits into one answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Shown {
    /// The bytes of the [`Bucket`], as they lie in the book.
    #[n(0)]
    pub base: ByteVec,
    /// The bytes of its [`Delta`].
    #[n(1)]
    pub delta: ByteVec,
    /// From the leaf's brother up.
    #[n(2)]
    pub path: Vec<Digest>,
}

impl Shown {
    /// What is shown for a prefix. It verifies if `digests` has the leaf of `base` and `delta` there.
    pub fn new(base: Vec<u8>, delta: &Delta, digests: &Digests) -> Self {
        Self { base: base.into(), delta: delta.encode().into(), path: digests.path(delta.prefix()) }
    }

    /// The entries that stand under `tag`, in order: all of them, or none if there are none.
    ///
    /// # Errors
    /// [`BucketError::Uncommitted`] if this is not what stands in the place of that tag under `root`; any other if the
    /// directory committed to what is no bucket, which then is evidence against it.
    pub fn verify(&self, root: &Root, tag: &Tag) -> Result<Vec<SealedEntry>, BucketError> {
        if self.base.len() > BUCKET_BYTES_MAX || self.delta.len() > DELTA_BYTES_MAX {
            return Err(BucketError::TooLong);
        }
        let prefix = Prefix::of(tag, root.bits);
        if !check(prefix, leaf(Digest::of(&self.base), Digest::of(&self.delta)), &self.path, root) {
            return Err(BucketError::Uncommitted);
        }
        let base = Bucket::decode(&self.base)?;
        if base.prefix() != prefix {
            return Err(BucketError::Foreign);
        }
        Ok(Delta::decode(&self.delta)?.apply(base)?.under(tag).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefix::Bits;
    use super::super::tests::{entry, prefix};
    use super::*;
    use crate::cbor;
    use crate::limits::ANSWER_BYTES_MAX;

    fn four() -> (Vec<Bucket>, Vec<Delta>, Digests) {
        let bits = Bits::new(2).unwrap();
        let mut buckets: Vec<Bucket> = bits
            .prefixes()
            .map(|prefix| {
                let first = u8::try_from(prefix.value() << 6).unwrap();
                Bucket::new(prefix, vec![entry(first, 1), entry(first + 5, 2)]).unwrap()
            })
            .collect();
        let mut deltas: Vec<Delta> = bits.prefixes().map(Delta::none).collect();
        let now = Bucket::new(prefix(2, 2), vec![entry(0x80, 3), entry(0x85, 2), entry(0x90, 4)]).unwrap();
        deltas[2] = Delta::between(&buckets[2], &now).unwrap();
        buckets[3] = Bucket::new(prefix(2, 3), Vec::new()).unwrap();
        let leaves = buckets.iter().zip(&deltas).map(|(bucket, delta)| (leaf(bucket.digest(), delta.digest()), 2));
        let digests = Digests::new(bits, leaves).unwrap();
        (buckets, deltas, digests)
    }

    #[test]
    fn what_is_shown_proves_presence_change_and_absence() {
        let (buckets, deltas, digests) = four();
        let root = digests.root();
        let shown = |n: usize| Shown::new(buckets[n].encode(), &deltas[n], &digests);
        assert_eq!(shown(0).verify(&root, &entry(5, 0).tag), Ok(vec![entry(5, 2)]));
        assert_eq!(shown(2).verify(&root, &entry(0x80, 0).tag), Ok(vec![entry(0x80, 3)]));
        assert_eq!(shown(2).verify(&root, &entry(0x90, 0).tag), Ok(vec![entry(0x90, 4)]));
        assert_eq!(shown(2).verify(&root, &entry(0x91, 0).tag), Ok(vec![]));
        assert_eq!(shown(3).verify(&root, &entry(0xff, 0).tag), Ok(vec![]));
    }

    #[test]
    fn another_bucket_delta_path_or_root_proves_nothing() {
        let (buckets, deltas, digests) = four();
        let root = digests.root();
        let tag = entry(0x80, 0).tag;
        let shown = Shown::new(buckets[2].encode(), &deltas[2], &digests);
        assert!(shown.verify(&root, &tag).is_ok());
        let without = Shown { delta: Delta::none(prefix(2, 2)).encode().into(), ..shown.clone() };
        let stale = Shown { base: buckets[1].encode().into(), ..shown.clone() };
        let elsewhere = Shown::new(buckets[1].encode(), &deltas[1], &digests);
        for spoiled in [without, stale, elsewhere] {
            assert_eq!(spoiled.verify(&root, &tag), Err(BucketError::Uncommitted));
        }
        let bits = Bits::new(3).unwrap();
        assert_eq!(shown.verify(&Root { bits, ..root }, &tag), Err(BucketError::Uncommitted));
        let long = Shown { base: vec![0; BUCKET_BYTES_MAX + 1].into(), ..shown };
        assert_eq!(long.verify(&root, &tag), Err(BucketError::TooLong));
    }

    #[test]
    fn a_bucket_committed_in_the_place_of_another_is_refused() {
        let (mut buckets, mut deltas, mut digests) = four();
        (buckets[1], deltas[1]) = (buckets[0].clone(), deltas[0].clone());
        assert!(digests.set(prefix(2, 1), leaf(buckets[1].digest(), deltas[1].digest()), 2));
        let path = digests.path(prefix(2, 1));
        let shown = Shown { path, ..Shown::new(buckets[1].encode(), &deltas[1], &digests) };
        assert_eq!(shown.verify(&digests.root(), &entry(0x45, 0).tag), Err(BucketError::Foreign));
    }

    #[test]
    fn the_longest_fits_into_an_answer() {
        let path = vec![Digest::of(&[]); 24];
        let (base, delta) = (vec![0; BUCKET_BYTES_MAX].into(), vec![0; DELTA_BYTES_MAX].into());
        assert!(cbor::encode(&Shown { base, delta, path }).len() < ANSWER_BYTES_MAX);
    }
}
