//! The kinds of record the network carries. What stands in each is for `record` to say.

use minicbor::{Decode, Encode};

/// A kind of record about a person. The order is that of the codes and of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum RecordKind {
    /// The card: care level, its period, limits (被保険者証).
    #[n(0)]
    InsuranceCard,
    /// The share the person pays (負担割合証).
    #[n(1)]
    BurdenRatioCard,
    /// What was decided on the need of care (認定結果).
    #[n(2)]
    CertificationResult,
    /// How far an application for certification is (認定の進捗).
    #[n(3)]
    CertificationProgress,
    /// The surveyor's 74 items and notes (認定調査).
    #[n(4)]
    CertificationSurvey,
    /// The doctor's opinion (主治医意見書).
    #[n(5)]
    DoctorsOpinion,
    /// The care plan, tables 1 to 3 (ケアプラン第1–3表).
    #[n(6)]
    CarePlan,
    /// What is left for housing and equipment (住宅改修・福祉用具の残額).
    #[n(7)]
    EquipmentBalance,
    /// What a care office assessed for the scientific care information system (科学的介護情報).
    #[n(8)]
    LifeAssessment,
    /// The services of one month, day by day, and what they come to (サービス利用票・別表).
    #[n(9)]
    ServiceUsePlan,
    /// The application for a certification as it was taken in (要介護認定申請書).
    #[n(10)]
    CertificationApplication,
    /// Which office was to give how many units in a month (給付管理票).
    #[n(11)]
    BenefitManagement,
    /// What the insurer keeps of a recipient of benefits (受給者台帳).
    #[n(12)]
    RecipientEntry,
    /// The most a person of small income pays for meals and the room (負担限度額認定証).
    #[n(13)]
    BurdenLimitCertificate,
    /// One vaccination (予防接種).
    #[n(14)]
    Vaccination,
    /// A screening by the municipality (自治体検診).
    #[n(15)]
    HealthScreening,
    /// One check-up of a pregnant woman (妊婦健診).
    #[n(16)]
    MaternalCheckup,
    /// One check-up of a small child (乳幼児健診).
    #[n(17)]
    InfantCheckup,
    /// That public funds pay at the doctor's (公費負担医療・地方単独医療費助成).
    #[n(18)]
    MedicalSubsidy,
    /// The report of an infectious disease (感染症発生届).
    #[n(19)]
    InfectiousDiseaseReport,
    /// A document a doctor writes for a municipality (診断書等).
    #[n(20)]
    CertificateDocument,
    /// The plan of one who needs support (介護予防サービス・支援計画).
    #[n(21)]
    PreventionPlan,
    /// What an office claims for a month (介護給付費明細書).
    #[n(22)]
    ClaimStatement,
    /// What was said when those who care met (サービス担当者会議の要点, 第4表).
    #[n(23)]
    CareConference,
    /// What the care manager did and heard in a month (支援経過, 第5表).
    #[n(24)]
    SupportCourse,
}

impl RecordKind {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 25] = [
        Self::InsuranceCard,
        Self::BurdenRatioCard,
        Self::CertificationResult,
        Self::CertificationProgress,
        Self::CertificationSurvey,
        Self::DoctorsOpinion,
        Self::CarePlan,
        Self::EquipmentBalance,
        Self::LifeAssessment,
        Self::ServiceUsePlan,
        Self::CertificationApplication,
        Self::BenefitManagement,
        Self::RecipientEntry,
        Self::BurdenLimitCertificate,
        Self::Vaccination,
        Self::HealthScreening,
        Self::MaternalCheckup,
        Self::InfantCheckup,
        Self::MedicalSubsidy,
        Self::InfectiousDiseaseReport,
        Self::CertificateDocument,
        Self::PreventionPlan,
        Self::ClaimStatement,
        Self::CareConference,
        Self::SupportCourse,
    ];

    /// Its word on the wire and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsuranceCard => "insurance-card",
            Self::BurdenRatioCard => "burden-ratio-card",
            Self::CertificationResult => "certification-result",
            Self::CertificationProgress => "certification-progress",
            Self::CertificationSurvey => "certification-survey",
            Self::DoctorsOpinion => "doctors-opinion",
            Self::CarePlan => "care-plan",
            Self::EquipmentBalance => "equipment-balance",
            Self::LifeAssessment => "life-assessment",
            Self::ServiceUsePlan => "service-use-plan",
            Self::CertificationApplication => "certification-application",
            Self::BenefitManagement => "benefit-management",
            Self::RecipientEntry => "recipient-entry",
            Self::BurdenLimitCertificate => "burden-limit-certificate",
            Self::Vaccination => "vaccination",
            Self::HealthScreening => "health-screening",
            Self::MaternalCheckup => "maternal-checkup",
            Self::InfantCheckup => "infant-checkup",
            Self::MedicalSubsidy => "medical-subsidy",
            Self::InfectiousDiseaseReport => "infectious-disease-report",
            Self::CertificateDocument => "certificate-document",
            Self::PreventionPlan => "prevention-plan",
            Self::ClaimStatement => "claim-statement",
            Self::CareConference => "care-conference",
            Self::SupportCourse => "support-course",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::InsuranceCard => "介護保険被保険者証",
            Self::BurdenRatioCard => "介護保険負担割合証",
            Self::CertificationResult => "要介護認定結果",
            Self::CertificationProgress => "要介護認定の進捗",
            Self::CertificationSurvey => "認定調査票",
            Self::DoctorsOpinion => "主治医意見書",
            Self::CarePlan => "ケアプラン",
            Self::EquipmentBalance => "住宅改修・福祉用具購入の残額",
            Self::LifeAssessment => "科学的介護情報",
            Self::ServiceUsePlan => "サービス利用票・別表",
            Self::CertificationApplication => "要介護認定申請書",
            Self::BenefitManagement => "給付管理票",
            Self::RecipientEntry => "受給者台帳",
            Self::BurdenLimitCertificate => "介護保険負担限度額認定証",
            Self::Vaccination => "予防接種",
            Self::HealthScreening => "自治体検診",
            Self::MaternalCheckup => "妊婦健診",
            Self::InfantCheckup => "乳幼児健診",
            Self::MedicalSubsidy => "公費負担医療・医療費助成",
            Self::InfectiousDiseaseReport => "感染症発生届",
            Self::CertificateDocument => "診断書等",
            Self::PreventionPlan => "介護予防サービス・支援計画",
            Self::ClaimStatement => "介護給付費明細書",
            Self::CareConference => "サービス担当者会議の要点",
            Self::SupportCourse => "支援経過",
        }
    }
}

impl core::fmt::Display for RecordKind {
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
        for (code, value) in (0_u8..).zip(RecordKind::ALL) {
            assert_eq!(RecordKind::parse(value.as_str()), Some(value));
            assert_eq!(cbor::encode(&value), cbor::encode(&code));
            assert_eq!(cbor::decode::<RecordKind>(&cbor::encode(&value)), Ok(value));
            assert!(!value.japanese().is_ascii(), "{value} has no Japanese name");
        }
        assert_eq!(
            RecordKind::ALL.map(RecordKind::japanese).into_iter().collect::<BTreeSet<_>>().len(),
            RecordKind::ALL.len()
        );
        assert_eq!(cbor::decode::<RecordKind>(&cbor::encode(&25_u8)), Err(cbor::Malformed));
    }

    proptest! {
        #[test]
        fn only_its_word_reads_as_a_value(text in "[a-z]{1,9}(-[a-z]{1,9})?|\\PC{0,24}") {
            prop_assert!(RecordKind::parse(&text).is_none_or(|value| value.as_str() == text));
        }
    }
}
