//! A play (上演) of a scenario under a seed: the storm, then the calm, then the verdicts. The same scenario and seed are
//! the same play to the byte.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::epoch;
use protocol::limits;
use protocol::machine::{AskId, Ending, Failure};
use protocol::message::Outcome;
use protocol::primitives::{Real, Suite};
use protocol::time::Span;
use rand_core::Rng;
use toml::Spanned;

use crate::adversary::{self, Seen};
use crate::founding::party;
use crate::guarantee::{self, Asked, Decided, Evidence, Kept, Ledger, SetBack};
use crate::oracle::Expected;
use crate::passage::{Delivery, Tamper};
use crate::played::{Band, Course, Played};
use crate::scenario::{Foe, Goal, Ill, Scenario, Spell};
use crate::seed::{below, pick, stream};
use crate::society::{Query, Society};
use crate::storm::{self, Count, Injected};
use crate::toy::Toy;
use crate::world::fate::{Edited, Image};
use crate::world::wire::Parting;
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
        let insurer = party(&format!("insurer:{}", course.insurer));
        let is_theirs = |happening: &&Happening| match &happening.to {
            Some(to) => happening.who == course.asker || *to == course.asker,
            None => happening.who == course.asker || happening.who == insurer,
        };
        let happenings = stage.world.happenings().iter().filter(is_meanwhile).filter(is_theirs).cloned().collect();
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
    /// Changes of what is true so far.
    changes: u64,
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
            changes: 0,
            watch: Watch::default(),
            images: BTreeMap::new(),
            roots: BTreeMap::new(),
            bands: Vec::new(),
            revoked: BTreeSet::new(),
            flood: None,
            registered: 0,
            dice: Box::new(stream(seed, "play")),
        };
        stage.world.tamper(Some(stage.watch.over(&stage.society, still())));
        for insurer in stage.society.insurers().to_vec() {
            stage.import(&insurer)?;
        }
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
        let changes = scenario.storm.changes.as_ref().map_or(0, |changes| *changes.get_ref());
        let change_every = questions.checked_div(changes).unwrap_or(0);
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
        let Some(query) = self.society.query(&mut self.dice) else { return };
        let Query { asker, asking, person, kind, .. } = &query;
        let expected = self.society.oracle.foretell(asker, *asking, person, *kind);
        let ask = self.world.begin_ask(asker, query.ask());
        self.open.push((ask, self.evidence.asked.len()));
        let since = |(_party, at): &&(PartyId, Span)| self.world.passed().ms().saturating_sub(at.ms());
        let flood = self.flood.as_ref().filter(|flood| since(flood) < limits::COST_WINDOW.ms());
        self.evidence.asked.push(Asked {
            is_orphaned: !self.world.parties().contains(&query.asker),
            is_revoked: self.revoked.contains(&query.asker),
            flooder: flood.map(|(party, _at)| party.clone()),
            query,
            expected,
            ending: None,
            asked_at: self.world.passed(),
            ended_at: None,
            faults_before: self.injected().total(),
            met_fault: false,
            in_calm,
            is_undisturbed: false,
        });
    }

    /// Faults so far, but for floods.
    fn faults(&self) -> u64 {
        let injected = self.injected();
        injected.total().saturating_sub(injected.flooded)
    }

    /// Something changes of what is true of somebody, when nothing is under way that could know it either way.
    fn change_facts(&mut self) {
        self.world.run();
        self.gather();
        let Some(change) = self.society.change(&mut self.dice) else { return };
        // Whether an import that ends on a full disk counts is known to the insurer's staff only when it runs again.
        if self.world.is_cramped(&change.insurer) {
            return;
        }
        if matches!(self.world.import(&change.insurer, &change.line), Some(Ok(_records))) {
            self.changes = self.changes.saturating_add(1);
            self.society.learn(change);
        }
    }

    /// Somebody who means harm acts.
    fn harm(&mut self, foe: Foe) {
        let watch = self.watch.clone();
        let (world, dice) = (&mut self.world, &mut self.dice);
        match foe {
            Foe::Replayer if adversary::replay(world, &watch.lock(), dice) => {
                self.count.add(|injected| &mut injected.replayed);
            }
            Foe::Forger if adversary::forge(world, &watch.lock(), dice) => {
                self.count.add(|injected| &mut injected.forged);
            }
            Foe::Directory if adversary::swap_homes(world, dice) => {
                self.count.add(|injected| &mut injected.swapped);
            }
            Foe::Replayer | Foe::Forger | Foe::Directory => {}
            Foe::Flooder => {
                if let Some(office) = adversary::flood(world, dice) {
                    self.count.add(|injected| &mut injected.flooded);
                    self.flood = Some((office, self.world.passed()));
                }
            }
            Foe::Forker => {
                if let Some(fork) = adversary::fork(world, &watch.0, dice) {
                    self.count.add(|injected| &mut injected.forked);
                    self.evidence.forks.push(fork);
                }
            }
            Foe::Editor => {
                let victim = adversary::one_of(world, PartyKind::Insurer, dice);
                let edited = victim.and_then(|victim| Some((world.edit(&victim, dice)?, victim)));
                if let Some((edited, victim)) = edited {
                    self.count.add(|injected| &mut injected.edited);
                    self.evidence.edits.push((victim, edited));
                }
            }
        }
    }

    /// Ends what ends before this question, and begins what begins.
    fn turn_spells(&mut self, spells: &[Spanned<Spell>], number: u64) {
        let spells = || spells.iter().map(Spanned::get_ref);
        for spell in spells().filter(|spell| spell.until_question() == number) {
            let now = self.world.passed();
            let is_it = |band: &&mut Band| band.what == spell.what && band.whom == spell.whom;
            if let Some(band) = self.bands.iter_mut().filter(is_it).find(|band| band.until.is_none()) {
                band.until = Some(now);
            }
            for party in self.befallen(spell) {
                self.lift(spell, &party);
            }
        }
        for spell in spells().filter(|spell| spell.from_question == number) {
            let from = self.world.passed();
            self.bands.push(Band { what: spell.what, whom: spell.whom, from, until: None });
            for party in self.befallen(spell) {
                self.inflict(spell, &party);
            }
        }
        let lasts = |spell: &&Spell| spell.from_question <= number && number < spell.until_question();
        let parts = |spell: &Spell| {
            let hears = match spell.what {
                Ill::CutOff => false,
                Ill::Mute => true,
                Ill::Stopped
                | Ill::Clock
                | Ill::SetBack
                | Ill::Revoked
                | Ill::DiskFull
                | Ill::IndexLost
                | Ill::BitRot => return None,
            };
            Some(Parting { some: self.befallen(spell).into_iter().collect(), hears })
        };
        let partings = spells().filter(lasts).filter_map(parts).collect();
        self.world.part_hosts(partings);
    }

    fn inflict(&mut self, spell: &Spell, party: &PartyId) {
        match spell.what {
            Ill::Stopped => {
                self.count.add(|injected| &mut injected.stopped);
                self.shut_down(party);
            }
            Ill::IndexLost => self.shut_down(party),
            Ill::DiskFull => self.world.cramp(party, spell.room_kib.unwrap_or(0).saturating_mul(1024)),
            Ill::Clock => {
                self.count.add(|injected| &mut injected.misset);
                self.world.set_clock(party, spell.off_s.unwrap_or(0));
            }
            Ill::SetBack | Ill::BitRot => {
                if let (Some(stands), Some(image)) = (self.world.stands(party), self.world.image(party)) {
                    self.images.insert(party.clone(), (stands, image));
                }
            }
            Ill::Revoked => {
                self.count.add(|injected| &mut injected.revoked);
                self.world.run();
                self.revoked.insert(party.clone());
                let revoked: Vec<_> = self.revoked.iter().cloned().collect();
                let next = self.world.edition().saturating_add(1);
                self.world.revoke(&revoked, next);
            }
            Ill::CutOff | Ill::Mute => {}
        }
    }

    fn lift(&mut self, spell: &Spell, party: &PartyId) {
        match spell.what {
            Ill::Stopped => self.start_again(party),
            Ill::IndexLost => {
                self.count.add(|injected| &mut injected.unindexed);
                self.world.lose_index(party);
                self.start_again(party);
            }
            Ill::DiskFull => {
                self.world.make_room(party);
                if !self.world.parties().contains(party) {
                    self.start_again(party);
                }
            }
            Ill::Clock => self.world.set_clock(party, 0),
            Ill::SetBack => self.set_back(party),
            Ill::BitRot => self.rot(party),
            Ill::Revoked => {
                self.revoked.remove(party);
                self.world.founding_mut().turn_signing(party, 1);
                self.world.renew(party);
                self.world.run();
            }
            Ill::CutOff | Ill::Mute => {}
        }
    }

    fn shut_down(&mut self, party: &PartyId) {
        self.orphan(party);
        self.world.stop(party);
    }

    /// A host that does not run starts on what lies there.
    fn start_again(&mut self, party: &PartyId) {
        let failure = self.world.wake(party).err().map(|error| error.to_string());
        self.evidence.restarts.push((party.clone(), failure));
    }

    /// A bit flips in a copy of an insurer's files; if no host starts on that, the insurer goes on from the backup.
    fn rot(&mut self, party: &PartyId) {
        let Some(edited) = self.world.edit(party, &mut self.dice) else { return };
        self.count.add(|injected| &mut injected.rotted);
        self.evidence.edits.push((party.clone(), edited));
        if edited == Edited::Found {
            self.set_back(party);
        }
    }

    /// An insurer's disk is lost when its witness has seen all of it; it goes on from the backup, and is told again
    /// what is true.
    fn set_back(&mut self, party: &PartyId) {
        let Some((backup, image)) = self.images.remove(party) else { return };
        self.world.wait(SEEN_BY_ALL);
        self.orphan(party);
        let Some(lost) = self.world.stands(party) else { return };
        self.keep(party);
        self.count.add(|injected| &mut injected.set_back);
        let failure = self.world.restore(party, &image).err().map(|error| error.to_string());
        self.evidence.restarts.push((party.clone(), failure));
        let since = if self.world.unsettled(party).is_some() { None } else { self.world.stands(party) };
        self.evidence.set_backs.push(SetBack { party: party.clone(), backup, lost, since });
        if let Err(PlayError(failure)) = self.import(party) {
            self.evidence.restarts.push((party.clone(), Some(failure)));
        }
    }

    /// Notes what the ledger of a host is, and what it answered in its first epoch.
    fn keep(&mut self, party: &PartyId) {
        let Some(epoch) = self.world.stands(party).map(|head| head.origin.epoch()) else { return };
        let ledger = Ledger { begins: self.world.epoch_begins(party), leaves: self.world.leaves(party) };
        self.evidence.ledgers.insert((party.clone(), epoch), ledger);
        for asker in self.society.plan.parties().filter(|_asker| epoch == epoch::FIRST) {
            let decided = self.world.answered(party, asker).into_iter();
            let decided = decided.map(|(request, leaf)| Decided {
                responder: party.clone(),
                asker: asker.clone(),
                request,
                leaf,
            });
            self.evidence.decided.extend(decided);
        }
    }

    fn befallen(&self, spell: &Spell) -> Vec<PartyId> {
        self.society.plan.parties().filter(|party| spell.befalls(party)).cloned().collect()
    }

    /// What this host asked has nobody left who could be told.
    fn orphan(&mut self, party: &PartyId) {
        self.gather();
        self.leave_untold(party);
    }

    fn leave_untold(&mut self, party: &PartyId) {
        for (_ask, at) in &self.open {
            if let Some(asked) = self.evidence.asked.get_mut(*at).filter(|asked| asked.query.asker == *party) {
                asked.is_orphaned = true;
            }
        }
    }

    /// An insurer's machine loses its power, amid a write if it writes.
    fn crash(&mut self, span: Span) {
        let parties = self.world.parties();
        let is_victim = |party: &PartyId| party.kind() == PartyKind::Insurer && !self.world.is_cramped(party);
        let insurers: Vec<_> = parties.into_iter().filter(is_victim).collect();
        let Some(victim) = pick(&mut self.dice, &insurers) else { return };
        self.count.add(|injected| &mut injected.crashed);
        self.world.doom(victim, below(&mut self.dice, WRITES_MAX));
        for _step in 0..FALL_STEPS {
            self.world.pass(FALL_STEP);
            if !self.world.parties().contains(victim) {
                break;
            }
        }
        self.world.lose_power(victim);
        self.orphan(victim);
        self.world.pass(span);
        self.start_again(victim);
    }

    /// Notes which questions ended, and every signed head.
    fn gather(&mut self) {
        let faults = self.injected().total();
        let is_undisturbed = self.bands.is_empty() && self.faults() == 0;
        let lasts = self.bands.iter().any(|band| band.until.is_none());
        for (ask, at) in core::mem::take(&mut self.open) {
            match (self.world.ending_at(ask), self.evidence.asked.get_mut(at)) {
                (Some((ended_at, ending)), Some(asked)) => {
                    (asked.ending, asked.ended_at) = (Some(ending), Some(ended_at));
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
        for party in self.world.parties() {
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

    fn end(mut self, scenario: &Scenario) -> Played {
        let numbers = self.society.numbers().collect();
        for party in self.world.parties() {
            self.keep(&party);
            let rows = self.world.everything(&party);
            let is_readable = |row: &&(Vec<u8>, Vec<u8>)| shows(&row.0, &numbers) || shows(&row.1, &numbers);
            let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
            let readable = count(rows.iter().filter(is_readable).count());
            self.evidence.kept.insert(party, Kept { rows: count(rows.len()), readable });
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
            (Goal::Changed, self.changes),
            (Goal::EditFound, self.edits_found()),
            (Goal::TurnedAway, u64::try_from(self.world.drops().len()).unwrap_or(u64::MAX)),
        ];
        let injected = faults.into_iter().filter(|(_goal, count)| *count > 0).map(|(goal, _count)| goal);
        let outcomes = self.evidence.asked.iter().filter_map(|asked| match asked.outcome()? {
            Expected::Refused => Some(Goal::Refused),
            Expected::Shown { content: true, narrative: true, places: true } => Some(Goal::Answered),
            Expected::Shown { places: false, .. } => Some(Goal::Protected),
            Expected::Shown { content: false, .. } => Some(Goal::ConsentMissing),
            Expected::Shown { .. } => None,
        });
        let failures = self.evidence.asked.iter().filter_map(|asked| match &asked.ending {
            Some(Ending::Failed(Failure::Unreachable(_))) => Some(Goal::Unreached),
            Some(Ending::Failed(Failure::NotReady(_))) => Some(Goal::PutOff),
            Some(Ending::Failed(Failure::NoHome)) => Some(Goal::NoHome),
            Some(Ending::Failed(Failure::NotAdmitted(_))) => Some(Goal::NotAdmitted),
            Some(Ending::Answered(_)) => asked.decision().is_none().then_some(Goal::PutOff),
            Some(Ending::Failed(_)) | None => None,
        });
        injected.chain(outcomes).chain(failures).collect()
    }

    fn edits_found(&self) -> u64 {
        let found = self.evidence.edits.iter().filter(|(_party, edited)| *edited == Edited::Found);
        u64::try_from(found.count()).unwrap_or(u64::MAX)
    }

    fn injected(&self) -> Injected {
        Injected { cut_off: self.world.cut_off(), ..self.count.injected() }
    }
}

/// Whether a number can be read in it.
fn shows(bytes: &[u8], numbers: &BTreeSet<String>) -> bool {
    let is_one = |piece: &[u8]| {
        let is_digits = piece.iter().all(u8::is_ascii_digit);
        is_digits && core::str::from_utf8(piece).is_ok_and(|text| numbers.contains(text))
    };
    Society::NUMBER_DIGITS.into_iter().any(|digits| bytes.windows(digits).any(is_one))
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
