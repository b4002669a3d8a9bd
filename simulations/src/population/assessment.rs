//! What a care office assessed of an invented person for the scientific care information system (科学的介護情報). The
//! worse the certification, the fewer the points; sums and the index of the body add up.

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::plan;
use super::records::State;
use protocol::date::Date;
use protocol::id::party::PartyId;

/// Kinds of service whose offices assess.
const ASSESSING: [&str; 12] = ["15", "16", "51", "52", "54", "55", "66", "72", "73", "74", "75", "78"];

/// The ten items of the Barthel index and the most points of each.
const BARTHEL: [(&str, u64); 10] = [
    ("eating", 10),
    ("transfer", 15),
    ("grooming", 5),
    ("toilet", 10),
    ("bathing", 5),
    ("walking", 15),
    ("stairs", 10),
    ("dressing", 10),
    ("bowels", 10),
    ("bladder", 10),
];

/// The items of behaviour (DBD13), each from 0 to 4.
const BEHAVIOUR: [&str; 13] = [
    "asks_again",
    "loses_things",
    "indifferent",
    "wakes_at_night",
    "accuses",
    "sleeps_by_day",
    "wanders",
    "repeats_actions",
    "swears",
    "unsuitable_clothes",
    "refuses_care",
    "hoards",
    "empties_drawers",
];

/// The items of will (Vitality Index), each from 0 to 2.
const WILL: [&str; 5] = ["rising", "communicating", "eating", "excreting", "rehabilitating"];

/// What an assessment came to: its day, the sum of the Barthel index, that of the Vitality Index.
pub(super) type Before = (Date, u64, u64);

/// The assessment after the latest certification and its day; none if no service that assesses is used, or it is too early.
pub(super) fn latest(person: &Invented, episode: &Episode, state: &State, dice: &mut Dice) -> Option<(Date, Object)> {
    assessing(person, episode)?;
    let assessed = episode.from.max(episode.decided).plus_days(dice.between(7, 40))?;
    let (content, (_day, barthel, vitality)) = content(person, (episode, state), assessed, dice)?;
    // The one before is told as well, though its record is older than what is kept of this person.
    let before = assessed.plus_days(-182).filter(|before| *before >= person.life.since);
    let Some(before) = before else { return Some((assessed, content)) };
    let better = barthel.saturating_add(dice.below(3).saturating_mul(5)).min(100);
    Some((assessed, since(content, (before, better, vitality))))
}

/// The assessment with what the one before came to.
pub(super) fn since(content: Object, (day, barthel, vitality): Before) -> Object {
    let previous = Object::new().date("assessed_on", day).number("barthel_total", barthel);
    content.object("previous", previous.number("vitality_total", vitality))
}

/// The service that assesses under an episode, with the kind it had then.
fn assessing<'a>(person: &'a Invented, episode: &Episode) -> Option<(&'a PartyId, &'static str)> {
    let services = person.life.services.iter();
    let mut services = services.map(|(office, kind)| (office, plan::kind_under(person, episode, kind)));
    services.find(|(_office, kind)| ASSESSING.contains(kind))
}

/// An assessment on a day under an episode, and what it came to; none if no service that assesses is used, or the day has
/// not come.
pub(super) fn content(
    person: &Invented,
    (episode, state): (&Episode, &State),
    assessed: Date,
    dice: &mut Dice,
) -> Option<(Object, Before)> {
    let (office, kind) = assessing(person, episode)?;
    if assessed >= person.setting.today {
        return None;
    }
    let barthel = items(&BARTHEL, |(name, most)| (name, points(state.severity, most, dice)));
    let barthel_total = barthel.1;
    let mut assessment = Object::new()
        .date("assessed_on", assessed)
        .text("service_kind", kind)
        .text("care_level", episode.level.as_str())
        .text("office_number", office.number())
        .text("physical_independence", state.physical)
        .text("dementia_independence", state.dementia)
        .object("barthel", barthel.0)
        .object("nutrition", body(person, dice));
    if dice.happens(state.severity.saturating_add(1), 9) {
        let behaviour = items(&BEHAVIOUR, |name| (name, dice.below(state.severity.min(4).saturating_add(1))));
        let dementia = Object::new().flag("diagnosed", true).object("dbd13", behaviour.0);
        assessment = assessment.object("dementia", dementia);
    }
    let will = items(&WILL, |name| (name, if state.severity < 4 { 2 } else { dice.below(3) }));
    Some((assessment.object("vitality", will.0), (assessed, barthel_total, will.1)))
}

/// Items by name with their sum under `total`, and the sum.
fn items<T: Copy>(all: &[T], mut of: impl FnMut(T) -> (&'static str, u64)) -> (Object, u64) {
    let told = all.iter().fold((Object::new(), 0_u64), |(object, sum), item| {
        let (name, number) = of(*item);
        (object.number(name, number), sum.saturating_add(number))
    });
    (told.0.number("total", told.1), told.1)
}

/// Points in fives: about as many parts of the most as the certification leaves.
fn points(severity: u64, most: u64, dice: &mut Dice) -> u64 {
    let steps = most / 5;
    let left = steps.saturating_mul(9_u64.saturating_sub(severity).saturating_add(dice.below(3))) / 9;
    left.min(steps).saturating_mul(5)
}

/// Height, weight and what follows from them, in tenths.
fn body(person: &Invented, dice: &mut Dice) -> Object {
    let height = (if person.identity.is_man { 1_520_u64 } else { 1_400 }).saturating_add(dice.below(200));
    let bmi = dice.between(165, 260).unsigned_abs();
    let weight = bmi.saturating_mul(height).saturating_mul(height) / 1_000_000;
    let bmi = weight.saturating_mul(1_000_000).checked_div(height.saturating_mul(height)).unwrap_or(bmi);
    let risk = if bmi < 185 { "2" } else { "1" };
    Object::new()
        .tenths("height_cm", height)
        .tenths("weight_kg", weight)
        .tenths("bmi", bmi)
        .text("low_nutrition", risk)
        .number("intake_percent", dice.between(5, 10).unsigned_abs().saturating_mul(10))
}
