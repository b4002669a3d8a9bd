//! How an exchange begins: a request made, sealed by a worker, kept durably, and only then sent. Only a fresh
//! encapsulation is remembered, and none is used longer or more often than both ends allow.

use std::sync::Arc;

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::envelope::Header;
use crate::gate::Gate;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::key::{KeyId, KeyUse, PublicKey};
use crate::ledger::proof::VerifiedNotes;
use crate::limits;
use crate::machine::{Action, AskId, Draft, Drafted, Failure, KnownNote, Outbox, Pending, Reuse, Work};
use crate::message::{Question, Request, Seen};
use crate::open_ask::OpenAsk;
use crate::store::StoreError;
use crate::time::Steady;

use super::{Caller, Channel, NOTES_MAX, OpenExchange, Requester, Sent, head_key, staff_for};

impl Requester {
    /// Makes a request and hands it to a worker to be signed and sealed.
    pub(super) fn begin(
        &mut self,
        id: AskId,
        to: &PartyId,
        question: Question,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.asks.get(&id) else { return Ok(()) };
        let staff = staff_for(&question, &open.ask.staff);
        let caller = Caller { ask: id, staff, purpose: open.ask.purpose, ends: None };
        self.launch(caller, to, question, gate, batch, out).map(drop)
    }

    /// The same for whoever calls; the exchange, unless it ended at once.
    pub(super) fn launch(
        &mut self,
        caller: Caller,
        to: &PartyId,
        question: Question,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Option<ExchangeId>, StoreError> {
        let now = batch.now();
        let exchange = ExchangeId::draw(batch.now().wall, batch.dice());
        let named = self.head(to, gate, batch)?;
        let Caller { ask: id, staff, purpose, ends } = caller;
        let request = Request {
            sender: self.identity.party.clone(),
            recipient: to.clone(),
            exchange,
            issued: now.wall,
            expires: now.wall.plus(self.identity.life.min(limits::REQUEST_LIFE)),
            credential: self.identity.credential.as_deref().map(Digest::of),
            roster: gate.roster().version,
            seen: named.as_ref().map(|note| Seen {
                origin: note.checkpoint.origin.to_string(),
                size: note.checkpoint.size,
                root: note.checkpoint.root,
            }),
            staff,
            purpose,
            question: question.clone(),
        };
        if !request.is_within_bounds() {
            self.fail(id, Failure::Malformed, out);
            return Ok(None);
        }
        let suite = self.identity.suite.max(gate.roster().suite_min);
        let sealing = gate.statement(to, now.wall).and_then(|said| said.sealing_key(suite, gate.roster().suite_min));
        let Some(sealing) = sealing else {
            self.fail(id, Failure::Unreachable(to.clone()), out);
            return Ok(None);
        };
        let sealing_key = sealing.id();
        let header = Header {
            network: gate.network(),
            suite,
            sender: self.identity.party.clone(),
            recipient: to.clone(),
            signing_key: self.identity.signing_public.id(KeyUse::Signing),
            sealing_key,
            enc: Vec::new(),
            nonce: [0; 16],
        };
        let draft = Draft {
            exchange,
            request: cbor::encode(&request),
            header,
            sealing: sealing.public.clone(),
            signing: Arc::clone(&self.identity.signing),
            reuse: self.reusable(to, (sealing_key, self.identity.signing_public), now.steady),
        };
        let keys = (sealing_key, self.identity.signing_public);
        let again = now.steady.plus(limits::ATTEMPT_LIMIT);
        let (to, sent, unsigned) = (to.clone(), None, None);
        let open =
            OpenExchange { ask: id, to, question, request, named, keys: Some(keys), sent, unsigned, again, ends };
        self.exchanges.insert(exchange, open);
        self.expect(again);
        out.act(Action::Work(self.identity.seat, Box::new(Work::SealRequest(Box::new(draft)))));
        Ok(Some(exchange))
    }

    /// The newest verified checkpoint of a member's open epoch.
    pub(super) fn head(
        &mut self,
        to: &PartyId,
        gate: &Gate,
        batch: &Batch<'_>,
    ) -> Result<Option<Arc<KnownNote>>, StoreError> {
        let Some(origin) = gate.roster().member(to).map(|member| gate.origin(member)) else { return Ok(None) };
        if !self.heads.contains_key(to)
            && let Some(bytes) = batch.get(&head_key(batch.seat(), to))?
            && let Some(note) = KnownNote::from_own_store(&bytes)
        {
            self.heads.insert(to.clone(), Arc::new(note));
        }
        let known = self.heads.get(to).filter(|note| note.checkpoint.origin == origin).map(Arc::clone);
        // Of an epoch nothing was verified of yet, its beginning was.
        Ok(known.or_else(|| {
            let begun = gate.opening(to)?.first_note.as_bytes();
            KnownNote::from_own_store(begun).map(Arc::new)
        }))
    }

    /// An encapsulation of the same two keys that is neither too old nor used too often.
    fn reusable(&mut self, to: &PartyId, keys: (KeyId, PublicKey), now: Steady) -> Option<Reuse> {
        if self.identity.fresh_encapsulations {
            return None;
        }
        let channel = self.channels.get_mut(to)?;
        let usable = channel.keys == keys
            && now.since(channel.since) < limits::ENCAPSULATION_LIFE.minus(limits::SKEW)
            && channel.messages < limits::ENCAPSULATION_MESSAGES_MAX;
        if !usable {
            self.channels.remove(to);
            return None;
        }
        channel.messages = channel.messages.saturating_add(1);
        Some(channel.reuse.clone())
    }

    /// Keeps the bytes and what opens the answer, durably, and sends.
    pub(super) fn sealed(
        &mut self,
        exchange: ExchangeId,
        drafted: Drafted,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.exchanges.get_mut(&exchange) else { return Ok(()) };
        let now = batch.now();
        let Some(member) = gate.roster().member(&open.to) else {
            let failure = Failure::Unreachable(open.to.clone());
            return self.end_exchange(exchange, failure, batch, out);
        };
        let Drafted { outgoing, reuse, is_fresh } = drafted;
        let row = OpenAsk::new(&open.request, &outgoing.bytes, &outgoing.answer_secret, now.wall);
        match row.keep(&exchange, batch) {
            // Our own question is too long to be kept: no fault of the store.
            Err(StoreError::TooLong) => return self.end_exchange(exchange, Failure::Malformed, batch, out),
            kept => kept?,
        }
        let notes = self.notes.entry(open.to.clone()).or_insert_with(|| Arc::new(VerifiedNotes::new(NOTES_MAX)));
        let pending = Pending {
            exchange,
            request: outgoing.digest,
            responder: open.to.clone(),
            origin: gate.origin(member),
            logs: member.log.clone(),
            named: open.named.as_ref().map(|note| note.checkpoint.clone()),
            notes: Arc::clone(notes),
            secret: outgoing.answer_secret,
            asked: now.wall,
        };
        open.sent = Some(Sent { bytes: outgoing.bytes.clone(), pending: Arc::new(pending) });
        let again = now.steady.plus(limits::ATTEMPT_LIMIT);
        open.again = again;
        let (seat, to) = (self.identity.seat, open.to.clone());
        // One that was used before is worn by as much: only a fresh one is remembered.
        if let Some(keys) = open.keys
            && is_fresh
            && !self.identity.fresh_encapsulations
            && !self.channels.contains_key(&to)
        {
            self.channels.insert(to.clone(), Channel { reuse, keys, since: now.steady, messages: 1 });
        }
        out.act(Action::Transmit { seat, to, exchange, bytes: outgoing.bytes });
        self.expect(again);
        Ok(())
    }
}
