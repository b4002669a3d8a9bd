//! The guarantees (保証): one function each, named as the sentence it proves, over all that was seen of a run. Each says
//! how often it was evaluated, for what was never tried proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::cbor;
use protocol::code::field_group::FieldGroup;
use protocol::code::record_kind::RecordKind;
use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::id::person::PersonId;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::leaf::{Leaf, LeafKind};
use protocol::ledger::origin::Origin;
use protocol::machine::{Answered, Ending, Failure};
use protocol::message::{Body, Outcome};
use protocol::record::disclosure::Content;
use protocol::record::slip::Slip;
use protocol::record::version::RecordId;
use protocol::refusal::Told;
use protocol::time::Span;

use crate::adversary::{Fork, Intrusion, Theft};
use crate::oracle::Expected;
use crate::society::Query;
use crate::world::fate::Edited;

/// All that was seen of a run.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every question, in order.
    pub asked: Vec<Asked>,
    /// The leaves of every ledger, epoch by epoch.
    pub ledgers: BTreeMap<(PartyId, u32), Ledger>,
    /// Every request that was answered, as the ledger of whoever answered has it.
    pub decided: Vec<Decided>,
    /// Every request that was sent over the wire, and by whom.
    pub requests: BTreeSet<(PartyId, Digest)>,
    /// Every head that was seen signed.
    pub heads: Vec<(PartyId, Checkpoint)>,
    /// Every other history that was shown to a witness.
    pub forks: Vec<Fork>,
    /// Every request that was sent under a stolen key.
    pub thefts: Vec<Theft>,
    /// Every credential beyond its issuer's limits that was shown.
    pub intrusions: Vec<Intrusion>,
    /// Every host that was started from an old backup.
    pub set_backs: Vec<SetBack>,
    /// Every changed file, and what became of whoever was started from it.
    pub edits: Vec<(PartyId, Edited)>,
    /// Every start of a host that had stopped, for whatever reason, and why it failed if it did.
    pub restarts: Vec<(PartyId, Option<String>)>,
    /// Frames that passed.
    pub frames: u64,
    /// Frames in which a number of somebody's card could be read, each with who sent it.
    pub readable: Vec<PartyId>,
    /// What each organisation keeps at the end.
    pub kept: BTreeMap<PartyId, Kept>,
    /// What insurers show at the end of what somebody wrote about.
    pub shelves: Vec<Shelf>,
    /// Everybody who was erased.
    pub forgotten: Vec<Forgotten>,
}

/// A person of whom everything was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Who.
    pub person: PersonId,
    /// By which insurer.
    pub insurer: PartyId,
    /// Whether it showed its own officer something of them at the end; none if it could not be asked.
    pub is_shown: Option<bool>,
}

/// Every version of one kind of record of a person, as their insurer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// Which insurer.
    pub insurer: PartyId,
    /// Of whom.
    pub person: PersonId,
    /// Which kind.
    pub kind: RecordKind,
    /// The versions.
    pub versions: Vec<ShownVersion>,
}

/// A version, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownVersion {
    /// The record.
    pub id: RecordId,
    /// Which of its versions.
    pub number: u32,
    /// Who is said to have written it.
    pub author: Option<PartyId>,
    /// Whether the author's signature holds; none if there is none.
    pub is_authors: Option<bool>,
}

/// An epoch of a ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    /// How many leaves its owner had written before, in all earlier epochs.
    pub begins: u64,
    /// Its leaves.
    pub leaves: Vec<Leaf>,
}

/// What an organisation keeps at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Rows; of a go-between also what stands behind its leaves.
    pub rows: u64,
    /// Those in which a number of somebody's card can be read.
    pub readable: u64,
}

/// A request as the ledger of whoever answered it has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Who answered.
    pub responder: PartyId,
    /// Who asked.
    pub asker: PartyId,
    /// SHA-256 of the request's envelope.
    pub request: Digest,
    /// The leaf.
    pub leaf: u64,
}

/// A host that was started from an old backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetBack {
    /// Whose.
    pub party: PartyId,
    /// What its ledger was in the backup.
    pub backup: Checkpoint,
    /// What it had been by the time it was lost.
    pub lost: Checkpoint,
    /// Where it stands since; nothing if it waits for its witnesses, and answers nobody.
    pub since: Option<Checkpoint>,
}

/// A question, how it had to end, and how it ended.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub query: Query,
    /// What the oracle foretold.
    pub expected: Expected,
    /// Which version of each record that the oracle knows of is in force as asked; none if it does not say.
    pub in_force: Option<BTreeMap<RecordId, Option<u32>>>,
    /// Its end.
    pub end: Option<End>,
    /// Whether the asker's own host died under it: nobody is left who could be told.
    pub is_orphaned: bool,
    /// When it was asked, since the founding.
    pub asked_at: Span,
    /// When it ended.
    pub ended_at: Option<Span>,
    /// How many faults had been injected when it was asked.
    pub faults_before: u64,
    /// Whether one was injected, or lasted, before it was seen to have ended.
    pub met_fault: bool,
    /// Whether it was asked after the storm.
    pub in_calm: bool,
    /// Whether the asker's credential was revoked when it asked.
    pub is_revoked: bool,
    /// Who flooded somebody in the minute before, if anybody did.
    pub flooder: Option<PartyId>,
    /// Whether nothing but floods had been injected, and nothing had lasted, by its end.
    pub is_undisturbed: bool,
}

/// How a question ended, as far as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer or a refusal, and a receipt.
    Answered(Answer),
    /// Without.
    Failed(Failure),
}

/// An answer, as far as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub responder: PartyId,
    /// The epoch of the ledger it stands in.
    pub epoch: u32,
    /// Its leaf there.
    pub leaf: u64,
    /// The asker's own leaf, counted through all epochs.
    pub own_leaf: u64,
    /// The refusal, if it is one.
    pub refused: Option<Told>,
    /// What of the record was shown, as the oracle would say it; none if something else came.
    pub outcome: Option<Expected>,
    /// Which versions of which records were shown.
    pub versions: Vec<(RecordId, u32)>,
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
pub const ALL: [fn(&Evidence) -> Verdict; 23] = [
    every_outcome_is_the_one_foretold,
    every_question_ends,
    after_the_storm_every_question_is_answered,
    every_answer_stands_in_both_ledgers,
    no_two_answers_share_a_leaf,
    no_request_is_answered_under_two_leaves,
    every_signed_head_is_a_beginning_of_the_ledger,
    whoever_stopped_starts_again,
    no_frame_shows_whom_it_is_about,
    whoever_is_answered_has_asked,
    whoever_is_revoked_is_told_nothing,
    whoever_has_only_a_key_is_told_nothing,
    no_issuer_vouches_beyond_its_limits,
    a_flood_harms_nobody_else,
    no_fork_is_cosigned,
    whoever_was_set_back_begins_a_new_epoch,
    no_changed_history_is_believed,
    no_go_between_keeps_whom_it_is_about,
    what_was_kept_is_shown_as_its_authors,
    what_was_not_kept_is_nowhere,
    what_was_erased_is_shown_to_nobody,
    nobody_is_told_of_whoever_was_erased,
    what_is_shown_was_in_force_as_asked,
];

impl Evidence {
    /// Every question with its number, from 1.
    fn numbered(&self) -> impl Iterator<Item = (usize, &Asked)> {
        (1..).zip(&self.asked)
    }
}

impl Evidence {
    /// Whether an insurer has all that it ever kept: it was not set back, and nobody changed its files.
    fn is_whole(&self, insurer: &PartyId) -> bool {
        let is_set_back = self.set_backs.iter().any(|set_back| set_back.party == *insurer);
        !is_set_back && !self.edits.iter().any(|(party, _edited)| party == insurer)
    }

    /// Whether what must come of a question is known: what was kept, or erased, before is known of those alone who still
    /// have all of it.
    fn is_known(&self, query: &Query) -> bool {
        let hangs =
            query.hangs_on_what_is_kept() || self.forgotten.iter().any(|forgotten| forgotten.person == query.person);
        !hangs || self.is_whole(&query.insurer())
    }
}

impl Ledger {
    /// The root of its tree.
    pub fn root(&self) -> Digest {
        root_of(&self.leaves)
    }
}

impl Asked {
    /// The answer, if there is one.
    pub const fn answer(&self) -> Option<&Answer> {
        match &self.end {
            Some(End::Answered(answer)) => Some(answer),
            Some(End::Failed(_)) | None => None,
        }
    }

    /// The answer, if it decides: whoever is told to come later, by a fault over there or by a clock, was told nothing
    /// of what may be seen; and a go-between that refuses, as a lying one can, decides nothing of it.
    pub fn decision(&self) -> Option<&Answer> {
        let is_put_off =
            |told: Told| matches!(told, Told::NotFresh | Told::Fault | Told::OverBudget | Told::Unwitnessed);
        let is_of_insurer = |answer: &Answer| answer.responder.kind() == PartyKind::Insurer;
        self.answer().filter(|answer| is_of_insurer(answer) && !answer.refused.is_some_and(is_put_off))
    }

    /// What the asker was told, in short.
    fn told(&self) -> String {
        match &self.end {
            Some(End::Answered(Answer { refused: Some(told), responder, .. })) => format!("{told:?} by {responder}"),
            Some(End::Answered(Answer { responder, .. })) => format!("something by {responder}"),
            Some(End::Failed(failure)) => failure.to_string(),
            None => "nothing".to_owned(),
        }
    }

    /// What of the record was shown, as the oracle would say it; none if something else came.
    pub fn outcome(&self) -> Option<Expected> {
        self.answer()?.outcome
    }
}

impl End {
    /// The end of a question about one kind of record.
    pub fn of(ending: Ending, kind: RecordKind) -> Self {
        match ending {
            Ending::Failed(failure) => Self::Failed(failure),
            Ending::Answered(answered) => Self::Answered(Answer {
                epoch: epoch_of(&answered).unwrap_or_default(),
                leaf: answered.leaf,
                own_leaf: answered.own_leaf,
                refused: match &answered.outcome {
                    Outcome::Refused(told) => Some(*told),
                    _ => None,
                },
                outcome: shown(&answered.outcome, kind),
                versions: versions(&answered.outcome),
                responder: answered.responder,
            }),
        }
    }
}

/// The epoch of the ledger an answer stands in.
fn epoch_of(answer: &Answered) -> Option<u32> {
    let body: Body = cbor::decode(&answer.body).ok()?;
    Origin::parse(&body.origin).map(|origin| origin.epoch())
}

fn shown(outcome: &Outcome, kind: RecordKind) -> Option<Expected> {
    match outcome {
        Outcome::Refused(Told::NotPermitted) => Some(Expected::Refused),
        Outcome::Kept(_) => Some(Expected::Kept),
        Outcome::NotKept(_) => Some(Expected::NotKept),
        Outcome::Erased(_) => Some(Expected::Erased),
        Outcome::Records(contents) => {
            let content = contents.first().filter(|_content| contents.len() == 1)?;
            let shown = Content::decode(content).ok().filter(|content| content.kind() == kind)?.shown();
            let places = [FieldGroup::Contact, FieldGroup::Place].map(|group| shown.contains(group));
            let is_whole = places.iter().all(|place| *place == places.contains(&true));
            (shown.contains(FieldGroup::Card) && is_whole).then(|| Expected::Shown {
                content: shown.contains(FieldGroup::Content),
                narrative: shown.contains(FieldGroup::Narrative),
                places: places.contains(&true),
            })
        }
        _ => None,
    }
}

/// Which versions of which records an answer shows.
fn versions(outcome: &Outcome) -> Vec<(RecordId, u32)> {
    let Outcome::Records(contents) = outcome else { return Vec::new() };
    let contents = contents.iter().filter_map(|content| Content::decode(content).ok());
    contents.flat_map(|content| content.versions().iter().map(|one| (one.id, one.number)).collect::<Vec<_>>()).collect()
}

fn every_outcome_is_the_one_foretold(evidence: &Evidence) -> Verdict {
    // Whoever is put off where nothing went wrong was answered wrongly.
    let is_judged = |asked: &Asked| asked.decision().is_some() || asked.is_undisturbed && asked.answer().is_some();
    let answers = evidence.numbered().filter(|(_number, asked)| is_judged(asked) && evidence.is_known(&asked.query));
    judge("every_outcome_is_the_one_foretold", answers, |(number, asked)| {
        (asked.outcome() != Some(asked.expected)).then(|| {
            format!(
                "question {number}: {} as {:?} about {:?}: foretold {:?}, came {:?}",
                asked.query.asker,
                asked.query.asking,
                asked.query.kind,
                asked.expected,
                asked.outcome()
            )
        })
    })
}

/// The versions that came to an end for which `is_end` stands, each with where its insurer shows its kind. Of whoever was
/// set back, or whose files were changed, nothing is known.
fn submitted<'a>(
    evidence: &'a Evidence,
    is_end: impl Fn(Expected) -> bool + 'a,
) -> impl Iterator<Item = (usize, &'a Query, &'a Slip, &'a Shelf)> {
    let is_whole = |insurer: &PartyId| evidence.is_whole(insurer);
    let written = evidence.numbered().filter_map(move |(number, asked)| {
        let query = &asked.query;
        let writing = query.writing.as_ref()?;
        let outcome = asked.decision()?.outcome?;
        let shelf = evidence.shelves.iter().find(|shelf| shelf.person == query.person && shelf.kind == query.kind)?;
        (is_end(outcome) && is_whole(&shelf.insurer)).then_some((number, query, writing, shelf))
    });
    written.flat_map(|(number, query, writing, shelf)| writing.slips().map(move |slip| (number, query, slip, shelf)))
}

fn what_was_kept_is_shown_as_its_authors(evidence: &Evidence) -> Verdict {
    // Whether a wish to erase it was heard is not known unless it was refused.
    let gone = evidence.asked.iter().filter(|asked| asked.outcome() != Some(Expected::Refused));
    let gone: BTreeSet<_> = gone.filter_map(|asked| asked.query.erasing).collect();
    let kept = submitted(evidence, |outcome| outcome == Expected::Kept);
    let kept = kept.filter(|(_number, _query, slip, _shelf)| !gone.contains(&slip.id));
    judge("what_was_kept_is_shown_as_its_authors", kept, |(number, query, slip, shelf)| {
        let found: Vec<_> =
            shelf.versions.iter().filter(|shown| shown.id == slip.id && shown.number == slip.number).collect();
        let is_shown = match found.as_slice() {
            [one] => one.author.as_ref() == Some(&query.asker) && one.is_authors == Some(true),
            _ => false,
        };
        (!is_shown).then(|| {
            format!("question {number}: what {} wrote is shown by {} as {found:?}", query.asker, shelf.insurer)
        })
    })
}

fn what_was_not_kept_is_nowhere(evidence: &Evidence) -> Verdict {
    let refused = submitted(evidence, |outcome| matches!(outcome, Expected::Refused | Expected::NotKept));
    judge("what_was_not_kept_is_nowhere", refused, |(number, query, slip, shelf)| {
        let is_theirs = |shown: &&ShownVersion| {
            shown.id == slip.id && shown.number == slip.number && shown.author.as_ref() == Some(&query.asker)
        };
        let found = shelf.versions.iter().find(is_theirs);
        found.map(|_shown| format!("question {number}: {} keeps what {} was refused", shelf.insurer, query.asker))
    })
}

fn what_was_erased_is_shown_to_nobody(evidence: &Evidence) -> Verdict {
    let erased = evidence.numbered().filter_map(|(number, asked)| {
        let (query, id) = (&asked.query, asked.query.erasing?);
        let shelf = evidence.shelves.iter().find(|shelf| shelf.person == query.person && shelf.kind == query.kind)?;
        let is_erased = asked.outcome() == Some(Expected::Erased) && evidence.is_whole(&shelf.insurer);
        is_erased.then_some((number, id, shelf))
    });
    judge("what_was_erased_is_shown_to_nobody", erased, |(number, id, shelf)| {
        let found = shelf.versions.iter().find(|shown| shown.id == id);
        found.map(|_shown| format!("question {number}: {} shows what it erased", shelf.insurer))
    })
}

fn nobody_is_told_of_whoever_was_erased(evidence: &Evidence) -> Verdict {
    let looked_for = evidence.forgotten.iter().filter(|forgotten| evidence.is_whole(&forgotten.insurer));
    let looked_for = looked_for.filter_map(|forgotten| Some((&forgotten.insurer, forgotten.is_shown?)));
    judge("nobody_is_told_of_whoever_was_erased", looked_for, |(insurer, is_shown)| {
        is_shown.then(|| format!("{insurer} shows something of a person it erased"))
    })
}

fn what_is_shown_was_in_force_as_asked(evidence: &Evidence) -> Verdict {
    let shown = evidence.numbered().filter_map(|(number, asked)| {
        let (in_force, answer) = (asked.in_force.as_ref()?, asked.decision()?);
        let is_shown = matches!(answer.outcome, Some(Expected::Shown { .. }));
        (is_shown && evidence.is_whole(&answer.responder)).then_some((number, &asked.query, in_force, answer))
    });
    judge("what_is_shown_was_in_force_as_asked", shown, |(number, query, in_force, answer)| {
        let shown = |id: &RecordId| {
            let shown = answer.versions.iter().filter(|(shown, _number)| shown == id);
            shown.map(|(_shown, number)| *number).collect::<Vec<_>>()
        };
        let wrong: Vec<_> = in_force
            .iter()
            .map(|(id, foretold)| (foretold, shown(id)))
            .filter(|(foretold, shown)| foretold.iter().ne(shown))
            .collect();
        (!wrong.is_empty())
            .then(|| format!("question {number}: {:?} {:?}: foretold and shown {wrong:?}", query.kind, query.past))
    })
}

fn every_question_ends(evidence: &Evidence) -> Verdict {
    let asked = evidence.numbered().filter(|(_number, asked)| !asked.is_orphaned);
    judge("every_question_ends", asked, |(number, asked)| {
        let Query { asker, kind, .. } = &asked.query;
        asked.end.is_none().then(|| format!("question {number}: {asker} about {kind:?} was told nothing"))
    })
}

fn after_the_storm_every_question_is_answered(evidence: &Evidence) -> Verdict {
    let asked = evidence.numbered().filter(|(_number, asked)| asked.in_calm);
    judge("after_the_storm_every_question_is_answered", asked, |(number, asked)| {
        let is_put_off = asked.decision().is_none();
        is_put_off.then(|| format!("question {number}: {} was told {}", asked.query.asker, asked.told()))
    })
}

fn every_answer_stands_in_both_ledgers(evidence: &Evidence) -> Verdict {
    let answers = evidence.asked.iter().filter_map(|asked| Some((&asked.query.asker, asked.answer()?)));
    judge("every_answer_stands_in_both_ledgers", answers, |(asker, answer)| {
        let kind_at = |ledger: &Ledger, at: u64| ledger.leaves.get(usize::try_from(at).ok()?).map(Leaf::kind);
        let epoch = answer.epoch;
        let theirs = evidence.ledgers.get(&(answer.responder.clone(), epoch));
        let theirs = theirs.and_then(|ledger| kind_at(ledger, answer.leaf));
        let epochs = evidence.ledgers.range((asker.clone(), 0)..=(asker.clone(), u32::MAX));
        // A node numbers its own leaves through all epochs.
        let own = |ledger: &Ledger| kind_at(ledger, answer.own_leaf.checked_sub(ledger.begins)?);
        let is_own = epochs.into_iter().any(|(_epoch, ledger)| own(ledger) == Some(LeafKind::Asked));
        (theirs != Some(LeafKind::Exchange) || !is_own).then(|| {
            format!(
                "leaf {} of {} in epoch {epoch}: {theirs:?}; {} of {asker}: {}",
                answer.leaf,
                answer.responder,
                answer.own_leaf,
                if is_own { "is there" } else { "is not there" }
            )
        })
    })
}

fn no_two_answers_share_a_leaf(evidence: &Evidence) -> Verdict {
    let mut seen = BTreeSet::new();
    let answers = evidence.asked.iter().filter_map(Asked::answer);
    judge("no_two_answers_share_a_leaf", answers, |answer| {
        (!seen.insert((&answer.responder, answer.epoch, answer.leaf)))
            .then(|| format!("leaf {} of {} twice", answer.leaf, answer.responder))
    })
}

fn no_request_is_answered_under_two_leaves(evidence: &Evidence) -> Verdict {
    let mut first = BTreeMap::new();
    judge("no_request_is_answered_under_two_leaves", evidence.decided.iter(), |decided| {
        let earlier = first.insert((&decided.responder, decided.request), decided.leaf)?;
        let Decided { responder, leaf, .. } = decided;
        (earlier != *leaf).then(|| format!("{responder} answered one request under its leaves {earlier} and {leaf}"))
    })
}

fn every_signed_head_is_a_beginning_of_the_ledger(evidence: &Evidence) -> Verdict {
    let roots: BTreeMap<_, _> =
        evidence.ledgers.iter().map(|(whose, ledger)| (whose, roots_of(&ledger.leaves))).collect();
    judge("every_signed_head_is_a_beginning_of_the_ledger", evidence.heads.iter(), |(party, head)| {
        let roots = roots.get(&(party.clone(), head.origin.epoch()));
        let root = roots.and_then(|roots| roots.get(usize::try_from(head.size).ok()?));
        (root != Some(&head.root)).then(|| format!("{party} once signed another ledger of {} leaves", head.size))
    })
}

fn whoever_stopped_starts_again(evidence: &Evidence) -> Verdict {
    judge("whoever_stopped_starts_again", evidence.restarts.iter(), |(party, failure)| {
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

fn whoever_is_answered_has_asked(evidence: &Evidence) -> Verdict {
    // What an insurer asks itself passes no wire.
    let strangers = evidence.decided.iter().filter(|decided| decided.asker != decided.responder);
    judge("whoever_is_answered_has_asked", strangers, |Decided { responder, asker, request, leaf }| {
        (!evidence.requests.contains(&(asker.clone(), *request)))
            .then(|| format!("{responder} has in leaf {leaf} a request of {asker}, who never sent it"))
    })
}

fn whoever_is_revoked_is_told_nothing(evidence: &Evidence) -> Verdict {
    let revoked = evidence.asked.iter().filter(|asked| asked.is_revoked);
    judge("whoever_is_revoked_is_told_nothing", revoked, |asked| {
        let is_told = asked.decision().is_some();
        is_told.then(|| format!("{} was told {:?}", asked.query.asker, asked.outcome()))
    })
}

fn whoever_has_only_a_key_is_told_nothing(evidence: &Evidence) -> Verdict {
    judge("whoever_has_only_a_key_is_told_nothing", evidence.thefts.iter(), |Theft { victim, asked, request }| {
        let mut decided = evidence.decided.iter();
        let is_answered = decided.any(|decided| decided.responder == *asked && decided.request == *request);
        is_answered.then(|| format!("{asked} answered what somebody else asked with the key of {victim}"))
    })
}

fn no_issuer_vouches_beyond_its_limits(evidence: &Evidence) -> Verdict {
    judge("no_issuer_vouches_beyond_its_limits", evidence.intrusions.iter(), |intrusion| {
        let Intrusion { shown_to, vouches_for, is_admitted } = intrusion;
        is_admitted.then(|| format!("{shown_to} let {vouches_for} in, for whom the issuer may not vouch"))
    })
}

fn a_flood_harms_nobody_else(evidence: &Evidence) -> Verdict {
    let others = evidence.asked.iter().filter(|asked| {
        let is_other = asked.flooder.as_ref().is_some_and(|flooder| *flooder != asked.query.asker);
        is_other && asked.is_undisturbed && !asked.is_revoked && !asked.is_orphaned
    });
    judge("a_flood_harms_nobody_else", others, |asked| {
        asked.decision().is_none().then(|| format!("{} was told {}", asked.query.asker, asked.told()))
    })
}

fn no_fork_is_cosigned(evidence: &Evidence) -> Verdict {
    judge("no_fork_is_cosigned", evidence.forks.iter(), |fork| {
        fork.is_cosigned.then(|| format!("another history of {} was cosigned", fork.party))
    })
}

fn whoever_was_set_back_begins_a_new_epoch(evidence: &Evidence) -> Verdict {
    let shortened = evidence.set_backs.iter().filter(|set_back| set_back.backup.size < set_back.lost.size);
    judge("whoever_was_set_back_begins_a_new_epoch", shortened, |SetBack { party, lost, since, .. }| {
        let goes_on = since.as_ref().is_some_and(|since| since.origin.epoch() <= lost.origin.epoch());
        goes_on.then(|| format!("{party} goes on with the tree of which it lost a part: {since:?}"))
    })
}

fn no_changed_history_is_believed(evidence: &Evidence) -> Verdict {
    judge("no_changed_history_is_believed", evidence.edits.iter(), |(party, edited)| {
        (*edited == Edited::Believed).then(|| format!("{party} starts with another history"))
    })
}

fn no_go_between_keeps_whom_it_is_about(evidence: &Evidence) -> Verdict {
    let kept = evidence.kept.iter().filter(|(party, kept)| is_between(party) && kept.rows > 0);
    judge("no_go_between_keeps_whom_it_is_about", kept, |(party, kept)| {
        (kept.readable > 0).then(|| format!("{party} keeps {} rows with a card's number", kept.readable))
    })
}

/// Whether it stands between those who ask and those who answer, and needs to know nobody.
pub fn is_between(party: &PartyId) -> bool {
    matches!(party.kind(), PartyKind::Directory | PartyKind::Pseudonymiser | PartyKind::Witness)
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

/// The roots of every beginning of a tree, from none of its leaves to all.
fn roots_of(leaves: &[Leaf]) -> Vec<Digest> {
    // The whole subtrees that the leaves so far make, the largest first, each with how many leaves it has.
    let mut whole: Vec<(usize, Digest)> = Vec::new();
    let mut roots = vec![root_of(&[])];
    for leaf in leaves {
        let (mut size, mut hash) = (1, leaf.hash());
        while let Some((_size, left)) = whole.pop_if(|(left, _hash)| *left == size) {
            (size, hash) = (size.saturating_mul(2), node_of(&left, &hash));
        }
        whole.push((size, hash));
        let root = whole.iter().rev().map(|(_size, hash)| *hash).reduce(|right, left| node_of(&left, &right));
        roots.extend(root);
    }
    roots
}

fn node_of(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// RFC 9162 §2.1.1, told plainly.
fn root_of(leaves: &[Leaf]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => leaf.hash(),
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            node_of(&root_of(left), &root_of(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ledger::leaf::{Contents, Salts};
    use protocol::time::Timestamp;

    use super::*;

    #[test]
    fn the_roots_of_all_beginnings_are_those_of_the_plain_definition() {
        let mut dice = crate::seed::stream(1, "leaves");
        let nothing = Digest::of(&[]);
        let contents = Contents { request: nothing, answer: nothing, detail: nothing, person: nothing };
        let mut leaf =
            |at| Leaf::new(LeafKind::Exchange, Timestamp::from_unix_ms(at), &Salts::random(&mut dice), &contents);
        let leaves: Vec<_> = (0..40).map(&mut leaf).collect();
        let plain: Vec<_> = (0..=leaves.len()).map(|size| root_of(&leaves[..size])).collect();
        assert_eq!(roots_of(&leaves), plain);
    }
}
