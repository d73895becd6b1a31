//! `afferent plugin vectors`: payload vectors through decoder and FHIR mapping.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use super::compare;
use super::expected::Vector;
use crate::fleet::{Binding, Decoders, normal_address};
use crate::ingest::Tables;
use crate::ingest::trial::{Trial, TriedParts, TriedVerdict, try_decoder, try_hub};

/// When every payload is taken to have been received, 2027-07-01T00:00:00Z: later than what the public vectors tell of
/// the past, earlier than what they tell of the future.
const RECEIVED_AT_MS: i64 = 1_814_400_000_000;

/// How the results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A JSON object a line.
    Json,
    /// A line each, and a summary.
    Report,
    /// Lines that do not pass, and a summary.
    Quiet,
}

impl Style {
    /// From the command's switches.
    pub fn of(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) => Self::Report,
        }
    }
}

/// What became of one line; with `--json` it is printed as it is.
#[derive(Debug, Serialize)]
pub struct LineResult {
    id: String,
    outcome: &'static str,
    observations: Vec<Value>,
    /// Of a hub: the device of each observation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<String>,
    warnings: Vec<String>,
    error: Option<String>,
    outlook: Vec<String>,
    problems: Vec<String>,
    #[serde(skip)]
    format: String,
}

/// Passed, failed and unknown lines of a format.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    unknown: usize,
}

/// Runs a file and prints the results.
///
/// # Errors
/// When the file cannot be read or the results cannot be written.
pub fn run(decoders: &Decoders, tables: &Tables, file: &Path, style: Style) -> anyhow::Result<ExitCode> {
    let text = read(file)?;
    let mut out = std::io::stdout().lock();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let result = run_line(decoders, tables, index + 1, line);
        let count = counts.entry(result.format.clone()).or_default();
        match (result.outcome, result.problems.is_empty()) {
            (UNKNOWN, _) => count.unknown += 1,
            (_, true) => count.passed += 1,
            (_, false) => count.failed += 1,
        }
        print(&mut out, &result, style)?;
    }
    if style != Style::Json {
        summary(&mut out, &counts)?;
    }
    out.flush()?;
    let all_pass = !counts.is_empty() && counts.values().all(|count| count.failed == 0 && count.unknown == 0);
    Ok(if all_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The outcome of a line whose format no decoder serves.
const UNKNOWN: &str = "unknown-format";

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Runs one line; never fails, but says what is wrong.
fn run_line(decoders: &Decoders, tables: &Tables, number: usize, line: &str) -> LineResult {
    let blank = |id: String, format: String| LineResult {
        id,
        outcome: "reject",
        observations: Vec::new(),
        devices: Vec::new(),
        warnings: Vec::new(),
        error: None,
        outlook: Vec::new(),
        problems: Vec::new(),
        format,
    };
    let vector = match Vector::parse(line) {
        Ok(vector) => vector,
        Err(reason) => {
            let mut result = blank(format!("line {number}"), "(unreadable)".to_owned());
            result.problems.push(reason.clone());
            result.error = Some(reason);
            return result;
        }
    };
    let mut result = blank(vector.id.clone(), vector.format.clone());
    if let Ok(binding) = decoders.for_hub(&vector.format, "") {
        run_hub_line(decoders, tables, &binding, &vector, &mut result);
        return result;
    }
    let binding = match decoders.for_model(&vector.format, vector.channel()) {
        Ok(binding) => binding,
        Err(unbound) => {
            result.outcome = UNKNOWN;
            result.error = Some(unbound.to_string());
            result.problems.push(format!("no decoder serves the format {}", vector.format));
            return result;
        }
    };
    let tried =
        trial(&vector).and_then(|trial| try_decoder(&binding, trial, tables).map_err(|error| error.to_string()));
    match tried {
        Ok(tried) => fill(&mut result, tried.verdict),
        Err(reason) => {
            result.problems.push(reason.clone());
            result.error = Some(reason);
        }
    }
    judge(&mut result, &vector);
    result
}

/// Runs a line of a hub's format: its items come to what is expected of the whole, in their order.
fn run_hub_line(decoders: &Decoders, tables: &Tables, binding: &Binding, vector: &Vector, result: &mut LineResult) {
    let tried = trial(vector)
        .and_then(|trial| try_hub(binding, &trial, Some(decoders), tables).map_err(|error| error.to_string()));
    match tried.map(|tried| tried.parts) {
        Ok(TriedParts::Whole(verdict)) => fill(result, verdict),
        Ok(TriedParts::Items(items)) => {
            let mut outcomes = Vec::new();
            for item in items {
                let before = result.observations.len();
                let unread = || TriedVerdict::Refused {
                    reason: "channel-unknown",
                    detail: "no model speaks on the channel of a frame".to_owned(),
                };
                fill(result, item.verdict.unwrap_or_else(unread));
                outcomes.push(result.outcome);
                result.devices.extend((before..result.observations.len()).map(|_| item.device.clone()));
            }
            // An item that is refused is refused, whatever its neighbours say.
            let order = ["reject", "incomplete", "decoded", "no-observation"];
            result.outcome = order.into_iter().find(|outcome| outcomes.contains(outcome)).unwrap_or("no-observation");
        }
        Err(reason) => {
            result.problems.push(reason.clone());
            result.error = Some(reason);
        }
    }
    judge(result, vector);
    let expected = vector.expected.iter().flat_map(|expected| &expected.observations);
    for (place, (observation, device)) in expected.zip(&result.devices).enumerate() {
        let named = observation.get("device").and_then(Value::as_str);
        if let Some(named) = named.filter(|named| normal_address(named) != normal_address(device)) {
            result.problems.push(format!("observation {} is of {device}, expected {named}", place + 1));
        }
    }
}

fn trial(vector: &Vector) -> Result<Trial, String> {
    let (frames, content_type) = vector.frames()?;
    let received_at: DateTime<Utc> = DateTime::from_timestamp_millis(RECEIVED_AT_MS).unwrap_or_default();
    Ok(Trial {
        frames,
        content_type: content_type.to_owned(),
        received_at,
        zone: Tz::UTC,
        variables: vector.variables(),
    })
}

fn fill(result: &mut LineResult, verdict: TriedVerdict) {
    match verdict {
        TriedVerdict::Readings { decoded, previews } => {
            // What a device says of its clock is decoded too: it is a fact, and no Observation.
            let is_empty = decoded.readings.is_empty() && decoded.facts.is_empty();
            result.outcome = if is_empty { "no-observation" } else { "decoded" };
            result.warnings.extend(decoded.warnings.into_iter().map(|warning| warning.code));
            for preview in previews {
                match serde_json::from_str(&preview.observation) {
                    Ok(observation) => result.observations.push(observation),
                    Err(error) => result.problems.push(format!("an Observation is not JSON: {error}")),
                }
                result.outlook.push(preview.outlook);
                result.warnings.extend(preview.warnings);
            }
            let mut seen = std::collections::HashSet::new();
            result.warnings.retain(|warning| seen.insert(warning.clone()));
        }
        TriedVerdict::Nothing { message, reason, warnings, .. } => {
            result.outcome = "no-observation";
            result.warnings.extend(warnings.into_iter().map(|warning| warning.code));
            result.outlook.push(if message.is_empty() { reason } else { format!("{reason}: {message}") });
        }
        // Whole by itself, and joined by the host with what it belongs to: the payload's meaning is known.
        TriedVerdict::Incomplete { reason, decoded: Some(decoded) } => {
            result.outcome = "decoded";
            result.outlook.push(format!("kept until it is complete: {decoded}; {reason}"));
        }
        TriedVerdict::Incomplete { reason, decoded: None } => {
            result.outcome = "incomplete";
            result.error = Some(reason);
        }
        TriedVerdict::Refused { reason, detail } => {
            result.outcome = "reject";
            result.error = Some(format!("{reason}: {detail}"));
        }
        // A decoder that breaks a rule refuses nothing: that is a fault, whatever the line expects.
        TriedVerdict::Failed { reason, detail } => {
            result.outcome = "reject";
            result.problems.push(format!("the decoder failed: {reason}: {detail}"));
            result.error = Some(format!("{reason}: {detail}"));
        }
    }
}

fn judge(result: &mut LineResult, vector: &Vector) {
    let Some(expected) = &vector.expected else { return };
    let accepted =
        result.outcome == expected.outcome || expected.accept.iter().any(|outcome| outcome == result.outcome);
    if !accepted {
        result.problems.push(format!("the outcome is {}, expected {}", result.outcome, expected.outcome));
        return;
    }
    if result.outcome != "decoded" {
        return;
    }
    // Where decoding is only tolerated, nothing more is said about what it must come to.
    if expected.outcome == "decoded" || !expected.observations.is_empty() {
        result.problems.extend(compare::problems(vector, expected, &result.observations));
        let missing = expected.warnings.iter().filter(|warning| !result.warnings.contains(warning));
        result.problems.extend(missing.map(|warning| format!("the warning {warning} is missing")));
    }
}

fn print(out: &mut impl Write, result: &LineResult, style: Style) -> anyhow::Result<()> {
    if style == Style::Json {
        serde_json::to_writer(&mut *out, result)?;
        writeln!(out)?;
        return Ok(());
    }
    let passed = result.problems.is_empty();
    if passed && style == Style::Quiet {
        return Ok(());
    }
    let word = match (result.outcome, passed) {
        (UNKNOWN, _) => "????",
        (_, true) => "pass",
        (_, false) => "FAIL",
    };
    writeln!(out, "{word}  {:<24} {}", result.id, result.outcome)?;
    for problem in &result.problems {
        writeln!(out, "        {problem}")?;
    }
    if let Some(error) = result.error.as_ref().filter(|_| !passed) {
        writeln!(out, "        {error}")?;
    }
    for outlook in result.outlook.iter().filter(|_| style == Style::Report) {
        writeln!(out, "        {outlook}")?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, counts: &BTreeMap<String, Count>) -> anyhow::Result<()> {
    let width = counts.keys().map(|format| format.chars().count()).max().unwrap_or(0).max("FORMAT".len());
    writeln!(out, "\n{:<width$}  {:>6}  {:>6}  {:>7}", "FORMAT", "PASSED", "FAILED", "UNKNOWN")?;
    let mut all = Count::default();
    for (format, count) in counts {
        writeln!(out, "{format:<width$}  {:>6}  {:>6}  {:>7}", count.passed, count.failed, count.unknown)?;
        all.passed += count.passed;
        all.failed += count.failed;
        all.unknown += count.unknown;
    }
    writeln!(out, "{:<width$}  {:>6}  {:>6}  {:>7}", "all", all.passed, all.failed, all.unknown)?;
    Ok(())
}
