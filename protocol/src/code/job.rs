//! The job (職種) in which somebody asks: what the policy knows of a member of staff.
//!
//! Who holds the job is for the asker's organisation to say and to sign; this file names them only.

use minicbor::{Decode, Encode};

/// The job of whoever asks. A closed list, wider groups of licences where the policy sees no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Job {
    /// Makes care plans (介護支援専門員).
    #[n(0)]
    CareManager,
    /// Doctor (医師).
    #[n(1)]
    Doctor,
    /// Dentist (歯科医師).
    #[n(2)]
    Dentist,
    /// Pharmacist (薬剤師).
    #[n(3)]
    Pharmacist,
    /// Nurse or assistant nurse (看護師・准看護師).
    #[n(4)]
    Nurse,
    /// Public health nurse (保健師).
    #[n(5)]
    PublicHealthNurse,
    /// Physical, occupational or speech therapist (理学療法士・作業療法士・言語聴覚士).
    #[n(6)]
    Therapist,
    /// Dietitian (管理栄養士).
    #[n(7)]
    Dietitian,
    /// Care worker (介護福祉士, 訪問介護員 and others who give care).
    #[n(8)]
    CareWorker,
    /// Consultant of an office or facility (生活相談員).
    #[n(9)]
    Consultant,
    /// Social worker, in hospitals too (社会福祉士, 医療ソーシャルワーカー).
    #[n(10)]
    SocialWorker,
    /// Consultant for equipment (福祉用具専門相談員).
    #[n(11)]
    EquipmentConsultant,
    /// Head of an office (管理者).
    #[n(12)]
    OfficeHead,
    /// Clerk of an office or hospital (事務職員).
    #[n(13)]
    Clerk,
    /// Officer of the insurer (保険者職員).
    #[n(14)]
    MunicipalOfficer,
    /// Surveyor for certification (認定調査員).
    #[n(15)]
    Surveyor,
    /// Member of the certification panel (認定審査会委員).
    #[n(16)]
    PanelMember,
    /// The insured person (本人).
    #[n(17)]
    InsuredPerson,
    /// Who acts for the insured person by law or mandate (代理人).
    #[n(18)]
    Representative,
    /// Examines what others did (監査担当).
    #[n(19)]
    Examination,
    /// Keeps machines running (保守担当). Reads no record.
    #[n(20)]
    Maintenance,
    /// A machine that acts by itself (自動処理). Reads no record.
    #[n(21)]
    System,
}

impl Job {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 22] = [
        Self::CareManager,
        Self::Doctor,
        Self::Dentist,
        Self::Pharmacist,
        Self::Nurse,
        Self::PublicHealthNurse,
        Self::Therapist,
        Self::Dietitian,
        Self::CareWorker,
        Self::Consultant,
        Self::SocialWorker,
        Self::EquipmentConsultant,
        Self::OfficeHead,
        Self::Clerk,
        Self::MunicipalOfficer,
        Self::Surveyor,
        Self::PanelMember,
        Self::InsuredPerson,
        Self::Representative,
        Self::Examination,
        Self::Maintenance,
        Self::System,
    ];

    /// Its word on the wire and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CareManager => "care-manager",
            Self::Doctor => "doctor",
            Self::Dentist => "dentist",
            Self::Pharmacist => "pharmacist",
            Self::Nurse => "nurse",
            Self::PublicHealthNurse => "public-health-nurse",
            Self::Therapist => "therapist",
            Self::Dietitian => "dietitian",
            Self::CareWorker => "care-worker",
            Self::Consultant => "consultant",
            Self::SocialWorker => "social-worker",
            Self::EquipmentConsultant => "equipment-consultant",
            Self::OfficeHead => "office-head",
            Self::Clerk => "clerk",
            Self::MunicipalOfficer => "municipal-officer",
            Self::Surveyor => "surveyor",
            Self::PanelMember => "panel-member",
            Self::InsuredPerson => "insured-person",
            Self::Representative => "representative",
            Self::Examination => "examination",
            Self::Maintenance => "maintenance",
            Self::System => "system",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::CareManager => "介護支援専門員",
            Self::Doctor => "医師",
            Self::Dentist => "歯科医師",
            Self::Pharmacist => "薬剤師",
            Self::Nurse => "看護職員",
            Self::PublicHealthNurse => "保健師",
            Self::Therapist => "リハビリテーション職",
            Self::Dietitian => "管理栄養士",
            Self::CareWorker => "介護職員",
            Self::Consultant => "生活相談員",
            Self::SocialWorker => "社会福祉士",
            Self::EquipmentConsultant => "福祉用具専門相談員",
            Self::OfficeHead => "管理者",
            Self::Clerk => "事務職員",
            Self::MunicipalOfficer => "保険者職員",
            Self::Surveyor => "認定調査員",
            Self::PanelMember => "認定審査会委員",
            Self::InsuredPerson => "本人",
            Self::Representative => "代理人",
            Self::Examination => "監査担当",
            Self::Maintenance => "保守担当",
            Self::System => "自動処理",
        }
    }

    /// Whether the job is one in which records of persons may be read at all. A machine by itself and
    /// those who maintain it never read, whatever a policy says; for the others the policy decides.
    pub const fn may_read(self) -> bool {
        !matches!(self, Self::Maintenance | Self::System)
    }

    /// Whether who asks is the insured person or acts for them, not staff of an organisation.
    pub const fn is_own_side(self) -> bool {
        matches!(self, Self::InsuredPerson | Self::Representative)
    }
}

impl core::fmt::Display for Job {
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
        for (code, value) in (0_u8..).zip(Job::ALL) {
            assert_eq!(Job::parse(value.as_str()), Some(value));
            assert_eq!(cbor::encode(&value), cbor::encode(&code));
            assert_eq!(cbor::decode::<Job>(&cbor::encode(&value)), Ok(value));
            assert!(!value.japanese().is_ascii(), "{value} has no Japanese name");
        }
        assert_eq!(Job::ALL.map(Job::japanese).into_iter().collect::<BTreeSet<_>>().len(), Job::ALL.len());
        assert_eq!(cbor::decode::<Job>(&cbor::encode(&22_u8)), Err(cbor::Malformed));
    }

    #[test]
    fn machines_and_their_keepers_read_nothing() {
        let silent: Vec<&str> = Job::ALL.into_iter().filter(|job| !job.may_read()).map(Job::as_str).collect();
        assert_eq!(silent, ["maintenance", "system"]);
        let own: Vec<&str> = Job::ALL.into_iter().filter(|job| job.is_own_side()).map(Job::as_str).collect();
        assert_eq!(own, ["insured-person", "representative"]);
    }

    proptest! {
        #[test]
        fn only_its_word_reads_as_a_value(text in "[a-z]{1,9}(-[a-z]{1,9})?|\\PC{0,24}") {
            prop_assert!(Job::parse(&text).is_none_or(|value| value.as_str() == text));
        }
    }
}
