//! A [`Resource`]: FHIR JSON with its type known. Key order and the digits of every number are those of the text it was
//! read from, and it is written back that way.

use serde_json::{Map, Value};

use crate::parse::{Limits, ParseError, ParseErrorKind, parse_json};

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
            return Err(ParseError::new(ParseErrorKind::NotAResource, "a resource must be a JSON object"));
        };
        match object.get("resourceType") {
            Some(Value::String(name)) if crate::reference::is_type_name(name) => {
                Ok(Self { resource_type: name.clone(), object })
            }
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
        profiles.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The business identifiers, whether the type has one or many.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier<'_>> {
        let found = self.object.get("identifier");
        let all = match found {
            Some(Value::Array(many)) => many.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        all.iter().filter_map(Value::as_object).map(|identifier| Identifier {
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

    /// Sets a top-level code, such as `status`, where it stands; a new one goes to the end.
    pub fn set_code(&mut self, name: &str, code: &str) {
        self.object.insert(name.to_owned(), code.into());
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
        meta.extend(old.into_iter().filter(|(key, _)| !mine.contains(&key.as_str())));
    }
    Value::Object(meta)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(text: &str) -> Result<Resource, ParseError> {
        Resource::from_slice(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn stamp_puts_the_servers_elements_first() {
        let mut patient = read(r#"{"active":true,"meta":{"profile":["p"],"versionId":"9"},"resourceType":"Patient","identifier":[{"system":"s","value":"v"}],"id":"old"}"#).unwrap();
        patient.stamp("new", "1", "2026-11-22T20:52:10.123Z");
        assert_eq!(
            patient.to_text(),
            r#"{"resourceType":"Patient","id":"new","meta":{"versionId":"1","lastUpdated":"2026-11-22T20:52:10.123Z","profile":["p"]},"active":true,"identifier":[{"system":"s","value":"v"}]}"#
        );
        assert_eq!((patient.id(), patient.version_id()), (Some("new"), Some("1")));
        assert_eq!(patient.profiles().collect::<Vec<_>>(), ["p"]);
        let identifiers: Vec<_> = patient.identifiers().collect();
        assert_eq!(identifiers, [Identifier { system: Some("s"), value: Some("v") }]);
    }

    #[test]
    fn a_code_is_set_where_it_stands() {
        let mut observation =
            read(r#"{"resourceType":"Observation","status":"final","valueQuantity":{"value":97.50}}"#).unwrap();
        observation.set_code("status", "entered-in-error");
        assert_eq!(
            observation.to_text(),
            r#"{"resourceType":"Observation","status":"entered-in-error","valueQuantity":{"value":97.50}}"#
        );
    }

    #[test]
    fn set_id_keeps_the_rest() {
        let mut device = read(r#"{"resourceType":"Device","status":"active"}"#).unwrap();
        device.set_id("7");
        assert_eq!(device.to_text(), r#"{"resourceType":"Device","id":"7","status":"active"}"#);
    }
}
