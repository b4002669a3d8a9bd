//! The number of who pays by public funds (公費負担者番号).

use crate::id::insurer::{digits, modulus_10};

/// The number of a payer by public funds (公費負担者番号): two digits of the law (法別番号), two of the prefecture, three of
/// the payer, then the check digit modulus 10 that it shares with the numbers of insurers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PayerNumber([u8; 8]);

impl PayerNumber {
    /// Reads eight digits of which the last is the check digit.
    pub fn parse(text: &str) -> Option<Self> {
        let number = digits::<8>(text)?;
        let [base @ .., check] = number;
        (modulus_10(&base) == check).then_some(Self(number))
    }

    /// By which law it pays (法別番号).
    pub fn law(self) -> u8 {
        let [tens, ones, ..] = self.0;
        tens.saturating_mul(10).saturating_add(ones)
    }
}

impl core::fmt::Display for PayerNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl core::fmt::Debug for PayerNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_published_number_carries_its_check_digit() {
        let number = PayerNumber::parse("81136244").expect("the number of a city");
        assert_eq!((number.to_string().as_str(), number.law()), ("81136244", 81));
        for bad in ["", "81136245", "8113624", "081136244", "8113624４", "H1136244"] {
            assert_eq!(PayerNumber::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_back(text in "[0-9]{8}|\\PC{0,9}") {
            if let Some(number) = PayerNumber::parse(&text) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }
}
