//! The code of a medical institution (医療機関コード).

use super::office::{CheckDigit, check_digit_of};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// The code of a medical institution: prefecture (2 digits), tariff (点数表: 1 medical, 3 dental, 4
/// pharmacy, 6 home nursing) and seven digits, of which the last is a check digit.
///
/// One site may have several, one for each tariff.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HospitalCode(String);

impl HospitalCode {
    /// Reads ten digits of which the third names a tariff.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
        let [_, _, tariff, ..] = bytes;
        let form = bytes.iter().all(u8::is_ascii_digit) && matches!(tariff, b'1' | b'3' | b'4' | b'6');
        form.then(|| Self(text.to_owned()))
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the check digit (modulus 10 over the first nine) says. Which digits it covers is not
    /// published, so it warns only.
    pub fn check_digit(&self) -> CheckDigit {
        check_digit_of(&self.0)
    }
}

impl core::fmt::Display for HospitalCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::fmt::Debug for HospitalCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for HospitalCode {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for HospitalCode {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a hospital code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn the_third_digit_names_a_tariff() {
        // 1312300450 is also the office number of the same hospital: the seven digits are shared.
        let hospital = HospitalCode::parse("1312300450").expect("a code");
        assert_eq!((hospital.as_str(), hospital.check_digit()), ("1312300450", CheckDigit::Good));
        assert_eq!(HospitalCode::parse("1312300451").map(|code| code.check_digit()), Some(CheckDigit::Bad));
        for bad in ["", "1322300450", "1372300450", "131230045", "13123004500", "13A2300450", "131230045０"] {
            assert_eq!(HospitalCode::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_and_encodes_back(text in "[0-9]{2}[1346][0-9]{7}|\\PC{0,12}") {
            match HospitalCode::parse(&text) {
                Some(code) => {
                    prop_assert_eq!(code.to_string(), text);
                    prop_assert_ne!(code.check_digit(), CheckDigit::NotApplicable);
                    prop_assert_eq!(cbor::decode::<HospitalCode>(&cbor::encode(&code)), Ok(code));
                }
                None => prop_assert_eq!(cbor::decode::<HospitalCode>(&cbor::encode(&text)), Err(cbor::Malformed)),
            }
        }
    }
}
