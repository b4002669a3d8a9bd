//! The number of an insured person (被保険者番号): meaningless without its insurer, and personal.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// The number of an insured person inside one insurer: ten digits, or `H` and nine digits for those on
/// public assistance without medical insurance (みなし2号).
///
/// The same digits occur at many insurers. The insurer chooses its check digit, so none is checked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InsuredNumber(String);

impl InsuredNumber {
    /// Reads ten digits, or `H` and nine.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
        let [first, rest @ ..] = bytes;
        let form = (*first == b'H' || first.is_ascii_digit()) && rest.iter().all(u8::is_ascii_digit);
        form.then(|| Self(text.to_owned()))
    }

    /// The number in clear.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the person is on public assistance without medical insurance (みなし2号).
    pub fn is_assistance_only(&self) -> bool {
        self.0.starts_with('H')
    }
}

impl core::fmt::Debug for InsuredNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<C> Encode<C> for InsuredNumber {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for InsuredNumber {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not an insured number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn ten_digits_or_an_h_and_nine_are_a_number() {
        for text in ["0000123456", "9999999999", "H012345678"] {
            let number = InsuredNumber::parse(text).expect("a number");
            assert_eq!(number.expose(), text);
            assert_eq!(number.is_assistance_only(), text.starts_with('H'));
            assert_eq!(format!("{number:?}"), "[redacted]");
        }
        for bad in ["", "000012345", "00001234567", "h012345678", "HH12345678", "00001234５", "000012345H"] {
            assert_eq!(InsuredNumber::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_encodes_back(text in "[0-9H][0-9]{9}|\\PC{0,12}") {
            match InsuredNumber::parse(&text) {
                Some(number) => prop_assert_eq!(cbor::decode::<InsuredNumber>(&cbor::encode(&number)), Ok(number)),
                None => prop_assert_eq!(cbor::decode::<InsuredNumber>(&cbor::encode(&text)), Err(cbor::Malformed)),
            }
        }
    }
}
