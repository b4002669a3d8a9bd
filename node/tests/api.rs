//! The office API over real sockets: callers that dawdle, crowd, say too much or come by another name.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::api::serve::{Bounds, serve};
use node::api::{self, Desk, Tokens};
use node::clock::Clock;
use node::heart::inbox::Inbox;
use node::heart::vitals::Vitals;
use node::network::{Flow, Network, NetworkConfig};
use node::telemetry::Metrics;
use protocol::digest::Digest;
use protocol::id::party::PartyId;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(40);
const SHORT: Duration = Duration::from_millis(300);
const TOKEN: &str = "0123456789abcdef";

/// An API without a heart behind it.
struct Office {
    address: SocketAddr,
    _runtime: Runtime,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

fn office(bounds: Bounds) -> Office {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, TOKEN).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let network = Network::start(NetworkConfig::default(), &[7; 32], Box::new(|_event| Flow::On)).unwrap();
    let desk = Desk {
        inbox: Arc::new(Inbox::new(8)),
        vitals: Arc::new(Vitals::default()),
        clock: Arc::new(Clock::start()),
        metrics: Metrics::new().unwrap(),
        network: Arc::new(network),
        tokens: Tokens::read(&file).unwrap(),
        bounds,
        hosts: vec!["localhost".to_owned()],
        network_id: Digest::of(b"network"),
        seats: BTreeMap::new(),
        first: PartyId::parse("office:1370101238").unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(serve(listener, api::office(Arc::new(desk)), bounds, stopped));
    Office { address, _runtime: runtime, _stop: stop, _folder: folder }
}

impl Office {
    fn call(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Says `text` and yields all that comes until the end.
    fn say(&self, text: &str) -> String {
        let mut stream = self.call();
        stream.write_all(text.as_bytes()).unwrap();
        all(&mut stream)
    }
}

/// What comes until the other end closes.
fn all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // closed with something of ours unread
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
    String::from_utf8(bytes).unwrap()
}

fn request(method: &str, path: &str, heads: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{heads}\r\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// Every route of the source, with its method: one that is added is tried, too.
fn routes() -> Vec<(String, String)> {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api.rs")).unwrap();
    let routes: Vec<_> = source
        .split(".route(\"")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once("\", ").unwrap();
            (rest.split('(').next().unwrap().to_uppercase(), path.to_owned())
        })
        .collect();
    assert!(routes.len() >= 13, "{routes:?}");
    routes
}

#[test]
fn a_caller_that_does_not_end_its_head_is_cut_off() {
    let office = office(Bounds { head_limit: SHORT, ..Bounds::default() });
    for begun in ["", "GET", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let began = Instant::now();
        let answer = office.say(begun);
        assert!(began.elapsed() < DEADLINE / 2, "{begun:?}");
        assert!(answer.is_empty() || status(&answer) == "408", "{begun:?}: {answer}");
    }
}

#[test]
fn a_kept_connection_that_idles_is_cut_off() {
    let office = office(Bounds { head_limit: SHORT, ..Bounds::default() });
    let answer = office.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status(&answer), "200");
}

#[test]
fn a_caller_that_does_not_end_its_body_is_told_so_and_cut_off() {
    let office = office(Bounds { body_limit: SHORT, ..Bounds::default() });
    for length in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let heads = format!("Authorization: Bearer {TOKEN}\r\n{length}");
        let begun = if length.contains("chunked") { "1\r\n{\r\n" } else { "{" };
        let answer = office.say(&(request("POST", "/v1/ask", &heads) + begun));
        assert_eq!(status(&answer), "408", "{answer}");
        assert!(answer.contains("TSG-1010"), "{answer}");
    }
}

#[test]
fn a_caller_that_does_not_read_is_cut_off() {
    let office = office(Bounds { stall_limit: SHORT, ..Bounds::default() });
    let mut stream = office.call();
    let asked = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let end = Instant::now() + DEADLINE;
    let cut_off = loop {
        assert!(Instant::now() < end, "never cut off");
        if let Err(error) = stream.write_all(asked.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(cut_off, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{cut_off:?}");
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_any_of_it_came() {
    let office = office(Bounds::default());
    for (method, path) in [("POST", "/v1/ask"), ("POST", "/v1/notices")] {
        let heads = format!("Authorization: Bearer {TOKEN}\r\nContent-Length: 100000000\r\n");
        let answer = office.say(&request(method, path, &heads));
        assert_eq!(status(&answer), "413", "{path}: {answer}");
    }
}

#[test]
fn a_body_that_turns_out_too_long_is_refused_at_its_bound() {
    let office = office(Bounds::default());
    let heads = format!("Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n");
    let mut stream = office.call();
    stream.write_all(request("POST", "/v1/ask", &heads).as_bytes()).unwrap();
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let mut sent = 0;
    // the other end closes, whereupon writing fails
    while sent < 1000 && stream.write_all(chunk.as_bytes()).is_ok() {
        sent += 1;
    }
    assert!(sent < 1000, "16 MB were taken of a question of 64 KiB");
}

#[test]
fn without_a_token_no_body_is_read() {
    let office = office(Bounds::default());
    for (method, path) in routes().into_iter().filter(|(_method, path)| path.starts_with("/v1/")) {
        let answer = office.say(&request(&method, &path, "Content-Length: 1000\r\n"));
        assert_eq!(status(&answer), "401", "{method} {path}: {answer}");
    }
}

#[test]
fn connections_beyond_the_bound_wait_for_a_free_place() {
    let office = office(Bounds { connections_max: 2, ..Bounds::default() });
    let (first, second) = (office.call(), office.call());
    let mut third = office.call();
    third.write_all(request("GET", "/healthz", "").as_bytes()).unwrap();
    third.set_read_timeout(Some(SHORT)).unwrap();
    let early = third.read(&mut [0; 1]);
    assert!(early.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)));
    drop(first);
    third.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(status(&all(&mut third)), "200");
    drop(second);
}

#[test]
fn no_route_answers_to_a_foreign_host() {
    let office = office(Bounds::default());
    let mut tried = routes();
    tried.extend(
        [("GET", "/"), ("GET", "/nothing"), ("DELETE", "/v1/ask"), ("OPTIONS", "/healthz")]
            .map(|(method, path)| (method.to_owned(), path.to_owned())),
    );
    for (method, path) in tried {
        let rest = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
        for text in [
            format!("{method} {path} HTTP/1.1\r\nHost: evil.example\r\n{rest}"),
            format!("{method} {path} HTTP/1.1\r\nHost: localhost.evil.example:80\r\n{rest}"),
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n{rest}"),
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n{rest}"),
            format!("{method} http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n{rest}"),
            format!("{method} {path} HTTP/1.0\r\n{rest}"),
        ] {
            let answer = office.say(&text);
            assert!(matches!(status(&answer), "403" | "400"), "{text}: {answer}");
            assert!(!answer.contains("ready"), "{text}: {answer}");
        }
    }
}
