//! What of the costs of changes to the home and of bought equipment insurance counts at most (住宅改修費・福祉用具購入費の支給限度基準額), in
//! yen, on any day. The values are data with dates (`data/yen_limits.csv`). What is left of a limit is not known here.

use std::sync::LazyLock;

use super::certainty::Certainty;
use crate::date::Date;

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/yen_limits.csv");

/// Its lines, read once.
static LINES: LazyLock<Vec<YenLimit>> = LazyLock::new(|| TABLE.lines().filter_map(line).collect());

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spending {
    /// Equipment bought in one fiscal year (特定福祉用具購入).
    Equipment,
    /// Changes to one home, until the limit begins anew (住宅改修).
    Housing,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YenLimit {
    /// What it is a limit of.
    pub what: Spending,
    /// The first day it holds; it holds until the next line.
    pub from: Date,
    /// The limit, in yen.
    pub yen: i64,
    /// How sure it is.
    pub certainty: Certainty,
}

/// Every line, by what and by day.
pub fn lines() -> &'static [YenLimit] {
    &LINES
}

/// Whether this is the limit of a day. Of days before the table, and of lines that are not sure, every limit is.
pub fn fits(yen: i64, what: Spending, day: Date) -> bool {
    let of_day = LINES.iter().filter(|line| line.what == what && line.from <= day).max_by_key(|line| line.from);
    of_day.is_none_or(|line| !line.certainty.is_held() || line.yen == yen)
}

impl Spending {
    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::Equipment => "特定福祉用具購入(年度ごと)",
            Self::Housing => "住宅改修(同じ住宅で)",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "equipment" => Some(Self::Equipment),
            "housing" => Some(Self::Housing),
            _ => None,
        }
    }
}

/// One line; none for comments and heading.
fn line(text: &'static str) -> Option<YenLimit> {
    let mut cells = text.split(',');
    Some(YenLimit {
        what: Spending::parse(cells.next()?)?,
        from: Date::parse(cells.next()?)?,
        yen: cells.next()?.parse().ok()?,
        certainty: Certainty::parse(cells.next()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_they_are_in_order() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        assert_eq!(LINES.len(), rows);
        assert!(LINES.windows(2).all(|pair| (pair[0].what, pair[0].from) < (pair[1].what, pair[1].from)));
    }

    #[test]
    fn a_limit_is_that_of_its_day() {
        let day = |text| Date::parse(text).expect("a day");
        assert!(
            fits(200_000, Spending::Housing, day("2026-06-01"))
                && fits(100_000, Spending::Equipment, day("2000-04-01"))
        );
        assert!(
            !fits(100_000, Spending::Housing, day("2026-06-01"))
                && !fits(100_001, Spending::Equipment, day("2026-06-01"))
        );
        assert!(fits(1, Spending::Housing, day("2000-03-31")), "before the insurance there was no limit");
    }
}
