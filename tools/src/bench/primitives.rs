//! What the unavoidable steps of one question cost on this machine, in the same run: the floor that the
//! measured cost is held against. They are timed again and again while the questions are answered, as a
//! machine's speed moves from second to second and two busy processors may share a core.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use node::dice::OsDice;
use protocol::primitives::{self, Primitives as _, Real, Secret, Suite};
use serde_json::{Value, json};

/// Microseconds each.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    encapsulate: f64,
    decapsulate: f64,
    sign: f64,
    verify: f64,
    aead_request: f64,
    aead_answer: f64,
    fdatasync: f64,
}

/// How many syncs are timed.
const ROUNDS: u32 = 200;
/// How long between two timings: their own cost, within a hundredth, counts against the measured.
const PAUSE: Duration = Duration::from_millis(100);
/// The sizes of a signed request and of a padded answer, in bytes.
const REQUEST_BYTES: usize = 700;
/// See [`REQUEST_BYTES`].
const ANSWER_BYTES: usize = 4096;

/// Does `work` and times the steps beside it.
///
/// # Errors
/// That of `work`, or a text if a primitive does not work here.
pub fn beside<T>(suite: Suite, work: impl FnOnce() -> Result<T, String>) -> Result<(T, Steps), String> {
    let fdatasync = fdatasync()?;
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let timing = scope.spawn(move || {
            let mut timings = vec![time(suite, fdatasync)?];
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                timings.push(time(suite, fdatasync)?);
            }
            Ok(Steps::typical(&timings))
        });
        let worked = work();
        drop(stop);
        let steps = timing.join().unwrap_or_else(|_panic| Err("timing panicked".to_owned()))?;
        Ok((worked?, steps))
    })
}

/// Times each once.
fn time(suite: Suite, fdatasync: f64) -> Result<Steps, String> {
    let failed = |_broken| "a primitive failed".to_owned();
    let secret = Secret::random(&mut OsDice);
    let key = Real.sealing_key(suite, &secret).map_err(failed)?;
    let public = key.public();
    let (enc, _channel) = Real.encapsulate(suite, &public, b"bench", &mut OsDice).map_err(failed)?;
    let message = vec![7; REQUEST_BYTES];
    let signing = Real.signing_key(&secret);
    let signature = signing.sign(&message);
    let signer = signing.public();
    Ok(Steps {
        encapsulate: us(|| Real.encapsulate(suite, &public, b"bench", &mut OsDice).is_ok()),
        decapsulate: us(|| key.decapsulate(&enc, b"bench").is_ok()),
        sign: us(|| signing.sign(&message).len() == 64),
        verify: us(|| Real.verify(&signer, &message, &signature)),
        aead_request: aead(&secret, REQUEST_BYTES),
        aead_answer: aead(&secret, ANSWER_BYTES),
        fdatasync,
    })
}

impl Steps {
    /// The mean of each without its slowest tenth: a run that was interrupted does not count.
    fn typical(timings: &[Self]) -> Self {
        let typical = |of: fn(&Self) -> f64| {
            let mut times: Vec<f64> = timings.iter().map(of).collect();
            times.sort_unstable_by(f64::total_cmp);
            times.truncate(times.len().saturating_sub(times.len() / 10));
            let count = u64::try_from(times.len()).unwrap_or(u64::MAX).max(1);
            times.iter().sum::<f64>() / super::as_f64(count)
        };
        Self {
            encapsulate: typical(|steps| steps.encapsulate),
            decapsulate: typical(|steps| steps.decapsulate),
            sign: typical(|steps| steps.sign),
            verify: typical(|steps| steps.verify),
            aead_request: typical(|steps| steps.aead_request),
            aead_answer: typical(|steps| steps.aead_answer),
            fdatasync: typical(|steps| steps.fdatasync),
        }
    }

    /// The least one question can cost at both ends together: an encapsulation and a decapsulation where
    /// fresh, one signature, one strict verification, both messages sealed and opened, and its share of
    /// what a batch costs each end.
    pub fn floor_us(&self, fresh: bool, batch_mean: f64) -> f64 {
        let kem = if fresh { self.encapsulate + self.decapsulate } else { 0.0 };
        let batch = self.sign + self.verify + self.fdatasync;
        kem + self.sign + self.verify + 2.0 * (self.aead_request + self.aead_answer) + 2.0 * batch / batch_mean.max(1.0)
    }

    /// For the report.
    pub fn to_json(self) -> Value {
        json!({ "encapsulate": self.encapsulate, "decapsulate": self.decapsulate, "sign": self.sign,
            "verify": self.verify, "aead_request": self.aead_request, "aead_answer": self.aead_answer,
            "fdatasync_cpu": self.fdatasync })
    }
}

fn aead(secret: &Secret, bytes: usize) -> f64 {
    let plaintext = vec![7; bytes];
    us(|| primitives::seal(secret, b"bench", &plaintext).len() > bytes)
}

/// The CPU a 4 KiB append and its fdatasync cost this process; the wait is the disk's.
fn fdatasync() -> Result<f64, String> {
    let path = std::env::temp_dir().join(format!("tsunagi-sync-{}", std::process::id()));
    let mut file = std::fs::File::create(&path).map_err(|error| error.to_string())?;
    let before = super::asker::cpu_of_self()?;
    for _round in 0..ROUNDS {
        file.write_all(&[7; 4096]).map_err(|error| error.to_string())?;
        file.sync_data().map_err(|error| error.to_string())?;
    }
    let spent = super::asker::cpu_of_self()? - before;
    std::fs::remove_file(path).map_err(|error| error.to_string())?;
    Ok(spent / f64::from(ROUNDS))
}

/// How long a step takes once caches know it, in microseconds.
fn us(mut step: impl FnMut() -> bool) -> f64 {
    let warm = std::hint::black_box(step());
    let began = Instant::now();
    let worked = std::hint::black_box(step());
    let took = began.elapsed();
    assert!(warm && worked, "a primitive failed while it was timed");
    took.as_secs_f64() * 1e6
}
