//! Every slip that a newcomer made is told, with what would be right; every line that is there already is understood.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Checked, Checker};
use crate::Manifest;

fn check(line: &str, manifest: &Manifest) -> Checked {
    Checker::new(manifest).check(line)
}

fn manifest() -> Manifest {
    Manifest::new("breathe", "Breathe", "1.0.0").model("breathe-pf1", "PF-1", &["app"])
}

/// A line with this expectation.
fn line(expected: &str) -> String {
    format!(r#"{{"id": "x", "format": "breathe-pf1", "payload_hex": "b5 00", "expected": {expected}}}"#)
}

#[test]
fn every_slip_is_told_with_what_would_be_right() {
    let observation = |more: &str| {
        line(&format!(
            r#"{{"outcome": "decoded", "observations": [{{"kind": "peak-expiratory-flow", "value": 412, "unit": "L/min", {more}}}]}}"#
        ))
    };
    for (line, told) in [
        (
            observation(r#""flags": ["poor-signl"]"#),
            "`expected.observations[0].flags[0]`: `poor-signl` is no registered flag; did you mean `poor-signal`",
        ),
        (
            observation(r#""record_key": "x""#),
            "`expected.observations[0].record_key` is no member that is known; did you mean `recordKey`?",
        ),
        (
            observation(r#""clock": "notset""#),
            "`expected.observations[0].clock`: `notset` is no registered clock state; did you mean `not-set`?",
        ),
        (
            observation(r#""dataAbsentReason": "not-measured""#),
            "`expected.observations[0].dataAbsentReason`: `not-measured` is no reason of absence",
        ),
        (
            observation(r#""context": {"meal": "late"}"#),
            "`expected.observations[0].context`: `late` is no value of the context meal; there are ",
        ),
        (
            line(r#"{"outcome": "decoded", "observations": [{"kind": "peak-expiratory-flow", "value": 412, "unit": "l/min"}]}"#),
            "`expected.observations[0].unit`: `l/min` is no unit of the platform's list; did you mean `L/min`?",
        ),
        (
            line(r#"{"outcome": "decoded", "observations": [{"kind": "peak-expiratory-flow", "value": 412, "unit": "kg"}]}"#),
            "`expected.observations[0].unit`: `kg` is no unit of peak-expiratory-flow, which is in L/min",
        ),
        (
            observation(r#""value": [412]"#),
            "`expected.observations[0].value` is a number, a text, true or false, and not [412]",
        ),
        (
            line(r#"{"outcome": "decoded", "battery": 3}"#),
            "`expected.battery` is no member that is known; it is a fact about the device: `\"facts\": {\"battery\": …}`",
        ),
        (
            line(r#"{"outcome": "decoded", "flags": []}"#),
            "`expected.flags` is no member that is known; it is said of a reading: `expected.observations[0].flags`",
        ),
        (
            line(r#"{"outcome": "decoded", "nonsense": 3}"#),
            "`expected.nonsense` is no member that is known; known are: outcome, accept, reason, message, observations, ",
        ),
        (
            line(r#"{"outcome": "decoded", "facts": {"batery": "85 %"}}"#),
            "`expected.facts`: `batery` is no registered fact about the device; did you mean `battery`",
        ),
        (line(r#"{"outcome": "decoded", "facts": {"battery": 85}}"#), "`expected.facts.battery` is a text, or null for none, and not 85"),
        (
            line(r#"{"outcome": "rejected"}"#),
            "`expected.outcome`: `rejected` is not known; did you mean `reject`?; known are: decoded, no-observation, reject, incomplete",
        ),
        (line("{}"), "`expected.outcome` is missing: decoded, no-observation, reject, incomplete"),
        (
            line(r#"{"outcome": "decoded", "observations": [{"kind": "peak_flow", "value": 412}]}"#),
            "`expected.observations[0].kind`: `peak_flow` is no registered kind; did you mean `peak-expiratory-flow`?",
        ),
        (
            line(r#"{"outcome": "decoded", "observations": [{"kind": "body-wieght", "value": 412}]}"#),
            "`expected.observations[0].kind`: `body-wieght` is no registered kind; did you mean `body-weight`",
        ),
        (
            line(r#"{"outcome": "decoded", "observations": [{"value": 412}]}"#),
            "`expected.observations[0]` says neither `kind` nor `loinc`: what is it?",
        ),
        (
            line(r#"{"outcome": "reject", "reason": "test"}"#),
            "`expected.reason`: reject has the reasons malformed, unsupported, not-for-me",
        ),
        (
            line(r#"{"outcome": "reject", "reason": "malfomed"}"#),
            "`expected.reason`: `malfomed` is none of malformed, unsupported, not-for-me; did you mean `malformed`?",
        ),
        (line(r#"{"outcome": "decoded", "reason": "test"}"#), "`expected.reason` is of nothing or of an error, and the outcome is decoded"),
        (
            line(r#"{"outcome": "reject", "observations": [{"kind": "steps", "value": 1}]}"#),
            "`expected.observations` has some, and the outcome is reject",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf2", "payload_hex": "00", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`format`: `breathe-pf2` is no model of this decoder; did you mean `breathe-pf1`?; its models are: breathe-pf1",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "channel": "bpp", "payload_hex": "00", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`channel`: `bpp` is no channel of breathe-pf1; its channels are: app",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "payload_hex": "b5 0", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`payload_hex` has an odd number of hexadecimal digits, 3",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "payload_hex": "b5 0g", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`payload_hex`: `g` at character 5 is no hexadecimal digit",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "payload_hex": {"frames_hex": ["b5", "xx"]}, "expected": {"outcome": "reject"}}"#.to_owned(),
            "`payload_hex.frames_hex[1]`: `x` at character 1 is no hexadecimal digit",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "payload": "00", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`payload` is no member that is known",
        ),
        (
            r#"{"id": "x", "format": "breathe-pf1", "expected": {"outcome": "reject"}}"#.to_owned(),
            "there is neither `payload_hex` nor `payload_json`",
        ),
        (
            r#"{"id": 7, "format": "breathe-pf1", "payload_hex": "00", "expected": {"outcome": "reject"}}"#.to_owned(),
            "`id` is a text, and not 7",
        ),
        (r#"{"id": "x", "#.to_owned(), "this is no JSON: EOF while parsing"),
        ("[]".to_owned(), "a line is an object"),
    ] {
        let checked = check(&line, &manifest());
        assert!(checked.problems.iter().any(|problem| problem.starts_with(told)), "{line}\n{told}\n{:#?}", checked.problems);
    }
}

#[test]
fn what_is_right_is_understood() {
    let right = line(
        r#"{"outcome": "decoded", "observations": [{"kind": "peak-expiratory-flow", "value": 412, "unit": "L/min",
        "flags": ["questionable"], "clock": "not-set", "recordKey": null, "slot": "1", "bodySite": "mouth", "method": "fast"}],
        "facts": {"battery": "81 %", "fault": null}, "warnings": []}"#,
    );
    let checked = check(&right, &manifest());
    assert!(checked.problems.is_empty() && checked.notices.is_empty(), "{checked:?}");
    assert_eq!(checked.vector.unwrap().frames, [[0xB5, 0x00]]);
    let remark = check(&line(r#"{"outcome": "reject", "reason": "the sum"}"#), &manifest());
    assert!(remark.problems.is_empty() && remark.notices.len() == 1, "{remark:?}");
}

#[test]
fn every_line_of_every_shipped_decoder_is_understood() {
    let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().flatten().map(|folder| folder.path().join("vectors"));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut lines = 0;
    for file in files {
        for line in std::fs::read_to_string(file.path()).unwrap().lines() {
            let format = crate::vectors::Vector::parse(line).unwrap().format;
            let manifest = Manifest::new("any", "any", "1.0.0").model(&format, "any", &["any"]);
            let checked = check(line, &manifest);
            assert_eq!(checked.problems, Vec::<String>::new(), "{}: {line}", file.path().display());
            lines += 1;
        }
    }
    assert!(lines >= 246, "{lines} lines");
}
