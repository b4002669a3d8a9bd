//! The services an invented person uses this month (サービス利用票・別表): on which days, and what they come to. Units, costs
//! and shares add up.

use super::Invented;
use super::cards::limit_units;
use super::certification::month;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::plan;
use protocol::date::{Date, Month};
use protocol::id::party::PartyId;

/// A unit is worth this many hundredths of a yen here.
const PRICE: u64 = 1_000;
/// What the insurance pays of a hundred.
const PERCENT: u64 = 90;

/// The plan of a month, made on the 25th of the month before; none if nobody had planned by then.
pub(super) fn content(person: &Invented, episode: &Episode, of: Month, dice: &mut Dice) -> Option<(Date, Object)> {
    let planner = person.life.planner.as_ref()?;
    let first = of.first_day();
    let made = first.previous_day().and_then(|last| Date::new(last.year(), last.month(), 25))?;
    let is_planned = plan::planned_on(person, episode) <= made && episode.from <= first && first <= episode.held_to;
    if person.life.services.is_empty() || !is_planned {
        return None;
    }
    let limit = u64::from(limit_units(episode.level, first));
    let (mut entries, mut totals, mut units, mut within, mut own) = (Vec::new(), Vec::new(), 0_u64, 0_u64, 0_u64);
    for (office, kind) in &person.life.services {
        let kind = plan::kind_under(person, episode, kind);
        let days: Vec<String> = (1..=28_u64).filter(|_day| dice.happens(1, 5)).map(|day| format!("{day:02}")).collect();
        let days = if days.is_empty() { vec!["01".to_owned()] } else { days };
        let times = u64::try_from(days.len()).unwrap_or(1);
        let each = dice.between(220, 780).unsigned_abs();
        let code = format!("{kind}1111");
        let used = each.saturating_mul(times);
        let inside = used.min(limit.saturating_sub(within));
        let over = used.saturating_sub(inside);
        let cost = inside.saturating_mul(PRICE) / 100;
        let benefit = cost.saturating_mul(PERCENT) / 100;
        let (share, full) = (cost.saturating_sub(benefit), over.saturating_mul(PRICE) / 100);
        let planned: Vec<&str> = days.iter().map(String::as_str).collect();
        let service = || {
            Object::new().text("office_number", office.number()).text("service_kind", kind).text("service_code", &code)
        };
        entries.push(service().text("from", "1000").text("to", "1100").texts("planned", &planned));
        totals.push(
            service()
                .number("units_each", each)
                .number("times", times)
                .number("units", used)
                .number("over_units", over)
                .number("within_units", inside)
                .number("price_hundredths", PRICE)
                .number("cost", cost)
                .number("benefit_percent", PERCENT)
                .number("benefit", benefit)
                .number("own_share", share)
                .number("own_full", full),
        );
        (units, within) = (units.saturating_add(used), within.saturating_add(inside));
        own = own.saturating_add(share).saturating_add(full);
    }
    let plan = Object::new()
        .text("month", &month(first))
        .date("made_on", made)
        .text("care_level", episode.level.as_str())
        .text("planner_number", planner.number())
        .number("limit_units", limit)
        .list("entries", entries)
        .list("totals", totals)
        .number("total_units", units)
        .number("total_within", within)
        .number("total_own", own);
    Some((made, plan))
}

/// A line of a slip: which office, which kind of service, how many units are planned.
pub(super) type Line = (PartyId, &'static str, u64);

/// The lines of the slip of a month, made on the fifth of the next; none if there is none to be made yet.
pub(super) fn slip_lines(
    person: &Invented,
    episode: &Episode,
    of: Month,
    dice: &mut Dice,
) -> Option<(Date, Vec<Line>)> {
    person.life.planner.as_ref()?;
    let (first, made) = (of.first_day(), of.plus(1)?.first_day().plus_days(4)?);
    let is_planned =
        plan::planned_on(person, episode) <= first && episode.from <= first && of.last_day() <= episode.held_to;
    if person.life.services.is_empty() || !is_planned || made >= person.setting.today {
        return None;
    }
    let limit = u64::from(limit_units(episode.level, first));
    let count = u64::try_from(person.life.services.len()).unwrap_or(1);
    let mut lines: Vec<Line> = Vec::new();
    for (office, kind) in &person.life.services {
        let kind = plan::kind_under(person, episode, kind);
        if lines.iter().all(|(before, of, _units)| (before, *of) != (office, kind)) {
            let units = dice.between(300, 9_000).unsigned_abs().min(limit / count);
            lines.push((office.clone(), kind, units));
        }
    }
    Some((made, lines))
}

/// The slip with these lines, made on a day for a month.
pub(super) fn slip(person: &Invented, episode: &Episode, (made, of): (Date, Month), lines: &[Line]) -> Object {
    let identity = &person.identity;
    let line = |(office, kind, units): &Line| {
        let line = Object::new().text("office_number", office.number()).text("designation", "1");
        line.text("service_kind", kind).number("planned_units", units)
    };
    let total = lines.iter().fold(0_u64, |total, (.., units)| total.saturating_add(*units));
    Object::new()
        .text("month", &month(of.first_day()))
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insured_number", identity.insured.expose())
        .date("birth_date", identity.birth)
        .text("sex", identity.sex())
        .text("care_level", episode.level.as_str())
        .text("making", "1")
        .date("made_on", made)
        .text("planning", "1")
        .some_text("planner_number", person.life.planner.as_ref().map(PartyId::number))
        .text("limit_from", &month(episode.from))
        .text("limit_to", &month(episode.to))
        .number("limit_units", limit_units(episode.level, of.first_day()))
        .list("lines", lines.iter().map(line).collect())
        .number("total_units", total)
}
