//! From when and until when a code of a list is valid (コードの有効期間). The days are data (`data/code_dates.csv`); a code that
//! is not there has always been valid. Which day a code in a record is held against is for the form to say.

use std::sync::LazyLock;

use super::certainty::Certainty;
use crate::date::Date;

/// The name of the list of care levels in the table.
pub const CARE_LEVEL: &str = "care_level";
/// The name of the list of kinds of service in the table.
pub const SERVICE_KIND: &str = "service_kind";

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/code_dates.csv");

/// Its lines, read once: every record with such a code is held against them.
static LINES: LazyLock<Vec<CodeDate>> = LazyLock::new(|| TABLE.lines().filter_map(line).collect());

/// When one code is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeDate {
    /// The name of its list.
    pub set: &'static str,
    /// The code.
    pub code: &'static str,
    /// The first day; none if there was none.
    pub from: Option<Date>,
    /// The last day; none if it is still valid.
    pub to: Option<Date>,
    /// How sure the days are.
    pub certainty: Certainty,
}

/// Every line, by list and code.
pub fn lines() -> &'static [CodeDate] {
    &LINES
}

/// When a code is valid; none of one that always was.
pub fn of(set: &str, code: &str) -> Option<&'static CodeDate> {
    LINES.iter().find(|line| line.set == set && line.code == code)
}

/// Whether some code of a list was not always valid.
pub fn has_dates(set: &str) -> bool {
    LINES.iter().any(|line| line.set == set)
}

/// The days of a code that contradicts a day: those that are sure, and do not hold the day.
pub fn broken(set: &str, code: &str, day: Date) -> Option<&'static CodeDate> {
    of(set, code).filter(|dates| dates.certainty.is_held() && !dates.contains(day))
}

impl CodeDate {
    /// Whether the code was valid on a day.
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|first| first <= day) && self.to.is_none_or(|last| day <= last)
    }

    /// The days in words: `from 2024-04-01`, `until 2024-03-31`, or both.
    pub fn words(&self) -> String {
        let from = self.from.map(|day| format!("from {day}"));
        let until = self.to.map(|day| format!("until {day}"));
        from.into_iter().chain(until).collect::<Vec<_>>().join(" ")
    }
}

/// One line; none for comments and heading, in which no certainty stands last.
fn line(text: &'static str) -> Option<CodeDate> {
    let mut cells = text.split(',');
    let (set, code, from, to) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let certainty = Certainty::parse(cells.next()?)?;
    let day = |cell: &str| if cell.is_empty() { Some(None) } else { Date::parse(cell).map(Some) };
    Some(CodeDate { set, code, from: day(from)?, to: day(to)?, certainty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::care_level::CareLevel;
    use crate::code::service::ServiceKind;

    fn day(text: &str) -> Date {
        Date::parse(text).expect("a day")
    }

    #[test]
    fn every_line_of_the_table_is_read_and_they_are_in_order() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let lines = &*LINES;
        assert_eq!(lines.len(), rows);
        assert!(lines.windows(2).all(|pair| (pair[0].set, pair[0].code) < (pair[1].set, pair[1].code)));
        for line in lines {
            assert!(line.from.is_some() || line.to.is_some(), "{line:?}");
            assert!(line.from.zip(line.to).is_none_or(|(first, last)| first <= last), "{line:?}");
            let known = match line.set {
                CARE_LEVEL => CareLevel::parse(line.code).is_some(),
                SERVICE_KIND => ServiceKind::parse(line.code).is_some(),
                // That these are codes of a form is seen where the forms are (`record/code_day.rs`).
                _ => true,
            };
            assert!(known, "{line:?}");
        }
    }

    #[test]
    fn a_code_is_valid_from_its_first_day_to_its_last() {
        let is_broken = |set, code, on| broken(set, code, day(on)).is_some();
        assert!(is_broken("equipment", "03", "2022-03-31") && !is_broken("equipment", "03", "2022-04-01"));
        assert!(is_broken("equipment", "08", "2024-03-31") && !is_broken("equipment", "08", "2024-04-01"));
        assert!(!is_broken(SERVICE_KIND, "53", "2024-03-31") && is_broken(SERVICE_KIND, "53", "2024-04-01"));
        assert!(!is_broken(SERVICE_KIND, "11", "2000-04-01"), "what is not in the table was always valid");
        assert_eq!(of(SERVICE_KIND, "61").map(CodeDate::words), Some("from 2006-04-01 until 2018-03-31".to_owned()));
    }

    #[test]
    fn a_day_that_is_not_sure_breaks_nothing() {
        let transitional = of(CARE_LEVEL, "11").expect("a line");
        assert!(!transitional.contains(day("2026-06-01")) && !transitional.certainty.is_held());
        assert_eq!(broken(CARE_LEVEL, "11", day("2026-06-01")), None);
    }
}
