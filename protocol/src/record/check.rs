//! Whether fields that have the right types hold right values: lengths, ranges, codes, check digits,
//! what is required, what is hidden, and the rules between fields.

use crate::code::care_level::CareLevel;
use crate::code::field_group::FieldGroups;
use crate::code::service::ServiceKind;
use crate::digest::Digest;
use crate::id::hospital::HospitalCode;
use crate::id::insured::InsuredNumber;
use crate::id::insurer::InsurerNumber;
use crate::id::office::OfficeNumber;
use crate::id::payer::PayerNumber;
use crate::record::code_day;
use crate::record::fault::FieldFault;
use crate::record::form::{Field, FieldType, Form};
use crate::record::individual_number;
use crate::record::json;
use crate::record::value::{Fields, Value};

/// The name under which JSON lists what is hidden. No field is called so.
pub const MASKED: &str = "masked";

/// The longest name of a field that the form does not have, in bytes.
pub const UNKNOWN_NAME_BYTES_MAX: usize = 64;

/// Checks everything that a record shown in full has to keep.
pub(super) fn whole(form: &Form, fields: &Fields) -> Result<(), FieldFault> {
    masked(form, fields, FieldGroups::ALL)?;
    code_day::check(form, fields)?;
    form.rules.iter().try_for_each(|rule| match (rule.broken_at)(fields) {
        Some(path) => Err(FieldFault::at(&path, rule.name, rule.expected)),
        None => Ok(()),
    })
}

/// Checks each field by itself, and that nothing stands there that `shown` leaves out. The rules
/// between fields are not asked: what they speak of may be hidden.
pub(super) fn masked(form: &Form, fields: &Fields, shown: FieldGroups) -> Result<(), FieldFault> {
    group(form.fields, fields, shown, "")
}

/// The path of the field `name` inside `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn group(of: &[Field], fields: &Fields, shown: FieldGroups, path: &str) -> Result<(), FieldFault> {
    for field in of {
        let path = join(path, field.name);
        match fields.value(field.name) {
            Some(_) if !shown.contains(field.group) => {
                return Err(FieldFault::at(&path, "hidden", "no value: its group is hidden"));
            }
            Some(held) => value(field, held, shown, &path)?,
            None if field.required && shown.contains(field.group) => {
                return Err(FieldFault::at(&path, "required", "a value"));
            }
            None => {}
        }
    }
    fields.iter().filter(|(name, _)| of.iter().all(|field| field.name != *name)).try_for_each(|(name, held)| {
        let path = join(path, FieldFault::UNKNOWN);
        if shown != FieldGroups::ALL {
            return Err(FieldFault::at(&path, "hidden", "no unknown field: some groups are hidden"));
        }
        unknown(name, held, &path)
    })
}

fn unknown(name: &str, held: &Value, path: &str) -> Result<(), FieldFault> {
    if name.is_empty() || name.len() > UNKNOWN_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(FieldFault::at(path, "name", &format!("a name of 1 to {UNKNOWN_NAME_BYTES_MAX} bytes")));
    }
    ensure(name != MASKED, path, "name", || "a name that says nothing about masking".to_owned())?;
    no_individual_number(name, path)?;
    match held {
        Value::Foreign(text) => {
            no_individual_number(text, path)?;
            // What JSON writes with signs of its own is found only as it is read.
            json::texts_of(text).iter().try_for_each(|text| no_individual_number(text, path))
        }
        _ => Err(FieldFault::at(path, "type", "a field of the form")),
    }
}

fn value(field: &Field, held: &Value, shown: FieldGroups, path: &str) -> Result<(), FieldFault> {
    match (&field.what, held) {
        (FieldType::Text { characters_max }, Value::Text(held)) => text(held, *characters_max, path),
        (FieldType::Integer { min, max }, Value::Integer(held)) => {
            range(*held, *min, *max, path, || format!("a number from {min} to {max}"))
        }
        (FieldType::Tenths { min, max }, Value::Integer(held)) => {
            range(*held, *min, *max, path, || format!("tenths from {min} to {max}"))
        }
        (FieldType::Flag, Value::Flag(_)) | (FieldType::Date, Value::Date(_)) | (FieldType::Month, Value::Month(_)) => {
            Ok(())
        }
        (FieldType::Codes(set), Value::Codes(held)) => {
            let known = held.iter().all(|code| set.contains(code));
            ensure(known, path, "code", || set.codes())
        }
        (FieldType::List { of, items_max }, Value::List(items)) => {
            ensure(items.len() <= *items_max, path, "items", || format!("at most {items_max} items"))?;
            let mut items = items.iter().enumerate();
            items.try_for_each(|(at, item)| group(of, item, shown, &format!("{path}[{at}]")))
        }
        (FieldType::Group(of), Value::Group(inner)) => group(of, inner, shown, path),
        (what, Value::Text(held)) => word(what, held, path),
        _ => Err(FieldFault::at(path, "type", "the type of the form")),
    }
}

/// Codes and identifiers: texts with a form of their own.
fn word(what: &FieldType, held: &str, path: &str) -> Result<(), FieldFault> {
    let digits = |count: usize| held.len() == count && held.bytes().all(|byte| byte.is_ascii_digit());
    let (right, rule, expected) = match what {
        FieldType::Code(set) => return ensure(set.contains(held), path, "code", || set.codes()),
        FieldType::CareLevel => (CareLevel::parse(held).is_some(), "care_level", "a code of a care level"),
        FieldType::ServiceKind => (ServiceKind::parse(held).is_some(), "service_kind", "a code of a service kind"),
        FieldType::OfficeNumber => (OfficeNumber::parse(held).is_some(), "office_number", "the number of an office"),
        FieldType::HospitalCode => (HospitalCode::parse(held).is_some(), "hospital_code", "the code of a hospital"),
        FieldType::InsurerNumber => {
            (InsurerNumber::parse(held).is_some(), "insurer_number", "six digits with a check digit")
        }
        FieldType::InsuredNumber => {
            (InsuredNumber::parse(held).is_some(), "insured_number", "ten digits, or H and nine digits")
        }
        FieldType::PayerNumber => {
            (PayerNumber::parse(held).is_some(), "payer_number", "eight digits with a check digit")
        }
        FieldType::Digest => (Digest::parse(held).is_some(), "digest", "64 hexadecimal digits, small letters"),
        FieldType::PostalCode => (digits(7), "postal_code", "seven digits"),
        FieldType::TimeOfDay => (digits(4) && (held == "9999" || is_time(held)), "time_of_day", "HHMM, or 9999"),
        _ => (false, "type", "the type of the form"),
    };
    ensure(right, path, rule, || expected.to_owned())
}

fn text(held: &str, characters_max: usize, path: &str) -> Result<(), FieldFault> {
    let short = !held.is_empty() && held.chars().take(characters_max.saturating_add(1)).count() <= characters_max;
    ensure(short, path, "characters", || format!("1 to {characters_max} characters"))?;
    ensure(!has_control(held), path, "characters", || "no control characters save tabs and line ends".to_owned())?;
    ensure(held.chars().any(is_seen), path, "characters", || "at least one character that can be seen".to_owned())?;
    no_individual_number(held, path)
}

/// Whether there is a control character other than a tab or a line end, of either way to write it.
fn has_control(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_line_end = letter == '\n' || (letter == '\r' && letters.peek() == Some(&'\n'));
        if letter.is_control() && !is_line_end && letter != '\t' {
            return true;
        }
    }
    false
}

/// Whether a reader sees anything of it: a name of blanks would be nobody's.
const fn is_seen(letter: char) -> bool {
    !(individual_number::is_unseen(letter) || letter.is_whitespace())
}

fn no_individual_number(text: &str, path: &str) -> Result<(), FieldFault> {
    let clean = !individual_number::appears_in(text);
    ensure(clean, path, "individual_number", || "no number that identifies a person to the state".to_owned())
}

fn is_time(digits: &str) -> bool {
    digits.parse::<u32>().is_ok_and(|number| number / 100 < 24 && number % 100 < 60)
}

fn range(held: i64, min: i64, max: i64, path: &str, expected: impl FnOnce() -> String) -> Result<(), FieldFault> {
    ensure((min..=max).contains(&held), path, "range", expected)
}

fn ensure(right: bool, path: &str, rule: &'static str, expected: impl FnOnce() -> String) -> Result<(), FieldFault> {
    if right { Ok(()) } else { Err(FieldFault { path: path.to_owned(), rule, expected: expected() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_what_people_write_and_shows_something() {
        // Half-width kana, a variant by selector, a letter of a private area, lines of either way, a tab.
        for good in ["ﾔﾏﾀﾞ", "辻\u{e0100}", "\u{e001}田", "一行\r\n二行\n三行", "表\t列", " 山田 "]
        {
            assert_eq!(text(good, 100, "name"), Ok(()), "{good:?}");
        }
        for bad in ["", " ", "\u{3000}\t\n", "\u{200b}\u{feff}", "\u{fe0f}", "\u{3164}", "\u{e0100}"] {
            let fault = text(bad, 100, "name").unwrap_err();
            assert_eq!((fault.path.as_str(), fault.rule), ("name", "characters"), "{bad:?}");
        }
        for bad in ["山\r田", "山田\r", "山\u{0}田", "山\u{1b}[31m田", "山\u{85}田"] {
            assert!(text(bad, 100, "name").is_err(), "{bad:?}");
        }
    }
}
