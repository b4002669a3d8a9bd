//! Identifiers: newtypes whose only way in is `parse`, so that a value of the type has its form and
//! its check digit. What names a person prints `[redacted]`.

pub mod exchange;
pub mod handle;
pub mod hospital;
pub mod insured;
pub mod insurer;
pub mod local_government;
pub mod medical;
pub mod office;
pub mod party;
pub mod payer;
pub mod person;
