//! Reading this node's own ledgers: signed head, leaves, how the epoch began, what the keeper noted, and which
//! exchanges an organisation had; and having an issuer's credential stand in one. Leaves hold
//! commitments only; of an exchange its person is told by label, never by name or number.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::access_log::Touched;
use protocol::access_log::note::Noted;
use protocol::cbor;
use protocol::id::party::PartyId;
use protocol::limits;
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::Desk;
use super::error::Trouble;
use super::query::Query;
use crate::heart::Local;
use crate::heart::local::{EXCHANGES_PER_WISH_MAX, LEAVES_PER_WISH_MAX, Missing, NOTES_PER_WISH_MAX};

/// The most leaves of one call.
const LEAVES_PER_CALL_MAX: u64 = 4096;

/// `GET /v1/ledger/checkpoint?seat=`: the signed note.
pub(super) async fn checkpoint(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<String, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    desk.wish(|waits| Local::Checkpoint(seat, waits)).await
}

/// `GET /v1/ledger/cosigned?seat=`: the newest head each witness cosigned, as a list of signed notes.
pub(super) async fn cosigned(
    State(desk): State<Arc<Desk>>,
    RawQuery(text): RawQuery,
) -> Result<Json<Vec<String>>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    desk.wish(|waits| Local::Cosigned(seat, waits)).await.map(Json)
}

/// `GET /v1/ledger/leaves?seat=&from=&count=`: leaves one behind the other, all of one length.
pub(super) async fn leaves(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Response, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let (from, count) = (query.number("from")?, query.number("count")?);
    if count > LEAVES_PER_CALL_MAX {
        return Err(Trouble::field("count"));
    }
    let mut bytes = Vec::new();
    let mut read = 0;
    while read < count {
        let portion = (count.saturating_sub(read)).min(LEAVES_PER_WISH_MAX);
        let at = from.saturating_add(read);
        let part = desk.wish(|waits| Local::Leaves(seat, at, portion, waits)).await?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
        read = read.saturating_add(portion);
    }
    Ok(([("content-type", "application/octet-stream")], bytes).into_response())
}

/// `GET /v1/ledger/receipt?seat=&party=&epoch=&leaf=`: a receipt of ours as it is kept, and whether a quorum of
/// witnesses has cosigned a head since that follows from it.
pub(super) async fn receipt(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let party = query.get("party").and_then(PartyId::parse).ok_or_else(|| Trouble::field("party"))?;
    let epoch = query.get("epoch").map_or(Ok(None), |_given| query.number("epoch").map(Some))?;
    let epoch = epoch.map(|epoch| u32::try_from(epoch).map_err(|_long| Trouble::field("epoch"))).transpose()?;
    let leaf = query.number("leaf")?;
    let found = desk.wish(|waits| Local::Receipt(seat, party, epoch, leaf, waits)).await?;
    let found = found.map_err(|missing| Trouble::NoReceipt(explain(&missing)))?;
    Ok(Json(json!({
        "origin": found.head.origin.to_string(),
        "leaf": leaf,
        "own_leaf": found.kept.own_leaf,
        "size": found.head.size,
        "witnessed": !found.is_unwitnessed,
        "resubmitted": found.kept.is_resubmitted,
        "evidence": STANDARD.encode(&found.receipt),
        "cosigned": found.cosigned,
    })))
}

/// What was looked for, and what to do next.
fn explain(missing: &Missing) -> String {
    let looked = match missing.epoch {
        None => "party は名簿にありません。epoch= に時代の番号を付けてください / not in the roster; name the epoch"
            .to_owned(),
        Some(epoch) if missing.is_open => format!(
            "epoch がないので、開いている時代 {epoch} を見ましたが、この葉の受領証はありません / no epoch was named; the open \
             one, {epoch}, has no receipt of this leaf"
        ),
        Some(epoch) => {
            format!("時代 {epoch} に、この葉の受領証はありません / no receipt of this leaf in epoch {epoch}")
        }
    };
    match missing.elsewhere.first() {
        None => format!("{looked}。party と leaf を確かめてください / check party and leaf"),
        Some(newest) => {
            let epochs: Vec<String> = missing.elsewhere.iter().map(ToString::to_string).collect();
            let epochs = epochs.join(", ");
            format!("{looked}。時代 {epochs} にはあります。epoch={newest} を付けてください / there is one in {epochs}")
        }
    }
}

/// `GET /v1/ledger/opening?seat=`: how the open epoch began; `null` while it is the first.
pub(super) async fn opening(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let opening = desk.wish(|waits| Local::Opening(seat, waits)).await?;
    Ok(Json(json!({ "opening": opening.map(|bytes| STANDARD.encode(bytes)) })))
}

/// `GET /v1/ledger/notes?seat=&from=`: a portion of what the keeper noted of its own accord in the open epoch, each
/// with what opens its leaf, and under `next` from where the next portion begins.
pub(super) async fn notes(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let from = query.get("from").map_or(Ok(0), |_given| query.number("from"))?;
    let notes = desk.wish(|waits| Local::Notes(seat, from, waits)).await?;
    let next = notes.last().filter(|_last| notes.len() >= NOTES_PER_WISH_MAX);
    let next = next.map(|last| last.leaf.saturating_add(1));
    Ok(Json(json!({ "notes": notes.iter().map(noted_to_json).collect::<Vec<_>>(), "next": next })))
}

fn noted_to_json(noted: &Noted) -> Value {
    json!({
        "leaf": noted.leaf,
        "at_ms": noted.at.unix_ms(),
        "note": STANDARD.encode(cbor::encode(&noted.note)),
        "salt": STANDARD.encode(noted.salt.expose()),
    })
}

/// `POST /v1/ledger/credential?seat=`: a credential the seat issued, to stand in its ledger before it is handed out.
pub(super) async fn credential(
    State(desk): State<Arc<Desk>>,
    RawQuery(text): RawQuery,
    body: Body,
) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let bytes = desk.read(body, limits::SIGNED_BYTES_MAX).await?;
    let leaf = desk.wish_with_room(|waits| Local::Issued(seat, bytes, waits)).await?.map_err(Trouble::NotTaken)?;
    Ok(Json(json!({ "leaf": leaf })))
}

/// `GET /v1/ledger/affected?seat=&party=&since_ms=&leaf=`: a portion of the exchanges in which `party` asked,
/// oldest first, and under `next` from where the next portion begins.
pub(super) async fn affected(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let party = query.get("party").and_then(PartyId::parse).ok_or_else(|| Trouble::field("party"))?;
    let number = |name: &str| query.get(name).map_or(Ok(0), |_given| query.number(name));
    let from = (Timestamp::from_unix_ms(number("since_ms")?), number("leaf")?);
    let found = desk.wish(|waits| Local::Affected(seat, party, from, waits)).await?;
    let next = found.last().filter(|_last| found.len() >= EXCHANGES_PER_WISH_MAX);
    let next = next.map(|last| json!({ "since_ms": last.at.unix_ms(), "leaf": last.leaf.saturating_add(1) }));
    Ok(Json(json!({ "exchanges": found.iter().map(touched_to_json).collect::<Vec<_>>(), "next": next })))
}

#[expect(clippy::indexing_slicing, reason = "writing a name of ours into a JSON object makes it")]
fn touched_to_json(touched: &Touched) -> Value {
    let label: String = touched.label.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut value = json!({ "at_ms": touched.at.unix_ms(), "leaf": touched.leaf, "person_label": label });
    let Some(detail) = &touched.detail else {
        value["erased"] = json!(true);
        return value;
    };
    let decision = &detail.decision;
    value["request"] = json!(detail.request.to_string());
    value["staff"] = json!(decision.staff);
    value["job"] = json!(decision.job.as_str());
    value["purpose"] = json!(decision.purpose.as_str());
    value["kinds"] = json!(decision.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    value["signing_key"] = json!(decision.signing_key.to_string());
    value["refused"] = json!(decision.refusal.map(|refusal| refusal.to_string()));
    value["records"] = json!(decision.versions.len());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_no_epoch_hears_which_was_looked_at_and_which_to_name() {
        let missing = Missing { epoch: Some(2), is_open: true, elsewhere: vec![1] };
        let told = explain(&missing);
        assert!(told.contains("開いている時代 2") && told.contains("epoch=1 を付けて"), "{told}");
        let told = explain(&Missing { is_open: false, elsewhere: Vec::new(), ..missing });
        assert!(told.contains("時代 2 に") && told.contains("party と leaf を確かめて"), "{told}");
        let told = explain(&Missing { epoch: None, is_open: true, elsewhere: Vec::new() });
        assert!(told.contains("名簿にありません"), "{told}");
    }
}
