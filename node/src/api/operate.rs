//! What operators and an organisation's own systems do: feed a seat, make notices known, renew a credential,
//! look at the node's state.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use protocol::cbor;
use protocol::gate::{Condition, Notice};
use protocol::id::party::PartyId;
use protocol::limits;
use protocol::wall::Reliance;
use serde_json::{Value, json};

use super::Desk;
use super::error::Trouble;
use super::query::Query;
use crate::heart::Local;

/// The longest import, in bytes.
const IMPORT_BYTES_MAX: usize = 8 << 20;

/// `POST /v1/import?seat=`: lines of JSON, kept all or none.
pub(super) async fn import(
    State(desk): State<Arc<Desk>>,
    RawQuery(text): RawQuery,
    body: Body,
) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let party = query.get("seat").map_or_else(|| Some(desk.first.clone()), PartyId::parse);
    let seat = desk.seat(query.get("seat"))?;
    if party.is_none_or(|party| party.kind() != protocol::id::party::PartyKind::Insurer) {
        return Err(Trouble::field("seat"));
    }
    let bytes = desk.read(body, IMPORT_BYTES_MAX).await?;
    let imported = desk.wish_with_room(|waits| Local::Import(seat, bytes, waits)).await?;
    match imported {
        Ok(records) => Ok(Json(json!({ "records": records }))),
        Err(what) => Err(Trouble::Field("body".to_owned(), Some(what))),
    }
}

/// `POST /v1/notices`: one signed object.
pub(super) async fn notice(State(desk): State<Arc<Desk>>, body: Body) -> Result<Json<Value>, Trouble> {
    let bytes = desk.read(body, limits::FRAME_BYTES_MAX).await?;
    // A roster may come as the file the authority signed, without the wrapping of a notice.
    let notice = cbor::decode(&bytes).or_else(|_malformed| cbor::decode(&bytes).map(Notice::Roster));
    let notice =
        notice.map_err(|_malformed| Trouble::Field("body".to_owned(), Some("not a signed object".to_owned())))?;
    let told = desk.wish_with_room(|waits| Local::Notice(Box::new(notice), waits)).await?;
    told.map(|()| Json(json!({ "learnt": true }))).map_err(Trouble::NotTaken)
}

/// `PUT /v1/credential?seat=`: the renewed credential, used at once and kept for the next start.
pub(super) async fn credential(
    State(desk): State<Arc<Desk>>,
    RawQuery(text): RawQuery,
    body: Body,
) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let named = query.get("seat").and_then(PartyId::parse).unwrap_or_else(|| desk.first.clone());
    let seat = desk.seat(query.get("seat"))?;
    let file = desk.seats.get(&named).and_then(|(_seat, file)| file.clone()).ok_or(Trouble::field("seat"))?;
    let bytes = desk.read(body, limits::SIGNED_BYTES_MAX).await?;
    let kept = bytes.clone();
    desk.wish(|waits| Local::Credential(seat, bytes, waits)).await?.map_err(Trouble::NotTaken)?;
    let written = tokio::task::spawn_blocking(move || replace(&file, &kept)).await;
    let is_kept = matches!(written, Ok(Ok(())));
    if !is_kept {
        tracing::warn!("a renewed credential is in use but could not be written down");
    }
    Ok(Json(json!({ "renewed": true, "kept": is_kept })))
}

/// `POST /v1/sealing/rotate?seat=`: new sealing keys of a member, and a statement that names them.
pub(super) async fn rotate(State(desk): State<Arc<Desk>>, RawQuery(text): RawQuery) -> Result<Json<Value>, Trouble> {
    let query = Query::parse(text.as_deref())?;
    let seat = desk.seat(query.get("seat"))?;
    let rotated = desk.wish(|waits| Local::Rotate(seat, waits)).await?;
    Ok(Json(json!({ "rotated": rotated })))
}

/// `GET /v1/status`.
pub(super) async fn status(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Trouble> {
    let status = desk.wish(Local::Status).await?;
    let ledgers: Value = status.ledgers.iter().map(|(party, size)| json!({ "party": party, "size": size })).collect();
    Ok(Json(json!({
        "condition": word(status.condition),
        "ready": desk.unready().is_none(),
        "unready_because": desk.unready(),
        "network": status.network,
        "roster_version": status.roster,
        "connections": status.connections,
        "admitted": status.admitted,
        "ledgers": ledgers,
        "index_rows": status.rows,
        "room_bytes": status.room,
        "uncovered_commits": status.uncovered,
        "work_panics": status.panics,
        "clock": reliance_word(desk.vitals.reliance()),
        "clock_step_ms": desk.clock.step_ms(),
        "listening": desk.network.listening(),
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

const fn word(condition: Condition) -> &'static str {
    match condition {
        Condition::Fresh => "fresh",
        Condition::Degraded => "degraded",
        Condition::Closed => "closed",
    }
}

const fn reliance_word(reliance: Reliance) -> &'static str {
    match reliance {
        Reliance::Sound => "sound",
        Reliance::Stepped => "stepped",
        Reliance::Apart => "apart",
        Reliance::Uncertain => "uncertain",
    }
}

/// Puts a file in place of the one before, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, bytes)?;
    std::fs::File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, path)
}
