//! The door of time: the only reader of this machine's clocks. Decides nothing; everybody else is
//! told what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::time::{Now, Steady, Timestamp};

/// Both clocks of this machine. One per process, shared by all its threads.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// The wall clock at `start`, in Unix milliseconds.
    anchor_ms: i64,
}

impl Clock {
    /// Starts the stopwatch and notes where the wall clock stands.
    pub fn start() -> Self {
        Self { start: Instant::now(), anchor_ms: signed(wall_ms()) }
    }

    /// Both clocks, read one right after the other.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::from_unix_ms(wall_ms()), steady: Steady::from_ms(self.steady_ms()) }
    }

    /// How far the wall clock was set since [`Clock::start`], in milliseconds; positive if it was set forward.
    ///
    /// On Linux both clocks are slewed alike, so what is left is a step: somebody set the clock, or
    /// the machine slept.
    pub fn step_ms(&self) -> i64 {
        step_between(self.anchor_ms, wall_ms(), self.steady_ms())
    }

    fn steady_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn wall_ms() -> u64 {
    // A clock before 1970 is as wrong as one at 1970.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn step_between(anchor_ms: i64, wall_ms: u64, steady_ms: u64) -> i64 {
    signed(wall_ms).saturating_sub(anchor_ms.saturating_add(signed(steady_ms)))
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_forward_or_back_shows_as_a_step() {
        assert_eq!(step_between(1_000_000, 1_000_500, 500), 0);
        assert_eq!(step_between(1_000_000, 1_031_000, 500), 30_500);
        assert_eq!(step_between(1_000_000, 0, 500), -1_000_500);
        assert_eq!(step_between(0, u64::MAX, 0), i64::MAX);
    }

    #[test]
    fn the_steady_clock_does_not_go_back() {
        let clock = Clock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(second.steady >= first.steady);
        assert!(second.wall > Timestamp::from_unix_ms(1_700_000_000_000));
    }
}
