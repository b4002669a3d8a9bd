//! What an operator must see, without filling the log: a peer that is admitted can bring about one alarm as often as
//! it likes. Each is told at once when it is new, then at most once a minute with how often it came. Loses none:
//! all of them are counted.

use std::collections::BTreeMap;

use protocol::time::{Span, Steady};

/// How often one alarm is told.
const TELL_EVERY: Span = Span::from_s(60);

/// Which alarms were told when. There are as many as the source has words for.
#[derive(Debug, Default)]
pub(super) struct Alarms(BTreeMap<&'static str, Told>);

#[derive(Debug)]
struct Told {
    at: Steady,
    since: u64,
}

impl Alarms {
    /// How often the alarm came since it was told last, this time included, if it is to be told now.
    pub(super) fn ring(&mut self, what: &'static str, now: Steady) -> Option<u64> {
        let Some(told) = self.0.get_mut(what) else {
            self.0.insert(what, Told { at: now, since: 0 });
            return Some(1);
        };
        told.since = told.since.saturating_add(1);
        if now.since(told.at) < TELL_EVERY {
            return None;
        }
        told.at = now;
        Some(core::mem::take(&mut told.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_alarm_is_a_line_a_minute_and_hides_no_other() {
        let mut alarms = Alarms::default();
        let at = Steady::from_ms;
        assert_eq!(alarms.ring("fork", at(0)), Some(1));
        let told: Vec<u64> = (0..120_000).filter_map(|ms| alarms.ring("fork", at(ms))).collect();
        assert_eq!(told, [60_001]);
        assert_eq!(alarms.ring("replay", at(60_500)), Some(1));
        assert_eq!(alarms.ring("fork", at(120_000)), Some(60_000));
    }
}
