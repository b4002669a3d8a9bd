//! Codes of local governments (全国地方公共団体コード) and the 1,741 municipalities that bear them.
//!
//! A code names a place, an [`InsurerNumber`] names who insures; for one in eleven municipalities the
//! two are the same six digits, so neither is ever read as the other.

use super::insurer::{InsurerNumber, digits};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// The table; its first lines say where it is from and of which day.
const TABLE: &str = include_str!("../../data/municipalities.csv");

/// A code of a local government: prefecture (JIS X 0401, 2 digits), municipality (JIS X 0402, 3
/// digits), and a check digit modulus 11.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalGovernmentCode([u8; 5]);

/// A municipality (市町村, 特別区) as of 2024-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Municipality {
    /// Its code.
    pub code: LocalGovernmentCode,
    /// The name of its prefecture (都道府県).
    pub prefecture: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The reading of its name in full-width katakana.
    pub kana: &'static str,
}

impl LocalGovernmentCode {
    /// Reads six digits of which the last is the check digit.
    pub fn parse(text: &str) -> Option<Self> {
        let [base @ .., check] = digits::<6>(text)?;
        (modulus_11(base) == check).then_some(Self(base))
    }

    /// The number of the insurer with the same first five digits. Whether it exists is for the roster
    /// to say.
    pub fn insurer_number(self) -> InsurerNumber {
        InsurerNumber::with_check_digit(self.0)
    }

    /// The number of the prefecture, 1 北海道 to 47 沖縄県 for places that exist.
    pub const fn prefecture(self) -> u8 {
        let [tens, ones, ..] = self.0;
        tens.saturating_mul(10).saturating_add(ones)
    }
}

/// All 1,741 municipalities in the order of their codes.
pub fn municipalities() -> impl Iterator<Item = Municipality> {
    TABLE.lines().filter_map(row)
}

/// The municipality with this code. Walks the table.
pub fn municipality(code: LocalGovernmentCode) -> Option<Municipality> {
    let text = code.to_string();
    TABLE.lines().find(|line| line.starts_with(&text)).and_then(row)
}

/// One line of the table; none for its comments and its heading, which do not begin with a code.
fn row(line: &'static str) -> Option<Municipality> {
    let mut cells = line.split(',');
    let code = LocalGovernmentCode::parse(cells.next()?)?;
    let (prefecture, name, kana) = (cells.next()?, cells.next()?, cells.next()?);
    Some(Municipality { code, prefecture, name, kana })
}

/// The check digit modulus 11: the weights 6, 5, 4, 3, 2, the rest of the sum taken from eleven, and
/// of that the last digit.
///
/// Two rests share the digit 1, so a changed digit can go unseen where the check digit is 1.
fn modulus_11(base: [u8; 5]) -> u8 {
    let sum = base.iter().zip([6_u8, 5, 4, 3, 2]).fold(0_u8, |sum, (digit, weight)| {
        (sum + digit.saturating_mul(weight) % 11) % 11 // at most 9 × 6, then below 22
    });
    (11 - sum) % 10
}

impl core::fmt::Display for LocalGovernmentCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{digit}"))?;
        write!(f, "{}", modulus_11(self.0))
    }
}

impl core::fmt::Debug for LocalGovernmentCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for LocalGovernmentCode {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for LocalGovernmentCode {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a local government code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn code(text: &str) -> LocalGovernmentCode {
        LocalGovernmentCode::parse(text).expect("a code")
    }

    #[test]
    fn published_codes_carry_their_check_digit() {
        for (local, insurer) in [("131237", "131235"), ("271004", "271007"), ("401307", "401307")] {
            assert_eq!(code(local).insurer_number().to_string(), insurer);
        }
        assert_eq!(code("011002").prefecture(), 1);
        for bad in ["131235", "13123", "1312370", "13123７", ""] {
            assert_eq!(LocalGovernmentCode::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_table_holds_every_municipality_once_in_order() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let all: Vec<Municipality> = municipalities().collect();
        assert_eq!((rows, all.len()), (1741, 1741));
        assert!(all.windows(2).all(|pair| pair[0].code < pair[1].code));
        for place in &all {
            assert!((1..=47).contains(&place.code.prefecture()), "{place:?}");
            assert!(place.prefecture.ends_with(['都', '道', '府', '県']), "{place:?}");
            assert!(place.name.ends_with(['市', '町', '村', '区']), "{place:?}");
            assert!(place.kana.chars().all(|c| ('ァ'..='ー').contains(&c)) && !place.kana.is_empty(), "{place:?}");
        }
        let prefectures: std::collections::BTreeSet<(u8, &str)> =
            all.iter().map(|place| (place.code.prefecture(), place.prefecture)).collect();
        assert_eq!(prefectures.len(), 47);
        assert_eq!(
            all.iter().filter(|place| place.code.insurer_number().to_string() == place.code.to_string()).count(),
            159
        );
    }

    #[test]
    fn a_municipality_is_found_by_its_code() {
        let edogawa = municipality(code("131237")).expect("Edogawa");
        assert_eq!((edogawa.prefecture, edogawa.name, edogawa.kana), ("東京都", "江戸川区", "エドガワク"));
        assert_eq!(municipality(code("221309")).map(|m| m.name), Some("浜松市"));
        assert_eq!(municipality(code("282219")).map(|m| m.name), Some("丹波篠山市"));
        assert_eq!(municipality(code("402311")).map(|m| m.name), Some("那珂川市"));
        // A prefecture has a code and is no municipality.
        assert_eq!(municipality(code("010006")), None);
    }

    proptest! {
        #[test]
        fn one_changed_digit_is_refused_unless_the_check_digit_is_one(
            base in any::<[u8; 5]>(), place in 0_usize..6, by in 1_u8..10,
        ) {
            let text = LocalGovernmentCode(base.map(|b| b % 10)).to_string();
            prop_assume!(place == 5 || !text.ends_with('1'));
            let mut changed = text.clone().into_bytes();
            changed[place] = b'0' + (changed[place] - b'0' + by) % 10;
            prop_assert!(LocalGovernmentCode::parse(&text).is_some());
            prop_assert_eq!(LocalGovernmentCode::parse(std::str::from_utf8(&changed).expect("digits")), None);
        }

        #[test]
        fn what_parses_prints_and_encodes_back(text in "[0-9]{6}|\\PC{0,9}") {
            if let Some(code) = LocalGovernmentCode::parse(&text) {
                prop_assert_eq!(code.to_string(), text);
                prop_assert_eq!(cbor::decode::<LocalGovernmentCode>(&cbor::encode(&code)), Ok(code));
                let _place = municipality(code);
            } else {
                prop_assert_eq!(cbor::decode::<LocalGovernmentCode>(&cbor::encode(&text)), Err(cbor::Malformed));
            }
        }
    }
}
