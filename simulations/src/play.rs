//! A play (上演) of a scenario under a seed: the storm, then the calm, then the verdicts. The same scenario and seed are
//! the same play to the byte.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::machine::{AskId, Ending, Failure};
use protocol::primitives::{Real, Suite};
use protocol::time::Span;
use rand_core::Rng;
use toml::Spanned;

use crate::guarantee::{self, Asked, Evidence, Verdict};
use crate::oracle::Expected;
use crate::scenario::{Goal, Ill, Scenario, Spell};
use crate::seed::{below, pick, stream};
use crate::society::{Query, Society};
use crate::storm::{self, Count, Injected};
use crate::world::{Delivery, Parting, Tamper, World};

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
}

/// Why there was no play.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the world could not be made: {0}")]
pub struct PlayError(String);

/// How long hosts get to recover before the calm begins.
const RECOVERY: Span = Span::from_s(120);

/// Plays it, in full cryptography.
///
/// # Errors
/// [`PlayError`] if a store does not open, or an insurer does not take its persons.
pub fn play(scenario: &Scenario, seed: u64) -> Result<Played, PlayError> {
    let society = Society::new(seed, &scenario.world);
    let mut stage = Stage::set(&society, seed)?;
    stage.storm(scenario);
    stage.calm(*scenario.calm.questions.get_ref());
    Ok(stage.end(scenario))
}

impl Played {
    /// Whether every guarantee held and every goal was reached.
    pub fn is_good(&self) -> bool {
        self.guarantees.iter().all(|verdict| verdict.violations.is_empty())
            && self.sometimes.iter().all(|(_goal, reached)| *reached)
    }
}

/// A play under way.
struct Stage<'s> {
    society: &'s Society,
    seed: u64,
    world: World,
    evidence: Evidence,
    /// Where in the evidence each question stands that has not ended.
    open: Vec<(AskId, usize)>,
    count: Count,
    watch: Watch,
    dice: Box<dyn Rng>,
}

/// What could be read on the wire.
#[derive(Clone, Debug, Default)]
struct Watch(Arc<Mutex<(u64, Vec<PartyId>)>>);

impl<'s> Stage<'s> {
    fn set(society: &'s Society, seed: u64) -> Result<Self, PlayError> {
        let failed = |error: String| PlayError(error);
        let made = World::new(seed, &society.plan, Suite::XWing, Arc::new(Real));
        let mut world = made.map_err(|error| failed(error.to_string()))?;
        for (insurer, lines) in &society.imports {
            match world.import(insurer, lines) {
                Some(Ok(_lines)) => {}
                other => return Err(failed(format!("{insurer} imported {other:?}"))),
            }
        }
        let dice = Box::new(stream(seed, "play"));
        Ok(Self {
            society,
            seed,
            world,
            evidence: Evidence::default(),
            open: Vec::new(),
            count: Count::default(),
            watch: Watch::default(),
            dice,
        })
    }

    fn storm(&mut self, scenario: &Scenario) {
        let faults = &scenario.storm.faults;
        let befalls = storm::over_the_wire(self.seed, faults, &self.count);
        self.world.tamper(Some(self.watch.over(self.society, befalls)));
        let questions = *scenario.storm.questions.get_ref();
        let crashes = faults.crashes.as_ref().map_or(0, |crashes| *crashes.get_ref());
        let crash_every = questions.checked_div(crashes.saturating_add(1)).unwrap_or(0).max(1);
        let most_s = faults.crash_max_s.as_ref().map_or(0, |most| *most.get_ref());
        for number in 1..=questions {
            self.change(&scenario.storm.spells, number);
            self.begin(false);
            self.world.pass(Span::from_ms(below(&mut self.dice, scenario.storm.every_ms.get_ref().saturating_mul(2))));
            if number % crash_every == 0 && number / crash_every <= crashes {
                let span = Span::from_s(below(&mut self.dice, most_s.saturating_add(1)));
                self.crash(span);
            }
            self.gather();
        }
        self.change(&scenario.storm.spells, questions.saturating_add(1));
        self.world.tamper(Some(self.watch.over(self.society, still())));
        self.world.run();
        self.world.wait(RECOVERY);
        self.gather();
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
        let Query { asker, asking, person, kind } = &query;
        let expected = self.society.oracle.foretell(asker, *asking, person, *kind);
        let ask = self.world.begin_ask(asker, query.ask());
        self.open.push((ask, self.evidence.asked.len()));
        let is_orphaned = !self.world.parties().contains(&query.asker);
        self.evidence.asked.push(Asked { query, expected, ending: None, is_orphaned, in_calm });
    }

    /// Ends what ends before this question, and begins what begins.
    fn change(&mut self, spells: &[Spanned<Spell>], number: u64) {
        let spells = || spells.iter().map(Spanned::get_ref);
        for spell in spells().filter(|spell| spell.until_question() == number) {
            for party in self.befallen(spell) {
                match spell.what {
                    Ill::Stopped => {
                        let failure = self.world.wake(&party).err().map(|error| error.to_string());
                        self.evidence.restarts.push((party, failure));
                    }
                    Ill::Clock => self.world.set_clock(&party, 0),
                    Ill::CutOff | Ill::Mute => {}
                }
            }
        }
        for spell in spells().filter(|spell| spell.from_question == number) {
            for party in self.befallen(spell) {
                match (spell.what, spell.off_s) {
                    (Ill::Stopped, _) => {
                        self.orphan(&party);
                        self.count.stop();
                        self.world.stop(&party);
                    }
                    (Ill::Clock, off_s) => {
                        self.count.misset();
                        self.world.set_clock(&party, off_s.unwrap_or(0));
                    }
                    (Ill::CutOff | Ill::Mute, _) => {}
                }
            }
        }
        let lasts = |spell: &&Spell| spell.from_question <= number && number < spell.until_question();
        let parts = |spell: &Spell| {
            let hears = match spell.what {
                Ill::CutOff => false,
                Ill::Mute => true,
                Ill::Stopped | Ill::Clock => return None,
            };
            Some(Parting { some: self.befallen(spell).into_iter().collect(), hears })
        };
        let partings = spells().filter(lasts).filter_map(parts).collect();
        self.world.part_hosts(partings);
    }

    fn befallen(&self, spell: &Spell) -> Vec<PartyId> {
        self.society.plan.parties().filter(|party| spell.befalls(party)).cloned().collect()
    }

    /// What this host asked has nobody left who could be told.
    fn orphan(&mut self, party: &PartyId) {
        self.gather();
        for (_ask, at) in &self.open {
            if let Some(asked) = self.evidence.asked.get_mut(*at).filter(|asked| asked.query.asker == *party) {
                asked.is_orphaned = true;
            }
        }
    }

    /// An insurer's machine loses its power amid whatever it does.
    fn crash(&mut self, span: Span) {
        let parties = self.world.parties();
        let insurers: Vec<_> = parties.into_iter().filter(|party| party.kind() == PartyKind::Insurer).collect();
        let Some(victim) = pick(&mut self.dice, &insurers) else { return };
        self.orphan(victim);
        self.count.crash();
        let failure = self.world.crash_for(victim, span).err().map(|error| error.to_string());
        self.evidence.restarts.push((victim.clone(), failure));
    }

    /// Notes which questions ended, and every signed head.
    fn gather(&mut self) {
        for (ask, at) in core::mem::take(&mut self.open) {
            match (self.world.ending(ask), self.evidence.asked.get_mut(at)) {
                (Some(ending), Some(asked)) => asked.ending = Some(ending),
                _ => self.open.push((ask, at)),
            }
        }
        for party in self.world.parties() {
            if let Some((size, root)) = self.world.root(&party) {
                self.evidence.heads.push((party, size, root));
            }
        }
    }

    fn end(mut self, scenario: &Scenario) -> Played {
        for party in self.world.parties() {
            let leaves = self.world.leaves(&party);
            for asker in self.world.parties() {
                let answered = self.world.answered(&party, &asker).into_iter();
                self.evidence.answered.extend(answered.map(|(request, leaf)| (party.clone(), request, leaf)));
            }
            self.evidence.ledgers.insert(party, leaves);
        }
        (self.evidence.frames, self.evidence.readable) = self.watch.lock().clone();
        let reached = self.reached();
        Played {
            digest: self.world.trace(),
            passed: self.world.passed(),
            events: self.world.events(),
            questions: u64::try_from(self.evidence.asked.len()).unwrap_or(u64::MAX),
            answered: u64::try_from(self.evidence.asked.iter().filter_map(Asked::answer).count()).unwrap_or(u64::MAX),
            injected: self.injected(),
            guarantees: guarantee::ALL.iter().map(|guarantee| guarantee(&self.evidence)).collect(),
            sometimes: scenario.sometimes.goals.iter().map(|goal| (*goal, reached.contains(goal))).collect(),
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
            Some(Ending::Answered(_)) => asked.decision().is_none().then_some(Goal::PutOff),
            Some(Ending::Failed(_)) | None => None,
        });
        injected.chain(outcomes).chain(failures).collect()
    }

    fn injected(&self) -> Injected {
        Injected { cut_off: self.world.cut_off(), ..self.count.injected() }
    }
}

impl Watch {
    /// Reads along, before `befalls` does what it does.
    fn over(&self, society: &Society, befalls: Tamper) -> Tamper {
        let (watch, mut befalls) = (self.clone(), befalls);
        let numbers: BTreeSet<Vec<u8>> = society.numbers().map(|number| number.as_bytes().to_vec()).collect();
        Box::new(move |passage| {
            let mut seen = watch.lock();
            seen.0 = seen.0.saturating_add(1);
            if passage.bytes.windows(10).any(|piece| piece.iter().all(u8::is_ascii_digit) && numbers.contains(piece)) {
                seen.1.push(passage.from.clone());
            }
            drop(seen);
            befalls(passage)
        })
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Vec<PartyId>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing befalls any frame.
fn still() -> Tamper {
    Box::new(|passage| vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }])
}
