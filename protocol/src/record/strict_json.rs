//! JSON in which no name stands twice: which of two values counts would be a guess, and a guess about a
//! protection is a danger to somebody. Nor may a name be one that serde_json keeps for itself: it would
//! read the text behind it as JSON. Knows nothing of what the other names mean.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON value.
///
/// # Errors
/// A text with the column, never with a value.
pub fn parse(text: &str) -> Result<Value, String> {
    let strict: Strict = serde_json::from_str(text)
        .map_err(|error| format!("not JSON, or a name twice, at column {}", error.column()))?;
    Ok(strict.0)
}

/// How the names begin under which serde_json hides raw texts and long numbers in objects of one entry.
const KEPT_BY_SERDE_JSON: &str = "$serde_json::private::";

struct Strict(Value);

struct Reading;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading).map(Self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JSON without a name twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if name.starts_with(KEPT_BY_SERDE_JSON) {
                return Err(A::Error::custom("a name that is not free"));
            }
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_or_not_free_is_refused_at_any_depth() {
        let good = r#"{"a":[1,-2,0.5,"x",null,true],"b":{"a":1}}"#;
        assert_eq!(parse(good).unwrap(), serde_json::from_str::<Value>(good).unwrap());
        let raw = r#"{"b":[{"$serde_json::private::RawValue":"{\"a\":1}"}]}"#;
        for bad in [r#"{"a":1,"a":2}"#, r#"{"b":[{"a":1,"a":1}]}"#, "{", "1 2", raw] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
