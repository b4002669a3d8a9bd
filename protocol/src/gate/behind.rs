//! What the pulse names and this gate does not have yet (遅れ): a newer roster, newer status lists. What is
//! behind is fetched; after [`limits::CATCH_UP`] it is no longer relied on. Fetches nothing itself.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::limits;
use crate::statement::Pulse;
use crate::time::Timestamp;

/// What is behind the pulse, and since when this gate knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    roster: Option<Timestamp>,
    lists: BTreeMap<PartyId, Timestamp>,
}

impl Behind {
    /// What is behind `pulse` at `now`, given the newest roster and each issuer's newest list (0 for none). What
    /// was behind before keeps its instant.
    pub(super) fn after(
        &self,
        pulse: &Pulse,
        roster: (u32, Digest),
        list: &dyn Fn(&PartyId) -> u64,
        now: Timestamp,
    ) -> Self {
        let (version, digest) = roster;
        let is_older = pulse.roster > version || (pulse.roster == version && pulse.digest != digest);
        let lists = pulse.lists.iter().filter(|(issuer, number)| *number > list(issuer));
        Self {
            roster: is_older.then(|| self.roster.unwrap_or(now)),
            lists: lists
                .map(|(issuer, _number)| (issuer.clone(), self.lists.get(issuer).copied().unwrap_or(now)))
                .collect(),
        }
    }

    /// Whether anything is behind.
    pub fn is_any(&self) -> bool {
        self.roster.is_some() || !self.lists.is_empty()
    }

    /// Whether the roster is not to be relied on any more.
    pub fn roster_overdue(&self, now: Timestamp) -> bool {
        self.roster.is_some_and(|since| is_over(since, now))
    }

    /// Whether that issuer's status list is not to be relied on any more.
    pub fn list_overdue(&self, issuer: &PartyId, now: Timestamp) -> bool {
        self.lists.get(issuer).is_some_and(|since| is_over(*since, now))
    }
}

fn is_over(since: Timestamp, now: Timestamp) -> bool {
    now >= since.plus(limits::CATCH_UP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_000_000);

    fn pulse(roster: u32, digest: &[u8], number: u64) -> Pulse {
        let issuer = PartyId::parse("issuer:1").unwrap();
        Pulse {
            network: Digest::of(b"network"),
            roster,
            digest: Digest::of(digest),
            lists: vec![(issuer, number)],
            issued: NOW,
            expires: NOW.plus(Span::from_h(24)),
        }
    }

    #[test]
    fn what_is_behind_is_relied_on_for_a_while_and_then_no_more() {
        let issuer = PartyId::parse("issuer:1").unwrap();
        let behind = Behind::default().after(&pulse(2, b"two", 7), (1, Digest::of(b"one")), &|_issuer| 6, NOW);
        let last = NOW.plus(limits::CATCH_UP).minus(Span::from_ms(1));
        assert!(behind.is_any() && !behind.roster_overdue(last) && !behind.list_overdue(&issuer, last));
        let over = NOW.plus(limits::CATCH_UP);
        assert!(behind.roster_overdue(over) && behind.list_overdue(&issuer, over));
        // The next pulse names the same; the time runs on.
        let again = behind.after(&pulse(3, b"three", 8), (1, Digest::of(b"one")), &|_issuer| 6, over);
        assert!(again.roster_overdue(over) && again.list_overdue(&issuer, over));
        assert!(!again.after(&pulse(3, b"three", 8), (3, Digest::of(b"three")), &|_issuer| 8, over).is_any());
    }

    #[test]
    fn another_roster_of_the_version_named_is_behind_too() {
        let other = Behind::default().after(&pulse(2, b"two", 1), (2, Digest::of(b"other")), &|_issuer| 1, NOW);
        assert!(other.roster_overdue(NOW.plus(limits::CATCH_UP)));
        let newer = Behind::default().after(&pulse(2, b"two", 1), (3, Digest::of(b"three")), &|_issuer| 2, NOW);
        assert!(!newer.is_any(), "a pulse of before the newest roster is nothing to worry about");
    }
}
