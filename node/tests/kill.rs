//! A process that does nothing but commit is killed at random moments, again and again. Whatever it
//! had acknowledged is in the store it leaves, nothing is there by half, and every ledger is the
//! beginning of the next round's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails may panic, in its helpers too"
)]

#[path = "shared/history.rs"]
mod history;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use history::{Expected, SEATS};
use protocol::ledger::tree;
use protocol::primitives::derive;

const FOLDER: &str = "TSUNAGI_TEST_KILL_FOLDER";
const ROUNDS: u64 = 40;
/// Some kills come before the first acknowledgement of a round, some after many.
const ACKNOWLEDGED_MAX: u64 = 24;
/// From the acknowledgement waited for to the kill, at most, in microseconds: a few commits.
const DELAY_US_MAX: u64 = 12_000;
const SNAPSHOT_EVERY: u64 = 37;

#[test]
fn what_was_acknowledged_outlives_forty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let mut acknowledged = 0;
    let mut unacknowledged: u64 = 0;
    for round in 0..ROUNDS {
        let earlier = SEATS.map(|seat| expected.head(seat));
        acknowledged = run_until_killed(folder.path(), round, acknowledged);
        let (mut store, opened) = history::open(folder.path()).unwrap();
        assert!(opened.sequence >= acknowledged, "{acknowledged} were acknowledged, {opened:?}");
        assert!(opened.sequence <= acknowledged + 1, "{acknowledged} were acknowledged, {opened:?}");
        unacknowledged += opened.sequence - acknowledged;
        expected.advance(opened.sequence);
        assert_eq!(expected.difference(&mut store), Ok(None), "round {round}");
        for (seat, (size, root)) in SEATS.into_iter().zip(earlier).filter(|(_seat, head)| head.0 > 0) {
            let head = store.head(seat).unwrap();
            let proof = store.consistency(seat, size).unwrap();
            assert!(tree::check_consistency((size, root), (head.size, head.root), &proof), "round {round}");
        }
        acknowledged = opened.sequence;
    }
    println!("{ROUNDS} kills, {acknowledged} commits, {unacknowledged} of them durable before they were acknowledged");
    assert!(acknowledged > ROUNDS, "{acknowledged} commits: nothing was killed in its work");
}

#[test]
#[ignore = "not a test: the process that the test above kills"]
fn commits_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let (mut store, _opened) = history::open(&folder).unwrap();
    loop {
        history::go_on(&mut store).unwrap();
        writeln!(std::io::stdout(), " acknowledged {}", store.sequence()).unwrap();
        if store.sequence().is_multiple_of(SNAPSHOT_EVERY) {
            store.snapshot().unwrap();
        }
    }
}

/// Starts the process, kills it after a number of acknowledgements and a delay that both follow from
/// `round`, and returns the last commit it acknowledged.
fn run_until_killed(folder: &Path, round: u64, acknowledged: u64) -> u64 {
    let dice = derive(&round.to_be_bytes(), b"", b"kill");
    let number = |at: usize| u64::from(u32::from_be_bytes(dice.expose()[at..at + 4].try_into().unwrap()));
    let (wanted, delay) = (number(0) % ACKNOWLEDGED_MAX, Duration::from_micros(number(4) % DELAY_US_MAX));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commits_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledgements = lines.by_ref().filter_map(|line| line.split_once(" acknowledged ")?.1.parse().ok());
    let mut last = acknowledged;
    for _ in 0..wanted {
        let number: u64 = acknowledgements.next().expect("the process does not end by itself");
        assert_eq!(number, last + 1, "out of order");
        last = number;
    }
    // To the microsecond, as no sleep is.
    let begin = Instant::now();
    while begin.elapsed() < delay {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    // What it had said before it died counts as well.
    last = acknowledgements.last().unwrap_or(last);
    assert!(!child.wait().unwrap().success());
    last
}
