//! `tsunagi demo`: a real network on this machine, and a story that shows what it answers and refuses.
//!
//! Every member is a process of its own on loopback, with keys, ledger and disk of its own. What a step
//! shows comes from the parties' ledgers, their figures and the askers' HTTP answers, never from here.

pub mod laptop;
pub mod stage;
pub mod story;

use std::time::Instant;

use serde_json::{Value, json};

use stage::{Ledger, Stage};
use story::Step;

/// How the demo is played.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// End after the story instead of staying up.
    pub once: bool,
    /// One JSON object on stdout instead of the story.
    pub json: bool,
    /// Invented persons per municipality.
    pub persons: u64,
}

/// Plays the story. True if every step came out as it must.
///
/// # Errors
/// A text for the operator if the network could not be set up.
pub fn play(choice: Choice) -> Result<bool, String> {
    let began = Instant::now();
    let talk = |text: &str| {
        if choice.json { eprintln!("{text}") } else { println!("{text}") }
    };
    talk("繋 — 介護情報を自治体どうしでつなぐ網を、この計算機の上に立ち上げます。");
    let mut stage = Stage::set_up(std::env::current_exe().map_err(|error| error.to_string())?, choice.persons, &talk)?;
    talk(&format!("\n網が動き始めました({} ミリ秒)。物語を始めます。\n", began.elapsed().as_millis()));
    let mut steps = Vec::new();
    for scene in story::SCENES {
        let from = Instant::now();
        let mut step = (scene.play)(&mut stage).unwrap_or_else(Step::broken);
        step.ms = from.elapsed().as_millis();
        talk(&story::paragraph(scene, &step));
        steps.push((scene, step));
    }
    let ledgers = stage.ledgers();
    let is_good = steps.iter().all(|(_scene, step)| step.is_as_it_must());
    talk(&story::closing(is_good, began.elapsed()));
    if choice.json {
        println!("{}", report(is_good, &steps, &ledgers));
    }
    if !choice.once {
        talk(&stage.directions());
        stage.stay();
    }
    Ok(is_good)
}

fn report(is_good: bool, steps: &[(&story::Scene, Step)], ledgers: &[Ledger]) -> Value {
    let steps: Vec<_> = steps
        .iter()
        .map(|(scene, step)| {
            json!({ "id": scene.id, "name": scene.name, "outcome": step.outcome, "expected": scene.expected,
                "ok": step.is_as_it_must(), "ms": step.ms })
        })
        .collect();
    let ledgers: Vec<_> = ledgers
        .iter()
        .map(|ledger| json!({ "node": ledger.party, "entries": ledger.entries, "verified": ledger.verified }))
        .collect();
    json!({ "ok": is_good, "steps": steps, "ledgers": ledgers,
        "versions": { "tsunagi": env!("CARGO_PKG_VERSION"), "wire": 1 } })
}
