//! Compares FHIR Observations with what a vector expects of them.
//!
//! Compared are LOINC (or MDC) code, value, samples, unit, comparator, reason of absence, components, effective time and period, the
//! device's own time, and the number of Observations. Numbers are compared as numbers here, because vectors come from many
//! sources that write 70 and 70.0 alike; this is the one place that makes floats of them, and nothing is kept of it.

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use super::expected::{Expected, Vector};

/// Relative difference that two numbers may have.
const RELATIVE: f64 = 1e-6;

const LOINC: &str = "http://loinc.org";
const MDC: &str = "urn:iso:std:iso:11073:10101";

/// What is wrong with the Observations, a sentence each.
pub fn problems(vector: &Vector, expected: &Expected, observations: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut left: Vec<&Value> = observations.iter().collect();
    for (index, wanted) in expected.observations.iter().enumerate() {
        let differences = |found: &&Value| differences(wanted, found, vector.tolerance());
        match left.iter().position(|found| differences(found).is_empty()) {
            Some(position) => {
                left.remove(position);
            }
            None => problems.push(missing(index, wanted, &left, vector.tolerance())),
        }
    }
    if vector.is_headline() {
        left.retain(|found| expected.observations.iter().any(|wanted| is_of_kind(wanted, found)));
    }
    // Formats that are a single number expect no Observation by name, but its digits.
    let by_number = expected.decimal.is_some() || expected.data_absent_reason.is_some();
    if by_number && expected.observations.is_empty() {
        problems.extend(number(expected, observations));
    } else if left.len() > problems.len() {
        problems.push(format!("{} Observations, expected {}", observations.len(), expected.observations.len()));
    }
    problems.extend(device_time(expected, observations));
    problems
}

/// Whether an Observation is of the kind that is wanted: by its LOINC code, else by having none either.
fn is_of_kind(wanted: &Value, found: &Value) -> bool {
    match wanted.get("loinc").map(plain) {
        Some(code) => has_code(found, LOINC, &code),
        None => !has_system(found, LOINC),
    }
}

/// Says what comes nearest to a missing Observation: the one with the same code.
fn missing(index: usize, wanted: &Value, left: &[&Value], tolerance: f64) -> String {
    let name = wanted.get("loinc").or_else(|| wanted.get("kind")).and_then(Value::as_str).unwrap_or("?");
    let near = left.iter().map(|found| differences(wanted, found, tolerance)).min_by_key(Vec::len);
    match near {
        Some(differences) => format!("observation {} ({name}): {}", index + 1, differences.join(", ")),
        None => format!("observation {} ({name}) is missing", index + 1),
    }
}

/// Where an Observation or component differs from what is wanted.
fn differences(wanted: &Value, found: &Value, tolerance: f64) -> Vec<String> {
    let mut differences = Vec::new();
    for (field, system) in [("loinc", LOINC), ("mdc", MDC)] {
        if let Some(code) = wanted.get(field).map(plain)
            && !has_code(found, system, &code)
        {
            differences.push(format!("its code is not {field} {code}"));
        }
    }
    differences.extend(value_differences(wanted, found, tolerance));
    for part in wanted.get("components").and_then(Value::as_array).into_iter().flatten() {
        let parts = found.get("component").and_then(Value::as_array).into_iter().flatten();
        let near = parts.map(|found| self::differences(part, found, tolerance)).min_by_key(Vec::len);
        match near {
            Some(of_part) if of_part.is_empty() => {}
            Some(of_part) => differences.push(format!(
                "component {}: {}",
                part.get("kind").map(plain).unwrap_or_default(),
                of_part.join(", ")
            )),
            None => differences.push("it has no components".to_owned()),
        }
    }
    let period = wanted.get("effectivePeriod");
    let times = [
        (wanted.get("effective"), found.get("effectiveDateTime"), "effective"),
        (period.and_then(|period| period.get("start")), found.pointer("/effectivePeriod/start"), "start"),
        (period.and_then(|period| period.get("end")), found.pointer("/effectivePeriod/end"), "end"),
    ];
    for (wanted, found, name) in times {
        if let Some(wanted) = wanted
            && !is_same_time(wanted, found)
        {
            differences.push(format!(
                "{name} is {}, expected {}",
                found.map_or("absent".to_owned(), plain),
                plain(wanted)
            ));
        }
    }
    differences
}

fn value_differences(wanted: &Value, found: &Value, tolerance: f64) -> Vec<String> {
    let mut differences = Vec::new();
    let quantity = found.get("valueQuantity");
    if let Some(value) = wanted.get("value").filter(|value| !value.is_null()) {
        let got = quantity.and_then(|quantity| quantity.get("value")).or_else(|| found.get("valueInteger"));
        let coded = found
            .pointer("/valueCodeableConcept/coding/0/code")
            .or_else(|| found.get("valueString"))
            .or_else(|| found.get("valueBoolean"));
        let same = match (as_number(value), got.and_then(as_number)) {
            (Some(value), Some(got)) => is_near(value, got, tolerance),
            _ => coded.is_some_and(|coded| plain(coded) == plain(value)),
        };
        if !same {
            let got = got.or(coded).map_or_else(|| "absent".to_owned(), plain);
            differences.push(format!("the value is {got}, expected {}", plain(value)));
        }
    }
    for (field, got) in [
        ("unit", quantity.and_then(|quantity| quantity.get("code"))),
        ("comparator", quantity.and_then(|quantity| quantity.get("comparator"))),
    ] {
        if let Some(wanted) = wanted.get(field).map(plain)
            && got.map(plain).as_deref() != Some(&wanted)
        {
            differences.push(format!("the {field} is {}, expected {wanted}", got.map_or("absent".to_owned(), plain)));
        }
    }
    differences.extend(wave_differences(wanted, found));
    if let Some(reason) = wanted.get("dataAbsentReason").map(plain)
        && found.pointer("/dataAbsentReason/coding/0/code").map(plain).as_deref() != Some(&reason)
    {
        differences.push(format!("the value is not absent because of {reason}"));
    }
    differences
}

/// Members of `valueSampledData` that are expected, as text; `unit` and `origin` are those of its origin.
fn wave_differences(wanted: &Value, found: &Value) -> Vec<String> {
    let members = wanted.get("sampledData").and_then(Value::as_object).into_iter().flatten();
    let differences = members.filter_map(|(name, wanted)| {
        let place = match name.as_str() {
            "unit" => "/valueSampledData/origin/code".to_owned(),
            "origin" => "/valueSampledData/origin/value".to_owned(),
            name => format!("/valueSampledData/{name}"),
        };
        let got = found.pointer(&place).map(plain);
        (got.as_deref() != Some(plain(wanted).as_str()))
            .then(|| format!("{name} of the samples is {}, expected {}", got.unwrap_or_default(), plain(wanted)))
    });
    differences.collect()
}

/// For formats that are one number: its digits with their precision, or why there is none.
fn number(expected: &Expected, observations: &[Value]) -> Option<String> {
    let [observation] = observations else { return Some(format!("{} Observations, expected one", observations.len())) };
    let got = observation.pointer("/valueQuantity/value").map(plain);
    let reason = observation.pointer("/dataAbsentReason/coding/0/code").map(plain);
    if expected.decimal.is_some() && got != expected.decimal {
        return Some(format!(
            "the value is {}, expected {}",
            got.unwrap_or_default(),
            expected.decimal.clone().unwrap_or_default()
        ));
    }
    if expected.data_absent_reason.is_some() && reason != expected.data_absent_reason {
        return Some(format!(
            "the value is not absent because of {}",
            expected.data_absent_reason.clone().unwrap_or_default()
        ));
    }
    None
}

/// The device's own wall time, kept in an extension of each Observation.
fn device_time(expected: &Expected, observations: &[Value]) -> Option<String> {
    let wanted = expected.device_time_local.as_ref()?;
    // `????-04-17T…`: the device sent a time that is none.
    if expected.timestamp_unusable.is_some() || wanted.contains('?') || observations.is_empty() {
        return None;
    }
    let mut told = observations.iter().filter_map(|observation| {
        let extensions = observation.get("extension")?.as_array()?;
        let own = extensions
            .iter()
            .find(|extension| extension.get("url").is_some_and(|url| plain(url).ends_with("/device-local-time")))?;
        own.get("valueString").map(plain)
    });
    let found = told.any(|text| text.trim_end_matches('Z').starts_with(wanted.as_str()));
    (!found).then(|| format!("no Observation keeps the device's time {wanted}"))
}

fn has_system(thing: &Value, system: &str) -> bool {
    let codings = thing.pointer("/code/coding").and_then(Value::as_array).into_iter().flatten();
    codings.into_iter().any(|coding| coding.get("system").and_then(Value::as_str) == Some(system))
}

fn has_code(thing: &Value, system: &str, code: &str) -> bool {
    let codings = thing.pointer("/code/coding").and_then(Value::as_array).into_iter().flatten();
    codings.into_iter().any(|coding| {
        coding.get("system").and_then(Value::as_str) == Some(system)
            && coding.get("code").and_then(Value::as_str) == Some(code)
    })
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn is_near(wanted: f64, got: f64, tolerance: f64) -> bool {
    // A tolerance of 0.1 means one digit in the last place, not one digit less the noise of floats.
    (wanted - got).abs() <= (wanted.abs() * RELATIVE).max(tolerance * (1.0 + RELATIVE))
}

/// The same instant, however its offset is written.
fn is_same_time(wanted: &Value, found: Option<&Value>) -> bool {
    let parse = |value: &Value| value.as_str().and_then(|text| DateTime::<FixedOffset>::parse_from_rfc3339(text).ok());
    match (parse(wanted), found.and_then(parse)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => found.map(plain) == Some(plain(wanted)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use serde_json::json;

    use super::*;

    fn check(expected: Value, observations: &[Value]) -> Vec<String> {
        let vector = Vector::parse(&json!({"id": "x", "format": "x", "expected": expected}).to_string()).unwrap();
        problems(&vector, vector.expected.as_ref().unwrap(), observations)
    }

    fn weight(value: &str) -> Value {
        let text = format!(
            r#"{{"code": {{"coding": [{{"system": "http://loinc.org", "code": "29463-7"}}]}},
                "valueQuantity": {{"value": {value}, "code": "kg"}}, "effectiveDateTime": "2026-03-10T13:00:00+01:00"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let expected = json!({"outcome": "decoded", "observations": [{"loinc": "29463-7", "value": 70, "unit": "kg", "effective": "2026-03-10T12:00:00Z"}]});
        assert_eq!(check(expected.clone(), &[weight("70.00")]), Vec::<String>::new());
        assert_eq!(check(expected, &[weight("70.1")]), ["observation 1 (29463-7): the value is 70.1, expected 70"]);
    }

    #[test]
    fn observations_are_neither_missing_nor_too_many() {
        let expected = json!({"outcome": "decoded", "observations": [{"loinc": "29463-7", "value": 70}]});
        assert_eq!(check(expected.clone(), &[weight("70"), weight("71")]), ["2 Observations, expected 1"]);
        assert_eq!(check(expected, &[]), ["observation 1 (29463-7) is missing"]);
    }

    #[test]
    fn another_code_unit_or_time_is_a_difference() {
        for wanted in [
            json!({"loinc": "8867-4", "value": 70}),
            json!({"loinc": "29463-7", "value": 70, "unit": "[lb_av]"}),
            json!({"loinc": "29463-7", "value": 70, "effective": "2026-03-10T13:00:00Z"}),
            json!({"loinc": "29463-7", "dataAbsentReason": "error"}),
            json!({"loinc": "29463-7", "value": 70, "comparator": ">"}),
        ] {
            assert_eq!(
                check(json!({"outcome": "decoded", "observations": [wanted]}), &[weight("70")]).len(),
                1,
                "{wanted}"
            );
        }
    }

    #[test]
    fn digits_count_where_the_format_is_one_number() {
        let expected = json!({"outcome": "decoded", "decimal": "2.0"});
        assert!(check(expected.clone(), &[weight("2.0")]).is_empty());
        assert_eq!(check(expected, &[weight("2")]).len(), 1);
    }
}
