//! Every shipped scenario keeps every guarantee, and one seed is one run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use protocol::id::party::PartyKind;
use simulations::guarantee;
use simulations::play::{Cryptography, play, replay};
use simulations::played::{Course, Played};
use simulations::scenario::{Ill, Scenario};

#[test]
fn every_shipped_scenario_keeps_every_guarantee_and_one_seed_is_one_run() {
    let mut tried = BTreeSet::new();
    for scenario in Scenario::shipped() {
        let play = |seed| play(&scenario, seed, Cryptography::Full).unwrap();
        let first = play(1);
        assert!(first.is_good(), "{}: {first:#?}", scenario.name);
        assert_eq!(first, play(1), "{}", scenario.name);
        assert_ne!(first.digest, play(2).digest, "{}: another seed is another run", scenario.name);
        tried.extend(first.guarantees.iter().filter(|verdict| verdict.evaluated > 0).map(|verdict| verdict.name));
    }
    assert_eq!(tried.len(), guarantee::ALL.len(), "only these were ever tried: {tried:?}");
}

#[test]
fn a_sample_of_the_nation_asks_every_insurer_by_its_real_number() {
    let nation = include_str!("../scenarios/large/nation.toml");
    let small = [("offices = 5000", "offices = 800"), ("hospitals = 400", "hospitals = 60"), ("60000", "400")];
    let small = small.iter().fold(nation.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let scenario = Scenario::parse(&small).unwrap();
    let played = play(&scenario, 1, Cryptography::Toy).unwrap();
    let violations: Vec<_> = played.guarantees.iter().flat_map(|verdict| &verdict.violations).collect();
    assert!(violations.is_empty(), "{violations:?}");
    assert!(played.answered > 200 && played.answered == played.questions, "{} {}", played.answered, played.questions);
    let insurers = played.ledgers.iter().filter(|(party, ..)| party.kind() == PartyKind::Insurer).count();
    assert_eq!(insurers, 1_571);
}

/// Scenarios that once found something, in the network or in the simulator itself, each under the seed that found it.
const FINDERS: [(&str, u64); 5] = [
    (include_str!("../regressions/presentation-lost.toml"), 2),
    (include_str!("../regressions/consent-given-anew.toml"), 115),
    (include_str!("../regressions/log-key-retired.toml"), 57),
    (include_str!("../regressions/answer-marked.toml"), 60),
    (include_str!("../regressions/line-damaged.toml"), 20_787_050),
];

#[test]
fn the_seeds_that_once_found_something_hold() {
    for (text, seed) in FINDERS {
        let scenario = Scenario::parse(text).unwrap();
        let played = play(&scenario, seed, Cryptography::Full).unwrap();
        assert!(played.is_good(), "{} {seed}: {played:#?}", scenario.name);
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the folder lies beside the test")]
fn every_file_of_a_regression_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), FINDERS.len());
}

#[test]
fn a_question_that_is_played_again_shows_its_request_its_answer_and_what_was_told() {
    let shipped = Scenario::shipped();
    let lossy = shipped.iter().find(|scenario| scenario.name == "lossy").unwrap();
    let played = play(lossy, 1, Cryptography::Toy).unwrap();
    let is_late = |course: &Course| course.ended_at.is_some_and(|at| at.ms() > course.asked_at.ms() + 4000);
    let late: Vec<_> = (1..).zip(&played.courses).filter(|(_number, course)| is_late(course)).collect();
    let told = late.into_iter().flat_map(|(number, expected)| {
        let (course, happenings) = replay(lossy, 1, Cryptography::Toy, number).unwrap().unwrap();
        assert_eq!(course, *expected);
        happenings
    });
    let told: Vec<_> = told.map(|happening| happening.what).collect();
    for needed in ["request (", "answer (", "told: ", ", lost", " ms late"] {
        assert!(told.iter().any(|what| what.contains(needed)), "{needed}: {told:#?}");
    }
    assert_eq!(replay(lossy, 1, Cryptography::Toy, 10_000).unwrap(), None);
}

#[test]
fn the_toy_cryptography_tells_the_same_story_as_the_full_one() {
    // Where a bit flips, when a disk is full, and what an adversary picks among bytes, is another thing under other
    // cryptography.
    let is_blind =
        |scenario: &Scenario| scenario.storm.adversaries.is_empty() && scenario.storm.faults.corrupt.is_none();
    let mut shipped = Scenario::shipped();
    shipped.retain(is_blind);
    assert!(shipped.len() > 9);
    for scenario in &mut shipped {
        scenario.storm.spells.retain(|spell| !matches!(spell.get_ref().what, Ill::DiskFull | Ill::BitRot));
    }
    for scenario in &shipped {
        let [full, toy] = [Cryptography::Full, Cryptography::Toy].map(|what| play(scenario, 3, what).unwrap());
        assert_ne!(full.digest, toy.digest, "{}: other bytes were sent", scenario.name);
        let sizes =
            |played: &Played| played.ledgers.iter().map(|(_party, _epoch, size, _root)| *size).collect::<Vec<_>>();
        assert_eq!(sizes(&full), sizes(&toy), "{}", scenario.name);
        let toy = Played { digest: full.digest, ledgers: full.ledgers.clone(), ..toy };
        assert!(toy == full, "{}", scenario.name);
    }
}
