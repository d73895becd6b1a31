//! The transcripts of docs/vendor-guide.md are run: every command in a `console` block, and what it prints is compared with what the
//! guide says. `…` in the guide stands for what differs from machine to machine, and a line of `…` for any lines.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{TempDir, TestApp, tests_data_dir};

/// A command of the guide and what it prints there.
#[derive(Debug)]
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The steps of the section with this heading.
fn steps(heading: &str) -> Vec<Step> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guide = std::fs::read_to_string(root.join("docs/vendor-guide.md")).unwrap();
    let section = guide.split("\n## ").find(|section| section.starts_with(heading)).expect("the guide has the section");
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
        } else if inside {
            steps.last_mut().expect("a transcript begins with a command").expected.push(line.to_owned());
        }
    }
    steps
}

/// Does the output say what the guide says?
fn fits(expected: &[String], told: &[&str]) -> bool {
    match expected.split_first() {
        None => told.is_empty(),
        Some((any, rest)) if any == "…" => (0..=told.len()).any(|from| fits(rest, &told[from..])),
        Some((line, rest)) => {
            told.split_first().is_some_and(|(first, behind)| is_like(line, first) && fits(rest, behind))
        }
    }
}

/// `…` within a line is any text.
fn is_like(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let found = if index + 1 == parts.len() {
            rest.ends_with(part).then(|| rest.len() - part.len())
        } else {
            rest.find(part)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.is_empty() && rest.is_empty() || !parts.is_empty()
}

/// Runs a section's commands in an empty directory.
fn run(heading: &str) {
    run_in(&TempDir::new(), heading, &[]);
}

/// Runs a section's commands.
#[expect(clippy::disallowed_methods, reason = "the guide's `afferent` is found as a vendor's shell finds it")]
fn run_in(directory: &TempDir, heading: &str, variables: &[(&str, &str)]) {
    let steps = steps(heading);
    assert!(steps.len() >= 4, "the section has a whole transcript");
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_afferent"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    for Step { command, expected } in &steps {
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .env("AFFERENT_DATA_DIR", tests_data_dir())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
        assert!(
            output.status.success() && fits(expected, &lines),
            "$ {command}\n{told}\n--- the guide says\n{}",
            expected.join("\n")
        );
    }
}

#[test]
fn a_table_from_nothing_to_a_reading() {
    run("A table");
}

#[test]
fn rust_from_nothing_to_a_reading() {
    run("Rust");
}

/// It needs npm and its registry; where they are missing that is said, and nothing is proved.
#[test]
fn javascript_from_nothing_to_a_reading() {
    let reachable = Command::new("npm").args(["view", "componentize-qjs@0.4.5", "version"]).output();
    if !reachable.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: npm is missing, or cannot reach its registry");
        return;
    }
    run("JavaScript");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_is_handed_in_and_decodes_there() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let vendor = admin.post("/api/v1/vendors", json!({ "name": "Acme" })).await.expect(201);
    let path = format!("/api/v1/vendors/{}/tokens", vendor["id"].as_str().unwrap());
    let token = admin.post(&path, json!({ "name": "build server" })).await.expect(201);
    let token = token["token"].as_str().unwrap().to_owned();
    let directory = TempDir::new();
    std::fs::write(directory.path().join("vendor.token"), format!("{token}\n")).unwrap();
    let server = app.url("");
    tokio::task::spawn_blocking(move || run_in(&directory, "Hand it in", &[("SERVER", &server)])).await.unwrap();
    // What the vendor's guide promises next, to the reading of somebody's device.
    let acme = admin.with_token(&token);
    let wish = json!({
        "plugin": { "name": "acme-scale", "version": "1.0.0" }, "model": "acme-scale",
        "frames": [{ "channel": "FFB2", "hex": "00581b55" }],
    });
    assert_eq!(acme.post("/api/v1/decode", wish).await.expect(200)["outcome"], "readings");
    let activation = json!({ "reason": "the guide" });
    admin.post("/api/v1/plugins/acme-scale/versions/1.0.0/activate", activation).await.expect(200);
    let clinic = app.clinic("north").await;
    let (device, scale) = clinic.device("acme-scale", "A1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    scale.uplink("FFB2", &[0x00, 0x58, 0x1b, 0x55]).await.expect(201);
    let found = clinic.admin.get(&format!("{}/Observation?code=29463-7", clinic.fhir)).await.expect(200);
    assert_eq!(found["entry"][0]["resource"]["valueQuantity"]["value"].to_string(), "70.00");
}

/// It needs clang and its linker; where they are missing that is said, and nothing is proved.
#[test]
fn c_from_nothing_to_a_reading() {
    for program in ["clang", "wasm-ld"] {
        if !Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: {program} is missing");
            return;
        }
    }
    run("C\n");
}

/// It needs Python with venv and the package index; where they are missing that is said, and nothing is proved.
#[test]
fn python_from_nothing_to_a_reading() {
    let scratch = TempDir::new();
    let made = Command::new("python3").args(["-m", "venv", "venv"]).current_dir(scratch.path()).output();
    let reachable = made.is_ok_and(|output| output.status.success())
        && Command::new(scratch.path().join("venv/bin/pip"))
            .args(["download", "--quiet", "--no-deps", "--no-cache-dir", "componentize-py==0.25.1"])
            .current_dir(scratch.path())
            .output()
            .is_ok_and(|output| output.status.success());
    if !reachable {
        eprintln!("SKIPPED: Python with venv is missing, or cannot reach the package index");
        return;
    }
    run("Python\n");
}

#[test]
fn a_transcript_is_compared_line_by_line() {
    let guide = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(fits(&guide(&["fuel … of 20", "…", "end"]), &["fuel 17 of 20", "a", "b", "end"]));
    assert!(fits(&guide(&["a", "…"]), &["a"]));
    assert!(!fits(&guide(&["fuel … of 20"]), &["fuel 17 of 21"]));
    assert!(!fits(&guide(&["a"]), &["a", "b"]));
    assert!(!fits(&guide(&["a", "b"]), &["a"]));
}
