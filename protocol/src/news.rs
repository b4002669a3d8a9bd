//! What one connection was told and asked of rosters and lists (便り), so that whoever has the older ones fetches
//! first, and nobody is asked or told the same over and over. Knows numbers only.

use std::cmp::Ordering;

use crate::limits;
use crate::time::{Span, Steady};

/// How soon the same connection is asked again.
const FETCH_AGAIN: Span = Span::from_s(1);

/// The state of one connection.
#[derive(Debug, Default)]
pub struct News {
    fetched: Option<(u32, Steady)>,
    heard: Option<(u32, Steady)>,
    told: u32,
}

/// What to do about a roster version that the other end names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heed {
    /// Ours is as new, or nothing helps: decide.
    Nothing,
    /// The other end has not been told of ours: tell it, then decide.
    Tell,
    /// The other end has a newer one: have it, then decide.
    Wait,
}

impl News {
    /// Whether to ask for what is above `version` now; a question just asked is not asked again.
    pub fn fetch(&mut self, version: u32, now: Steady) -> bool {
        let is_recent = self.fetched.is_some_and(|(from, at)| from == version && now.since(at) < FETCH_AGAIN);
        if !is_recent {
            self.fetched = Some((version, now));
        }
        !is_recent
    }

    /// Whether the roster just learnt is the last of a full portion, so that there may be more.
    pub fn is_portion_full(&self, learnt: u32) -> bool {
        let most = u32::try_from(limits::LINKS_PER_FETCH_MAX).unwrap_or(u32::MAX);
        self.fetched.is_some_and(|(from, _at)| from.checked_add(most) == Some(learnt))
    }

    /// What to do about the version `named` by the other end, when ours is `own`. Waiting has an end: a version
    /// that does not come within [`limits::FETCH_WAIT`] is not waited for.
    pub fn heed(&mut self, named: u32, own: u32, now: Steady) -> Heed {
        match named.cmp(&own) {
            Ordering::Greater => {
                let since = match self.heard {
                    Some((version, since)) if version > own => since,
                    _ => now,
                };
                self.heard = Some((named, since));
                if now.since(since) < limits::FETCH_WAIT { Heed::Wait } else { Heed::Nothing }
            }
            Ordering::Less if self.told < own => {
                self.told = own;
                Heed::Tell
            }
            Ordering::Less | Ordering::Equal => Heed::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_waited_for_but_not_for_ever() {
        let mut news = News::default();
        let at = Steady::from_ms;
        assert_eq!(news.heed(9, 1, at(0)), Heed::Wait);
        assert_eq!(news.heed(10, 1, at(4_999)), Heed::Wait);
        assert_eq!(news.heed(11, 1, at(5_000)), Heed::Nothing, "naming ever newer ones gains no time");
        assert_eq!(news.heed(12, 11, at(6_000)), Heed::Wait, "what was waited for came; this is another one");
    }

    #[test]
    fn whoever_is_behind_is_told_once() {
        let mut news = News::default();
        let now = Steady::from_ms(0);
        assert_eq!(news.heed(1, 2, now), Heed::Tell);
        assert_eq!(news.heed(1, 2, now), Heed::Nothing);
        assert_eq!(news.heed(1, 3, now), Heed::Tell);
        assert_eq!(news.heed(3, 3, now), Heed::Nothing);
    }

    #[test]
    fn a_question_is_not_repeated_at_once_and_a_full_portion_has_a_next() {
        let mut news = News::default();
        assert!(news.fetch(1, Steady::from_ms(0)));
        assert!(!news.fetch(1, Steady::from_ms(999)));
        assert!(!news.is_portion_full(16) && news.is_portion_full(17));
        assert!(news.fetch(17, Steady::from_ms(999)) && news.fetch(17, Steady::from_ms(1_999)));
    }
}
