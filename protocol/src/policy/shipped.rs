//! The policy this crate ships: the files of `protocol/policy`, one for each record kind and one for
//! what holds for all.

/// The schema (words and facts a policy may speak of).
pub(super) const SCHEMA: &str = include_str!("../../policy/schema.cedarschema");

/// The policy files with their names.
pub(super) const SOURCES: [(&str, &str); 23] = [
    ("common", include_str!("../../policy/common.cedar")),
    ("insurance_card", include_str!("../../policy/insurance_card.cedar")),
    ("burden_ratio_card", include_str!("../../policy/burden_ratio_card.cedar")),
    ("certification_result", include_str!("../../policy/certification_result.cedar")),
    ("certification_progress", include_str!("../../policy/certification_progress.cedar")),
    ("certification_survey", include_str!("../../policy/certification_survey.cedar")),
    ("doctors_opinion", include_str!("../../policy/doctors_opinion.cedar")),
    ("certification_application", include_str!("../../policy/certification_application.cedar")),
    ("care_plan", include_str!("../../policy/care_plan.cedar")),
    ("equipment_balance", include_str!("../../policy/equipment_balance.cedar")),
    ("life_assessment", include_str!("../../policy/life_assessment.cedar")),
    ("service_use_plan", include_str!("../../policy/service_use_plan.cedar")),
    ("benefit_management", include_str!("../../policy/benefit_management.cedar")),
    ("burden_limit_certificate", include_str!("../../policy/burden_limit_certificate.cedar")),
    ("vaccination", include_str!("../../policy/vaccination.cedar")),
    ("health_screening", include_str!("../../policy/health_screening.cedar")),
    ("maternal_checkup", include_str!("../../policy/maternal_checkup.cedar")),
    ("infant_checkup", include_str!("../../policy/infant_checkup.cedar")),
    ("medical_subsidy", include_str!("../../policy/medical_subsidy.cedar")),
    ("prevention_plan", include_str!("../../policy/prevention_plan.cedar")),
    ("claim_statement", include_str!("../../policy/claim_statement.cedar")),
    ("care_conference", include_str!("../../policy/care_conference.cedar")),
    ("support_course", include_str!("../../policy/support_course.cedar")),
];
