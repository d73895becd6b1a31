//! From bytes to a [`Resource`]: JSON read strictly (no duplicate keys, bounded depth and size), with key order and
//! the digits of every number kept, and an error that says where (<https://hl7.org/fhir/R4/json.html>).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::outcome::{Issue, IssueCode};

/// How serde_json (with `arbitrary_precision`) hands over a number: a map with this one key.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// What a body may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of JSON text.
    pub size_bytes: usize,
    /// Nested objects and arrays (at most 127, which is serde_json's own limit).
    pub depth: usize,
    /// Characters of a number as written.
    pub number_length: usize,
}

impl Default for Limits {
    /// 16 MiB, 64 levels, numbers of 64 characters.
    fn default() -> Self {
        Self {
            size_bytes: 16 * 1024 * 1024,
            depth: 64,
            number_length: 64,
        }
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
    fn new(kind: ParseErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            expression: None,
        }
    }

    /// The error as an issue of an OperationOutcome.
    #[must_use]
    pub fn to_issue(&self) -> Issue {
        let code = match self.kind {
            ParseErrorKind::TooLarge => IssueCode::TooLong,
            ParseErrorKind::NotAResource
            | ParseErrorKind::Syntax
            | ParseErrorKind::DuplicateKey => IssueCode::Structure,
        };
        let issue = Issue::error(code, self.message.clone());
        match &self.expression {
            Some(expression) => issue.at(expression.clone()),
            None => issue,
        }
    }
}

/// An `Identifier` of a resource, as far as matching needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identifier<'a> {
    /// Its namespace.
    pub system: Option<&'a str>,
    /// Its value.
    pub value: Option<&'a str>,
}

/// A resource as JSON: order of keys and digits of numbers are those of the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    resource_type: String,
    object: Map<String, Value>,
}

impl Resource {
    /// Reads a resource from JSON text.
    ///
    /// # Errors
    /// [`ParseError`] for anything but one JSON object with a `resourceType`, within the limits.
    pub fn from_slice(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        Self::from_value(parse_json(bytes, limits)?)
    }

    /// Takes a JSON value as a resource.
    ///
    /// # Errors
    /// [`ParseErrorKind::NotAResource`] unless it is an object with a `resourceType`.
    pub fn from_value(value: Value) -> Result<Self, ParseError> {
        let Value::Object(object) = value else {
            return Err(ParseError::new(
                ParseErrorKind::NotAResource,
                "a resource must be a JSON object",
            ));
        };
        match object.get("resourceType") {
            Some(Value::String(name)) if crate::reference::is_type_name(name) => Ok(Self {
                resource_type: name.clone(),
                object,
            }),
            Some(_) => Err(ParseError::new(
                ParseErrorKind::NotAResource,
                "resourceType must be a string such as \"Observation\"",
            )),
            None => Err(ParseError::new(
                ParseErrorKind::NotAResource,
                "resourceType is missing; it must name the type, such as \"Observation\"",
            )),
        }
    }

    /// `Observation`, `Patient`, …
    #[must_use]
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The logical id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.string("id")
    }

    /// `meta.versionId`.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.object.get("meta")?.get("versionId")?.as_str()
    }

    /// `meta.lastUpdated`, as written.
    #[must_use]
    pub fn last_updated(&self) -> Option<&str> {
        self.object.get("meta")?.get("lastUpdated")?.as_str()
    }

    /// The canonical URLs of `meta.profile`.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        let profiles = self.object.get("meta").and_then(|meta| meta.get("profile"));
        profiles
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// The business identifiers, whether the type has one or many.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier<'_>> {
        let found = self.object.get("identifier");
        let all = match found {
            Some(Value::Array(many)) => many.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        all.iter()
            .filter_map(Value::as_object)
            .map(|identifier| Identifier {
                system: identifier.get("system").and_then(Value::as_str),
                value: identifier.get("value").and_then(Value::as_str),
            })
    }

    /// A top-level element that is a JSON string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.object.get(name)?.as_str()
    }

    /// A top-level element.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    /// The resource as a JSON object.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// The elements, to change them. `resourceType` must stay what it is.
    pub(crate) fn object_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.object
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.object)
    }

    /// Sets the id; `resourceType`, `id` and `meta` come first, the rest keeps its order.
    pub fn set_id(&mut self, id: &str) {
        self.lead_with(Some(id), None);
    }

    /// Sets id, `meta.versionId` and `meta.lastUpdated` (an `instant`, such as `2026-11-22T20:52:10.123Z`), which are the
    /// server's to give. Other parts of `meta` stay.
    pub fn stamp(&mut self, id: &str, version_id: &str, last_updated: &str) {
        self.lead_with(Some(id), Some((version_id, last_updated)));
    }

    /// The JSON text: compact, in the order of the keys, with numbers as they were written (but `E` becomes `e`).
    #[must_use]
    pub fn to_text(&self) -> String {
        // Writing a map with string keys to memory cannot fail.
        serde_json::to_string(&self.object).unwrap_or_default()
    }

    fn lead_with(&mut self, id: Option<&str>, version: Option<(&str, &str)>) {
        let mut old = std::mem::take(&mut self.object);
        let mut new = Map::with_capacity(old.len() + 2);
        new.insert("resourceType".into(), self.resource_type.clone().into());
        let kept_id = old.shift_remove("id");
        if let Some(id) = id.map(Value::from).or(kept_id) {
            new.insert("id".into(), id);
        }
        let meta = old.shift_remove("meta");
        match (version, meta) {
            (Some((version_id, last_updated)), meta) => {
                new.insert("meta".into(), stamped_meta(meta, version_id, last_updated));
            }
            (None, Some(meta)) => {
                new.insert("meta".into(), meta);
            }
            (None, None) => {}
        }
        old.shift_remove("resourceType");
        new.append(&mut old);
        self.object = new;
    }
}

fn stamped_meta(old: Option<Value>, version_id: &str, last_updated: &str) -> Value {
    let mut meta = Map::new();
    meta.insert("versionId".into(), version_id.into());
    meta.insert("lastUpdated".into(), last_updated.into());
    if let Some(Value::Object(old)) = old {
        let mine = ["versionId", "lastUpdated", "_versionId", "_lastUpdated"];
        meta.extend(
            old.into_iter()
                .filter(|(key, _)| !mine.contains(&key.as_str())),
        );
    }
    Value::Object(meta)
}

/// Reads any JSON under the same rules as a resource.
///
/// # Errors
/// [`ParseError`] for text that is not JSON, repeats a key or exceeds the limits.
pub fn parse_json(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    if bytes.len() > limits.size_bytes {
        let message = format!(
            "the body has {} bytes; {} are allowed",
            bytes.len(),
            limits.size_bytes
        );
        return Err(ParseError::new(ParseErrorKind::TooLarge, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        ParseError::new(
            ParseErrorKind::Syntax,
            format!("the body is not UTF-8 (byte {})", fault.valid_up_to()),
        )
    })?;
    let reading = Reading {
        limits,
        root: RefCell::new(String::new()),
        failure: RefCell::new(None),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let node = Node {
        reading: &reading,
        place: &Place::Root,
        depth: 0,
    };
    let value = node
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|fault| {
        reading.failure.take().unwrap_or_else(|| {
            ParseError::new(
                ParseErrorKind::Syntax,
                format!("the body is not valid JSON: {fault}"),
            )
        })
    })
}

/// What is known while reading: serde's errors carry only text, so the first failure is kept here.
struct Reading<'a> {
    limits: &'a Limits,
    root: RefCell<String>,
    failure: RefCell<Option<ParseError>>,
}

impl Reading<'_> {
    fn fail<E: serde::de::Error>(
        &self,
        kind: ParseErrorKind,
        message: String,
        place: &Place<'_>,
    ) -> E {
        let expression = format!("{}{place}", self.root.borrow());
        let expression = expression.trim_start_matches('.').to_owned();
        *self.failure.borrow_mut() = Some(ParseError {
            kind,
            message,
            expression: (!expression.is_empty()).then_some(expression),
        });
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
            match items.next_element_seed(Node {
                reading: self.reading,
                place: &place,
                depth,
            })? {
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
                let message = format!(
                    "the key \"{}\" occurs twice in the same object",
                    shown(&key)
                );
                return Err(self
                    .reading
                    .fail(ParseErrorKind::DuplicateKey, message, &place));
            }
            let value = entries.next_value_seed(Node {
                reading: self.reading,
                place: &place,
                depth,
            })?;
            if let (Place::Root, "resourceType", Value::String(name)) =
                (self.place, key.as_str(), &value)
            {
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
        let fault = read(
            r#"{"resourceType":"Observation","component":[{"code":{}},{"code":{},"code":{}}]}"#,
        )
        .unwrap_err();
        assert_eq!(fault.kind, ParseErrorKind::DuplicateKey);
        assert_eq!(
            fault.expression.as_deref(),
            Some("Observation.component[1].code")
        );
        // The same key by escape is the same key.
        assert_eq!(
            read(r#"{"resourceType":"A","id":"1","\u0069d":"2"}"#)
                .unwrap_err()
                .kind,
            ParseErrorKind::DuplicateKey
        );
    }

    #[test]
    fn limits_hold() {
        let deep = format!(
            "{{\"resourceType\":\"Observation\",\"x\":{}{}}}",
            "[".repeat(70),
            "]".repeat(70)
        );
        assert_eq!(read(&deep).unwrap_err().kind, ParseErrorKind::TooLarge);
        let long = format!(
            "{{\"resourceType\":\"Observation\",\"x\":{}}}",
            "1".repeat(65)
        );
        let fault = read(&long).unwrap_err();
        assert_eq!(
            (fault.kind, fault.expression.as_deref()),
            (ParseErrorKind::TooLarge, Some("Observation.x"))
        );
        let limits = Limits {
            size_bytes: 10,
            ..Limits::default()
        };
        assert_eq!(
            Resource::from_slice(b"{\"resourceType\":\"A\"}", &limits)
                .unwrap_err()
                .kind,
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
            assert_eq!(
                read(text).unwrap_err().kind,
                ParseErrorKind::Syntax,
                "{text}"
            );
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
            assert_eq!(
                read(text).unwrap_err().kind,
                ParseErrorKind::NotAResource,
                "{text}"
            );
        }
        let not_utf8 = Resource::from_slice(
            b"{\"resourceType\":\"A\",\"x\":\"\xff\"}",
            &Limits::default(),
        );
        assert_eq!(not_utf8.unwrap_err().kind, ParseErrorKind::Syntax);
    }

    #[test]
    fn stamp_puts_the_servers_elements_first() {
        let mut patient = read(r#"{"active":true,"meta":{"profile":["p"],"versionId":"9"},"resourceType":"Patient","identifier":[{"system":"s","value":"v"}],"id":"old"}"#).unwrap();
        patient.stamp("new", "1", "2026-11-22T20:52:10.123Z");
        assert_eq!(
            patient.to_text(),
            r#"{"resourceType":"Patient","id":"new","meta":{"versionId":"1","lastUpdated":"2026-11-22T20:52:10.123Z","profile":["p"]},"active":true,"identifier":[{"system":"s","value":"v"}]}"#
        );
        assert_eq!(
            (patient.id(), patient.version_id()),
            (Some("new"), Some("1"))
        );
        assert_eq!(patient.profiles().collect::<Vec<_>>(), ["p"]);
        let identifiers: Vec<_> = patient.identifiers().collect();
        assert_eq!(
            identifiers,
            [Identifier {
                system: Some("s"),
                value: Some("v")
            }]
        );
    }

    #[test]
    fn set_id_keeps_the_rest() {
        let mut device = read(r#"{"resourceType":"Device","status":"active"}"#).unwrap();
        device.set_id("7");
        assert_eq!(
            device.to_text(),
            r#"{"resourceType":"Device","id":"7","status":"active"}"#
        );
    }
}
