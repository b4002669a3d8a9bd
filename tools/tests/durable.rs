//! No answer before its leaf is durable, seen from outside: between the arrival of a request at the running
//! daemon and its answer lies a sync of the journal. Under libeatmydata, which swallows syncs, the same
//! check must say no; so it can fail.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and says what it skips")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tools::demo::stage::{CITY, PLANNER, Stage, is_client};
use tools::line::wait_until;

#[test]
fn a_sync_lies_between_a_request_and_its_answer() {
    let Some(eatmydata) = libeatmydata().filter(|_| is_there("strace")) else {
        eprintln!("SKIPPED: strace and libeatmydata are not installed; the daemon's syncs were not watched");
        return;
    };
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_tsunagi"));
    let mut stage = Stage::set_up(exe, 60, &|_text| {}).unwrap();
    let (_before, honest) = stage.kill_and_restart(CITY, &[]).unwrap();
    let trace = watch(&stage, honest);
    assert!(is_synced_before_the_answer(&trace), "an answer left before the journal was synced:\n{trace}");
    let (_before, careless) = stage.kill_and_restart(CITY, &[("LD_PRELOAD", &eatmydata)]).unwrap();
    assert!(!is_synced_before_the_answer(&watch(&stage, careless)), "the check does not notice a missing sync");
}

/// What the system saw of the municipality while one question was asked and answered.
fn watch(stage: &Stage, pid: u32) -> String {
    let client = stage.person(CITY, |person| is_client(person, PLANNER)).unwrap();
    let line = stage.line(PLANNER).unwrap();
    let ask = json!({ "staff": { "id": "s", "job": "care-manager" }, "purpose": "care-planning",
        "person": { "insurer": client.insurer().to_string(), "insured": client.insured().expose() },
        "kinds": ["insurance-card"] });
    // The first ask makes the connection, so that what is watched is one request on an open one.
    assert_eq!(line.ask(&ask).unwrap().get("outcome"), Some(&json!("answered")));
    let file = std::env::temp_dir().join(format!("tsunagi-strace-{pid}"));
    let calls = "trace=fdatasync,fsync,write,writev,sendmsg,sendmmsg,sendto,recvmsg,recvmmsg,recvfrom";
    let mut strace = Command::new("strace")
        .args(["-f", "-y", "-e", calls, "-o"])
        .arg(&file)
        .args(["-p", &pid.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_until(Duration::from_secs(20), || std::fs::metadata(&file).is_ok() && is_traced(pid)));
    let answer = line.ask(&ask).unwrap();
    assert_eq!(answer.get("outcome"), Some(&json!("answered")));
    end(&mut strace);
    let trace = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    trace
}

/// Something arrived, then a journal was synced with success, then something left.
fn is_synced_before_the_answer(trace: &str) -> bool {
    let mut lines = trace.lines();
    let arrived = lines.any(|line| line.contains("recv"));
    let mut syncing: Vec<&str> = Vec::new();
    let synced = lines.any(|line| {
        let thread = line.split_whitespace().next().unwrap_or("");
        if line.contains("fdatasync(") && line.contains("journal") {
            if line.contains("unfinished") {
                syncing.push(thread);
            }
            return line.ends_with("= 0");
        }
        line.contains("fdatasync resumed") && line.ends_with("= 0") && syncing.contains(&thread)
    });
    let leaves = |line: &str| line.contains("socket:") && (line.contains("send") || line.contains("write"));
    arrived && synced && lines.any(leaves)
}

/// Whether every thread of the process is watched.
fn is_traced(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

fn end(strace: &mut Child) {
    // An interrupt lets strace write its last lines and let the process go.
    Command::new("kill").args(["-INT", &strace.id().to_string()]).status().unwrap();
    strace.wait().unwrap();
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn libeatmydata() -> Option<String> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"];
    let names = ["libeatmydata.so", "libeatmydata.so.1"];
    let paths = folders.iter().flat_map(|folder| names.map(|name| Path::new(folder).join(name)));
    paths.into_iter().find(|path| path.exists()).map(|path| path.display().to_string())
}
