//! The town that the tests of this folder play in: one insurer, one care manager, and the one person she looks
//! after.

#![allow(dead_code, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::id::handle::Handle;
use protocol::id::person::PersonId;
use protocol::machine::{Answered, Ask, Ending, Wish};
use protocol::message::Staff;
use protocol::record::forms;
use serde_json::{Value, json};

/// The insurer.
pub(crate) const CITY: &str = "insurer:131235";
/// Another.
pub(crate) const TOWN: &str = "insurer:122069";
/// The care manager's office.
pub(crate) const PLANNER: &str = "office:1370101238";
/// The one witness, or the first.
pub(crate) const WITNESS: &str = "witness:1";
/// The person.
pub(crate) const CLIENT: &str = "131235:0000012345";

/// What the insurer imports: the person with one certification, tied to the planner and consenting.
pub(crate) fn line() -> String {
    line_of(&[tie(PLANNER, "care-planning")], &[record(RecordKind::CertificationResult, "a")], None)
}

/// The person with these ties, records and medical-insurance handle.
pub(crate) fn line_of(ties: &[Value], records: &[Value], medical: Option<&str>) -> String {
    json!({
        "insurer": "131235", "insured": "0000012345", "medical": medical, "protection": null,
        "consents": [{"taken_by": CITY, "on": "2025-01-01", "withdrawn": null}],
        "relationships": ties, "records": records,
    })
    .to_string()
}

/// A tie since 2025.
pub(crate) fn tie(party: &str, nature: &str) -> Value {
    json!({"party": party, "nature": nature, "from": "2025-01-01", "until": null})
}

/// The first version of a record: its form's example, in force since 2025.
pub(crate) fn record(kind: RecordKind, id: &str) -> Value {
    let content: Value = serde_json::from_str(forms::form(kind).example).unwrap();
    json!({"kind": kind.as_str(), "id": id.repeat(32), "number": 1, "status": "final", "valid_from": "2025-01-01",
        "valid_to": null, "supersedes": null, "content": content})
}

/// A person by the number on the card.
pub(crate) fn care(text: &str) -> Handle {
    Handle::Care(PersonId::parse(text).unwrap())
}

/// What the care manager asks.
pub(crate) fn reading(person: Handle, kinds: &[RecordKind]) -> Ask {
    Ask {
        staff: Staff { id: "cm-1".into(), job: Job::CareManager, proof: None },
        purpose: Purpose::CarePlanning,
        person,
        wish: Wish::Records { kinds: kinds.to_vec(), valid_on: None, known_at: None, versions: None },
    }
}

/// Her usual question: the client's certification.
pub(crate) fn result() -> Ask {
    reading(care(CLIENT), &[RecordKind::CertificationResult])
}

/// The answer of an ask that must have one.
pub(crate) fn answered(ending: Option<Ending>) -> Answered {
    match ending {
        Some(Ending::Answered(answered)) => *answered,
        other => panic!("not answered: {other:?}"),
    }
}
