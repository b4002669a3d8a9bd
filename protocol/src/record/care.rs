//! The kinds of record of long-term care (介護), one file each, as described in the fact sheet of the
//! domain, and what several of them share.

pub mod benefit_management;
pub mod burden_limit_certificate;
pub mod burden_ratio_card;
pub mod care_conference;
pub mod care_plan;
pub mod certification_application;
pub mod certification_progress;
pub mod certification_result;
pub mod certification_survey;
pub mod claim_statement;
pub mod doctors_opinion;
pub mod equipment_balance;
pub mod insurance_card;
pub mod life_assessment;
pub mod prevention_plan;
pub mod recipient_entry;
pub mod service_use_plan;
pub mod sets;
pub mod support_course;

use crate::record::form::FieldType;

/// A name of a person, an office or a place.
pub(super) const NAME: FieldType = FieldType::Text { characters_max: 100 };
/// An address in one line.
pub(super) const ADDRESS: FieldType = FieldType::Text { characters_max: 200 };
/// A telephone number as it is written.
pub(super) const PHONE: FieldType = FieldType::Text { characters_max: 20 };
/// A number or code that some institution gave, taken as it is.
pub(super) const NUMBER: FieldType = FieldType::Text { characters_max: 20 };
/// A line or two.
pub(super) const LINES: FieldType = FieldType::Text { characters_max: 300 };
/// What somebody wrote about the person.
pub(super) const NARRATIVE: FieldType = FieldType::Text { characters_max: 4000 };
/// An amount in yen.
pub(super) const YEN: FieldType = FieldType::Integer { min: 0, max: 100_000_000 };
/// Benefit units of one month (単位).
pub(super) const UNITS: FieldType = FieldType::Integer { min: 0, max: 999_999 };
