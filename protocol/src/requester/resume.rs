//! Asks taken up again (再開): what lies on the disk of an exchange that has not ended, and how a process that
//! stopped in between goes on with it. Only bytes that were kept before are sent again; nothing is signed
//! anew. Whoever asked is gone, so nobody is told; both ledgers have the exchange.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::proof::VerifiedNotes;
use crate::limits;
use crate::machine::{AskId, Pending};
use crate::message::Request;
use crate::primitives::{self, Secret};
use crate::store::{Key, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

use super::{OpenExchange, Requester, Sent};

/// What is kept of an exchange over a restart, sealed: removed, secret and all, when it ends.
#[derive(Encode, Decode)]
pub(super) struct AskRow {
    #[n(0)]
    to: PartyId,
    /// The request as signed.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    request: Vec<u8>,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    envelope: Vec<u8>,
    /// Opens the answer.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    secret: [u8; 32],
    #[n(4)]
    asked: Timestamp,
}

impl AskRow {
    /// The row of a request that is about to be sent as `envelope`.
    pub(super) fn new(request: &Request, envelope: &[u8], secret: &Secret, asked: Timestamp) -> Self {
        let (to, request) = (request.recipient.clone(), cbor::encode(request));
        Self { to, request, envelope: envelope.to_vec(), secret: *secret.expose(), asked }
    }

    /// Puts it under its exchange, sealed.
    pub(super) fn keep(&self, exchange: &ExchangeId, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let general = batch.person_key(Label::GENERAL)?;
        let sealed = primitives::seal_stored(&general, b"ask", &cbor::encode(self), batch.dice());
        batch.put(super::ask_key(batch.seat(), exchange), Some(sealed))
    }

    fn open(sealed: &[u8], batch: &Batch<'_>) -> Result<Self, StoreError> {
        let broken = || StoreError::Unreadable("asks");
        let general = batch.known_person_key(Label::GENERAL)?.ok_or_else(broken)?;
        let bytes = primitives::open_stored(&general, b"ask", sealed).map_err(|_broken| broken())?;
        cbor::decode(&bytes).map_err(|_malformed| broken())
    }
}

impl Requester {
    /// Takes up what was open when the process stopped: each exchange is sent again, as it was, until it is
    /// answered or its request's lifetime is over. Those whose lifetime is over already, or whose member is
    /// gone, end here. Returns how many go on and how many ended.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or a row does not open.
    pub fn resume(&mut self, gate: &Gate, batch: &mut Batch<'_>) -> Result<(usize, usize), StoreError> {
        self.remember_heads(gate, batch)?;
        let from = Key::new(batch.seat(), table::ASK, &[]);
        let to = Key::new(batch.seat(), table::ASK.saturating_add(1), &[]);
        let (mut resumed, mut ended) = (0_usize, 0_usize);
        for (key, sealed) in batch.range(&from, &to, limits::OPEN_ASKS_MAX)? {
            let row = AskRow::open(&sealed, batch)?;
            match self.take_up(&row, gate, batch)? {
                true => resumed = resumed.saturating_add(1),
                false => {
                    batch.put(key, None)?;
                    ended = ended.saturating_add(1);
                }
            }
        }
        Ok((resumed, ended))
    }

    fn take_up(&mut self, row: &AskRow, gate: &Gate, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let now = batch.now();
        let request: Request = cbor::decode(&row.request).map_err(|_malformed| StoreError::Unreadable("asks"))?;
        let Some(member) = gate.roster().member(&row.to).filter(|_member| now.wall < request.expires) else {
            return Ok(false);
        };
        // What the answer's head is held against, and what it must not be older than.
        self.head(&row.to, gate, batch)?;
        let origin = gate.origin(member);
        let named = request.seen.as_ref().filter(|seen| seen.origin == origin.to_string());
        let named = named.map(|seen| Checkpoint { origin: origin.clone(), size: seen.size, root: seen.root });
        let notes = self.notes.entry(row.to.clone()).or_insert_with(|| Arc::new(VerifiedNotes::new(super::NOTES_MAX)));
        let pending = Pending {
            exchange: request.exchange,
            request: Digest::of(&row.envelope),
            responder: row.to.clone(),
            origin,
            logs: member.log.clone(),
            named,
            notes: Arc::clone(notes),
            secret: Secret::from_bytes(row.secret),
            asked: row.asked,
        };
        let open = OpenExchange {
            ask: AskId::NOBODY,
            to: row.to.clone(),
            question: request.question.clone(),
            named: None,
            keys: None,
            unsigned: None,
            sent: Some(Sent { bytes: row.envelope.clone(), pending: Arc::new(pending) }),
            again: now.steady,
            ends: Some(now.steady.plus(request.expires.since(now.wall))),
            request,
        };
        self.exchanges.insert(open.request.exchange, open);
        self.expect(now.steady);
        Ok(true)
    }
}
