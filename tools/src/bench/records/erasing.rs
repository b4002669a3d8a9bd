//! The erasing: everything of some persons erased one after the other through the node's office API, by an officer of the
//! insurer. Each writes the file of keys anew, which grows with the persons: this says what that costs.

use std::time::Instant;

use protocol::id::person::PersonId;
use serde_json::json;
use simulations::population::{self, Plan};

use super::reading::Latencies;
use crate::line::Line;

/// Erases the first `count` certified persons of `plan`.
pub(super) fn erase(line: &Line, plan: &Plan, count: usize) -> Result<Latencies, String> {
    let mut took = Latencies::default();
    for person in population::persons(plan).filter(|person| person.care_level().is_some()).take(count) {
        let person = PersonId::new(plan.insurer, person.insured().clone());
        let question = json!({
            "person": { "insurer": person.insurer().to_string(), "insured": person.insured().expose() },
            "staff": { "id": "officer-1", "job": "municipal-officer" },
            "purpose": "benefit-administration",
            "erase": "person",
        });
        let began = Instant::now();
        let answer = line.ask(&question)?;
        if answer.get("erased").is_none() {
            return Err("a person was not erased".to_owned());
        }
        took.push(began.elapsed());
    }
    Ok(took)
}
