//! A play (上演) of a scenario under a seed: the storm, then the calm, then the verdicts. The same scenario and seed are
//! the same play to the byte.

mod ending;
mod foes;
mod spells;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::digest::Digest;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::limits;
use protocol::machine::{AskId, Ending, Failure};
use protocol::message::Outcome;
use protocol::primitives::{Real, Suite};
use protocol::time::{Span, Timestamp};
use rand_core::Rng;
use toml::Spanned;

use crate::adversary::Seen;
use crate::founding::party;
use crate::guarantee::{Asked, End, Evidence, Forgotten};
use crate::passage::{Delivery, Tamper};
use crate::played::{Band, Course, Played};
use crate::rotation::Rotations;
use crate::scenario::Scenario;
use crate::seed::{below, stream};
use crate::society::{Query, Society};
use crate::storm::{self, Count, Injected};
use crate::toy::Toy;
use crate::world::fate::Image;
use crate::world::{Happening, World};

/// Why there was no play.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the world could not be made: {0}")]
pub struct PlayError(String);

/// How long hosts get to recover before the calm begins.
const RECOVERY: Span = Span::from_s(120);
/// How many writes away a failing power is, at most.
const WRITES_MAX: u64 = 12;
/// How long, in steps, it is waited for a write before the power fails amid none.
const FALL_STEPS: u64 = 40;
const FALL_STEP: Span = Span::from_ms(5);
/// After so long every witness has seen what an insurer wrote, and no request of that time is fresh any more.
const SEEN_BY_ALL: Span = Span::from_s(300);

/// In a nation, how long before a question its asker is started and the insurer told.
const HEAD_START: Span = Span::from_s(1);

/// Of so many questions as many as [`WRITING`] submit a record, and one wants one erased.
const OF_QUESTIONS: u64 = 24;
/// See [`OF_QUESTIONS`].
const WRITING: u64 = 4;
/// See [`OF_QUESTIONS`]: another one is about another day or what was known at another instant.
const LOOKING_BACK: u64 = 5;

/// From the last question of a day to the first of the next.
const NIGHT: Span = Span::from_h(15);

/// With what a play is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cryptography {
    /// The node's own.
    Full,
    /// Hashes in its place, for many and large plays.
    Toy,
}

/// Plays it.
///
/// # Errors
/// [`PlayError`] if a store does not open, or an insurer does not take its persons.
pub fn play(scenario: &Scenario, seed: u64, cryptography: Cryptography) -> Result<Played, PlayError> {
    let mut stage = Stage::set(Society::new(seed, &scenario.world), seed, cryptography)?;
    stage.storm(scenario);
    stage.calm(*scenario.calm.questions.get_ref());
    Ok(stage.end(scenario))
}

/// Plays it and keeps what passed to and from the asker of one question (from 1) while that was open.
///
/// # Errors
/// As [`play`].
pub fn replay(
    scenario: &Scenario,
    seed: u64,
    cryptography: Cryptography,
    question: usize,
) -> Result<Option<(Course, Vec<Happening>)>, PlayError> {
    let mut stage = Stage::set(Society::new(seed, &scenario.world), seed, cryptography)?;
    stage.world.listen();
    stage.storm(scenario);
    stage.calm(*scenario.calm.questions.get_ref());
    let asked = question.checked_sub(1).and_then(|at| stage.evidence.asked.get(at));
    Ok(asked.map(Course::of).map(|course| {
        let until = course.ended_at.unwrap_or(Span::from_ms(u64::MAX));
        let is_meanwhile = |happening: &&Happening| (course.asked_at..=until).contains(&happening.at);
        let meanwhile = || stage.world.happenings().iter().filter(is_meanwhile);
        let insurer = party(&format!("insurer:{}", course.insurer));
        let asked = meanwhile().filter(|happening| happening.who == course.asker);
        let others: BTreeSet<_> = asked.filter_map(|happening| happening.to.as_ref()).chain([&insurer]).collect();
        let is_theirs = |happening: &&Happening| match &happening.to {
            Some(to) => happening.who == course.asker || *to == course.asker,
            None => happening.who == course.asker || others.contains(&happening.who),
        };
        let happenings = meanwhile().filter(is_theirs).cloned().collect();
        (course, happenings)
    }))
}

/// A play under way.
struct Stage {
    society: Society,
    seed: u64,
    world: World,
    evidence: Evidence,
    /// Where in the evidence each question stands that has not ended.
    open: Vec<(AskId, usize)>,
    count: Count,
    /// In a nation, whom insurers were told of, and what they are being told.
    told: BTreeSet<PersonId>,
    imports: Vec<(AskId, PartyId)>,
    /// Changes of what is true so far.
    changes: u64,
    /// Steps with keys so far, and how far everybody is.
    rotated: u64,
    rotations: Rotations,
    /// Nights so far.
    nights: u64,
    watch: Watch,
    /// What lay on the disks of those who will be set back.
    images: BTreeMap<PartyId, (Checkpoint, Image)>,
    /// The root of each host's head when it was last looked at.
    roots: BTreeMap<PartyId, Digest>,
    /// What lasts or lasted.
    bands: Vec<Band>,
    /// Whose credentials are revoked.
    revoked: BTreeSet<PartyId>,
    /// Who flooded last, and when.
    flood: Option<(PartyId, Span)>,
    /// The number of the last registration in the directory.
    registered: u64,
    dice: Box<dyn Rng>,
}

/// What could be seen on the wire.
#[derive(Clone, Debug, Default)]
struct Watch(Arc<Mutex<Seen>>);

impl Stage {
    fn set(society: Society, seed: u64, cryptography: Cryptography) -> Result<Self, PlayError> {
        let made = match cryptography {
            Cryptography::Full => World::new(seed, &society.plan, Suite::XWing, Arc::new(Real)),
            Cryptography::Toy => World::new(seed, &society.plan, Suite::Toy, Arc::new(Toy)),
        };
        let mut stage = Self {
            world: made.map_err(|error| PlayError(error.to_string()))?,
            society,
            seed,
            evidence: Evidence::default(),
            open: Vec::new(),
            count: Count::default(),
            told: BTreeSet::new(),
            imports: Vec::new(),
            changes: 0,
            rotated: 0,
            rotations: Rotations::default(),
            nights: 0,
            watch: Watch::default(),
            images: BTreeMap::new(),
            roots: BTreeMap::new(),
            bands: Vec::new(),
            revoked: BTreeSet::new(),
            flood: None,
            registered: 0,
            dice: Box::new(stream(seed, "play")),
        };
        stage.world.bear_failures();
        stage.world.tamper(Some(stage.watch.over(&stage.society, still())));
        if stage.society.plan.is_nation {
            return Ok(stage);
        }
        for insurer in stage.society.insurers().to_vec() {
            stage.import(&insurer)?;
        }
        let told_at = stage.world.now().wall;
        stage.society.oracle.note(told_at.unix_ms());
        match stage.register() {
            Some(failure) => Err(PlayError(failure)),
            None => Ok(stage),
        }
    }

    /// The insurer is told everything that is true of its persons.
    fn import(&mut self, insurer: &PartyId) -> Result<(), PlayError> {
        match self.world.import(insurer, &self.society.lines(insurer)) {
            Some(Ok(_lines)) => Ok(()),
            other => Err(PlayError(format!("{insurer} imported {other:?}"))),
        }
    }

    /// Every insurer registers its persons in the directory; what went wrong, if anything did.
    fn register(&mut self) -> Option<String> {
        self.registered = self.registered.saturating_add(1);
        let endings = self.society.registrations(self.registered).into_iter().map(|(insurer, ask)| {
            let ending = self.world.ask(&insurer, ask);
            let is_done =
                matches!(&ending, Some(Ending::Answered(answered)) if answered.outcome == Outcome::Registered);
            (!is_done).then(|| format!("{insurer} registered a person: {ending:?}"))
        });
        endings.collect::<Vec<_>>().into_iter().flatten().next()
    }

    fn storm(&mut self, scenario: &Scenario) {
        let faults = &scenario.storm.faults;
        let befalls = storm::over_the_wire(self.seed, faults, &self.count);
        self.world.tamper(Some(self.watch.over(&self.society, befalls)));
        let questions = *scenario.storm.questions.get_ref();
        let crashes = faults.crashes.as_ref().map_or(0, |crashes| *crashes.get_ref());
        let crash_every = questions.checked_div(crashes.saturating_add(1)).unwrap_or(0).max(1);
        let every = |often: &Option<Spanned<u64>>| {
            let often = often.as_ref().map_or(0, |often| *often.get_ref());
            questions.checked_div(often).unwrap_or(0)
        };
        let (change_every, forget_every) = (every(&scenario.storm.changes), every(&scenario.storm.farewells));
        let (rotate_every, night_every) = (every(&scenario.storm.rotations), every(&scenario.storm.nights));
        let most_s = faults.crash_max_s.as_ref().map_or(0, |most| *most.get_ref());
        for number in 1..=questions {
            self.turn_spells(&scenario.storm.spells, number);
            self.begin(false);
            self.world.pass(Span::from_ms(below(&mut self.dice, scenario.storm.every_ms.get_ref().saturating_mul(2))));
            if number % crash_every == 0 && number / crash_every <= crashes {
                let span = Span::from_s(below(&mut self.dice, most_s.saturating_add(1)));
                self.crash(span);
            }
            if number.checked_rem(change_every) == Some(0) {
                self.change_facts();
            }
            if number.checked_rem(forget_every) == Some(0) {
                self.forget_somebody();
            }
            if number.checked_rem(rotate_every) == Some(0)
                && self.rotations.go_on(&mut self.world, &self.revoked, &mut self.dice)
            {
                self.rotated = self.rotated.saturating_add(1);
            }
            if number.checked_rem(night_every) == Some(0) {
                self.pass_night();
            }
            for adversary in scenario.storm.adversaries.iter().map(Spanned::get_ref) {
                if adversary.acts_after(number) {
                    self.harm(adversary.who);
                }
            }
            self.gather();
        }
        self.turn_spells(&scenario.storm.spells, questions.saturating_add(1));
        self.world.tamper(Some(self.watch.over(&self.society, still())));
        self.world.run();
        self.world.wait(RECOVERY);
        self.gather();
        // Whoever finds the directory lying registers anew.
        if self.count.injected().swapped > 0 {
            self.register();
        }
    }

    fn calm(&mut self, questions: u64) {
        for _question in 0..questions {
            self.begin(true);
            self.world.run();
            self.gather();
        }
    }

    fn begin(&mut self, in_calm: bool) {
        let query = match below(&mut self.dice, OF_QUESTIONS) {
            0..WRITING => self.society.writing(&mut self.dice),
            WRITING => self.society.erasure(&mut self.dice),
            LOOKING_BACK if !self.society.plan.is_nation => {
                self.society.looking_back(self.world.now().wall, &mut self.dice)
            }
            _ => self.society.query(&mut self.dice),
        };
        let Some(query) = query else { return };
        let Query { asker, asking, person, kind, writing, erasing, past, .. } = &query;
        let oracle = &self.society.oracle;
        let expected = match writing {
            _ if erasing.is_some() => oracle.foretell_erasing(asker, *asking, person),
            Some(writing) => oracle.foretell_writing((asker, *asking), person, *kind, writing.amends.as_ref()),
            None => oracle.foretell(asker, *asking, person, *kind),
        };
        let is_reading = writing.is_none() && erasing.is_none();
        let by_ms = past.by.map(Timestamp::unix_ms);
        let in_force = oracle.foretell_versions(person, *kind, past.on, by_ms).filter(|_versions| is_reading);
        let wait = if self.prepare(&query) { HEAD_START } else { Span::ZERO };
        let ask = self.world.begin_ask_in(wait, asker, query.ask());
        self.open.push((ask, self.evidence.asked.len()));
        let since = |(_party, at): &&(PartyId, Span)| self.world.passed().ms().saturating_sub(at.ms());
        let flood = self.flood.as_ref().filter(|flood| since(flood) < limits::COST_WINDOW.ms());
        self.evidence.asked.push(Asked {
            is_orphaned: !self.world.runs(&query.asker),
            is_revoked: self.revoked.contains(&query.asker),
            flooder: flood.map(|(party, _at)| party.clone()),
            query,
            expected,
            in_force,
            end: None,
            asked_at: Span::from_ms(self.world.passed().ms().saturating_add(wait.ms())),
            ended_at: None,
            faults_before: self.injected().total(),
            met_fault: false,
            in_calm,
            is_undisturbed: false,
        });
    }

    /// In a nation, starts whoever asks for the first time and lets the insurer know a person who is asked about for the
    /// first time; whether there was anything to prepare.
    fn prepare(&mut self, query: &Query) -> bool {
        if !self.society.plan.is_nation {
            return false;
        }
        let insurer = party(&format!("insurer:{}", query.person.insurer()));
        let roused = self.world.rouse(&query.asker);
        if let Err(error) = &roused {
            self.evidence.restarts.push((query.asker.clone(), Some(error.to_string())));
        }
        let is_new = self.told.insert(query.person.clone());
        if is_new && let Some(line) = self.society.line(&query.person) {
            let import = self.world.begin_import(&insurer, &line);
            self.imports.push((import, insurer));
        }
        is_new || roused.unwrap_or_default()
    }

    /// Faults so far, but for floods.
    fn faults(&self) -> u64 {
        let injected = self.injected();
        injected.total().saturating_sub(injected.flooded)
    }

    /// What is open ends, nobody asks for a while, and in the morning everything is renewed.
    fn pass_night(&mut self) {
        self.world.run();
        self.gather();
        self.world.sleep(NIGHT);
        self.world.renew_all(self.world.edition().saturating_add(1));
        self.nights = self.nights.saturating_add(1);
    }

    /// Something changes of what is true of somebody, when nothing is under way that could know it either way.
    fn change_facts(&mut self) {
        self.world.run();
        self.gather();
        let Some(change) = self.society.change(&mut self.dice) else { return };
        // Whether an import that ends on a full disk, or waits, counts is known to the insurer's staff only later.
        if self.world.is_cramped(&change.insurer) || self.world.is_paused(&change.insurer) {
            return;
        }
        if matches!(self.world.import(&change.insurer, &change.line), Some(Ok(_records))) {
            self.changes = self.changes.saturating_add(1);
            self.society.learn(change, self.world.now().wall);
        }
    }

    /// An insurer erases everything of somebody, when nothing is under way about them.
    fn forget_somebody(&mut self) {
        self.world.run();
        self.gather();
        let Some((person, insurer, ask)) = self.society.farewell(&mut self.dice) else { return };
        if self.world.is_cramped(&insurer) || self.world.is_paused(&insurer) {
            return;
        }
        match self.world.ask(&insurer, ask) {
            Some(Ending::Answered(answered)) if matches!(answered.outcome, Outcome::Erased(_)) => {
                self.society.forget(&person);
                self.evidence.forgotten.push(Forgotten { person, insurer, is_shown: None });
            }
            // It is put off, or waits until it is ready: nothing was erased.
            Some(Ending::Answered(_) | Ending::Failed(Failure::NotReady(_))) => {}
            _ => self.society.leave(&person),
        }
    }

    /// Notes which questions ended, and every signed head.
    fn gather(&mut self) {
        let faults = self.injected().total();
        let is_undisturbed = self.bands.is_empty() && self.faults() == 0;
        let lasts = self.bands.iter().any(|band| band.until.is_none());
        for (ask, at) in core::mem::take(&mut self.open) {
            match (self.world.ending_at(ask), self.evidence.asked.get_mut(at)) {
                (Some((ended_at, ending)), Some(asked)) => {
                    (asked.end, asked.ended_at) = (Some(End::of(ending, asked.query.kind)), Some(ended_at));
                    self.society.settle(&asked.query, asked.decision().and_then(|answer| answer.outcome));
                    asked.is_undisturbed = is_undisturbed;
                    asked.met_fault = lasts || faults > asked.faults_before;
                }
                _ => self.open.push((ask, at)),
            }
        }
        for party in self.world.take_filled() {
            self.count.add(|injected| &mut injected.filled);
            self.leave_untold(&party);
        }
        for (party, failure) in self.world.take_failed() {
            self.leave_untold(&party);
            self.evidence.restarts.push((party, Some(failure)));
        }
        for (import, insurer) in core::mem::take(&mut self.imports) {
            match self.world.imported(import) {
                Some(Ok(_lines)) => {}
                Some(Err(failure)) => self.evidence.restarts.push((insurer, Some(failure))),
                None => self.imports.push((import, insurer)),
            }
        }
        for party in self.world.take_moved() {
            let root = self.world.root(&party);
            if root == self.roots.get(&party).copied() {
                continue;
            }
            if let (Some(root), Some(head)) = (root, self.world.stands(&party)) {
                self.roots.insert(party.clone(), root);
                self.evidence.heads.push((party, head));
            }
        }
    }

    fn injected(&self) -> Injected {
        Injected { cut_off: self.world.cut_off(), ..self.count.injected() }
    }
}

/// Whether a number can be read in it.
fn shows(bytes: &[u8], numbers: &BTreeSet<String>) -> bool {
    let is_one = |piece: &[u8]| core::str::from_utf8(piece).is_ok_and(|text| numbers.contains(text));
    let mut digits = bytes.split(|byte| !byte.is_ascii_digit());
    digits.any(|digits| Society::NUMBER_DIGITS.into_iter().any(|count| digits.windows(count).any(is_one)))
}

impl Watch {
    /// Reads along, before `befalls` does what it does.
    fn over(&self, society: &Society, befalls: Tamper) -> Tamper {
        let (watch, mut befalls) = (self.clone(), befalls);
        let numbers = society.numbers().collect();
        Box::new(move |passage| {
            let mut seen = watch.lock();
            seen.keep(passage);
            if shows(&passage.bytes, &numbers) {
                seen.readable.push(passage.from.clone());
            }
            drop(seen);
            befalls(passage)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing befalls any frame.
fn still() -> Tamper {
    Box::new(|passage| vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_the_middle_of_other_bytes_and_no_other_is() {
        let numbers = BTreeSet::from(["0123456789".to_owned(), "87654321".to_owned()]);
        assert!(shows(b"\x6a0123456789\xff", &numbers) && shows(b"::87654321:", &numbers));
        assert!(!shows(b"0123456788", &numbers) && !shows(b"8765\x004321", &numbers) && !shows(b"", &numbers));
    }
}
