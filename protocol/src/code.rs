//! Code lists: closed sets of values with their codes and Japanese names.

pub mod certainty;
pub mod care_level;
pub mod act;
pub mod benefit_limit;
pub mod burden_limit;
pub mod code_date;
pub mod field_group;
pub mod job;
pub mod purpose;
pub mod record_kind;
pub mod retention;
pub mod service;
pub mod validity;
pub mod yen_limit;
