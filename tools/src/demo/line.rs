//! The line to a node: its office API over HTTP on loopback, with its token, as any software would use it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::cbor;
use protocol::gate::Notice;
use protocol::ledger::leaf::{LEAF_BYTES, Leaf};
use serde_json::Value;

/// A node's API.
#[derive(Clone, Debug)]
pub struct Line {
    api: SocketAddr,
    metrics: SocketAddr,
    token: String,
}

/// What was found of a node's ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Whose.
    pub party: String,
    /// How many leaves it has.
    pub entries: u64,
    /// Whether root, signature and witness are good.
    pub verified: bool,
}

/// How long any one call may take: longer than an ask.
const CALL_LIMIT: Duration = Duration::from_secs(40);
/// The longest answer read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// The most leaves fetched at once.
const LEAVES_PER_CALL: u64 = 4096;

impl Line {
    /// A line to the node at these addresses.
    pub const fn new(api: SocketAddr, metrics: SocketAddr, token: String) -> Self {
        Self { api, metrics, token }
    }

    /// Where the API is.
    pub const fn api(&self) -> SocketAddr {
        self.api
    }

    /// Whether the node says it is ready.
    pub fn is_ready(&self) -> bool {
        let quick = agent(Duration::from_secs(2));
        let called = quick.get(format!("http://{}/readyz", self.metrics)).call();
        called.is_ok_and(|response| response.status().is_success())
    }

    /// Asks.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn ask(&self, question: &Value) -> Result<Value, String> {
        self.post("/v1/ask", question.to_string().as_bytes())
    }

    /// Feeds lines.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn import(&self, lines: &str) -> Result<u64, String> {
        let answer = self.post("/v1/import", lines.as_bytes())?;
        answer.get("records").and_then(Value::as_u64).ok_or_else(|| format!("the import was not taken: {answer}"))
    }

    /// Makes a signed object known.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn notice(&self, notice: &Notice) -> Result<(), String> {
        self.post("/v1/notices", &cbor::encode(notice)).map(drop)
    }

    /// The signed head.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn checkpoint(&self) -> Result<String, String> {
        let bytes = self.get(self.api, "/v1/ledger/checkpoint")?;
        String::from_utf8(bytes).map_err(|_error| "the checkpoint is not text".to_owned())
    }

    /// The newest head each witness cosigned, as signed notes.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn cosigned(&self) -> Result<Vec<String>, String> {
        let bytes = self.get(self.api, "/v1/ledger/cosigned")?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }

    /// Leaves `from..to`.
    ///
    /// # Errors
    /// A text saying which call failed and how, or that a leaf is none.
    pub fn leaves(&self, from: u64, to: u64) -> Result<Vec<Leaf>, String> {
        let mut leaves = Vec::new();
        let mut at = from;
        while at < to {
            let count = (to - at).min(LEAVES_PER_CALL);
            let bytes = self.get(self.api, &format!("/v1/ledger/leaves?from={at}&count={count}"))?;
            let before = leaves.len();
            for leaf in bytes.chunks(LEAF_BYTES) {
                leaves.push(Leaf::parse(leaf).map_err(|_error| format!("leaf {at} is none"))?);
            }
            let read = u64::try_from(leaves.len() - before).unwrap_or(0);
            if read == 0 {
                return Err(format!("no leaf {at}"));
            }
            at += read;
        }
        Ok(leaves)
    }

    /// How many leaves the ledger has, by its head.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn ledger_size(&self) -> Result<u64, String> {
        let note = self.checkpoint()?;
        note.lines().nth(1).and_then(|line| line.parse().ok()).ok_or_else(|| "not a checkpoint".to_owned())
    }

    /// One figure: the sum over its series whose labels hold `label`.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn figure(&self, name: &str, label: &str) -> Result<f64, String> {
        let bytes = self.get(self.metrics, "/metrics")?;
        let text = String::from_utf8(bytes).map_err(|_error| "the figures are not text".to_owned())?;
        let values = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// The buckets of a histogram: upper bound and how many lie at or below it.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn buckets(&self, name: &str) -> Result<Vec<(f64, f64)>, String> {
        let bytes = self.get(self.metrics, "/metrics")?;
        let text = String::from_utf8(bytes).map_err(|_error| "the figures are not text".to_owned())?;
        let lines = text.lines().filter(|line| line.starts_with(name));
        let bucket = |line: &str| {
            let bound = line.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, line.rsplit(' ').next()?.parse().ok()?))
        };
        Ok(lines.filter_map(bucket).collect())
    }

    fn get(&self, to: SocketAddr, path: &str) -> Result<Vec<u8>, String> {
        let called = agent(CALL_LIMIT)
            .get(format!("http://{to}{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .call();
        read(path, called)
    }

    fn post(&self, path: &str, body: &[u8]) -> Result<Value, String> {
        let called = agent(CALL_LIMIT)
            .post(format!("http://{}{path}", self.api))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .send(body);
        let bytes = read(path, called)?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
    }
}

/// Waits until `done` says so, or the limit is over.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !done() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    true
}

fn agent(limit: Duration) -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).build().into()
}

fn read(path: &str, called: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, String> {
    let mut response = called.map_err(|error| format!("{path}: {error}"))?;
    let status = response.status();
    let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let bytes = bytes.map_err(|error| format!("{path}: {error}"))?;
    if status.is_success() { Ok(bytes) } else { Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&bytes))) }
}
