//! For how many years a record is kept after it is over (保存期間). The values are data (`data/retention.csv`).

use super::record_kind::RecordKind;

/// The table; its first lines say where it is from.
const TABLE: &str = include_str!("../../data/retention.csv");
/// If the table names neither the kind nor every kind.
const YEARS: u32 = 5;

/// The years for a kind.
pub fn years(kind: RecordKind) -> u32 {
    let of = |name: &str| TABLE.lines().filter_map(line).find(|(known, _years)| *known == name);
    of(kind.as_str()).or_else(|| of("*")).map_or(YEARS, |(_name, years)| years)
}

/// One line; none for comments and heading, in which no number of years stands.
fn line(text: &str) -> Option<(&str, u32)> {
    let mut cells = text.split(',');
    Some((cells.next()?, cells.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_a_kind_or_all_and_every_kind_is_kept_for_some_years() {
        let names: Vec<_> = TABLE.lines().filter_map(line).map(|(name, _years)| name).collect();
        assert_eq!(names.len(), TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1);
        assert!(names.iter().all(|name| *name == "*" || RecordKind::parse(name).is_some()), "{names:?}");
        assert!(RecordKind::ALL.into_iter().all(|kind| years(kind) >= 2));
    }
}
