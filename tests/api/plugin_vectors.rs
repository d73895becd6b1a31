//! `afferent plugin`, as scripts call it: vectors, list, check.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{TempDir, tests_data_dir, versioned_hub};

fn plugin(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_afferent"))
        .arg("plugin")
        .args(arguments)
        .env("AFFERENT_DATA_DIR", tests_data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    // Beside reading: more than a pipe holds goes in and comes out.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
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

/// All their lines. In one run, for a run compiles every decoder.
fn vector_lines() -> String {
    vector_files().iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_bundled_vector_passes_decoder_and_mapping() {
    let text = vector_lines();
    assert!(text.lines().count() >= 246, "the bundled decoders lost some of their vectors");
    let output = plugin(&["vectors", "-", "--json"], &text);
    let lines = lines(&output);
    assert_eq!(lines.len(), text.lines().count(), "a line each");
    for line in &lines {
        assert_eq!(line["problems"], serde_json::json!([]), "{}", line["id"]);
    }
    assert!(output.status.success());
    // The same on every day: nothing in it comes from the clock.
    assert!(output.stdout == plugin(&["vectors", "-", "--json"], &text).stdout, "two runs differ");
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

/// Every positive payload of the bundled vectors, cut short at every byte and with two bits of every byte flipped in turn.
/// All bits are flipped in each decoder's own tests, which are faster by far.
fn damaged(text: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let Some(bytes) = line["payload_hex"].as_str().and_then(|hex| hex::decode(hex).ok()) else { continue };
        if line["expected"]["outcome"] != "decoded" {
            continue;
        }
        line.as_object_mut().unwrap().remove("expected");
        let mut damage = |data: &[u8], what: String| {
            let mut line = line.clone();
            line["payload_hex"] = hex::encode(data).into();
            line["id"] = format!("{} {what}", line["id"].as_str().unwrap()).into();
            lines.push(line);
        };
        for length in 0..bytes.len() {
            damage(&bytes[..length], format!("cut to {length}"));
            for bit in [length % 8, (length + 3) % 8] {
                let mut data = bytes.clone();
                data[length] ^= 1 << bit;
                damage(&data, format!("bit {bit} of byte {length}"));
            }
        }
    }
    lines
}

/// The hard range of each LOINC code in its kind's canonical unit.
fn hard_ranges() -> Vec<(String, String, f64, f64)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fhir-profiles/vitals.json");
    let vitals: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut ranges = Vec::new();
    for kind in vitals["kinds"].as_array().unwrap() {
        let limit = |name: &str| kind["hard"][name].as_str().and_then(|limit| limit.parse().ok());
        let (Some(low), Some(high)) = (limit("low"), limit("high")) else { continue };
        let unit = kind["canonicalUnit"].as_str().unwrap();
        for coding in kind["codings"].as_array().unwrap().iter().filter(|coding| coding["system"] == "http://loinc.org")
        {
            ranges.push((coding["code"].as_str().unwrap().to_owned(), unit.to_owned(), low, high));
        }
    }
    ranges
}

/// Numbers of an Observation and of its components that lie outside the hard range of their code.
fn outside(observation: &Value, ranges: &[(String, String, f64, f64)]) -> Vec<String> {
    let parts = observation["component"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for thing in std::iter::once(observation).chain(parts) {
        let (Some(number), Some(unit)) =
            (thing["valueQuantity"]["value"].as_f64(), thing["valueQuantity"]["code"].as_str())
        else {
            continue;
        };
        let codes =
            thing["code"]["coding"].as_array().into_iter().flatten().filter_map(|coding| coding["code"].as_str());
        for code in codes {
            let mut of_code = ranges.iter().filter(|(of, in_unit, ..)| of == code && in_unit == unit);
            if of_code.any(|(_, _, low, high)| number < *low || number > *high) {
                found.push(format!("{code} {number} {unit}"));
            }
        }
    }
    found
}

/// Through the sandbox and the mapping: a damaged payload is refused, says nothing, or says what the platform holds, does not
/// count, or may believe. Never a trap, and never a number outside its kind's hard range that goes on as if it were one.
#[test]
fn damaged_payloads_never_trap_and_never_bring_an_impossible_number_that_counts() {
    let ranges = hard_ranges();
    let (mut tried, mut told, mut held) = (0, 0, 0);
    let damaged = damaged(&vector_lines());
    let text: String = damaged.iter().map(|line| format!("{line}\n")).collect();
    let results = lines(&plugin(&["vectors", "-", "--json"], &text));
    assert_eq!(results.len(), damaged.len());
    tried += results.len();
    for result in &results {
        assert_eq!(result["problems"], serde_json::json!([]), "{}: the decoder broke a rule", result["id"]);
        let observations = result["observations"].as_array().unwrap();
        told += usize::from(!observations.is_empty());
        for (observation, outlook) in observations.iter().zip(result["outlook"].as_array().unwrap()) {
            let outside = outside(observation, &ranges);
            let outlook = outlook.as_str().unwrap();
            if !outside.is_empty() {
                held += 1;
                assert!(outlook.contains("counts for nothing"), "{}: {outside:?}: {outlook}", result["id"]);
                assert_ne!(observation["status"], "final", "{}: {outside:?}", result["id"]);
            }
        }
    }
    assert!(tried > 2_000 && told > 200 && held > 20, "the test tests too little: {tried}, {told}, {held}");
}

#[test]
fn try_shows_what_a_hub_carries() {
    let folder = TempDir::new();
    let tried = |behaviour: char, more: &[&str]| {
        let file = folder.path().join(format!("hub-{behaviour}.wasm"));
        std::fs::write(&file, versioned_hub("1.0.0", behaviour)).unwrap();
        let payload = "d616f9641601 00 b036 07 00  d616f9641602 01 581b 08 01";
        plugin(&[&["try", file.to_str().unwrap(), "--hex", payload], more].concat(), "")
    };
    let output = tried('R', &[]);
    let told = String::from_utf8_lossy(&output.stdout);
    for line in [
        "item 0: D6:16:F9:64:16:01\n  frame 2A9D of 3 bytes: 00b036\n",
        "item 1: D6:16:F9:64:16:02\n  reading 0\n    body-weight 70.00 kg\n    record key  s/8\n",
        "items[0] bytes",
        "items[1] readings[0] body-weight",
    ] {
        assert!(told.contains(line), "no `{line}` in {told}");
    }
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&tried('R', &["--as-json"]).stdout).unwrap();
    assert_eq!((&answer["outcome"], &answer["items"][0]["frame"]["channel"]), (&"items".into(), &"2A9D".into()));
    // An item that is refused makes the whole fail, as a payload with one goes to quarantine.
    let refused = tried('F', &[]);
    assert!(String::from_utf8_lossy(&refused.stdout).contains("  refused by the decoder: unsupported: "));
    assert!(!refused.status.success());
}
