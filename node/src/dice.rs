//! The door of chance: the operating system's random bytes, and nothing between them and us.
//! Keeps no state, so there is nothing to seed, to fork or to steal.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// The operating system's dice (getrandom(2)). If they fail, the process ends: a key made of anything
/// else would be worse than no node.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDice;

impl TryRng for OsDice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(getrandom::u32().unwrap_or_else(|error| die(error)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(getrandom::u64().unwrap_or_else(|error| die(error)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(out).unwrap_or_else(|error| die(error));
        Ok(())
    }
}

impl TryCryptoRng for OsDice {}

fn die(error: getrandom::Error) -> ! {
    eprintln!("tsunagi: 乱数を取得できないため停止します / the operating system gave no random bytes: {error}");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::primitives::Secret;
    use rand_core::Rng as _;

    #[test]
    fn every_byte_of_a_buffer_is_thrown() {
        let mut seen = [0_u8; 64];
        // A byte that is never written stays 0 in all 64 throws (by chance: once in 2^506).
        for _ in 0..64 {
            let mut thrown = [0_u8; 64];
            OsDice.fill_bytes(&mut thrown);
            seen.iter_mut().zip(thrown).for_each(|(seen, thrown)| *seen |= thrown);
        }
        assert!(seen.iter().all(|byte| *byte != 0), "{seen:?}");
    }

    #[test]
    fn no_two_secrets_are_alike() {
        assert!(Secret::random(&mut OsDice) != Secret::random(&mut OsDice));
        assert_ne!((OsDice.next_u64(), OsDice.next_u64()), (OsDice.next_u64(), OsDice.next_u64()));
    }
}
