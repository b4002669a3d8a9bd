//! The number of a care office (介護保険事業所番号).

use super::insurer::{digits, modulus_10};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// What the check digit of a number says. It warns and never refuses: the rule is known from few
/// published numbers, and numbers with letters have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckDigit {
    /// The last digit is the check digit of those before it.
    Good,
    /// It is another.
    Bad,
    /// The number has a letter, to which the rule does not apply.
    NotApplicable,
}

/// The number of a care office: prefecture (2 digits), kind (a digit or a capital letter), district (2
/// digits of social insurance, not of JIS), serial number (4) and check digit.
///
/// One number may stand for several kinds of service at one site.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfficeNumber(String);

impl OfficeNumber {
    /// Reads ten characters, digits except that the third may be a capital letter.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
        let [a, b, kind, rest @ ..] = bytes;
        let form = [a, b].into_iter().chain(rest).all(u8::is_ascii_digit)
            && (kind.is_ascii_digit() || kind.is_ascii_uppercase());
        form.then(|| Self(text.to_owned()))
    }

    /// The ten characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the check digit (modulus 10 over the first nine) says.
    pub fn check_digit(&self) -> CheckDigit {
        check_digit_of(&self.0)
    }
}

/// What the last of ten digits says of the nine before it.
pub(super) fn check_digit_of(text: &str) -> CheckDigit {
    match digits::<10>(text) {
        Some([base @ .., check]) if modulus_10(&base) == check => CheckDigit::Good,
        Some(_) => CheckDigit::Bad,
        None => CheckDigit::NotApplicable,
    }
}

impl core::fmt::Display for OfficeNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::fmt::Debug for OfficeNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for OfficeNumber {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for OfficeNumber {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not an office number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn a_published_number_has_a_good_check_digit() {
        for (text, check) in [
            ("1070201841", CheckDigit::Good),
            ("1370101238", CheckDigit::Good),
            ("1470100015", CheckDigit::Good),
            ("1312300450", CheckDigit::Good),
            ("1370101239", CheckDigit::Bad),
            ("13A0101238", CheckDigit::NotApplicable),
        ] {
            let number = OfficeNumber::parse(text).expect("the form of an office number");
            assert_eq!((number.check_digit(), number.as_str()), (check, text));
        }
        for bad in ["", "137010123", "13701012388", "A370101238", "13a0101238", "1370A01238", "137010123８"] {
            assert_eq!(OfficeNumber::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_digit_is_noticed(base in any::<[u8; 9]>(), place in 0_usize..10, by in 1_u8..10) {
            let base = base.map(|b| b % 10);
            let mut number: Vec<u8> = base.iter().map(|d| b'0' + d).collect();
            number.push(b'0' + modulus_10(&base));
            let check = |number: &[u8]| {
                OfficeNumber::parse(std::str::from_utf8(number).expect("digits")).map(|n| n.check_digit())
            };
            prop_assert_eq!(check(&number), Some(CheckDigit::Good));
            number[place] = b'0' + (number[place] - b'0' + by) % 10;
            prop_assert_eq!(check(&number), Some(CheckDigit::Bad));
        }

        #[test]
        fn what_parses_prints_and_encodes_back(text in "[0-9]{2}[0-9A-Z][0-9]{7}|\\PC{0,12}") {
            match OfficeNumber::parse(&text) {
                Some(number) => {
                    prop_assert_eq!(number.to_string(), text);
                    prop_assert_eq!(cbor::decode::<OfficeNumber>(&cbor::encode(&number)), Ok(number));
                }
                None => prop_assert_eq!(cbor::decode::<OfficeNumber>(&cbor::encode(&text)), Err(cbor::Malformed)),
            }
        }
    }
}
