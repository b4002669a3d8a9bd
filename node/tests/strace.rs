//! Durable means that the kernel was asked: between the beginning of a commit and its acknowledgement
//! the journal is written and then synced, with success. strace watches a process that commits; under
//! libeatmydata, which drops every sync, the same check must say no.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails may panic, in its helpers too"
)]

#[path = "shared/history.rs"]
mod history;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const FOLDER: &str = "TSUNAGI_TEST_STRACE_FOLDER";
const COMMITS: u64 = 20;
const BEGINS: &str = "commit begins";
const ACKNOWLEDGED: &str = "commit acknowledged";

/// What a line of a trace says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Begins,
    Written,
    Synced,
    Acknowledged,
}

#[test]
fn the_journal_is_synced_before_a_commit_is_acknowledged() {
    let Some(trace) = trace(None) else { return };
    let events = events_of(&trace);
    let acknowledged = events.iter().filter(|event| **event == Event::Acknowledged).count();
    assert_eq!(u64::try_from(acknowledged).unwrap(), COMMITS, "{trace}");
    assert!(is_synced_before_each_acknowledgement(&events), "{events:?}\n{trace}");
}

#[test]
fn the_check_says_no_where_syncs_are_dropped() {
    let Some(library) = eat_my_data() else {
        eprintln!("SKIPPED: the_check_says_no_where_syncs_are_dropped: libeatmydata.so is not installed");
        return;
    };
    let Some(trace) = trace(Some(&library)) else { return };
    let events = events_of(&trace);
    let acknowledged = events.iter().filter(|event| **event == Event::Acknowledged).count();
    assert_eq!(u64::try_from(acknowledged).unwrap(), COMMITS, "{trace}");
    assert!(!events.contains(&Event::Synced), "{trace}");
    assert!(!is_synced_before_each_acknowledgement(&events));
}

#[test]
fn the_check_wants_a_sync_that_succeeds_after_the_write_and_in_time() {
    let check = |lines: &[&str]| is_synced_before_each_acknowledgement(&events_of(&lines.join("\n")));
    let begins = "10 write(1, \"commit begins 1\\n\", 16) = 16";
    let written = "10 pwrite64(7</d/journal-000001.log>, \"tsj1\"..., 900, 0) = 900";
    let synced = "10 fdatasync(7</d/journal-000001.log>) = 0";
    let acknowledged = "10 write(1, \"commit acknowledged 1\\n\", 22) = 22";
    assert!(check(&[begins, written, synced, acknowledged]));
    assert!(!check(&[begins, written, acknowledged, synced]));
    assert!(!check(&[begins, synced, written, acknowledged]));
    assert!(!check(&[synced, begins, written, acknowledged]));
    assert!(!check(&[begins, written, synced, acknowledged, begins, written, acknowledged]));
    assert!(!check(&[begins, written, "10 fdatasync(7</d/journal-000001.log>) = -1 EIO", acknowledged]));
    assert!(!check(&[begins, written, "10 fdatasync(8</d/vault.keys>) = 0", acknowledged]));
    assert!(!check(&[]));
    let parted = ["10 fdatasync(7</d/journal-000001.log> <unfinished ...>", "10 <... fdatasync resumed>) = 0"];
    assert!(check(&[begins, written, parted[0], parted[1], acknowledged]));
    assert!(!check(&[begins, written, parted[0], acknowledged, parted[1]]));
}

#[test]
#[ignore = "not a test: the process that the tests above watch"]
fn commits_under_watch() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let (mut store, _opened) = history::open(&folder).unwrap();
    let mut out = std::io::stdout().lock();
    for number in 1..=COMMITS {
        writeln!(out, "{BEGINS} {number}").unwrap();
        history::go_on(&mut store).unwrap();
        writeln!(out, "{ACKNOWLEDGED} {number}").unwrap();
    }
}

/// Whether each commit that was acknowledged had written its journal and then synced it, in this order,
/// since it began. Of a trace without a commit nothing is known, which is a no.
fn is_synced_before_each_acknowledgement(events: &[Event]) -> bool {
    let (mut written, mut synced, mut commits) = (false, false, 0);
    for event in events {
        match event {
            Event::Begins => (written, synced) = (false, false),
            // What is written after a sync needs another one.
            Event::Written => (written, synced) = (true, false),
            Event::Synced => synced = written,
            Event::Acknowledged if synced => commits += 1,
            Event::Acknowledged => return false,
        }
    }
    commits > 0
}

/// A call counts when it returns, a write of ours when it is begun: nobody can have read it earlier.
fn events_of(trace: &str) -> Vec<Event> {
    let mut unfinished = BTreeMap::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let Some((process, call)) = line.trim_start().split_once(' ') else { continue };
        let call = call.trim_start();
        if call.starts_with("write(1") {
            events.extend(call.contains(BEGINS).then_some(Event::Begins));
            events.extend(call.contains(ACKNOWLEDGED).then_some(Event::Acknowledged));
        } else if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            unfinished.insert(process, begun.to_owned());
        } else if call.starts_with("<... ") {
            let begun = unfinished.remove(process).unwrap_or_default();
            events.extend(event_of(&begun, call));
        } else {
            events.extend(event_of(call, call));
        }
    }
    events
}

fn event_of(begun: &str, ended: &str) -> Option<Event> {
    let result: i64 = ended.rsplit_once(" = ")?.1.split(' ').next()?.parse().ok()?;
    let journal = begun.contains("/journal-");
    if journal && begun.starts_with("pwrite64(") && result > 0 {
        Some(Event::Written)
    } else if journal && (begun.starts_with("fdatasync(") || begun.starts_with("fsync(")) && result == 0 {
        Some(Event::Synced)
    } else {
        None
    }
}

/// What strace saw of a process that commits; `None`, said loudly, where there is no strace.
fn trace(preload: Option<&str>) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "64", "-e", "trace=fdatasync,fsync,write,pwrite64,sendto", "-o"]).arg(&out);
    if let Some(library) = preload {
        // For the process alone, not for strace.
        strace.args(["-E", &format!("LD_PRELOAD={library}")]);
    }
    let status = strace
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "commits_under_watch", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    match status {
        Err(error) => {
            eprintln!("SKIPPED: no process can be watched: strace: {error}");
            None
        }
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("Operation not permitted") => {
            eprintln!("SKIPPED: no process can be watched: strace is not permitted here");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(std::fs::read_to_string(out).unwrap())
        }
    }
}

fn eat_my_data() -> Option<String> {
    let output =
        ["ldconfig", "/sbin/ldconfig"].into_iter().find_map(|name| Command::new(name).arg("-p").output().ok())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.trim_start().starts_with("libeatmydata.so"))?;
    Some(line.rsplit_once("=> ")?.1.trim().to_owned())
}
