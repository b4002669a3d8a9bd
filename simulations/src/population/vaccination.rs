//! The vaccinations of an invented person from 65 on (予防接種, B類): influenza in two seasons, pneumococci once. How many take
//! part is an estimate.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::{self, Draft};
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;

/// All vaccinations.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    let today = person.setting.today;
    let mut drafts = Vec::new();
    // The vaccination for those who turn 65 began in 2014.
    let at_65 = person.identity.birth.plus_months(65 * 12).filter(|day| day.year() >= 2015);
    let pneumococci = at_65.and_then(|day| day.plus_days(dice.between(10, 350)));
    if dice.happens(2, 5) {
        drafts.extend(pneumococci.and_then(|day| draft(person, day, PNEUMOCOCCI, dice)));
    }
    for year in [today.year().saturating_sub(2), today.year().saturating_sub(1), today.year()] {
        let day = Date::new(year, 10, 1).and_then(|first| first.plus_days(dice.between(0, 75)));
        let takes_part = dice.happens(11, 20);
        let day = day.filter(|day| takes_part && neighbours::age(person, *day).is_some_and(|age| age >= 65));
        drafts.extend(day.and_then(|day| draft(person, day, INFLUENZA, dice)));
    }
    drafts
}

/// What is given: code, name of the vaccine, route, what the person pays.
struct Given {
    against: &'static str,
    vaccine: &'static str,
    route: &'static str,
    own_share: u32,
}

const INFLUENZA: Given =
    Given { against: "51", vaccine: "インフルエンザHAワクチン「架空」", route: "1", own_share: 2_500 };
const PNEUMOCOCCI: Given =
    Given { against: "52", vaccine: "肺炎球菌ワクチン「架空」", route: "2", own_share: 4_000 };

fn draft(person: &Invented, day: Date, given: Given, dice: &mut Dice) -> Option<Draft> {
    let times = neighbours::done(person, day, dice.between(10, 30))?;
    let Given { against, vaccine, route, own_share } = given;
    // One in a hundred is only questioned; the others get it.
    let is_given = dice.happens(99, 100);
    let record = Object::new()
        .date("vaccinated_on", day)
        .text("outcome", if is_given { "1" } else { "2" })
        .text("programme", "2")
        .text("against", against)
        .date("registered_on", times.recorded);
    let record = neighbours::hospital(person, dice, record);
    let vaccine = Object::new()
        .text("name", vaccine)
        .text("lot_number", &format!("KK{:03}", dice.below(1_000)))
        .date("expires_on", day.plus_months(6).unwrap_or(day));
    let record = if is_given {
        record
            .object("vaccine", vaccine)
            .number("dose", 1)
            .number("volume_hundredths", 50)
            .text("route", route)
            .number("own_share", own_share)
    } else {
        record
    };
    Some((RecordKind::Vaccination, times, record))
}
