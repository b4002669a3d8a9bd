//! The name of one question and its answer: sixteen bytes that the asker draws, the time before the dice.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::time::Timestamp;

/// The id of an exchange: six bytes of milliseconds since 1970, then ten random bytes (the order of RFC 9562 §5.7).
/// It tells nothing of the question but when it was asked, which the one who carries it sees anyway; two askers never
/// draw the same; and the rows of exchanges that follow each other stand side by side in every index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct ExchangeId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

impl ExchangeId {
    /// Draws an id.
    pub fn draw(at: Timestamp, dice: &mut dyn CryptoRng) -> Self {
        let mut random = [0; 10];
        dice.fill_bytes(&mut random);
        let [_, _, a, b, c, d, e, f] = at.unix_ms().to_be_bytes();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip([a, b, c, d, e, f].into_iter().chain(random)).for_each(|(slot, byte)| *slot = byte);
        Self(bytes)
    }

    /// Takes sixteen bytes for the id somebody drew.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let form = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        form.then(|| u128::from_str_radix(text, 16).ok())?.map(|number| Self(number.to_be_bytes()))
    }
}

impl core::fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl core::fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use chacha20::ChaCha20Rng;
    use proptest::prelude::*;
    use rand_core::SeedableRng as _;

    #[test]
    fn ids_stand_in_order_of_time_and_the_dice_tell_those_of_one_instant_apart() {
        let draw = |ms, seed| ExchangeId::draw(Timestamp::from_unix_ms(ms), &mut ChaCha20Rng::from_seed([seed; 32]));
        assert_eq!(draw(255, 1), draw(255, 1));
        assert_ne!(draw(255, 1), draw(255, 2));
        assert!(draw(255, 1) < draw(256, 2) && draw(255, 2) < draw(256, 1));
        assert!(draw(0x0102_0304_0506, 1).to_string().starts_with("010203040506"));
    }

    proptest! {
        #[test]
        fn an_id_comes_back_from_its_text_and_bytes(bytes in any::<[u8; 16]>()) {
            let id = ExchangeId::from_bytes(bytes);
            prop_assert_eq!(ExchangeId::parse(&id.to_string()), Some(id));
            prop_assert_eq!(id.to_string(), hex::encode(bytes));
            prop_assert_eq!(cbor::decode::<ExchangeId>(&cbor::encode(&id)), Ok(id));
        }

        #[test]
        fn only_thirty_two_small_hex_digits_are_an_id(text in "[0-9a-fA-F+]{31,33}|\\PC{0,40}") {
            prop_assert!(ExchangeId::parse(&text).is_none_or(|id| id.to_string() == text));
        }
    }
}
