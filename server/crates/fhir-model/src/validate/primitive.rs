//! The form of each primitive datatype (<https://hl7.org/fhir/R4/datatypes.html#primitive>).

use serde_json::{Number, Value};

use crate::datetime::{DateRange, Precision};
use crate::definitions::Primitive;
use crate::reference::{is_id, is_urn_uuid};

/// FHIR strings may have at most 1 MiB characters.
const LONGEST_STRING: usize = 1024 * 1024;

/// Checks one JSON value against a primitive type. The error says what is wrong and what would be right, and repeats
/// nothing of the value.
///
/// # Errors
/// A sentence without its subject: "must be a JSON string, …".
pub fn check(primitive: Primitive, value: &Value) -> Result<(), String> {
    match (primitive, value) {
        (Primitive::Boolean, Value::Bool(_)) => Ok(()),
        (Primitive::Boolean, _) => Err(shape(value, "true or false, without quotes")),
        (Primitive::Integer, Value::Number(number)) => integer(number, i32::MIN, "a whole number of 32 bits"),
        (Primitive::UnsignedInt, Value::Number(number)) => integer(number, 0, "a whole number, 0 to 2147483647"),
        (Primitive::PositiveInt, Value::Number(number)) => integer(number, 1, "a whole number, 1 to 2147483647"),
        (Primitive::Decimal, Value::Number(number)) => decimal(number),
        (Primitive::Integer | Primitive::UnsignedInt | Primitive::PositiveInt | Primitive::Decimal, _) => {
            Err(shape(value, "a JSON number, without quotes"))
        }
        (_, Value::String(text)) => text_form(primitive, text),
        _ => Err(shape(value, "a JSON string")),
    }
}

fn shape(found: &Value, right: &str) -> String {
    format!("must be {right}; found {}", json_kind(found))
}

/// What kind of JSON a value is, for messages.
pub(super) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn integer(number: &Number, least: i32, right: &str) -> Result<(), String> {
    let text = number.to_string();
    // -0 and 1.0 are numbers, but not of the form that the specification gives for integers.
    let canonical = text.parse::<i32>().ok().filter(|value| value.to_string() == text);
    match canonical {
        Some(value) if value >= least => Ok(()),
        _ => Err(format!("must be {right}")),
    }
}

fn decimal(number: &Number) -> Result<(), String> {
    // Digits are kept as text; this only refuses what no consumer could hold (an exponent beyond a double).
    match number.to_string().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(()),
        _ => Err("must be a decimal that is not larger than a double can hold".to_owned()),
    }
}

fn text_form(primitive: Primitive, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty; leave the element out instead".to_owned());
    }
    if text.chars().any(|char| char < ' ' && !matches!(char, '\t' | '\n' | '\r')) {
        return Err("must not contain control characters other than tab, line feed and carriage return".to_owned());
    }
    match primitive {
        Primitive::String | Primitive::Markdown => string(text),
        Primitive::Code => require(is_code(text), "must be a code: no spaces at its ends, and only single ones inside"),
        Primitive::Id => require(is_id(text), "must be an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'"),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => {
            require(!text.chars().any(char::is_whitespace), "must be a URI without spaces")
        }
        Primitive::Oid => require(is_oid(text), "must be of the form urn:oid:1.2.3"),
        Primitive::Uuid => require(
            is_urn_uuid(text),
            "must be of the form urn:uuid:c757873d-ec9a-4326-a141-556f43239520, in lower case",
        ),
        Primitive::Base64Binary => {
            require(is_base64(text), "must be base64: groups of four of A-Z, a-z, 0-9, '+', '/' and '=' at the end")
        }
        Primitive::Time => require(is_time(text), "must be a time of day, hh:mm:ss, without offset"),
        Primitive::Date | Primitive::DateTime | Primitive::Instant => date(primitive, text),
        // Narrative is checked where it stands, by `narrative.rs`.
        Primitive::Xhtml => Ok(()),
        Primitive::Boolean
        | Primitive::Integer
        | Primitive::UnsignedInt
        | Primitive::PositiveInt
        | Primitive::Decimal => Err("must not be a string".to_owned()),
    }
}

fn require(holds: bool, right: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(right.to_owned()) }
}

fn string(text: &str) -> Result<(), String> {
    if text.len() > LONGEST_STRING {
        return Err(format!("must not be longer than {LONGEST_STRING} bytes"));
    }
    require(!text.chars().all(char::is_whitespace), "must not consist of white space only")
}

fn is_code(text: &str) -> bool {
    let no_double = text.split(' ').all(|word| !word.is_empty());
    no_double && !text.chars().any(|char| char.is_whitespace() && char != ' ')
}

fn is_oid(text: &str) -> bool {
    let Some(oid) = text.strip_prefix("urn:oid:") else { return false };
    let arcs: Vec<&str> = oid.split('.').collect();
    let number = |arc: &&str| {
        !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()) && (*arc == "0" || !arc.starts_with('0'))
    };
    arcs.len() > 1 && arcs.iter().all(number) && matches!(arcs.first(), Some(&("0" | "1" | "2")))
}

fn is_base64(text: &str) -> bool {
    let mut length = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        length += 1;
    }
    length > 0 && length.is_multiple_of(4) && padding <= 2
}

fn is_time(text: &str) -> bool {
    let zoned = text.contains(['Z', '+', '-']);
    !zoned && DateRange::parse(&format!("2000-01-01T{text}")).is_ok_and(|range| range.precision >= Precision::Second)
}

fn date(primitive: Primitive, text: &str) -> Result<(), String> {
    let range = DateRange::parse(text).map_err(|fault| fault.to_string())?;
    let timed = range.precision > Precision::Day;
    if timed && primitive == Primitive::Date {
        return Err("must be a date (YYYY, YYYY-MM or YYYY-MM-DD) without a time".to_owned());
    }
    if timed && (range.precision == Precision::Minute || !range.zoned) {
        return Err(
            "has a time, so it must have seconds and an offset: YYYY-MM-DDThh:mm:ss(.sss) and Z or +hh:mm".to_owned()
        );
    }
    require(timed || primitive != Primitive::Instant, "must be an instant: YYYY-MM-DDThh:mm:ss(.sss) and Z or +hh:mm")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn good(primitive: Primitive, values: &[&str]) {
        for text in values {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(check(primitive, &value), Ok(()), "{} {text}", primitive.name());
        }
    }

    fn bad(primitive: Primitive, values: &[&str]) {
        for text in values {
            let value: Value = serde_json::from_str(text).unwrap();
            assert!(check(primitive, &value).is_err(), "{} {text}", primitive.name());
        }
    }

    #[test]
    fn numbers_and_booleans() {
        good(Primitive::Boolean, &["true", "false"]);
        bad(Primitive::Boolean, &["\"true\"", "0", "null"]);
        good(Primitive::Integer, &["0", "-7", "2147483647", "-2147483648"]);
        bad(Primitive::Integer, &["2147483648", "1.0", "1e3", "-0", "\"1\""]);
        good(Primitive::UnsignedInt, &["0", "1"]);
        bad(Primitive::UnsignedInt, &["-1"]);
        bad(Primitive::PositiveInt, &["0"]);
        good(Primitive::Decimal, &["0", "97.50", "-0.0", "1e-7", "123456789012345678901234567890.1"]);
        bad(Primitive::Decimal, &["1e999", "\"1\"", "true"]);
    }

    #[test]
    fn dates_and_times() {
        good(Primitive::Date, &["\"2024\"", "\"2024-02\"", "\"2024-02-29\""]);
        bad(Primitive::Date, &["\"2023-02-29\"", "\"2024-1-1\"", "\"2024-01-01T00:00:00Z\"", "20240101"]);
        good(Primitive::DateTime, &["\"2024\"", "\"2024-02-29T10:00:00+01:00\"", "\"2024-02-29T10:00:00.5Z\""]);
        bad(Primitive::DateTime, &["\"2024-02-29T10:00Z\"", "\"2024-02-29T10:00:00\"", "\"2024-02-29T25:00:00Z\""]);
        good(Primitive::Instant, &["\"2024-02-29T10:00:00Z\""]);
        bad(Primitive::Instant, &["\"2024-02-29\"", "\"2024-02-29T10:00:00\""]);
        good(Primitive::Time, &["\"10:00:00\"", "\"23:59:59.999\""]);
        bad(Primitive::Time, &["\"10:00\"", "\"24:00:00\"", "\"10:00:00Z\""]);
    }

    #[test]
    fn words() {
        good(Primitive::Code, &["\"final\"", "\"a b\"", "\"mm[Hg]\""]);
        bad(Primitive::Code, &["\" final\"", "\"a  b\"", "\"a\\tb\"", "\"\""]);
        good(Primitive::Id, &["\"a.B-9\""]);
        bad(Primitive::Id, &["\"a_b\"", "\"\""]);
        bad(Primitive::Uri, &["\"http://a b\""]);
        good(Primitive::Oid, &["\"urn:oid:2.16.840\""]);
        bad(Primitive::Oid, &["\"urn:oid:3.1\"", "\"urn:oid:1.01\"", "\"1.2.3\"", "\"urn:oid:1\""]);
        good(Primitive::Uuid, &["\"urn:uuid:c757873d-ec9a-4326-a141-556f43239520\""]);
        bad(Primitive::Uuid, &["\"c757873d-ec9a-4326-a141-556f43239520\""]);
        good(Primitive::Base64Binary, &["\"AQID\"", "\"AQ==\"", "\"AQID\\nAQI=\""]);
        bad(Primitive::Base64Binary, &["\"AQI\"", "\"A===\"", "\"AQ=A\"", "\"A?ID\""]);
        good(Primitive::String, &["\" a\\nb \""]);
        bad(Primitive::String, &["\"\"", "\"  \"", "\"\\u0000\"", "7"]);
    }
}
