//! The memory of exchanges decided (再送防止): one row per (asker, exchange id), written in the same commit
//! as the leaf, so that a request is decided once however often it arrives, crash or no crash.

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::limits;
use crate::store::{Key, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// What is remembered of a decided request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Decided {
    /// SHA-256 of the envelope.
    #[n(0)]
    pub request: Digest,
    /// Its leaf.
    #[n(1)]
    pub leaf: u64,
    /// The instant it was decided at.
    #[n(2)]
    pub at: Timestamp,
    /// SHA-256 of the body of the answer.
    #[n(3)]
    pub answer: Digest,
    /// The policy it was decided under.
    #[n(4)]
    pub policy: Digest,
    /// Whom it was about, by what was known then: under their key lies what the leaf commits to.
    #[n(5)]
    pub label: Label,
    /// Since when no quorum of witnesses had cosigned, if the answer says so.
    #[n(6)]
    pub unwitnessed_since: Option<Timestamp>,
    /// What was told, encoded, if it cannot be found again because finding it changed what is kept.
    #[n(7)]
    pub told: Option<minicbor::bytes::ByteVec>,
}

/// What the memory says of a request that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Never seen.
    New,
    /// Decided before: these very bytes.
    Repeated(Decided),
    /// The exchange id was used for other bytes. Alarmed.
    Reused,
    /// Issued before the instant up to which memory was pruned.
    BeforeMemory,
}

/// Looks an exchange up.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn seen(
    batch: &Batch<'_>,
    asker: &PartyId,
    exchange: &ExchangeId,
    request: &Digest,
    issued: Timestamp,
) -> Result<Seen, StoreError> {
    if let Some(bytes) = batch.get(&row(batch, asker, exchange))? {
        let decided: Decided = cbor::decode_own(&bytes).map_err(|_error| StoreError::Unreadable("replay"))?;
        return Ok(if decided.request == *request { Seen::Repeated(decided) } else { Seen::Reused });
    }
    let mark = batch.get(&Key::new(batch.seat(), table::REPLAY_MARK, &[]))?;
    let mark = match mark {
        Some(bytes) => cbor::decode_own(&bytes).map_err(|_error| StoreError::Unreadable("replay mark"))?,
        None => Timestamp::from_unix_ms(0),
    };
    Ok(if issued <= mark { Seen::BeforeMemory } else { Seen::New })
}

/// Remembers a decision, in the commit its leaf is in.
///
/// # Errors
/// [`StoreError`] if a key or value breaks a bound of the store.
pub fn remember(
    batch: &mut Batch<'_>,
    asker: &PartyId,
    exchange: &ExchangeId,
    decided: &Decided,
) -> Result<(), StoreError> {
    let key = row(batch, asker, exchange);
    batch.put(key, Some(cbor::encode(decided)))?;
    // Those of one commit share a row.
    let by_time = by_time(batch, decided.at, decided.leaf);
    let mut rests = batch.get(&by_time)?.unwrap_or_default();
    rests.extend(row_rest(asker, exchange));
    batch.put(by_time, Some(rests))
}

/// Forgets about `rows_max` exchanges older than [`limits::REPLAY_ROW_LIFE`] and raises the mark below
/// which nothing is accepted. Returns how many were forgotten.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn prune(batch: &mut Batch<'_>, rows_max: usize) -> Result<usize, StoreError> {
    let before = batch.now().wall.minus(limits::REPLAY_ROW_LIFE);
    let from = Key::new(batch.seat(), table::REPLAY_BY_TIME, &[]);
    let to = Key::new(batch.seat(), table::REPLAY_BY_TIME, &before.unix_ms().to_be_bytes());
    let mut forgotten: usize = 0;
    for (key, rests) in batch.range(&from, &to, rows_max)? {
        let rests = rests.as_chunks::<REST_BYTES>().0;
        for rest in rests {
            batch.put(Key::new(batch.seat(), table::REPLAY, rest), None)?;
        }
        batch.put(key, None)?;
        forgotten = forgotten.saturating_add(rests.len());
        if forgotten >= rows_max {
            break;
        }
    }
    if forgotten > 0 {
        let mark = Key::new(batch.seat(), table::REPLAY_MARK, &[]);
        // A request may be issued up to one skew after the instant it is decided at.
        batch.put(mark, Some(cbor::encode(&before.plus(limits::SKEW))))?;
    }
    Ok(forgotten)
}

fn row(batch: &Batch<'_>, asker: &PartyId, exchange: &ExchangeId) -> Key {
    Key::new(batch.seat(), table::REPLAY, &row_rest(asker, exchange))
}

/// The length of [`row_rest`], in bytes.
const REST_BYTES: usize = 32;
/// Exchanges whose leaves differ only in so many last bits share a row by time: at most 16 KiB of them.
const LEAF_BITS: u32 = 9;

/// 16 bytes of the asker's name, then the exchange id: fixed lengths, so that no two askers share a row.
fn row_rest(asker: &PartyId, exchange: &ExchangeId) -> Vec<u8> {
    let name = Digest::of(asker.to_string().as_bytes());
    name.as_bytes().iter().take(16).chain(exchange.as_bytes()).copied().collect()
}

fn by_time(batch: &Batch<'_>, at: Timestamp, leaf: u64) -> Key {
    let mut bytes = at.unix_ms().to_be_bytes().to_vec();
    bytes.extend_from_slice(&(leaf >> LEAF_BITS).to_be_bytes());
    Key::new(batch.seat(), table::REPLAY_BY_TIME, &bytes)
}
