//! Why a record was not taken: where, by which rule, and what would have been right. Never the value
//! that was there, so a fault may be shown, logged and counted.

/// One field that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {rule}, expected {expected}")]
pub struct FieldFault {
    /// The field, for example `needs[0].goals[1].services[0].office_number`; empty for the record as a
    /// whole, [`FieldFault::UNKNOWN`] inside a field that the form does not have.
    pub path: String,
    /// The name of the rule that is broken.
    pub rule: &'static str,
    /// What the rule asks for, in words.
    pub expected: String,
}

impl FieldFault {
    /// Stands in a path for a name that is not in the form: such a name may itself be personal.
    pub const UNKNOWN: &'static str = "(unknown field)";

    /// A fault at `path`.
    pub fn at(path: &str, rule: &'static str, expected: &str) -> Self {
        Self { path: path.to_owned(), rule, expected: expected.to_owned() }
    }
}
