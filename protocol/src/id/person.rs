//! Who an insured person is to the network: the insurer on the card and the number it gave.

use super::insured::InsuredNumber;
use super::insurer::InsurerNumber;
use minicbor::{Decode, Encode};

/// A person in long-term care insurance: the insurer printed on the card, and the number there.
///
/// Ordered by insurer, then number. In CBOR an array of the two. Prints its insurer only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct PersonId {
    #[n(0)]
    insurer: InsurerNumber,
    #[n(1)]
    insured: InsuredNumber,
}

impl PersonId {
    /// The person to whom `insurer` gave the number `insured`.
    pub const fn new(insurer: InsurerNumber, insured: InsuredNumber) -> Self {
        Self { insurer, insured }
    }

    /// Reads `insurer:insured`, for example `131235:0000123456`.
    pub fn parse(text: &str) -> Option<Self> {
        let (insurer, insured) = text.split_once(':')?;
        Some(Self::new(InsurerNumber::parse(insurer)?, InsuredNumber::parse(insured)?))
    }

    /// The insurer printed on the card (証記載保険者).
    pub const fn insurer(&self) -> InsurerNumber {
        self.insurer
    }

    /// The person's number inside that insurer.
    pub const fn insured(&self) -> &InsuredNumber {
        &self.insured
    }

    /// `insurer:insured` in clear.
    pub fn expose(&self) -> String {
        format!("{}:{}", self.insurer, self.insured.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn a_person_is_an_insurer_and_a_number_there() {
        let person = PersonId::parse("131235:0000123456").expect("a person");
        assert_eq!(person.insurer().to_string(), "131235");
        assert_eq!(person.insured().expose(), "0000123456");
        assert_eq!(person.expose(), "131235:0000123456");
        assert_eq!(cbor::decode::<PersonId>(&cbor::encode(&person)).as_ref(), Ok(&person));
        for bad in ["", ":", "131234:0000123456", "131235:000012345", "0000123456:131235", "131235:0000123456:"] {
            assert_eq!(PersonId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_number_is_not_printed() {
        let person = PersonId::parse("131235:0000123456").expect("a person");
        let printed = format!("{person:?}");
        assert!(
            printed.contains("[redacted]") && printed.contains("131235") && !printed.contains("123456"),
            "{printed}"
        );
    }

    proptest! {
        #[test]
        fn what_parses_comes_back(text in "131235:[0-9H][0-9]{9}|\\PC{0,20}") {
            prop_assert!(PersonId::parse(&text).is_none_or(|person| person.expose() == text));
        }
    }
}
