//! The words behind the question mark of a path, and bodies up to a bound.

use std::collections::BTreeMap;

use axum::body::{Body, HttpBody as _, to_bytes};

use super::error::Trouble;

/// The most words of one query.
const WORDS_MAX: usize = 16;

/// The words of a query by name; percent signs are undone.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query; of two words of one name the last counts.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Trouble> {
        let mut words = BTreeMap::new();
        for word in text.unwrap_or_default().split('&').filter(|word| !word.is_empty()).take(WORDS_MAX) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let value = undo_percent(value).ok_or_else(|| Trouble::field(name))?;
            words.insert(name.to_owned(), value);
        }
        Ok(Self(words))
    }

    /// A word.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A word that is a number.
    pub(super) fn number(&self, name: &str) -> Result<u64, Trouble> {
        self.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| Trouble::field(name))
    }
}

/// All of a body, if it is no longer than `bytes_max`; one that says that it is longer is not begun.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
    let said = body.size_hint().lower();
    if u64::try_from(bytes_max).is_ok_and(|bytes_max| said > bytes_max) {
        return Err(Trouble::TooLong);
    }
    to_bytes(body, bytes_max).await.map(|bytes| bytes.to_vec()).map_err(|_error| Trouble::TooLong)
}

fn undo_percent(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_as_they_were_meant() {
        let query = Query::parse(Some("seat=office%3A1370101238&from=7&empty&from=8")).unwrap();
        assert_eq!(query.get("seat"), Some("office:1370101238"));
        assert_eq!(query.number("from"), Ok(8));
        assert_eq!(query.number("count"), Err(Trouble::field("count")));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Query::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
