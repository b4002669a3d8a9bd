//! Code lists: closed sets of values with their codes and Japanese names.

pub mod care_level;
pub mod act;
pub mod benefit_limit;
pub mod field_group;
pub mod job;
pub mod purpose;
pub mod record_kind;
pub mod retention;
pub mod service;
