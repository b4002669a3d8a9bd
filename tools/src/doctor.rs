//! Looks whether a node can run, or runs well (`tsunagi doctor`): one line for each thing looked at, and what to do.
//! Changes nothing.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use node::assemble::{Ground, PersonsKeys};
use node::config::{NodeConfig, PeerConfig};
use node::keys::KeyFolder;
use protocol::gate::{Condition, Gate, Notice};
use protocol::limits;
use protocol::primitives::Real;
use protocol::roster::{Chain, Link};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::files;
use crate::line::Line;
use crate::message::{Report, moment};

/// What was found of one thing.
struct Finding {
    what: &'static str,
    mark: Mark,
    found: String,
    advice: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    Bad,
    /// Could not be looked at, and need not be.
    Open,
}

/// How long a peer may take to take a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Looks at everything. Good only if nothing is amiss.
pub fn examine(path: &Path, now: Timestamp) -> Report {
    let mut findings = Vec::new();
    let config = match NodeConfig::read(path) {
        Ok(config) => config,
        Err(error) => {
            findings.push(bad("設定", error.what.clone(), error.advice));
            return report(path, &findings);
        }
    };
    findings.push(good("設定", path.display()));
    environment(&config, &mut findings);
    keys(&config, &mut findings);
    findings.extend(persons_keys(&config));
    findings.push(room(&config));
    let line = Line::open(None, None, Some(path)).ok();
    let status = line.as_ref().and_then(|line| line.status().ok());
    findings.push(clock(status.as_ref(), &config, now));
    ports(&config, line.is_some(), &mut findings);
    findings.push(currency(&config, status.as_ref(), now));
    for peer in &config.bootstrap {
        findings.push(peer_finding(peer, &config));
    }
    findings.push(readiness(line.as_ref(), status.as_ref()));
    report(path, &findings)
}

fn environment(config: &NodeConfig, findings: &mut Vec<Finding>) {
    match config.check_environment() {
        Ok(()) => findings.push(good("フォルダーとファイル", "揃っています")),
        Err(errors) => findings.extend(errors.iter().map(|error| {
            bad("フォルダーとファイル", format!("{}: {}", error.file.display(), error.what), error.advice)
        })),
    }
}

fn keys(config: &NodeConfig, findings: &mut Vec<Finding>) {
    const ADVICE: &str =
        "鍵フォルダーを 0700、中のファイルと合言葉のファイルを 0600 にし、鍵が壊れていれば控えから戻してください";
    match KeyFolder::open(&config.keys) {
        Err(error) => findings.push(bad("鍵", error, ADVICE)),
        Ok(folder) => findings.extend(config.seats.iter().map(|seat| match folder.load(&seat.keys) {
            Ok(_secrets) => good("鍵", format!("{} の鍵を開けられます", seat.party)),
            Err(error) => bad("鍵", format!("{}: {error}", seat.party), ADVICE),
        })),
    }
    for (path, others) in [(&config.keys, 0o077), (&config.data, 0o077), (&config.api.token_file, 0o077)] {
        let Ok(facts) = std::fs::metadata(path) else { continue };
        let mode = facts.permissions().mode() & 0o777;
        let found = format!("{} は {mode:04o}", path.display());
        findings.push(if mode & others == 0 { good("権限", found) } else { bad("権限", found, ADVICE) });
    }
}

/// The keys of persons, without which the store opens to nobody. What the keys of the seats say themselves is told
/// above.
fn persons_keys(config: &NodeConfig) -> Option<Finding> {
    const ADVICE: &str =
        "データフォルダーの store に、別に保管した vault.keys の最新の控えを戻してください。古い控えでは足りません";
    let ground = Ground::read(config).ok()?;
    Some(match ground.look_for_persons_keys(config) {
        Ok(PersonsKeys::Fit) => good("鍵庫", "vault.keys は保管庫の最後の状態と一致しています"),
        Ok(PersonsKeys::InUse) => good("鍵庫", "動いているノードが使っています"),
        Ok(PersonsKeys::NoStore) => open("鍵庫", "保管庫はまだありません"),
        Err(error) => bad("鍵庫", error, ADVICE),
    })
}

fn room(config: &NodeConfig) -> Finding {
    const ADVICE: &str = "不要なファイルを片付けるか、data を大きなディスクへ移してください";
    match rustix::fs::statvfs(&config.data) {
        Err(error) => bad("ディスク", error, ADVICE),
        Ok(facts) => {
            let bytes = facts.f_bavail.saturating_mul(facts.f_frsize);
            let found = format!("空き {} MiB(最低 {} MiB)", bytes >> 20, limits::ROOM_BYTES_MIN >> 20);
            if bytes >= limits::ROOM_BYTES_MIN {
                good("ディスク", found)
            } else {
                bad("ディスク", found, ADVICE)
            }
        }
    }
}

/// Without the node only this can be told: signed objects from the future mean a clock that is behind.
fn clock(status: Option<&Value>, config: &NodeConfig, now: Timestamp) -> Finding {
    const ADVICE: &str = "時刻同期 (chrony など) を確認し、直した後でノードを起動し直してください";
    let reliance = status.and_then(|status| status.get("clock")).and_then(Value::as_str);
    if let Some(reliance) = reliance.filter(|reliance| *reliance != "sound") {
        let step = status.and_then(|status| status.get("clock_step_ms")).and_then(Value::as_i64).unwrap_or(0);
        let found = match reliance {
            "apart" => "ほかの組織の時計と5分より大きくずれています".to_owned(),
            _ => format!("起動中に {step} ミリ秒動かされました"),
        };
        return bad("時計", found, ADVICE);
    }
    let issued = gate(config, now).map(|(gate, _untaken)| gate.roster().issued);
    match issued {
        Ok(issued) if issued > now.plus(limits::SKEW) => {
            bad("時計", format!("名簿の発行 {} より前です", moment(issued)), ADVICE)
        }
        _ => good("時計", moment(now)),
    }
}

fn ports(config: &NodeConfig, is_served: bool, findings: &mut Vec<Finding>) {
    const ADVICE: &str = "別のプログラムが使っています。設定のポートを変えるか、そのプログラムを止めてください";
    if is_served {
        findings.push(good("ポート", "このノードが使っています"));
        return;
    }
    let mut look = |address: String, tried: std::io::Result<()>| match tried {
        Ok(()) => findings.push(good("ポート", format!("{address} は空いています"))),
        Err(error) => findings.push(bad("ポート", format!("{address}: {error}"), ADVICE)),
    };
    for address in [config.api.listen, config.metrics.listen] {
        look(address.to_string(), TcpListener::bind(address).map(drop));
    }
    for text in &config.network.listen {
        if let Some(address) = endpoint(text, "tcp") {
            look(text.clone(), bind(&address, |address| TcpListener::bind(address).map(drop)));
        } else if let Some(address) = endpoint(text, "udp") {
            look(text.clone(), bind(&address, |address| UdpSocket::bind(address).map(drop)));
        }
    }
}

fn bind(address: &str, bind: impl Fn(SocketAddr) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut all = address.to_socket_addrs()?;
    all.next().map_or_else(|| Err(std::io::Error::other("no address")), bind)
}

fn currency(config: &NodeConfig, status: Option<&Value>, now: Timestamp) -> Finding {
    const ADVICE: &str = "運営主体の新しい名簿・脈を notices に置いて起動し直すか、POST /v1/notices に渡し、接続先への到達も確認してください";
    // What a running node learnt counts; the files are only what it begins with.
    if let Some(condition) = status.and_then(|status| status.get("condition")).and_then(Value::as_str) {
        let version = status.and_then(|status| status.get("roster_version")).and_then(Value::as_u64).unwrap_or(0);
        let found = format!("ノードの持つ名簿は第 {version} 版 ({condition})");
        return if condition == "fresh" { good("名簿と脈", found) } else { bad("名簿と脈", found, ADVICE) };
    }
    match gate(config, now) {
        Err(why) => bad("名簿と脈", why, ADVICE),
        Ok((gate, untaken)) => {
            let roster = gate.roster();
            let left = if untaken == 0 { String::new() } else { format!("、信じられない通知 {untaken} 件") };
            let found = format!("第 {} 版、{} まで{left}", roster.version, moment(roster.expires));
            match gate.condition(now) {
                Condition::Fresh => good("名簿と脈", found),
                Condition::Degraded => bad("名簿と脈", format!("{found}(脈が古い)"), ADVICE),
                // A node with bootstrap peers fetches it when it starts.
                Condition::Closed => bad("名簿と脈", format!("{found}(期限切れ、または脈がない)"), ADVICE),
            }
        }
    }
}

/// What the node would believe at its first start, and how many notices it would not.
fn gate(config: &NodeConfig, now: Timestamp) -> Result<(Gate, usize), String> {
    let link: Link = files::read_cbor(&config.first_roster).map_err(|trouble| trouble.detail)?;
    let chain = Chain::begin(config.roster_digest, &link, &Real).map_err(|error| error.to_string())?;
    let mut gate = Gate::begin(chain, vec![link.into()]);
    let mut untaken = 0;
    let Some(folder) = &config.notices else { return Ok((gate, untaken)) };
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "cbor"));
    // Rosters first, in the order of their versions: a pulse is signed with a key of the roster in force.
    paths.sort_by_key(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (!name.starts_with("roster"), name)
    });
    for path in paths {
        match files::read_cbor::<Notice>(&path).map(|notice| gate.learn(&notice, now, &Real)) {
            Ok(Ok(Some(next))) => gate = next,
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => untaken += 1,
        }
    }
    Ok((gate, untaken))
}

fn peer_finding(peer: &PeerConfig, config: &NodeConfig) -> Finding {
    const ADVICE: &str = "相手が動いているか、ファイアウォールと回線、アドレスが最新かを確認してください";
    if config.seats.iter().any(|seat| seat.party == peer.party) {
        return open("接続先", format!("{} はこのノード自身です", peer.party));
    }
    let mut tried = Vec::new();
    for text in &peer.addresses {
        let Some(address) = endpoint(text, "tcp") else { continue };
        let connected = address.to_socket_addrs().map_err(|error| error.to_string()).and_then(|all| {
            let mut last = "アドレスがありません".to_owned();
            for address in all {
                match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
                    Ok(_stream) => return Ok(()),
                    Err(error) => last = error.to_string(),
                }
            }
            Err(last)
        });
        match connected {
            Ok(()) => return good("接続先", format!("{} に接続できます ({address})", peer.party)),
            Err(why) => tried.push(format!("{address}: {why}")),
        }
    }
    if tried.is_empty() {
        return open("接続先", format!("{} には TCP のアドレスがなく、試せません", peer.party));
    }
    bad("接続先", format!("{} {}", peer.party, tried.join("; ")), ADVICE)
}

/// Host and port of a multiaddress over `transport`; none if it is of another.
fn endpoint(multiaddress: &str, transport: &str) -> Option<String> {
    let mut parts = multiaddress.strip_prefix('/')?.split('/');
    let (family, host, found, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let port: u16 = port.parse().ok()?;
    match family {
        _ if found != transport => None,
        "ip4" | "dns" | "dns4" | "dns6" => Some(format!("{host}:{port}")),
        "ip6" => Some(format!("[{host}]:{port}")),
        _ => None,
    }
}

fn readiness(line: Option<&Line>, status: Option<&Value>) -> Finding {
    const ADVICE: &str = "理由を直してください。ログ (標準エラー) と GET /v1/status に詳しく出ています";
    match (line, status) {
        (None, _) => open("ノード", "動いていません(始めるには tsunagi run --config)"),
        (Some(_line), None) => {
            bad("ノード", "動いていますが、合言葉を受け付けません", "api.token_file を確認してください")
        }
        (Some(_line), Some(status)) => match status.get("unready_because").and_then(Value::as_str) {
            None => good("ノード", "照会できる状態です"),
            Some(why) => bad("ノード", why, ADVICE),
        },
    }
}

fn good(what: &'static str, found: impl core::fmt::Display) -> Finding {
    Finding { what, mark: Mark::Good, found: found.to_string(), advice: "" }
}

fn bad(what: &'static str, found: impl core::fmt::Display, advice: &'static str) -> Finding {
    Finding { what, mark: Mark::Bad, found: found.to_string(), advice }
}

fn open(what: &'static str, found: impl core::fmt::Display) -> Finding {
    Finding { what, mark: Mark::Open, found: found.to_string(), advice: "" }
}

fn report(path: &Path, findings: &[Finding]) -> Report {
    let faults = findings.iter().filter(|finding| finding.mark == Mark::Bad).count();
    let mut text = format!("{} を調べました\n", path.display());
    for finding in findings {
        text.push_str(&format!("{} {}: {}\n", finding.mark.as_str(), finding.what, finding.found));
        if !finding.advice.is_empty() {
            text.push_str(&format!("    → {}\n", finding.advice));
        }
    }
    text.push_str(&if faults == 0 {
        "問題はありません".to_owned()
    } else {
        format!("直すところが {faults} か所あります")
    });
    let told: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({ "what": finding.what, "mark": finding.mark.as_str(), "found": finding.found,
                "advice": finding.advice })
        })
        .collect();
    Report { text, data: json!({ "ok": faults == 0, "faults": faults, "findings": told }), good: faults == 0 }
}

impl Mark {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Open => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_transport_of_a_multiaddress_is_tried() {
        let both = |text: &str| [endpoint(text, "tcp"), endpoint(text, "udp")].map(Option::unwrap_or_default);
        assert_eq!(both("/ip4/127.0.0.1/tcp/4001/p2p/12D3"), ["127.0.0.1:4001", ""]);
        assert_eq!(both("/ip4/127.0.0.1/udp/4001/quic-v1"), ["", "127.0.0.1:4001"]);
        assert_eq!(both("/ip6/::1/tcp/4001"), ["[::1]:4001", ""]);
        assert_eq!(both("/dns4/node.example/tcp/4001"), ["node.example:4001", ""]);
        for none in ["", "/ip4/127.0.0.1", "/unix/x/tcp/1", "/ip4/127.0.0.1/tcp/70000"] {
            assert_eq!(both(none), ["", ""], "{none}");
        }
    }
}
