//! The limit of benefits of one month by care level (区分支給限度基準額), in units (単位), on any day. The values are data with
//! dates (`data/benefit_limits.csv`); what is not certain is marked there.

use std::sync::LazyLock;

use super::care_level::CareLevel;
use super::certainty::Certainty;
use crate::date::Date;

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/benefit_limits.csv");

/// Its lines, read once: every record that names a limit is held against them.
static LINES: LazyLock<Vec<BenefitLimit>> = LazyLock::new(|| TABLE.lines().filter_map(line).collect());

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenefitLimit {
    /// The first day it holds; it holds until the next line for the same level.
    pub from: Date,
    /// The level.
    pub level: CareLevel,
    /// The limit of one month, in units.
    pub units: u32,
    /// How sure it is.
    pub certainty: Certainty,
}

/// Every line, by day and level.
pub fn lines() -> &'static [BenefitLimit] {
    &LINES
}

/// The limit of a level on a day; none of a level that has none, or of days before the table.
pub fn limit_units(level: CareLevel, day: Date) -> Option<u32> {
    LINES
        .iter()
        .filter(|line| line.level == level && line.from <= day)
        .max_by_key(|line| line.from)
        .map(|line| line.units)
}

/// Whether a limit fits a level on a day: it is the level's own or, as where the level changed within the month, that of a
/// heavier one. Of days before the table everything fits; with a level that has no limit none does.
pub fn fits(units: i64, level: CareLevel, day: Date) -> bool {
    let Some(own) = limit_units(level, day) else { return LINES.first().is_none_or(|first| day < first.from) };
    let mut limits = CareLevel::ALL.into_iter().filter_map(|level| limit_units(level, day));
    limits.any(|limit| limit >= own && i64::from(limit) == units)
}

/// One line; none for comments and heading, which do not begin with a day.
fn line(text: &'static str) -> Option<BenefitLimit> {
    let mut cells = text.split(',');
    Some(BenefitLimit {
        from: Date::parse(cells.next()?)?,
        level: CareLevel::parse(cells.next()?)?,
        units: cells.next()?.parse().ok()?,
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
        let lines = &*LINES;
        assert_eq!(lines.len(), rows);
        assert!(lines.iter().all(|line| line.certainty.is_held()), "what is not sure would have to refuse nothing");
        assert!(lines.windows(2).all(|pair| (pair[0].from, pair[0].level) < (pair[1].from, pair[1].level)));
    }

    #[test]
    fn a_limit_is_that_of_its_day() {
        assert_eq!(limit_units(CareLevel::Care2, day("2019-09-30")), Some(19_616));
        assert_eq!(limit_units(CareLevel::Care2, day("2019-10-01")), Some(19_705));
        assert_eq!(limit_units(CareLevel::Care5, day("2026-11-30")), Some(36_217));
        assert_eq!(limit_units(CareLevel::NotEligible, day("2026-11-30")), None);
        assert_eq!(limit_units(CareLevel::Care5, day("2014-03-31")), None);
    }

    #[test]
    fn a_heavier_level_of_the_month_fits_and_a_lighter_does_not() {
        let on = day("2026-06-01");
        assert!(fits(19_705, CareLevel::Care2, on) && fits(27_048, CareLevel::Care2, on));
        assert!(!fits(16_765, CareLevel::Care2, on) && !fits(19_616, CareLevel::Care2, on));
        assert!(fits(1, CareLevel::Care2, day("2001-01-01")) && !fits(5_032, CareLevel::NotEligible, on));
    }
}
