//! What the unavoidable steps of one question cost on this machine, in the same run: the floor that the
//! measured cost is held against.

use std::io::Write as _;
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

/// How often each is done.
const ROUNDS: u32 = 200;
/// The sizes of a signed request and of a padded answer, in bytes.
const REQUEST_BYTES: usize = 700;
/// See [`REQUEST_BYTES`].
const ANSWER_BYTES: usize = 4096;

/// Times them all.
///
/// # Errors
/// A text if a primitive does not work here.
pub fn time(suite: Suite) -> Result<Steps, String> {
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
        fdatasync: fdatasync()?,
    })
}

impl Steps {
    /// The mean of two timings: a machine's speed moves while it is measured.
    pub fn mean(self, other: Self) -> Self {
        let mean = |of: fn(&Self) -> f64| f64::midpoint(of(&self), of(&other));
        Self {
            encapsulate: mean(|steps| steps.encapsulate),
            decapsulate: mean(|steps| steps.decapsulate),
            sign: mean(|steps| steps.sign),
            verify: mean(|steps| steps.verify),
            aead_request: mean(|steps| steps.aead_request),
            aead_answer: mean(|steps| steps.aead_answer),
            fdatasync: mean(|steps| steps.fdatasync),
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

/// The median of single runs, in microseconds: a run that was interrupted does not count.
fn us(mut step: impl FnMut() -> bool) -> f64 {
    let mut times: Vec<Duration> = Vec::new();
    for _round in 0..ROUNDS {
        let began = Instant::now();
        let worked = std::hint::black_box(step());
        times.push(began.elapsed());
        assert!(worked, "a primitive failed while it was timed");
    }
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1e6)
}
