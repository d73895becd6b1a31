//! A decoder's own examples: what an answer comes to in lines, and the comparison.

use std::fmt::Write;

use crate::{Coding, Decimal, DecodeError, Decoded, HubContent, HubOutcome, Nothing, Outcome, Reading, Value};

/// What an outcome is called in examples.
#[must_use]
pub fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Readings(_) => "readings",
        Outcome::Incomplete(_) => "incomplete",
        Outcome::Nothing(_) => "nothing",
        Outcome::Error(_) => "error",
    }
}

/// One line a value, in order, as examples declare them; nothing for outcomes without readings.
///
/// `body-weight 70.25 kg`, `blood-pressure/blood-pressure-systolic 120 mm[Hg]`, `blood-glucose > 600 mg/dL`,
/// `oxygen-saturation absent not-a-number`; a coded value is `kind code <system>|<code>`, a text `kind text <text>`, a
/// boolean `kind true`, an integer `kind 72`, samples `kind sampled <number> <unit>`. Without a kind, the first
/// coding stands for it: `http://loinc.org|8867-4 72 /min`.
#[must_use]
pub fn value_lines(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Readings(decoded) => decoded_lines(decoded),
        Outcome::Incomplete(_) | Outcome::Nothing(_) | Outcome::Error(_) => Vec::new(),
    }
}

/// What a hub's outcome is called in examples.
#[must_use]
pub fn hub_outcome_name(outcome: &HubOutcome) -> &'static str {
    match outcome {
        HubOutcome::Items(_) => "items",
        HubOutcome::Incomplete(_) => "incomplete",
        HubOutcome::Nothing(_) => "nothing",
        HubOutcome::Error(_) => "error",
    }
}

/// The lines of a hub's answer, each after its device's name: those of its readings, `frame <channel>`,
/// `nothing <reason>`, `error <kind>`.
#[must_use]
pub fn hub_value_lines(outcome: &HubOutcome) -> Vec<String> {
    let HubOutcome::Items(items) = outcome else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for item in items {
        match &item.content {
            HubContent::Frame(frame) => lines.push(format!("{} frame {}", item.device, frame.channel)),
            HubContent::Nothing(nothing) => lines.push(format!("{} nothing {}", item.device, nothing.reason)),
            HubContent::Error(error) => lines.push(format!("{} error {}", item.device, error.kind.as_str())),
            HubContent::Readings(decoded) => {
                lines.extend(decoded_lines(decoded).into_iter().map(|line| format!("{} {line}", item.device)));
            }
        }
    }
    lines
}

fn decoded_lines(decoded: &Decoded) -> Vec<String> {
    decoded.readings.iter().flat_map(reading_lines).collect()
}

/// The reading's own value first, then its components'.
fn reading_lines(reading: &Reading) -> Vec<String> {
    let name = name(&reading.kind, &reading.codings);
    let own = value_text(&reading.value).map(|value| format!("{name} {value}"));
    let parts = reading.components.iter().filter_map(|component| {
        let part = self::name(&component.kind, &component.codings);
        value_text(&component.value).map(|value| format!("{name}/{part} {value}"))
    });
    own.into_iter().chain(parts).collect()
}

/// A kind, or the first coding.
fn name(kind: &str, codings: &[Coding]) -> String {
    match codings.first() {
        Some(coding) if kind.is_empty() => format!("{}|{}", coding.system, coding.code),
        _ => kind.to_owned(),
    }
}

fn value_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::None => return None,
        Value::Quantity(quantity) => {
            let comparator =
                quantity.comparator.as_deref().map_or_else(String::new, |comparator| format!("{comparator} "));
            format!("{comparator}{} {}", quantity.value, quantity.unit)
        }
        Value::Coded(coding) => format!("code {}|{}", coding.system, coding.code),
        Value::Text(text) => format!("text {text}"),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Sampled(sampled) => format!("sampled {} {}", sampled.samples.len(), sampled.unit),
        Value::Absent(reason) => format!("absent {reason}"),
    })
}

/// What a call came to, beside what an example declares.
pub(crate) struct Got {
    pub(crate) outcome: &'static str,
    pub(crate) values: Vec<String>,
    /// What the decoder said beside it: why there is nothing, what is wrong and where.
    said: String,
}

impl Got {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let said = match outcome {
            Outcome::Readings(_) => String::new(),
            Outcome::Incomplete(incomplete) => incomplete.reason.clone(),
            Outcome::Nothing(nothing) => said_nothing(nothing),
            Outcome::Error(error) => said_error(error),
        };
        Self { outcome: outcome_name(outcome), values: value_lines(outcome), said }
    }

    pub(crate) fn of_hub(outcome: &HubOutcome) -> Self {
        let said = match outcome {
            HubOutcome::Items(_) => String::new(),
            HubOutcome::Incomplete(incomplete) => incomplete.reason.clone(),
            HubOutcome::Nothing(nothing) => said_nothing(nothing),
            HubOutcome::Error(error) => said_error(error),
        };
        Self { outcome: hub_outcome_name(outcome), values: hub_value_lines(outcome), said }
    }

    /// `error (malformed: 4 bytes are needed, at byte 15)`, `readings: body-weight 70.00 kg`.
    pub(crate) fn sentence(&self) -> String {
        let summary = summary(self.outcome, &self.values);
        if self.said.is_empty() { summary } else { format!("{summary} ({})", self.said) }
    }
}

fn said_nothing(nothing: &Nothing) -> String {
    if nothing.message.is_empty() { nothing.reason.clone() } else { format!("{}: {}", nothing.reason, nothing.message) }
}

fn said_error(error: &DecodeError) -> String {
    let place = match (error.offset, &error.path) {
        (Some(offset), _) => format!(", at byte {offset}"),
        (None, Some(path)) => format!(", at {path}"),
        (None, None) => String::new(),
    };
    format!("{}: {}{place}", error.kind.as_str(), error.message)
}

/// Outcome and lines as one text, for the message of a failed example.
pub(crate) fn summary(outcome: &str, values: &[String]) -> String {
    let mut text = outcome.to_owned();
    for (index, value) in values.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{value}", if index == 0 { ": " } else { ", " });
    }
    text
}

/// Plain digits, precision kept: mantissa 7025 and exponent -2 are `70.25`, 20 and -1 are `2.0`, 2 and 1 are `20`.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(usize::MAX);
        match self.exponent {
            // Zeros after a zero would be no number.
            0..=64 if self.mantissa == 0 => f.write_str("0"),
            0..=64 => write!(f, "{sign}{digits}{:0<places$}", ""),
            -64..0 => {
                let digits = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = digits.split_at(digits.len() - places);
                write!(f, "{sign}{whole}.{fraction}")
            }
            // Outside the contract, and never in a checked answer.
            _ => write!(f, "{sign}{digits}e{}", self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Decimal;

    #[test]
    fn decimals_are_written_with_their_precision() {
        for (mantissa, exponent, text) in [
            (7025, -2, "70.25"),
            (20, -1, "2.0"),
            (-5, -3, "-0.005"),
            (0, -1, "0.0"),
            (0, 3, "0"),
            (2, 1, "20"),
            (-12, 0, "-12"),
            (i64::MIN, -18, "-9.223372036854775808"),
            (1, 65, "1e65"),
            (1, -64, "0.0000000000000000000000000000000000000000000000000000000000000001"),
        ] {
            assert_eq!(Decimal { mantissa, exponent }.to_string(), text);
        }
    }
}
