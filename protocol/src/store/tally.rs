//! How many rows there are, and a digest of them that does not ask for their order: what tells that a
//! row is missing without reading the others.

use minicbor::{Decode, Encode};

use crate::digest::Digest;

/// The length of the checksum behind each stored row, in bytes.
pub(crate) const CHECK_BYTES: usize = 8;

/// Row count and wrapping sum of the rows' digests. Guards against faults of the machine, not against
/// somebody who picks the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    #[n(0)]
    rows: u64,
    #[n(1)]
    sum: [u64; 4],
}

impl Tally {
    /// How many rows.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// With one row more.
    pub fn add(&mut self, row: Digest) {
        self.rows = self.rows.wrapping_add(1);
        self.turn(row, u64::wrapping_add);
    }

    /// With one row less.
    pub fn remove(&mut self, row: Digest) {
        self.rows = self.rows.wrapping_sub(1);
        self.turn(row, u64::wrapping_sub);
    }

    fn turn(&mut self, row: Digest, step: fn(u64, u64) -> u64) {
        for (word, bytes) in self.sum.iter_mut().zip(row.as_bytes().as_chunks::<8>().0) {
            *word = step(*word, u64::from_be_bytes(*bytes));
        }
    }
}

/// The digest of a row.
pub(crate) fn row(key: &[u8], value: &[u8]) -> Digest {
    let len = u32::try_from(key.len()).unwrap_or(u32::MAX);
    Digest::of_parts(&[b"row", &len.to_be_bytes(), key, value])
}

/// The first bytes of a digest, as they stand behind what it covers.
pub(crate) fn check(digest: Digest) -> [u8; CHECK_BYTES] {
    let mut out = [0; CHECK_BYTES];
    out.iter_mut().zip(digest.as_bytes()).for_each(|(slot, byte)| *slot = *byte);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_what_was_added_can_be_taken_away() {
        let (one, two) = (row(b"a", b"1"), row(b"b", b"2"));
        let (mut left, mut right) = (Tally::default(), Tally::default());
        left.add(one);
        left.add(two);
        right.add(two);
        right.add(one);
        assert_eq!(left, right);
        left.remove(one);
        assert_ne!(left, right);
        left.remove(two);
        assert_eq!(left, Tally::default());
        assert_ne!(row(b"ab", b"c"), row(b"a", b"bc"));
    }
}
