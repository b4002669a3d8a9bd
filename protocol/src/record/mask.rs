//! Leaves out what a reader is not shown. Only ever removes.

use crate::code::field_group::FieldGroups;
use crate::record::form::Field;
use crate::record::value::{Fields, Value};

/// The fields whose groups are in `shown`. What the form does not describe could be anything, so it
/// is kept only if nothing at all is hidden.
pub(super) fn keep(of: &[Field], fields: &Fields, shown: FieldGroups) -> Fields {
    if shown == FieldGroups::ALL {
        return fields.clone();
    }
    let mut kept = Fields::default();
    for field in of.iter().filter(|field| shown.contains(field.group)) {
        if let Some(held) = fields.value(field.name) {
            kept.insert(field.name, keep_inside(field, held, shown));
        }
    }
    kept
}

fn keep_inside(field: &Field, held: &Value, shown: FieldGroups) -> Value {
    match held {
        Value::List(items) => Value::List(items.iter().map(|item| keep(field.inner(), item, shown)).collect()),
        Value::Group(inner) => Value::Group(keep(field.inner(), inner, shown)),
        plain => plain.clone(),
    }
}
