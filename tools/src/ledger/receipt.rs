//! `tsunagi ledger receipt`: what one answer of `/v1/ask` proves, checked without any node. Believes rosters only.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::code::act::Act;
use protocol::digest::Digest;
use protocol::ledger::proof::{Evidence, VerifiedNotes};
use protocol::limits;
use protocol::message::{Body, Flaw, Kept, Outcome};
use protocol::primitives::Real;
use protocol::record::disclosure::Content;
use protocol::record::version::RecordId;
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::{Rosters, origin_named};
use crate::files;
use crate::message::{Code, Report, Trouble, moment};

/// `tsunagi ledger receipt`: one answer of `/v1/ask`, without any node.
///
/// # Errors
/// [`Code::File`] or [`Code::Malformed`] if the file is no such answer.
pub fn receipt(answer: &Path, rosters: &Rosters) -> Result<Report, Trouble> {
    let answer = read_answer(answer)?;
    let under = under_which_network(rosters);
    Ok(match check_receipt(&answer, rosters) {
        Err(why) => {
            let text =
                format!("✗ この受領証は成り立ちません: {why}\n  {under}\n  → この答えを証拠として扱わないでください");
            let data = json!({ "ok": false, "reason": why, "network": rosters.network.to_string(),
                "network_compared": rosters.is_compared });
            Report { text, data, good: false }
        }
        Ok(proven) => {
            let text = format!(
                "✓ 受領証は成り立ちます\n  {under}\n  {} は {} に、照会 {} に対してこの答えを決め、\n  \
                 台帳の {} 番の葉に記しました(大きさ {} の先端に署名、名簿 {} 版)。\n  \
                 証明すること: 答えの内容、決めた時刻、葉が署名済みの台帳に含まれること。\n  \
                 証明しないこと: 記録の内容が真実であること、作成者の署名(author_proven は自組織のノードの言葉)、台帳がその後書き換えられていないこと\
                 (tsunagi ledger verify で確かめられます)、立会がこの先端を見たこと\
                 (未立会。今どうかは、照会した自組織のノードの /v1/ledger/receipt が知っています)。",
                proven.body.responder,
                moment(proven.body.decided),
                proven.body.request,
                proven.leaf,
                proven.size,
                proven.roster,
            );
            let data = json!({ "ok": true, "responder": proven.body.responder.to_string(),
                "decided_at_ms": proven.body.decided.unix_ms(), "request": proven.body.request.to_string(),
                "leaf": proven.leaf, "size": proven.size, "roster_version": proven.roster, "witnessed": false,
                "network": rosters.network.to_string(), "network_compared": rosters.is_compared });
            Report::good(text, data)
        }
    })
}

/// Rosters prove what they prove in their own network, which anybody may found: the digest on paper says which one.
fn under_which_network(rosters: &Rosters) -> String {
    let network = rosters.network;
    if rosters.is_compared {
        format!("網: {network}(--network の値と一致)")
    } else {
        format!(
            "網: {network}\n  ⚠ 書面で受け取った SHA-256 とは照合していません。--network に渡して照合してください / not \
             compared with the digest on paper"
        )
    }
}

/// What a receipt proves.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What was answered.
    pub body: Body,
    /// Where the leaf stands.
    pub leaf: u64,
    /// The leaf.
    pub leaf_bytes: Vec<u8>,
    /// How large the ledger was under the head.
    pub size: u64,
    /// The roster whose keys signed.
    pub roster: u32,
}

/// Checks a receipt with nothing but the answer and the rosters: evidence, body, and that the readable part of the
/// answer is what the body says.
///
/// # Errors
/// A text saying what does not hold.
pub fn check_receipt(answer: &Value, rosters: &Rosters) -> Result<Proven, String> {
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("{path} がありません"));
    let bytes = |path: &str| STANDARD.decode(text(path)?).map_err(|error| format!("{path}: {error}"));
    let request = Digest::parse(text("/receipt/request")?).ok_or("/receipt/request が要約値ではありません")?;
    let body_bytes = bytes("/receipt/body")?;
    let body: Body = cbor::decode(&body_bytes).map_err(|error| format!("/receipt/body: {error}"))?;
    let mut evidence: Evidence =
        cbor::decode(&bytes("/receipt/evidence")?).map_err(|error| format!("/receipt/evidence: {error}"))?;
    // It leads from a head that only the asker knew to this one; the asker's node has checked it.
    evidence.consistency.clear();
    if body.request != request {
        return Err("本体は別の照会への答えです / the body answers another request".to_owned());
    }
    says_the_same(answer, &body)?;
    let mut last = "答えた組織が名簿にありません / the responder is not in the rosters".to_owned();
    let mut successor: Option<Timestamp> = None;
    for roster in
        rosters.versions.iter().rev().map(|(roster, _digest)| roster).filter(|roster| roster.issued <= body.decided)
    {
        // A key that a roster dropped counts no longer than a node may go on without hearing of that roster.
        let heard_by = |issued: Timestamp| issued.plus(limits::PULSE_LIFE).plus(limits::PULSE_GRACE);
        if successor.is_some_and(|issued| heard_by(issued) <= body.decided) {
            break;
        }
        successor = Some(roster.issued);
        let Some(member) = roster.member(&body.responder) else { continue };
        let Some(origin) = origin_named(&body.origin, rosters, member) else {
            last = "本体が別の台帳を名乗っています / the body names another ledger".to_owned();
            continue;
        };
        let logs: Vec<_> = member.log.iter().map(|key| *key.as_bytes()).collect();
        let notes = VerifiedNotes::new(1);
        match evidence.check(&Real, &notes, &origin, &logs, None, request, Digest::of(&body_bytes)) {
            Ok(head) => {
                let (leaf, leaf_bytes) = (evidence.index, evidence.leaf);
                return Ok(Proven { body, leaf, leaf_bytes, size: head.size, roster: roster.version });
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The readable part of an answer is not covered by the receipt; it must be what the body says.
fn says_the_same(answer: &Value, body: &Body) -> Result<(), String> {
    let differs = |what: &str| Err(format!("{what} が本体と違います / differs from the body"));
    let is = |name: &str, value: Value| answer.get(name) == Some(&value);
    if !is("responder", json!(body.responder.to_string())) || !is("decided_at_ms", json!(body.decided.unix_ms())) {
        return differs("responder, decided_at_ms");
    }
    match &body.outcome {
        Outcome::Refused(told) if !is("outcome", json!("refused")) || !is("told", json!(told.as_str())) => {
            differs("outcome")
        }
        Outcome::Records(contents) => {
            let contents: Result<Vec<_>, _> = contents.iter().map(|bytes| Content::decode(bytes)).collect();
            let contents = contents.map_err(|_fault| "本体の記録を読めません / unreadable records".to_owned())?;
            let records: Value = contents.iter().map(Content::to_json).collect();
            let same = without_own_word(answer.get("records")) == Some(records);
            if is("outcome", json!("answered")) && same { Ok(()) } else { differs("records") }
        }
        Outcome::History(looks, _proof) => {
            let told = answer.get("history").and_then(Value::as_array);
            let same = told.is_some_and(|told| {
                told.len() == looks.len()
                    && told.iter().zip(looks).all(|(told, look)| {
                        told.get("at_ms") == Some(&json!(look.at.unix_ms()))
                            && told.get("party") == Some(&json!(look.party.to_string()))
                            && told.get("staff") == Some(&json!(look.staff.id))
                            && told.get("leaf") == Some(&json!(look.leaf))
                            && told.get("act").unwrap_or(&Value::Null) == &json!(look.act.map(Act::as_str))
                    })
            });
            if same { Ok(()) } else { differs("history") }
        }
        Outcome::Kept(kept) => {
            let one = |kept: &Kept| {
                let id = RecordId::from_bytes(*kept.id).to_string();
                json!({ "id": id, "number": kept.number, "recorded_at_ms": kept.recorded_at.unix_ms() })
            };
            let same = is("outcome", json!("answered")) && is("kept", kept.iter().map(one).collect());
            if same { Ok(()) } else { differs("kept") }
        }
        Outcome::Erased(versions) => {
            let same = is("outcome", json!("answered")) && is("erased", json!(versions));
            if same { Ok(()) } else { differs("erased") }
        }
        Outcome::NotKept(flaws) => {
            let one = |flaw: &Flaw| {
                let Flaw { paper, path, rule, expected } = flaw;
                json!({ "paper": paper, "path": path, "rule": rule, "expected": expected })
            };
            let same = is("outcome", json!("not-kept")) && is("flaws", flaws.iter().map(one).collect());
            if same { Ok(()) } else { differs("flaws") }
        }
        _ => Ok(()),
    }
}

/// Records without what the asker's node says of them itself: whether an author's signature holds.
fn without_own_word(records: Option<&Value>) -> Option<Value> {
    let mut records = records?.clone();
    for content in records.as_array_mut()? {
        for version in content.get_mut("versions")?.as_array_mut()? {
            version.as_object_mut()?.remove("author_proven");
        }
    }
    Some(records)
}

/// One answer of `/v1/ask` with its receipt.
pub(super) fn read_answer(path: &Path) -> Result<Value, Trouble> {
    let malformed =
        |what: &dyn core::fmt::Display| Trouble::new(Code::Malformed, format!("{}: {what}", path.display()));
    let answer: Value = serde_json::from_str(&files::read_text(path)?).map_err(|error| malformed(&error))?;
    if answer.get("receipt").is_some() { Ok(answer) } else { Err(malformed(&"receipt")) }
}
