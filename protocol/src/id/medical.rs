//! What a medical insurance card names: insurer, symbol, number and branch.

use super::insurer::{digits, modulus_10};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// The most characters of a symbol (記号).
pub const SYMBOL_CHARS_MAX: usize = 20;
/// The most characters of a number (番号).
pub const NUMBER_CHARS_MAX: usize = 20;

/// A person in medical insurance (医療保険), as the card says: insurer (保険者番号), symbol (記号),
/// number (番号) and branch (枝番).
///
/// Every spelling of one card becomes one value: an insurer of six digits (国民健康保険) is padded to
/// eight, a branch of one digit to two, and full-width letters and digits become half-width. A branch
/// left out is another value than a branch stated. Personal: prints `[redacted]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MedicalInsuranceId {
    insurer: String,
    symbol: String,
    number: String,
    branch: String,
}

impl MedicalInsuranceId {
    /// Puts the four parts of a card together.
    ///
    /// The insurer has six or eight digits with a good check digit; the symbol may be empty (the old
    /// have none, 後期高齢者医療), the number not; the branch has no, one or two digits. No part may
    /// hold `:`, white space or control characters.
    pub fn new(insurer: &str, symbol: &str, number: &str, branch: &str) -> Option<Self> {
        let number = narrow(number, NUMBER_CHARS_MAX)?;
        if number.is_empty() {
            return None;
        }
        Some(Self {
            insurer: insurer_of_eight(&narrow(insurer, 8)?)?,
            symbol: narrow(symbol, SYMBOL_CHARS_MAX)?,
            number,
            branch: branch_of_two(&narrow(branch, 2)?)?,
        })
    }

    /// Reads `insurer:symbol:number:branch`, in any spelling of the parts.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (insurer, symbol, number, branch) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Self::new(insurer, symbol, number, branch)
    }

    /// The one text of the card, `insurer:symbol:number:branch` (as JP-CLINS joins them), in clear.
    pub fn expose(&self) -> String {
        format!("{}:{}:{}:{}", self.insurer, self.symbol, self.number, self.branch)
    }

    /// The eight digits of the insurer. Who insures is not the person, yet few share some insurers.
    pub fn expose_insurer(&self) -> &str {
        &self.insurer
    }
}

/// The text with full-width ASCII made half-width, if it has at most `chars_max` characters and none
/// that separates or is invisible.
fn narrow(text: &str, chars_max: usize) -> Option<String> {
    let mut out = String::new();
    for (count, letter) in text.chars().enumerate() {
        let letter = match letter {
            '！'..='～' => char::from_u32(u32::from(letter).checked_sub(0xFEE0)?)?,
            other => other,
        };
        if count >= chars_max || letter == ':' || letter.is_whitespace() || letter.is_control() {
            return None;
        }
        out.push(letter);
    }
    Some(out)
}

fn insurer_of_eight(text: &str) -> Option<String> {
    let padded = if text.len() == 6 { format!("00{text}") } else { text.to_owned() };
    let [base @ .., check] = digits::<8>(&padded)?;
    (modulus_10(&base) == check).then_some(padded)
}

fn branch_of_two(text: &str) -> Option<String> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        1 => Some(format!("0{text}")),
        0 | 2 => Some(text.to_owned()),
        _ => None,
    }
}

impl core::fmt::Debug for MedicalInsuranceId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<C> Encode<C> for MedicalInsuranceId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.expose())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for MedicalInsuranceId {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let text = d.str()?;
        Self::parse(text)
            .filter(|id| id.expose() == text)
            .ok_or_else(|| minicbor::decode::Error::message("not a medical insurance id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Option<String> {
        MedicalInsuranceId::parse(text).map(|id| id.expose())
    }

    #[test]
    fn every_spelling_of_a_card_is_one_value() {
        let text = "33120015:ア-12:345:01";
        for spelling in [text, "33120015:ア-12:345:1", "３３１２００１５:ア－１２:３４５:０１"] {
            assert_eq!(canonical(spelling).as_deref(), Some(text));
        }
        assert_eq!(canonical("131235::7:"), canonical("00131235::7:"));
        assert_ne!(canonical("33120015:ア-12:345:01"), canonical("33120015:ア-12:345:"));
    }

    #[test]
    fn a_card_with_a_bad_part_is_refused() {
        for bad in [
            "",
            "33120015:1:2",
            "33120015:1:2:3:4",
            "33120014:1:2:03",
            "3312001:1:2:03",
            "0033120015:1:2:03",
            "33120015:1::03",
            "33120015:1:2:003",
            "33120015:1:2:x",
            "33120015:1 1:2:03",
            "33120015:1\u{3000}:2:03",
            "33120015:1\n:2:03",
            "33120015:1：1:2:03",
            "33120015:123456789012345678901:2:03",
            "33120015:1:123456789012345678901:03",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
        assert_eq!(MedicalInsuranceId::new("33120015", "1:1", "2", "03"), None);
    }

    #[test]
    fn a_card_is_not_printed_and_has_one_encoding() {
        let id = MedicalInsuranceId::parse("33120015:12:345:01").expect("a card");
        assert_eq!(format!("{id:?}"), "[redacted]");
        assert_eq!(cbor::decode::<MedicalInsuranceId>(&cbor::encode(&id)).as_ref(), Ok(&id));
        assert!(minicbor::decode::<MedicalInsuranceId>(&cbor::encode(&"33120015:12:345:1".to_owned())).is_err());
    }

    const SPELLING: &str = r"(33120015|131235|００１３１２３５):\PC{0,21}:\PC{0,21}:[0-9]{0,3}|\PC{0,40}";

    proptest! {
        #[test]
        fn one_changed_digit_of_the_insurer_is_refused(base in any::<[u8; 7]>(), place in 0_usize..8, by in 1_u8..10) {
            let base = base.map(|b| b % 10);
            let mut insurer: Vec<u8> = base.iter().map(|d| b'0' + d).collect();
            insurer.push(b'0' + modulus_10(&base));
            let read = |insurer: &[u8]| {
                MedicalInsuranceId::new(std::str::from_utf8(insurer).expect("digits"), "1", "2", "")
            };
            prop_assert!(read(&insurer).is_some());
            insurer[place] = b'0' + (insurer[place] - b'0' + by) % 10;
            prop_assert_eq!(read(&insurer), None);
        }

        #[test]
        fn what_parses_comes_back_from_its_one_text(text in SPELLING) {
            if let Some(id) = MedicalInsuranceId::parse(&text) {
                prop_assert_eq!(MedicalInsuranceId::parse(&id.expose()), Some(id.clone()));
                prop_assert_eq!(cbor::decode::<MedicalInsuranceId>(&cbor::encode(&id)), Ok(id));
            }
        }
    }
}
