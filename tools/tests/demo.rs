//! The demo as anybody starts it: every step comes out as it must, and it says so in JSON and by its exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tools::line::wait_until;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_story_s_thirteen_steps_come_out_as_they_must() {
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["demo", "--once", "--json", "--persons", "300"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let wrong: Vec<_> = steps.iter().filter(|step| step["ok"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", String::from_utf8_lossy(&output.stderr));
    let ids: Vec<_> = steps.iter().filter_map(|step| step["id"].as_u64()).collect();
    assert_eq!(ids, (1..=13).collect::<Vec<_>>());
    assert!(report["ledgers"].as_array().unwrap().iter().all(|ledger| ledger["verified"] == true));
    assert_eq!(report["ok"], true);
    assert!(output.status.success());
}

/// The words of every process of this machine that still runs, by its id; one that has ended has none.
fn processes() -> Vec<(u32, Vec<String>)> {
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let words = |id: u32| {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).ok().filter(|line| !line.is_empty())?;
        Some((id, line.split('\0').map(str::to_owned).collect()))
    };
    ids.filter_map(words).collect()
}

/// The configurations of the processes that `parent` started.
fn members_of(parent: u32) -> Vec<PathBuf> {
    let is_child = |id: &u32| {
        let facts = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        facts.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|said| said.trim() == parent.to_string()))
    };
    let children = processes().into_iter().filter(|(id, _words)| is_child(id));
    let config = |words: &[String]| words.iter().skip_while(|word| *word != "--config").nth(1).map(PathBuf::from);
    children.filter_map(|(_id, words)| config(&words)).collect()
}

#[test]
fn an_interrupt_leaves_no_process_and_no_key_behind() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["demo", "--persons", "50"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut members = Vec::new();
    // in the middle of starting them: one may be on its way
    let is_started = wait_until(LIMIT, || {
        members = members_of(demo.id());
        members.len() >= 4
    });
    let interrupted = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    let is_over = wait_until(LIMIT, || demo.try_wait().unwrap().is_some());
    if !is_over {
        demo.kill().unwrap();
    }
    assert!(is_started && interrupted.success() && is_over);
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    let folder = members[0].ancestors().find(|folder| folder.parent() == Some(&std::env::temp_dir())).unwrap();
    let is_left = |words: &[String]| words.iter().any(|word| word.starts_with(folder.to_str().unwrap()));
    assert!(wait_until(LIMIT, || !processes().iter().any(|(_id, words)| is_left(words))), "a member still runs");
    assert!(!folder.exists(), "{}", folder.display());
}
