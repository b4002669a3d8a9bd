//! What a field holds. Everything here is personal: it prints `[redacted]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::date::{Date, Month};
use crate::record::fault::FieldFault;

/// The value of one field.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, a code or an identifier.
    Text(String),
    /// A whole number, or tenths.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// A day.
    Date(Date),
    /// A month.
    Month(Month),
    /// Different codes of one set.
    Codes(BTreeSet<String>),
    /// Items with the same fields.
    List(Vec<Fields>),
    /// Fields that belong together.
    Group(Fields),
    /// What stood in a field that the form does not have, handed on as it came: JSON text with the
    /// names of its objects in order.
    Foreign(String),
}

/// Values by the names of their fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The value of the field `name`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Text, a code or an identifier.
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Value::Text(text) = self.value(name)? { Some(text) } else { None }
    }

    /// A whole number, or tenths.
    pub fn integer(&self, name: &str) -> Option<i64> {
        if let Value::Integer(number) = self.value(name)? { Some(*number) } else { None }
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        if let Value::Flag(flag) = self.value(name)? { Some(*flag) } else { None }
    }

    /// A day.
    pub fn date(&self, name: &str) -> Option<Date> {
        if let Value::Date(date) = self.value(name)? { Some(*date) } else { None }
    }

    /// A month.
    pub fn month(&self, name: &str) -> Option<Month> {
        if let Value::Month(month) = self.value(name)? { Some(*month) } else { None }
    }

    /// Different codes of one set.
    pub fn codes(&self, name: &str) -> Option<&BTreeSet<String>> {
        if let Value::Codes(codes) = self.value(name)? { Some(codes) } else { None }
    }

    /// The items of a list; none if there is no such list.
    pub fn list(&self, name: &str) -> &[Self] {
        if let Some(Value::List(items)) = self.value(name) { items } else { &[] }
    }

    /// The fields of a group.
    pub fn group(&self, name: &str) -> Option<&Self> {
        if let Value::Group(fields) = self.value(name)? { Some(fields) } else { None }
    }

    /// Every field, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::record) fn insert(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for Fields {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = self.0.iter().map(|(name, value)| match value {
            // Such a name is not ours: it may itself be personal.
            Value::Foreign(_) => (FieldFault::UNKNOWN, value),
            _ => (name.as_str(), value),
        });
        f.debug_map().entries(names).finish()
    }
}
