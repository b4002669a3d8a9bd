//! The report as data, in the form that `report.schema.json` names. Says the same as the page, whole where that is cut
//! short.

use serde_json::{Value, json};
use simulations::play::Cryptography;
use simulations::played::Played;

use super::{Act, Dossier, count, ends, picture};

/// The form of the data (JSON Schema 2020-12).
pub(super) const SCHEMA: &str = include_str!("../../report.schema.json");

/// The data.
pub(super) fn of(dossier: &Dossier) -> Value {
    let guarantees = dossier.guarantees().into_iter().map(|(name, sum)| {
        let violations = sum
            .violations
            .iter()
            .map(|violation| json!({"scenario": violation.scenario, "seed": violation.seed, "what": violation.what}));
        json!({"name": name, "evaluated": sum.evaluated, "violations": violations.collect::<Vec<_>>()})
    });
    let faults = dossier.faults().into_iter().map(|(name, _japanese, injected, met, broken)| {
        json!({"name": name, "injected": injected, "questions_met": met, "guarantees_broken": broken})
    });
    let mutants = dossier.mutants.as_ref().map(|mutants| {
        let mutants = mutants.iter().map(
            |mutant| json!({"name": mutant.name, "caught_by": mutant.caught_by, "seeds_needed": mutant.seeds_needed}),
        );
        mutants.collect::<Vec<_>>()
    });
    let keepers = dossier.keepers().into_iter().map(|(kind, (hosts, rows, readable))| {
        json!({"kind": kind, "hosts": hosts, "rows": rows, "rows_with_a_number": readable})
    });
    json!({
        "ok": dossier.is_good(),
        "version": env!("CARGO_PKG_VERSION"),
        "cryptography": if dossier.cryptography == Cryptography::Full { "full" } else { "toy" },
        "guarantees": guarantees.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "mutants": mutants,
        "keepers": keepers.collect::<Vec<_>>(),
        "scenarios": dossier.acts.iter().map(act).collect::<Vec<_>>(),
    })
}

fn act(act: &Act) -> Value {
    let waits = act.waits();
    let broken = act.broken.iter().map(|(seed, what)| json!({"seed": seed, "what": what}));
    json!({
        "name": act.scenario.name,
        "japanese": act.scenario.japanese,
        "waits_ms": {"p50": waits.p50, "p90": waits.p90, "p99": waits.p99, "max": waits.max},
        "not_played": broken.collect::<Vec<_>>(),
        "plays": act.plays.iter().map(|(seed, played)| play(*seed, played)).collect::<Vec<_>>(),
    })
}

fn play(seed: u64, played: &Played) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ends: serde_json::Map<_, _> =
        ends(played).into_iter().map(|(end, count)| (picture::class(end).to_owned(), json!(count))).collect();
    let forks = played.forks.iter().map(|fork| {
        json!({"party": fork.party.to_string(), "cosigned": fork.is_cosigned, "found_after_ms": fork.found_after_ms})
    });
    let ledgers = played.ledgers.iter().map(|(party, epoch, leaves, root)| {
        json!({"party": party.to_string(), "epoch": epoch, "leaves": leaves, "root": hex(root.as_bytes())})
    });
    let unreached = played.sometimes.iter().filter(|(_goal, reached)| !reached).map(|(goal, _reached)| json!(goal));
    json!({
        "seed": seed,
        "digest": hex(played.digest.as_bytes()),
        "simulated_s": played.passed.ms() / 1000,
        "events": played.events,
        "questions": played.questions,
        "questions_that_met_a_fault": count(played.courses.iter().filter(|course| course.met_fault).count()),
        "ends": ends,
        "never_happened": unreached.collect::<Vec<_>>(),
        "forks": forks.collect::<Vec<_>>(),
        "ledgers": ledgers.collect::<Vec<_>>(),
    })
}

/// Asserts that a value is of a schema: its type, each property named and none missing.
#[cfg(test)]
pub(super) fn fits(root: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let part = root.pointer(name.trim_start_matches('#'));
        return fits(root, part.unwrap_or(&Value::Null), value, place);
    }
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind) => vec![kind.clone()],
        None => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&json!(kind)), "{place}: {kind} is none of {kinds:?}");
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        list.iter().for_each(|item| fits(root, items, item, &format!("{place}[]")));
    }
    let Some(object) = value.as_object() else { return };
    if let Some(each) = schema.get("additionalProperties").filter(|each| each.is_object()) {
        return object.iter().for_each(|(key, value)| fits(root, each, value, &format!("{place}.{key}")));
    }
    let named = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys(&named), keys(object), "{place}");
    object.iter().for_each(|(key, value)| fits(root, &named[key], value, &format!("{place}.{key}")));
}
