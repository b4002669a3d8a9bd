//! What an asker sees to after an answer: that a quorum of witnesses cosigns a head its receipt stands under, and
//! that a member which lost the leaf gets the receipt back.

use std::collections::{BTreeMap, VecDeque};

use minicbor::bytes::ByteVec;

use crate::batch::Batch;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::cosignature;
use crate::ledger::tree;
use crate::limits;
use crate::machine::{Action, AskId, Outbox};
use crate::message::{Question, Staff};
use crate::primitives::Primitives;
use crate::receipts::{self, Unwitnessed};
use crate::store::StoreError;
use crate::table;
use crate::time::{Span, Steady};

use super::{Caller, Requester};

/// How soon a member is asked which head its witnesses cosigned; each time in vain it is waited twice as long.
const PROVE_FIRST: Span = Span::from_s(15);
/// See [`PROVE_FIRST`].
const PROVE_LAST_MS: u64 = 600_000;
/// How soon receipts are submitted again to a member that did not take them.
const RESUBMIT_AGAIN: Span = Span::from_s(60);
/// How often an overdue head is alarmed.
const ALARM_EVERY: Span = Span::from_h(1);

/// Heads of others that no quorum cosigned yet, and receipts on their way back.
#[derive(Debug)]
pub(super) struct OverTime {
    heads: BTreeMap<(PartyId, u32, u64), Unwitnessed>,
    proofs: BTreeMap<ExchangeId, (PartyId, Vec<u64>)>,
    prove: Option<Steady>,
    /// How long to wait before asking for proofs again.
    patience: Span,
    alarmed: Option<Steady>,
    epochs: BTreeMap<PartyId, u32>,
    returns: BTreeMap<PartyId, Return>,
    news: Option<Steady>,
}

/// The receipts of one member that go back to it, epoch by epoch.
#[derive(Debug)]
struct Return {
    epoch: u32,
    next: u64,
    /// The epochs after this one, each with the leaf it begins at.
    left: VecDeque<(u32, u64)>,
    again: Steady,
    exchange: Option<ExchangeId>,
}

impl Default for OverTime {
    fn default() -> Self {
        Self {
            heads: BTreeMap::new(),
            proofs: BTreeMap::new(),
            prove: None,
            patience: PROVE_FIRST,
            alarmed: None,
            epochs: BTreeMap::new(),
            returns: BTreeMap::new(),
            news: None,
        }
    }
}

impl OverTime {
    pub(super) fn deadline(&self) -> Option<Steady> {
        let returns = self.returns.values().filter(|back| back.exchange.is_none()).map(|back| back.again);
        returns.chain(self.news).chain(self.prove).min()
    }

    /// Whether receipts are on their way back.
    pub(super) fn waits(&self) -> bool {
        self.news.is_some() || !self.returns.is_empty()
    }
}

impl Requester {
    /// A member began a new epoch: receipts of ours may be lost there.
    pub fn hear_of_epoch(&mut self, now: Steady) {
        self.over_time.news = Some(now);
    }

    /// Whether a receipt of ours stands under this head and no quorum cosigned one yet that follows from it.
    pub fn is_unwitnessed(&self, head: &Checkpoint) -> bool {
        let place = (head.origin.party().clone(), head.origin.epoch(), head.size);
        self.over_time.heads.contains_key(&place)
    }

    /// Reads what was unwitnessed when the process stopped, and looks for epochs begun meanwhile.
    pub(super) fn remember_heads(&mut self, gate: &Gate, batch: &Batch<'_>) -> Result<(), StoreError> {
        for head in receipts::unwitnessed(batch, limits::UNWITNESSED_HEADS_MAX)? {
            self.over_time.heads.insert((head.party.clone(), head.origin.epoch(), head.size), head);
        }
        let now = batch.now().steady;
        self.over_time.prove = (!self.over_time.heads.is_empty()).then_some(now);
        self.over_time.news = gate.reopened().next().map(|_some| now);
        Ok(())
    }

    /// A receipt came under this head.
    pub(super) fn note_unwitnessed(
        &mut self,
        head: &Checkpoint,
        gate: &Gate,
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        let (party, now) = (head.origin.party().clone(), batch.now());
        let place = (party.clone(), head.origin.epoch(), head.size);
        if gate.quorum(&party) == 0
            || self.over_time.heads.contains_key(&place)
            || self.over_time.heads.len() >= limits::UNWITNESSED_HEADS_MAX
        {
            return Ok(());
        }
        let row = Unwitnessed { party, origin: head.origin.clone(), size: head.size, root: head.root, since: now.wall };
        batch.put(receipts::unwitnessed_key(batch, &head.origin, head.size), Some(crate::cbor::encode(&row)))?;
        self.over_time.heads.insert(place, row);
        let next = now.steady.plus(self.over_time.patience);
        self.over_time.prove.get_or_insert(next);
        Ok(())
    }

    /// Does what is due.
    pub(super) fn follow_up(&mut self, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        let now = batch.now();
        if self.over_time.prove.is_some_and(|at| at <= now.steady) {
            self.ask_for_proofs(gate, batch, out)?;
        }
        if self.over_time.news.is_some_and(|at| at <= now.steady) {
            self.over_time.news = None;
            self.look_for_losses(gate, now.steady);
        }
        let is_idle = |back: &Return| back.exchange.is_none_or(|exchange| !self.exchanges.contains_key(&exchange));
        for back in self.over_time.returns.values_mut().filter(|back| is_idle(back)) {
            back.exchange = None;
        }
        let due = |back: &Return| back.exchange.is_none() && back.again <= now.steady;
        let due: Vec<PartyId> = self
            .over_time
            .returns
            .iter()
            .filter(|(_party, back)| due(back))
            .map(|(party, _back)| party.clone())
            .collect();
        for party in due {
            self.give_back(&party, gate, batch, out)?;
        }
        Ok(())
    }

    /// Asks every member under whose heads receipts of ours stand for one that its witnesses cosigned.
    fn ask_for_proofs(&mut self, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        let now = batch.now();
        self.over_time.proofs.clear();
        self.forgive(gate, batch)?;
        if self.over_time.heads.is_empty() {
            (self.over_time.prove, self.over_time.patience) = (None, PROVE_FIRST);
            return Ok(());
        }
        self.over_time.prove = Some(now.steady.plus(self.over_time.patience));
        self.over_time.patience = Span::from_ms(self.over_time.patience.ms().saturating_mul(2).min(PROVE_LAST_MS));
        let mut wanted: BTreeMap<PartyId, Vec<u64>> = BTreeMap::new();
        for (party, epoch, size) in self.over_time.heads.keys() {
            let is_open = gate.roster().member(party).is_some_and(|member| gate.origin(member).epoch() == *epoch);
            let sizes = wanted.entry(party.clone()).or_default();
            if is_open && sizes.len() < limits::PROOFS_PER_FRAME_MAX {
                sizes.push(*size);
            }
        }
        for (to, sizes) in wanted.into_iter().filter(|(_to, sizes)| !sizes.is_empty()) {
            let attempt = ExchangeId::draw(batch.now().wall, batch.dice());
            self.over_time.proofs.insert(attempt, (to.clone(), sizes.clone()));
            out.act(Action::Prove { seat: self.identity.seat, to, attempt, sizes });
        }
        let is_overdue = |head: &Unwitnessed| now.wall.since(head.since) >= limits::UNWITNESSED_LIMIT;
        let is_time = self.over_time.alarmed.is_none_or(|at| now.steady.since(at) >= ALARM_EVERY);
        if is_time && self.over_time.heads.values().any(is_overdue) {
            self.over_time.alarmed = Some(now.steady);
            out.act(Action::Alarm("a receipt of ours stands under no cosigned head after a day"));
        }
        Ok(())
    }

    /// Where there are no witnesses there is nothing to wait for.
    fn forgive(&mut self, gate: &Gate, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let free = |head: &&Unwitnessed| gate.quorum(&head.party) == 0;
        let free: Vec<_> = self.over_time.heads.values().filter(free).cloned().collect();
        for head in free {
            self.witnessed(&head, batch)?;
        }
        Ok(())
    }

    /// A member shows a head that its witnesses cosigned, and how each head we hold leads to it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    #[expect(clippy::too_many_arguments, reason = "the parts of a proof, and what it is judged by")]
    pub fn proven(
        &mut self,
        attempt: ExchangeId,
        note: &[u8],
        proofs: &[Vec<Digest>],
        gate: &Gate,
        primitives: &dyn Primitives,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some((party, sizes)) = self.over_time.proofs.remove(&attempt) else { return Ok(()) };
        let Some(cosigned) = cosigned_head(&party, note, gate, primitives) else { return Ok(()) };
        let mut any = false;
        for (size, proof) in sizes.into_iter().zip(proofs) {
            let place = (party.clone(), cosigned.origin.epoch(), size);
            let Some(head) = self.over_time.heads.get(&place).filter(|head| head.size <= cosigned.size).cloned() else {
                continue;
            };
            if tree::check_consistency((head.size, head.root), (cosigned.size, cosigned.root), proof) {
                self.witnessed(&head, batch)?;
                any = true;
            } else {
                out.act(Action::Alarm("a cosigned head does not follow from a receipt of ours"));
                let evidence = batch.key(table::CONTRADICTION, Digest::of(note).as_bytes());
                batch.put(evidence, Some(note.to_vec()))?;
            }
        }
        if any {
            self.over_time.patience = PROVE_FIRST;
            batch.put(receipts::cosigned_head_key(batch, &party), Some(note.to_vec()))?;
        }
        // More are left than one frame asks for: go on soon.
        let left = |head: &Unwitnessed| head.party == party && head.size <= cosigned.size;
        if any && self.over_time.heads.values().any(left) {
            self.over_time.prove = Some(batch.now().steady.plus(Span::from_s(1)));
        }
        Ok(())
    }

    fn witnessed(&mut self, head: &Unwitnessed, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        self.over_time.heads.remove(&(head.party.clone(), head.origin.epoch(), head.size));
        batch.put(receipts::unwitnessed_key(batch, &head.origin, head.size), None)
    }

    fn look_for_losses(&mut self, gate: &Gate, now: Steady) {
        for (party, opened) in gate.reopened() {
            let epoch = opened.first.origin.epoch();
            if *party == self.identity.party || self.over_time.epochs.get(party) == Some(&epoch) {
                continue;
            }
            self.over_time.epochs.insert(party.clone(), epoch);
            let mut left = VecDeque::from(opened.before());
            let Some((epoch, next)) = left.pop_front() else { continue };
            self.over_time.returns.insert(party.clone(), Return { epoch, next, left, again: now, exchange: None });
        }
    }

    /// Submits the next receipts that a member lost, if there are any left.
    fn give_back(
        &mut self,
        party: &PartyId,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let now = batch.now();
        let Some(back) = self.over_time.returns.get_mut(party) else { return Ok(()) };
        let found = receipts::from(batch, party, back.epoch, back.next, limits::RECEIPTS_PER_QUESTION_MAX)?;
        let Some((last, _kept)) = found.last() else {
            match back.left.pop_front() {
                Some((epoch, next)) => (back.epoch, back.next, back.again) = (epoch, next, now.steady),
                None => drop(self.over_time.returns.remove(party)),
            }
            return Ok(());
        };
        let last = *last;
        let lost: Vec<_> = found.into_iter().filter(|(_leaf, kept)| !kept.is_resubmitted).collect();
        if lost.is_empty() {
            back.next = last.saturating_add(1);
            back.again = now.steady;
            return Ok(());
        }
        let mut list: Vec<ByteVec> = Vec::new();
        let mut bytes: usize = 0;
        for (_leaf, kept) in &lost {
            let receipt = receipts::read(batch, kept)?;
            bytes = bytes.saturating_add(receipt.len());
            // The member chose how long they are; what is left goes with the next question.
            if bytes > limits::RECEIPTS_BYTES_MAX && !list.is_empty() {
                break;
            }
            list.push(receipt.into());
        }
        back.again = now.steady.plus(RESUBMIT_AGAIN);
        out.act(Action::Alarm("a member lost receipts of ours and began a new epoch; they are submitted again"));
        // What a machine asks of its own accord is asked by nobody of the staff.
        let caller = Caller {
            ask: AskId::NOBODY,
            staff: Staff { id: String::new(), job: Job::System, proof: None },
            purpose: Purpose::Audit,
            ends: Some(now.steady.plus(limits::ASK_LIMIT)),
        };
        let exchange = self.launch(caller, party, Question::Resubmit(list), gate, batch, out)?;
        if let Some(back) = self.over_time.returns.get_mut(party) {
            back.exchange = exchange;
        }
        Ok(())
    }

    /// A member holds these receipts now, or does not want them.
    pub(super) fn given_back(
        &mut self,
        party: &PartyId,
        list: &[ByteVec],
        is_held: bool,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(back) = self.over_time.returns.get_mut(party) else { return Ok(()) };
        back.exchange = None;
        if !is_held {
            self.over_time.returns.remove(party);
            out.act(Action::Alarm("a member did not take receipts that it had lost"));
            return Ok(());
        }
        back.again = batch.now().steady;
        for receipt in list {
            if let Some((evidence, (_signed, claimed))) = receipts::read_receipt(receipt) {
                receipts::mark_resubmitted(batch, party, claimed.origin.epoch(), evidence.index)?;
                back.next = back.next.max(evidence.index.saturating_add(1));
            }
        }
        Ok(())
    }
}

/// A head of the open epoch of a member, signed by its log key and cosigned by a quorum of its witnesses.
fn cosigned_head(party: &PartyId, note: &[u8], gate: &Gate, primitives: &dyn Primitives) -> Option<Checkpoint> {
    let member = gate.roster().member(party)?;
    let signed = SignedCheckpoint::parse(note).ok()?;
    let origin = gate.origin(member);
    let head = member.log.iter().find_map(|log| signed.verify(primitives, &origin, log.as_bytes()).ok())?;
    let is_enough = cosignature::count(primitives, &signed, &gate.witnesses(party)) >= gate.quorum(party);
    is_enough.then_some(head)
}
