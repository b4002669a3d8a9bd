//! The demo as anybody starts it: every step comes out as it must, and it says so in JSON and by its exit code.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_story_s_eleven_steps_come_out_as_they_must() {
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["demo", "--once", "--json", "--persons", "300"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let wrong: Vec<_> = steps.iter().filter(|step| step["ok"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", String::from_utf8_lossy(&output.stderr));
    let ids: Vec<_> = steps.iter().filter_map(|step| step["id"].as_u64()).collect();
    assert_eq!(ids, (1..=11).collect::<Vec<_>>());
    assert!(report["ledgers"].as_array().unwrap().iter().all(|ledger| ledger["verified"] == true));
    assert_eq!(report["ok"], true);
    assert!(output.status.success());
}
