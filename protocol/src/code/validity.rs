//! How long a certification of need is valid (認定有効期間), in months, by application, level and day of decision. The values are
//! data with dates (`data/validity_months.csv`), the exceptions too (`data/validity_holidays.csv`). From which day a period
//! starts is not decided here.

use std::sync::LazyLock;

use super::certainty::Certainty;
use crate::date::Date;

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/validity_months.csv");
/// The table of exceptions.
const HOLIDAYS: &str = include_str!("../../data/validity_holidays.csv");

/// Its lines, read once: every certification is held against them.
static LINES: LazyLock<Vec<Validity>> = LazyLock::new(|| TABLE.lines().filter_map(line).collect());
static EXCEPTIONS: LazyLock<Vec<Holiday>> = LazyLock::new(|| HOLIDAYS.lines().filter_map(holiday).collect());

/// Whether a renewal found the level that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It makes no difference.
    Any,
    /// Another than before.
    Other,
    /// The one of before.
    Same,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The application, by its code in law (申請区分・法令).
    pub application: &'static str,
    /// What was found.
    pub level: Level,
    /// The first day of decision it holds for; it holds until the next line for the same application and level.
    pub from: Date,
    /// How many months are usual.
    pub usual: u32,
    /// The fewest months.
    pub min: u32,
    /// The most months.
    pub max: u32,
    /// How sure it is.
    pub certainty: Certainty,
}

/// Periods that would have ended within it may end later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// By how many months at most.
    pub months: u32,
    /// How sure it is. It allows even if it is not: refusing is what has to be sure.
    pub certainty: Certainty,
}

/// Every line, by application, level and day.
pub fn lines() -> &'static [Validity] {
    &LINES
}

/// Every exception.
pub fn holidays() -> &'static [Holiday] {
    &EXCEPTIONS
}

/// Whether a period could be decided on a day. With a renewal of which the level before is not known (`Level::Any`), one
/// that fits either fits. An application that the table does not have fits always.
pub fn fits((from, to): (Date, Date), application: &str, level: Level, decided: Date) -> bool {
    let is_meant = |line: &&Validity| level == Level::Any || line.level == Level::Any || line.level == level;
    let mut own = LINES.iter().filter(|line| line.application == application).filter(is_meant).peekable();
    own.peek().is_none() || own.any(|line| is_held_on(line, decided) && line.holds(from, to))
}

/// The last day of a period of that many months: always the end of a month. One that starts in mid-month has the rest of that
/// month too. None beyond the calendar.
pub fn last_day(from: Date, months: u32) -> Option<Date> {
    let added = u32::from(from.day() > 1);
    Some(from.calendar_month().plus(months.checked_add(added)?)?.previous()?.last_day())
}

/// Whether a line is the one to hold a day against: the latest begun of those that are sure, or the first of them.
fn is_held_on(line: &Validity, day: Date) -> bool {
    let mut sure = LINES.iter().filter(|other| {
        other.certainty.is_held() && (other.application, other.level) == (line.application, line.level)
    });
    let first = sure.clone().next();
    sure.rfind(|other| other.from <= day).or(first) == Some(line)
}

impl Validity {
    /// Whether a period has a length that the line allows, or one that an exception added to.
    fn holds(&self, from: Date, to: Date) -> bool {
        let (Some(least), Some(most)) = (last_day(from, self.min), last_day(from, self.max)) else { return true };
        least <= to && (to <= most || EXCEPTIONS.iter().any(|holiday| holiday.reaches(least, most, to)))
    }
}

impl Holiday {
    /// Whether some period that ends from `least` to `most` could be made to end on `to`.
    fn reaches(&self, least: Date, most: Date, to: Date) -> bool {
        let end = most.min(self.to);
        self.from.max(least) <= end && end.plus_months(self.months).is_some_and(|latest| to <= latest.month_end())
    }
}

impl Level {
    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::Any => "問わない",
            Self::Other => "前回と異なる",
            Self::Same => "前回と同じ",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            "other" => Some(Self::Other),
            "same" => Some(Self::Same),
            _ => None,
        }
    }
}

/// One line; none for comments and heading.
fn line(text: &'static str) -> Option<Validity> {
    let mut cells = text.split(',');
    Some(Validity {
        application: cells.next()?,
        level: Level::parse(cells.next()?)?,
        from: Date::parse(cells.next()?)?,
        usual: cells.next()?.parse().ok()?,
        min: cells.next()?.parse().ok()?,
        max: cells.next()?.parse().ok()?,
        certainty: Certainty::parse(cells.next()?)?,
    })
}

/// One exception; none for comments and heading.
fn holiday(text: &'static str) -> Option<Holiday> {
    let mut cells = text.split(',');
    Some(Holiday {
        from: Date::parse(cells.next()?)?,
        to: Date::parse(cells.next()?)?,
        months: cells.next()?.parse().ok()?,
        certainty: Certainty::parse(cells.next()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).expect("a day")
    }

    /// Whether a period of that many months from the first of a month fits.
    fn is_allowed(months: u32, from: &str, application: &str, level: Level, decided: &str) -> bool {
        let from = day(from);
        fits((from, last_day(from, months).expect("a day")), application, level, day(decided))
    }

    #[test]
    fn every_line_of_the_tables_is_read_and_they_are_in_order() {
        let rows = |table: &str| table.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let key = |line: &Validity| (line.application, line.level, line.from);
        assert_eq!((LINES.len(), EXCEPTIONS.len()), (rows(TABLE), rows(HOLIDAYS)));
        assert!(LINES.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
        for line in &*LINES {
            assert!(line.min <= line.usual && line.usual <= line.max, "{line:?}");
            let is_sure = |other: &&Validity| other.certainty.is_held() && other.application == line.application;
            assert!(LINES.iter().filter(is_sure).any(|other| other.level == line.level), "{line:?}");
        }
    }

    #[test]
    fn a_period_ends_with_a_month_and_a_start_in_mid_month_adds_the_rest_of_it() {
        assert_eq!(last_day(day("2026-04-15"), 6), Some(day("2026-10-31")));
        assert_eq!(last_day(day("2026-04-01"), 6), Some(day("2026-09-30")));
    }

    #[test]
    fn the_lengths_of_the_fact_sheet_are_the_bounds_of_today() {
        let bounds = [("1", Level::Any, 12), ("3", Level::Any, 12), ("2", Level::Same, 48), ("2", Level::Other, 36)];
        for (application, level, most) in bounds {
            for (months, allowed) in [(2, false), (3, true), (most, true), (most + 1, false)] {
                let told = is_allowed(months, "2026-06-01", application, level, "2026-05-20");
                assert_eq!(told, allowed, "{application} {level:?} {months}");
            }
        }
        let usual = |application| LINES.iter().rfind(|line| line.application == application).map(|line| line.usual);
        assert_eq!(["1", "2", "3"].map(usual), [Some(6), Some(12), Some(6)]);
    }

    #[test]
    fn a_length_is_held_against_the_day_of_its_decision() {
        assert!(!is_allowed(48, "2021-05-01", "2", Level::Same, "2021-03-31"));
        assert!(is_allowed(36, "2018-05-01", "2", Level::Same, "2018-04-20"));
        assert!(is_allowed(48, "2021-05-01", "2", Level::Same, "2021-04-01"));
        // What held before 2018 is not sure, so that only what never could be is refused.
        assert!(is_allowed(36, "2017-05-01", "2", Level::Same, "2017-04-20"));
        assert!(!is_allowed(37, "2014-05-01", "2", Level::Same, "2014-04-20"));
    }

    #[test]
    fn a_renewal_of_which_the_level_before_is_not_known_may_have_the_longest() {
        assert!(is_allowed(48, "2026-06-01", "2", Level::Any, "2026-05-20"));
        assert!(!is_allowed(49, "2026-06-01", "2", Level::Any, "2026-05-20"));
        assert!(is_allowed(99, "2026-06-01", "9", Level::Any, "2026-05-20"), "an unknown application says nothing");
    }

    #[test]
    fn a_period_that_would_have_ended_in_the_emergency_may_be_twelve_months_longer() {
        assert!(is_allowed(24, "2019-08-01", "1", Level::Any, "2019-08-20"));
        assert!(!is_allowed(25, "2019-08-01", "1", Level::Any, "2019-08-20"));
        assert!(!is_allowed(13, "2018-08-01", "1", Level::Any, "2018-08-20"), "it had ended before");
        assert!(!is_allowed(13, "2025-05-01", "1", Level::Any, "2025-05-20"), "it began after");
    }
}
