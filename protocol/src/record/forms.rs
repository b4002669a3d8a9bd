//! Which form a kind of record has.

use crate::code::record_kind::RecordKind;
use crate::record::care;
use crate::record::form::Form;

/// The form of `kind`. Every kind has one.
pub const fn form(kind: RecordKind) -> &'static Form {
    match kind {
        RecordKind::InsuranceCard => &care::insurance_card::FORM,
        RecordKind::BurdenRatioCard => &care::burden_ratio_card::FORM,
        RecordKind::CertificationResult => &care::certification_result::FORM,
        RecordKind::CertificationProgress => &care::certification_progress::FORM,
        RecordKind::CertificationSurvey => &care::certification_survey::FORM,
        RecordKind::DoctorsOpinion => &care::doctors_opinion::FORM,
        RecordKind::CarePlan => &care::care_plan::FORM,
        RecordKind::EquipmentBalance => &care::equipment_balance::FORM,
    }
}
