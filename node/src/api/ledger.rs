//! Reading this node's own ledgers: signed head and leaves. Leaves hold commitments only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::Desk;
use super::error::Trouble;
use super::query::Query;
use crate::heart::Local;
use crate::heart::local::LEAVES_PER_WISH_MAX;

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
