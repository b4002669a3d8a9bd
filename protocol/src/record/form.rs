//! What a kind of record consists of, as data that people can read: its fields with their Japanese,
//! their types, who they are shown to, and the rules between them. Holds no value of any person.

use crate::code::field_group::FieldGroup;
use crate::code::record_kind::RecordKind;
use crate::record::code_set::CodeSet;
use crate::record::value::Fields;

/// A kind of record.
#[derive(Debug)]
pub struct Form {
    /// The kind it describes.
    pub kind: RecordKind,
    /// Its fields, in the order of the paper.
    pub fields: &'static [Field],
    /// Which day its codes are held against, where that matters.
    pub days: &'static [CodeDay],
    /// The rules between fields, checked in this order once each field is right by itself.
    pub rules: &'static [Rule],
    /// A record of an invented person, as JSON, that has every part of the form.
    pub example: &'static str,
}

/// A field of a form, of a list's item or of a group.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON and in CBOR: snake_case English.
    pub name: &'static str,
    /// Its name on the paper.
    pub japanese: &'static str,
    /// What it may hold.
    pub what: FieldType,
    /// Whether a record without it is refused.
    pub required: bool,
    /// Who is shown it is decided for the group as a whole.
    pub group: FieldGroup,
}

/// What a field may hold.
#[derive(Debug)]
pub enum FieldType {
    /// Free text of which something can be seen, without control characters save tabs and line ends.
    Text {
        /// The most Unicode scalar values.
        characters_max: usize,
    },
    /// A whole number, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number with one decimal place, kept as tenths; the ends, included, are tenths too.
    Tenths {
        /// The least, in tenths.
        min: i64,
        /// The greatest, in tenths.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// A day.
    Date,
    /// A month: `YYYY-MM` in JSON.
    Month,
    /// A time of day `HHMM` from 0000 to 2359, or 9999 for none shown.
    TimeOfDay,
    /// One code of a set.
    Code(&'static CodeSet),
    /// Any number of different codes of a set.
    Codes(&'static CodeSet),
    /// A care level (要介護状態区分), by its two-digit code.
    CareLevel,
    /// A kind of service (サービス種類), by its two-letter code.
    ServiceKind,
    /// The number of a care office (介護保険事業所番号).
    OfficeNumber,
    /// The code of a hospital or clinic (医療機関コード).
    HospitalCode,
    /// The number of an insurer (保険者番号).
    InsurerNumber,
    /// The number of an insured person (被保険者番号): ten digits, or `H` and nine.
    InsuredNumber,
    /// The number of a payer by public funds (公費負担者番号): eight digits with a check digit.
    PayerNumber,
    /// A postal code (郵便番号): seven digits.
    PostalCode,
    /// A SHA-256 digest: 64 hexadecimal digits, small letters. No text, since one of four hundred would look like the number
    /// that no record may hold.
    Digest,
    /// Any number of items with the same fields.
    List {
        /// The fields of one item.
        of: &'static [Field],
        /// The most items.
        items_max: usize,
    },
    /// Fields that belong together.
    Group(&'static [Field]),
}

/// On which day codes have to be valid (コードの基準日). Of several for the same codes the first counts whose field is there;
/// if none is, the codes are held against no day. Those for an inner group count in place of those for what is around it.
#[derive(Debug)]
pub struct CodeDay {
    /// The code, or the list or group that has the codes, by the names on the way joined with dots; empty for all.
    pub of: &'static str,
    /// The field with the day, or the month, whose first day counts: in the group that has the codes, or around it. None if
    /// the codes are of a day that the record does not tell.
    pub day: Option<&'static str>,
}

/// A rule between the fields of a record.
#[derive(Debug)]
pub struct Rule {
    /// Its name, as it stands in a fault.
    pub name: &'static str,
    /// What it asks for, in words.
    pub expected: &'static str,
    /// The path of the first field that breaks it. A field that is absent breaks no rule.
    pub broken_at: fn(&Fields) -> Option<String>,
}

/// A field that every record of the kind has.
pub const fn required(name: &'static str, japanese: &'static str, what: FieldType, group: FieldGroup) -> Field {
    Field { name, japanese, what, required: true, group }
}

/// A field that a record may lack.
pub const fn optional(name: &'static str, japanese: &'static str, what: FieldType, group: FieldGroup) -> Field {
    Field { name, japanese, what, required: false, group }
}

impl Field {
    /// The fields inside a list or a group; none for all others.
    pub const fn inner(&self) -> &'static [Self] {
        match self.what {
            FieldType::List { of, .. } | FieldType::Group(of) => of,
            _ => &[],
        }
    }
}
