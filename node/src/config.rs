//! The configuration file: one TOML file, every key written out, unknown keys refused, and no default
//! for anything that matters. Reads and judges it; opens no network and no database.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::digest::Digest;
use protocol::disk::FileName;
use protocol::id::party::{PartyId, PartyKind};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// The most seats of one process.
pub const SEATS_MAX: usize = 256;

/// Everything a node is told by its operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The folder of journal, books, rolls and index. Only this node's; mode 0700.
    pub data: PathBuf,
    /// The folder of sealed keys, not inside `data`: it stays out of ordinary backups.
    pub keys: PathBuf,
    /// SHA-256 of the network's first roster, 64 hex digits, given to the operator out of band.
    #[serde(deserialize_with = "digest")]
    pub roster_digest: Digest,
    /// The file with that roster and its signatures, as the authority hands it out.
    pub first_roster: PathBuf,
    /// A folder of signed objects (`*.cbor`) to learn at start: newer rosters, pulse, status lists, statements.
    pub notices: Option<PathBuf>,
    /// Members to fetch newer rosters from, and where they are. At least one, unless `notices` is given.
    #[serde(default)]
    pub bootstrap: Vec<PeerConfig>,
    /// How the node meets other nodes.
    pub network: NetworkConfig,
    /// How software in the same organisation meets the node.
    pub api: ApiConfig,
    /// Where the figures are read.
    pub metrics: MetricsConfig,
    /// How log lines are written.
    pub log: LogConfig,
    /// How much memory and how many threads the node takes.
    pub machine: MachineConfig,
    /// The organisations this process serves. At least one.
    pub seats: Vec<SeatConfig>,
}

/// A member and its addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Which member, as `kind:number`.
    #[serde(deserialize_with = "party")]
    pub party: PartyId,
    /// Its multiaddresses, each ending in `/p2p/<peer id>`. At least one.
    pub addresses: Vec<String>,
}

/// How the node meets other nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Multiaddresses to listen on; empty for a node that only dials out, as offices do.
    pub listen: Vec<String>,
    /// Whether peers may fall back to noise. It is not hybrid, so the right answer is `false`.
    pub noise_fallback: bool,
    /// The most connections, both ways.
    pub connections_max: u32,
    /// The most connections with one peer.
    pub connections_per_peer_max: u32,
    /// The most frames waiting to be handled; what comes beyond it is told Busy.
    pub frames_waiting_max: u32,
    /// Above this much memory of the process, in MiB, no new connection is taken.
    pub memory_max_mib: u64,
}

/// How software in the same organisation meets the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port; only loopback is taken, and port 0 takes any that is free. What comes from elsewhere goes through a proxy.
    #[serde(deserialize_with = "loopback")]
    pub listen: SocketAddr,
    /// The file with the tokens of the callers, readable to its owner alone.
    pub token_file: PathBuf,
    /// The host names a browser may use for this address; others are refused (DNS rebinding).
    pub hosts: Vec<String>,
}

/// Where the figures are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port, loopback. The figures hold no personal data, yet they are nobody else's.
    #[serde(deserialize_with = "loopback")]
    pub listen: SocketAddr,
}

/// How log lines are written. They go to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// From which level on the node's own lines are written; libraries are heard from `warn` on.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged. There is no finer level: it could show what must not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What stops the node.
    Error,
    /// What somebody should look at.
    Warn,
    /// What the node does in general.
    Info,
    /// What it does in detail.
    Debug,
}

/// How much of the machine the node takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineConfig {
    /// Threads that open, verify and seal; 0 for one per processor.
    pub workers: u16,
    /// The cache of the index, in MiB. It takes about twice as much memory.
    pub index_cache_mib: u64,
}

/// One organisation of this process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, try_from = "SeatText")]
pub struct SeatConfig {
    /// Which organisation, as `kind:number`.
    pub party: PartyId,
    /// What people call it; shown on pages.
    pub name: String,
    /// Its file in the folder of keys.
    pub keys: FileName,
    /// Its credential, of offices and hospitals only; members are in the roster.
    pub credential: Option<PathBuf>,
    /// Its own policies, of insurers only. They can forbid and nothing else.
    pub policy: Option<PathBuf>,
}

/// Why a configuration was not taken, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, if it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n  → {}", self.what, self.advice)
    }
}

impl core::error::Error for ConfigError {}

/// What [`NodeConfig::read`] and the rules below it hold against a file, before it is told where.
type Fault = (String, &'static str);

impl NodeConfig {
    /// Reads the file and everything that can be judged without looking at the machine.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |line, (what, advice): Fault| ConfigError { file: path.to_owned(), line, what, advice };
        let read = std::fs::metadata(path).and_then(|facts| match facts.len() {
            0..=CONFIG_BYTES_MAX => std::fs::read_to_string(path),
            _ => Err(std::io::Error::other("too long for a configuration")),
        });
        let text = read.map_err(|cause| {
            error(None, (cause.to_string(), "設定ファイルの場所と権限を確認してください / check path and permissions"))
        })?;
        let config: Self = toml::from_str(&text).map_err(|cause| {
            let line = cause.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count());
            let advice =
                "この行を deploy/config の見本と比べてください / compare this line with the samples in deploy/config";
            error(line.map(|breaks| breaks.saturating_add(1)), (cause.message().to_owned(), advice))
        })?;
        config.check_rules().map_err(|fault| error(None, fault))?;
        Ok(config)
    }

    /// Looks at the machine: folders that can be written, files that are there.
    ///
    /// # Errors
    /// Everything that stands in the way of starting, not only the first.
    pub fn check_environment(&self) -> Result<(), Vec<ConfigError>> {
        let folders = [&self.data, &self.keys].map(|folder| (folder.as_path(), check_folder(folder)));
        let of_seats = self.seats.iter().flat_map(|seat| [seat.credential.as_deref(), seat.policy.as_deref()]);
        let keys: Vec<PathBuf> = self.seats.iter().map(|seat| self.keys.join(seat.keys.as_str())).collect();
        let given = [self.api.token_file.as_path(), self.first_roster.as_path()].map(Path::to_owned);
        let files =
            of_seats.flatten().chain(given.iter().map(PathBuf::as_path)).chain(keys.iter().map(PathBuf::as_path));
        let files = files.map(|file| (file, check_file(file)));
        let found: Vec<ConfigError> = folders
            .into_iter()
            .chain(files)
            .filter_map(|(file, checked)| {
                let (what, advice) = checked.err()?;
                Some(ConfigError { file: file.to_owned(), line: None, what, advice })
            })
            .collect();
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// The rules that hold between keys.
    fn check_rules(&self) -> Result<(), Fault> {
        let unique = |texts: Vec<String>| texts.iter().collect::<BTreeSet<_>>().len() == texts.len();
        let seat_texts = |text: fn(&SeatConfig) -> String| self.seats.iter().map(text).collect();
        require(
            (1..=SEATS_MAX).contains(&self.seats.len()),
            "seats: none, or more than 256",
            "[[seats]] を1つ以上書いてください / write at least one [[seats]]",
        )?;
        require(
            unique(seat_texts(|seat| seat.party.to_string())) && unique(seat_texts(|seat| seat.keys.to_string())),
            "seats: two seats have the same party or keys",
            "組織ごとに別の party と keys を書いてください / give each organisation its own party and keys",
        )?;
        require(
            (!self.bootstrap.is_empty() || self.notices.is_some())
                && self.bootstrap.iter().all(|peer| !peer.addresses.is_empty()),
            "bootstrap: none, or one without addresses",
            "運営主体から渡された接続先を書いてください / write the peers that the authority handed out",
        )?;
        let all_addresses = self.bootstrap.iter().flat_map(|peer| &peer.addresses);
        require(
            all_addresses.clone().chain(&self.network.listen).all(|address| address.starts_with('/')),
            "bootstrap or network.listen: not a multiaddress",
            "/ip4/203.0.113.5/udp/4001/quic-v1 の形で書いてください / write it like /ip4/203.0.113.5/udp/4001/quic-v1",
        )?;
        require(
            all_addresses.clone().all(|address| address.contains("/p2p/")),
            "bootstrap: an address without /p2p/<peer id>",
            "相手の peer id まで書いてください / write the peer id too, or anybody could answer there",
        )?;
        require(
            !self.keys.starts_with(&self.data) && !self.data.starts_with(&self.keys),
            "keys and data: one lies inside the other",
            "鍵は通常のバックアップに入れないため、別のフォルダーにしてください / keep keys apart, out of ordinary backups",
        )?;
        require(
            self.api.listen != self.metrics.listen || self.api.listen.port() == 0,
            "api.listen and metrics.listen: the same address",
            "別のポートにしてください / use two ports",
        )?;
        require(
            !self.api.hosts.is_empty(),
            "api.hosts: none",
            "少なくとも localhost を書いてください / write at least localhost",
        )?;
        let n = &self.network;
        let numbers = n.connections_max > 0
            && (1..=n.connections_max).contains(&n.connections_per_peer_max)
            && n.frames_waiting_max > 0
            && n.memory_max_mib >= 256
            && (16..=65_536).contains(&self.machine.index_cache_mib)
            && self.machine.workers <= 256;
        require(
            numbers,
            "network or machine: a number out of bounds",
            "connections 1–, frames 1–, memory_max_mib 256–, index_cache_mib 16–65536, workers 0–256",
        )
    }
}

impl LogLevel {
    /// Its word in a filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A seat as written, before its parts are held against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatText {
    #[serde(deserialize_with = "party")]
    party: PartyId,
    name: String,
    #[serde(deserialize_with = "file_name")]
    keys: FileName,
    credential: Option<PathBuf>,
    policy: Option<PathBuf>,
}

impl TryFrom<SeatText> for SeatConfig {
    type Error = &'static str;

    fn try_from(seat: SeatText) -> Result<Self, &'static str> {
        let SeatText { party, name, keys, credential, policy } = seat;
        let enrolled = matches!(party.kind(), PartyKind::Office | PartyKind::Hospital);
        if enrolled && credential.is_none() {
            return Err("an office or hospital needs `credential`");
        }
        if !enrolled && credential.is_some() {
            return Err("only offices and hospitals have a `credential`; members are in the roster");
        }
        if policy.is_some() && party.kind() != PartyKind::Insurer {
            return Err("only insurers have a `policy` of their own");
        }
        if name.trim().is_empty() {
            return Err("`name` is empty");
        }
        Ok(Self { party, name, keys, credential, policy })
    }
}

fn digest<'de, D: Deserializer<'de>>(text: D) -> Result<Digest, D::Error> {
    Digest::parse(&String::deserialize(text)?).ok_or_else(|| D::Error::custom("not 64 lower-case hex digits"))
}

fn party<'de, D: Deserializer<'de>>(text: D) -> Result<PartyId, D::Error> {
    PartyId::parse(&String::deserialize(text)?)
        .ok_or_else(|| D::Error::custom("not a party: write kind:number, for example insurer:131235"))
}

fn file_name<'de, D: Deserializer<'de>>(text: D) -> Result<FileName, D::Error> {
    FileName::parse(&String::deserialize(text)?)
        .ok_or_else(|| D::Error::custom("not a file name: small letters, digits, - and . only, no folder"))
}

fn loopback<'de, D: Deserializer<'de>>(text: D) -> Result<SocketAddr, D::Error> {
    let address = SocketAddr::deserialize(text)?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(D::Error::custom("not a loopback address: write 127.0.0.1:<port> or [::1]:<port>"))
    }
}

fn require(holds: bool, what: &str, advice: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err((what.to_owned(), advice)) }
}

/// A folder is good if a file can be made in it and removed again.
fn check_folder(folder: &Path) -> Result<(), Fault> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let tried = std::fs::File::create_new(&probe).and_then(|_file| std::fs::remove_file(&probe));
    tried.map_err(|cause| {
        let advice = "フォルダーを作成し、このサービスの利用者に書き込みを許してください / make the folder, owned by the service's user";
        (cause.to_string(), advice)
    })
}

fn check_file(file: &Path) -> Result<(), Fault> {
    std::fs::File::open(file).map(drop).map_err(|cause| {
        (cause.to_string(), "ファイルを置き、このサービスの利用者に読み取りを許してください / put the file there, readable to the service")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
data = "DATA"
keys = "KEYS"
roster_digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
first_roster = "ROSTER"

[[bootstrap]]
party = "authority:jp"
addresses = ["/ip4/203.0.113.5/udp/4001/quic-v1/p2p/12D3KooW"]

[network]
listen = ["/ip4/0.0.0.0/udp/4001/quic-v1"]
noise_fallback = false
connections_max = 100
connections_per_peer_max = 2
frames_waiting_max = 1024
memory_max_mib = 1024

[api]
listen = "127.0.0.1:8471"
token_file = "TOKENS"
hosts = ["localhost"]

[metrics]
listen = "127.0.0.1:8472"

[log]
format = "json"
level = "info"

[machine]
workers = 0
index_cache_mib = 64

[[seats]]
party = "insurer:131235"
name = "練馬区"
keys = "nerima.keys"
"#;

    fn read(text: &str) -> Result<NodeConfig, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        NodeConfig::read(&path)
    }

    #[track_caller]
    fn refused(from: &str, to: &str) -> ConfigError {
        assert!(GOOD.contains(from), "{from} is not in the sample");
        read(&GOOD.replace(from, to)).unwrap_err()
    }

    #[test]
    fn a_good_file_is_read() {
        let config = read(GOOD).unwrap();
        assert_eq!(config.roster_digest, Digest::of(b"abc"));
        assert_eq!(config.seats[0].party, PartyId::parse("insurer:131235").unwrap());
        assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Info });
    }

    #[test]
    fn a_message_names_file_line_fault_and_remedy() {
        let error = refused("noise_fallback", "noise_falback");
        assert_eq!(error.line, Some(13));
        let text = error.to_string();
        assert!(text.contains("node.toml:13: ") && text.contains("noise_falback") && text.contains("→"), "{text}");
    }

    #[test]
    fn every_key_of_a_sound_file_is_needed() {
        for line in GOOD.lines().filter(|line| line.contains(" = ")) {
            assert!(read(&GOOD.replace(line, "")).is_err(), "{line} could be left out");
        }
    }

    #[test]
    fn a_value_out_of_its_rules_is_refused_at_its_line() {
        for (from, to, line) in [
            ("127.0.0.1:8471", "0.0.0.0:8471", 20),
            ("127.0.0.1:8472", "10.0.0.1:8472", 25),
            ("ba7816bf", "BA7816BF", 4),
            ("insurer:131235", "mayor:131235", 36),
            ("nerima.keys", "../nerima.keys", 38),
            ("level = \"info\"", "level = \"trace\"", 29),
        ] {
            assert_eq!(refused(from, to).line, Some(line), "{to}");
        }
    }

    #[test]
    fn rules_between_keys_hold() {
        for (from, to, word) in [
            ("keys = \"KEYS\"", "keys = \"DATA/keys\"", "inside"),
            ("/p2p/12D3KooW", "", "/p2p/"),
            ("\"/ip4/0.0.0.0", "\"ip4/0.0.0.0", "multiaddress"),
            ("8472", "8471", "same address"),
            ("hosts = [\"localhost\"]", "hosts = []", "hosts"),
            ("connections_per_peer_max = 2", "connections_per_peer_max = 101", "out of bounds"),
            ("insurer:131235", "office:1370101238", "credential"),
            ("keys = \"nerima.keys\"", "keys = \"a\"\ncredential = \"c\"", "only offices"),
            ("insurer:131235\"", "witness:w\"\npolicy = \"p\"", "only insurers"),
            ("name = \"練馬区\"", "name = \" \"", "empty"),
        ] {
            let what = refused(from, to).what;
            assert!(what.contains(word), "{to}: {what}");
        }
        let twice = format!("{GOOD}\n[[seats]]\nparty = \"insurer:131235\"\nname = \"x\"\nkeys = \"x\"\n");
        assert!(read(&twice).unwrap_err().what.contains("two seats"));
    }

    #[test]
    fn the_environment_is_checked_for_everything_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut config = read(GOOD).unwrap();
        (config.data, config.keys, config.api.token_file) = (at("data"), at("keys"), at("tokens"));
        config.first_roster = at("roster");
        let found = config.check_environment().unwrap_err();
        let mut files: Vec<PathBuf> = found.into_iter().map(|error| error.file).collect();
        files.sort();
        assert_eq!(files, [at("data"), at("keys"), at("keys/nerima.keys"), at("roster"), at("tokens")]);

        std::fs::create_dir(at("data")).unwrap();
        std::fs::create_dir(at("keys")).unwrap();
        std::fs::write(at("keys/nerima.keys"), b"").unwrap();
        std::fs::write(at("roster"), b"").unwrap();
        std::fs::write(at("tokens"), b"").unwrap();
        assert_eq!(config.check_environment(), Ok(()));
        assert_eq!(std::fs::read_dir(at("data")).unwrap().count(), 0, "the probe stayed behind");
    }
}
