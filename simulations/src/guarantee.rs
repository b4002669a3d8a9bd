//! The guarantees (保証): one function each, named as the sentence it proves, over all that was seen of a run. Each says
//! how often it was evaluated, for what was never tried proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::code::field_group::FieldGroup;
use protocol::digest::Digest;
use protocol::id::party::PartyId;
use protocol::ledger::leaf::{Leaf, LeafKind};
use protocol::machine::{Answered, Ending};
use protocol::message::Outcome;
use protocol::record::disclosure::Content;
use protocol::refusal::Told;

use crate::oracle::Expected;
use crate::society::Query;

/// All that was seen of a run.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every question, in order.
    pub asked: Vec<Asked>,
    /// The leaves of every ledger at the end.
    pub ledgers: BTreeMap<PartyId, Vec<Leaf>>,
    /// Every request that was answered, as the ledger of whoever answered has it: who, which request, which leaf.
    pub answered: Vec<(PartyId, Digest, u64)>,
    /// Every head that was seen signed: size and root.
    pub heads: Vec<(PartyId, u64, Digest)>,
    /// Every restart after a loss of power, and why it failed if it did.
    pub restarts: Vec<(PartyId, Option<String>)>,
    /// Frames that passed.
    pub frames: u64,
    /// Frames in which a number of somebody's card could be read, each with who sent it.
    pub readable: Vec<PartyId>,
}

/// A question, how it had to end, and how it ended.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub query: Query,
    /// What the oracle foretold.
    pub expected: Expected,
    /// Its end.
    pub ending: Option<Ending>,
    /// Whether the asker's own host died under it: nobody is left who could be told.
    pub is_orphaned: bool,
    /// Whether it was asked after the storm.
    pub in_calm: bool,
}

/// What came of a guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its name: the sentence.
    pub name: &'static str,
    /// How often it was looked at.
    pub evaluated: u64,
    /// Each case in which it did not hold.
    pub violations: Vec<String>,
}

/// Every guarantee.
pub const ALL: [fn(&Evidence) -> Verdict; 9] = [
    every_outcome_is_the_one_foretold,
    every_question_ends,
    after_the_storm_every_question_is_answered,
    every_answer_stands_in_both_ledgers,
    no_two_answers_share_a_leaf,
    no_request_is_answered_under_two_leaves,
    every_signed_head_is_a_beginning_of_the_ledger,
    whoever_lost_power_starts_again,
    no_frame_shows_whom_it_is_about,
];

impl Asked {
    /// The answer, if there is one.
    pub fn answer(&self) -> Option<&Answered> {
        match &self.ending {
            Some(Ending::Answered(answered)) => Some(answered),
            Some(Ending::Failed(_)) | None => None,
        }
    }

    /// The answer, if it decides: whoever is told to come later, by a fault over there or by a clock, was told nothing
    /// of what may be seen.
    pub fn decision(&self) -> Option<&Answered> {
        let is_put_off =
            |told: &Told| matches!(told, Told::NotFresh | Told::Fault | Told::OverBudget | Told::Unwitnessed);
        let is_decided =
            |answered: &&Answered| !matches!(&answered.outcome, Outcome::Refused(told) if is_put_off(told));
        self.answer().filter(is_decided)
    }

    /// What of the record was shown, as the oracle would say it; none if something else came.
    pub fn outcome(&self) -> Option<Expected> {
        match &self.answer()?.outcome {
            Outcome::Refused(Told::NotPermitted) => Some(Expected::Refused),
            Outcome::Records(contents) => {
                let content = contents.first().filter(|_content| contents.len() == 1)?;
                let shown = Content::decode(content).ok().filter(|content| content.kind() == self.query.kind)?.shown();
                let places = [FieldGroup::Contact, FieldGroup::Place].map(|group| shown.contains(group));
                (shown.contains(FieldGroup::Card) && places.iter().all(|place| *place == places.contains(&true))).then(
                    || Expected::Shown {
                        content: shown.contains(FieldGroup::Content),
                        narrative: shown.contains(FieldGroup::Narrative),
                        places: places.contains(&true),
                    },
                )
            }
            _ => None,
        }
    }
}

fn every_outcome_is_the_one_foretold(evidence: &Evidence) -> Verdict {
    let answers = evidence.asked.iter().filter(|asked| asked.decision().is_some());
    judge("every_outcome_is_the_one_foretold", answers, |asked| {
        (asked.outcome() != Some(asked.expected)).then(|| {
            format!(
                "{} as {:?} about {:?}: foretold {:?}, came {:?}",
                asked.query.asker,
                asked.query.asking,
                asked.query.kind,
                asked.expected,
                asked.outcome()
            )
        })
    })
}

fn every_question_ends(evidence: &Evidence) -> Verdict {
    let asked = evidence.asked.iter().filter(|asked| !asked.is_orphaned);
    judge("every_question_ends", asked, |asked| {
        asked.ending.is_none().then(|| format!("{} about {:?} was told nothing", asked.query.asker, asked.query.kind))
    })
}

fn after_the_storm_every_question_is_answered(evidence: &Evidence) -> Verdict {
    let asked = evidence.asked.iter().filter(|asked| asked.in_calm);
    judge("after_the_storm_every_question_is_answered", asked, |asked| {
        asked.decision().is_none().then(|| format!("{} was told {:?}", asked.query.asker, asked.ending))
    })
}

fn every_answer_stands_in_both_ledgers(evidence: &Evidence) -> Verdict {
    let answers = evidence.asked.iter().filter_map(|asked| Some((&asked.query.asker, asked.answer()?)));
    judge("every_answer_stands_in_both_ledgers", answers, |(asker, answer)| {
        let kind_at = |party: &PartyId, at: u64| {
            let leaves = evidence.ledgers.get(party)?;
            leaves.get(usize::try_from(at).ok()?).map(Leaf::kind)
        };
        let found = (kind_at(&answer.responder, answer.leaf), kind_at(asker, answer.own_leaf));
        (found != (Some(LeafKind::Exchange), Some(LeafKind::Asked))).then(|| {
            format!("leaf {} of {} and {} of {asker}: {found:?}", answer.leaf, answer.responder, answer.own_leaf)
        })
    })
}

fn no_two_answers_share_a_leaf(evidence: &Evidence) -> Verdict {
    let mut seen = BTreeSet::new();
    let answers = evidence.asked.iter().filter_map(Asked::answer);
    judge("no_two_answers_share_a_leaf", answers, |answer| {
        (!seen.insert((answer.responder.clone(), answer.leaf)))
            .then(|| format!("leaf {} of {} twice", answer.leaf, answer.responder))
    })
}

fn no_request_is_answered_under_two_leaves(evidence: &Evidence) -> Verdict {
    let mut first = BTreeMap::new();
    judge("no_request_is_answered_under_two_leaves", evidence.answered.iter(), |(party, request, leaf)| {
        let earlier = first.insert((party, request), leaf)?;
        Some(format!("{party} answered one request under its leaves {earlier} and {leaf}"))
    })
}

fn every_signed_head_is_a_beginning_of_the_ledger(evidence: &Evidence) -> Verdict {
    judge("every_signed_head_is_a_beginning_of_the_ledger", evidence.heads.iter(), |(party, size, root)| {
        let leaves = evidence.ledgers.get(party).map(Vec::as_slice).unwrap_or_default();
        let first = usize::try_from(*size).ok().and_then(|size| leaves.get(..size));
        let is_beginning = first.is_some_and(|first| root_of(first) == *root);
        (!is_beginning).then(|| format!("{party} once signed another ledger of {size} leaves"))
    })
}

fn whoever_lost_power_starts_again(evidence: &Evidence) -> Verdict {
    judge("whoever_lost_power_starts_again", evidence.restarts.iter(), |(party, failure)| {
        failure.as_ref().map(|failure| format!("{party}: {failure}"))
    })
}

fn no_frame_shows_whom_it_is_about(evidence: &Evidence) -> Verdict {
    Verdict {
        name: "no_frame_shows_whom_it_is_about",
        evaluated: evidence.frames,
        violations: evidence.readable.iter().map(|from| format!("a frame of {from} holds a card's number")).collect(),
    }
}

fn judge<T>(
    name: &'static str,
    cases: impl Iterator<Item = T>,
    mut against: impl FnMut(T) -> Option<String>,
) -> Verdict {
    let mut verdict = Verdict { name, evaluated: 0, violations: Vec::new() };
    for case in cases {
        verdict.evaluated = verdict.evaluated.saturating_add(1);
        verdict.violations.extend(against(case));
    }
    verdict
}

/// RFC 9162 §2.1.1, told plainly.
fn root_of(leaves: &[Leaf]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => leaf.hash(),
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            Digest::of_parts(&[&[1], root_of(left).as_bytes(), root_of(right).as_bytes()])
        }
    }
}
