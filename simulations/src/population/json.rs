//! A writer of JSON objects that keeps the order it is given, so that the same person is the same
//! bytes whatever a JSON library was built with. Reads nothing.

use core::fmt::Write;
use protocol::date::Date;

/// An object being written.
pub(super) struct Object(String);

impl Object {
    /// An object without fields.
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    /// A text.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        quote(&mut self.0, value);
        self
    }

    /// A text, if there is one.
    pub(super) fn some_text(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A whole number.
    pub(super) fn number(mut self, name: &str, value: impl core::fmt::Display) -> Self {
        self.name(name);
        append(&mut self.0, format_args!("{value}"));
        self
    }

    /// A number that is not negative, given in tenths.
    pub(super) fn tenths(self, name: &str, value: u64) -> Self {
        self.number(name, format_args!("{}.{}", value / 10, value % 10))
    }

    /// True or false.
    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.number(name, value)
    }

    /// A day.
    pub(super) fn date(mut self, name: &str, value: Date) -> Self {
        self.name(name);
        let digit = |number: u32| char::from_digit(number % 10, 10).unwrap_or('0');
        let (year, month, day) = (u32::from(value.year()), u32::from(value.month()), u32::from(value.day()));
        self.0.push('"');
        self.0.extend([1_000, 100, 10, 1].map(|place| digit(year / place)));
        self.0.extend(['-', digit(month / 10), digit(month), '-', digit(day / 10), digit(day), '"']);
        self
    }

    /// A day, or null.
    pub(super) fn date_or_null(self, name: &str, value: Option<Date>) -> Self {
        match value {
            Some(value) => self.date(name, value),
            None => self.number(name, "null"),
        }
    }

    /// A list of texts.
    pub(super) fn texts(mut self, name: &str, values: &[&str]) -> Self {
        self.name(name);
        self.0.push('[');
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            quote(&mut self.0, value);
        }
        self.0.push(']');
        self
    }

    /// An object inside.
    pub(super) fn object(mut self, name: &str, value: Self) -> Self {
        self.name(name);
        self.0.push_str(&value.finish());
        self
    }

    /// A list of objects.
    pub(super) fn list(mut self, name: &str, values: Vec<Self>) -> Self {
        self.name(name);
        let items: Vec<String> = values.into_iter().map(Self::finish).collect();
        append(&mut self.0, format_args!("[{}]", items.join(",")));
        self
    }

    /// A value that is JSON already.
    pub(super) fn json(self, name: &str, value: &str) -> Self {
        self.number(name, value)
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        let Self(mut text) = self;
        text.insert(0, '{');
        text.push('}');
        text
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.extend(["\"", name, "\":"]);
    }
}

fn append(out: &mut String, what: core::fmt::Arguments<'_>) {
    // Writing to a String is infallible.
    let written = out.write_fmt(what);
    debug_assert!(written.is_ok(), "a string failed to grow");
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    if value.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\' | 0x7f | 0xc2)) {
        // Nothing to escape: the common case, and much the faster. (0xc2 begins the later controls.)
        out.push_str(value);
        out.push('"');
        return;
    }
    for letter in value.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            _ if letter.is_control() => append(out, format_args!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_in_the_order_given() {
        let text = Object::new()
            .text("z", "a\"\\\n\u{7}清")
            .tenths("t", 305)
            .texts("l", &["1", "2"])
            .date_or_null("d", None)
            .date_or_null("e", Date::new(2026, 4, 30))
            .list("o", vec![Object::new().flag("f", true), Object::new()])
            .finish();
        assert_eq!(
            text,
            "{\"z\":\"a\\\"\\\\\\n\\u0007清\",\"t\":30.5,\"l\":[\"1\",\"2\"],\"d\":null,\"e\":\"2026-04-30\",\"o\":[{\"f\":true},{}]}"
        );
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
