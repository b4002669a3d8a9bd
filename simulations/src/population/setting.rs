//! What all persons of one plan share: the municipality, the lists of names, and the offices around
//! them. Every town in it is made up.

use super::dice::Dice;
use super::{MONTHS_MAX, Plan};
use protocol::date::Date;
use protocol::id::insurer::InsurerNumber;
use protocol::id::local_government::{Municipality, municipalities};
use protocol::id::party::PartyId;

/// How many insured numbers there are to start from, so that those of different insurers overlap.
const STARTS: u64 = 50_000;

/// What the persons of a plan share.
pub(super) struct Setting {
    pub(super) insurer: InsurerNumber,
    pub(super) seed: u64,
    pub(super) persons: u64,
    pub(super) today: Date,
    pub(super) records_min: u32,
    pub(super) months: u32,
    pub(super) offices: Vec<PartyId>,
    pub(super) services: Vec<PartyId>,
    pub(super) hospitals: Vec<PartyId>,
    /// The municipality in one word, as it insures: `東京都江戸川区`.
    pub(super) place: String,
    /// The name of the insurer.
    pub(super) insurer_name: String,
    /// The number of the prefecture, two digits.
    pub(super) prefecture: String,
    /// The first and the count of the numbers that this insurer's persons have in the medical insurance
    /// of the old, which a whole prefecture shares.
    pub(super) old_age_numbers: (u64, u64),
    /// The number the first person gets.
    pub(super) first_number: u64,
    /// Where the persons with a special lot begin, and how far they stand apart.
    pub(super) lots: (u64, u64),
    pub(super) surnames: Vec<(&'static str, &'static str)>,
    pub(super) men: Vec<((&'static str, &'static str), u64)>,
    pub(super) women: Vec<((&'static str, &'static str), u64)>,
    pub(super) towns: Vec<&'static str>,
}

impl Setting {
    /// Gathers it once for a plan, in which there are `lots` special lots.
    pub(super) fn new(plan: &Plan, lots: u64) -> Self {
        let number = plan.insurer.to_string();
        let found = municipalities().find(|place| place.code.insurer_number() == plan.insurer);
        let mut dice = Dice::new(&[b"tsunagi population plan", &plan.seed.to_be_bytes(), number.as_bytes()]);
        let prefecture = number.get(..2).unwrap_or("00").to_owned();
        Self {
            insurer: plan.insurer,
            seed: plan.seed,
            persons: plan.persons,
            today: plan.today,
            records_min: plan.records_per_person_min,
            months: plan.months.clamp(1, MONTHS_MAX),
            offices: plan.offices.clone(),
            services: plan.services.clone(),
            hospitals: plan.hospitals.clone(),
            place: found.map_or_else(|| "架空県架空市".to_owned(), |place| [place.prefecture, place.name].concat()),
            insurer_name: found.map_or("架空広域連合", |place| place.name).to_owned(),
            old_age_numbers: old_age_numbers(&prefecture, found),
            prefecture,
            first_number: dice.between(1, 50_000).unsigned_abs().min(STARTS),
            lots: (dice.below(plan.persons), (plan.persons / lots.max(1)).max(1)),
            surnames: rows(include_str!("../../data/surnames.csv")).filter_map(|line| line.split_once(',')).collect(),
            men: given_names("1"),
            women: given_names("2"),
            towns: rows(include_str!("../../data/towns.csv"))
                .filter_map(|line| line.split_once(',').map(|(town, _)| town))
                .collect(),
        }
    }

    /// The dice of one person, for one purpose.
    pub(super) fn dice(&self, index: u64, purpose: &str) -> Dice {
        let (seed, insurer, index) = (self.seed.to_be_bytes(), self.insurer.to_string(), index.to_be_bytes());
        Dice::new(&[b"tsunagi population person", &seed, insurer.as_bytes(), &index, purpose.as_bytes()])
    }
}

/// The eight digits of a prefecture are shared out evenly among its municipalities, so that no two of
/// their persons get the same; who is no municipality takes the last share.
fn old_age_numbers(prefecture: &str, found: Option<Municipality>) -> (u64, u64) {
    let (mut before, mut count) = (None, 0_u64);
    for place in municipalities().filter(|place| place.code.to_string().starts_with(prefecture)) {
        if found.is_some_and(|found| found.code == place.code) {
            before = Some(count);
        }
        count = count.saturating_add(1);
    }
    let share = 100_000_000 / count.saturating_add(1);
    (before.unwrap_or(count).saturating_mul(share), share)
}

fn rows(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn given_names(sex: &str) -> Vec<((&'static str, &'static str), u64)> {
    let name = |line: &'static str| {
        let mut cells = line.split(',');
        let of = cells.next()?;
        let (kanji, kana, weight) = (cells.next()?, cells.next()?, cells.next()?);
        (of == sex).then_some(((kanji, kana), weight.parse().ok()?))
    };
    rows(include_str!("../../data/given_names.csv")).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_read_in_full() {
        let lines = rows(include_str!("../../data/given_names.csv")).count();
        let (men, women) = (given_names("1"), given_names("2"));
        assert_eq!(men.len() + women.len(), lines);
        assert!(men.len() > 50 && women.len() > 50);
        let readings = men.iter().chain(&women).map(|((_, kana), _)| *kana);
        assert!(readings.flat_map(str::chars).all(|letter| ('ァ'..='ー').contains(&letter)));
    }

    #[test]
    fn the_old_of_two_municipalities_share_no_number() {
        let mut last = 0;
        for place in municipalities().filter(|place| place.prefecture == "東京都") {
            let (first, count) = old_age_numbers("13", Some(place));
            assert!(first >= last, "{}", place.name);
            last = first + count;
        }
        assert!(old_age_numbers("13", None).0 >= last && last < 100_000_000);
    }
}
