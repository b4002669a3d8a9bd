//! The scenes in which records are written: a change of level decided for a day that is past, and a care manager's plan.

use node::dice::OsDice;
use protocol::date::Date;
use protocol::record::version::RecordId;
use rand_core::Rng as _;
use serde_json::{Value, json};
use simulations::population::Invented;

use super::{Step, leaf, question, set, word};
use crate::demo::stage::{CITY, HELPERS, PLANNER, Stage, is_client, now};
use crate::line::Line;

/// What must come of a change of level.
pub(super) const CHANGED: &str = "kept before-the-day:old today:new today-as-known-before:old";
/// What must come of a plan.
pub(super) const WRITTEN: &str = "kept kept proven refused:not-permitted two-versions";

/// The insurer decides today that somebody's level is another since the day they applied: what is asked for three points
/// in time is right for each.
pub(super) fn level_is_changed(stage: &mut Stage) -> Result<Step, String> {
    let today = Date::from_timestamp_japan(now());
    let applied = today.plus_days(-APPLIED_BEFORE_DAYS).ok_or("no such day")?;
    let before = applied.previous_day().ok_or("no such day")?;
    let until = today.plus_months(11).ok_or("no such day")?.month_end();
    let city = stage.line(CITY)?.clone();
    let officer = ("municipal-officer", "certification");
    let is_held =
        |person: &Invented, day| certified(&city, person, officer, day, None).is_ok_and(|found| found.is_some());
    let is_wanted = |person: &Invented| is_client(person, PLANNER) && is_held(person, before) && is_held(person, today);
    let person = stage.person(CITY, is_wanted)?;
    let old = certified(&city, &person, officer, before, None)?.ok_or("nothing is certified")?;
    let old_level = level(&old);
    let new_level = if old_level == "25" { "24" } else { "25" };
    let mut content = content(&old);
    for (name, value) in [
        ("application_date", applied.to_string()),
        ("application_by_law", "3".to_owned()),
        ("previous_level", old_level.clone()),
        ("decided_on", today.to_string()),
        ("care_level", new_level.to_owned()),
        ("valid_from", applied.to_string()),
        ("valid_to", until.to_string()),
    ] {
        set(&mut content, name, json!(value));
    }
    // The steps of the certification before are none of this one.
    drop_steps(&mut content);
    let number = old.get("number").and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
    let mut ask = question(&person, officer.0, officer.1, &[]);
    set(
        &mut ask,
        "submit",
        json!([
            { "kind": "certification-result", "id": old.get("id"), "number": number, "status": "amended",
              "valid_from": old.get("valid_from"), "valid_to": before.to_string(), "content": self::content(&old) },
            { "kind": "certification-result", "id": fresh_id(), "status": "final",
              "valid_from": applied.to_string(), "valid_to": until.to_string(), "content": content },
        ]),
    );
    let decided = city.ask(&ask)?;
    let recorded = decided.pointer("/kept/0/recorded_at_ms").and_then(Value::as_u64);
    let planner = stage.line(PLANNER)?;
    let read = |day, known_at| {
        let found = certified(planner, &person, ("care-manager", "care-planning"), day, known_at)?;
        let found = found.map(|version| level(&version));
        Ok::<_, String>(match found.as_deref() {
            Some(level) if level == new_level => "new",
            Some(level) if level == old_level => "old",
            Some(_) => "another",
            None => "none",
        })
    };
    let then = read(before, None)?;
    let today_now = read(today, None)?;
    let known_before = read(today, recorded.map(|at| at.saturating_sub(1)))?;
    let outcome =
        format!("{} before-the-day:{then} today:{today_now} today-as-known-before:{known_before}", kept(&decided));
    let (leaf, day) = (leaf(&decided), applied.to_japanese());
    let seen = vec![
        format!("{day}申請・本日決定: 区分 {old_level} → {new_level} (江戸川区の台帳の {leaf} 番)"),
        format!("申請日の前日: {then} / 本日: {today_now} / 本日を、決定の前に分かっていたことで: {known_before}"),
    ];
    Ok(Step::new(CHANGED, outcome, seen))
}

/// A care manager hands in a plan and corrects it; the helpers, who read it, may not write one.
pub(super) fn plan_is_written(stage: &mut Stage) -> Result<Step, String> {
    let today = Date::from_timestamp_japan(now());
    let client = stage.person(CITY, |person| is_client(person, PLANNER) && is_client(person, HELPERS))?;
    let planner = stage.line(PLANNER)?.clone();
    let reading = question(&client, "care-manager", "care-planning", &["care-plan"]);
    let shown = planner.ask(&reading)?;
    let mut content = shown.pointer("/records/0/versions/0").map(content).ok_or("no plan is in force")?;
    // The plan in force may be of the level before: what is handed in names the one that is certified today.
    let certified = certified(&planner, &client, ("care-manager", "care-planning"), today, None)?;
    set(&mut content, "care_level", json!(certified.as_ref().map(level)));
    let id = fresh_id();
    let submit = |line: &Line, job: &str, number: u64, status: &str| {
        let mut ask = question(&client, job, "care-planning", &[]);
        let slip = json!([{ "kind": "care-plan", "id": id, "number": number, "status": status,
            "valid_from": today.to_string(), "valid_to": null, "content": content }]);
        set(&mut ask, "submit", slip);
        line.ask(&ask)
    };
    let first = submit(&planner, "care-manager", 1, "final")?;
    let second = submit(&planner, "care-manager", 2, "amended")?;
    let helpers = submit(stage.line(HELPERS)?, "care-worker", 3, "amended")?;
    let mut every = reading;
    set(&mut every, "every_version", json!(true));
    let every = planner.ask(&every)?;
    let versions = every.pointer("/records/0/versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_own = |version: &&Value| version.get("id").and_then(Value::as_str) == Some(id.as_str());
    let own: Vec<_> = versions.iter().filter(is_own).collect();
    let is_proven = own.iter().all(|version| version.get("author_proven") == Some(&json!(true)));
    let proven = if is_proven { "proven" } else { "not-proven" };
    let count = if own.len() == 2 { "two-versions".to_owned() } else { format!("{} versions", own.len()) };
    let outcome = format!("{} {} {proven} {} {count}", kept(&first), kept(&second), word(&helpers));
    let (first, second) = (leaf(&first), leaf(&second));
    let seen = vec![
        format!("提出と訂正: 江戸川区の台帳の {first} 番と {second} 番。前の版も残り、どちらにも作成者の署名が付く"),
        format!("訪問介護事業所が訂正しようとする: {}", word(&helpers)),
    ];
    Ok(Step::new(WRITTEN, outcome, seen))
}

/// How long before today the change of level was applied for.
const APPLIED_BEFORE_DAYS: i64 = 20;

/// The one certification in force on a day.
fn certified(
    line: &Line,
    person: &Invented,
    (job, purpose): (&str, &str),
    day: Date,
    known_at: Option<u64>,
) -> Result<Option<Value>, String> {
    let mut ask = question(person, job, purpose, &["certification-result"]);
    set(&mut ask, "valid_on", json!(day.to_string()));
    set(&mut ask, "known_at_ms", json!(known_at));
    let answer = line.ask(&ask)?;
    let versions = answer.pointer("/records/0/versions").and_then(Value::as_array).map(Vec::as_slice);
    Ok(match versions.unwrap_or_default() {
        [one] => Some(one.clone()),
        _ => None,
    })
}

/// The record of a version as it is handed in again.
fn content(version: &Value) -> Value {
    let mut content = version.get("record").cloned().unwrap_or_default();
    if let Some(fields) = content.as_object_mut() {
        fields.remove("masked");
    }
    content
}

fn drop_steps(content: &mut Value) {
    if let Some(fields) = content.as_object_mut() {
        fields.retain(|name, _value| !name.ends_with("_on") || name == "decided_on");
    }
}

fn level(version: &Value) -> String {
    version.pointer("/record/care_level").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn kept(answer: &Value) -> String {
    if answer.get("kept").is_some() { "kept".to_owned() } else { format!("{} {:?}", word(answer), answer.get("flaws")) }
}

fn fresh_id() -> String {
    let mut bytes = [0; 16];
    OsDice.fill_bytes(&mut bytes);
    RecordId::from_bytes(bytes).to_string()
}
