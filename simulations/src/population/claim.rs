//! What the offices at home claimed for an invented person in a month (介護給付費明細書): within what the slip planned, shared
//! between insurance, public funds and person as the cards say.

use super::Invented;
use super::certification::month;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use super::subsidy;
use super::use_plan::Line;
use protocol::date::{Date, Month};

/// A unit is worth this many hundredths of a yen here.
const PRICE: u64 = 1_000;

/// One statement for each line of the slip, and the day it came; none if none is due yet. Those of facilities, and of the
/// municipality's own services (総合事業), have other forms.
pub(super) fn contents(
    person: &Invented,
    episode: &Episode,
    (of, lines): (Month, &[Line]),
    tenths: u64,
    dice: &mut Dice,
) -> Vec<(Date, Object)> {
    let this = person.setting.today.calendar_month();
    let Some(day) = Date::new(this.year(), this.month(), 10).filter(|day| *day < person.setting.today) else {
        return Vec::new();
    };
    let is_at_home = matches!(person.life.care, Care::Home | Care::Community);
    let claimed = lines.iter().filter(|(_office, kind, _planned)| is_at_home && !kind.starts_with('A'));
    claimed.map(|line| (day, statement(person, episode, of, line, tenths, dice))).collect()
}

fn statement(
    person: &Invented,
    episode: &Episode,
    of: Month,
    (office, kind, planned): &Line,
    tenths: u64,
    dice: &mut Dice,
) -> Object {
    let identity = &person.identity;
    let each = dice.between(220, 780).unsigned_abs().min(*planned).max(1);
    let times = (planned / each).clamp(1, 31);
    let units = each.saturating_mul(times);
    let benefit = units.min(*planned);
    let cost = benefit.saturating_mul(PRICE) / 100;
    let percent = if identity.insured.is_assistance_only() { None } else { Some(100_u64.saturating_sub(tenths * 10)) };
    let insurance = cost.saturating_mul(percent.unwrap_or_default()) / 100;
    // Public assistance pays the whole share of those who live on it.
    let rest = cost.saturating_sub(insurance);
    let (public, own) = if identity.assisted { (rest, 0) } else { (0, rest) };
    let payer = subsidy::payer_number(&person.setting.prefecture, 12).filter(|_number| identity.assisted);
    let payers = payer.map(|number| {
        let recipient = format!("{:07}", person.index % 10_000_000);
        Object::new().text("payer_number", &number).text("recipient_number", &recipient).number("percent", 100)
    });
    let line = Object::new()
        .text("service_kind", kind)
        .text("service_code", &format!("{kind}1111"))
        .number("units_each", each)
        .number("times", times)
        .number("units", units);
    let total = Object::new()
        .text("service_kind", kind)
        .number("days", times)
        .number("planned_units", planned)
        .number("limited_units", units)
        .number("free_units", 0)
        .number("benefit_units", benefit)
        .number("price_hundredths", PRICE)
        .number("insurance", insurance)
        .number("public", public)
        .number("own", own);
    let claim = Object::new()
        .text("month", &month(of.first_day()))
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insured_number", identity.insured.expose())
        .date("birth_date", identity.birth)
        .text("sex", identity.sex())
        .text("care_level", episode.level.as_str())
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
        .text("office_number", office.number())
        .text("planning", "1")
        .some_text("planner_number", person.life.planner.as_ref().map(protocol::id::party::PartyId::number));
    let claim = match percent {
        Some(percent) => claim.number("benefit_percent", percent),
        None => claim,
    };
    claim
        .list("payers", payers.into_iter().collect())
        .list("lines", vec![line])
        .list("totals", vec![total])
        .number("total_insurance", insurance)
        .number("total_public", public)
        .number("total_own", own)
}
