//! Values as lines of text: how a manifest's examples say what a payload must come to.

use crate::{Coding, Decoded, ErrorKind, HubContent, HubOutcome, Outcome, Value};

/// One line a value, in the order of the readings; a reading's own value comes before its components:
/// `body-weight 70.25 kg`, `blood-pressure/blood-pressure-systolic 120 mm[Hg]`, `oxygen-saturation absent not-a-number`,
/// `glucose > 600 mg/dL`. A coded value is `kind code <system>|<code>`, a text `kind text <text>`, a boolean
/// `kind true`, an integer `kind 72`, samples `kind sampled <number> <unit>`. A reading whose components carry the
/// values has no line of its own; without a kind, the first coding stands for it.
#[must_use]
pub fn value_lines(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Readings(decoded) => decoded_lines(decoded),
        Outcome::Incomplete(_) | Outcome::Nothing(_) | Outcome::Error(_) => Vec::new(),
    }
}

/// The lines of a hub's answer, each after its device's name: those of its readings, `frame <channel>`,
/// `nothing <reason>`, `error <kind>`.
#[must_use]
pub fn hub_value_lines(outcome: &HubOutcome) -> Vec<String> {
    let HubOutcome::Items(items) = outcome else { return Vec::new() };
    let mut lines = Vec::new();
    for item in items {
        match &item.content {
            HubContent::Frame(frame) => lines.push(format!("{} frame {}", item.device, frame.channel)),
            HubContent::Nothing(nothing) => lines.push(format!("{} nothing {}", item.device, nothing.reason)),
            HubContent::Error(error) => lines.push(format!("{} error {}", item.device, error_word(error.kind))),
            HubContent::Readings(decoded) => {
                lines.extend(decoded_lines(decoded).into_iter().map(|line| format!("{} {line}", item.device)));
            }
        }
    }
    lines
}

/// What an outcome is called in examples.
#[must_use]
pub const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Readings(_) => "readings",
        Outcome::Incomplete(_) => "incomplete",
        Outcome::Nothing(_) => "nothing",
        Outcome::Error(_) => "error",
    }
}

/// What a hub's outcome is called in examples.
#[must_use]
pub const fn hub_outcome_name(outcome: &HubOutcome) -> &'static str {
    match outcome {
        HubOutcome::Items(_) => "items",
        HubOutcome::Incomplete(_) => "incomplete",
        HubOutcome::Nothing(_) => "nothing",
        HubOutcome::Error(_) => "error",
    }
}

const fn error_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Malformed => "malformed",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::NotForMe => "not-for-me",
    }
}

fn decoded_lines(decoded: &Decoded) -> Vec<String> {
    let mut lines = Vec::new();
    for reading in &decoded.readings {
        let kind = name(&reading.kind, &reading.codings);
        lines.extend(value_text(&reading.value).map(|text| format!("{kind} {text}")));
        for component in &reading.components {
            let part = name(&component.kind, &component.codings);
            lines.extend(value_text(&component.value).map(|text| format!("{kind}/{part} {text}")));
        }
    }
    lines
}

/// The kind, or the first coding as `system|code` where there is none.
fn name(kind: &str, codings: &[Coding]) -> String {
    match codings {
        [coding, ..] if kind.is_empty() => format!("{}|{}", coding.system, coding.code),
        _ => kind.to_owned(),
    }
}

pub(crate) fn value_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::None => return None,
        Value::Quantity(quantity) => match &quantity.comparator {
            Some(comparator) => format!("{comparator} {} {}", quantity.value, quantity.unit),
            None => format!("{} {}", quantity.value, quantity.unit),
        },
        Value::Coded(coding) => format!("code {}|{}", coding.system, coding.code),
        Value::Text(text) => format!("text {text}"),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Sampled(sampled) => format!("sampled {} {}", sampled.samples.len(), sampled.unit),
        Value::Absent(reason) => format!("absent {reason}"),
    })
}
