//! Every shipped scenario keeps every guarantee, and one seed is one run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use simulations::play::play;
use simulations::scenario::Scenario;

#[test]
fn every_shipped_scenario_keeps_every_guarantee_and_one_seed_is_one_run() {
    for scenario in Scenario::shipped() {
        let (first, second) = (play(&scenario, 1).unwrap(), play(&scenario, 1).unwrap());
        assert!(first.is_good(), "{}: {first:#?}", scenario.name);
        assert_eq!(first, second, "{}", scenario.name);
        assert_ne!(first.digest, play(&scenario, 2).unwrap().digest, "{}: another seed is another run", scenario.name);
        assert!(first.guarantees.iter().all(|verdict| verdict.evaluated > 0), "{}: {first:#?}", scenario.name);
    }
}
