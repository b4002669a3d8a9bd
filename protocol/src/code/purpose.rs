//! The purpose (利用目的) of a question: stated by the asker, judged by the policy, kept in the ledger.

use minicbor::{Decode, Encode};

/// What an answer is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// Making and reviewing a care plan (居宅サービス計画等の作成).
    #[n(0)]
    CarePlanning,
    /// Giving the services of a plan (サービス提供), with the check of the card it begins with (資格確認).
    #[n(1)]
    ServiceProvision,
    /// Writing the doctor's opinion an insurer asked for (主治医意見書作成).
    #[n(2)]
    MedicalOpinion,
    /// Treating the person (診療).
    #[n(3)]
    Treatment,
    /// Certifying the need of care (要介護認定).
    #[n(4)]
    Certification,
    /// Administering benefits and claims (給付管理・請求).
    #[n(5)]
    BenefitAdministration,
    /// Handing a person over to another insurer (転出入の引継ぎ).
    #[n(6)]
    Handover,
    /// Examining what was done (監査).
    #[n(7)]
    Audit,
    /// The person reads about themself (本人閲覧).
    #[n(8)]
    OwnRecord,
    /// Life or health is in danger (緊急時). Breaks the glass.
    #[n(9)]
    Emergency,
    /// A declared disaster (災害時). Breaks the glass.
    #[n(10)]
    Disaster,
}

impl Purpose {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::CarePlanning,
        Self::ServiceProvision,
        Self::MedicalOpinion,
        Self::Treatment,
        Self::Certification,
        Self::BenefitAdministration,
        Self::Handover,
        Self::Audit,
        Self::OwnRecord,
        Self::Emergency,
        Self::Disaster,
    ];

    /// Its word on the wire and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarePlanning => "care-planning",
            Self::ServiceProvision => "service-provision",
            Self::MedicalOpinion => "medical-opinion",
            Self::Treatment => "treatment",
            Self::Certification => "certification",
            Self::BenefitAdministration => "benefit-administration",
            Self::Handover => "handover",
            Self::Audit => "audit",
            Self::OwnRecord => "own-record",
            Self::Emergency => "emergency",
            Self::Disaster => "disaster",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::CarePlanning => "ケアプラン作成",
            Self::ServiceProvision => "サービス提供",
            Self::MedicalOpinion => "主治医意見書作成",
            Self::Treatment => "診療",
            Self::Certification => "要介護認定",
            Self::BenefitAdministration => "給付管理",
            Self::Handover => "転出入の引継ぎ",
            Self::Audit => "監査",
            Self::OwnRecord => "本人閲覧",
            Self::Emergency => "緊急時",
            Self::Disaster => "災害時",
        }
    }

    /// Whether the purpose breaks the glass: wanted without the relationship the policy otherwise asks
    /// for, so that the policy, a budget and a review stand behind it.
    pub const fn breaks_glass(self) -> bool {
        matches!(self, Self::Emergency | Self::Disaster)
    }
}

impl core::fmt::Display for Purpose {
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
        for (code, value) in (0_u8..).zip(Purpose::ALL) {
            assert_eq!(Purpose::parse(value.as_str()), Some(value));
            assert_eq!(cbor::encode(&value), cbor::encode(&code));
            assert_eq!(cbor::decode::<Purpose>(&cbor::encode(&value)), Ok(value));
            assert!(!value.japanese().is_ascii(), "{value} has no Japanese name");
        }
        assert_eq!(Purpose::ALL.map(Purpose::japanese).into_iter().collect::<BTreeSet<_>>().len(), Purpose::ALL.len());
        assert_eq!(cbor::decode::<Purpose>(&cbor::encode(&11_u8)), Err(cbor::Malformed));
    }

    #[test]
    fn only_emergency_and_disaster_break_the_glass() {
        let breaking: Vec<&str> = Purpose::ALL.into_iter().filter(|p| p.breaks_glass()).map(Purpose::as_str).collect();
        assert_eq!(breaking, ["emergency", "disaster"]);
    }

    proptest! {
        #[test]
        fn only_its_word_reads_as_a_value(text in "[a-z]{1,9}(-[a-z]{1,9})?|\\PC{0,24}") {
            prop_assert!(Purpose::parse(&text).is_none_or(|value| value.as_str() == text));
        }
    }
}
