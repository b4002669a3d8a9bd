//! `POST /v1/ask`: a question about one person, or records of theirs to be kept, from JSON to the machine's words.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use protocol::binding::Binding;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::limits;
use protocol::machine::{Ask, Wish};
use protocol::message::{Named, Staff, Versions};
use protocol::record::slip::{self, Slip};
use protocol::record::strict_json;
use protocol::record::version::RecordId;
use protocol::time::Timestamp;
use serde_json::Value;

use super::error::Trouble;
use super::{Desk, answer};
use crate::heart::Local;

/// The longest question, in bytes.
const ASK_BYTES_MAX: usize = 64 << 10;

/// Asks, waits for the end, and tells it.
pub(super) async fn ask(State(desk): State<Arc<Desk>>, body: Body) -> Result<Json<Value>, Trouble> {
    let bytes = desk.read(body, ASK_BYTES_MAX).await?;
    let value = std::str::from_utf8(&bytes).map_err(|_error| "not UTF-8".to_owned()).and_then(strict_json::parse);
    let value = value.map_err(|what| Trouble::Field("body".to_owned(), Some(what)))?;
    let seat = match value.get("seat") {
        None | Some(Value::Null) => desk.seat(None)?,
        Some(named) => desk.seat(Some(named.as_str().ok_or(Trouble::field("seat"))?))?,
    };
    let ask = Box::new(read(&value)?);
    let person = ask.person.clone();
    let ending = desk.wish_with_room(|waits| Local::Ask(seat, ask, waits)).await?;
    Ok(Json(answer::to_json(&ending, &person, &desk.network_id)))
}

fn read(value: &Value) -> Result<Ask, Trouble> {
    only(value, &KNOWN)?;
    let staff = value.get("staff").ok_or(Trouble::field("staff"))?;
    let id = text(staff, "staff.id", "id")?;
    if id.is_empty() || id.chars().count() > 64 || id.contains(char::is_control) {
        return Err(Trouble::field("staff.id"));
    }
    let job = Job::parse(text(staff, "staff.job", "job")?).ok_or(Trouble::field("staff.job"))?;
    let purpose = Purpose::parse(text(value, "purpose", "purpose")?).ok_or(Trouble::field("purpose"))?;
    let person = read_person(value.get("person").ok_or(Trouble::field("person"))?)?;
    let wish = match (value.get("erase"), value.get("submit")) {
        (None | Some(Value::Null), None | Some(Value::Null)) => read_wish(value)?,
        (None | Some(Value::Null), Some(slips)) => read_submission(slips, &person)?,
        (Some(what), _) => read_erasure(what)?,
    };
    Ok(Ask { staff: Staff { id: id.to_owned(), job, proof: None }, purpose, person, wish })
}

/// What a question may hold. A misspelt day must not become today.
const KNOWN: [&str; 12] = [
    "seat",
    "staff",
    "purpose",
    "person",
    "kinds",
    "valid_on",
    "known_at_ms",
    "every_version",
    "history",
    "register",
    "submit",
    "erase",
];

fn only(value: &Value, known: &[&str]) -> Result<(), Trouble> {
    let object = value.as_object().ok_or(Trouble::field("body"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            Err(Trouble::Field(key.chars().take(32).collect(), Some("知らない項目です / not a known field".to_owned())))
        }
        None => Ok(()),
    }
}

fn read_person(value: &Value) -> Result<Handle, Trouble> {
    let handle = match value.get("medical") {
        Some(_) => format!("med:{}", text(value, "person.medical", "medical")?),
        None => {
            let (insurer, insured) =
                (text(value, "person.insurer", "insurer")?, text(value, "person.insured", "insured")?);
            format!("ltc:{insurer}:{insured}")
        }
    };
    Handle::parse(&handle).ok_or(Trouble::field("person"))
}

fn read_wish(value: &Value) -> Result<Wish, Trouble> {
    if flag(value, "history")? {
        return Ok(Wish::History);
    }
    if let Some(home) = value.get("register") {
        return read_registration(home);
    }
    let listed = value.get("kinds").and_then(Value::as_array).ok_or(Trouble::field("kinds"))?;
    if listed.is_empty() || listed.len() > limits::KINDS_PER_QUESTION_MAX {
        return Err(Trouble::field("kinds"));
    }
    let kind = |item: &Value| item.as_str().and_then(RecordKind::parse).ok_or(Trouble::field("kinds"));
    let kinds = listed.iter().map(kind).collect::<Result<_, _>>()?;
    let valid_on = match value.get("valid_on") {
        None | Some(Value::Null) => None,
        Some(day) => Some(day.as_str().and_then(Date::parse).ok_or(Trouble::field("valid_on"))?),
    };
    let known_at = match value.get("known_at_ms") {
        None | Some(Value::Null) => None,
        Some(at) => Some(at.as_u64().map(Timestamp::from_unix_ms).ok_or(Trouble::field("known_at_ms"))?),
    };
    let versions = flag(value, "every_version")?.then_some(Versions::All);
    Ok(Wish::Records { kinds, valid_on, known_at, versions })
}

/// Versions of records to be kept by the insurer on the card.
fn read_submission(slips: &Value, person: &Handle) -> Result<Wish, Trouble> {
    let Handle::Care(person) = person else { return Err(Trouble::field("person")) };
    let listed = slips.as_array().filter(|list| (1..=limits::PAPERS_PER_QUESTION_MAX).contains(&list.len()));
    let mut read = Vec::new();
    let count = || format!("1〜{0} 件です / 1 to {0} of them", limits::PAPERS_PER_QUESTION_MAX);
    let listed = listed.ok_or_else(|| Trouble::Field("submit".to_owned(), Some(count())))?;
    for (place, slip) in listed.iter().enumerate() {
        let trouble = |what| Trouble::Field(format!("submit[{place}]"), Some(what));
        slip::only(slip, &slip::KEYS).map_err(trouble)?;
        read.push(Slip::read(slip, person).map_err(trouble)?);
    }
    // What signs and wraps a version is a few hundred bytes.
    let bytes = read.iter().fold(0_usize, |sum, slip| sum.saturating_add(slip.content.len()).saturating_add(512));
    if bytes > limits::SUBMISSION_BYTES_MAX {
        let most = limits::SUBMISSION_BYTES_MAX;
        let what = format!("一度に提出できるのは合わせて {most} バイトまでです / at most {most} bytes at once");
        return Err(Trouble::Field("submit".to_owned(), Some(what)));
    }
    Ok(Wish::Submission(read))
}

/// Everything of the person, or one record, or one version of it. Nothing is erased by leaving something out.
fn read_erasure(what: &Value) -> Result<Wish, Trouble> {
    if what.as_str() == Some("person") {
        return Ok(Wish::Erasure(None));
    }
    let object = what.as_object().ok_or(Trouble::field("erase"))?;
    if object.keys().any(|key| !["kind", "id", "number"].contains(&key.as_str())) {
        return Err(Trouble::field("erase"));
    }
    let kind = RecordKind::parse(text(what, "erase.kind", "kind")?).ok_or(Trouble::field("erase.kind"))?;
    let id = RecordId::parse(text(what, "erase.id", "id")?).ok_or(Trouble::field("erase.id"))?;
    let number = match what.get("number") {
        None | Some(Value::Null) => None,
        Some(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            Some(number.ok_or(Trouble::field("erase.number"))?)
        }
    };
    Ok(Wish::Erasure(Some(Named { kind, id: (*id.as_bytes()).into(), number })))
}

fn flag(value: &Value, name: &str) -> Result<bool, Trouble> {
    match value.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(_) => Err(Trouble::field(name)),
    }
}

/// An insurer registers in the directory that the person's home is here.
fn read_registration(value: &Value) -> Result<Wish, Trouble> {
    let insurer = InsurerNumber::parse(text(value, "register.home", "home")?).ok_or(Trouble::field("register.home"))?;
    let from = Date::parse(text(value, "register.from", "from")?).ok_or(Trouble::field("register.from"))?;
    let number = value.get("number").and_then(Value::as_u64).ok_or(Trouble::field("register.number"))?;
    Ok(Wish::Registration { home: Binding { insurer, from }, number })
}

fn text<'v>(value: &'v Value, path: &str, name: &str) -> Result<&'v str, Trouble> {
    value.get(name).and_then(Value::as_str).ok_or_else(|| Trouble::field(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "staff": { "id": "s-1", "job": "care-manager" }, "purpose": "care-planning",
            "person": { "insurer": "131235", "insured": "0000123456" }, "kinds": ["insurance-card"],
        })
    }

    #[test]
    fn a_question_is_read_and_each_wrong_field_is_named() {
        assert!(read(&good()).is_ok());
        for (path, wrong) in [
            ("staff", json!(null)),
            ("staff", json!({"id": "s-1\u{1b}[2J", "job": "care-manager"})),
            ("purpose", json!("curiosity")),
            ("person", json!({ "insurer": "131235", "insured": "12" })),
            ("kinds", json!(["secrets"])),
            ("kinds", json!([])),
            ("valid_on", json!("yesterday")),
            ("known_at_ms", json!(-1)),
            ("history", json!("true")),
            ("every_version", json!(1)),
            ("erase", json!(true)),
            ("erase", json!({ "kind": "care-plan" })),
            ("erase", json!({ "kind": "care-plan", "id": "07".repeat(16), "numbr": 1 })),
            ("submit", json!([])),
            ("submit", json!([{ "kind": "care-plan" }])),
            ("as_of", json!("2020-01-01")),
        ] {
            let mut bad = good();
            bad[path] = wrong;
            let found = read(&bad).unwrap_err();
            assert!(matches!(&found, Trouble::Field(name, _) if name.starts_with(path)), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_medical_card_and_a_history_can_be_asked_for() {
        let mut question = good();
        question["person"] = json!({ "medical": "33120015:12:345:01" });
        question["history"] = json!(true);
        let ask = read(&question).unwrap();
        assert_eq!((ask.person.expose().as_str(), ask.wish), ("med:33120015:12:345:01", Wish::History));
    }
}
