//! Closed sets of codes that a field may hold, each with its Japanese. Sets with a meaning beyond
//! one record (care levels, service kinds) are types under `code`, not sets.

/// A closed set of codes.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeSet {
    /// What the set is called, in snake_case English.
    pub name: &'static str,
    /// Each code with its Japanese, in the order of the source.
    pub values: &'static [(&'static str, &'static str)],
}

impl CodeSet {
    /// Whether `code` is one of the set.
    pub fn contains(&self, code: &str) -> bool {
        self.japanese(code).is_some()
    }

    /// What `code` means.
    pub fn japanese(&self, code: &str) -> Option<&'static str> {
        self.values.iter().find(|(known, _)| *known == code).map(|(_, japanese)| *japanese)
    }

    /// The codes in words, for an error message.
    pub fn codes(&self) -> String {
        let codes: Vec<_> = self.values.iter().map(|(code, _)| *code).collect();
        format!("one of {}", codes.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_codes_and_no_others() {
        let set = CodeSet { name: "presence", values: &[("1", "ない"), ("2", "ある")] };
        assert_eq!(set.japanese("2"), Some("ある"));
        assert!(!set.contains("3"));
        assert_eq!(set.codes(), "one of 1, 2");
    }
}
