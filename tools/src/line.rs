//! The line to a node: its office API over HTTP on loopback, with its token, as any software would use it. Never
//! shows the token.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use node::config::NodeConfig;
use protocol::access_log::note::Noted;
use protocol::cbor;
use protocol::gate::Notice;
use protocol::ledger::leaf::{LEAF_BYTES, Leaf, Salt};
use protocol::time::Timestamp;
use serde_json::Value;

use crate::files;
use crate::message::{Code, Trouble};

/// A node's API.
#[derive(Clone)]
pub struct Line {
    api: SocketAddr,
    metrics: SocketAddr,
    token: String,
    seat: Option<String>,
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
        Self { api, metrics, token, seat: None }
    }

    /// The line to a node that the operator names: by URL and token file, or by its configuration, beside whose
    /// data the node wrote down where it listens.
    ///
    /// # Errors
    /// [`Code::Usage`], [`Code::Config`], [`Code::File`]; [`Code::Unreachable`] if nobody answers there.
    pub fn open(url: Option<&str>, token_file: Option<&Path>, config: Option<&Path>) -> Result<Self, Trouble> {
        let config = config.map(NodeConfig::read).transpose().map_err(|error| Trouble::new(Code::Config, error))?;
        let api = match (url, &config) {
            (Some(url), _) => address_of(url).ok_or_else(|| Trouble::new(Code::Usage, format!("--url {url}")))?,
            (None, Some(config)) => served_at(config)?,
            (None, None) => return Err(Trouble::new(Code::Usage, "--url と --token-file、または --config")),
        };
        let file = token_file.or(config.as_ref().map(|config| config.api.token_file.as_path()));
        let file = file.ok_or_else(|| Trouble::new(Code::Usage, "--token-file"))?;
        let tokens = files::read_text(file)?;
        let token = tokens.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let token = token.ok_or_else(|| Trouble::new(Code::Malformed, file.display()))?;
        // The office API serves the figures too.
        let line = Self::new(api, api, token.to_owned());
        if line.is_alive() { Ok(line) } else { Err(Trouble::new(Code::Unreachable, format!("http://{api}"))) }
    }

    /// The same line, meaning another seat of the node than its first.
    #[must_use]
    pub fn at_seat(self, seat: Option<String>) -> Self {
        Self { seat, ..self }
    }

    /// Whether a node answers there.
    pub fn is_alive(&self) -> bool {
        let quick = agent(Duration::from_secs(2));
        let called = quick.get(format!("http://{}/healthz", self.api)).call();
        called.is_ok_and(|response| response.status().is_success())
    }

    /// How the node is, as it tells itself.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn status(&self) -> Result<Value, String> {
        self.get_json("/v1/status")
    }

    /// A portion of the exchanges in which `party` asked, from that instant and leaf on.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn affected(&self, party: &str, since_ms: u64, leaf: u64) -> Result<Value, String> {
        self.get_json(&self.seated(&format!("/v1/ledger/affected?party={party}&since_ms={since_ms}&leaf={leaf}")))
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

    /// Has the seat's sealing keys made new at once; whether they were.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn rotate_sealing(&self) -> Result<bool, String> {
        let answer = self.post("/v1/sealing/rotate", &[])?;
        Ok(answer.get("rotated").and_then(Value::as_bool).unwrap_or(false))
    }

    /// The signed head.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn checkpoint(&self) -> Result<String, String> {
        let bytes = self.get(self.api, &self.seated("/v1/ledger/checkpoint?"))?;
        String::from_utf8(bytes).map_err(|_error| "the checkpoint is not text".to_owned())
    }

    /// The newest head each witness cosigned, as signed notes.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn cosigned(&self) -> Result<Vec<String>, String> {
        let bytes = self.get(self.api, &self.seated("/v1/ledger/cosigned?"))?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }

    /// How the open epoch of the ledger began; nothing while it is the first.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn opening(&self) -> Result<Option<Vec<u8>>, String> {
        let told = self.get_json(&self.seated("/v1/ledger/opening?"))?;
        let text = told.get("opening").and_then(Value::as_str);
        text.map(|text| STANDARD.decode(text).map_err(|error| error.to_string())).transpose()
    }

    /// Everything the keeper noted in the open epoch of its own accord.
    ///
    /// # Errors
    /// A text saying which call failed and how, or that a note is none.
    pub fn notes(&self) -> Result<Vec<Noted>, String> {
        let (mut notes, mut from) = (Vec::new(), 0);
        loop {
            let told = self.get_json(&self.seated(&format!("/v1/ledger/notes?from={from}")))?;
            let part = told.get("notes").and_then(Value::as_array).ok_or("notes")?;
            for note in part {
                notes.push(noted_of(note).ok_or_else(|| format!("a note is none: {note}"))?);
            }
            match told.get("next").and_then(Value::as_u64).filter(|next| *next > from) {
                Some(next) => from = next,
                None => return Ok(notes),
            }
        }
    }

    /// Has a credential stand in the ledger of the seat that issued it; its leaf.
    ///
    /// # Errors
    /// A text saying which call failed and how.
    pub fn note_credential(&self, credential: &[u8]) -> Result<u64, String> {
        let told = self.post(&self.seated("/v1/ledger/credential?"), credential)?;
        told.get("leaf").and_then(Value::as_u64).ok_or_else(|| format!("the credential was not taken: {told}"))
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
            let bytes = self.get(self.api, &self.seated(&format!("/v1/ledger/leaves?from={at}&count={count}")))?;
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

    fn seated(&self, path: &str) -> String {
        self.seat.as_ref().map_or_else(|| path.to_owned(), |seat| format!("{path}&seat={seat}"))
    }

    fn get_json(&self, path: &str) -> Result<Value, String> {
        serde_json::from_slice(&self.get(self.api, path)?).map_err(|error| format!("{path}: {error}"))
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

impl core::fmt::Debug for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line").field("api", &self.api).finish_non_exhaustive()
    }
}

/// A note as the node tells it.
fn noted_of(told: &Value) -> Option<Noted> {
    let bytes = |name: &str| STANDARD.decode(told.get(name)?.as_str()?).ok();
    let number = |name: &str| told.get(name).and_then(Value::as_u64);
    Some(Noted {
        leaf: number("leaf")?,
        at: Timestamp::from_unix_ms(number("at_ms")?),
        note: cbor::decode(&bytes("note")?).ok()?,
        salt: Salt::from_bytes(bytes("salt")?.try_into().ok()?),
    })
}

/// The address in `http://127.0.0.1:8471`.
fn address_of(url: &str) -> Option<SocketAddr> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    rest.replacen("localhost", "127.0.0.1", 1).parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

/// Where a running node said that it listens; as configured if it said nothing.
fn served_at(config: &NodeConfig) -> Result<SocketAddr, Trouble> {
    let file = config.data.join("api.addr");
    if !file.exists() {
        return Ok(config.api.listen);
    }
    files::read_text(&file)?.trim().parse().map_err(|_error| Trouble::new(Code::Malformed, file.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_urls_are_taken() {
        assert_eq!(address_of("http://localhost:8471/"), address_of("http://127.0.0.1:8471"));
        assert!(address_of("http://127.0.0.1:8471").is_some() && address_of("http://[::1]:8471").is_some());
        for bad in ["https://127.0.0.1:1", "127.0.0.1:1", "http://10.0.0.1:1", "http://127.0.0.1", "http://x:1/y"] {
            assert_eq!(address_of(bad), None, "{bad}");
        }
    }
}
