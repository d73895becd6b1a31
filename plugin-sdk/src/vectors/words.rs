//! Values and times as a person writes them: `412 L/min`, and never as a program prints them.

use registered_words::distance;
use serde_json::Value as Json;

use crate::values::value_text;
use crate::{DeviceTime, Value};

/// A value: `412 L/min`, `absent not-performed`.
pub(super) fn of_value(value: &Value) -> String {
    value_text(value).unwrap_or_else(|| "no value".to_owned())
}

/// The value of a fact, as a vector writes it: `85 %`, `1.2.0`, `low`.
pub(super) fn of_fact(value: &Value) -> String {
    match value {
        Value::Coded(coding) => coding.code.clone(),
        Value::Text(text) => text.clone(),
        other => of_value(other),
    }
}

/// A text as it is written, or after the word that examples put before one.
pub(super) fn without_word(text: &str) -> &str {
    text.strip_prefix("text ").unwrap_or(text)
}

/// A device's time.
pub(super) fn of_time(time: &DeviceTime) -> String {
    match time {
        DeviceTime::None => "none".to_owned(),
        DeviceTime::Local(text) | DeviceTime::Zoned(text) => text.clone(),
        DeviceTime::BeforeCapture(ms) => format!("{ms} ms before the capture"),
    }
}

/// The value that a vector expects of a reading or a component.
pub(super) fn of_expected(expected: &Json) -> String {
    let text = |name: &str| expected.get(name).and_then(Json::as_str);
    if let Some(reason) = text("dataAbsentReason") {
        return format!("absent {reason}");
    }
    let Some(value) = expected.get("value") else {
        return expected.get("sampledData").map_or_else(|| "no value".to_owned(), |wave| format!("samples {wave}"));
    };
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts = [text("comparator"), Some(value.as_str()), text("unit")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Words one behind the other, or `none`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The known word that comes nearest to another, if one is near enough to be meant: what was typed in another case, with other
/// marks between the parts, or with a few wrong letters.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(word);
    let far = |other: &str| distance(&wanted, &plain(other));
    let near = known.into_iter().map(|other| (far(other), other)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance * 3 <= wanted.len().max(3)).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_word_is_one_that_may_be_meant() {
        let known = ["recordKey", "flags", "observations", "body-weight"];
        assert_eq!(nearest("record_key", known), Some("recordKey"));
        assert_eq!(nearest("observation", known), Some("observations"));
        assert_eq!(nearest("body_wieght", known), Some("body-weight"));
        assert_eq!(nearest("nonsense", known), None);
    }
}
