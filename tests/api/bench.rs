//! `afferent bench --quick`: every part runs and agrees with the others, and nothing is left behind. No figure is judged by
//! its size in time: a busy machine is no failure.

use std::process::Command;

use serde_json::Value;

use crate::support::TempDir;

#[test]
fn a_quick_run_measures_every_part_and_leaves_nothing_behind() {
    let folder = TempDir::new();
    let output = Command::new(env!("CARGO_BIN_EXE_afferent"))
        .args(["bench", "--quick", "--json", "--dir"])
        .arg(folder.path())
        .env("AFFERENT_DATA_DIR", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| {
        let found = report.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no number {pointer} in {report}"))
    };
    assert!(number("/ratios/ingestToFloor") > 0.0);
    // The floor writes as many Observations as we do, and each of ours is to be delivered.
    assert!((number("/ingest/observationsPerPayload") - number("/floor/observationsPerPayload")).abs() < 1e-9);
    assert!((number("/ingest/observationsPerPayload") - number("/ingest/deliveriesPerPayload")).abs() < 1e-9);
    assert!(number("/ingest/payloadsPerCommit") >= 1.0);
    assert!(number("/ingest/walSyncsPerPayload") > 0.0, "commits were not synced");
    assert!(number("/ingest/walBytesPerPayload") > number("/floor/walBytesPerPayload"));
    assert!(number("/ingest/p50Ms") <= number("/ingest/p999Ms"));
    let models: Vec<&str> =
        report["decode"].as_array().unwrap().iter().filter_map(|cost| cost["model"].as_str()).collect();
    assert!(models.contains(&"gatt-2A35"), "{models:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a folder was left behind");
}
