//! One number becomes many streams of dice, each with a name, so that a new consumer shifts no other.

use chacha20::ChaCha20Rng;
use protocol::digest::Digest;
use rand_core::SeedableRng as _;

/// The dice of one purpose under one seed.
pub fn stream(seed: u64, name: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*Digest::of_parts(&[&seed.to_be_bytes(), name.as_bytes()]).as_bytes())
}
