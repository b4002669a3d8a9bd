//! What is kept about a person: records whose kinds are described as data, checked field by field,
//! masked by group, and encoded in one way. Knows no law and asks nobody for permission: who may see
//! which groups is decided elsewhere.

pub mod canonical;
pub mod care;
pub mod check;
pub mod code_day;
pub mod code_set;
pub mod disclosure;
pub mod fault;
pub mod form;
pub mod forms;
pub mod individual_number;
pub mod json;
pub mod mask;
pub mod neighbour;
pub mod paper;
pub mod rules;
pub mod slip;
pub mod strict_json;
pub mod timeline;
pub mod value;
pub mod version;

use crate::code::field_group::FieldGroups;
use crate::code::record_kind::RecordKind;
use crate::record::canonical::RECORD_BYTES_MAX;
use crate::record::fault::FieldFault;
use crate::record::form::Form;
use crate::record::value::Fields;

/// A record that keeps the rules of its form, or what is left of one after masking.
#[derive(Clone)]
pub struct Record {
    form: &'static Form,
    shown: FieldGroups,
    fields: Fields,
}

impl Record {
    /// Reads a record of `kind` from JSON. Fields that the form does not have are kept as they come.
    ///
    /// # Errors
    /// The first [`FieldFault`]: the text is no JSON object or too long, a field has the wrong type,
    /// a wrong value, is missing, or breaks a rule.
    pub fn from_json(kind: RecordKind, text: &str) -> Result<Self, FieldFault> {
        if text.len() > RECORD_BYTES_MAX {
            return Err(FieldFault::at("", "bytes", &format!("at most {RECORD_BYTES_MAX} bytes")));
        }
        let json = strict_json::parse(text);
        Self::from_value(kind, json.map_err(|_told| FieldFault::at("", "json", "JSON, in which no name stands twice"))?)
    }

    /// The same from JSON that was parsed with [`strict_json::parse`].
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_value(kind: RecordKind, json: serde_json::Value) -> Result<Self, FieldFault> {
        if json.to_string().len() > RECORD_BYTES_MAX {
            return Err(FieldFault::at("", "bytes", &format!("at most {RECORD_BYTES_MAX} bytes")));
        }
        let form = forms::form(kind);
        let fields = json::read(form, json)?;
        check::whole(form, &fields)?;
        if canonical::write(&fields).len() > RECORD_BYTES_MAX {
            return Err(FieldFault::at("", "bytes", &format!("at most {RECORD_BYTES_MAX} bytes")));
        }
        Ok(Self { form, shown: FieldGroups::ALL, fields })
    }

    /// Reads a record of `kind` that hides nothing from its encoding.
    ///
    /// # Errors
    /// A [`FieldFault`] as from [`Self::from_json`], or if the bytes are not the one encoding.
    pub fn decode(kind: RecordKind, bytes: &[u8]) -> Result<Self, FieldFault> {
        let form = forms::form(kind);
        let fields = canonical::read(form, bytes)?;
        check::whole(form, &fields)?;
        Ok(Self { form, shown: FieldGroups::ALL, fields })
    }

    /// Reads what is left of a record that was masked to the groups `shown`.
    ///
    /// # Errors
    /// As [`Self::decode`]; also if there is a value that `shown` hides. If it hides anything, the
    /// rules between fields are not asked.
    pub fn decode_masked(kind: RecordKind, shown: FieldGroups, bytes: &[u8]) -> Result<Self, FieldFault> {
        if shown == FieldGroups::ALL {
            return Self::decode(kind, bytes);
        }
        let form = forms::form(kind);
        let fields = canonical::read(form, bytes)?;
        check::masked(form, &fields, shown)?;
        Ok(Self { form, shown, fields })
    }

    /// The one encoding: a CBOR map of fields with sorted keys. The kind, and what was masked, stand
    /// outside.
    pub fn encode(&self) -> Vec<u8> {
        canonical::write(&self.fields)
    }

    /// The record without the fields of all other groups.
    #[must_use]
    pub fn mask(&self, groups: FieldGroups) -> Self {
        let shown = self.shown.intersection(groups);
        Self { form: self.form, shown, fields: mask::keep(self.form.fields, &self.fields, shown) }
    }

    /// The record as JSON, masked to `groups`. Under `masked` stand the paths of every field of the
    /// form that is hidden, whether it has a value or not, and `*` for fields that the form does not
    /// have.
    pub fn to_json(&self, groups: FieldGroups) -> serde_json::Value {
        let masked = self.mask(groups);
        let mut object = json::write(self.form.fields, &masked.fields);
        let hidden = json::hidden(self.form, masked.shown);
        if !hidden.is_empty() {
            object.insert(check::MASKED.to_owned(), hidden.into());
        }
        object.into()
    }

    /// What kind of record it is.
    pub const fn kind(&self) -> RecordKind {
        self.form.kind
    }

    /// The groups whose fields are shown.
    pub const fn shown(&self) -> FieldGroups {
        self.shown
    }

    /// The fields.
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }
}

// A kind has one form, so the kinds stand for the forms.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        (self.kind(), self.shown, &self.fields) == (other.kind(), other.shown, &other.fields)
    }
}

impl Eq for Record {}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Record").field("kind", &self.kind()).field("fields", &self.fields).finish_non_exhaustive()
    }
}
