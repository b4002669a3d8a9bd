//! Which form a kind of record has.

use crate::code::record_kind::RecordKind;
use crate::record::care;
use crate::record::form::Form;
use crate::record::neighbour;

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
        RecordKind::LifeAssessment => &care::life_assessment::FORM,
        RecordKind::ServiceUsePlan => &care::service_use_plan::FORM,
        RecordKind::CertificationApplication => &care::certification_application::FORM,
        RecordKind::BenefitManagement => &care::benefit_management::FORM,
        RecordKind::RecipientEntry => &care::recipient_entry::FORM,
        RecordKind::BurdenLimitCertificate => &care::burden_limit_certificate::FORM,
        RecordKind::Vaccination => &neighbour::vaccination::FORM,
        RecordKind::HealthScreening => &neighbour::health_screening::FORM,
        RecordKind::MaternalCheckup => &neighbour::maternal_checkup::FORM,
        RecordKind::InfantCheckup => &neighbour::infant_checkup::FORM,
        RecordKind::MedicalSubsidy => &neighbour::medical_subsidy::FORM,
        RecordKind::InfectiousDiseaseReport => &neighbour::infectious_disease_report::FORM,
        RecordKind::CertificateDocument => &neighbour::certificate_document::FORM,
        RecordKind::PreventionPlan => &care::prevention_plan::FORM,
        RecordKind::ClaimStatement => &care::claim_statement::FORM,
        RecordKind::CareConference => &care::care_conference::FORM,
        RecordKind::SupportCourse => &care::support_course::FORM,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::record::Record;
    use crate::record::check::MASKED;
    use crate::record::code_set::CodeSet;
    use crate::record::form::{Field, FieldType};
    use crate::record::json::NESTING_MAX;

    fn walk(fields: &[Field], depth: usize, visit: &mut dyn FnMut(&Field, usize)) {
        for field in fields {
            visit(field, depth);
            walk(field.inner(), depth + 1, visit);
        }
    }

    fn names_are_in_order(fields: &[Field]) {
        let names: BTreeSet<_> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields.len(), "{names:?}");
        fields.iter().for_each(|field| names_are_in_order(field.inner()));
    }

    fn codes_differ(set: &CodeSet) {
        let codes: BTreeSet<_> = set.values.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), set.values.len(), "{}", set.name);
    }

    #[test]
    fn every_form_can_be_read_by_people_and_kept_by_the_engine() {
        for kind in RecordKind::ALL {
            assert_eq!(form(kind).kind, kind);
            names_are_in_order(form(kind).fields);
            walk(form(kind).fields, 1, &mut |field, depth| {
                let letters = field.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'0'..=b'9'));
                assert!(letters && field.name != MASKED && !field.name.is_empty(), "{kind:?} {}", field.name);
                assert!(!field.japanese.is_empty() && depth < NESTING_MAX, "{kind:?} {}", field.name);
                match field.what {
                    FieldType::Code(set) | FieldType::Codes(set) => codes_differ(set),
                    // Twelve digits in a number would pass the check for what identifies a person.
                    FieldType::Integer { min, max } | FieldType::Tenths { min, max } => {
                        assert!(min <= max && min >= 0 && max < i64::from(i32::MAX), "{}", field.name);
                    }
                    _ => {}
                }
            });
            let rules: BTreeSet<_> = form(kind).rules.iter().map(|rule| rule.name).collect();
            assert_eq!(rules.len(), form(kind).rules.len(), "{kind:?}");
        }
    }

    #[test]
    fn every_example_keeps_its_rules_and_has_every_field() {
        for kind in RecordKind::ALL {
            let record = Record::from_json(kind, form(kind).example).unwrap();
            for field in form(kind).fields {
                let there = record.fields().value(field.name).is_some()
                    || field.name == "place_name"
                    || field.name == "facility_name";
                assert!(there, "{kind:?} lacks {}", field.name);
            }
        }
    }
}
