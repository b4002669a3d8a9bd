//! Rules between fields that several forms share. Each returns the path of the field that breaks it.

use crate::code::benefit_limit;
use crate::code::care_level::CareLevel;
use crate::date::Date;
use crate::record::value::Fields;

/// `later` is broken if it lies before `earlier`.
pub(super) fn in_order(fields: &Fields, earlier: &str, later: &str) -> Option<String> {
    (fields.date(later)? < fields.date(earlier)?).then(|| later.to_owned())
}

/// The first of `names`, given in their order in time, that lies before one named earlier.
pub(super) fn all_in_order(fields: &Fields, names: &[&str]) -> Option<String> {
    let mut latest = None;
    for name in names {
        let Some(date) = fields.date(name) else { continue };
        if latest.is_some_and(|latest| date < latest) {
            return Some((*name).to_owned());
        }
        latest = Some(date);
    }
    None
}

/// `name` is broken if it is not the last day of its month.
pub(super) fn month_end(fields: &Fields, name: &str) -> Option<String> {
    let date = fields.date(name)?;
    (date != date.month_end()).then(|| name.to_owned())
}

/// `name` is broken if it is no limit that the level under `level` can have on a day.
pub(super) fn limit_of_level(fields: &Fields, level: Option<CareLevel>, name: &str, day: Date) -> Option<String> {
    (!benefit_limit::fits(fields.integer(name)?, level?, day)).then(|| name.to_owned())
}

/// The first item of `list` that breaks `rule`.
pub(super) fn each(fields: &Fields, list: &str, rule: impl Fn(&Fields) -> Option<String>) -> Option<String> {
    let mut items = fields.list(list).iter().enumerate();
    items.find_map(|(at, item)| rule(item).map(|path| format!("{list}[{at}].{path}")))
}

/// The first item of `list` whose `name` another item before it has too.
pub(super) fn unique(fields: &Fields, list: &str, name: &str) -> Option<String> {
    let items = fields.list(list);
    let mut numbered = items.iter().enumerate();
    numbered.find_map(|(at, item)| {
        let value = item.value(name)?;
        let before = items.iter().take(at).any(|other| other.value(name) == Some(value));
        before.then(|| format!("{list}[{at}].{name}"))
    })
}

/// The sum of `name` over the items of `list`; the bounds of the form keep it far from overflow.
pub(super) fn sum(items: &[Fields], name: &str) -> i64 {
    items.iter().filter_map(|item| item.integer(name)).fold(0, i64::saturating_add)
}
