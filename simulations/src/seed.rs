//! One number becomes many streams of dice, each with a name, so that a new consumer shifts no other.

use chacha20::ChaCha20Rng;
use protocol::digest::Digest;
use rand_core::{Rng, SeedableRng as _};

/// The dice of one purpose under one seed.
pub fn stream(seed: u64, name: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*Digest::of_parts(&[&seed.to_be_bytes(), name.as_bytes()]).as_bytes())
}

/// A number from 0 to below `bound`; 0 if the bound is 0.
pub fn below(dice: &mut dyn Rng, bound: u64) -> u64 {
    // The high half of the product: for bounds this small its bias cannot be seen.
    u64::try_from((u128::from(dice.next_u64()) * u128::from(bound)) >> 64).unwrap_or_default()
}

/// One of `all`, each as likely; none if there is none.
pub fn pick<'a, T>(dice: &mut dyn Rng, all: &'a [T]) -> Option<&'a T> {
    let at = below(dice, u64::try_from(all.len()).unwrap_or_default());
    all.get(usize::try_from(at).unwrap_or_default())
}
