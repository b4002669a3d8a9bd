//! Shrinking (縮小): of a scenario under which something fails, a smaller one under which it still does. What failing is
//! and how it is played, it does not know.

use toml::Spanned;

use crate::scenario::{Faults, Scenario};

/// The most scenarios that are tried.
pub const TRIES_MAX: usize = 400;

/// The smallest scenario found under which `fails` still says so; `whole` must fail.
pub fn shrink(whole: Scenario, fails: &mut dyn FnMut(&Scenario) -> bool) -> Scenario {
    let mut least = whole;
    let mut tries = 0;
    loop {
        let candidates = smaller(&least);
        let next = candidates.into_iter().take(TRIES_MAX.saturating_sub(tries)).find(|candidate| {
            tries = tries.saturating_add(1);
            fails(candidate)
        });
        match next {
            Some(next) => least = next,
            None => return least,
        }
    }
}

/// Each a little smaller, the largest steps first. Each is a scenario that can be read.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |edit: &dyn Fn(&mut Scenario)| {
        let mut candidate = scenario.clone();
        edit(&mut candidate);
        let read = candidate.to_toml().and_then(|text| Scenario::parse(&text).ok());
        all.extend(read.filter(|read| read.to_toml() != scenario.to_toml()));
    };
    for at in 0..scenario.storm.spells.len() {
        with(&|scenario| {
            scenario.storm.spells.remove(at);
        });
    }
    for at in 0..scenario.storm.adversaries.len() {
        with(&|scenario| {
            scenario.storm.adversaries.remove(at);
        });
    }
    for forget in FORGET {
        with(&|scenario| forget(&mut scenario.storm.faults));
    }
    with(&|scenario| scenario.storm.changes = None);
    with(&|scenario| scenario.storm.farewells = None);
    with(&|scenario| scenario.world.medical = None);
    for step in [half, less] {
        for number in NUMBERS {
            with(&|scenario| step(number(scenario)));
        }
        with(&|scenario| {
            scenario.storm.faults.crashes.as_mut().into_iter().for_each(step);
        });
    }
    all
}

/// One fault each, with what belongs to it.
const FORGET: [fn(&mut Faults); 5] = [
    |faults| faults.drop = None,
    |faults| (faults.delay, faults.delay_max_ms) = (None, None),
    |faults| faults.duplicate = None,
    |faults| faults.corrupt = None,
    |faults| (faults.crashes, faults.crash_max_s) = (None, None),
];

/// Every number that can be smaller.
const NUMBERS: [fn(&mut Scenario) -> &mut Spanned<u64>; 6] = [
    |scenario| &mut scenario.storm.questions,
    |scenario| &mut scenario.calm.questions,
    |scenario| &mut scenario.world.persons,
    |scenario| &mut scenario.world.offices,
    |scenario| &mut scenario.world.hospitals,
    |scenario| &mut scenario.world.insurers,
];

fn half(number: &mut Spanned<u64>) {
    *number.get_mut() = (*number.get_ref() / 2).max(1);
}

fn less(number: &mut Spanned<u64>) {
    *number.get_mut() = number.get_ref().saturating_sub(1).max(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Scenario {
        Scenario::shipped().into_iter().find(|scenario| scenario.name == name).unwrap()
    }

    #[test]
    fn what_has_no_say_in_the_failure_goes_and_what_has_stays() {
        let least = shrink(named("everything"), &mut |scenario| {
            let has_spell = scenario.storm.spells.iter().any(|spell| spell.get_ref().from_question == 40);
            has_spell && *scenario.storm.questions.get_ref() >= 70 && scenario.storm.faults.duplicate.is_some()
        });
        assert_eq!(least.storm.spells.len(), 1);
        assert!(least.storm.adversaries.is_empty() && least.storm.changes.is_none() && least.world.medical.is_none());
        assert!(least.storm.faults.duplicate.is_some() && least.storm.faults.drop.is_none());
        let sizes = [&least.storm.questions, &least.calm.questions, &least.world.persons, &least.world.insurers];
        assert_eq!(sizes.map(|size| *size.get_ref()), [70, 1, 1, 1]);
    }

    #[test]
    fn a_failure_that_needs_everything_shrinks_to_itself() {
        let whole = named("lossy");
        let text = whole.to_toml();
        let least = shrink(whole, &mut |scenario| scenario.to_toml() == text);
        assert_eq!(least.to_toml(), text);
    }

    #[test]
    fn every_shipped_scenario_is_the_same_after_it_was_written_and_read() {
        for scenario in Scenario::shipped() {
            let again = Scenario::parse(&scenario.to_toml().unwrap()).unwrap();
            assert_eq!(again.to_toml(), scenario.to_toml());
        }
    }
}
