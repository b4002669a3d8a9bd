//! What a person of small income pays at most for one day of meals or of the room (負担限度額), in yen, by stage and day. The
//! values are data with dates (`data/burden_limits.csv`). Whether a person is of a stage is not decided here.

use std::sync::LazyLock;

use super::certainty::Certainty;
use crate::date::Date;

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/burden_limits.csv");

/// Its lines, read once.
static LINES: LazyLock<Vec<BurdenLimit>> = LazyLock::new(|| TABLE.lines().filter_map(line).collect());

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BurdenLimit {
    /// The first day it holds; it holds until the next line for the same stage and thing.
    pub from: Date,
    /// What is paid for: the field of the certificate.
    pub what: &'static str,
    /// The stage (利用者負担段階), by its code in the certificate; the lines of the fourth are the standard cost (基準費用額).
    pub stage: &'static str,
    /// The most for one day, in yen.
    pub yen: i64,
    /// How sure it is.
    pub certainty: Certainty,
}

/// Every line, by day, what and stage.
pub fn lines() -> &'static [BurdenLimit] {
    &LINES
}

/// Whether a limit fits a stage on a day. Where the table says nothing sure, every limit does.
pub fn fits(yen: i64, what: &str, stage: &str, day: Date) -> bool {
    fits_in(&LINES, yen, what, stage, day)
}

fn fits_in(lines: &[BurdenLimit], yen: i64, what: &str, stage: &str, day: Date) -> bool {
    let own = lines.iter().filter(|line| line.what == what && line.stage == stage && line.from <= day);
    own.max_by_key(|line| line.from).is_none_or(|line| !line.certainty.is_held() || line.yen == yen)
}

/// One line; none for comments and heading, which do not begin with a day.
fn line(text: &'static str) -> Option<BurdenLimit> {
    let mut cells = text.split(',');
    Some(BurdenLimit {
        from: Date::parse(cells.next()?)?,
        what: cells.next()?,
        stage: cells.next()?,
        yen: cells.next()?.parse().ok()?,
        certainty: Certainty::parse(cells.next()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).expect("a day")
    }

    #[test]
    fn every_line_of_the_table_is_read_and_they_are_in_order() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let key = |line: &BurdenLimit| (line.from, line.what, line.stage);
        assert_eq!(LINES.len(), rows);
        assert!(LINES.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
    }

    #[test]
    fn the_values_of_2024_are_those_of_the_fact_sheet_and_not_sure() {
        let of = |what, stage| {
            let mut lines = LINES.iter().filter(|line| line.from == day("2024-08-01"));
            lines.find(|line| line.what == what && line.stage == stage).map(|line| line.yen)
        };
        assert_eq!(
            ["1", "2", "3-1", "3-2", "4"].map(|stage| of("meals.in_facility", stage)),
            [300, 390, 650, 1360, 1445].map(Some)
        );
        assert_eq!(
            ["1", "2", "3-1", "3-2", "4"].map(|stage| of("rooms.unit", stage)),
            [880, 880, 1370, 1370, 2066].map(Some)
        );
        assert!(LINES.iter().all(|line| !line.certainty.is_held()), "whoever looked one up adds a test of the rule");
        assert!(fits(1, "rooms.unit", "1", day("2026-08-01")));
    }

    #[test]
    fn a_limit_that_is_sure_is_held_from_its_day_on() {
        let table = ["2024-08-01,rooms.unit,1,820,M", "2025-08-01,rooms.unit,1,880,S29"];
        let lines: Vec<_> = table.into_iter().filter_map(line).collect();
        let fits = |yen, on| fits_in(&lines, yen, "rooms.unit", "1", day(on));
        assert!(fits(880, "2025-08-01") && !fits(820, "2025-08-01"));
        assert!(fits(1, "2025-07-31") && fits(1, "2024-07-31"));
        assert!(fits_in(&lines, 1, "rooms.unit", "2", day("2025-08-01")));
    }
}
