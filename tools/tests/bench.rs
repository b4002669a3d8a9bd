//! The bench from outside, as small as it can be: it measures both ways of asking and says what of. How fast they
//! are is no test's business.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_bench_measures_the_network_and_beside_it_the_baseline() {
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["bench", "ask", "--seconds", "1", "--concurrency", "2", "--persons", "5", "--baseline"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["questions_per_s"].as_f64() > Some(0.0), "{report}");
    assert!(report["baseline_per_s"].as_f64() > Some(0.0), "{report}");
    assert_eq!((&report["failed"], &report["baseline_persons"]), (&0.into(), &5.into()), "{report}");
}
