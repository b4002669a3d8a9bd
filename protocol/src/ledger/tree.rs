//! The Merkle tree of RFC 9162 §2.1 over SHA-256, on hashes that lie somewhere else.
//!
//! Hashes are numbered in *stored order*: appending a leaf appends its hash and then the hash of
//! every parent it completes, from below to above, so the list of hashes only ever grows. Whoever
//! keeps that list lends it as [`Nodes`]; a root or a proof reads at most 128 of them. Trees of
//! more than [`SIZE_MAX`] leaves have no proofs and nothing about them verifies. Knows nothing of
//! what a leaf means.

use crate::digest::Digest;

/// The most leaves of a tree; a thousand leaves a second would take 146 million years.
pub const SIZE_MAX: u64 = 1 << 62;
/// The most hashes in a proof: one for each level of the largest tree, and one more, rounded up.
pub const PROOF_HASHES_MAX: usize = 64;

/// Hashes in stored order, kept by somebody else.
pub trait Nodes {
    /// Why a hash could not be read.
    type Error;
    /// The hash stored at `index`. Asked only for `index < node_count(size)` of the size at hand.
    fn node(&self, index: u64) -> Result<Digest, Self::Error>;
}

/// The hash of a leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], bytes])
}

/// How many hashes a tree of `size` leaves has stored: one for each leaf and each complete parent.
pub fn node_count(size: u64) -> u64 {
    size.saturating_mul(2).saturating_sub(u64::from(size.count_ones()))
}

/// What appending a leaf with the hash `leaf` as number `index` appends to the stored hashes: the
/// leaf's, then each parent it completes. Reads only hashes below `node_count(index)`.
///
/// # Errors
/// Those of `nodes`.
pub fn nodes_of_leaf<N: Nodes>(index: u64, leaf: Digest, nodes: &N) -> Result<Vec<Digest>, N::Error> {
    let mut appended = vec![leaf];
    let mut hash = leaf;
    let mut width = 1;
    let mut start = index;
    for level in 0..index.trailing_ones() {
        // The subtree just completed begins at `start`; its left brother ends right before it.
        hash = parent(nodes.node(position(level, start.saturating_sub(1)))?, hash);
        appended.push(hash);
        start = start.saturating_sub(width);
        width = width.saturating_mul(2);
    }
    Ok(appended)
}

/// The root of the first `size` leaves; of none it is SHA-256 of nothing.
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes>(size: u64, nodes: &N) -> Result<Digest, N::Error> {
    range_root(0, size, nodes)
}

/// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162 §2.1.3.1), from
/// the leaf's brother up. Empty if there is no such leaf.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion<N: Nodes>(index: u64, size: u64, nodes: &N) -> Result<Vec<Digest>, N::Error> {
    let mut proof = Vec::new();
    if index >= size || size > SIZE_MAX {
        return Ok(proof);
    }
    let (mut from, mut to) = (0, size);
    while let Some(middle) = split(from, to) {
        if index < middle {
            proof.push(range_root(middle, to, nodes)?);
            to = middle;
        } else {
            proof.push(range_root(from, middle, nodes)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the first `from` leaves are the beginning of the first `to` leaves
/// (RFC 9162 §2.1.4.1). Empty if `from` is 0 or not below `to`: there is nothing to prove, or no proof.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency<N: Nodes>(from: u64, to: u64, nodes: &N) -> Result<Vec<Digest>, N::Error> {
    let mut proof = Vec::new();
    if from == 0 || from >= to || to > SIZE_MAX {
        return Ok(proof);
    }
    let (mut begin, mut end) = (0, to);
    while let Some(middle) = split(begin, end).filter(|_| from != end) {
        if from <= middle {
            proof.push(range_root(middle, end, nodes)?);
            end = middle;
        } else {
            proof.push(range_root(begin, middle, nodes)?);
            begin = middle;
        }
    }
    // A checker knows the old tree's own root; any other last piece has to be told.
    if begin != 0 {
        proof.push(range_root(begin, end, nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `proof` shows that `leaf` is number `index` of the `size` leaves under `root`
/// (RFC 9162 §2.1.3.2).
pub fn check_inclusion(leaf: Digest, index: u64, size: u64, root: Digest, proof: &[Digest]) -> bool {
    if index >= size || size > SIZE_MAX || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    let mut hash = leaf;
    let (mut place, mut last) = (index, size.saturating_sub(1));
    for brother in proof {
        if last == 0 {
            return false;
        }
        if is_right(place) || place == last {
            hash = parent(*brother, hash);
            (place, last) = climb_lone(place, last);
        } else {
            hash = parent(hash, *brother);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the tree `from` (size and root) is the beginning of the tree `to`
/// (RFC 9162 §2.1.4.2). Every tree begins with the empty one and with itself, proven by an empty proof.
pub fn check_consistency(from: (u64, Digest), to: (u64, Digest), proof: &[Digest]) -> bool {
    if from.0 > to.0 || to.0 > SIZE_MAX || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    if from.0 == to.0 {
        return proof.is_empty() && from.1 == to.1;
    }
    if from.0 == 0 {
        return proof.is_empty() && from.1 == Digest::of(&[]);
    }
    // Of a full old tree the proof leaves out the first hash, its root.
    let (first, rest) = match proof.split_first() {
        None => return false,
        Some(_) if from.0.is_power_of_two() => (from.1, proof),
        Some((first, rest)) => (*first, rest),
    };
    let (mut place, mut last) = (from.0.saturating_sub(1), to.0.saturating_sub(1));
    let full = place.trailing_ones();
    (place, last) = (place.checked_shr(full).unwrap_or(0), last.checked_shr(full).unwrap_or(0));
    let (mut old, mut new) = (first, first);
    for brother in rest {
        if last == 0 {
            return false;
        }
        if is_right(place) || place == last {
            old = parent(*brother, old);
            new = parent(*brother, new);
            (place, last) = climb_lone(place, last);
        } else {
            new = parent(new, *brother);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && old == from.1 && new == to.1
}

/// The hash of two brothers' parent: SHA-256(0x01 ‖ left ‖ right).
pub fn parent(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Where the full subtree of 2^`level` leaves ending with leaf `end` stands in stored order.
fn position(level: u32, end: u64) -> u64 {
    node_count(end).saturating_add(u64::from(level))
}

/// The root of the leaves `from..to`, if `from` is a multiple of the power of two at or above their
/// number: the full subtrees they fall into, hashed together from the right.
fn range_root<N: Nodes>(from: u64, to: u64, nodes: &N) -> Result<Digest, N::Error> {
    let mut full = Vec::new();
    let mut start = from;
    while let Some(level) = to.saturating_sub(start).checked_ilog2() {
        // 2^level leaves begin at `start`, all below `to`, so neither step overflows.
        let end = start.saturating_add((1_u64 << level).saturating_sub(1));
        full.push(nodes.node(position(level, end))?);
        start = end.saturating_add(1);
    }
    let folded = full.into_iter().rev().reduce(|right, left| parent(left, right));
    Ok(folded.unwrap_or_else(|| Digest::of(&[])))
}

/// Where RFC 9162 §2.1.1 divides the leaves `from..to`: behind the largest power of two smaller than
/// their number. Nothing if they are fewer than two.
fn split(from: u64, to: u64) -> Option<u64> {
    let level = to.checked_sub(from)?.checked_sub(1)?.checked_ilog2()?;
    from.checked_add(1 << level)
}

fn is_right(place: u64) -> bool {
    place & 1 == 1
}

/// Climbs from a last node without a brother to the first ancestor that is a right one.
fn climb_lone(place: u64, last: u64) -> (u64, u64) {
    let levels = if is_right(place) { 0 } else { place.trailing_zeros() };
    (place.checked_shr(levels).unwrap_or(0), last.checked_shr(levels).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// Hashes in memory that count how often they are read.
    #[derive(Default)]
    struct Memory {
        nodes: Vec<Digest>,
        reads: RefCell<usize>,
    }

    impl Nodes for Memory {
        type Error = u64;
        fn node(&self, index: u64) -> Result<Digest, u64> {
            *self.reads.borrow_mut() += 1;
            self.nodes.get(usize::try_from(index).unwrap()).copied().ok_or(index)
        }
    }

    fn grow(leaves: &[Digest]) -> Memory {
        let mut memory = Memory::default();
        for (index, leaf) in (0..).zip(leaves) {
            assert_eq!(node_count(index), u64::try_from(memory.nodes.len()).unwrap());
            let appended = nodes_of_leaf(index, *leaf, &memory).unwrap();
            memory.nodes.extend(appended);
        }
        memory
    }

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn size_of(leaves: &[Digest]) -> u64 {
        u64::try_from(leaves.len()).unwrap()
    }

    /// RFC 9162 §2.1.1, word for word.
    fn naive_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(naive_split(leaves));
                parent(naive_root(left), naive_root(right))
            }
        }
    }

    fn naive_split(leaves: &[Digest]) -> usize {
        leaves.len().next_power_of_two() / 2
    }

    /// RFC 9162 §2.1.3.1, word for word.
    fn naive_inclusion(index: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(naive_split(leaves));
        let (mut proof, brother) = if index < left.len() {
            (naive_inclusion(index, left), right)
        } else {
            (naive_inclusion(index - left.len(), right), left)
        };
        proof.push(naive_root(brother));
        proof
    }

    /// RFC 9162 §2.1.4.1, word for word.
    fn naive_consistency(from: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
        if from == leaves.len() {
            return if whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let (left, right) = leaves.split_at(naive_split(leaves));
        let (mut proof, brother) = if from <= left.len() {
            (naive_consistency(from, left, whole), right)
        } else {
            (naive_consistency(from - left.len(), right, false), left)
        };
        proof.push(naive_root(brother));
        proof
    }

    #[test]
    fn the_reference_tree_of_certificate_transparency_has_its_roots() {
        let contents =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let memory = grow(&contents.map(|content| leaf_hash(&hex::decode(content).unwrap())));
        for (size, expected) in (0..).zip(roots) {
            assert_eq!(root(size, &memory).unwrap().to_string(), expected, "size {size}");
        }
    }

    #[test]
    fn every_small_tree_agrees_with_the_recursive_definition() {
        let leaves = leaves(70);
        let memory = grow(&leaves);
        for size in 1..=leaves.len() {
            let part = &leaves[..size];
            let to = (size_of(part), naive_root(part));
            assert_eq!(root(to.0, &memory), Ok(to.1));
            for (number, leaf) in part.iter().enumerate() {
                let index = u64::try_from(number).unwrap();
                let proof = inclusion(index, to.0, &memory).unwrap();
                assert_eq!(proof, naive_inclusion(number, part), "leaf {index} of {size}");
                assert!(check_inclusion(*leaf, index, to.0, to.1, &proof), "leaf {index} of {size}");
                let old = (index, naive_root(&leaves[..number]));
                let proof = consistency(index, to.0, &memory).unwrap();
                if number > 0 {
                    assert_eq!(proof, naive_consistency(number, part, true), "from {index} to {size}");
                }
                assert!(check_consistency(old, to, &proof), "from {index} to {size}");
            }
            assert!(check_consistency(to, to, &[]));
        }
    }

    #[test]
    fn a_tree_of_ten_million_leaves_is_proven_with_a_few_reads() {
        struct Any(RefCell<u64>);
        impl Nodes for Any {
            type Error = ();
            fn node(&self, index: u64) -> Result<Digest, ()> {
                assert!(index < node_count(10_000_001));
                *self.0.borrow_mut() += 1;
                Ok(Digest::of(&index.to_be_bytes()))
            }
        }
        let any = Any(RefCell::new(0));
        for index in [0, 1, 4_999_999, 8_388_607, 8_388_608, 10_000_000] {
            assert!(inclusion(index, 10_000_001, &any).unwrap().len() <= 24);
            assert!(consistency(index, 10_000_001, &any).unwrap().len() <= 25);
            root(10_000_001, &any).unwrap();
            assert!(*any.0.borrow() <= 3 * 30, "{} reads", any.0.borrow());
            any.0.replace(0);
        }
    }

    #[test]
    fn absurd_numbers_neither_panic_nor_verify() {
        struct Nothing;
        impl Nodes for Nothing {
            type Error = ();
            fn node(&self, _index: u64) -> Result<Digest, ()> {
                Ok(Digest::of(&[]))
            }
        }
        let hash = Digest::of(&[]);
        let edges = [0, 1, 2, 3, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
        for a in edges {
            nodes_of_leaf(a, hash, &Nothing).unwrap();
            root(a, &Nothing).unwrap();
            for b in edges {
                assert!(inclusion(a, b, &Nothing).unwrap().len() <= PROOF_HASHES_MAX);
                assert!(consistency(a, b, &Nothing).unwrap().len() <= PROOF_HASHES_MAX);
                for len in [0, 1, 2, 63, 64, 65] {
                    let proof = vec![hash; len];
                    let lone = a == 0 && b == 1 && len == 0;
                    assert_eq!(check_inclusion(hash, a, b, hash, &proof), lone, "{a} {b} {len}");
                    let empty = len == 0 && (a == 0 || a == b) && b <= SIZE_MAX;
                    assert_eq!(check_consistency((a, hash), (b, hash), &proof), empty, "{a} {b} {len}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_proves_nothing_but_its_own_statement(
            size in 2_u64..300, index in 0_u64..300, other in 0_u64..300, spoiled in 0_usize..64,
        ) {
            let (index, other) = (index % size, other % size);
            let leaves = leaves(size);
            let memory = grow(&leaves);
            let root = root(size, &memory).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            let mut proof = inclusion(index, size, &memory).unwrap();
            prop_assert!(check_inclusion(leaf, index, size, root, &proof));
            prop_assert_eq!(check_inclusion(leaf, other, size, root, &proof), other == index);
            prop_assert!(!check_inclusion(leaf, index, size, leaf, &proof));
            prop_assert!(!check_inclusion(leaf, index, size, root, &proof[1..]));
            prop_assert!(!check_inclusion(leaf, index, size, root, &[&proof[..], &[leaf]].concat()));
            let place = spoiled % proof.len();
            proof[place] = Digest::of(proof[place].as_bytes());
            prop_assert!(!check_inclusion(leaf, index, size, root, &proof));
        }

        #[test]
        fn a_tree_that_forgot_or_changed_a_leaf_is_not_consistent(
            size in 2_u64..300, from in 1_u64..300, changed in 0_u64..300,
        ) {
            let from = 1 + from % (size - 1);
            let leaves = leaves(size);
            let memory = grow(&leaves);
            let proof = consistency(from, size, &memory).unwrap();
            let old = (from, root(from, &memory).unwrap());
            let new = (size, root(size, &memory).unwrap());
            prop_assert!(check_consistency(old, new, &proof));
            prop_assert!(!check_consistency(new, old, &proof));
            prop_assert!(!check_consistency(old, new, &[]));
            let mut forged = leaves;
            forged[usize::try_from(changed % from).unwrap()] = Digest::of(b"forged");
            let forged = grow(&forged);
            let forged_new = (size, root(size, &forged).unwrap());
            prop_assert!(!check_consistency(old, forged_new, &proof));
            prop_assert!(!check_consistency(old, forged_new, &consistency(from, size, &forged).unwrap()));
        }
    }
}
