//! From bytes to JSON, and to a [`Resource`]: read strictly (no duplicate keys, bounded depth and size), with key order and
//! the digits of every number kept, and an error that says where (<https://hl7.org/fhir/R4/json.html>).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::outcome::{Issue, IssueCode};

pub use crate::resource::{Identifier, Resource};

/// How `serde_json` (with `arbitrary_precision`) hands over a number: a map with this one key.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// What a body may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of JSON text.
    pub size_bytes: usize,
    /// Nested objects and arrays (at most 127, which is `serde_json`'s own limit).
    pub depth: usize,
    /// Characters of a number as written.
    pub number_length: usize,
}

impl Default for Limits {
    /// 16 MiB, 64 levels, numbers of 64 characters.
    fn default() -> Self {
        Self { size_bytes: 16 * 1024 * 1024, depth: 64, number_length: 64 }
    }
}

/// What kind of fault stopped the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Not JSON, or not UTF-8.
    Syntax,
    /// The same key twice in one object.
    DuplicateKey,
    /// More than [`Limits`] allow.
    TooLarge,
    /// JSON, but not a FHIR resource.
    NotAResource,
}

/// Why bytes are not a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The kind of fault.
    pub kind: ParseErrorKind,
    /// What was wrong, and what would be right.
    pub message: String,
    /// The FHIRPath-like place, `Observation.component[0].code`, when it is known.
    pub expression: Option<String>,
}

impl ParseError {
    pub(crate) fn new(kind: ParseErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), expression: None }
    }

    /// The error as an issue of an `OperationOutcome`.
    #[must_use]
    pub fn to_issue(&self) -> Issue {
        let code = match self.kind {
            ParseErrorKind::TooLarge => IssueCode::TooLong,
            ParseErrorKind::NotAResource | ParseErrorKind::Syntax | ParseErrorKind::DuplicateKey => {
                IssueCode::Structure
            }
        };
        let issue = Issue::error(code, self.message.clone());
        match &self.expression {
            Some(expression) => issue.at(expression.clone()),
            None => issue,
        }
    }
}

/// Reads any JSON under the same rules as a resource.
///
/// # Errors
/// [`ParseError`] for text that is not JSON, repeats a key or exceeds the limits.
pub fn parse_json(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    if bytes.len() > limits.size_bytes {
        let message = format!("the body has {} bytes; {} are allowed", bytes.len(), limits.size_bytes);
        return Err(ParseError::new(ParseErrorKind::TooLarge, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        ParseError::new(ParseErrorKind::Syntax, format!("the body is not UTF-8 (byte {})", fault.valid_up_to()))
    })?;
    let reading = Reading { limits, root: RefCell::new(String::new()), failure: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let node = Node { reading: &reading, place: &Place::Root, depth: 0 };
    let value = node.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|fault| {
        reading
            .failure
            .take()
            .unwrap_or_else(|| ParseError::new(ParseErrorKind::Syntax, format!("the body is not valid JSON: {fault}")))
    })
}

/// What is known while reading: serde's errors carry only text, so the first failure is kept here.
struct Reading<'a> {
    limits: &'a Limits,
    root: RefCell<String>,
    failure: RefCell<Option<ParseError>>,
}

impl Reading<'_> {
    fn fail<E: serde::de::Error>(&self, kind: ParseErrorKind, message: String, place: &Place<'_>) -> E {
        let expression = format!("{}{place}", self.root.borrow());
        let expression = expression.trim_start_matches('.').to_owned();
        *self.failure.borrow_mut() =
            Some(ParseError { kind, message, expression: (!expression.is_empty()).then_some(expression) });
        E::custom("refused")
    }
}

/// Where the reader is: a list from the leaf to the root, on the stack.
enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Key(parent, key) => write!(f, "{parent}.{key}"),
            Place::Item(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

struct Node<'a> {
    reading: &'a Reading<'a>,
    place: &'a Place<'a>,
    depth: usize,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        let depth = self.depth + 1;
        let most = self.reading.limits.depth;
        if depth > most {
            return Err(self.reading.fail(
                ParseErrorKind::TooLarge,
                format!("nested deeper than {most} levels"),
                self.place,
            ));
        }
        Ok(depth)
    }

    fn number<E: serde::de::Error>(&self, text: &str) -> Result<Value, E> {
        let most = self.reading.limits.number_length;
        if text.len() > most {
            return Err(self.reading.fail(
                ParseErrorKind::TooLarge,
                format!("a number may have {most} characters"),
                self.place,
            ));
        }
        text.parse::<Number>().map(Value::Number).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut array = Vec::new();
        loop {
            let place = Place::Item(self.place, array.len());
            match items.next_element_seed(Node { reading: self.reading, place: &place, depth })? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == NUMBER_TOKEN && object.is_empty() {
                return self.number(&entries.next_value::<String>()?);
            }
            let depth = self.deeper()?;
            let place = Place::Key(self.place, &key);
            if object.contains_key(&key) {
                let message = format!("the key \"{}\" occurs twice in the same object", shown(&key));
                return Err(self.reading.fail(ParseErrorKind::DuplicateKey, message, &place));
            }
            let value = entries.next_value_seed(Node { reading: self.reading, place: &place, depth })?;
            if let (Place::Root, "resourceType", Value::String(name)) = (self.place, key.as_str(), &value) {
                *self.reading.root.borrow_mut() = shown(name);
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// A name from the body, cut so that a message stays short.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(text: &str) -> Result<Resource, ParseError> {
        Resource::from_slice(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn text_survives_unchanged() {
        let text = r#"{"resourceType":"Observation","z":97.50,"a":-0.0,"e":1.20e+3,"big":123456789012345678901234567890.10,"s":"ä\n\"\\\u0001"}"#;
        assert_eq!(read(text).unwrap().to_text(), text);
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_place() {
        let fault =
            read(r#"{"resourceType":"Observation","component":[{"code":{}},{"code":{},"code":{}}]}"#).unwrap_err();
        assert_eq!(fault.kind, ParseErrorKind::DuplicateKey);
        assert_eq!(fault.expression.as_deref(), Some("Observation.component[1].code"));
        // The same key by escape is the same key.
        assert_eq!(
            read(r#"{"resourceType":"A","id":"1","\u0069d":"2"}"#).unwrap_err().kind,
            ParseErrorKind::DuplicateKey
        );
    }

    #[test]
    fn limits_hold() {
        let deep = format!("{{\"resourceType\":\"Observation\",\"x\":{}{}}}", "[".repeat(70), "]".repeat(70));
        assert_eq!(read(&deep).unwrap_err().kind, ParseErrorKind::TooLarge);
        let long = format!("{{\"resourceType\":\"Observation\",\"x\":{}}}", "1".repeat(65));
        let fault = read(&long).unwrap_err();
        assert_eq!((fault.kind, fault.expression.as_deref()), (ParseErrorKind::TooLarge, Some("Observation.x")));
        let limits = Limits { size_bytes: 10, ..Limits::default() };
        assert_eq!(
            Resource::from_slice(b"{\"resourceType\":\"A\"}", &limits).unwrap_err().kind,
            ParseErrorKind::TooLarge
        );
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for text in [
            "",
            "{",
            "NaN",
            r#"{"resourceType":"A","x":NaN}"#,
            r#"{"resourceType":"A"} x"#,
            r#"{"resourceType":"A","x":01}"#,
            r#"{"resourceType":"A",}"#,
        ] {
            assert_eq!(read(text).unwrap_err().kind, ParseErrorKind::Syntax, "{text}");
        }
        for text in [
            "[]",
            "1",
            "null",
            "{}",
            r#"{"resourceType":1}"#,
            r#"{"resourceType":"observation"}"#,
            r#"{"resourceType":""}"#,
        ] {
            assert_eq!(read(text).unwrap_err().kind, ParseErrorKind::NotAResource, "{text}");
        }
        let not_utf8 = Resource::from_slice(b"{\"resourceType\":\"A\",\"x\":\"\xff\"}", &Limits::default());
        assert_eq!(not_utf8.unwrap_err().kind, ParseErrorKind::Syntax);
    }
}
