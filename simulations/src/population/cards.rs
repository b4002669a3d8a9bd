//! The cards of an invented person (被保険者証, 負担割合証, 負担限度額認定証).

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use super::plan;
use protocol::code::benefit_limit;
use protocol::code::care_level::CareLevel;
use protocol::date::Date;

/// What a stage of small income (利用者負担段階) pays at most a day: for meals in a facility and on a short stay, and for the
/// six kinds of room. Since 2024-08, all of it M.
struct Stage {
    code: &'static str,
    meals: (u32, u32),
    rooms: [u32; 6],
}

/// The kinds of room, as the certificate names them.
const ROOMS: [&str; 6] = [
    "unit",
    "shared_unit",
    "single_in_welfare_facility",
    "single_in_health_facility",
    "shared_in_welfare_facility",
    "shared_in_health_facility",
];

const STAGES: [Stage; 4] = [
    Stage { code: "1", meals: (300, 300), rooms: [880, 550, 380, 550, 0, 0] },
    Stage { code: "2", meals: (390, 600), rooms: [880, 550, 480, 550, 430, 430] },
    Stage { code: "3-1", meals: (650, 1_000), rooms: [1_370, 1_370, 880, 1_370, 430, 430] },
    Stage { code: "3-2", meals: (1_360, 1_300), rooms: [1_370, 1_370, 880, 1_370, 430, 430] },
];

/// The card of a person who is not certified, or has been found by the checklist on a day (事業対象者).
pub(super) fn uncertified(person: &Invented, issued: Date, checked: Option<Date>) -> Object {
    let card = holder(person).date("issued_on", issued);
    match checked {
        Some(day) => card.text("care_level", CareLevel::ProgrammeTarget.as_str()).date("certified_on", day),
        None => card,
    }
}

/// The card after a certification.
pub(super) fn certified(person: &Invented, episode: &Episode) -> Object {
    let life = &person.life;
    let card = holder(person)
        .date("issued_on", episode.decided)
        .text("care_level", episode.level.as_str())
        .date("certified_on", episode.decided)
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
        .number("limit_units", limit_units(episode.level, episode.from))
        .date("limit_from", episode.from)
        .date("limit_to", episode.to);
    match (&life.planner, life.care) {
        (Some(office), Care::Home | Care::Community) => {
            let management = Object::new()
                .text("office_number", office.number())
                .text("office_name", &format!("架空ケアプラン {}", office.number()))
                .date("notified_on", life.since);
            card.list("care_managements", vec![management])
        }
        (_, Care::Facility) => {
            let facility = |(office, kind): &(protocol::id::party::PartyId, &'static str)| {
                Object::new()
                    .text("service_kind", plan::kind_of_day(kind, episode.decided))
                    .text("name", &format!("架空の里 {}", office.number()))
                    .date("entered_on", life.since)
            };
            card.list("facilities", life.services.iter().map(facility).collect())
        }
        _ => card,
    }
}

/// The share a person pays in a year.
pub(super) fn burden_ratio(from: Date, to: Date, issued: Date, tenths: u64) -> Object {
    let ratio = Object::new().number("tenths", tenths).date("from", from).date("to", to);
    Object::new().date("issued_on", issued).list("ratios", vec![ratio])
}

/// The limits of a year for one of small income, by the place of the stage.
pub(super) fn burden_limit(from: Date, to: Date, issued: Date, stage: usize) -> Option<Object> {
    let Stage { code, meals: (in_facility, on_short_stay), rooms } = STAGES.get(stage)?;
    let meals = Object::new().number("in_facility", in_facility).number("on_short_stay", on_short_stay);
    let rooms = ROOMS.iter().zip(rooms).fold(Object::new(), |all, (room, yen)| all.number(room, yen));
    let certificate = Object::new().date("issued_on", issued).date("from", from).date("to", to).text("stage", code);
    Some(certificate.object("meals", meals).object("rooms", rooms))
}

/// The share in tenths: nine of ten pay one, and all under 65 or on public assistance.
pub(super) fn tenths(person: &Invented, dice: &mut Dice) -> u64 {
    let under_65 = person.identity.birth.age_on(person.setting.today).is_none_or(|age| age < 65);
    let tenths = dice.weighted(&[(1, 91), (2, 5), (3, 4)], 1);
    if under_65 || person.identity.assisted { 1 } else { tenths }
}

/// The stage of one in four of those who pay one tenth; none for the others.
pub(super) fn stage(tenths: u64, dice: &mut Dice) -> Option<usize> {
    let stage = dice.weighted(&[(0, 10), (1, 30), (2, 25), (3, 35)], 1);
    (tenths == 1 && dice.happens(1, 4)).then_some(stage)
}

fn holder(person: &Invented) -> Object {
    let identity = &person.identity;
    Object::new()
        .text("insured_number", identity.insured.expose())
        .text("insurer_number", &person.setting.insurer.to_string())
        .text("insurer_name", &person.setting.insurer_name)
        .text("name", &identity.name)
        .text("name_kana", &identity.kana)
        .text("postal_code", &identity.postal_code)
        .text("address", &identity.address)
        .date("birth_date", identity.birth)
        .text("sex", identity.sex())
}

/// The limit of a month (区分支給限度基準額) on a day; before the table begins, its first.
pub(super) fn limit_units(level: CareLevel, day: Date) -> u32 {
    let table_begins = Date::new(2014, 4, 1).unwrap_or(day);
    benefit_limit::limit_units(level, day.max(table_begins)).unwrap_or_default()
}
