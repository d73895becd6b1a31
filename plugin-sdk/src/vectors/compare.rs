//! The comparison of an outcome with what a vector expects.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Vector;
use super::codes::loinc_of_value;
use super::{details, names, words};
use crate::{Decimal, Decoded, DeviceTime, Outcome, Reading, SampledData, Timestamp, Value, value_lines};

/// Conversions between the unit of a device and that of an expectation: from, to, multiply, divide, tolerance in 10^-12.
const CONVERSIONS: &[(&str, &str, i128, i128, i128)] = &[
    ("kPa", "mm[Hg]", 500_000, 66_661, 100_000_000_000),
    ("Pa", "mm[Hg]", 500, 66_661, 100_000_000_000),
    ("m", "cm", 100, 1, 0),
];

/// What differs, a sentence each.
pub(super) fn differences(vector: &Vector, outcome: &Outcome, host_warnings: &[String]) -> Vec<String> {
    let expected = &vector.expected;
    let name = match outcome {
        Outcome::Readings(_) => "decoded",
        Outcome::Nothing(_) => "no-observation",
        Outcome::Incomplete(incomplete) if incomplete.is_decoded() => "decoded",
        Outcome::Incomplete(_) => "incomplete",
        Outcome::Error(_) => "reject",
    };
    let first = text(expected, "outcome");
    if !list(expected, "accept").iter().filter_map(Json::as_str).chain([first]).any(|accepted| accepted == name) {
        let why = match outcome {
            Outcome::Error(error) => format!(": {}", error.message),
            Outcome::Nothing(nothing) => format!(": {}: {}", nothing.reason, nothing.message),
            Outcome::Incomplete(incomplete) => format!(": {}", incomplete.reason),
            Outcome::Readings(_) => format!(": {}", words::listed(value_lines(outcome).iter().map(String::as_str))),
        };
        return vec![format!("expected {first}, and got {name}{}", why.trim_end_matches([':', ' ']))];
    }
    let mut found = Vec::new();
    match outcome {
        Outcome::Nothing(nothing) if first == "no-observation" => {
            details::compare_nothing(expected, nothing, &mut found);
            // What a source asserted is not all that could be said beside nothing.
            if !vector.headline {
                details::compare_warnings(expected, &nothing.warnings, &mut found);
            }
        }
        Outcome::Error(error) if first == "reject" => details::compare_error(expected, error, &mut found),
        Outcome::Readings(decoded) if first == "decoded" => {
            details::compare_facts(expected, &decoded.facts, &mut found);
            if is_number(expected) {
                compare_number(expected, decoded, &mut found);
                return found;
            }
            compare_observations(vector, decoded, &mut found);
            if !compare_offsets(vector, decoded, &mut found) {
                compare_times(expected, decoded, &mut found);
            }
            compare_fields(expected, decoded, &mut found);
            compare_warnings(expected, decoded, host_warnings, &mut found);
        }
        // Another outcome than the first, which is accepted too: what the first would say does not hold for it.
        Outcome::Readings(_) | Outcome::Incomplete(_) | Outcome::Nothing(_) | Outcome::Error(_) => {}
    }
    found
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Is the format a single number, so that the vector names its digits in place of observations?
fn is_number(expected: &Json) -> bool {
    list(expected, "observations").is_empty()
        && ["decimal", "dataAbsentReason"].iter().any(|name| expected.get(*name).is_some())
}

/// One reading with exactly these digits, trailing zeros included, or absent for exactly this reason.
fn compare_number(expected: &Json, decoded: &Decoded, found: &mut Vec<String>) {
    let got = match decoded.readings.as_slice() {
        [reading] => Some(&reading.value),
        _ => None,
    };
    let agrees = match got {
        Some(Value::Quantity(quantity)) => text(expected, "decimal") == quantity.value.to_string(),
        Some(Value::Absent(reason)) => text(expected, "dataAbsentReason") == reason,
        _ => false,
    };
    if !agrees {
        let wanted = [text(expected, "decimal"), text(expected, "dataAbsentReason")].join("");
        let got = got.map_or_else(|| format!("{} readings", decoded.readings.len()), words::of_value);
        found.push(format!("expected {wanted}, and got {got}"));
    }
}

fn code_of(reading: &Reading) -> &str {
    loinc_of_value(&reading.kind, &reading.codings, &reading.value)
}

fn compare_observations(vector: &Vector, decoded: &Decoded, found: &mut Vec<String>) {
    let observations = list(&vector.expected, "observations");
    let mut readings: Vec<&Reading> = decoded.readings.iter().collect();
    if vector.headline && readings.len() > observations.len() {
        let is_named = |reading: &&Reading| {
            let codes = (reading.kind.as_str(), code_of(reading));
            observations.iter().any(|observation| misnamed(observation, codes).is_none())
        };
        readings.retain(is_named);
    }
    if observations.len() != readings.len() {
        let lines: Vec<String> = readings.iter().map(|reading| reading_line(reading)).collect();
        let got = words::listed(lines.iter().map(String::as_str));
        found.push(format!("expected {} observations, and got {}: {got}", observations.len(), readings.len()));
        return;
    }
    for (observation, reading) in observations.iter().zip(readings) {
        let code = code_of(reading);
        compare_value(observation, (&reading.kind, code), &reading.value, found);
        let parts = list(observation, "components");
        if parts.len() != reading.components.len() {
            let got = reading.components.len();
            found.push(format!("{}: expected {} components, and got {got}", reading.kind, parts.len()));
        }
        for (part, component) in parts.iter().zip(&reading.components) {
            let code = loinc_of_value(&component.kind, &component.codings, &component.value);
            compare_value(part, (&component.kind, code), &component.value, found);
        }
        details::compare_reading(observation, reading, found);
        compare_moment(observation, reading, found);
    }
}

/// A reading in a few words: its kind and value, or those of its parts.
fn reading_line(reading: &Reading) -> String {
    value_lines(&reading.clone().into()).join(", ")
}

/// What is wrong with kind and code of a reading or component; nothing where they are what is named. The kind, the LOINC
/// code or both may be named.
fn misnamed(expected: &Json, (kind, code): (&str, &str)) -> Option<String> {
    let (wanted_kind, wanted_code) = (text(expected, "kind"), text(expected, "loinc"));
    let meant = names::meant(wanted_kind);
    if !kind.is_empty() && !meant.is_empty() && !meant.contains(&kind) {
        return Some(format!("expected {wanted_kind}, and got {kind}"));
    }
    // Without either name, or with one that means nothing here, it is a thing without a code.
    let named_by_kind = wanted_code.is_empty() && !meant.is_empty() && !kind.is_empty();
    (wanted_code != code && !named_by_kind).then(|| match wanted_code {
        "" if wanted_kind.is_empty() => format!("expected neither kind nor LOINC, and got {kind}"),
        _ => format!("expected LOINC {wanted_code}, and got {code} ({kind})"),
    })
}

fn compare_value(expected: &Json, named: (&str, &str), value: &Value, found: &mut Vec<String>) {
    found.extend(misnamed(expected, named));
    let agrees = match value {
        Value::None => expected.get("value").is_none() && expected.get("dataAbsentReason").is_none(),
        Value::Absent(reason) => text(expected, "dataAbsentReason") == reason && expected.get("value").is_none(),
        Value::Quantity(quantity) => {
            text(expected, "comparator") == quantity.comparator.as_deref().unwrap_or_default()
                && same_quantity(quantity.value, &quantity.unit, expected)
        }
        Value::Integer(integer) => same_quantity(Decimal::new(*integer, 0), "", expected),
        Value::Text(words) => text(expected, "value") == words,
        Value::Boolean(boolean) => expected.get("value").and_then(Json::as_bool) == Some(*boolean),
        Value::Coded(coding) => text(expected, "value") == coding.code,
        Value::Sampled(sampled) => expected.get("sampledData").is_some_and(|wanted| is_wave(wanted, sampled)),
    };
    if !agrees {
        let (kind, wanted, got) = (named.0, words::of_expected(expected), words::of_value(value));
        found.push(format!("{kind}: expected {wanted}, and got {got}").trim_start_matches(": ").to_owned());
    }
}

/// Every member that is expected of a waveform, as text: `{"unit", "origin", "period", "factor", "lowerLimit", "upperLimit",
/// "dimensions", "data"}`, digits with their precision.
fn is_wave(wanted: &Json, sampled: &SampledData) -> bool {
    let limit = |limit: Option<Decimal>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    let told = [
        ("unit", sampled.unit.clone()),
        ("origin", sampled.origin.to_string()),
        ("period", sampled.period_ms.to_string()),
        ("factor", sampled.factor.to_string()),
        ("lowerLimit", limit(sampled.lower_limit)),
        ("upperLimit", limit(sampled.upper_limit)),
        ("dimensions", sampled.dimensions.to_string()),
        ("data", sampled.data()),
    ];
    let mut members = wanted.as_object().into_iter().flatten();
    members.all(|(name, value)| told.iter().any(|(known, text)| known == name && value.as_str() == Some(text)))
}

/// The same number (relative 1e-6) in the same unit, or after a conversion that the host makes.
fn same_quantity(value: Decimal, unit: &str, expected: &Json) -> bool {
    let Some(Json::Number(number)) = expected.get("value") else { return false };
    let wanted = Decimal::parse(&number.to_string()).ok().and_then(scaled);
    let (Some(wanted), Some(got)) = (wanted, scaled(value)) else { return false };
    let into = text(expected, "unit");
    if into == unit {
        return (wanted - got).abs() <= wanted.abs() / 1_000_000;
    }
    CONVERSIONS.iter().any(|(from, to, multiply, divide, tolerance)| {
        *from == unit && *to == into && (wanted - got * multiply / divide).abs() <= *tolerance
    })
}

/// In units of 10^-12; none where that loses digits or overflows.
fn scaled(value: Decimal) -> Option<i128> {
    let shift = u32::try_from(value.exponent.checked_add(12)?).ok()?;
    i128::from(value.mantissa).checked_mul(10_i128.checked_pow(shift)?)
}

/// `effective` and `effectivePeriod`, which are there only where the payload fixes the point in time.
fn compare_moment(expected: &Json, reading: &Reading, found: &mut Vec<String>) {
    let mut check = |wanted: &str, time: &DeviceTime| {
        let agrees = match time {
            DeviceTime::Zoned(text) => text.replace("+00:00", "Z") == wanted.replace("+00:00", "Z"),
            // A wall clock in a zone that the payload names: the host knows its offset, the decoder does not.
            DeviceTime::Local(text) if has_zone(reading) => wanted.starts_with(text),
            DeviceTime::Local(text) => text == wanted,
            DeviceTime::None | DeviceTime::BeforeCapture(_) => false,
        };
        if !wanted.is_empty() && !agrees {
            found.push(format!("{}: expected the time {wanted}, and got {}", reading.kind, words::of_time(time)));
        }
    };
    check(text(expected, "effective"), &reading.time);
    if let Some(period) = expected.get("effectivePeriod") {
        // Written as `{"start", "end"}` or as a list of the two.
        let edge = |name: &str, index: usize| period.get(name).or_else(|| period.get(index)).and_then(Json::as_str);
        check(edge("start", 0).unwrap_or_default(), &reading.time);
        check(edge("end", 1).unwrap_or_default(), &reading.time_end);
    }
}

fn has_zone(reading: &Reading) -> bool {
    reading.extra.iter().any(|pair| pair.name == "time-zone")
}

/// `offset_min` with the context `session_start_local`: the wall clock is so many minutes after the session's start.
/// Says whether the vector is of that kind.
fn compare_offsets(vector: &Vector, decoded: &Decoded, found: &mut Vec<String>) -> bool {
    let start = vector.variables.iter().find(|(name, _)| name == "session_start_local");
    let Some(start) = start.and_then(|(_, start)| Timestamp::parse(start).ok()) else { return false };
    for (observation, reading) in list(&vector.expected, "observations").iter().zip(&decoded.readings) {
        let Some(offset) = observation.get("offset_min").and_then(Json::as_i64) else { return false };
        let wanted = start.plus_ms(offset * 60_000).ok().map(Timestamp::device_time);
        if wanted.as_ref() != Some(&reading.time) {
            let wanted = wanted.as_ref().map_or_else(|| "none".to_owned(), words::of_time);
            found.push(format!(
                "{}: expected the time {wanted}, and got {}",
                reading.kind,
                words::of_time(&reading.time)
            ));
        }
    }
    true
}

/// The device's own wall time. One with unknown parts must not become a time.
fn compare_times(expected: &Json, decoded: &Decoded, found: &mut Vec<String>) {
    let named = text(expected, "device_time_local");
    let wanted =
        if named.is_empty() { expected.get("fields").map_or("", |raw| text(raw, "device_time_local")) } else { named };
    let has_moment =
        |observation: &Json| ["effective", "effectivePeriod"].iter().any(|name| observation.get(*name).is_some());
    let fixed = list(expected, "observations").iter().any(has_moment);
    let observations = list(expected, "observations").iter().map(Some).chain(core::iter::repeat(None));
    for (reading, observation) in decoded.readings.iter().zip(observations) {
        // Where a payload has many records, each says its own time.
        let own = observation.map_or("", |observation| text(observation, "device_time_local"));
        let wanted = if own.is_empty() { wanted } else { own };
        let known = !wanted.is_empty() && !wanted.contains('?');
        let agrees = match &reading.time {
            // A period is a day of the wearer's calendar: vectors name none of its edges where the zone is unknown.
            DeviceTime::Local(_) if !known && reading.time_end != DeviceTime::None => true,
            DeviceTime::Local(text) => known && text == wanted,
            DeviceTime::None => !known,
            DeviceTime::Zoned(_) | DeviceTime::BeforeCapture(_) => !known,
        };
        if !agrees && !fixed {
            let wanted = if known { wanted } else { "none" };
            let got = words::of_time(&reading.time);
            found.push(format!("{}: expected the local time {wanted}, and got {got}", reading.kind));
        }
        let state = reading.clock_state.as_str();
        if expected.get("timestamp_unusable").is_some() && !["not-set", "fault"].contains(&state) {
            found.push(format!("{}: the clock is unusable, and its state is {state}", reading.kind));
        }
    }
}

/// The flags and the user slot, where the raw fields name them.
fn compare_fields(expected: &Json, decoded: &Decoded, found: &mut Vec<String>) {
    let Some(fields) = expected.get("fields") else { return };
    let sets = ["status_flags", "measurement_status_flags", "device_status_flags"];
    let named: Vec<&[Json]> =
        sets.iter().filter(|set| fields.get(**set).is_some()).map(|set| list(fields, set)).collect();
    let wanted: BTreeSet<&str> = named.iter().copied().flatten().filter_map(Json::as_str).collect();
    let slot = fields.get("user_id").map(ToString::to_string).filter(|slot| slot != "255");
    for reading in &decoded.readings {
        let flags: BTreeSet<&str> = reading.flags.iter().map(String::as_str).collect();
        if !named.is_empty() && flags != wanted {
            let (wanted, got) = (words::listed(wanted.iter().copied()), words::listed(flags));
            found.push(format!("{}: expected the flags {wanted}, and got {got}", reading.kind));
        }
        if fields.get("user_id").is_some() && reading.user_slot != slot {
            let or_none = |slot: &Option<String>| slot.clone().unwrap_or_else(|| "none".to_owned());
            let (wanted, got) = (or_none(&slot), or_none(&reading.user_slot));
            found.push(format!("{}: expected the slot {wanted}, and got {got}", reading.kind));
        }
    }
}

fn compare_warnings(expected: &Json, decoded: &Decoded, host_warnings: &[String], found: &mut Vec<String>) {
    let is_hosts = |warning: &&str| host_warnings.iter().any(|hosts| hosts == warning);
    let named = list(expected, "warnings").iter().filter_map(Json::as_str);
    let wanted: BTreeSet<&str> = named.filter(|warning| !is_hosts(warning)).collect();
    let got: BTreeSet<&str> = decoded.warnings.iter().map(|warning| warning.code.as_str()).collect();
    if wanted != got {
        found.push(format!("expected the warnings {}, and got {}", words::listed(wanted), words::listed(got)));
    }
}
