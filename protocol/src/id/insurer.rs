//! The number of an insurer of long-term care (介護保険者番号), and the check digit it shares with the
//! other numbers of social insurance.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// The number of an insurer (保険者番号) as printed on the card: five digits, then a check digit
/// modulus 10.
///
/// Its first five digits are often, but not always, those of a municipality: unions (広域連合) and the
/// wards of some cities have numbers of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InsurerNumber(u32);

impl InsurerNumber {
    /// Reads six digits of which the last is the check digit.
    pub fn parse(text: &str) -> Option<Self> {
        let [base @ .., check] = digits::<6>(text)?;
        (modulus_10(&base) == check).then(|| Self::with_check_digit(base))
    }

    /// Reads six digits, or eight of which the first two are zero, as claims (国保連請求) write them.
    pub fn parse_padded(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| text.strip_prefix("00").and_then(Self::parse))
    }

    /// The number whose first five digits these are. Only digits 0–9 are handed in.
    pub(super) fn with_check_digit(base: [u8; 5]) -> Self {
        let check = modulus_10(&base);
        Self(base.iter().chain([&check]).fold(0, |number, digit| number * 10 + u32::from(*digit)))
    }
}

impl core::fmt::Display for InsurerNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl core::fmt::Debug for InsurerNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for InsurerNumber {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for InsurerNumber {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not an insurer number"))
    }
}

/// The values of exactly `N` ASCII digits.
pub(super) fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = text.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(|byte| byte.saturating_sub(b'0')))
}

/// The check digit modulus 10 of 保険者番号 and their like: from the last digit leftwards the weights
/// 2, 1, 2, 1 …, the digits of each product added, and the sum filled up to a multiple of ten.
///
/// Every single changed digit changes it.
pub(super) fn modulus_10(base: &[u8]) -> u8 {
    let sum = base.iter().rev().enumerate().fold(0_u8, |sum, (place, digit)| {
        let product = if place % 2 == 0 { digit.saturating_mul(2) } else { *digit };
        (sum + product / 10 + product % 10) % 10
    });
    (10 - sum) % 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn published_numbers_carry_their_check_digit() {
        for text in ["122069", "122192", "121012", "271007", "131235"] {
            assert_eq!(InsurerNumber::parse(text).map(|n| n.to_string()), Some(text.to_owned()));
        }
        assert_eq!(modulus_10(&[8, 1, 1, 3, 6, 2, 4]), 4);
        assert_eq!(modulus_10(&[3, 3, 1, 2, 0, 0, 1]), 5);
        for bad in ["", "131234", "13123", "00131235", "13123５", "1312 5", "-13123"] {
            assert_eq!(InsurerNumber::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn padding_is_read_only_where_asked_for() {
        assert_eq!(InsurerNumber::parse_padded("00131235"), InsurerNumber::parse("131235"));
        assert_eq!(InsurerNumber::parse_padded("131235"), InsurerNumber::parse("131235"));
        for bad in ["01131235", "0131235", "0000131235", "00131234"] {
            assert_eq!(InsurerNumber::parse_padded(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_digit_is_refused(base in any::<[u8; 5]>(), place in 0_usize..6, by in 1_u8..10) {
            let text = InsurerNumber::with_check_digit(base.map(|b| b % 10)).to_string();
            let mut changed = text.clone().into_bytes();
            changed[place] = b'0' + (changed[place] - b'0' + by) % 10;
            prop_assert!(InsurerNumber::parse(&text).is_some());
            prop_assert_eq!(InsurerNumber::parse(std::str::from_utf8(&changed).expect("digits")), None);
        }

        #[test]
        fn what_parses_prints_and_encodes_back(text in "[0-9]{6}|\\PC{0,9}") {
            if let Some(number) = InsurerNumber::parse(&text) {
                prop_assert_eq!(number.to_string(), text.clone());
                prop_assert_eq!(cbor::decode::<InsurerNumber>(&cbor::encode(&number)), Ok(number));
            } else {
                prop_assert_eq!(cbor::decode::<InsurerNumber>(&cbor::encode(&text)), Err(cbor::Malformed));
            }
            let _padded = InsurerNumber::parse_padded(&text);
        }
    }
}
