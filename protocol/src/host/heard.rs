//! What a host heard and believed (伝聞), as it lies on the disk: credentials seen last and notices, so that a restart
//! forgets nothing of them.

use rand_core::CryptoRng;

use crate::batch::Batch;
use crate::cbor;
use crate::gate::Notice;
use crate::limits;
use crate::store::staged::Staged;
use crate::store::{Key, Position, Roll, Seat, Store, StoreError};
use crate::succession::{SEEN_MAX, Seen};
use crate::table;
use crate::time::Now;

/// What the host whose first seat is `seat` remembers of credentials.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn remembered_credentials(
    seat: Seat,
    store: &Store,
    now: Now,
    dice: &mut dyn CryptoRng,
) -> Result<Vec<Seen>, StoreError> {
    let mut staged = Staged::new();
    let batch = Batch::new(now, seat, store, &mut staged, dice)?;
    let from = Key::new(seat, table::SUCCESSION, &[]);
    let to = Key::new(seat, table::SUCCESSION.saturating_add(1), &[]);
    let mut seen = Vec::new();
    for (_key, row) in batch.range(&from, &to, SEEN_MAX)? {
        seen.extend(cbor::decode::<Seen>(&heard(&batch, &row)?));
    }
    Ok(seen)
}

/// What the host whose first seat is `seat` learnt before it stopped, in the order to learn it again.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn remembered_notices(
    seat: Seat,
    store: &Store,
    now: Now,
    dice: &mut dyn CryptoRng,
) -> Result<Vec<Notice>, StoreError> {
    let mut staged = Staged::new();
    let batch = Batch::new(now, seat, store, &mut staged, dice)?;
    let mut notices = Vec::new();
    for table in [table::ROSTER, table::PULSE, table::STATUS_LIST, table::STATEMENT, table::OPENING] {
        let from = Key::new(seat, table, &[]);
        let to = Key::new(seat, table.saturating_add(1), &[]);
        for (_key, row) in batch.range(&from, &to, limits::MEMBERS_MAX)? {
            notices.extend(cbor::decode::<Notice>(&heard(&batch, &row)?));
        }
    }
    Ok(notices)
}

/// Keeps what was heard of others. What is longer than a row stands in the roll, and the row says where; it is not
/// put there twice. Only an authority or an issuer can make something so long: nobody else fills the roll.
pub(super) fn keep(batch: &mut Batch<'_>, table: u8, rest: &[u8], bytes: Vec<u8>) -> Result<(), StoreError> {
    let key = batch.key(table, rest);
    if let Some(row) = batch.get(&key)?
        && heard(batch, &row)? == bytes
    {
        return Ok(());
    }
    let (place, rest) = if bytes.len() < limits::ROW_BYTES_MAX {
        (IN_ROW, bytes)
    } else {
        (IN_ROLL, batch.append(Roll::Details, bytes)?.to_bytes().to_vec())
    };
    batch.put(key, Some([&[place], rest.as_slice()].concat()))
}

/// What a row of [`keep_heard`] stands for.
fn heard(batch: &Batch<'_>, row: &[u8]) -> Result<Vec<u8>, StoreError> {
    let broken = || StoreError::Unreadable("what was heard");
    match row.split_first().ok_or_else(broken)? {
        (&IN_ROW, bytes) => Ok(bytes.to_vec()),
        (&IN_ROLL, position) => {
            let position = position.try_into().map_err(|_length| broken())?;
            batch.read(Roll::Details, Position::from_bytes(position))
        }
        _ => Err(broken()),
    }
}

/// The first byte of a row of [`keep_heard`]: what follows is the thing itself, or its place in the roll.
const IN_ROW: u8 = 0;
const IN_ROLL: u8 = 1;
