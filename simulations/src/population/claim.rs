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

/// One statement for each line of the slip of a month, and the day it came, the tenth of the next; none if none is due yet.
/// Those of facilities, and of the municipality's own services (総合事業), have other forms.
pub(super) fn contents(
    person: &Invented,
    episode: &Episode,
    (of, lines): (Month, &[Line]),
    tenths: u64,
    dice: &mut Dice,
) -> Vec<(Date, Object)> {
    let bills = bills(person, (of, lines), dice);
    bills.iter().map(|bill| (bill.day, statement(person, episode, of, bill, tenths))).collect()
}

/// What a statement bills for: a line of the slip, how many units each time, how often, and the day it comes.
pub(super) struct Bill<'a> {
    pub(super) day: Date,
    pub(super) times: u64,
    each: u64,
    line: &'a Line,
}

/// What was given in a month, as the lines of its slip planned.
pub(super) fn bills<'a>(person: &Invented, (of, lines): (Month, &'a [Line]), dice: &mut Dice) -> Vec<Bill<'a>> {
    let tenth = of.plus(1).and_then(|next| next.first_day().plus_days(9));
    let Some(day) = tenth.filter(|day| *day < person.setting.today) else { return Vec::new() };
    let is_at_home = matches!(person.life.care, Care::Home | Care::Community);
    let claimed = lines.iter().filter(|(_office, kind, _planned)| is_at_home && !kind.starts_with('A'));
    let mut bill = |line: &'a Line| {
        let (_office, _kind, planned) = line;
        let each = dice.between(220, 780).unsigned_abs().min(*planned).max(1);
        Bill { day, times: (planned / each).clamp(1, 31), each, line }
    };
    claimed.map(&mut bill).collect()
}

/// The statement of a bill.
pub(super) fn statement(person: &Invented, episode: &Episode, of: Month, bill: &Bill<'_>, tenths: u64) -> Object {
    let identity = &person.identity;
    let Bill { times, each, line: (office, kind, planned), .. } = bill;
    let units = each.saturating_mul(*times);
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
