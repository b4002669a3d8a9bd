//! What came of a play (上演の結果): its verdicts, its goals and the course of every question. Decides nothing; the guarantees
//! did.

use std::collections::BTreeMap;

use protocol::digest::Digest;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::machine::Failure;
use protocol::time::Span;

use crate::adversary::Fork;
use crate::guarantee::{self, Asked, Kept, Verdict};
use crate::oracle::Expected;
use crate::scenario::{Goal, Ill, Whom};
use crate::storm::Injected;

/// What came of a play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Over everything that was sent and told, in order.
    pub digest: Digest,
    /// Simulated time.
    pub passed: Span,
    /// Turns of hosts and pieces of work.
    pub events: u64,
    /// Questions begun.
    pub questions: u64,
    /// Questions whose asker got an answer or a refusal with a receipt.
    pub answered: u64,
    /// Faults injected.
    pub injected: Injected,
    /// Every guarantee.
    pub guarantees: Vec<Verdict>,
    /// Every goal, and whether it was reached.
    pub sometimes: Vec<(Goal, bool)>,
    /// The course of every question.
    pub courses: Vec<Course>,
    /// What lasted for a while, in the order in which it began.
    pub bands: Vec<Band>,
    /// Other histories that were shown to a witness.
    pub forks: Vec<Fork>,
    /// Every ledger at the end: whose, of which epoch, how many leaves, under which root.
    pub ledgers: Vec<(PartyId, u32, u64, Digest)>,
    /// What each organisation keeps at the end.
    pub kept: BTreeMap<PartyId, Kept>,
}

/// The course of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Who asked.
    pub asker: PartyId,
    /// The insurer it was about somebody of.
    pub insurer: InsurerNumber,
    /// When it was asked, since the founding.
    pub asked_at: Span,
    /// When its asker was told, since the founding.
    pub ended_at: Option<Span>,
    /// What came of it.
    pub end: End,
    /// Whether a fault was injected, or lasted, meanwhile.
    pub met_fault: bool,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A record was shown, all or a part of it, kept or erased.
    Shown,
    /// It was refused, or not kept.
    Refused,
    /// It was put off undecided.
    PutOff,
    /// Nobody answered.
    Failed,
    /// Nobody is left who could be told.
    Orphaned,
}

/// Something that lasted for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// What.
    pub what: Ill,
    /// Whom.
    pub whom: Whom,
    /// From when on, since the founding.
    pub from: Span,
    /// Until when; none if it lasts.
    pub until: Option<Span>,
}

impl Played {
    /// Whether every guarantee held and every goal was reached.
    pub fn is_good(&self) -> bool {
        self.guarantees.iter().all(|verdict| verdict.violations.is_empty())
            && self.sometimes.iter().all(|(_goal, reached)| *reached)
    }
}

impl Course {
    /// As the evidence has it.
    pub fn of(asked: &Asked) -> Self {
        let end = match (&asked.end, asked.outcome()) {
            (Some(guarantee::End::Answered(_)), Some(Expected::Refused | Expected::NotKept)) => End::Refused,
            (Some(guarantee::End::Answered(_)), Some(Expected::Shown { .. } | Expected::Kept | Expected::Erased)) => {
                End::Shown
            }
            (Some(guarantee::End::Answered(_)), None) => End::PutOff,
            (Some(guarantee::End::Failed(Failure::NotReady(_))), _) => End::PutOff,
            (Some(guarantee::End::Failed(_)), _) => End::Failed,
            (None, _) => End::Orphaned,
        };
        Self {
            asker: asked.query.asker.clone(),
            insurer: asked.query.person.insurer(),
            asked_at: asked.asked_at,
            ended_at: asked.ended_at,
            end,
            met_fault: asked.met_fault,
        }
    }
}
