//! What is left to an invented person for changes to the home and for equipment (住宅改修・特定福祉用具
//! 購入の残額). The balances add up.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use protocol::date::Date;

/// The limit for a home (住宅改修), in yen.
const HOUSING_LIMIT: u64 = 200_000;
/// The limit for equipment in a fiscal year, in yen.
const EQUIPMENT_LIMIT: u64 = 100_000;

/// The balance at each day it changed, the first without any use.
pub(super) fn balances(person: &Invented, dice: &mut Dice) -> Vec<(Date, Object)> {
    let (Some(first), Some(yesterday)) = (person.course.episodes.first(), person.setting.today.previous_day()) else {
        return Vec::new();
    };
    let opened = first.decided;
    let mut told = vec![(opened, balance(opened, None, None))];
    // A work is applied for after the decision and done 40 days later.
    let days = yesterday.days_since(opened);
    if person.life.care == Care::Facility || days <= 40 {
        return told;
    }
    let mut within = |share: u64| {
        let day = opened.plus_days(dice.between(41, days))?;
        let yen = dice.between(8, 190).unsigned_abs() * 1_000;
        dice.happens(share, 100).then_some((day, yen))
    };
    let (work, purchase) = (within(25), within(20));
    let mut days: Vec<Date> = work.iter().chain(&purchase).map(|(day, _)| *day).collect();
    days.sort();
    days.dedup();
    for today in days {
        let done = |use_of: Option<(Date, u64)>| use_of.filter(|(day, _)| *day <= today);
        told.push((today, balance(today, done(work).map(|work| (work, person)), done(purchase))));
    }
    told
}

fn balance(on: Date, work: Option<((Date, u64), &Invented)>, purchase: Option<(Date, u64)>) -> Object {
    let covered = work.map_or(0, |((_, cost), _)| cost.min(HOUSING_LIMIT));
    let works = work.map(|((day, cost), person)| housing_work(person, day, cost, covered));
    let housing = Object::new()
        .number("limit", HOUSING_LIMIT)
        .list("works", works.into_iter().collect())
        .number("remaining", HOUSING_LIMIT - covered);
    let mut years =
        vec![equipment_year(fiscal_year(on), purchase.filter(|(day, _)| fiscal_year(*day) == fiscal_year(on)))];
    if let Some(earlier) = purchase.filter(|(day, _)| fiscal_year(*day) != fiscal_year(on)) {
        years.insert(0, equipment_year(fiscal_year(earlier.0), Some(earlier)));
    }
    Object::new().date("calculated_on", on).object("housing", housing).list("equipment", years)
}

fn housing_work(person: &Invented, completed: Date, cost: u64, covered: u64) -> Object {
    let before = |days: i64| completed.plus_days(-days).unwrap_or(completed);
    Object::new()
        .date("applied_on", before(40))
        .date("started_on", before(5))
        .date("completed_on", completed)
        .text("address", &person.identity.address)
        .text("owner", &person.identity.name)
        .texts("kinds", if cost > 100_000 { &["1", "2"] } else { &["1"] })
        .number("cost", cost)
        .number("covered", covered)
        .text("contractor", "架空工務店")
        .text("renewal", "0")
}

fn equipment_year(year: u16, purchase: Option<(Date, u64)>) -> Object {
    let covered = purchase.map_or(0, |(_, cost)| cost.min(EQUIPMENT_LIMIT));
    let bought = purchase.map(|(day, cost)| {
        let (item, product) = if cost > 60_000 {
            ("01", "架空ポータブルトイレ")
        } else {
            ("04", "架空シャワーチェア")
        };
        Object::new()
            .text("item", item)
            .text("product", product)
            .date("purchased_on", day)
            .number("cost", cost)
            .number("covered", covered)
    });
    Object::new()
        .number("fiscal_year", year)
        .number("limit", EQUIPMENT_LIMIT)
        .list("purchases", bought.into_iter().collect())
        .number("remaining", EQUIPMENT_LIMIT - covered)
}

/// Fiscal years (年度) begin on 4/1.
fn fiscal_year(day: Date) -> u16 {
    day.year().saturating_sub(u16::from(day.month() < 4))
}
