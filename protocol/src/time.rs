//! Instants and spans, as numbers that somebody else read from a clock.
//!
//! Everything here saturates: a peer's absurd time can be early or late, never a panic. There is no
//! clock in this crate; [`Now`] is an argument.

use minicbor::{Decode, Encode};

/// An instant on the wall clock: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Span(#[n(0)] u64);

/// An instant on a clock that never steps, in milliseconds since an arbitrary start. Deadlines use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steady(u64);

/// Both clocks, read once per turn. Deadlines use `steady`, freshness and records use `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What a calendar says; may step.
    pub wall: Timestamp,
    /// What a stopwatch says; never steps.
    pub steady: Steady,
}

impl Timestamp {
    /// The instant `ms` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// The instant `span` later.
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The instant `span` earlier.
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The distance between two instants, whichever is first.
    pub const fn distance(self, other: Self) -> Span {
        Span(self.0.abs_diff(other.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// A span of `s` seconds.
    pub const fn from_s(s: u64) -> Self {
        Self(s.saturating_mul(1_000))
    }

    /// A span of `h` hours.
    pub const fn from_h(h: u64) -> Self {
        Self(h.saturating_mul(3_600_000))
    }

    /// This span without `other`; zero if `other` is longer.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Its length in milliseconds.
    pub const fn ms(self) -> u64 {
        self.0
    }
}

impl Steady {
    /// The instant `ms` milliseconds after this clock's start.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since this clock's start.
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// The instant `span` later.
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let last = Timestamp::from_unix_ms(u64::MAX);
        assert_eq!(last.plus(Span::from_s(1)), last);
        let first = Timestamp::from_unix_ms(0);
        assert_eq!(first.minus(Span::from_s(1)), first);
        assert_eq!(first.since(last), Span::ZERO);
        assert_eq!(first.distance(last), last.distance(first));
    }
}
