//! `afferent bench --quick`: every part runs and agrees with the others, and nothing is left behind. No figure is judged by
//! its size in time: a busy machine is no failure.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::TempDir;

/// A report and how to read it.
struct Report(Value);

impl Report {
    #[track_caller]
    fn number(&self, pointer: &str) -> f64 {
        let found = self.0.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no number {pointer} in {}", self.0))
    }

    #[track_caller]
    fn same(&self, left: &str, right: &str) {
        let (left_number, right_number) = (self.number(left), self.number(right));
        assert!((left_number - right_number).abs() < 1e-9, "{left} is {left_number}, {right} is {right_number}");
    }
}

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
    let report = Report(serde_json::from_slice(&output.stdout).unwrap());
    ingest_agrees_with_the_floor(&report);
    more_rows_are_more_rows(&report);
    under_overload_every_payload_has_a_fate(&report);
    a_shadow_sees_every_retained_uplink(&report);
    assert!(report.number("/coldStart/newFolderMs") > report.number("/coldStart/existingFolderMs"));
    let models: Vec<&str> =
        report.0["decode"]["models"].as_array().unwrap().iter().filter_map(|cost| cost["model"].as_str()).collect();
    assert!(models.contains(&"gatt-2A35"), "{models:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a folder was left behind");
    assert_eq!(processes_that_name(folder.path()), Vec::<String>::new(), "a server was left behind");
}

/// The same version twice says the same; beside a live shadow of all uplinks each is compared or counted as dropped.
fn a_shadow_sees_every_retained_uplink(report: &Report) {
    assert!(report.number("/shadow/uplinks") >= 500.0);
    // Bounded: whatever the server had before, or gave back meanwhile.
    let (before, peak) = (report.number("/shadow/serverBeforeBytes"), report.number("/shadow/serverPeakBytes"));
    assert!(before > 1e7 && peak > 1e7 && peak < before + 3e8, "{before} and {peak} bytes");
    let shares: Vec<f64> = (0..4).map(|row| report.number(&format!("/shadow/live/{row}/share"))).collect();
    assert_eq!(shares, [0.0, 10.0, 100.0, 0.0]);
    assert!(report.number("/shadow/live/0/compared") < 0.5);
    let seen = report.number("/shadow/live/2/compared") + report.number("/shadow/live/2/dropped");
    assert!(seen >= 300.0, "{seen} of 300 uplinks were compared or counted");
    assert!(report.number("/shadow/live/1/compared") < 300.0);
}

/// The floor writes as many Observations as we do, and each of ours is to be delivered.
fn ingest_agrees_with_the_floor(report: &Report) {
    assert!(report.number("/ingest/0/ratio/wall") > 0.0);
    report.same("/ingest/0/rowsByTable/observation", "/floor/observationsPerPayload");
    report.same("/ingest/0/rowsByTable/observation", "/ingest/0/rowsByTable/delivery");
    assert!((report.number("/ingest/0/rowsByTable/uplink") - 1.0).abs() < 1e-9);
    assert!(report.number("/floor/observationsPerPayload") > 1.0, "the mix has payloads with several readings");
    assert!(report.number("/ingest/0/payloadsPerCommit") >= 1.0);
    assert!(report.number("/ingest/0/walSyncsPerPayload") > 0.0, "commits were not synced");
    assert!(report.number("/ingest/0/walBytesPerPayload") > report.number("/floor/walBytesPerPayload"));
    assert!(report.number("/ingest/0/p50Ms") <= report.number("/ingest/0/p999Ms"));
    if cfg!(target_os = "linux") {
        assert!(report.number("/ingest/0/cpuMsPerPayload/server") > 0.0);
        assert!(report.number("/ingest/0/cpuMsPerPayload/postgres") > 0.0);
        assert!(report.number("/memory/0/serverBytes") > 1e6);
    }
}

fn more_rows_are_more_rows(report: &Report) {
    assert!(report.number("/scale/timesTheRows") >= 15.0);
    for table in report.0["scale"]["filled"]["tables"].as_array().unwrap() {
        assert!(table["indexBytes"].as_i64().unwrap() > 0, "{table}");
    }
    let tables = |at: &str| {
        let tables = report.0["scale"][at]["tables"].as_array().unwrap();
        tables.iter().map(|table| table["table"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(
        ["delivery", "observation", "uplink"].iter().all(|table| tables("base").iter().any(|found| found == table))
    );
    assert_eq!(tables("base"), tables("filled"));
}

fn under_overload_every_payload_has_a_fate(report: &Report) {
    let rate = |name: &str| report.number(&format!("/overload/{name}"));
    let fates = rate("acceptedPerSecond") + rate("refusedPerSecond") + rate("withoutConnectionPerSecond");
    let known = fates * rate("seconds") + rate("unanswered");
    assert!((known - rate("offeredPerSecond") * rate("seconds")).abs() < 1e-3, "{}", report.0["overload"]);
    assert!(rate("acceptedPerSecond") > 0.0);
}

/// The command lines of processes that name a folder.
fn processes_that_name(folder: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let lines = processes.filter_map(|process| std::fs::read(process.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&*folder.to_string_lossy())).collect()
}
