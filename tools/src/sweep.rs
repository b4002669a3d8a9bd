//! `tsunagi simulate sweep`: plays a scenario under many seeds and adds up; it can be stopped and gone on with. A play that
//! panics is reported like one that fails, and loses no other.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use simulations::play::{Cryptography, play};
use simulations::played::Played;
use simulations::scenario::Scenario;

use crate::files;
use crate::message::{Code, Report, Trouble};
use crate::simulate::said;

/// The most seeds of one sweep.
const SEEDS_MAX: u64 = 1_000_000;
/// The most plays at the same time.
const JOBS_MAX: usize = 64;
/// How often what was added up is written down.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// What is swept.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its seeds, from the first to before the last.
    pub seeds: (u64, u64),
    /// With what to play.
    pub cryptography: Cryptography,
}

/// A range of seeds as "first..after the last".
///
/// # Errors
/// A text if it is none, is empty or holds too many.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
    match ends {
        Some((first, end)) if first < end && end - first <= SEEDS_MAX => Ok(first..end),
        _ => Err(format!("「最初..最後の次」と書いてください。例 0..100、多くとも {SEEDS_MAX} 個")),
    }
}

/// Plays every seed, `jobs` at a time. With a file, what was added up is kept there, and a sweep that was stopped goes on
/// behind what it had played.
///
/// # Errors
/// [`Code::Usage`] if the file is of another sweep, [`Code::Malformed`] if it is none, [`Code::File`] if it cannot be
/// read or written.
pub fn sweep(what: Sweep<'_>, jobs: usize, state: Option<&Path>, tick: &(dyn Fn() + Sync)) -> Result<Report, Trouble> {
    let began = Instant::now();
    let (first, end) = what.seeds;
    let sums = match state {
        Some(path) if path.exists() => Sums::read(path, what)?,
        _ => Sums::new(what),
    };
    let played: BTreeSet<u64> = (first..sums.below).chain(sums.beyond.iter().copied()).collect();
    played.iter().for_each(|_seed| tick());
    let next = AtomicU64::new(first);
    let shared = Mutex::new((sums, began, Ok(())));
    std::thread::scope(|scope| {
        for _job in 0..jobs.clamp(1, JOBS_MAX) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if played.contains(&seed) {
                        continue;
                    }
                    let outcome = catch_unwind(AssertUnwindSafe(|| play(what.scenario, seed, what.cryptography)));
                    if let Ok(mut shared) = shared.lock() {
                        let (sums, written, fault) = &mut *shared;
                        sums.take(seed, outcome.map_err(|panic| said(panic.as_ref())));
                        if let Some(path) = state.filter(|_path| written.elapsed() >= WRITE_EVERY) {
                            *fault = sums.write(path);
                            *written = Instant::now();
                        }
                        if fault.is_err() {
                            return;
                        }
                    }
                    tick();
                }
            });
        }
    });
    let (mut sums, _written, fault) = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    fault?;
    sums.failed.sort_unstable();
    if let Some(path) = state {
        sums.write(path)?;
    }
    Ok(sums.report(what, began.elapsed().as_secs_f64()))
}

/// What a sweep adds up, and which seeds that is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    /// Which sweep it is: the scenario's text, the seeds and the cryptography.
    of: String,
    /// Every seed below was played.
    below: u64,
    /// And these.
    beyond: BTreeSet<u64>,
    worlds: u64,
    questions: u64,
    answered: u64,
    met: u64,
    injected: u64,
    failed: Vec<(u64, String)>,
}

impl Sums {
    fn new(what: Sweep<'_>) -> Self {
        let (first, end) = what.seeds;
        let text = what.scenario.to_toml().unwrap_or_default();
        Self {
            of: format!("{first}..{end} {:?}\n{text}", what.cryptography),
            below: first,
            beyond: BTreeSet::new(),
            worlds: 0,
            questions: 0,
            answered: 0,
            met: 0,
            injected: 0,
            failed: Vec::new(),
        }
    }

    fn read(path: &Path, what: Sweep<'_>) -> Result<Self, Trouble> {
        let read: Self = serde_json::from_str(&files::read_text(path)?)
            .map_err(|error| Trouble::new(Code::Malformed, format!("{}: {error}", path.display())))?;
        if read.of == Self::new(what).of {
            return Ok(read);
        }
        Err(Trouble::new(
            Code::Usage,
            format!("{} は別の掃引の控えです。別のファイルを指定してください", path.display()),
        ))
    }

    fn write(&self, path: &Path) -> Result<(), Trouble> {
        files::replace(path, json!(self).to_string().as_bytes(), 0o644)
    }

    fn take<E: core::fmt::Display>(&mut self, seed: u64, played: Result<Result<Played, E>, String>) {
        self.beyond.insert(seed);
        while self.beyond.remove(&self.below) {
            self.below = self.below.saturating_add(1);
        }
        self.worlds = self.worlds.saturating_add(1);
        match played {
            Ok(Ok(played)) => {
                self.questions = self.questions.saturating_add(played.questions);
                self.answered = self.answered.saturating_add(played.answered);
                let met = played.courses.iter().filter(|course| course.met_fault).count();
                self.met = self.met.saturating_add(u64::try_from(met).unwrap_or(u64::MAX));
                self.injected = self.injected.saturating_add(played.injected.total());
                let broken = played.guarantees.iter().filter(|verdict| !verdict.violations.is_empty());
                self.failed.extend(broken.map(|verdict| (seed, verdict.name.to_owned())));
            }
            Ok(Err(error)) => self.failed.push((seed, error.to_string())),
            Err(panic) => self.failed.push((seed, format!("panic: {panic}"))),
        }
    }

    fn report(&self, what: Sweep<'_>, wall_s: f64) -> Report {
        let (name, (first, end)) = (&what.scenario.name, what.seeds);
        let fast = if what.cryptography == Cryptography::Toy { " --fast" } else { "" };
        let mut text = format!(
            "筋書 {name} の種 {first}..{end}: 世界 {}、照会 {}、応答 {}、障害に遭った照会 {}、注入した障害 {}、{wall_s:.1} 秒",
            self.worlds, self.questions, self.answered, self.met, self.injected
        );
        text.push_str(if self.failed.is_empty() {
            "\nすべての保証が保たれました"
        } else {
            "\n破られた保証があります:"
        });
        for (seed, what) in &self.failed {
            let _written = write!(text, "\n  種 {seed}: {what}(tsunagi simulate run {name} --seed {seed}{fast})");
        }
        let failed: Vec<_> = self.failed.iter().map(|(seed, what)| json!({"seed": seed, "what": what})).collect();
        let data = json!({ "ok": self.failed.is_empty(), "scenario": name, "seeds": [first, end],
            "worlds": self.worlds, "questions": self.questions, "answered": self.answered, "met_a_fault": self.met,
            "faults": self.injected, "wall_s": wall_s, "failed": failed });
        Report { text, data, good: self.failed.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Scenario {
        Scenario::shipped().into_iter().find(|scenario| scenario.name == "calm").unwrap()
    }

    fn of(scenario: &Scenario, seeds: (u64, u64)) -> Sweep<'_> {
        Sweep { scenario, seeds, cryptography: Cryptography::Toy }
    }

    #[test]
    fn a_range_of_seeds_is_two_numbers_the_first_below_the_second() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        for wrong in ["", "3", "5..3", "3..3", "a..b", "0..1000001"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_play_that_panics_is_reported_with_its_seed_and_loses_no_other() {
        let calm = calm();
        let mut sums = Sums::new(of(&calm, (7, 9)));
        sums.take::<String>(7, Err("out of ink".to_owned()));
        sums.take::<String>(8, Ok(Err("no stage".to_owned())));
        let report = sums.report(of(&calm, (7, 9)), 0.0);
        assert!(!report.good);
        assert!(report.text.contains("種 7: panic: out of ink") && report.text.contains("種 8: no stage"));
    }

    #[test]
    fn a_sweep_that_was_stopped_plays_only_what_is_missing_and_adds_up_to_the_same() {
        let (calm, folder) = (calm(), tempfile::tempdir().unwrap());
        let path = folder.path().join("state");
        let sums = |seeds: &[u64]| {
            let mut sums = Sums::new(of(&calm, (1, 5)));
            seeds.iter().for_each(|seed| sums.take(*seed, Ok(play(&calm, *seed, Cryptography::Toy))));
            sums
        };
        let stopped = sums(&[1, 3]);
        assert_eq!((stopped.below, stopped.beyond.len()), (2, 1));
        stopped.write(&path).unwrap();
        sweep(of(&calm, (1, 5)), 2, Some(&path), &|| ()).unwrap();
        assert_eq!(Sums::read(&path, of(&calm, (1, 5))).unwrap(), sums(&[1, 2, 3, 4]));
        assert_eq!(Sums::read(&path, of(&calm, (1, 6))).unwrap_err().code, Code::Usage);
    }
}
