//! A slip (票): one version of a record as software of the same organisation hands it in, in JSON. Its content was
//! held against its form. Not signed by anybody, and not kept by itself.

use serde_json::Value;

use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::id::party::PartyId;
use crate::id::person::PersonId;
use crate::record::Record;
use crate::record::version::{RecordId, Status, Version};
use crate::time::Timestamp;

/// What a version says before anybody stands for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Slip {
    /// The record it is a version of.
    pub id: RecordId,
    /// What kind of record.
    pub kind: RecordKind,
    /// Counts the versions of the record, from 1.
    pub number: u32,
    /// The first day it holds.
    pub valid_from: Date,
    /// The last day it holds; none if open.
    pub valid_to: Option<Date>,
    /// What it is worth.
    pub status: Status,
    /// Another record that it replaces.
    pub supersedes: Option<RecordId>,
    /// The encoding of the record, shown in full.
    pub content: Vec<u8>,
}

/// The keys a slip may have.
pub const KEYS: [&str; 8] = ["kind", "id", "number", "valid_from", "valid_to", "status", "supersedes", "content"];

impl Slip {
    /// Reads a slip about `person`. Keys beside [`KEYS`] are the caller's affair.
    ///
    /// # Errors
    /// The field, the rule it breaks and what would be right; never the value.
    pub fn read(item: &Value, person: &PersonId) -> Result<Self, String> {
        let kind = field(item, "kind", RecordKind::parse)?;
        let content = item.get("content").ok_or("content: missing")?;
        if content.get("insured_number").is_some_and(|number| number.as_str() != Some(person.insured().expose())) {
            return Err("content.insured_number: another person's".to_owned());
        }
        let record = Record::from_value(kind, content.clone()).map_err(|fault| {
            format!("{}.{}: {} (expected {})", kind.as_str(), fault.path, fault.rule, fault.expected)
        })?;
        let valid_from = field(item, "valid_from", Date::parse)?;
        let valid_to = optional(item, "valid_to", Date::parse)?;
        if valid_to.is_some_and(|last| last < valid_from) {
            return Err("valid_to: before valid_from".to_owned());
        }
        let number = whole(item, "number")?.unwrap_or(1);
        let number = u32::try_from(number).ok().filter(|number| (1..=NUMBER_MAX).contains(number));
        Ok(Self {
            id: field(item, "id", RecordId::parse)?,
            kind,
            number: number.ok_or_else(|| format!("number: not from 1 to {NUMBER_MAX}"))?,
            valid_from,
            valid_to,
            status: field(item, "status", Status::parse)?,
            supersedes: optional(item, "supersedes", RecordId::parse)?,
            content: record.encode(),
        })
    }

    /// The version it is if `author` wrote it and it was recorded at that instant.
    pub fn into_version(self, author: PartyId, recorded_at: Timestamp) -> Version {
        let Self { id, kind, number, valid_from, valid_to, status, supersedes, content } = self;
        Version {
            id,
            kind,
            number,
            valid_from,
            valid_to,
            recorded_at,
            author,
            status,
            supersedes,
            content,
            authorship: None,
        }
    }
}

/// The greatest number of a version: far above what is kept, and far below where counting ends.
const NUMBER_MAX: u32 = 1_000_000;

impl core::fmt::Debug for Slip {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Slip").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// The text under `name`, read.
///
/// # Errors
/// What is wrong with it, never the value.
pub fn field<T>(value: &Value, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let text = value.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name}: missing or not text"))?;
    read(text).ok_or_else(|| format!("{name}: not of its form"))
}

/// The same, if it is there and not null.
///
/// # Errors
/// As [`field`].
pub fn optional<T>(value: &Value, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => field(value, name, read).map(Some),
    }
}

/// The whole number under `name`, if it is there and not null.
///
/// # Errors
/// As [`field`].
pub fn whole(value: &Value, name: &str) -> Result<Option<u64>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => number.as_u64().map(Some).ok_or_else(|| format!("{name}: not a whole number")),
    }
}

/// A key that is not known is a mistake: a misspelt one must not count as absent.
///
/// # Errors
/// The first such key, shortened.
pub fn only(value: &Value, known: &[&str]) -> Result<(), String> {
    let object = value.as_object().ok_or("not an object")?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{}: not a known key", key.chars().take(32).collect::<String>())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::forms::form;

    fn slip() -> Value {
        let kind = RecordKind::CarePlan;
        json!({
            "kind": kind.as_str(), "id": "07".repeat(16), "valid_from": "2026-06-01", "valid_to": "2026-10-31",
            "status": "final", "content": serde_json::from_str::<Value>(form(kind).example).unwrap(),
        })
    }

    fn person() -> PersonId {
        let content = slip();
        let insured = content["content"]["insured_number"].as_str().unwrap_or("0000123456").to_owned();
        PersonId::parse(&format!("131235:{insured}")).unwrap()
    }

    #[test]
    fn a_slip_is_read_and_each_wrong_field_is_named_without_its_value() {
        assert!(Slip::read(&slip(), &person()).is_ok());
        for (name, wrong) in [
            ("kind", json!("secret-kind")),
            ("id", json!("canary")),
            ("number", json!(-1)),
            ("valid_from", json!("2026-02-30")),
            ("valid_to", json!("2026-05-31")),
            ("status", json!("canary")),
            ("supersedes", json!("canary")),
            ("content", json!({ "insured_number": "canary" })),
        ] {
            let mut bad = slip();
            bad[name] = wrong;
            let told = Slip::read(&bad, &person()).unwrap_err();
            assert!(told.starts_with(name) && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn a_content_is_as_long_as_a_record_may_be_and_no_longer() {
        // So many services are longer in JSON than the bound, and shorter in the encoding.
        let numbered = |count: u32, item: &Value| {
            (1..=count)
                .map(|number| {
                    let mut item = item.clone();
                    item["number"] = json!(number);
                    item
                })
                .collect::<Vec<_>>()
        };
        let mut long = slip();
        let mut need = long["content"]["needs"][0].clone();
        let mut goal = need["goals"][0].clone();
        let service = json!({ "content": "x", "insured": false, "from": "2026-06-01", "to": "2026-08-31" });
        goal["services"] = json!(numbered(30, &service));
        need["goals"] = json!(numbered(12, &goal));
        long["content"]["needs"] = json!(numbered(5, &need));
        assert!(Slip::read(&long, &person()).is_ok());
        long["content"]["needs"] = json!(numbered(11, &need));
        let told = Slip::read(&long, &person()).unwrap_err();
        assert!(told.contains("bytes"), "{told}");
    }

    #[test]
    fn a_fault_of_the_content_names_kind_field_and_rule() {
        let mut bad = slip();
        bad["content"]["care_level"] = json!("canary");
        let told = Slip::read(&bad, &person()).unwrap_err();
        assert!(told.starts_with("care-plan.care_level") && !told.contains("canary"), "{told}");
    }
}
