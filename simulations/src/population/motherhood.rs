//! The check-ups of invented women who had a child (妊婦健診), and of the child (乳幼児健診). Only women insured under 65 (第2号) are
//! young enough to have been one since 2000; the child's records stand in the mother's file.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::lot::Lot;
use super::neighbours::{self, Draft};
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;

/// Days from the start of a pregnancy to the birth.
const PREGNANCY_DAYS: i64 = 40 * 7;

/// The weeks of the fourteen check-ups that are paid for (M).
const WEEKS: [i64; 14] = [8, 12, 16, 20, 24, 26, 28, 30, 32, 34, 36, 37, 38, 39];

/// The check-ups of a child: code, month, height in tenths of centimetres, weight in grams.
const CHECKUPS: [(&str, i64, u64, i64); 3] = [("1", 4, 620, 6_800), ("2", 18, 800, 10_200), ("3", 37, 940, 14_000)];

/// The check-ups of one pregnancy and one child.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    let identity = &person.identity;
    let Some(born) = birth_of_child(person, dice).filter(|_day| !identity.is_man) else { return Vec::new() };
    let mut drafts = Vec::new();
    let height = dice.between(1_480, 1_680).unsigned_abs();
    let weight = dice.between(450, 620).unsigned_abs();
    for (week, visit) in WEEKS.into_iter().zip(1_u8..) {
        let Some(day) = born.plus_days(week * 7 - PREGNANCY_DAYS + dice.between(0, 6)) else { continue };
        let Some(times) = neighbours::done(person, day, dice.between(10, 40)) else { continue };
        let gained = week.unsigned_abs().saturating_mul(100) / 40;
        let pressure =
            Object::new().number("systolic", dice.between(98, 134)).number("diastolic", dice.between(56, 84));
        let days = day.days_since(born).saturating_add(PREGNANCY_DAYS);
        let record = Object::new()
            .date("checked_on", day)
            .number("visit", visit)
            .number("weeks", days / 7)
            .number("days", days % 7)
            .tenths("height", height)
            .tenths("weight_before", weight)
            .tenths("weight", weight.saturating_add(gained))
            .object("pressure", pressure)
            .text("oedema", "1")
            .text("urine_protein", dice.word(&["1", "1", "1", "2"]))
            .text("urine_sugar", "1");
        drafts.push((RecordKind::MaternalCheckup, times, neighbours::hospital(person, dice, record)));
    }
    let sex = dice.word(&["1", "2"]);
    for (checkup, months, height, weight) in CHECKUPS {
        let day =
            u32::try_from(months).ok().and_then(|months| born.plus_months(months)?.plus_days(dice.between(0, 20)));
        let Some((day, times)) = day.and_then(|day| Some((day, neighbours::done(person, day, 7)?))) else { continue };
        let child = Object::new().date("birth_date", born).text("sex", sex).number("birth_order", 1);
        let record = Object::new()
            .date("checked_on", day)
            .number("fiscal_year", day.year().saturating_sub(u16::from(day.month() < 4)))
            .text("checkup", checkup)
            .object("child", child)
            .number("months", months)
            .tenths("height", height.saturating_add(dice.below(40)))
            .number("weight_grams", weight + dice.between(-600, 600))
            .text("judgement", dice.word(&["1", "1", "1", "3"]))
            .text("place", "架空保健センター");
        drafts.push((RecordKind::InfantCheckup, times, record));
    }
    drafts
}

/// The day the child was born; none of who had none since 2000. Who was dealt to be insured under 65 had one, so that every
/// plan has a mother.
fn birth_of_child(person: &Invented, dice: &mut Dice) -> Option<Date> {
    let is_dealt = Lot::of(&person.setting, person.index) == Some(Lot::UnderSixtyFive);
    let is_mother = dice.happens(3, 4) || is_dealt;
    let aged = if is_dealt { dice.between(30, 40) } else { dice.between(22, 42) };
    let months = u32::try_from(aged.saturating_mul(12)).ok()?;
    let born = person.identity.birth.plus_months(months)?.plus_days(dice.between(0, 360))?;
    let began = Date::new(2001, 1, 1)?;
    (is_mother && born >= began).then_some(born)
}
