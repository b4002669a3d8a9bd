//! Asks of our own that have not ended (照会控え), as they lie on the disk: what has to be sent again if the process
//! stops, and what opens the answer. A row goes when its ask ends, but the journal keeps what was written; so they
//! are sealed under a key of their own, which is replaced. Never decides when an ask ends.

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::message::Request;
use crate::primitives::{self, Secret};
use crate::store::{Key, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// What is kept of an exchange over a restart, sealed: removed, secret and all, when it ends.
#[derive(Encode, Decode)]
pub struct OpenAsk {
    /// Whom it is sent to.
    #[n(0)]
    pub to: PartyId,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    request: Vec<u8>,
    /// The bytes to send.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub envelope: Vec<u8>,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    secret: [u8; 32],
    /// When it was first sent.
    #[n(4)]
    pub asked: Timestamp,
}

impl OpenAsk {
    /// The row of a request that is about to be sent as `envelope`.
    pub fn new(request: &Request, envelope: &[u8], secret: &Secret, asked: Timestamp) -> Self {
        let (to, request) = (request.recipient.clone(), cbor::encode(request));
        Self { to, request, envelope: envelope.to_vec(), secret: *secret.expose(), asked }
    }

    /// The request as signed.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if it is none.
    pub fn request(&self) -> Result<Request, StoreError> {
        cbor::decode(&self.request).map_err(|_malformed| broken())
    }

    /// What opens the answer.
    pub const fn secret(&self) -> Secret {
        Secret::from_bytes(self.secret)
    }

    /// Puts it under its exchange, sealed.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] if it is too long to be kept, or those of the store.
    pub fn keep(&self, exchange: &ExchangeId, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        self.put(batch.key(table::ASK, exchange.as_bytes()), batch)
    }

    fn put(&self, row: Key, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let key = batch.person_key(Label::ASKS)?;
        let sealed = primitives::seal_stored(&key, b"ask", &cbor::encode(self), batch.dice());
        batch.put(row, Some(sealed))
    }

    fn open(sealed: &[u8], batch: &Batch<'_>) -> Result<Self, StoreError> {
        let key = batch.known_person_key(Label::ASKS)?.ok_or_else(broken)?;
        let bytes = primitives::open_stored(&key, b"ask", sealed).map_err(|_broken| broken())?;
        cbor::decode(&bytes).map_err(|_malformed| broken())
    }
}

/// Removes the row of an exchange.
///
/// # Errors
/// Those of the store.
pub fn remove(exchange: &ExchangeId, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    batch.put(batch.key(table::ASK, exchange.as_bytes()), None)
}

/// Every row, each with the key it stands under.
///
/// # Errors
/// [`StoreError::Unreadable`] if a row does not open, or those of the store.
pub fn all(batch: &Batch<'_>) -> Result<Vec<(Key, OpenAsk)>, StoreError> {
    let (mut from, to) = (batch.key(table::ASK, &[]), batch.key(table::ASK.saturating_add(1), &[]));
    let mut all = Vec::new();
    loop {
        let rows = batch.range(&from, &to, ROWS_PER_STEP)?;
        let Some((last, _sealed)) = rows.last() else { return Ok(all) };
        from = last.after();
        for (row, sealed) in rows {
            all.push((row, OpenAsk::open(&sealed, batch)?));
        }
    }
}

/// Destroys the key that the rows are sealed under and seals those that are left under a new one: what an ask that has
/// ended said of a person can be read from no older copy any more.
///
/// # Errors
/// As [`all`].
pub fn renew_key(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let left = all(batch)?;
    batch.forget(Label::ASKS);
    left.into_iter().try_for_each(|(row, ask)| ask.put(row, batch))
}

/// How many rows are read at once.
const ROWS_PER_STEP: usize = 256;

const fn broken() -> StoreError {
    StoreError::Unreadable("asks")
}

impl core::fmt::Debug for OpenAsk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OpenAsk").field("to", &self.to).finish_non_exhaustive()
    }
}
