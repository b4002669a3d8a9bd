//! The load: questions about random persons, closed (so many in flight) or open (so many a second, timed
//! from when they were due, so that waiting in line counts).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use protocol::digest::Digest;
use protocol::machine::{Ask, Ending};
use rand_core::{Rng as _, SeedableRng as _};

use super::asker::Asker;

/// What to ask, how fast.
pub struct Load {
    concurrency: usize,
    rate: Option<u64>,
    questions: Box<dyn Fn(u64) -> Ask + Send + Sync>,
    dice: Mutex<ChaCha20Rng>,
}

/// What came of it.
#[derive(Debug)]
pub struct Measured {
    /// Questions answered with a good receipt.
    pub answered: u64,
    /// Questions that ended otherwise.
    pub failed: u64,
    /// How long it took.
    pub took: Duration,
    latencies_us: Vec<u64>,
}

impl Load {
    /// A load of `concurrency` in flight, or of `rate` a second.
    pub fn new(concurrency: usize, rate: Option<u64>, questions: Box<dyn Fn(u64) -> Ask + Send + Sync>) -> Self {
        let dice = Mutex::new(ChaCha20Rng::from_seed(*Digest::of(b"tsunagi bench").as_bytes()));
        Self { concurrency, rate, questions, dice }
    }

    /// Runs for that long and waits for what is in flight.
    ///
    /// # Errors
    /// A text if this process gets no timer.
    pub fn run(&self, asker: &Asker, span: Duration) -> Result<Measured, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let began = Instant::now();
        // One thread for all of them, as an office's software is one program: a thread each would measure the
        // waking of threads.
        let askers = (0..self.askers()).map(|number| self.one(asker, began, span, number));
        let parts = runtime.block_on(futures::future::join_all(askers));
        let mut measured = Measured { answered: 0, failed: 0, took: span, latencies_us: Vec::new() };
        for part in parts {
            measured.answered += part.answered;
            measured.failed += part.failed;
            measured.latencies_us.extend(part.latencies_us);
        }
        measured.took = began.elapsed();
        measured.latencies_us.sort_unstable();
        Ok(measured)
    }

    fn askers(&self) -> usize {
        self.concurrency.max(1)
    }

    /// One who asks: the next question when the last is answered, or when it is due.
    async fn one(&self, asker: &Asker, began: Instant, span: Duration, number: usize) -> Measured {
        let mut measured = Measured { answered: 0, failed: 0, took: span, latencies_us: Vec::new() };
        let mut turn: u32 = 0;
        loop {
            let due = match self.due(began, number, turn) {
                Some(due) => due,
                None => Instant::now(),
            };
            if due.duration_since(began) >= span || Instant::now().duration_since(began) >= span {
                return measured;
            }
            tokio::time::sleep_until(due.into()).await;
            let ask = (self.questions)(self.throw());
            match asker.ask(ask).await {
                Some(Ending::Answered(_answered)) => {
                    measured.answered += 1;
                    let us = Instant::now().duration_since(due).as_micros();
                    measured.latencies_us.push(u64::try_from(us).unwrap_or(u64::MAX));
                }
                Some(Ending::Failed(_)) | None => measured.failed += 1,
            }
            turn = turn.saturating_add(1);
        }
    }

    /// When question `turn` of asker `number` is due at the chosen rate.
    fn due(&self, began: Instant, number: usize, turn: u32) -> Option<Instant> {
        let rate = self.rate?;
        let askers = u64::try_from(self.askers()).unwrap_or(1);
        let place = u64::from(turn).saturating_mul(askers).saturating_add(u64::try_from(number).unwrap_or(0));
        began.checked_add(Duration::from_micros(place.saturating_mul(1_000_000) / rate.max(1)))
    }

    fn throw(&self) -> u64 {
        self.dice.lock().map_or(0, |mut dice| dice.next_u64())
    }
}

impl Measured {
    /// The latency that this share of questions did not exceed, in milliseconds.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let last = super::as_f64(u64::try_from(self.latencies_us.len().saturating_sub(1)).unwrap_or(0));
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list"
        )]
        let at = (last * share).round() as usize;
        self.latencies_us.get(at).map_or(0.0, |us| super::as_f64(*us) / 1000.0)
    }
}

impl core::fmt::Debug for Load {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Load").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
