//! `tsunagi simulate`: plays scenarios in the simulator and says which guarantees were tried, how often, and whether
//! each held. What is right is decided in the crate `simulations`; here it is started, counted and printed.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use protocol::time::Span;
use serde_json::{Value, json};
use simulations::play::{Cryptography, play, replay};
use simulations::played::Played;
use simulations::scenario::Scenario;

use crate::files;
use crate::message::{Code, Report, Trouble};

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
pub fn retell(scenario: &Scenario, seed: u64, cryptography: Cryptography, question: usize) -> Result<Report, Trouble> {
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
