//! Whether the codes of a record were valid on their day (コードの基準日). The day is one that the record tells itself, as its form
//! says (`Form::days`), so that whoever has the record finds the same: a day of purchase, of a survey, the first of a
//! month. When the version holds is not asked. A code whose days are not sure is never refused.

use crate::code::code_date;
use crate::code::code_date::CodeDate;
use crate::date::Date;
use crate::record::check::join;
use crate::record::fault::FieldFault;
use crate::record::form::{CodeDay, Field, FieldType, Form};
use crate::record::value::{Fields, Value};

/// The name of the rule, as it stands in a fault.
pub const RULE: &str = "code_of_its_day";

/// A group of fields, and those it stands in.
#[derive(Clone, Copy)]
struct Scope<'a> {
    fields: &'a Fields,
    around: Option<&'a Self>,
}

/// The name of the list whose codes a field holds, in the table of days; none of a field without codes.
pub fn set_name(what: &FieldType) -> Option<&'static str> {
    match what {
        FieldType::Code(set) | FieldType::Codes(set) => Some(set.name),
        FieldType::CareLevel => Some(code_date::CARE_LEVEL),
        FieldType::ServiceKind => Some(code_date::SERVICE_KIND),
        _ => None,
    }
}

/// Holds every code against its day. Each field is right by itself already.
///
/// # Errors
/// A [`FieldFault`] at the first code that was not valid then; it says when that code is.
pub(super) fn check(form: &Form, fields: &Fields) -> Result<(), FieldFault> {
    let scope = Scope { fields, around: None };
    let day = day_of(form.days, "", scope, None);
    group(form.days, form.fields, scope, day, ["", ""])
}

/// `place` is the way here by names alone, and with the numbers of items.
fn group(
    days: &[CodeDay],
    of: &[Field],
    scope: Scope<'_>,
    day: Option<Date>,
    [place, path]: [&str; 2],
) -> Result<(), FieldFault> {
    for field in of {
        let Some(held) = scope.fields.value(field.name) else { continue };
        let (place, path) = (join(place, field.name), join(path, field.name));
        match held {
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    let inner = Scope { fields: item, around: Some(&scope) };
                    let day = day_of(days, &place, inner, day);
                    group(days, field.inner(), inner, day, [&place, &format!("{path}[{at}]")])?;
                }
            }
            Value::Group(fields) => {
                let inner = Scope { fields, around: Some(&scope) };
                group(days, field.inner(), inner, day_of(days, &place, inner, day), [&place, &path])?;
            }
            Value::Text(code) => code_on(field, [code], day_of(days, &place, scope, day), &path)?,
            Value::Codes(codes) => code_on(field, codes, day_of(days, &place, scope, day), &path)?,
            Value::Integer(_) | Value::Flag(_) | Value::Date(_) | Value::Month(_) | Value::Foreign(_) => {}
        }
    }
    Ok(())
}

/// The day for the codes of `place`: its own where the form names one, else that of what is around it.
fn day_of(days: &[CodeDay], place: &str, scope: Scope<'_>, around: Option<Date>) -> Option<Date> {
    let mut own = days.iter().filter(|day| day.of == place).peekable();
    if own.peek().is_none() {
        return around;
    }
    own.find_map(|day| scope.day(day.day?))
}

fn code_on<'a>(
    field: &Field,
    codes: impl IntoIterator<Item = &'a String>,
    day: Option<Date>,
    path: &str,
) -> Result<(), FieldFault> {
    let (Some(set), Some(day)) = (set_name(&field.what), day) else { return Ok(()) };
    match codes.into_iter().find_map(|code| code_date::broken(set, code, day)) {
        Some(dates) => Err(FieldFault::at(path, RULE, &expected(dates))),
        None => Ok(()),
    }
}

fn expected(dates: &CodeDate) -> String {
    format!("a code that was valid on its day (this one {})", dates.words())
}

impl Scope<'_> {
    /// The day in the nearest field of that name; of a month the first.
    fn day(self, name: &str) -> Option<Date> {
        let own = self.fields.date(name).or_else(|| Some(self.fields.month(name)?.first_day()));
        own.or_else(|| self.around?.day(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::code::record_kind::RecordKind;
    use crate::record::Record;
    use crate::record::code_set::CodeSet;
    use crate::record::forms::form;

    /// Every field below `fields`, with the way to it and the fields it can see.
    fn walk<'a>(
        fields: &'a [Field],
        place: &str,
        seen: &[&'a Field],
        visit: &mut dyn FnMut(&str, &'a Field, &[&'a Field]),
    ) {
        let seen = [seen, &fields.iter().collect::<Vec<_>>()].concat();
        for field in fields {
            let place = join(place, field.name);
            visit(&place, field, &seen);
            walk(field.inner(), &place, &seen, visit);
        }
    }

    #[test]
    fn every_code_that_was_not_always_valid_has_a_day_in_its_form() {
        for kind in RecordKind::ALL {
            walk(form(kind).fields, "", &[], &mut |place, field, _seen| {
                let is_dated = set_name(&field.what).is_some_and(code_date::has_dates);
                let has_day = form(kind)
                    .days
                    .iter()
                    .any(|day| day.of.is_empty() || place == day.of || place.starts_with(&format!("{}.", day.of)));
                assert!(!is_dated || has_day, "{kind:?} {place}");
            });
        }
    }

    #[test]
    fn every_day_of_a_form_is_one_that_its_codes_can_see() {
        for kind in RecordKind::ALL {
            for day in form(kind).days {
                let mut found = form(kind).fields.iter().any(|field| day.of.is_empty() && Some(field.name) == day.day);
                walk(form(kind).fields, "", &[], &mut |place, field, seen| {
                    let mut seen = seen.iter().copied().chain(field.inner());
                    let is_day = |field: &Field| {
                        Some(field.name) == day.day && matches!(field.what, FieldType::Date | FieldType::Month)
                    };
                    found |= place == day.of && (day.day.is_none() || seen.any(is_day));
                });
                assert!(found, "{kind:?} {day:?}");
            }
        }
    }

    #[test]
    fn every_set_of_the_table_is_one_of_a_form_and_has_the_code() {
        let mut known: BTreeSet<(&str, &str)> = BTreeSet::new();
        for kind in RecordKind::ALL {
            walk(form(kind).fields, "", &[], &mut |_place, field, _seen| {
                if let FieldType::Code(CodeSet { name, values }) | FieldType::Codes(CodeSet { name, values }) =
                    field.what
                {
                    known.extend(values.iter().map(|(code, _japanese)| (*name, *code)));
                }
            });
        }
        for line in code_date::lines() {
            let is_type = [code_date::CARE_LEVEL, code_date::SERVICE_KIND].contains(&line.set);
            assert!(is_type || known.contains(&(line.set, line.code)), "{line:?}");
        }
    }

    /// What is said of the example of a kind after a change.
    fn told(kind: RecordKind, change: impl Fn(&mut serde_json::Value)) -> Result<(), FieldFault> {
        let mut json: serde_json::Value = serde_json::from_str(form(kind).example).unwrap();
        change(&mut json);
        Record::from_json(kind, &json.to_string()).map(|_record| ())
    }

    #[test]
    fn equipment_has_to_be_of_a_kind_that_was_there_when_it_was_bought() {
        let bought = |item: &str, on: &str, year: u16| {
            told(RecordKind::EquipmentBalance, |json| {
                json["equipment"][0]["fiscal_year"] = year.into();
                for purchase in 0..2 {
                    json["equipment"][0]["purchases"][purchase]["purchased_on"] = on.into();
                }
                json["equipment"][0]["purchases"][1]["item"] = item.into();
            })
        };
        let fault = bought("08", "2024-03-31", 2023).unwrap_err();
        assert_eq!((fault.path.as_str(), fault.rule), ("equipment[0].purchases[1].item", RULE));
        assert_eq!(fault.expected, "a code that was valid on its day (this one from 2024-04-01)");
        assert_eq!(bought("08", "2024-04-01", 2024), Ok(()));
        assert_eq!(bought("04", "2024-03-31", 2023), Ok(()));
    }

    #[test]
    fn a_stay_in_a_facility_is_held_against_its_last_day_or_that_of_the_card() {
        let card = |left: Option<&str>| {
            told(RecordKind::InsuranceCard, |json| {
                let facility = &mut json["facilities"][0];
                facility["service_kind"] = "53".into();
                facility["entered_on"] = "2015-05-01".into();
                facility["left_on"] = left.map_or(serde_json::Value::Null, Into::into);
                if left.is_none() {
                    facility.as_object_mut().unwrap().remove("left_on");
                }
            })
        };
        assert_eq!(card(Some("2024-03-31")), Ok(()));
        assert_eq!(card(None).unwrap_err().path, "facilities[0].service_kind");
    }

    #[test]
    fn a_level_of_before_is_held_against_the_end_of_its_own_period() {
        let result = |level: &str| {
            told(RecordKind::CertificationResult, |json| {
                json["previous_level"] = level.into();
                json["previous_from"] = "2004-06-01".into();
                json["previous_to"] = "2005-05-31".into();
            })
        };
        let fault = result("13").unwrap_err();
        assert_eq!((fault.path.as_str(), fault.rule), ("previous_level", RULE));
        assert_eq!(result("11"), Ok(()));
    }
}
