//! Asks taken up again (再開): how a process that stopped in between goes on with an exchange that has not ended. Only bytes that were kept before are sent again; nothing is signed
//! anew. Whoever asked is gone, so nobody is told; both ledgers have the exchange.

use std::sync::Arc;

use crate::batch::Batch;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::proof::VerifiedNotes;
use crate::machine::{AskId, Pending};
use crate::open_ask::{self, OpenAsk};
use crate::store::StoreError;
use crate::vault::Label;

use super::{OpenExchange, Requester, Sent};

impl Requester {
    /// Takes up what was open when the process stopped: each exchange is sent again, as it was, until it is
    /// answered or its request's lifetime is over. Those whose lifetime is over already, or whose member is
    /// gone, end here. Returns how many go on and how many ended.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails or a row does not open.
    pub fn resume(&mut self, gate: &Gate, batch: &mut Batch<'_>) -> Result<(usize, usize), StoreError> {
        self.remember_heads(gate, batch)?;
        let (mut resumed, mut ended) = (0_usize, 0_usize);
        for (key, row) in open_ask::all(batch)? {
            match self.take_up(&row, gate, batch)? {
                true => resumed = resumed.saturating_add(1),
                false => {
                    batch.put(key, None)?;
                    ended = ended.saturating_add(1);
                }
            }
        }
        // Others may have ended just before the process stopped.
        if batch.known_person_key(Label::ASKS)?.is_some() {
            open_ask::renew_key(batch)?;
        }
        Ok((resumed, ended))
    }

    fn take_up(&mut self, row: &OpenAsk, gate: &Gate, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let now = batch.now();
        let request = row.request()?;
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
            secret: row.secret(),
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
