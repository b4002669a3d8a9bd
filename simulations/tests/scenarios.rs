//! Every shipped scenario keeps every guarantee, and one seed is one run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use simulations::guarantee;
use simulations::play::{Cryptography, Played, play};
use simulations::scenario::Scenario;

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

/// Seeds that once found something, in the network or in the simulator itself.
const FINDERS: [(&str, u64); 2] = [("lossy", 1), ("earthquake", 556)];

#[test]
fn the_seeds_that_once_found_something_hold() {
    let shipped = Scenario::shipped();
    for (name, seed) in FINDERS {
        let scenario = shipped.iter().find(|scenario| scenario.name == name).unwrap();
        let played = play(scenario, seed, Cryptography::Full).unwrap();
        assert!(played.is_good(), "{name} {seed}: {played:#?}");
    }
}

#[test]
fn the_toy_cryptography_tells_the_same_story_as_the_full_one() {
    // An adversary that picks among bytes picks other ones under other cryptography.
    for scenario in Scenario::shipped().iter().filter(|scenario| scenario.storm.adversaries.is_empty()) {
        let [full, toy] = [Cryptography::Full, Cryptography::Toy].map(|what| play(scenario, 3, what).unwrap());
        assert_ne!(full.digest, toy.digest, "{}: other bytes were sent", scenario.name);
        assert_eq!(Played { digest: full.digest, ..toy }, full, "{}", scenario.name);
    }
}
