//! What becomes of a believed answer: the own leaf, the receipt, the head that was verified, and what the ask does next.
//! Checks nothing itself: what comes here was accepted.

use std::sync::Arc;

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::binding::Binding;
use crate::code::field_group::FieldGroups;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::key::KeyUse;
use crate::ledger::checkpoint::CheckpointError;
use crate::ledger::leaf::LeafKind;
use crate::ledger::proof::EvidenceError;
use crate::machine::{
    Accepted, Action, AnswerError, Answered, AskId, Count, Ending, Failure, KnownNote, Outbox, Pending, Unblinding,
    Work,
};
use crate::message::{Outcome, Question, Request};
use crate::pseudonym::{self};
use crate::receipts;
use crate::record::paper;
use crate::store::StoreError;
use crate::vault::Label;

use super::{LOST_AGAIN, Requester, head_key, tell};

impl Requester {
    /// Writes our own leaf about a believed answer and goes on.
    pub(super) fn answered(
        &mut self,
        exchange: ExchangeId,
        accepted: Accepted,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.exchanges.remove(&exchange) else { return Ok(()) };
        let Some(sent) = open.sent else { return Ok(()) };
        self.forget_row(&exchange, batch)?;
        self.remember_head(&open.to, &accepted.note, batch)?;
        let own_leaf = self.enter_own(&open.request, &sent.pending, &accepted, gate, batch)?;
        let head = &accepted.note.checkpoint;
        receipts::keep(batch, &head.origin, accepted.leaf, &accepted.evidence, own_leaf)?;
        self.note_unwitnessed(head, gate, batch)?;
        let is_unwitnessed = self.is_unwitnessed(head);
        match (open.question, accepted.body.outcome) {
            (Question::Evaluate(_), Outcome::Evaluated(points, proof)) => {
                self.uncover(open.ask, &open.to, &points, &proof, gate, out);
                Ok(())
            }
            (Question::LookUp(_), Outcome::Entries(entries)) => {
                let Some(ask) = self.asks.get_mut(&open.ask) else { return Ok(()) };
                let found = ask.pseudonym.as_ref().map(|pseudonym| Binding::open_all(pseudonym, &entries));
                let Some(home) = found.and_then(|found| found.into_iter().next()) else {
                    self.fail(open.ask, Failure::NoHome, out);
                    return Ok(());
                };
                let handle = Digest::of(ask.ask.person.expose().as_bytes());
                self.homes.insert(handle, (home.insurer, batch.now().steady));
                self.read_from(open.ask, &home.insurer, gate, batch, out)
            }
            (Question::Resubmit(list), outcome) => {
                let is_held = matches!(outcome, Outcome::Held(_));
                self.given_back(&open.to, &list, is_held, batch, out)
            }
            (_question, outcome) => {
                let answered = Answered {
                    exchange,
                    request: sent.pending.request,
                    body: accepted.body_bytes,
                    outcome,
                    responder: open.to,
                    evidence: accepted.evidence,
                    leaf: accepted.leaf,
                    own_leaf,
                    is_unwitnessed,
                };
                if self.asks.remove(&open.ask).is_some() {
                    out.count(Count::AskAnswered);
                    tell(out, open.ask, Ending::Answered(Box::new(answered)));
                }
                Ok(())
            }
        }
    }

    fn remember_head(&mut self, to: &PartyId, note: &Arc<KnownNote>, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let is_newer = self.heads.get(to).is_none_or(|known| {
            known.checkpoint.origin != note.checkpoint.origin || known.checkpoint.size < note.checkpoint.size
        });
        if is_newer {
            self.heads.insert(to.clone(), Arc::clone(note));
            batch.put(head_key(batch.seat(), to), Some(note.bytes.clone()))?;
        }
        Ok(())
    }

    /// Our own leaf names the answer and the checkpoint it was proven under, so that every ledger is anchored
    /// in many.
    fn enter_own(
        &self,
        request: &Request,
        pending: &Pending,
        accepted: &Accepted,
        gate: &Gate,
        batch: &mut Batch<'_>,
    ) -> Result<u64, StoreError> {
        let (person, kinds) = match &request.question {
            Question::Read(reading) => (Some(&reading.person), reading.kinds.clone()),
            Question::History(person) => (Some(person), Vec::new()),
            // Whoever is erased leaves no trace in the chain of anybody.
            Question::Erase(_) => (None, Vec::new()),
            Question::Submit(submission) => (Some(&submission.person), paper::kinds(&submission.papers)),
            Question::LookUp(_) | Question::Evaluate(_) | Question::Register(_) | Question::Resubmit(_) => {
                (None, Vec::new())
            }
        };
        let label = person.map_or(Label::GENERAL, |person| access_log::label(&self.identity.label, person));
        let checkpoint = &accepted.note.checkpoint;
        let decision = Decision {
            refusal: None,
            party: pending.responder.clone(),
            signing_key: self.identity.signing_public.id(KeyUse::Signing),
            staff: request.staff.id.clone(),
            job: request.staff.job,
            purpose: request.purpose,
            kinds,
            policy: accepted.body.policy,
            roster: gate.roster().version,
            list: 0,
            emergency: false,
            versions: Vec::new(),
            groups: FieldGroups::EMPTY,
            reasons: vec![format!("{} {} {}", checkpoint.origin, checkpoint.size, checkpoint.root)],
            act: request.question.act(),
        };
        let answer = Digest::of(&accepted.body_bytes);
        let (entry, _salts) = access_log::enter(batch, LeafKind::Asked, label, pending.request, answer, decision)?;
        Ok(entry.index())
    }

    fn uncover(
        &mut self,
        id: AskId,
        evaluator: &PartyId,
        points: &[minicbor::bytes::ByteArray<32>],
        proof: &minicbor::bytes::ByteArray<64>,
        gate: &Gate,
        out: &mut Outbox,
    ) {
        let public = gate.roster().member(evaluator).and_then(|member| member.oblivious);
        let Some(open) = self.asks.get_mut(&id) else { return };
        let (Some(public), Some(blinds), Some(point)) = (public, open.hidden.remove(evaluator), points.first()) else {
            self.fail(id, Failure::NotBelieved(AnswerError::Evaluation), out);
            return;
        };
        let input = pseudonym::input(&open.ask.person);
        let evaluator = evaluator.clone();
        let unblinding = Unblinding { evaluator, public, input, blinds, evaluated: **point, proof: **proof };
        out.act(Action::Work(self.identity.seat, Box::new(Work::Unblind(id, Box::new(unblinding)))));
    }

    /// Our roster is newer than the one we asked under, and no longer names the log key: the member hears of
    /// the newer one meanwhile and signs the same leaf with its new key. Once for each roster.
    pub(super) fn asks_again(
        &mut self,
        exchange: ExchangeId,
        error: AnswerError,
        gate: &Gate,
        batch: &Batch<'_>,
    ) -> bool {
        let unsigned = AnswerError::Receipt(EvidenceError::Checkpoint(CheckpointError::Unsigned));
        let version = gate.roster().version;
        let Some(open) = self.exchanges.get_mut(&exchange).filter(|_open| error == unsigned) else { return false };
        if version <= open.request.roster || open.unsigned == Some(version) {
            return false;
        }
        open.unsigned = Some(version);
        let again = batch.now().steady.plus(LOST_AGAIN);
        open.again = again;
        self.expect(again);
        true
    }
}
