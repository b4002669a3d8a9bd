//! The municipality (保険者): decides who may read which records of its insured persons, and keeps them.
//!
//! The relationship is the first fact read; without one neither the person nor a record is touched, so
//! that unknown, unrelated and protected persons are one code path. Knows nothing of other insurers.

mod contradiction;
pub mod erasure;
pub mod file;
pub mod import;
pub mod submission;

use crate::access_log::{self, proof};
use crate::batch::Batch;
use crate::cbor;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::duty::{self, Desk, Finding, Moment, Shown};
use crate::exchange;
use crate::fact::vector::{ConsentState, Facts, ProtectionState, ServiceClass};
use crate::fact::{Nature, Relationship};
use crate::feed::Feed;
use crate::gate::Gate;
use crate::id::handle::Handle;
use crate::id::insurer::InsurerNumber;
use crate::ledger::origin::Origin;
use crate::limits;
use crate::machine::{Action, Count, Event, Examined, Machine, Outbox, Work};
use crate::message::{Access, Outcome, Question, Reading, Staff};
use crate::policy;
use crate::policy::judge::Judge;
use crate::policy::ruling::Denial;
use crate::primitives::Secret;
use crate::record::timeline::AsOf;
use crate::refusal::Refusal;
use crate::store::{Key, StoreError};
use crate::time::{Span, Steady, Timestamp};
use crate::vault::Label;
use crate::verify::Verified;
use crate::wall::Reliance;
use file::File;

/// The machine.
#[derive(Debug)]
pub struct Municipality {
    desk: Desk,
    /// The numbers on its insured persons' cards, as the roster says.
    insurers: Vec<InsurerNumber>,
    label: Secret,
    judge: Judge,
    prune: Steady,
    /// Where the look at what is over goes on.
    retained: Option<Key>,
}

/// How often old exchanges are forgotten, and how many at once.
const PRUNE_EVERY: Span = Span::from_s(60);
/// See [`PRUNE_EVERY`].
const PRUNE_ROWS_MAX: usize = 1000;

impl Municipality {
    /// The machine of an insurer that knows persons by `label` and decides by `judge`.
    pub fn new(desk: Desk, label: Secret, judge: Judge, now: Steady) -> Self {
        Self { desk, insurers: Vec::new(), label, judge, prune: now.plus(PRUNE_EVERY), retained: None }
    }

    /// Takes whose insurer it is from the roster: mergers and unions of municipalities change it.
    fn follow(&mut self, gate: &Gate) {
        let member = gate.roster().member(&self.desk.party);
        let insurers = member.map(|member| member.insurers.as_slice()).unwrap_or_default();
        if self.insurers != insurers {
            self.insurers = insurers.to_vec();
        }
    }

    fn find(
        &mut self,
        verified: &Verified,
        examined: Option<&Examined>,
        moment: Moment,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Finding, StoreError> {
        match &verified.request().question {
            Question::Read(reading) => self.find_records(verified, reading, moment.at, batch, out),
            Question::History(person) => self.find_history(verified, person, moment, batch),
            Question::Submit(submission) => match examined {
                Some(examined) => self.find_submission(verified, (submission, examined), moment, batch, out),
                None => Ok(Finding::refused(Refusal::NotAcceptable, Label::GENERAL, Vec::new())),
            },
            Question::Erase(erasure) => self.find_erasure(verified, erasure, moment, batch, out),
            Question::LookUp(_) | Question::Evaluate(_) | Question::Register(_) | Question::Resubmit(_) => {
                Ok(Finding::refused(Refusal::NotOurs, Label::GENERAL, Vec::new()))
            }
        }
    }

    fn find_records(
        &mut self,
        verified: &Verified,
        reading: &Reading,
        at: Timestamp,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Finding, StoreError> {
        let kinds = &reading.kinds;
        let Some(label) = self.label_of(&reading.person, batch)? else {
            return Ok(Finding::refused(Refusal::NotOurs, Label::GENERAL, kinds.clone()));
        };
        let refused = |refusal| Ok(Finding::refused(refusal, label, kinds.clone()));
        let today = Date::from_timestamp_japan(at);
        let ties = file::ties(batch, verified.standing().party(), label)?;
        let Some(first) = kinds.first() else { return refused(Refusal::NotPermitted) };
        let facts = self.facts(verified, &ties, *first, today);
        if facts.is_stranger() && !facts.is_break_glass() {
            return refused(Refusal::Unrelated);
        }
        let Some(file) = File::read(batch, label)? else { return refused(Refusal::Unrelated) };
        let as_of = AsOf {
            valid_on: reading.valid_on.unwrap_or(today),
            recorded_by: reading.known_at.map_or(at, |known_at| known_at.min(at)),
        };
        let mut shown = Shown::nothing(kinds.clone());
        let mut contents: Vec<minicbor::bytes::ByteVec> = Vec::new();
        let mut room = limits::RECORDS_BYTES_MAX;
        for (kind, after) in kinds.iter().zip((0..kinds.len()).rev()) {
            let facts = Self::facts_of(facts, &file, *kind, today);
            let before = self.judge.remembered();
            let authorised = policy::authorise(&mut self.judge, &facts, &file.person, *kind);
            let is_new = self.judge.remembered() == before;
            out.count(if is_new { Count::RulingMade } else { Count::RulingRemembered });
            let permit = match authorised {
                Ok(permit) => permit,
                Err(Denial::PolicyBroken) => {
                    out.act(Action::Alarm("a policy could not be evaluated"));
                    return refused(Refusal::PolicyBroken);
                }
                Err(Denial::Unrelated) => return refused(Refusal::Unrelated),
                Err(Denial::NotPermitted) => return refused(Refusal::NotPermitted),
            };
            let selected = file::read(
                &permit,
                label,
                (as_of, reading.versions),
                room.saturating_sub(after.saturating_mul(limits::KIND_BYTES)),
                batch,
            )?;
            room = room.saturating_sub(selected.bytes.len());
            shown.groups = shown.groups.union(permit.groups());
            shown.reasons.extend(permit.reasons().iter().cloned());
            shown.versions.extend(selected.records.iter().map(|record| *record.as_bytes()));
            contents.push(selected.bytes.into());
        }
        shown.reasons.sort();
        shown.reasons.dedup();
        shown.emergency = facts.is_break_glass();
        Ok(Finding { result: Ok(Outcome::Records(contents)), label, shown })
    }

    /// The person themself and their insurer's officers see who looked.
    fn find_history(
        &self,
        verified: &Verified,
        person: &Handle,
        moment: Moment,
        batch: &Batch<'_>,
    ) -> Result<Finding, StoreError> {
        let Some(label) = self.label_of(person, batch)? else {
            return Ok(Finding::refused(Refusal::NotOurs, Label::GENERAL, Vec::new()));
        };
        let today = Date::from_timestamp_japan(moment.at);
        let facts = self.facts(verified, &[], RecordKind::InsuranceCard, today);
        if !(facts.is_officer() || facts.by_self) {
            return Ok(Finding::refused(Refusal::Unrelated, label, Vec::new()));
        }
        // Only what came before: the first answer's own leaf is not part of a repeat of it.
        let steps = access_log::history(batch, label, limits::HISTORY_STEPS_MAX, |leaf| moment.knows(leaf))?;
        let proof = proof::prove(batch, label, &steps, |leaf| moment.knows(leaf))?;
        let accesses = steps.into_iter().map(|(leaf, detail)| Access {
            at: detail.at,
            party: detail.decision.party,
            staff: Staff { id: detail.decision.staff, job: detail.decision.job, proof: None },
            purpose: detail.decision.purpose,
            kinds: detail.decision.kinds,
            refused: detail.decision.refusal.is_some(),
            leaf,
            act: detail.decision.act,
        });
        let shown = Shown { groups: FieldGroups::EMPTY, ..Shown::nothing(Vec::new()) };
        let proof = Some(cbor::encode(&proof).into());
        Ok(Finding { result: Ok(Outcome::History(accesses.collect(), proof)), label, shown })
    }

    /// What is known before anything of the person is read.
    fn facts(&self, verified: &Verified, ties: &[Relationship], kind: RecordKind, today: Date) -> Facts {
        let request = verified.request();
        let standing = verified.standing();
        let relationship = Nature::in_force(ties, standing.party(), today);
        let own_insurer = *standing.party() == self.desk.party;
        Facts {
            role: standing.party().kind(),
            own_insurer,
            service: ServiceClass::of(standing.services(), relationship),
            job: request.staff.job,
            purpose: request.purpose,
            kind,
            relationship,
            consent: ConsentState::Absent,
            protection: ProtectionState::None,
            // An assertion is carried but not checked yet, so nobody counts as proven.
            staff_proven: false,
            disaster: false,
            by_self: own_insurer && request.staff.job == Job::InsuredPerson,
        }
    }

    /// The same with what the person's file says.
    fn facts_of(facts: Facts, file: &File, kind: RecordKind, today: Date) -> Facts {
        let consent = ConsentState::on(&file.consents, kind, today);
        Facts { consent, protection: ProtectionState::on(&file.protections, today), ..facts }
    }

    /// The label of a person of ours; `None` for a card of another insurer.
    fn label_of(&self, person: &Handle, batch: &Batch<'_>) -> Result<Option<Label>, StoreError> {
        let label = access_log::label(&self.label, person);
        match person {
            Handle::Care(id) => Ok(self.insurers.contains(&id.insurer()).then_some(label)),
            Handle::Medical(_) => Ok(Some(file::by_medical(batch, label)?.unwrap_or(label))),
        }
    }
}

impl Machine for Municipality {
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        self.follow(gate);
        match event {
            Event::Request(verified, route) if matches!(verified.request().question, Question::Submit(_)) => {
                // Signatures and forms are work for a worker.
                let work = Work::Examine(verified, route, gate.network());
                out.act(Action::Work(self.desk.seat, Box::new(work)));
                Ok(())
            }
            Event::Examined(verified, route, examined) => {
                let desk = self.desk.clone();
                let mut find = |verified: &Verified, moment, batch: &mut Batch<'_>, out: &mut Outbox| {
                    self.find(verified, Some(&examined), moment, batch, out)
                };
                duty::answer(&desk, &verified, route, gate, batch, out, &mut find)
            }
            Event::Request(verified, route) => {
                let desk = self.desk.clone();
                let mut find = |verified: &Verified, moment, batch: &mut Batch<'_>, out: &mut Outbox| {
                    self.find(verified, None, moment, batch, out)
                };
                duty::answer(&desk, &verified, route, gate, batch, out, &mut find)
            }
            Event::Import(id, bytes) => {
                let feed = Feed { bytes, author: self.desk.party.clone(), insurers: self.insurers.clone() };
                out.act(Action::Work(self.desk.seat, Box::new(Work::ReadFeed(id, Box::new(feed)))));
                Ok(())
            }
            Event::Fed(id, fed) => {
                let result = import::import(&self.desk, &self.label, *fed, batch)?;
                out.act(Action::Imported(id, result));
                Ok(())
            }
            Event::Deadline => {
                if batch.now().steady >= self.prune {
                    // What a wrong clock takes for old is not, and what is forgotten cannot be asked again.
                    if batch.reliance() == Reliance::Sound {
                        exchange::prune(batch, PRUNE_ROWS_MAX)?;
                        self.retained = erasure::retain(&self.desk, self.retained.take(), batch)?;
                    }
                    self.prune = batch.now().steady.plus(PRUNE_EVERY);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<(Steady, &'static str)> {
        Some((self.prune, "old exchanges are forgotten"))
    }

    fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>) {
        self.desk.stand(origin, quorum_at);
    }
}
