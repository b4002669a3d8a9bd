//! The pseudonymiser (仮名化): evaluates hidden points under its key, so that a handle becomes a pseudonym
//! without anybody here seeing either. It knows who asked how often, and spends their budget.

use crate::batch::Batch;
use crate::cbor;
use crate::date::Date;
use crate::digest::Digest;
use crate::duty::{self, Desk, Finding, Moment};
use crate::gate::Gate;
use crate::id::party::{PartyId, PartyKind};
use crate::ledger::origin::Origin;
use crate::machine::{Action, Evaluation, Event, Machine, Outbox, Route, Work};
use crate::message::{Outcome, Question};
use crate::primitives::Secret;
use crate::refusal::Refusal;
use crate::store::{Key, StoreError};
use crate::table;
use crate::time::{Steady, Timestamp};
use crate::vault::Label;
use crate::verify::Verified;

/// The machine.
#[derive(Debug)]
pub struct Pseudonymiser {
    desk: Desk,
    key: Secret,
    daily_max: u64,
}

/// The one key version.
const KEY_VERSION: u32 = 1;
/// How many points an insurer may have evaluated in a day, which registers all its persons.
const INSURER_DAILY_MAX: u64 = 2_000_000;

impl Pseudonymiser {
    /// A pseudonymiser; each office or hospital may have `daily_max` points evaluated in a day.
    pub const fn new(desk: Desk, key: Secret, daily_max: u64) -> Self {
        Self { desk, key, daily_max }
    }

    /// Evaluation is work for a worker: it is handed out first and decided when it comes back.
    fn evaluate(&self, verified: Box<Verified>, route: Route, out: &mut Outbox) {
        let seat = self.desk.seat;
        match verified.request().question.clone() {
            Question::Evaluate(points) if points.version == KEY_VERSION => {
                let work = Work::Evaluate(verified, route, points, self.key.clone());
                out.act(Action::Work(seat, Box::new(work)));
            }
            _ => out.act(Action::Work(seat, Box::new(Work::Decline(verified, route)))),
        }
    }

    fn find(
        &self,
        verified: &Verified,
        evaluated: Option<&Evaluation>,
        moment: Moment,
        batch: &mut Batch<'_>,
    ) -> Result<Finding, StoreError> {
        let refused = |refusal| Ok(Finding::refused(refusal, Label::GENERAL, Vec::new()));
        let Question::Evaluate(points) = &verified.request().question else { return refused(Refusal::NotOurs) };
        let Some((evaluated, proof)) = evaluated else { return refused(Refusal::NotAcceptable) };
        let party = verified.standing().party();
        // A repeat is answered as of its first instant, and its points are spent already.
        if moment.leaf.is_none() && !self.spend(party, points.points.len(), moment.at, batch)? {
            return refused(Refusal::OverBudget);
        }
        let evaluated = evaluated.iter().map(|point| minicbor::bytes::ByteArray::from(*point)).collect();
        Ok(Finding::plain(Outcome::Evaluated(evaluated, minicbor::bytes::ByteArray::from(*proof))))
    }

    /// Takes `points` off the party's budget of the day; false if they are not there.
    fn spend(&self, party: &PartyId, points: usize, at: Timestamp, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let key = budget_key(party, at, batch);
        let spent: u64 = match batch.get(&key)? {
            Some(bytes) => cbor::decode(&bytes).map_err(|_error| StoreError::Unreadable("budgets"))?,
            None => 0,
        };
        let after = spent.saturating_add(u64::try_from(points).unwrap_or(u64::MAX));
        let daily_max = if party.kind() == PartyKind::Insurer { INSURER_DAILY_MAX } else { self.daily_max };
        if after > daily_max {
            return Ok(false);
        }
        batch.put(key, Some(cbor::encode(&after)))?;
        Ok(true)
    }
}

impl Machine for Pseudonymiser {
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        match event {
            Event::Request(verified, route) => {
                self.evaluate(verified, route, out);
                Ok(())
            }
            Event::Evaluated(verified, route, evaluated) => {
                let mut find = |verified: &Verified, moment: Moment, batch: &mut Batch<'_>, _out: &mut Outbox| {
                    self.find(verified, evaluated.as_deref(), moment, batch)
                };
                duty::answer(&self.desk, &verified, route, gate, batch, out, &mut find)
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<(Steady, &'static str)> {
        None
    }

    fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>) {
        self.desk.stand(origin, quorum_at);
    }
}

fn budget_key(party: &PartyId, at: Timestamp, batch: &Batch<'_>) -> Key {
    let mut rest = Digest::of(party.to_string().as_bytes()).as_bytes().to_vec();
    rest.extend(cbor::encode(&Date::from_timestamp_japan(at)));
    batch.key(table::BUDGET, &rest)
}
