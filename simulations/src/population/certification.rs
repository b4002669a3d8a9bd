//! How an invented person's certification went and what it came to (認定申請の進捗, 要介護認定結果).

use super::Invented;
use super::cards::limit_units;
use super::course::{Application, Episode};
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use super::records::State;
use protocol::code::care_level::CareLevel;
use protocol::date::Date;

/// The parts of the minutes of care, and their hundredths of the whole.
const MINUTES: [(&str, u64); 7] = [
    ("meals", 17),
    ("excretion", 18),
    ("moving", 16),
    ("hygiene", 19),
    ("indirect", 10),
    ("behaviour", 7),
    ("training", 6),
];

/// The steps of an application, each with its day, the last being the decision.
pub(super) fn steps(episode: &Episode) -> [(&'static str, Date); 4] {
    [
        ("received", episode.applied),
        ("survey_done", episode.surveyed.max(episode.opinion_requested)),
        ("first_judged", episode.first_judged.max(episode.opinion_received)),
        ("decided", episode.decided),
    ]
}

/// What was known of the application on a day.
pub(super) fn progress(episode: &Episode, step: &str, day: Date) -> Object {
    let dated = [
        ("survey_requested_on", episode.survey_requested),
        ("surveyed_on", episode.surveyed),
        ("opinion_requested_on", episode.opinion_requested),
        ("opinion_received_on", episode.opinion_received),
        ("first_judged_on", episode.first_judged),
    ];
    let progress = Object::new()
        .date("application_date", episode.applied)
        .text("application_at_receipt", episode.application.code())
        .text("step", step);
    let known = dated.into_iter().filter(|(_, known)| *known <= day);
    let progress = known.fold(progress, |progress, (name, known)| progress.date(name, known));
    if step != "decided" {
        return progress;
    }
    progress
        .date("panel_on", episode.decided)
        .date("decided_on", episode.decided)
        .text("care_level", episode.level.as_str())
        .number("valid_months", months(episode).clamp(3, 48))
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
}

/// The application; none of a person without a doctor, or of one before whose time nothing is told.
pub(super) fn application(person: &Invented, episode: &Episode, dice: &mut Dice) -> Option<Object> {
    let (identity, hospital) = (&person.identity, person.life.hospital.as_ref()?);
    let is_new = episode.application == Application::New;
    if episode.applied >= person.setting.today || !is_new && episode.previous.is_none() {
        return None;
    }
    let agent = if person.life.planner.is_some() { dice.word(&["1", "2", "4", "4"]) } else { dice.word(&["1", "2"]) };
    let mut application = Object::new()
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insured_number", identity.insured.expose())
        .date("applied_on", episode.applied)
        .text("application_at_receipt", episode.application.code())
        .text("insured_class", class(person, episode))
        .text("name", &identity.name)
        .text("name_kana", &identity.kana)
        .date("birth_date", identity.birth)
        .text("sex", identity.sex())
        .text("postal_code", &identity.postal_code)
        .text("address", &identity.address)
        .text("phone", &identity.phone)
        .text("agent", agent)
        .object("doctor", Object::new().text("hospital_code", hospital.number()).date("last_seen_on", episode.applied))
        .flag("agrees_to_share", !person.life.consents.is_empty());
    if let (Some(office), "4") = (&person.life.planner, agent) {
        application = application.text("agent_number", office.number());
    }
    if class(person, episode) == "2" {
        let second = Object::new().text("medical_insurer", "架空健康保険組合").text("specific_disease", "10");
        application = application.object("second_class", second);
    }
    if let Some((level, from, to)) = episode.previous {
        application =
            application.text("previous_level", level.as_str()).date("previous_from", from).date("previous_to", to);
    }
    let is_change = episode.application == Application::Change;
    Some(application.some_text("change_reason", is_change.then_some("歩くことが難しくなり、手助けが増えた。")))
}

/// What the insurer keeps of the person as a recipient from a certification on.
pub(super) fn recipient(person: &Invented, episode: &Episode, dice: &mut Dice) -> Object {
    let identity = &person.identity;
    let at_65 = identity.birth.plus_months(65 * 12).and_then(Date::previous_day).unwrap_or(episode.applied);
    let certification = Object::new()
        .date("applied_on", episode.applied)
        .text("application_by_law", episode.application.code())
        .text("care_level", episode.level.as_str())
        .date("from", episode.from)
        .date("to", episode.to);
    let limit = Object::new()
        .number("units", limit_units(episode.level, episode.from))
        .text("from", &month(episode.from))
        .text("to", &month(episode.to));
    let entry = Object::new()
        .date("changed_on", episode.decided)
        .text("change", if episode.application == Application::New { "1" } else { "2" })
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insured_number", identity.insured.expose())
        .text("name_kana", &identity.kana)
        .date("birth_date", identity.birth)
        .text("sex", identity.sex())
        .date("qualified_on", at_65.min(episode.applied))
        .object("certification", certification)
        .object("limit", limit);
    match &person.life.planner {
        Some(office) if person.life.care == Care::Home && dice.happens(19, 20) => {
            let plan = Object::new().text("planning", "1").text("planner_number", office.number());
            entry.object("plan", plan.date("from", person.life.since))
        }
        _ => entry,
    }
}

/// A month as JSON has it.
pub(super) fn month(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// Whose insurance it is (被保険者区分).
fn class(person: &Invented, episode: &Episode) -> &'static str {
    let age = person.identity.birth.age_on(episode.applied).unwrap_or_default();
    match (age >= 65, person.identity.insured.is_assistance_only()) {
        (true, _) => "1",
        (false, true) => "8",
        (false, false) => "2",
    }
}

/// The content of the result.
pub(super) fn result(person: &Invented, episode: &Episode, state: &State, dice: &mut Dice) -> Object {
    let identity = &person.identity;
    let age = identity.birth.age_on(episode.applied).unwrap_or_default();
    let disease = dice.word(&["05", "09", "10", "10", "10", "11", "13", "16"]);
    let mut result = Object::new()
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insured_number", identity.insured.expose())
        .date("application_date", episode.applied)
        .text("application_by_law", episode.application.code())
        .text("application_at_receipt", episode.application.code())
        .text("insured_class", class(person, episode))
        .text("agent", dice.word(&["1", "2", "2", "2", "4", "4"]))
        .date("birth_date", identity.birth)
        .number("age", age)
        .text("sex", identity.sex())
        .text("name_kana", &identity.kana)
        .text("name", &identity.name)
        .text("postal_code", &identity.postal_code)
        .text("address", &identity.address)
        .text("phone", &identity.phone);
    if let Some((level, from, to)) = episode.previous {
        result = result.text("previous_level", level.as_str()).date("previous_from", from).date("previous_to", to);
    }
    if let Some(hospital) = &person.life.hospital {
        result = result.text("hospital_code", hospital.number()).object("opinion", opinion(state));
    }
    result = course(result, episode, state, dice)
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
        .some_text("specific_disease", (age < 65).then_some(disease))
        .text("situation", if person.life.care == Care::Facility { "2" } else { "1" });
    result.text(
        "panel_opinion",
        dice.word(&["特になし。", "転倒に注意し、見守りを続けること。", "口腔機能の維持に努めること。"]),
    )
}

fn course(result: Object, episode: &Episode, state: &State, dice: &mut Dice) -> Object {
    result
        .date("opinion_requested_on", episode.opinion_requested)
        .date("opinion_received_on", episode.opinion_received)
        .date("survey_requested_on", episode.survey_requested)
        .date("surveyed_on", episode.surveyed)
        .date("first_judged_on", episode.first_judged)
        .text("first_level", episode.level.as_str())
        .object("care_minutes", care_minutes(episode.level, dice))
        .object("scores", scores(state, dice))
        .text("stability", "1")
        .date("panel_planned_on", episode.decided)
        .text("panel_number", &format!("{:02}", dice.between(1, 40)))
        .date("decided_on", episode.decided)
        .text("care_level", episode.level.as_str())
}

fn opinion(state: &State) -> Object {
    Object::new()
        .text("short_term_memory", state.short_term_memory)
        .text("decision_ability", state.decision_ability)
        .text("expression_ability", state.expression_ability)
        .text("eating", state.eating)
        .text("dementia_independence", state.dementia)
}

/// Minutes within the bounds of the level (要介護認定等基準時間); the parts add up to the whole.
fn care_minutes(level: CareLevel, dice: &mut Dice) -> Object {
    let (least, most) = match level {
        CareLevel::Support1 => (250, 319),
        CareLevel::Support2 | CareLevel::Care1 => (320, 499),
        CareLevel::Care2 => (500, 699),
        CareLevel::Care3 => (700, 899),
        CareLevel::Care4 => (900, 1_099),
        _ => (1_100, 1_700),
    };
    let total = dice.between(least, most).unsigned_abs();
    let (mut minutes, mut left) = (Object::new().tenths("total", total), total);
    for (name, hundredths) in MINUTES {
        let part = total * hundredths / 100;
        left -= part;
        minutes = minutes.tenths(name, part);
    }
    minutes.tenths("medical", left)
}

/// The lower the scores (中間評価項目得点, 0 to 100), the heavier the need.
fn scores(state: &State, dice: &mut Dice) -> Object {
    let groups = ["body", "life", "cognition", "behaviour", "society"];
    groups.into_iter().fold(Object::new(), |scores, name| {
        scores.tenths(name, 1_000_u64.saturating_sub(state.severity * 110 + dice.below(200)))
    })
}

/// How many months a period was decided for; one that begins in mid-month is longer by the rest of it.
fn months(episode: &Episode) -> i64 {
    let count = |day: Date| i64::from(day.year()) * 12 + i64::from(day.month());
    count(episode.to) - count(episode.from) + i64::from(episode.from.day() == 1)
}
