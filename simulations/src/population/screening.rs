//! The screenings of an invented person up to 79 (自治体検診) in the last two years, or in as many as the plan goes back. Nothing is found; how many take part is an
//! estimate. Which values the items may have is not in our source, so that only texts are written.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::{self, Draft};
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;

/// Screenings: code, the item of the finding, its name, whether only women are screened, how many of a hundred take part.
const SCREENINGS: [(&str, &str, &str, bool, u64); 5] = [
    ("51", "9P503160800000049", "胸部X線 所見", false, 15),
    ("53", "9P543160800000049", "胃部X線 所見", false, 8),
    ("55", "1B040160801599849", "便潜血 所見", false, 16),
    ("52", "9N281160800000049", "マンモグラフィ 所見", true, 12),
    ("54", "7A021160808543349", "細胞診 所見", true, 8),
];

/// All screenings.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    let today = person.setting.today;
    let mut drafts = Vec::new();
    let years = u16::try_from(person.setting.months.div_ceil(12).max(2)).unwrap_or(2);
    for year in (0..years).rev().map(|back| today.year().saturating_sub(back)) {
        let day = Date::new(year, 5, 15).and_then(|first| first.plus_days(dice.between(0, 180)));
        let Some(day) = day.filter(|day| neighbours::age(person, *day).is_some_and(|age| (40..80).contains(&age)))
        else {
            continue;
        };
        for (report, item, name, only_women, share) in SCREENINGS {
            if dice.happens(share, 100) && !(only_women && person.identity.is_man) {
                drafts.extend(draft(person, day, (report, item, name), dice));
            }
        }
    }
    drafts
}

fn draft(person: &Invented, day: Date, (report, item, name): (&str, &str, &str), dice: &mut Dice) -> Option<Draft> {
    let times = neighbours::done(person, day, dice.between(14, 40))?;
    let finding = Object::new().text("item", item).text("item_name", name).text("text", "異常を認めない。");
    let record = Object::new()
        .date("screened_on", day)
        .text("report", report)
        .text("step", "1")
        .text("manner", dice.word(&["1", "2"]));
    let record = neighbours::hospital(person, dice, record).list("results", vec![finding]);
    Some((RecordKind::HealthScreening, times, record))
}
