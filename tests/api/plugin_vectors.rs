//! `afferent plugin`, as scripts call it: vectors, list, check.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn plugin(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_afferent"))
        .arg("plugin")
        .args(arguments)
        .env("AFFERENT_DATA_DIR", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The vector files of the decoders that are built in.
fn vector_files() -> Vec<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins");
    let folders = std::fs::read_dir(plugins).unwrap().flatten().map(|plugin| plugin.path().join("vectors"));
    folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten().map(|file| file.path()).collect()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_bundled_vector_passes_decoder_and_mapping() {
    let files = vector_files();
    assert!(files.len() >= 4, "the bundled decoders lost their vectors");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let output = plugin(&["vectors", "-", "--json"], &text);
        let lines = lines(&output);
        assert_eq!(lines.len(), text.lines().count(), "{}: a line each", file.display());
        for line in &lines {
            assert_eq!(line["problems"], serde_json::json!([]), "{}", line["id"]);
        }
        assert!(output.status.success(), "{}", file.display());
        // The same on every day: nothing in it comes from the clock.
        assert_eq!(output.stdout, plugin(&["vectors", "-", "--json"], &text).stdout);
    }
}

#[test]
fn a_wrong_expectation_an_unknown_format_and_a_broken_line_do_not_pass() {
    let weight = r#"{"id": "w", "format": "gatt-2A9D", "payload_hex": "00b036", "expected": {"outcome": "decoded", "observations": [{"loinc": "29463-7", "value": 71, "unit": "kg"}]}}"#;
    let unknown = r#"{"id": "u", "format": "no-such", "payload_hex": "00", "expected": {"outcome": "reject"}}"#;
    let rejected = r#"{"id": "r", "format": "gatt-2A9D", "payload_hex": "00", "expected": {"outcome": "decoded"}}"#;
    for (line, outcome, problem) in [
        (weight, "decoded", "the value is 70.000, expected 71"),
        (unknown, "unknown-format", "no decoder serves the format no-such"),
        (rejected, "reject", "the outcome is reject, expected decoded"),
        ("not json", "reject", "this is no vector"),
    ] {
        let output = plugin(&["vectors", "-", "--json"], line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let result = &lines(&output)[0];
        assert_eq!(result["outcome"], outcome);
        assert!(result["problems"][0].as_str().unwrap().contains(problem), "{result}");
    }
}

#[test]
fn a_decoder_is_listed_and_a_broken_one_refused_with_its_reason() {
    let listed = plugin(&["list"], "");
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("gatt-2A35"));
    let no_component = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refused = plugin(&["check", no_component.to_str().unwrap()], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("refused: "), "{refused:?}");
}
