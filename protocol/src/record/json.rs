//! Fields to JSON and back, along a form. JSON is for people and for the interfaces of others; what
//! is stored and hashed is the CBOR of the file beside this one.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::code::field_group::FieldGroups;
use crate::date::{Date, Month};
use crate::record::check::{MASKED, join};
use crate::record::fault::FieldFault;
use crate::record::form::{Field, FieldType, Form};
use crate::record::strict_json;
use crate::record::value::{Fields, Value};

/// How deep a record may be nested; a list and its items count once.
pub const NESTING_MAX: usize = 6;

/// What the list of hidden fields says for those that the form does not have.
pub const UNKNOWN_FIELDS: &str = "*";

/// Reads the fields of a form; types are right afterwards, values unchecked.
pub(super) fn read(form: &Form, json: Json) -> Result<Fields, FieldFault> {
    let Json::Object(object) = json else { return Err(FieldFault::at("", "json", "a JSON object")) };
    if object.contains_key(MASKED) {
        return Err(FieldFault::at(MASKED, "hidden", "a record that is shown in full"));
    }
    group(form.fields, object, "", 1)
}

/// Writes the fields that are there, in the order of the form, the unknown ones behind them.
pub(super) fn write(of: &[Field], fields: &Fields) -> Map<String, Json> {
    let mut object = Map::new();
    for field in of {
        if let Some(held) = fields.value(field.name) {
            object.insert(field.name.to_owned(), write_value(field, held));
        }
    }
    for (name, held) in fields.iter() {
        if let Value::Foreign(text) = held {
            // It was JSON when it came in.
            object.insert(name.to_owned(), strict_json::parse(text).unwrap_or(Json::Null));
        }
    }
    object
}

/// The paths that `shown` hides, whether or not there is a value, so that they tell nothing.
pub(super) fn hidden(form: &Form, shown: FieldGroups) -> Vec<String> {
    let mut paths = Vec::new();
    hidden_in(form.fields, shown, "", &mut paths);
    if shown != FieldGroups::ALL {
        paths.push(UNKNOWN_FIELDS.to_owned());
    }
    paths
}

/// Whether `text` is what an unknown field at `depth` may hold.
pub(super) fn is_foreign(text: &str, depth: usize) -> bool {
    strict_json::parse(text).is_ok_and(|json| is_shallow(&json, depth))
}

/// The texts, names among them, that an unknown field says, as a reader would see them.
pub(super) fn texts_of(foreign: &str) -> Vec<String> {
    let mut texts = Vec::new();
    if let Ok(json) = strict_json::parse(foreign) {
        collect_texts(json, &mut texts);
    }
    texts
}

fn hidden_in(of: &[Field], shown: FieldGroups, path: &str, paths: &mut Vec<String>) {
    for field in of {
        let path = join(path, field.name);
        if shown.contains(field.group) {
            hidden_in(field.inner(), shown, &path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn group(of: &[Field], mut object: Map<String, Json>, path: &str, depth: usize) -> Result<Fields, FieldFault> {
    if depth > NESTING_MAX {
        return Err(FieldFault::at(path, "nesting", "fewer levels"));
    }
    let mut fields = Fields::default();
    for field in of {
        if let Some(json) = object.remove(field.name) {
            let path = join(path, field.name);
            fields.insert(field.name, value(field, json, &path, depth)?);
        }
    }
    for (name, json) in object {
        if !is_shallow(&json, depth) {
            return Err(FieldFault::at(&join(path, FieldFault::UNKNOWN), "nesting", "fewer levels"));
        }
        let text = in_order(json).to_string();
        // What could not be read again must not be kept.
        if !is_foreign(&text, depth) {
            return Err(FieldFault::at(
                &join(path, FieldFault::UNKNOWN),
                "json",
                "JSON that stays the same when it is read",
            ));
        }
        fields.insert(&name, Value::Foreign(text));
    }
    Ok(fields)
}

fn value(field: &Field, json: Json, path: &str, depth: usize) -> Result<Value, FieldFault> {
    let wrong = |expected: &str| FieldFault::at(path, "type", expected);
    match (&field.what, json) {
        (FieldType::Integer { .. }, Json::Number(number)) => {
            number.as_i64().map(Value::Integer).ok_or_else(|| wrong("a whole number"))
        }
        (FieldType::Integer { .. }, _) => Err(wrong("a whole number")),
        (FieldType::Tenths { .. }, Json::Number(number)) => {
            tenths(&number.to_string()).map(Value::Integer).ok_or_else(|| wrong("a number with one decimal place"))
        }
        (FieldType::Tenths { .. }, _) => Err(wrong("a number with one decimal place")),
        (FieldType::Flag, Json::Bool(flag)) => Ok(Value::Flag(flag)),
        (FieldType::Flag, _) => Err(wrong("true or false")),
        (FieldType::Date, Json::String(text)) => {
            Date::parse(&text).map(Value::Date).ok_or_else(|| wrong("a day as YYYY-MM-DD"))
        }
        (FieldType::Date, _) => Err(wrong("a day as YYYY-MM-DD")),
        (FieldType::Month, Json::String(text)) => {
            Month::parse(&text).map(Value::Month).ok_or_else(|| wrong("a month as YYYY-MM"))
        }
        (FieldType::Month, _) => Err(wrong("a month as YYYY-MM")),
        (FieldType::Codes(_), Json::Array(items)) => codes(items).ok_or_else(|| wrong("different codes")),
        (FieldType::Codes(_), _) => Err(wrong("a list of codes")),
        (FieldType::List { of, .. }, Json::Array(items)) => list(of, items, path, depth),
        (FieldType::List { .. }, _) => Err(wrong("a list")),
        (FieldType::Group(of), Json::Object(object)) => {
            group(of, object, path, depth.saturating_add(1)).map(Value::Group)
        }
        (FieldType::Group(_), _) => Err(wrong("an object")),
        (_, Json::String(text)) => Ok(Value::Text(text)),
        _ => Err(wrong("a text")),
    }
}

fn list(of: &[Field], items: Vec<Json>, path: &str, depth: usize) -> Result<Value, FieldFault> {
    let mut list = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        let Json::Object(object) = item else { return Err(FieldFault::at(&path, "type", "an object")) };
        list.push(group(of, object, &path, depth.saturating_add(1))?);
    }
    Ok(Value::List(list))
}

fn codes(items: Vec<Json>) -> Option<Value> {
    let mut codes = BTreeSet::new();
    for item in items {
        let Json::String(code) = item else { return None };
        if !codes.insert(code) {
            return None;
        }
    }
    Some(Value::Codes(codes))
}

/// `12`, `12.0` and `12.5` as tenths.
fn tenths(number: &str) -> Option<i64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if decimals.len() != 1 || digits.is_empty() || digits.len() > 9 {
        return None;
    }
    format!("{whole}{decimals}").parse().ok()
}

fn write_value(field: &Field, held: &Value) -> Json {
    match held {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => match field.what {
            FieldType::Tenths { .. } => {
                i32::try_from(*number).map_or(Json::Null, |tenths| Json::from(f64::from(tenths) / 10.0))
            }
            _ => Json::from(*number),
        },
        Value::Flag(flag) => Json::from(*flag),
        Value::Date(date) => Json::from(date.to_string()),
        Value::Month(month) => Json::from(month.to_string()),
        Value::Codes(codes) => codes.iter().map(String::as_str).collect(),
        Value::List(items) => items.iter().map(|item| Json::Object(write(field.inner(), item))).collect(),
        Value::Group(fields) => Json::Object(write(field.inner(), fields)),
        Value::Foreign(_) => Json::Null,
    }
}

fn is_shallow(json: &Json, depth: usize) -> bool {
    if depth > NESTING_MAX {
        return false;
    }
    let deeper = depth.saturating_add(1);
    match json {
        Json::Array(items) => items.iter().all(|item| is_shallow(item, deeper)),
        Json::Object(object) => object.values().all(|item| is_shallow(item, deeper)),
        _ => true,
    }
}

/// Only ever called on shallow JSON.
fn collect_texts(json: Json, texts: &mut Vec<String>) {
    match json {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.into_iter().for_each(|item| collect_texts(item, texts)),
        Json::Object(object) => {
            for (name, item) in object {
                texts.push(name);
                collect_texts(item, texts);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The same JSON with the names of every object in order. Only ever called on shallow JSON.
fn in_order(json: Json) -> Json {
    match json {
        Json::Array(items) => items.into_iter().map(in_order).collect(),
        Json::Object(object) => {
            let sorted: std::collections::BTreeMap<_, _> = object.into_iter().collect();
            sorted.into_iter().map(|(name, item)| (name, in_order(item))).collect()
        }
        plain => plain,
    }
}
