//! The end of a play (終幕): the last look at everybody, the verdicts, and what happened at least once.

use std::collections::{BTreeMap, BTreeSet};

use protocol::code::record_kind::RecordKind;
use protocol::id::handle::Handle;
use protocol::machine::{Ending, Failure};
use protocol::message::Outcome;
use protocol::record::disclosure::Content;
use protocol::refusal::Told;

use super::{Stage, shows};
use crate::guarantee::{self, Asked, End, Forgotten, Kept, Shelf, ShownVersion};
use crate::oracle::Expected;
use crate::played::{Course, Played};
use crate::scenario::{Goal, Scenario};
use crate::society::chronicle::Past;
use crate::society::{self, Query};
use crate::world::fate::Edited;

/// How many kinds of records of somebody are looked at in the end.
const SHELVES_MAX: usize = 40;

impl Stage {
    pub(super) fn end(mut self, scenario: &Scenario) -> Played {
        self.look_at_what_was_written();
        self.look_for_the_forgotten();
        let numbers = self.society.numbers().collect();
        for party in self.world.parties() {
            self.keep(&party);
            let rows = self.world.everything(&party).into_iter().map(|(key, value)| [key, vec![0], value].concat());
            // Behind its leaves a go-between has no business with anybody; an insurer or office has.
            let details = if guarantee::is_between(&party) { self.world.general_details(&party) } else { Vec::new() };
            let kept: Vec<_> = rows.chain(details).collect();
            let count = |kept: usize| u64::try_from(kept).unwrap_or(u64::MAX);
            let readable = count(kept.iter().filter(|bytes| shows(bytes, &numbers)).count());
            self.evidence.kept.insert(party, Kept { rows: count(kept.len()), readable });
        }
        {
            let mut seen = self.watch.lock();
            self.evidence.frames = seen.frames;
            self.evidence.readable = core::mem::take(&mut seen.readable);
            self.evidence.requests = core::mem::take(&mut seen.requests);
        }
        let reached = self.reached();
        let ledgers = self.evidence.ledgers.iter().map(|((party, epoch), ledger)| {
            (party.clone(), *epoch, u64::try_from(ledger.leaves.len()).unwrap_or(u64::MAX), ledger.root())
        });
        Played {
            digest: self.world.trace(),
            passed: self.world.passed(),
            events: self.world.events(),
            questions: u64::try_from(self.evidence.asked.len()).unwrap_or(u64::MAX),
            answered: u64::try_from(self.evidence.asked.iter().filter_map(Asked::answer).count()).unwrap_or(u64::MAX),
            injected: self.injected(),
            guarantees: guarantee::ALL.iter().map(|guarantee| guarantee(&self.evidence)).collect(),
            sometimes: scenario.sometimes.goals.iter().map(|goal| (*goal, reached.contains(goal))).collect(),
            courses: self.evidence.asked.iter().map(Course::of).collect(),
            ledgers: ledgers.collect(),
            bands: self.bands,
            forks: self.evidence.forks.clone(),
            kept: self.evidence.kept.clone(),
        }
    }

    /// The insurers' own officers look at every version of what somebody wrote about.
    fn look_at_what_was_written(&mut self) {
        let is_about = |query: &Query| query.writing.is_some() || query.erasing.is_some();
        let written = self.evidence.asked.iter().filter(|asked| is_about(&asked.query));
        let about: BTreeMap<_, _> =
            written.map(|asked| ((asked.query.person.clone(), asked.query.kind), asked.query.clone())).collect();
        for (_about, query) in about.into_iter().take(SHELVES_MAX) {
            let insurer = query.insurer();
            let Some(network) = self.world.gate(&insurer).map(|gate| gate.network()) else { continue };
            let Some(Ending::Answered(answered)) = self.world.ask(&insurer, query.of_every_version()) else { continue };
            let Outcome::Records(contents) = answered.outcome else { continue };
            let Some(content) = contents.first().and_then(|bytes| Content::decode(bytes).ok()) else { continue };
            let handle = Handle::Care(query.person.clone());
            let versions = content.versions().iter().map(|shown| ShownVersion {
                id: shown.id,
                number: shown.number,
                author: shown.author.clone(),
                is_authors: shown.is_authors(query.kind, &handle, &network, self.world.primitives()),
            });
            let versions = versions.collect();
            self.evidence.shelves.push(Shelf { insurer, person: query.person, kind: query.kind, versions });
        }
    }

    /// The insurers' own officers ask for those of whom everything was erased.
    fn look_for_the_forgotten(&mut self) {
        let mut forgotten = core::mem::take(&mut self.evidence.forgotten);
        for Forgotten { person, insurer, is_shown } in &mut forgotten {
            let ask = society::of_every_version(person, RecordKind::InsuranceCard);
            *is_shown = match self.world.ask(insurer, ask) {
                Some(Ending::Answered(answered)) => match answered.outcome {
                    Outcome::Refused(Told::NotPermitted) => Some(false),
                    Outcome::Refused(_) => None,
                    _ => Some(true),
                },
                _ => None,
            };
        }
        self.evidence.forgotten = forgotten;
    }

    /// What happened at least once.
    fn reached(&self) -> BTreeSet<Goal> {
        let injected = self.injected();
        let faults = [
            (Goal::Dropped, injected.dropped),
            (Goal::Delayed, injected.delayed),
            (Goal::Duplicated, injected.duplicated),
            (Goal::Corrupted, injected.corrupted),
            (Goal::Crashed, injected.crashed),
            (Goal::CutOff, injected.cut_off),
            (Goal::Stopped, injected.stopped),
            (Goal::SetBack, injected.set_back),
            (Goal::Replayed, injected.replayed),
            (Goal::Forged, injected.forged),
            (Goal::Flooded, injected.flooded),
            (Goal::Forked, injected.forked),
            (Goal::Swapped, injected.swapped),
            (Goal::Filled, injected.filled),
            (Goal::Unindexed, injected.unindexed),
            (Goal::Rotted, injected.rotted),
            (Goal::Paused, injected.paused),
            (Goal::Drifted, injected.drifted),
            (Goal::Stolen, injected.stolen),
            (Goal::Intruded, injected.intruded),
            (Goal::Changed, self.changes),
            (Goal::Rotated, self.rotated),
            (Goal::Slept, self.nights),
            (Goal::Forgotten, u64::try_from(self.evidence.forgotten.len()).unwrap_or(u64::MAX)),
            (Goal::LookedBack, self.looked_back()),
            (Goal::EditFound, self.edits_found()),
            (Goal::TurnedAway, u64::try_from(self.world.drops().len()).unwrap_or(u64::MAX)),
        ];
        let injected = faults.into_iter().filter(|(_goal, count)| *count > 0).map(|(goal, _count)| goal);
        let outcomes = self.evidence.asked.iter().filter_map(|asked| match asked.outcome()? {
            Expected::Refused => Some(Goal::Refused),
            Expected::Kept => Some(Goal::Written),
            Expected::NotKept => Some(Goal::NotWritten),
            Expected::Erased => Some(Goal::Erased),
            Expected::Shown { content: true, narrative: true, places: true } => Some(Goal::Answered),
            Expected::Shown { places: false, .. } => Some(Goal::Protected),
            Expected::Shown { content: false, .. } => Some(Goal::ConsentMissing),
            Expected::Shown { .. } => None,
        });
        let failures = self.evidence.asked.iter().filter_map(|asked| match &asked.end {
            Some(End::Failed(Failure::Unreachable(_))) => Some(Goal::Unreached),
            Some(End::Failed(Failure::NotReady(_))) => Some(Goal::PutOff),
            Some(End::Failed(Failure::NoHome)) => Some(Goal::NoHome),
            Some(End::Failed(Failure::NotAdmitted(_))) => Some(Goal::NotAdmitted),
            Some(End::Failed(Failure::NotBelieved(_))) => Some(Goal::NotBelieved),
            Some(End::Answered(_)) => asked.decision().is_none().then_some(Goal::PutOff),
            Some(End::Failed(_)) | None => None,
        });
        injected.chain(outcomes).chain(failures).collect()
    }

    /// How often something else was shown than is in force today.
    fn looked_back(&self) -> u64 {
        let is_other = |asked: &&Asked| {
            let Query { person, kind, past, .. } = &asked.query;
            let today = self.society.oracle.foretell_versions(person, *kind, None, None);
            *past != Past::default() && asked.in_force.is_some() && asked.in_force != today
        };
        let shown = self.evidence.asked.iter().filter(|asked| matches!(asked.outcome(), Some(Expected::Shown { .. })));
        u64::try_from(shown.filter(is_other).count()).unwrap_or(u64::MAX)
    }

    fn edits_found(&self) -> u64 {
        let found = self.evidence.edits.iter().filter(|(_party, edited)| *edited == Edited::Found);
        u64::try_from(found.count()).unwrap_or(u64::MAX)
    }
}
