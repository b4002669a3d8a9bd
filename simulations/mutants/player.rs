//! Plays a scenario with a planted defect in it, seed after seed, until the guarantee that must notice returns a
//! violation. Built by `runner.rs` from a mutated copy of the sources; says nothing of any other guarantee.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that the runner reads")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use serde_json::json;
use simulations::play::{Cryptography, play};
use simulations::scenario::Scenario;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let shipped = Scenario::shipped();
    let wanted = match arguments.as_slice() {
        [scenario, guarantee, seeds] => {
            let scenario = shipped.iter().find(|known| known.name == *scenario);
            scenario.zip(seeds.parse().ok()).map(|(scenario, seeds)| (scenario, guarantee, seeds))
        }
        _ => None,
    };
    let Some((scenario, guarantee, seeds)) = wanted else {
        eprintln!("mutant SCENARIO GUARANTEE SEEDS");
        return ExitCode::from(2);
    };
    let needed = (1..=seeds).find(|seed| is_broken(scenario, guarantee, *seed));
    println!("{}", json!({ "seeds_needed": needed }));
    ExitCode::SUCCESS
}

/// Whether the guarantee's own function returned a violation; a panic is none.
fn is_broken(scenario: &Scenario, guarantee: &str, seed: u64) -> bool {
    let played = catch_unwind(AssertUnwindSafe(|| play(scenario, seed, Cryptography::Full)));
    let Ok(Ok(played)) = played else { return false };
    played.guarantees.iter().any(|verdict| verdict.name == guarantee && !verdict.violations.is_empty())
}
