//! `tsunagi bench`: how many durably ledgered, sealed, policy-checked questions an asker and a
//! municipality answer on this machine, as two processes, and what each costs (`ask`); how fast records are taken in and
//! read again, and what room they take (`records`).
//!
//! A measurement, not a test: nothing passes or fails here. Ratios are of one run.

pub mod asker;
pub mod baseline;
pub mod load;
pub mod primitives;
pub mod records;
pub mod target;

use std::time::Duration;

use node::clock::Clock;
use protocol::date::Date;
use protocol::primitives::Suite;
use serde_json::{Value, json};

use asker::Asker;
use load::Load;
use target::Target;

/// How the bench is run.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// How long to measure.
    pub seconds: u64,
    /// Questions in flight.
    pub concurrency: usize,
    /// Questions per second, sent whether earlier ones are answered or not.
    pub rate: Option<u64>,
    /// The suite of the asker.
    pub suite: Suite,
    /// Whether each message gets an encapsulation of its own.
    pub fresh_kem: bool,
    /// Invented persons in the municipality.
    pub persons: u64,
    /// Whether to measure the baseline, too.
    pub baseline: bool,
}

/// How long the machine warms up before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// Measures and reports.
///
/// # Errors
/// A text for the operator.
pub fn ask(choice: Choice, talk: &dyn Fn(&str)) -> Result<Value, String> {
    let target = Target::set_up(choice.persons, talk)?;
    let asker = Asker::start(target.office(), choice.suite, choice.fresh_kem)?;
    asker.meet(target.city())?;
    let load = Load::new(choice.concurrency, choice.rate, target.questions());
    talk("慣らし運転");
    load.run(&asker, WARM_UP)?;
    talk("計測");
    let ((before, measured), steps) = primitives::beside(choice.suite, || {
        let before = (asker::cpu_of_self()?, target.cpu()?, target.figures()?);
        Ok((before, load.run(&asker, Duration::from_secs(choice.seconds))?))
    })?;
    let after = (asker::cpu_of_self()?, target.cpu()?, target.figures()?);
    let questions = measured.answered.max(1);
    let per_question = |cpu: f64| cpu / as_f64(questions);
    let (asker_cpu, city_cpu) = (per_question(after.0 - before.0), per_question(after.1 - before.1));
    let figures = after.2.since(&before.2);
    let (rss_mib, ready_s) = (target.rss_mib()?, target.ready_s());
    drop(target);
    let baseline = baseline(choice, talk)?;
    let batch_mean = figures.batch_mean();
    let floor = steps.floor_us(choice.fresh_kem, batch_mean);
    Ok(json!({
        "suite": suite_word(choice.suite),
        "fresh_kem": choice.fresh_kem,
        "concurrency": choice.concurrency,
        "rate": choice.rate,
        "persons": choice.persons,
        "seconds": choice.seconds,
        "questions": measured.answered,
        "failed": measured.failed,
        "questions_per_s": as_f64(measured.answered) / measured.took.as_secs_f64(),
        "p50_ms": measured.percentile_ms(0.50),
        "p99_ms": measured.percentile_ms(0.99),
        "p999_ms": measured.percentile_ms(0.999),
        "cpu_us_per_question": { "asker": asker_cpu, "municipality": city_cpu },
        "steps_us": steps.to_json(),
        "floor_us": floor,
        "efficiency": floor / (asker_cpu + city_cpu),
        "baseline_per_s": baseline.map(|(per_s, _persons)| per_s),
        "baseline_persons": baseline.map(|(_per_s, persons)| persons),
        "rss_mib": rss_mib,
        "ready_s": ready_s,
        "batch_mean": batch_mean,
        "batch_p50": figures.batch_quantile(0.50),
        "batch_p99": figures.batch_quantile(0.99),
        "fdatasyncs": figures.fdatasyncs,
        "memo_hit_rate": figures.memo_hit_rate(),
    }))
}

/// The baseline and the number of persons it was measured over, if it is wanted.
fn baseline(choice: Choice, talk: &dyn Fn(&str)) -> Result<Option<(f64, u64)>, String> {
    if !choice.baseline {
        return Ok(None);
    }
    let persons = choice.persons.min(baseline::PERSONS_MAX);
    talk(&format!("比較の基準 (相互 TLS と JSON のみ、{persons} 人)"));
    let today = Date::from_timestamp_japan(Clock::start().now().wall);
    let per_s = baseline::measure(persons, choice.concurrency, Duration::from_secs(choice.seconds), today)?;
    Ok(Some((per_s, persons)))
}

fn suite_word(suite: Suite) -> &'static str {
    match suite {
        Suite::X25519 => "x25519",
        Suite::XWing => "xwing",
        Suite::Toy => "toy",
    }
}

/// Counts are far below where a double loses whole numbers.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
