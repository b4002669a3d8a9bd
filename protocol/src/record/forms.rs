//! Which form a kind of record has.

use crate::code::record_kind::RecordKind;
use crate::record::care;
use crate::record::fault::FieldFault;
use crate::record::form::Form;

/// Every form there is.
pub static FORMS: &[&Form] = &[&care::insurance_card::FORM, &care::burden_ratio_card::FORM];

/// The form of `kind`.
///
/// # Errors
/// A [`FieldFault`] if no form is known for the kind.
pub fn form(kind: RecordKind) -> Result<&'static Form, FieldFault> {
    let known = FORMS.iter().find(|form| form.kind == kind);
    known.copied().ok_or_else(|| FieldFault::at("", "kind", "a kind of record that has a form"))
}
