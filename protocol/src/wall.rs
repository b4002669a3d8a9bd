//! The wall clock (時計), doubted: it is held against the stopwatch, which shows that it was set, and against the
//! instants that others sign, which show that it is wrong. Reads no clock, sets none, and refuses nothing itself.

use std::collections::BTreeMap;

use crate::id::party::PartyId;
use crate::limits;
use crate::time::{Now, Span, Steady, Timestamp};

/// How far the wall clock is to be relied on; each is worse than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reliance {
    /// Nothing speaks against it.
    #[default]
    Sound,
    /// It was set by more than [`limits::STEP_NOTED`]: the node is degraded.
    Stepped,
    /// It is further than [`limits::APART_MAX`] from the clocks of those who sign: the node is not ready.
    Apart,
    /// It was set by more than [`limits::STEP_MAX`]: the node refuses.
    Uncertain,
}

/// What is known of the wall clock. All instants are kept as their distance to the stopwatch, so that setting
/// the clock changes none of them.
#[derive(Debug, Default)]
pub struct Wall {
    /// Where the wall clock stands as far as it is believed.
    believed: Option<i64>,
    /// Where the clocks of others stand, and when that was heard.
    others: BTreeMap<PartyId, (i64, Steady)>,
    /// The one in the middle of them, if there are enough.
    middle: Option<i64>,
}

impl Wall {
    /// Hears an instant that somebody signed a moment ago: one voice for each party, its newest. Whose voice counts is
    /// the host's to say.
    pub fn hear(&mut self, party: &PartyId, signed: Timestamp, now: Steady) {
        if let Some((_place, since)) = self.others.get(party)
            && now.since(*since) < limits::HEARD_EVERY
        {
            return;
        }
        self.others.retain(|_party, (_place, since)| now.since(*since) < limits::HEARD_LIFE);
        if self.others.len() >= limits::HEARD_MAX && !self.others.contains_key(party) {
            let oldest = self.others.iter().min_by_key(|(_party, (_place, since))| *since);
            if let Some(oldest) = oldest.map(|(party, _heard)| party.clone()) {
                self.others.remove(&oldest);
            }
        }
        self.others.insert(party.clone(), (place(signed, now), now));
        let mut places: Vec<i64> = self.others.values().map(|(place, _since)| *place).collect();
        places.sort_unstable();
        let is_enough = places.len() >= limits::HEARD_MIN;
        self.middle = places.get(places.len() / 2).copied().filter(|_middle| is_enough);
    }

    /// How far the clock is to be relied on. It is believed as it stands at first, and again once the clocks of
    /// enough others agree with it.
    pub fn judge(&mut self, now: Now) -> Reliance {
        let stands = place(now.wall, now.steady);
        let apart = self.middle.map(|middle| distance(middle, stands));
        if self.believed.is_none() || apart.is_some_and(|apart| apart <= limits::STEP_NOTED) {
            self.believed = Some(stands);
        }
        let step = self.believed.map_or(Span::ZERO, |believed| distance(believed, stands));
        if step > limits::STEP_MAX {
            Reliance::Uncertain
        } else if apart.is_some_and(|apart| apart > limits::APART_MAX) {
            Reliance::Apart
        } else if step > limits::STEP_NOTED {
            Reliance::Stepped
        } else {
            Reliance::Sound
        }
    }
}

/// Where a wall clock that shows `wall` stands to the stopwatch, in milliseconds.
fn place(wall: Timestamp, steady: Steady) -> i64 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(wall.unix_ms()).saturating_sub(signed(steady.ms()))
}

const fn distance(a: i64, b: i64) -> Span {
    Span::from_ms(a.abs_diff(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: u64 = 1_790_000_000_000;

    /// `s` seconds after the start, on a wall clock that is `off_s` seconds wrong.
    fn at(s: u64, off_s: i64) -> Now {
        let wall = START_MS.saturating_add(s * 1000).saturating_add_signed(off_s * 1000);
        Now { wall: Timestamp::from_unix_ms(wall), steady: Steady::from_ms(s * 1000) }
    }

    fn party(number: u64) -> PartyId {
        PartyId::parse(&format!("witness:{number}")).unwrap()
    }

    /// Parties numbered so say at second `s` what a clock shows that is `off_s` seconds wrong.
    fn hear(wall: &mut Wall, numbers: core::ops::RangeInclusive<u64>, s: u64, off_s: i64) {
        for number in numbers {
            wall.hear(&party(number), at(s, off_s).wall, at(s, 0).steady);
        }
    }

    #[test]
    fn a_step_degrades_then_refuses_and_is_forgiven_when_undone() {
        let mut wall = Wall::default();
        assert_eq!(wall.judge(at(0, 0)), Reliance::Sound);
        for (off_s, reliance) in [
            (30, Reliance::Sound),
            (31, Reliance::Stepped),
            (-31, Reliance::Stepped),
            (120, Reliance::Stepped),
            (121, Reliance::Uncertain),
            (-121, Reliance::Uncertain),
            (0, Reliance::Sound),
        ] {
            assert_eq!(wall.judge(at(10, off_s)), reliance, "{off_s} s");
        }
    }

    #[test]
    fn a_clock_that_three_others_contradict_is_apart() {
        let mut wall = Wall::default();
        assert_eq!(wall.judge(at(0, 0)), Reliance::Sound);
        hear(&mut wall, 1..=2, 1, 301);
        assert_eq!(wall.judge(at(1, 0)), Reliance::Sound, "two are not enough");
        hear(&mut wall, 3..=3, 2, 301);
        assert_eq!(wall.judge(at(2, 0)), Reliance::Apart);
        hear(&mut wall, 4..=6, 3, 299);
        assert_eq!(wall.judge(at(3, 0)), Reliance::Apart, "the one in the middle says more than five minutes");
        hear(&mut wall, 7..=7, 4, 299);
        assert_eq!(wall.judge(at(4, 1)), Reliance::Sound);
    }

    #[test]
    fn a_minority_moves_nothing() {
        let mut wall = Wall::default();
        wall.judge(at(0, 0));
        hear(&mut wall, 1..=4, 1, 0);
        hear(&mut wall, 5..=7, 1, 1_000_000_000);
        assert_eq!(wall.judge(at(2, 0)), Reliance::Sound);
    }

    #[test]
    fn whoever_speaks_often_has_one_voice() {
        let mut wall = Wall::default();
        wall.judge(at(0, 0));
        for s in [1, 20, 40, 60] {
            hear(&mut wall, 1..=2, s, 1_000);
        }
        assert_eq!(wall.judge(at(61, 0)), Reliance::Sound);
    }

    #[test]
    fn a_clock_that_was_put_right_is_believed_again() {
        let mut wall = Wall::default();
        assert_eq!(wall.judge(at(0, -4000)), Reliance::Sound, "nobody knows yet");
        assert_eq!(wall.judge(at(1, 0)), Reliance::Uncertain);
        hear(&mut wall, 1..=3, 2, -20);
        assert_eq!(wall.judge(at(3, 0)), Reliance::Sound);
        assert_eq!(wall.judge(at(4, 40)), Reliance::Stepped, "it is held against what was believed last");
    }

    #[test]
    fn absurd_instants_and_crowds_change_no_bound() {
        let mut wall = Wall::default();
        for number in 1..=1000 {
            let absurd = if number % 2 == 0 { u64::MAX } else { 0 };
            wall.hear(&party(number), Timestamp::from_unix_ms(absurd), Steady::from_ms(number));
        }
        assert_eq!(wall.others.len(), limits::HEARD_MAX);
        wall.judge(at(5, 0));
        let late = at(2 * limits::HEARD_LIFE.ms() / 1000, 0);
        wall.hear(&party(1), late.wall, late.steady);
        assert_eq!((wall.others.len(), wall.middle), (1, None));
    }
}
