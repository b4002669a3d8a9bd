//! The map of a day (日締め): from each person's label to the number and place of their last step, hidden, under one root.
//!
//! A binary trie over the bits of the labels: a label's place follows from the label alone, so that there is one
//! answer for each label, and not being in the map can be shown as well as being in it. Shows of others neither
//! number nor, where it can be avoided, label. Knows nothing of where the map lies.

use minicbor::{Decode, Encode};

use crate::digest::Digest;
use crate::ledger::leaf::Salt;

/// The length of a label, in bytes.
pub const LABEL_BYTES: usize = 16;
/// The most digests on the way to a label: one for each of its bits.
pub const PATH_DIGESTS_MAX: usize = LABEL_BYTES * 8;
/// How many parts the map is cut into by the first byte of the label, to be built and read part by part.
pub const PARTS: usize = 256;

/// The bits of a label that name its part.
const PART_BITS: usize = 8;

/// One person in the map.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// The person's label.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub label: [u8; LABEL_BYTES],
    /// Number and place of their last step, hidden by [`hide`].
    #[n(1)]
    pub hidden: Digest,
}

/// What stands at one place of the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Branch {
    /// Nobody.
    #[n(0)]
    Nothing,
    /// One person, who takes no further bits.
    #[n(1)]
    Item(#[n(0)] Digest),
    /// Two or more, parted by the next bit or a later one.
    #[n(2)]
    Fork(#[n(0)] Digest),
}

/// Where the way to a label ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum End {
    /// At nobody: the label is not in the map.
    #[n(0)]
    Nothing,
    /// At one person; if it is another label, the one sought is not in the map.
    #[n(1)]
    Item(#[n(0)] Item),
}

/// What a way shows: from the root, the digest of the other branch at each fork, and the end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Way {
    /// The other branches, from the root on.
    #[n(0)]
    pub others: Vec<Digest>,
    /// The end.
    #[n(1)]
    pub end: End,
}

/// Hides the number of a step and the place of its leaf: SHA-256("tsunagi number" ‖ salt ‖ number ‖ place, in 8 bytes
/// each).
pub fn hide(salt: &Salt, number: u64, place: u64) -> Digest {
    Digest::of_parts(&[b"tsunagi number", salt.expose(), &number.to_be_bytes(), &place.to_be_bytes()])
}

/// The branch of `items`, which share their first `depth` bits and stand in the order of their labels.
pub fn branch(items: &[Item], depth: usize) -> Branch {
    match items {
        [] => Branch::Nothing,
        [one] => Branch::Item(one.digest()),
        _ if depth >= PATH_DIGESTS_MAX => Branch::Nothing,
        _ => {
            let (left, right) = parted(items, depth);
            let next = depth.saturating_add(1);
            branch(left, next).join(branch(right, next))
        }
    }
}

/// The branch of all [`PARTS`] parts, or of a half, a quarter and so on of them.
pub fn branch_of_parts(parts: &[Branch]) -> Branch {
    match parts {
        [] => Branch::Nothing,
        [one] => *one,
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            branch_of_parts(left).join(branch_of_parts(right))
        }
    }
}

/// The way to `label`. `part` hands out the items of a part, in the order of their labels.
///
/// # Errors
/// Those of `part`.
pub fn way<E>(
    parts: &[Branch],
    label: &[u8; LABEL_BYTES],
    mut part: impl FnMut(usize) -> Result<Vec<Item>, E>,
) -> Result<Way, E> {
    let (mut others, mut from, mut range) = (Vec::new(), 0_usize, parts);
    while range.len() > 1 {
        match branch_of_parts(range) {
            Branch::Nothing => return Ok(Way { others, end: End::Nothing }),
            Branch::Item(_digest) => {
                let lone = range.iter().position(|branch| *branch != Branch::Nothing).unwrap_or_default();
                let items = part(from.saturating_add(lone))?;
                return Ok(Way { others, end: items.first().map_or(End::Nothing, |item| End::Item(*item)) });
            }
            Branch::Fork(_digest) => {
                let (left, right) = range.split_at(range.len() / 2);
                let (own, other) = if bit(label, others.len()) { (right, left) } else { (left, right) };
                if bit(label, others.len()) {
                    from = from.saturating_add(left.len());
                }
                others.push(branch_of_parts(other).digest());
                range = own;
            }
        }
    }
    let items = part(from)?;
    let mut rest = items.as_slice();
    while rest.len() > 1 && others.len() < PATH_DIGESTS_MAX {
        let (left, right) = parted(rest, others.len());
        let (own, other) = if bit(label, others.len()) { (right, left) } else { (left, right) };
        others.push(branch(other, others.len().saturating_add(1)).digest());
        rest = own;
    }
    Ok(Way { others, end: rest.first().map_or(End::Nothing, |item| End::Item(*item)) })
}

impl Way {
    /// The hidden number of `label` under `root`; within, none if the label is shown not to be in the map.
    /// `None` if this way does not lead from that root.
    pub fn follow(&self, root: Digest, label: &[u8; LABEL_BYTES]) -> Option<Option<Digest>> {
        if self.others.len() > PATH_DIGESTS_MAX {
            return None;
        }
        let mut digest = match &self.end {
            End::Nothing => Branch::Nothing.digest(),
            End::Item(item) => {
                let shares = (0..self.others.len()).all(|at| bit(&item.label, at) == bit(label, at));
                shares.then(|| item.digest())?
            }
        };
        for (at, other) in self.others.iter().enumerate().rev() {
            digest = if bit(label, at) { fork(*other, digest) } else { fork(digest, *other) };
        }
        let hidden = match &self.end {
            End::Item(item) if item.label == *label => Some(item.hidden),
            _ => None,
        };
        (digest == root).then_some(hidden)
    }
}

impl Branch {
    /// The branch above two. One person without anybody beside them takes no further bit.
    fn join(self, right: Self) -> Self {
        match (self, right) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            (Self::Item(digest), Self::Nothing) | (Self::Nothing, Self::Item(digest)) => Self::Item(digest),
            (left, right) => Self::Fork(fork(left.digest(), right.digest())),
        }
    }

    /// Its digest; of nobody it is SHA-256 of nothing.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Nothing => Digest::of(&[]),
            Self::Item(digest) | Self::Fork(digest) => *digest,
        }
    }
}

impl Item {
    /// SHA-256(0x00 ‖ label ‖ hidden number).
    fn digest(&self) -> Digest {
        Digest::of_parts(&[&[0], &self.label, self.hidden.as_bytes()])
    }
}

/// SHA-256(0x01 ‖ left ‖ right).
fn fork(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Items whose bit at `depth` is 0, and those whose bit is 1.
fn parted(items: &[Item], depth: usize) -> (&[Item], &[Item]) {
    items.split_at(items.partition_point(|item| !bit(&item.label, depth)))
}

/// Bit `at` of a label, the highest of the first byte first.
fn bit(label: &[u8; LABEL_BYTES], at: usize) -> bool {
    label.get(at / PART_BITS).is_some_and(|byte| byte & (0x80_u8 >> (at % PART_BITS)) != 0)
}

impl core::fmt::Debug for Item {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Item([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn salt(label: &[u8; LABEL_BYTES]) -> Salt {
        Salt::from_bytes(*Digest::of(label).as_bytes())
    }

    /// The parts of a map, as its keeper holds them.
    struct Map(Vec<Vec<Item>>);

    impl Map {
        fn new(numbers: &BTreeMap<[u8; LABEL_BYTES], u64>) -> Self {
            let mut parts = vec![Vec::new(); PARTS];
            for (label, number) in numbers {
                parts[usize::from(label[0])].push(Item { label: *label, hidden: hide(&salt(label), *number, 3) });
            }
            Self(parts)
        }

        fn branches(&self) -> Vec<Branch> {
            self.0.iter().map(|items| branch(items, PART_BITS)).collect()
        }

        fn root(&self) -> Digest {
            branch_of_parts(&self.branches()).digest()
        }

        fn way(&self, label: &[u8; LABEL_BYTES]) -> Way {
            let Ok(way) = way(&self.branches(), label, |at| Ok::<_, core::convert::Infallible>(self.0[at].clone()));
            way
        }
    }

    fn label(first: u8, last: u8) -> [u8; LABEL_BYTES] {
        let mut label = [0; LABEL_BYTES];
        (label[0], label[LABEL_BYTES - 1]) = (first, last);
        label
    }

    proptest! {
        #[test]
        fn each_label_has_one_answer_under_a_root_whether_it_is_in_the_map_or_not(
            numbers in proptest::collection::btree_map((0..4_u8, any::<u8>()).prop_map(|(a, b)| label(a << 6, b)), 1..9_u64, 0..40),
            sought in (0..4_u8, any::<u8>()).prop_map(|(a, b)| label(a << 6, b)),
        ) {
            let map = Map::new(&numbers);
            for one in numbers.keys().chain([&sought]) {
                let told = numbers.get(one).map(|number| hide(&salt(one), *number, 3));
                let way = map.way(one);
                prop_assert_eq!(way.follow(map.root(), one), Some(told));
                prop_assert!(way.others.len() <= PATH_DIGESTS_MAX);
                // The way to one label shows nothing of another, except where it ends.
                if one != &sought {
                    let other = way.follow(map.root(), &sought);
                    prop_assert!(other.is_none() || other == Some(map.way(&sought).follow(map.root(), &sought).unwrap()));
                }
            }
            let whole: Vec<Item> = map.0.iter().flatten().copied().collect();
            prop_assert_eq!(branch(&whole, 0).digest(), map.root(), "the parts change nothing");
        }
    }

    #[test]
    fn a_number_or_a_person_left_out_gives_another_root() {
        let numbers = BTreeMap::from([(label(1, 1), 3), (label(1, 2), 4), (label(200, 1), 5)]);
        let root = Map::new(&numbers).root();
        let mut other = numbers;
        other.insert(label(1, 2), 3);
        assert_ne!(Map::new(&other).root(), root);
        other.remove(&label(1, 2));
        assert_ne!(Map::new(&other).root(), root);
        assert_eq!(Map::new(&other).way(&label(1, 2)).follow(root, &label(1, 2)), None);
        assert_eq!(Map::new(&BTreeMap::new()).root(), Digest::of(&[]));
    }

    #[test]
    fn a_way_that_ends_at_somebody_elsewhere_leads_nowhere() {
        let numbers = BTreeMap::from([(label(1, 1), 3), (label(200, 1), 5)]);
        let map = Map::new(&numbers);
        let mut way = map.way(&label(1, 1));
        assert_eq!(way.others.len(), 1);
        // Somebody of the other half is claimed to stand where the way ends.
        way.end = End::Item(map.0[200][0]);
        assert_eq!(way.follow(map.root(), &label(1, 1)), None);
        way.end = End::Nothing;
        assert_eq!(way.follow(map.root(), &label(1, 1)), None);
    }
}
