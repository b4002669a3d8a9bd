//! The tree over all buckets of a directory: RFC 9162 §2.1 with one leaf for each prefix, all of it in memory.
//!
//! Its root, with the number of bits, is what a directory commits to. Knows digests only, never a bucket.

use minicbor::{Decode, Encode};

use super::prefix::{Bits, Prefix};
use crate::cbor;
use crate::digest::Digest;
use crate::ledger::tree::{check_inclusion, leaf_hash, parent};

/// What stands before the two digests in a leaf.
const LABEL: &[u8; 14] = b"tsunagi bucket";

/// What a directory commits to: all buckets at one moment. The bits belong to it, since a path proves the place of a
/// leaf among 2^bits, and with other bits a tag has another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Root {
    /// How many bits the prefixes have.
    #[n(0)]
    pub bits: Bits,
    /// How many entries stand, as the directory says. Who holds all buckets can count them.
    #[n(1)]
    pub entries: u64,
    /// The root of the tree.
    #[n(2)]
    pub digest: Digest,
}

/// Every node of the tree, and how many entries stand under each prefix: 66 bytes a prefix.
#[derive(Clone, Debug)]
pub struct Digests {
    bits: Bits,
    /// From the leaves up; the last is the root alone.
    levels: Vec<Vec<Digest>>,
    counts: Vec<u16>,
    entries: u64,
}

/// The leaf of a prefix: SHA-256(0x00 ‖ label ‖ digest of the bucket ‖ digest of the delta).
pub fn leaf(bucket: Digest, delta: Digest) -> Digest {
    let mut bytes = LABEL.to_vec();
    bytes.extend_from_slice(bucket.as_bytes());
    bytes.extend_from_slice(delta.as_bytes());
    leaf_hash(&bytes)
}

/// Whether `path` shows that `leaf` is the one of `prefix` under `root`.
pub fn check(prefix: Prefix, leaf: Digest, path: &[Digest], root: &Root) -> bool {
    let (index, size) = (u64::from(prefix.value()), u64::from(root.bits.count()));
    prefix.bits() == root.bits && check_inclusion(leaf, index, size, root.digest, path)
}

impl Root {
    /// Its one byte string: what the directory's ledger holds the digest of.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }
}

impl Digests {
    /// The tree over `leaves`, in the order of their prefixes, each with the number of entries that stand under it.
    /// `None` unless there is one for each prefix of `bits` bits.
    pub fn new(bits: Bits, leaves: impl IntoIterator<Item = (Digest, u16)>) -> Option<Self> {
        let (mut level, counts): (Vec<Digest>, Vec<u16>) = leaves.into_iter().unzip();
        if u32::try_from(level.len()) != Ok(bits.count()) {
            return None;
        }
        let entries = counts.iter().copied().map(u64::from).sum();
        let mut levels = Vec::new();
        for _ in 0..bits.get() {
            let above = level.as_chunks().0.iter().map(|[left, right]| parent(*left, *right)).collect();
            levels.push(core::mem::replace(&mut level, above));
        }
        levels.push(level);
        Some(Self { bits, levels, counts, entries })
    }

    /// How many bits its prefixes have.
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// Puts another leaf in the place of `prefix`, and says how many entries stand under it now. False, and nothing is
    /// changed, if the prefix has other bits.
    pub fn set(&mut self, prefix: Prefix, leaf: Digest, entries: u16) -> bool {
        let mut place = prefix.index();
        let Some(count) = self.counts.get_mut(place).filter(|_count| prefix.bits() == self.bits) else { return false };
        self.entries = self.entries.saturating_sub(u64::from(*count)).saturating_add(u64::from(entries));
        *count = entries;
        let mut hash = leaf;
        for level in &mut self.levels {
            if let Some(node) = level.get_mut(place) {
                *node = hash;
            }
            place >>= 1;
            if let Some([left, right]) = level.as_chunks().0.get(place) {
                hash = parent(*left, *right);
            }
        }
        true
    }

    /// What the directory commits to.
    pub fn root(&self) -> Root {
        let digest = self.levels.last().and_then(|level| level.first()).copied();
        // There is a last level with one node: `new` makes no other.
        let digest = digest.unwrap_or_else(|| Digest::of(&[]));
        Root { bits: self.bits, entries: self.entries, digest }
    }

    /// The path from the leaf of `prefix` to the root: one digest for each bit; empty if the prefix has other bits.
    pub fn path(&self, prefix: Prefix) -> Vec<Digest> {
        if prefix.bits() != self.bits {
            return Vec::new();
        }
        let levels = (0_u32..).zip(self.levels.iter().take(usize::from(self.bits.get())));
        levels
            .filter_map(|(level, nodes)| nodes.get(prefix.index().checked_shr(level).unwrap_or(0) ^ 1))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::tree;

    struct Stored(Vec<Digest>);

    impl tree::Nodes for Stored {
        type Error = ();
        fn node(&self, index: u64) -> Result<Digest, ()> {
            self.0.get(usize::try_from(index).unwrap()).copied().ok_or(())
        }
    }

    fn leaves(bits: Bits, seed: u64) -> Vec<(Digest, u16)> {
        (0..bits.count()).map(|n| (leaf(Digest::of(&seed.to_be_bytes()), Digest::of(&n.to_be_bytes())), 1)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_root_and_the_paths_are_those_of_the_ledgers_tree(
            bits in 0..=7_u8, seed: u64, changes in prop::collection::vec((any::<u32>(), any::<u64>(), 0..9_u16), 0..20),
        ) {
            let bits = Bits::new(bits).unwrap();
            let mut leaves = leaves(bits, seed);
            let mut digests = Digests::new(bits, leaves.clone()).unwrap();
            for (place, seed, count) in changes {
                let prefix = Prefix::new(bits, place % bits.count()).unwrap();
                let changed = (Digest::of(&seed.to_be_bytes()), count);
                leaves[prefix.index()] = changed;
                prop_assert!(digests.set(prefix, changed.0, count));
            }
            let mut stored = Stored(Vec::new());
            for (index, (leaf, _count)) in (0..).zip(&leaves) {
                let nodes = tree::nodes_of_leaf(index, *leaf, &stored).unwrap();
                stored.0.extend(nodes);
            }
            let root = digests.root();
            prop_assert_eq!(tree::root(u64::from(bits.count()), &stored), Ok(root.digest));
            prop_assert_eq!(root.entries, leaves.iter().map(|(_leaf, count)| u64::from(*count)).sum::<u64>());
            for (prefix, (leaf, _count)) in bits.prefixes().zip(&leaves) {
                let path = digests.path(prefix);
                let size = u64::from(bits.count());
                prop_assert_eq!(&tree::inclusion(u64::from(prefix.value()), size, &stored).unwrap(), &path);
                prop_assert!(check(prefix, *leaf, &path, &root));
            }
        }

        #[test]
        fn no_other_leaf_prefix_path_or_bits_checks(bits in 1..=6_u8, seed: u64, value: u32, other: u32) {
            let bits = Bits::new(bits).unwrap();
            let leaves = leaves(bits, seed);
            let digests = Digests::new(bits, leaves.clone()).unwrap();
            let root = digests.root();
            let prefix = Prefix::new(bits, value % bits.count()).unwrap();
            let other = Prefix::new(bits, other % bits.count()).unwrap();
            let (leaf, path) = (leaves[prefix.index()].0, digests.path(prefix));
            prop_assert!(!check(prefix, Digest::of(b"other"), &path, &root));
            prop_assert_eq!(check(other, leaf, &path, &root), other == prefix);
            prop_assert!(!check(prefix, leaf, &path[1..], &root));
            prop_assert!(!check(prefix, leaf, &[&path[..], &[leaf]].concat(), &root));
            let mut spoiled = path.clone();
            spoiled[0] = Digest::of(b"other");
            prop_assert!(!check(prefix, leaf, &spoiled, &root));
            for fewer in [bits.get() - 1, bits.get() + 1] {
                let bits = Bits::new(fewer).unwrap();
                let told = Root { bits, ..root };
                prop_assert!(!check(prefix, leaf, &path, &told));
                let Some(shifted) = Prefix::new(bits, prefix.value() % bits.count()) else { continue };
                prop_assert!(!check(shifted, leaf, &path, &told), "a prefix of other bits under other bits");
                prop_assert!(!check(shifted, leaf, &path, &root));
            }
        }
    }

    #[test]
    fn a_leaf_of_other_bits_changes_nothing_and_has_no_path() {
        let (one, two) = (Bits::new(1).unwrap(), Bits::new(2).unwrap());
        let mut digests = Digests::new(two, leaves(two, 1)).unwrap();
        let before = digests.root();
        let foreign = Prefix::new(one, 1).unwrap();
        assert!(!digests.set(foreign, Digest::of(b"other"), 9));
        assert_eq!((digests.root(), digests.path(foreign)), (before, Vec::new()));
        assert!(Digests::new(one, leaves(two, 1)).is_none());
    }

    #[test]
    fn the_bits_are_part_of_what_is_committed() {
        let root = Digests::new(Bits::new(2).unwrap(), leaves(Bits::new(2).unwrap(), 1)).unwrap().root();
        let other = Root { bits: Bits::new(3).unwrap(), ..root };
        assert_ne!(root.encode(), other.encode());
        assert_eq!(cbor::decode::<Root>(&root.encode()), Ok(root));
    }
}
