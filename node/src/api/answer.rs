//! How an ask ended, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::code::act::Act;
use protocol::digest::Digest;
use protocol::id::handle::Handle;
use protocol::machine::{Answered, Ending, Failure};
use protocol::message::{Access, Body, Flaw, Kept, Outcome};
use protocol::primitives::Real;
use protocol::record::disclosure::Content;
use protocol::record::version::RecordId;
use serde_json::{Value, json};

/// The end of an ask: answered, refused or failed.
pub(super) fn to_json(ending: &Ending, person: &Handle, network: &Digest) -> Value {
    match ending {
        Ending::Answered(answered) => answered_to_json(answered, person, network),
        Ending::Failed(failure) => {
            let (code, message) = explain(failure);
            let failure = json!({ "code": code, "message_ja": message, "detail": failure.to_string() });
            json!({ "outcome": "failed", "failure": failure })
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "writing a name of ours into a JSON object makes it")]
fn answered_to_json(answered: &Answered, person: &Handle, network: &Digest) -> Value {
    let body = cbor::decode::<Body>(&answered.body).ok();
    let decided = body.as_ref().map(|body| body.decided.unix_ms());
    let mut value = json!({
        "outcome": "answered",
        "exchange": answered.exchange.to_string(),
        "responder": answered.responder.to_string(),
        "decided_at_ms": decided,
        "receipt": {
            "request": answered.request.to_string(),
            "body": STANDARD.encode(&answered.body),
            "evidence": STANDARD.encode(&answered.evidence),
            "leaf": answered.leaf,
            "own_leaf": answered.own_leaf,
            "witnessed": !answered.is_unwitnessed,
        },
    });
    if let Some(since) = body.and_then(|body| body.unwitnessed_since) {
        value["unwitnessed_since_ms"] = json!(since.unix_ms());
    }
    match &answered.outcome {
        Outcome::Refused(told) => {
            value["outcome"] = json!("refused");
            value["told"] = json!(told.as_str());
        }
        Outcome::Records(contents) => match contents.iter().map(|bytes| Content::decode(bytes)).collect() {
            Ok::<Vec<_>, _>(contents) => {
                value["records"] = contents.iter().map(|content| content_to_json(content, person, network)).collect();
            }
            Err(_fault) => {
                value["outcome"] = json!("failed");
                value["failure"] = json!({ "code": "TSG-2010", "message_ja": "回答の内容を読み取れませんでした。" });
            }
        },
        Outcome::History(accesses, _proof) => value["history"] = accesses.iter().map(access_to_json).collect(),
        Outcome::Registered => value["registered"] = json!(true),
        Outcome::Kept(kept) => value["kept"] = kept.iter().map(kept_to_json).collect(),
        Outcome::NotKept(flaws) => {
            value["outcome"] = json!("not-kept");
            value["flaws"] = flaws.iter().map(flaw_to_json).collect();
        }
        Outcome::Erased(versions) => value["erased"] = json!(versions),
        // No ask of local software ends in these.
        Outcome::Entries(_) | Outcome::Evaluated(..) | Outcome::Held(_) => {}
    }
    value
}

/// The content, and of each version whether its author's signature holds for it; null where there is none to see.
fn content_to_json(content: &Content, person: &Handle, network: &Digest) -> Value {
    let mut value = content.to_json();
    let proven = content.versions().iter().map(|shown| shown.is_authors(content.kind(), person, network, &Real));
    if let Some(versions) = value.get_mut("versions").and_then(Value::as_array_mut) {
        for (version, proven) in versions.iter_mut().zip(proven) {
            if let Some(version) = version.as_object_mut() {
                version.insert("author_proven".to_owned(), json!(proven));
            }
        }
    }
    value
}

fn kept_to_json(kept: &Kept) -> Value {
    let id = RecordId::from_bytes(*kept.id);
    json!({ "id": id.to_string(), "number": kept.number, "recorded_at_ms": kept.recorded_at.unix_ms() })
}

fn flaw_to_json(flaw: &Flaw) -> Value {
    json!({ "paper": flaw.paper, "path": flaw.path, "rule": flaw.rule, "expected": flaw.expected })
}

fn access_to_json(access: &Access) -> Value {
    json!({
        "at_ms": access.at.unix_ms(),
        "party": access.party.to_string(),
        "staff": access.staff.id,
        "job": access.staff.job.as_str(),
        "purpose": access.purpose.as_str(),
        "kinds": access.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "refused": access.refused,
        "act": access.act.map(Act::as_str),
        "leaf": access.leaf,
    })
}

/// The stable code and the sentence for people.
const fn explain(failure: &Failure) -> (&'static str, &'static str) {
    match failure {
        Failure::Unreachable(_) => ("TSG-2001", "照会先に接続できませんでした。"),
        Failure::NotAdmitted(_) => ("TSG-2011", "照会先がこの事業所を認めていません。資格証を確認してください。"),
        Failure::NotParticipating(_) => ("TSG-2002", "この保険者はまだ参加していません。"),
        Failure::NoSuchInsurer => ("TSG-2003", "この保険者番号に対応する参加者がいません。"),
        Failure::NoHome => ("TSG-2004", "所在が登録されていません。"),
        Failure::NotBelieved(_) => ("TSG-2005", "回答の受領証を確認できなかったため、採用しませんでした。"),
        Failure::TooMany => ("TSG-2006", "照会が集中しています。しばらくしてからやり直してください。"),
        Failure::NotReady(_) => ("TSG-2007", "このノードは現在照会できる状態ではありません。"),
        Failure::Busy => ("TSG-2008", "照会先が混み合っています。"),
        Failure::Malformed => ("TSG-2009", "照会の内容が正しくありません。"),
    }
}
