//! The need of care as certified (要介護状態区分).

use minicbor::{Decode, Encode};

/// The need of care (要介護状態区分), in CBOR and in text the national code.
///
/// Ordered by code; up to [`Self::Care5`] a greater value is a heavier need, the three after it are no levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum CareLevel {
    /// No need of care was found (非該当).
    #[n(1)]
    NotEligible,
    /// Entitled to the municipality's programmes after a check list (事業対象者).
    #[n(6)]
    ProgrammeTarget,
    /// Historic: the level before 2006 kept for a time (経過的要介護).
    #[n(11)]
    Transitional,
    /// Support level 1 (要支援1).
    #[n(12)]
    Support1,
    /// Support level 2 (要支援2).
    #[n(13)]
    Support2,
    /// Care level 1 (要介護1).
    #[n(21)]
    Care1,
    /// Care level 2 (要介護2).
    #[n(22)]
    Care2,
    /// Care level 3 (要介護3).
    #[n(23)]
    Care3,
    /// Care level 4 (要介護4).
    #[n(24)]
    Care4,
    /// Care level 5, the heaviest (要介護5).
    #[n(25)]
    Care5,
    /// The panel asks for another survey (再調査); a panel result only.
    #[n(31)]
    Resurvey,
    /// The certification was revoked (取消).
    #[n(88)]
    Revoked,
    /// There is none (なし).
    #[n(99)]
    None,
}

impl CareLevel {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 13] = [
        Self::NotEligible,
        Self::ProgrammeTarget,
        Self::Transitional,
        Self::Support1,
        Self::Support2,
        Self::Care1,
        Self::Care2,
        Self::Care3,
        Self::Care4,
        Self::Care5,
        Self::Resurvey,
        Self::Revoked,
        Self::None,
    ];

    /// Its code of two digits.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotEligible => "01",
            Self::ProgrammeTarget => "06",
            Self::Transitional => "11",
            Self::Support1 => "12",
            Self::Support2 => "13",
            Self::Care1 => "21",
            Self::Care2 => "22",
            Self::Care3 => "23",
            Self::Care4 => "24",
            Self::Care5 => "25",
            Self::Resurvey => "31",
            Self::Revoked => "88",
            Self::None => "99",
        }
    }

    /// Reads the code.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::NotEligible => "非該当",
            Self::ProgrammeTarget => "事業対象者",
            Self::Transitional => "経過的要介護",
            Self::Support1 => "要支援1",
            Self::Support2 => "要支援2",
            Self::Care1 => "要介護1",
            Self::Care2 => "要介護2",
            Self::Care3 => "要介護3",
            Self::Care4 => "要介護4",
            Self::Care5 => "要介護5",
            Self::Resurvey => "再調査",
            Self::Revoked => "取消",
            Self::None => "なし",
        }
    }

    /// Whether a card (被保険者証) may show it.
    pub const fn is_on_card(self) -> bool {
        !matches!(self, Self::Transitional | Self::Resurvey | Self::Revoked | Self::None)
    }

    /// The step that counts for whether the limit for changes to the home begins anew (介護の必要の程度の段階), 1 to 6; none of what
    /// is no need of support or care. DOMAIN §3.2 (S48); that 経過的要介護 is of the first is M.
    pub const fn housing_step(self) -> Option<u8> {
        match self {
            Self::Transitional | Self::Support1 => Some(1),
            Self::Support2 | Self::Care1 => Some(2),
            Self::Care2 => Some(3),
            Self::Care3 => Some(4),
            Self::Care4 => Some(5),
            Self::Care5 => Some(6),
            Self::NotEligible | Self::ProgrammeTarget | Self::Resurvey | Self::Revoked | Self::None => None,
        }
    }

    /// Whether it is a certified need of support or care (要支援・要介護).
    pub const fn is_certified(self) -> bool {
        matches!(
            self,
            Self::Transitional
                | Self::Support1
                | Self::Support2
                | Self::Care1
                | Self::Care2
                | Self::Care3
                | Self::Care4
                | Self::Care5
        )
    }
}

impl core::fmt::Display for CareLevel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_value_comes_back_from_its_word_and_its_code() {
        for (code, value) in [1_u8, 6, 11, 12, 13, 21, 22, 23, 24, 25, 31, 88, 99].into_iter().zip(CareLevel::ALL) {
            assert_eq!(value.as_str(), format!("{code:02}"));
            assert_eq!(CareLevel::parse(value.as_str()), Some(value));
            assert_eq!(cbor::encode(&value), cbor::encode(&code));
            assert_eq!(cbor::decode::<CareLevel>(&cbor::encode(&value)), Ok(value));
            assert!(!value.japanese().is_ascii(), "{value} has no Japanese name");
        }
        assert_eq!(
            CareLevel::ALL.map(CareLevel::japanese).into_iter().collect::<BTreeSet<_>>().len(),
            CareLevel::ALL.len()
        );
        assert_eq!(cbor::decode::<CareLevel>(&cbor::encode(&2_u8)), Err(cbor::Malformed));
    }

    #[test]
    fn a_card_shows_nine_levels() {
        let shown: Vec<&str> = CareLevel::ALL.into_iter().filter(|l| l.is_on_card()).map(CareLevel::as_str).collect();
        assert_eq!(shown, ["01", "06", "12", "13", "21", "22", "23", "24", "25"]);
    }

    #[test]
    fn a_heavier_need_is_greater() {
        let certified: Vec<CareLevel> = CareLevel::ALL.into_iter().filter(|level| level.is_certified()).collect();
        assert!(certified.is_sorted() && certified.len() == 8);
        assert!(CareLevel::Care1 > CareLevel::Support2 && CareLevel::Support1 > CareLevel::ProgrammeTarget);
        assert!(!CareLevel::NotEligible.is_certified() && !CareLevel::Revoked.is_certified());
    }

    #[test]
    fn the_steps_of_the_home_are_those_of_the_fact_sheet() {
        let steps = ["12", "13", "21", "22", "23", "24", "25"].map(|code| CareLevel::parse(code)?.housing_step());
        assert_eq!(steps, [1, 2, 2, 3, 4, 5, 6].map(Some));
        assert!(CareLevel::ALL.into_iter().all(|level| level.housing_step().is_some() == level.is_certified()));
    }

    proptest! {
        #[test]
        fn only_its_code_reads_as_a_value(text in "[0-9]{1,3}|\\PC{0,24}") {
            prop_assert!(CareLevel::parse(&text).is_none_or(|value| value.as_str() == text));
        }
    }
}
