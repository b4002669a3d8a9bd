//! `tsunagi simulate`: plays scenarios in the simulator and says which guarantees were tried, how often, and whether
//! each held. What is right is decided in the crate `simulations`; here it is started, counted and printed.

use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use protocol::time::Span;
use serde_json::{Value, json};
use simulations::play::{Cryptography, Played, play, replay};
use simulations::scenario::Scenario;

use crate::files;
use crate::message::{Code, Report, Trouble};

/// The most seeds of one sweep.
const SEEDS_MAX: u64 = 1_000_000;
/// The most plays at the same time.
const JOBS_MAX: usize = 64;

/// The scenarios that come with the programme.
pub fn list() -> Report {
    let shipped = Scenario::shipped();
    let text: Vec<_> = shipped.iter().map(|scenario| format!("{:<22} {}", scenario.name, scenario.japanese)).collect();
    let data: Vec<_> =
        shipped.iter().map(|scenario| json!({"name": scenario.name, "japanese": scenario.japanese})).collect();
    Report::good(text.join("\n"), data.into())
}

/// The scenario of that name, or in that file.
///
/// # Errors
/// [`Code::Usage`] for a name that is neither, [`Code::File`] or [`Code::Scenario`] with the line for a file.
pub fn scenario(named: &str) -> Result<Scenario, Trouble> {
    let shipped = Scenario::shipped();
    if let Some(known) = shipped.iter().find(|scenario| scenario.name == named) {
        return Ok(known.clone());
    }
    let path = Path::new(named);
    if !path.exists() {
        let names: Vec<_> = shipped.iter().map(|scenario| scenario.name.as_str()).collect();
        return Err(Trouble::new(Code::Usage, format!("筋書 {named} がありません。備え付け: {}", names.join(", "))));
    }
    Scenario::parse(&files::read_text(path)?).map_err(|error| Trouble::new(Code::Scenario, format!("{named}: {error}")))
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

/// With what to play, as the command line says.
pub const fn cryptography(fast: bool) -> Cryptography {
    if fast { Cryptography::Toy } else { Cryptography::Full }
}

/// Plays one seed.
///
/// # Errors
/// [`Code::Scenario`] if the world of the scenario cannot be made.
pub fn run(scenario: &Scenario, seed: u64, cryptography: Cryptography) -> Result<Report, Trouble> {
    let began = Instant::now();
    let played = play(scenario, seed, cryptography).map_err(|error| Trouble::new(Code::Scenario, error))?;
    let wall_s = began.elapsed().as_secs_f64();
    Ok(Report {
        text: told(scenario, seed, &played),
        data: data(scenario, seed, &played, wall_s),
        good: played.is_good(),
    })
}

/// Plays every seed, `jobs` at a time; a play that panics is reported like one that fails.
pub fn sweep(
    scenario: &Scenario,
    seeds: Range<u64>,
    jobs: usize,
    cryptography: Cryptography,
    tick: &(dyn Fn() + Sync),
) -> Report {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let sums = Mutex::new(Sums::default());
    std::thread::scope(|scope| {
        for _job in 0..jobs.clamp(1, JOBS_MAX) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = catch_unwind(AssertUnwindSafe(|| play(scenario, seed, cryptography)));
                    if let Ok(mut sums) = sums.lock() {
                        sums.take(seed, played.map_err(|panic| said(panic.as_ref())));
                    }
                    tick();
                }
            });
        }
    });
    let mut sums = sums.into_inner().unwrap_or_default();
    sums.failed.sort_unstable();
    let wall_s = began.elapsed().as_secs_f64();
    sums.report(scenario, &seeds, wall_s)
}

/// Makes a scenario smaller under which the same is still broken, and writes it as a file to be played again.
///
/// # Errors
/// [`Code::File`] if the file cannot be written.
pub fn shrink(
    scenario: Scenario,
    seed: u64,
    cryptography: Cryptography,
    out: &Path,
    tick: &dyn Fn(),
) -> Result<Report, Trouble> {
    let Some(what) = broken(&scenario, seed, cryptography) else {
        let text = format!("筋書 {} の種 {seed} では何も破られません。縮めるものはありません", scenario.name);
        return Ok(Report::good(text, json!({"scenario": scenario.name, "seed": seed, "what": null, "file": null})));
    };
    let name = scenario.name.clone();
    let least = simulations::shrink::shrink(scenario, &mut |smaller| {
        tick();
        broken(smaller, seed, cryptography).as_ref() == Some(&what)
    });
    let text = least.to_toml().unwrap_or_default();
    files::replace(out, format!("# {name}, seed {seed}: {what}\n{text}").as_bytes(), 0o644)?;
    let fast = if cryptography == Cryptography::Toy { " --fast" } else { "" };
    Ok(Report::good(
        format!("{what}\ntsunagi simulate run {} --seed {seed}{fast}", out.display()),
        json!({"scenario": name, "seed": seed, "what": what, "file": out.display().to_string()}),
    ))
}

/// The first guarantee that does not hold, or that the play panics.
fn broken(scenario: &Scenario, seed: u64, cryptography: Cryptography) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| play(scenario, seed, cryptography))) {
        Ok(Ok(played)) => {
            let broken = played.guarantees.iter().find(|verdict| !verdict.violations.is_empty());
            broken.map(|verdict| verdict.name.to_owned())
        }
        Ok(Err(error)) => Some(error.to_string()),
        Err(_panic) => Some("panic".to_owned()),
    }
}

/// Plays one seed again and tells the course of one question: what passed to and from its asker while it was open.
///
/// # Errors
/// [`Code::Usage`] if there was no such question, [`Code::Scenario`] if the world of the scenario cannot be made.
pub fn trace(scenario: &Scenario, seed: u64, cryptography: Cryptography, question: usize) -> Result<Report, Trouble> {
    let replayed =
        replay(scenario, seed, cryptography, question).map_err(|error| Trouble::new(Code::Scenario, error))?;
    let Some((course, happenings)) = replayed else {
        return Err(Trouble::new(Code::Usage, format!("筋書 {} に照会 {question} はありません", scenario.name)));
    };
    let since = |at: Span| at.ms().saturating_sub(course.asked_at.ms());
    let mut text = format!(
        "照会 {question}: {} が保険者 {} の被保険者について尋ねた({} ms)",
        course.asker,
        course.insurer,
        course.asked_at.ms()
    );
    for happening in &happenings {
        let to = happening.to.as_ref().map_or_else(String::new, |to| format!(" → {to}"));
        let _written = write!(text, "\n{:>7} ms  {}{to}: {}", since(happening.at), happening.who, happening.what);
    }
    let end =
        course.ended_at.map_or_else(|| "告げられずに終わった".to_owned(), |at| format!("{} ms で終わった", since(at)));
    let _written = write!(text, "\n{end}");
    let lines: Vec<_> = happenings
        .iter()
        .map(|happening| {
            json!({"ms": since(happening.at), "who": happening.who.to_string(), "what": happening.what,
                "to": happening.to.as_ref().map(ToString::to_string)})
        })
        .collect();
    let data = json!({"scenario": scenario.name, "seed": seed, "question": question, "asker": course.asker.to_string(),
        "asked_ms": course.asked_at.ms(), "ended_ms": course.ended_at.map(Span::ms), "lines": lines});
    Ok(Report::good(text, data))
}

/// What a sweep adds up.
#[derive(Default)]
struct Sums {
    worlds: u64,
    questions: u64,
    answered: u64,
    met: u64,
    injected: u64,
    failed: Vec<(u64, String)>,
}

impl Sums {
    fn take<E: core::fmt::Display>(&mut self, seed: u64, played: Result<Result<Played, E>, String>) {
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

    fn report(&self, scenario: &Scenario, seeds: &Range<u64>, wall_s: f64) -> Report {
        let mut text = format!(
            "筋書 {} の種 {}..{}: 世界 {}、照会 {}、応答 {}、障害に遭った照会 {}、注入した障害 {}、{wall_s:.1} 秒",
            scenario.name, seeds.start, seeds.end, self.worlds, self.questions, self.answered, self.met, self.injected
        );
        let verdict = if self.failed.is_empty() {
            "\nすべての保証が保たれました"
        } else {
            "\n破られた保証があります:"
        };
        text.push_str(verdict);
        for (seed, what) in &self.failed {
            let _written = write!(text, "\n  種 {seed}: {what}(tsunagi simulate run {} --seed {seed})", scenario.name);
        }
        let failed: Vec<_> = self.failed.iter().map(|(seed, what)| json!({"seed": seed, "what": what})).collect();
        let data = json!({ "ok": self.failed.is_empty(), "scenario": scenario.name, "seeds": [seeds.start, seeds.end],
            "worlds": self.worlds, "questions": self.questions, "answered": self.answered, "met_a_fault": self.met, "faults": self.injected,
            "wall_s": wall_s, "failed": failed });
        Report { text, data, good: self.failed.is_empty() }
    }
}

fn told(scenario: &Scenario, seed: u64, played: &Played) -> String {
    let faults: Vec<_> = played.injected.named().iter().map(|(_name, what, count)| format!("{what} {count}")).collect();
    let mut text = format!(
        "筋書 {}({})、種 {seed}、痕跡 {}\n模擬時間 {} 秒、出来事 {}、照会 {}、応答 {}、障害: {}",
        scenario.name,
        scenario.japanese,
        hex(&played.digest),
        played.passed.ms() / 1000,
        played.events,
        played.questions,
        played.answered,
        faults.join(" ")
    );
    for verdict in &played.guarantees {
        let mark = if verdict.violations.is_empty() { "可" } else { "否" };
        let _written = write!(text, "\n{mark} {}({} 回確認)", verdict.name, verdict.evaluated);
        for violation in &verdict.violations {
            let _written = write!(text, "\n    {violation}");
        }
    }
    for (goal, _reached) in played.sometimes.iter().filter(|(_goal, reached)| !reached) {
        let _written = write!(text, "\n否 一度も起きなかったこと: {}", json!(goal));
    }
    text
}

fn data(scenario: &Scenario, seed: u64, played: &Played, wall_s: f64) -> Value {
    let guarantees: Vec<_> = played
        .guarantees
        .iter()
        .map(|verdict| json!({"name": verdict.name, "evaluated": verdict.evaluated, "violations": verdict.violations}))
        .collect();
    let sometimes: Vec<_> =
        played.sometimes.iter().map(|(goal, reached)| json!({"name": goal, "reached": reached})).collect();
    let faults: serde_json::Map<_, _> =
        played.injected.named().iter().map(|(name, _what, count)| ((*name).to_owned(), json!(count))).collect();
    json!({ "ok": played.is_good(), "scenario": scenario.name, "seed": seed, "digest": hex(&played.digest),
        "simulated_s": played.passed.ms() / 1000, "wall_s": wall_s, "events": played.events,
        "questions": played.questions, "answered": played.answered,
        "faults": faults,
        "guarantees": guarantees, "sometimes": sometimes })
}

fn hex(digest: &protocol::digest::Digest) -> String {
    digest.as_bytes().iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// What a panic said.
pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_is_two_numbers_the_first_below_the_second() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        for wrong in ["", "3", "5..3", "3..3", "a..b", "0..1000001"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_play_that_panics_is_reported_with_its_seed_and_loses_no_other() {
        let mut sums = Sums::default();
        sums.take::<String>(7, Err("out of ink".to_owned()));
        sums.take::<String>(8, Ok(Err("no stage".to_owned())));
        let report = sums.report(&scenario("calm").unwrap(), &(7..9), 0.0);
        assert!(!report.good);
        assert!(report.text.contains("種 7: panic: out of ink") && report.text.contains("種 8: no stage"));
    }
}
