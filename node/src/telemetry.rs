//! What the operator sees: log lines and figures. The only home of `tracing-subscriber` and
//! `prometheus`. No label and no figure is an identifier, and none can be: labels are closed enums.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::config::{LogConfig, LogFormat};

/// Logs or figures could not be set up; the text is the library's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("telemetry: {0}")]
pub struct TelemetryError(String);

/// How a verified question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With content.
    Answered,
    /// With a refusal by policy, or as an unknown person: on the wire they look alike.
    Refused,
    /// With the name of another home.
    Moved,
    /// With the answer of before: a retry.
    Repeated,
}

/// Why a frame was counted and dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Its bytes are no frame.
    Malformed,
    /// Its sender is not admitted on its connection.
    NotAdmitted,
    /// It does not open.
    DoesNotOpen,
    /// It opens and does not verify.
    DoesNotVerify,
    /// It is too old or too new.
    Stale,
    /// Its number was used for something else.
    Replayed,
    /// A bound was reached: its sender's budget or a queue.
    OverBudget,
}

/// A bounded queue inside the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Frames waiting for the heart.
    Heart,
    /// Pieces of work waiting for a worker.
    Work,
    /// Frames waiting to be sent.
    Send,
}

/// A memo that saves work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memo {
    /// Decapsulated contexts.
    Context,
    /// Policy decisions.
    Policy,
    /// Verified credentials.
    Credential,
    /// Homes found.
    Home,
}

/// How an ask of local software ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskEnd {
    /// With an answer or a refusal, and its receipt.
    Answered,
    /// Without.
    Failed,
}

/// An enum whose variants are all the values a label can have.
trait Label: Copy + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];
    fn as_str(self) -> &'static str;
}

/// The node's figures. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    questions: IntCounterVec,
    asks: IntCounterVec,
    drops: IntCounterVec,
    memo_hits: IntCounterVec,
    memo_misses: IntCounterVec,
    queues: IntGaugeVec,
    busy: IntCounter,
    alarms: IntCounter,
    commits: IntCounter,
    fdatasyncs: IntCounter,
    index_rebuilds: IntCounter,
    batch_events: Histogram,
    commit_seconds: Histogram,
    ledger_leaves: IntGauge,
    index_rows: IntGauge,
    disk_room_bytes: IntGauge,
    clock_step_ms: IntGauge,
}

/// Sends log lines to standard error, once per process. Libraries are heard from `warn` up, and never
/// below: their `debug` lines may hold what ours must not.
///
/// # Errors
/// If somebody else set up logging before.
pub fn init_log(config: &LogConfig) -> Result<(), TelemetryError> {
    let level = config.level.as_str();
    let filter = tracing_subscriber::EnvFilter::try_new(format!("warn,node={level},tsunagi_node={level}"));
    let filter = filter.map_err(|error| TelemetryError(error.to_string()))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| TelemetryError(error.to_string()))
}

impl Metrics {
    /// All figures at nought, every label already there.
    ///
    /// # Errors
    /// If two figures had one name, which a test excludes.
    pub fn new() -> Result<Self, TelemetryError> {
        let registry = Registry::new_custom(Some("tsunagi".to_owned()), None).map_err(failed)?;
        let r = &registry;
        let batch = (0..=8_u8).map(|power| f64::from(1_u16 << power)).collect();
        let seconds = vec![0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
        Ok(Self {
            questions: counters::<Outcome>(r, "questions_total", "Verified questions decided, by how they ended.")?,
            asks: counters::<AskEnd>(r, "asks_total", "Asks of local software, by how they ended.")?,
            drops: counters::<DropReason>(r, "drops_total", "Frames dropped without an answer, by reason.")?,
            memo_hits: counters::<Memo>(r, "memo_hits_total", "Times a memo saved the work.")?,
            memo_misses: counters::<Memo>(r, "memo_misses_total", "Times a memo did not have it.")?,
            queues: gauges::<Queue>(r, "queue_length", "What waits in a bounded queue now.")?,
            busy: counter(r, "busy_total", "Frames answered with Busy.")?,
            alarms: counter(r, "alarms_total", "Alarms; the log tells each at most once a minute.")?,
            commits: counter(r, "commits_total", "Batches committed.")?,
            fdatasyncs: counter(r, "fdatasyncs_total", "Files synced to disk.")?,
            index_rebuilds: counter(r, "index_rebuilds_total", "Times the index was rebuilt from the journal.")?,
            batch_events: histogram(r, "batch_events", "Events handled under one commit.", batch)?,
            commit_seconds: histogram(r, "commit_seconds", "How long a commit took.", seconds)?,
            ledger_leaves: gauge(r, "ledger_leaves", "Leaves in the ledgers of all seats.")?,
            index_rows: gauge(r, "index_rows", "Rows in the index.")?,
            disk_room_bytes: gauge(r, "disk_room_bytes", "Room left on the disk.")?,
            clock_step_ms: gauge(r, "clock_step_milliseconds", "How far the wall clock was set while running.")?,
            registry,
        })
    }

    /// A verified question was decided.
    pub fn count_question(&self, outcome: Outcome) {
        self.questions.with_label_values(&[outcome.as_str()]).inc();
    }

    /// An ask of local software ended.
    pub fn count_ask(&self, end: AskEnd) {
        self.asks.with_label_values(&[end.as_str()]).inc();
    }

    /// A frame was dropped.
    pub fn count_drop(&self, reason: DropReason) {
        self.drops.with_label_values(&[reason.as_str()]).inc();
    }

    /// An alarm, told or not.
    pub fn count_alarm(&self) {
        self.alarms.inc();
    }

    /// A frame was answered with Busy.
    pub fn count_busy(&self) {
        self.busy.inc();
    }

    /// A memo was asked.
    pub fn count_memo(&self, memo: Memo, hit: bool) {
        let counters = if hit { &self.memo_hits } else { &self.memo_misses };
        counters.with_label_values(&[memo.as_str()]).inc();
    }

    /// A batch of `events` was committed in `took`.
    pub fn count_commit(&self, events: usize, took: core::time::Duration) {
        self.commits.inc();
        self.batch_events.observe(u32::try_from(events).map_or(f64::MAX, f64::from));
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// So many files were synced since the start.
    pub fn show_fdatasyncs(&self, syncs: u64) {
        self.fdatasyncs.inc_by(syncs.saturating_sub(self.fdatasyncs.get()));
    }

    /// The index was rebuilt.
    pub fn count_index_rebuild(&self) {
        self.index_rebuilds.inc();
    }

    /// What waits in a queue now.
    pub fn show_queue(&self, queue: Queue, length: usize) {
        self.queues.with_label_values(&[queue.as_str()]).set(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// How much there is now: leaves in all ledgers, rows in the index, room on the disk in bytes.
    pub fn show_store(&self, ledger_leaves: u64, index_rows: u64, disk_room_bytes: u64) {
        let shown = [(&self.ledger_leaves, ledger_leaves), (&self.index_rows, index_rows)];
        for (gauge, value) in shown.into_iter().chain([(&self.disk_room_bytes, disk_room_bytes)]) {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// How far the wall clock was set, as `clock::Clock::step_ms` says.
    pub fn show_clock_step(&self, step_ms: i64) {
        self.clock_step_ms.set(step_ms);
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// If the library cannot write it.
    pub fn render(&self) -> Result<String, TelemetryError> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(failed)
    }
}

impl Label for Outcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Answered, Self::Refused, Self::Moved, Self::Repeated];
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Moved => "moved",
            Self::Repeated => "repeated",
        }
    }
}

impl Label for AskEnd {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Answered, Self::Failed];
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

impl Label for DropReason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::NotAdmitted,
        Self::DoesNotOpen,
        Self::DoesNotVerify,
        Self::Stale,
        Self::Replayed,
        Self::OverBudget,
    ];
    fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotAdmitted => "not_admitted",
            Self::DoesNotOpen => "does_not_open",
            Self::DoesNotVerify => "does_not_verify",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
            Self::OverBudget => "over_budget",
        }
    }
}

impl Label for Queue {
    const NAME: &'static str = "queue";
    const ALL: &'static [Self] = &[Self::Heart, Self::Work, Self::Send];
    fn as_str(self) -> &'static str {
        match self {
            Self::Heart => "heart",
            Self::Work => "work",
            Self::Send => "send",
        }
    }
}

impl Label for Memo {
    const NAME: &'static str = "memo";
    const ALL: &'static [Self] = &[Self::Context, Self::Policy, Self::Credential, Self::Home];
    fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Policy => "policy",
            Self::Credential => "credential",
            Self::Home => "home",
        }
    }
}

fn counters<L: Label>(registry: &Registry, name: &str, help: &str) -> Result<IntCounterVec, TelemetryError> {
    let counters = IntCounterVec::new(Opts::new(name, help), &[L::NAME]).map_err(failed)?;
    for label in L::ALL {
        counters.with_label_values(&[label.as_str()]).reset();
    }
    registry.register(Box::new(counters.clone())).map_err(failed)?;
    Ok(counters)
}

fn gauges<L: Label>(registry: &Registry, name: &str, help: &str) -> Result<IntGaugeVec, TelemetryError> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), &[L::NAME]).map_err(failed)?;
    for label in L::ALL {
        gauges.with_label_values(&[label.as_str()]).set(0);
    }
    registry.register(Box::new(gauges.clone())).map_err(failed)?;
    Ok(gauges)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, TelemetryError> {
    let counter = IntCounter::new(name, help).map_err(failed)?;
    registry.register(Box::new(counter.clone())).map_err(failed)?;
    Ok(counter)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, TelemetryError> {
    let gauge = IntGauge::new(name, help).map_err(failed)?;
    registry.register(Box::new(gauge.clone())).map_err(failed)?;
    Ok(gauge)
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram, TelemetryError> {
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)).map_err(failed)?;
    registry.register(Box::new(histogram.clone())).map_err(failed)?;
    Ok(histogram)
}

fn failed(error: impl core::fmt::Display) -> TelemetryError {
    TelemetryError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn every_label_is_there_before_anything_happens() {
        let text = Metrics::new().unwrap().render().unwrap();
        for line in [
            "tsunagi_questions_total{outcome=\"refused\"} 0",
            "tsunagi_drops_total{reason=\"over_budget\"} 0",
            "tsunagi_queue_length{queue=\"work\"} 0",
            "tsunagi_memo_hits_total{memo=\"policy\"} 0",
            "tsunagi_busy_total 0",
            "tsunagi_alarms_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# HELP").count(), text.matches("# TYPE").count());
    }

    #[test]
    fn what_is_counted_shows_and_clones_count_together() {
        let metrics = Metrics::new().unwrap();
        let clone = metrics.clone();
        metrics.count_question(Outcome::Answered);
        clone.count_question(Outcome::Answered);
        clone.count_drop(DropReason::Replayed);
        clone.count_memo(Memo::Context, false);
        clone.count_commit(3, Duration::from_micros(300));
        clone.show_fdatasyncs(2);
        clone.show_queue(Queue::Heart, 5);
        clone.show_store(7, 8, 1 << 40);
        clone.show_clock_step(-40);
        let text = metrics.render().unwrap();
        for line in [
            "tsunagi_questions_total{outcome=\"answered\"} 2",
            "tsunagi_drops_total{reason=\"replayed\"} 1",
            "tsunagi_memo_misses_total{memo=\"context\"} 1",
            "tsunagi_batch_events_bucket{le=\"2\"} 0",
            "tsunagi_batch_events_bucket{le=\"4\"} 1",
            "tsunagi_commit_seconds_bucket{le=\"0.0005\"} 1",
            "tsunagi_fdatasyncs_total 2",
            "tsunagi_queue_length{queue=\"heart\"} 5",
            "tsunagi_ledger_leaves 7",
            "tsunagi_index_rows 8",
            "tsunagi_disk_room_bytes 1099511627776",
            "tsunagi_clock_step_milliseconds -40",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn no_two_values_of_a_label_share_a_word() {
        fn check<L: Label>() {
            let words: std::collections::BTreeSet<_> = L::ALL.iter().map(|label| label.as_str()).collect();
            assert_eq!(words.len(), L::ALL.len(), "{}", L::NAME);
        }
        check::<Outcome>();
        check::<AskEnd>();
        check::<DropReason>();
        check::<Queue>();
        check::<Memo>();
    }
}
