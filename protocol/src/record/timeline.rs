//! Which versions are in force on a day, as far as was known at an instant: two time axes, nothing
//! overwritten. A pure choice among heads; reads no content.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::date::Date;
use crate::message::Versions;
use crate::record::version::{Head, RecordId, Status};
use crate::time::Timestamp;

/// A point on both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AsOf {
    /// The day on which a version has to hold.
    #[n(0)]
    pub valid_on: Date,
    /// The instant by which it has to be recorded, included.
    #[n(1)]
    pub recorded_by: Timestamp,
}

/// The heads wanted at `at`: those in force, or every one known by then but drafts; sorted by first day, record and
/// number.
pub fn chosen(heads: &[Head], at: AsOf, wanted: Option<Versions>) -> Vec<Head> {
    match wanted {
        None => in_force(heads, at),
        Some(Versions::All) => {
            let mut known: Vec<_> = known(heads, at).copied().collect();
            known.sort_by_key(|head| (head.valid_from, head.id, head.number));
            known
        }
    }
}

fn known(heads: &[Head], at: AsOf) -> impl Iterator<Item = &Head> {
    heads.iter().filter(move |head| head.recorded_at <= at.recorded_by && head.status != Status::Draft)
}

/// The heads in force at `at`, sorted by first day, record and number.
///
/// A version is in force if it was recorded by then, is final or amended, holds on the day, is the
/// latest of its record, and no record that replaces its record was known. Drafts never count;
/// what a cancelled version replaced stays hidden, so nothing comes back unasked.
pub fn in_force(heads: &[Head], at: AsOf) -> Vec<Head> {
    let known = || known(heads, at);
    let mut latest: BTreeMap<RecordId, Head> = BTreeMap::new();
    for head in known() {
        let kept = latest.entry(head.id).or_insert(*head);
        if head.number > kept.number {
            *kept = *head;
        }
    }
    let replaced: BTreeSet<RecordId> =
        known().filter_map(|head| head.supersedes.filter(|other| *other != head.id)).collect();
    let mut chosen: Vec<Head> = latest
        .into_values()
        .filter(|head| head.status != Status::Cancelled && holds(head, at.valid_on) && !replaced.contains(&head.id))
        .collect();
    chosen.sort_by_key(|head| (head.valid_from, head.id, head.number));
    chosen
}

fn holds(head: &Head, day: Date) -> bool {
    head.valid_from <= day && head.valid_to.is_none_or(|last| day <= last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(n: u8) -> Date {
        Date::new(2026, 4, n).unwrap()
    }

    fn head(id: u8, number: u32, recorded_at: u64, status: Status, supersedes: Option<u8>) -> Head {
        Head {
            id: RecordId::from_bytes([id; 16]),
            number,
            valid_from: day(1),
            valid_to: Some(day(30)),
            recorded_at: Timestamp::from_unix_ms(recorded_at),
            status,
            supersedes: supersedes.map(|id| RecordId::from_bytes([id; 16])),
        }
    }

    fn at(valid: u8, recorded: u64) -> AsOf {
        AsOf { valid_on: day(valid), recorded_by: Timestamp::from_unix_ms(recorded) }
    }

    #[test]
    fn a_correction_counts_from_when_it_was_recorded() {
        let first = head(1, 1, 10, Status::Final, None);
        let second = head(1, 2, 20, Status::Amended, None);
        let other = head(2, 1, 30, Status::Final, Some(1));
        let heads = [first, second, other];
        assert_eq!(in_force(&heads, at(5, 9)), []);
        assert_eq!(in_force(&heads, at(5, 19)), [first]);
        assert_eq!(in_force(&heads, at(5, 20)), [second]);
        assert_eq!(in_force(&heads, at(5, 30)), [other]);
    }

    #[test]
    fn a_cancellation_hides_what_it_replaces_and_nothing_comes_back() {
        let heads = [
            head(1, 1, 10, Status::Final, None),
            head(2, 1, 20, Status::Amended, Some(1)),
            head(2, 2, 30, Status::Cancelled, None),
        ];
        assert_eq!(in_force(&heads, at(5, 25)), [heads[1]]);
        assert_eq!(in_force(&heads, at(5, 30)), []);
    }

    #[test]
    fn a_draft_replaces_nothing() {
        let heads = [head(1, 1, 10, Status::Final, None), head(1, 2, 20, Status::Draft, None)];
        assert_eq!(in_force(&heads, at(5, 30)), [heads[0]]);
    }

    #[test]
    fn the_history_of_versions_holds_everything_known_by_then_but_drafts() {
        let heads = [
            head(1, 1, 10, Status::Final, None),
            head(1, 2, 20, Status::Cancelled, None),
            head(2, 1, 20, Status::Draft, None),
            head(3, 1, 30, Status::Final, Some(1)),
        ];
        assert_eq!(chosen(&heads, at(5, 20), Some(Versions::All)), [heads[0], heads[1]]);
        assert_eq!(chosen(&heads, at(31 - 1, 30), Some(Versions::All)), [heads[0], heads[1], heads[3]]);
        assert_eq!(chosen(&heads, at(5, 10), None), [heads[0]]);
    }

    #[test]
    fn both_ends_of_the_period_count() {
        let mut short = head(1, 1, 10, Status::Final, None);
        (short.valid_from, short.valid_to) = (day(3), Some(day(5)));
        let days: Vec<u8> = (1..=30).filter(|n| !in_force(&[short], at(*n, 10)).is_empty()).collect();
        assert_eq!(days, [3, 4, 5]);
    }

    /// The same said the slow way: write history down again, event by event.
    fn replayed(history: &[Head], at: AsOf) -> Vec<Head> {
        let mut live: Vec<Head> = Vec::new();
        let mut gone: Vec<RecordId> = Vec::new();
        for event in history.iter().filter(|head| head.recorded_at <= at.recorded_by) {
            if event.status == Status::Draft {
                continue;
            }
            live.retain(|head| head.id != event.id && Some(head.id) != event.supersedes);
            gone.extend(event.supersedes);
            if event.status != Status::Cancelled && !gone.contains(&event.id) {
                live.push(*event);
            }
        }
        live.retain(|head| holds(head, at.valid_on));
        live.sort_by_key(|head| (head.valid_from, head.id, head.number));
        live
    }

    const STATUSES: [Status; 4] = [Status::Draft, Status::Final, Status::Amended, Status::Cancelled];

    /// Versions in the order of their recording; each record counts its versions from 1 and replaces
    /// only records with smaller names.
    fn history() -> impl Strategy<Value = Vec<Head>> {
        let event = (1..6_u8, 0..4_usize, 0..5_u8, 1..28_u8, 0..20_u8);
        proptest::collection::vec(event, 0..24).prop_map(|events| {
            let mut numbers = [0_u32; 6];
            let events = events.into_iter().zip(0_u64..);
            let heads = events.map(|((id, status, supersedes, from, length), recorded_at)| {
                numbers[usize::from(id)] += 1;
                let replaced = (supersedes > 0 && supersedes < id).then_some(supersedes);
                Head {
                    valid_from: day(from),
                    valid_to: (length > 0).then(|| day((from + length).min(30))),
                    ..head(id, numbers[usize::from(id)], recorded_at / 2, STATUSES[status], replaced)
                }
            });
            heads.collect()
        })
    }

    proptest! {
        #[test]
        fn the_choice_is_what_a_replay_of_history_leaves(history in history(), valid in 1..=30_u8, by in 0..13_u64) {
            prop_assert_eq!(in_force(&history, at(valid, by)), replayed(&history, at(valid, by)));
        }

        #[test]
        fn the_choice_does_not_depend_on_the_order_of_the_heads(history in history(), valid in 1..=30_u8) {
            let mut turned = history.clone();
            turned.reverse();
            prop_assert_eq!(in_force(&history, at(valid, 99)), in_force(&turned, at(valid, 99)));
        }

        #[test]
        fn what_is_recorded_later_does_not_change_what_was_known(
            history in history(),
            valid in 1..=30_u8,
            by in 0..13_u64,
        ) {
            let before: Vec<Head> =
                history.iter().filter(|head| head.recorded_at <= at(1, by).recorded_by).copied().collect();
            prop_assert_eq!(in_force(&history, at(valid, by)), in_force(&before, at(valid, by)));
        }
    }
}
