//! How sure a line of a table is (確からしさ): who says it, or that it is from memory. A line that is not sure is shown to
//! people, and nothing is refused because of it. Says nothing of what the line means.

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// A source of the fact sheet, by its name there: `S29`.
    Sourced(&'static str),
    /// From memory, unverified, but stable and widely known.
    WidelyKnown,
    /// From memory, unverified.
    Unverified,
}

impl Certainty {
    /// Reads the mark in a table: the name of a source, `M-hi` or `M`.
    pub fn parse(mark: &'static str) -> Option<Self> {
        let is_source = mark.strip_prefix('S').is_some_and(|number| number.parse::<u8>().is_ok());
        match mark {
            "M-hi" => Some(Self::WidelyKnown),
            "M" => Some(Self::Unverified),
            _ => is_source.then_some(Self::Sourced(mark)),
        }
    }

    /// Whether a record that contradicts the line is refused.
    pub const fn is_held(self) -> bool {
        !matches!(self, Self::Unverified)
    }

    /// The mark in a table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sourced(name) => name,
            Self::WidelyKnown => "M-hi",
            Self::Unverified => "M",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_and_only_what_is_unverified_is_not_held() {
        for (mark, held) in [("S29", true), ("M-hi", true), ("M", false)] {
            let certainty = Certainty::parse(mark).expect("a mark");
            assert_eq!((certainty.as_str(), certainty.is_held()), (mark, held));
        }
        for none in ["", "S", "S29 S48", "m", "certain"] {
            assert_eq!(Certainty::parse(none), None, "{none}");
        }
    }
}
