//! The dice of the population: whole numbers from a seed, the same on every machine. No floats, no
//! randomness of the operating system.

use chacha20::ChaCha8Rng;
use protocol::digest::Digest;
use rand_core::{Rng, SeedableRng};

/// Dice that fall the same way each time for the same words.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice named by `words`.
    pub(super) fn new(words: &[&[u8]]) -> Self {
        Self(ChaCha8Rng::from_seed(*Digest::of_parts(words).as_bytes()))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to below `bound`; 0 if the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: for bounds this small its bias cannot be seen.
        u64::try_from((u128::from(self.any()) * u128::from(bound)) >> 64).unwrap_or_default()
    }

    /// A number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most.saturating_sub(least)).unwrap_or_default().saturating_add(1);
        least.saturating_add(i64::try_from(self.below(span)).unwrap_or_default())
    }

    /// True `parts` times of `of`.
    pub(super) fn happens(&mut self, parts: u64, of: u64) -> bool {
        self.below(of) < parts
    }

    /// One of `table`, each as often as its weight says; `otherwise` if there is no weight at all.
    pub(super) fn weighted<T: Copy>(&mut self, table: &[(T, u64)], otherwise: T) -> T {
        let mut left = self.below(table.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in table {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        otherwise
    }

    /// One of `all`, each as likely; none if there is none.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).unwrap_or_default();
        all.get(usize::try_from(self.below(count)).unwrap_or_default())
    }

    /// One of some words; empty if there is none.
    pub(super) fn word<'a>(&mut self, all: &[&'a str]) -> &'a str {
        self.pick(all).copied().unwrap_or_default()
    }

    /// A new name for a record: 32 hexadecimal digits.
    pub(super) fn hex_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.any(), self.any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_fall_the_same_way() {
        let numbers = |word: &[u8]| {
            let mut dice = Dice::new(&[word]);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(b"a"), numbers(b"a"));
        assert_ne!(numbers(b"a"), numbers(b"b"));
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(&[b"weights"]);
        let heavy = (0..10_000).filter(|_| dice.weighted(&[(true, 3), (false, 1)], false)).count();
        assert!((7_300..7_700).contains(&heavy), "{heavy}");
        assert!((0..1_000).all(|_| (-2..=2).contains(&dice.between(-2, 2))));
        assert_eq!((dice.below(0), dice.pick::<u8>(&[]), dice.word(&[])), (0, None, ""));
    }
}
