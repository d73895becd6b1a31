//! An Observation as another server gets it: without our ids and versions, with a subject that exists over there. Pure.
//!
//! Everything else stays as it was written: order, digits of decimals, extensions.

use serde_json::{Map, Value, json};

/// An identifier with its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identified {
    /// Its namespace; empty where it has none.
    pub(super) system: String,
    /// Its value.
    pub(super) value: String,
}

impl Identified {
    /// `identifier=system|value` as the query of a conditional interaction
    /// (<https://hl7.org/fhir/R4/http.html#ccreate>, <https://hl7.org/fhir/R4/search.html#escaping>).
    ///
    /// The `|` between the parts is written as it is, like in the specification's examples: inside a Bundle the text is
    /// JSON, and receivers that compare it without decoding exist. What would end the value is escaped twice: for search
    /// with a backslash, for the query with percent signs.
    pub(super) fn query(&self) -> String {
        let mut query = String::from("identifier=");
        if !self.system.is_empty() {
            escape_into(&mut query, &self.system);
            query.push('|');
        }
        escape_into(&mut query, &self.value);
        query
    }

    /// As `Identifier` (R4).
    pub(super) fn to_json(&self) -> Value {
        if self.system.is_empty() {
            return json!({ "value": self.value });
        }
        json!({ "system": self.system, "value": self.value })
    }

    /// Whether a JSON `Identifier` is this one.
    pub(super) fn is(&self, identifier: &Value) -> bool {
        let part = |name: &str| identifier.get(name).and_then(Value::as_str).unwrap_or_default();
        part("system") == self.system && part("value") == self.value
    }

    /// The identifier of a JSON `Identifier` that has a value.
    pub(super) fn of(identifier: &Value) -> Option<Self> {
        let value = identifier.get("value")?.as_str().filter(|value| !value.is_empty())?;
        let system = identifier.get("system").and_then(Value::as_str).unwrap_or_default();
        Some(Self { system: system.to_owned(), value: value.to_owned() })
    }
}

fn escape_into(query: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
                query.push(char::from(byte))
            }
            b',' | b'|' | b'$' | b'\\' => query.push_str(&format!("%5C%{byte:02X}")),
            _ => query.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The Device that an Observation came from, as it is named to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DeviceName {
    /// Its first identifier.
    pub(super) identifier: Option<Value>,
    /// `deviceName[0].name`.
    pub(super) display: Option<String>,
}

impl DeviceName {
    /// Reads it from our Device resource.
    pub(super) fn of(device: &Value) -> Self {
        let first = |list: &str| device.get(list).and_then(|list| list.get(0));
        let display = first("deviceName").and_then(|name| name.get("name")).and_then(Value::as_str);
        Self { identifier: first("identifier").cloned(), display: display.map(str::to_owned) }
    }
}

/// What the receiver's view of an Observation needs to know.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The Observation's stable identifier.
    pub(super) identifier: &'a Identified,
    /// The patient's id here.
    pub(super) patient: &'a str,
    /// What stands in `reference` for the patient: a conditional reference, or the `fullUrl` of an entry.
    pub(super) subject: &'a str,
    /// How its Device is named.
    pub(super) device: &'a DeviceName,
    /// Both forms of our own FHIR base, without a slash at the end.
    pub(super) own_bases: &'a [String],
}

/// Rewrites an Observation for the receiver.
pub(super) fn rewrite(observation: &mut Map<String, Value>, view: &View<'_>) {
    // Comments of removed elements (`_id`) go with them.
    for name in ["id", "_id"] {
        observation.shift_remove(name);
    }
    if let Some(Value::Object(meta)) = observation.get_mut("meta") {
        for name in ["versionId", "_versionId", "lastUpdated", "_lastUpdated"] {
            meta.shift_remove(name);
        }
        if meta.is_empty() {
            observation.shift_remove("meta");
        }
    }
    if let Some(Value::Object(device)) = observation.get_mut("device") {
        name_device(device, view.device);
    }
    add_identifier(observation, view.identifier);
    observation.retain(|_name, value| rewrite_references(value, view));
}

/// Our Device is not over there: a logical reference, by identifier and name.
fn name_device(reference: &mut Map<String, Value>, device: &DeviceName) {
    if let Some(identifier) = &device.identifier {
        reference.entry("identifier").or_insert_with(|| identifier.clone());
    }
    if let Some(display) = &device.display {
        reference.entry("display").or_insert_with(|| display.clone().into());
    }
}

fn add_identifier(observation: &mut Map<String, Value>, identifier: &Identified) {
    match observation.get_mut("identifier") {
        Some(Value::Array(all)) if all.iter().any(|one| identifier.is(one)) => {}
        Some(Value::Array(all)) => all.push(identifier.to_json()),
        _ => {
            observation.insert("identifier".into(), Value::Array(vec![identifier.to_json()]));
        }
    }
}

/// Answers false for a value of which nothing is left.
fn rewrite_references(value: &mut Value, view: &View<'_>) -> bool {
    match value {
        Value::Array(items) => {
            items.retain_mut(|item| rewrite_references(item, view));
            !items.is_empty()
        }
        Value::Object(object) => {
            match object.get("reference") {
                Some(Value::String(target)) => match local_target(target, view.own_bases) {
                    Some(local) if local.split("/_history/").next() == Some(&format!("Patient/{}", view.patient)) => {
                        // The name that stands beside it is ours to show, not theirs to get.
                        object.insert("reference".into(), view.subject.into());
                        object.shift_remove("display");
                    }
                    Some(_) => {
                        object.shift_remove("reference");
                    }
                    None => {}
                },
                // Not a Reference: nested elements may hold some.
                _ => object.retain(|_name, value| rewrite_references(value, view)),
            }
            !object.is_empty()
        }
        _ => true,
    }
}

/// `Type/id` of a reference to a resource of ours; `None` for what the receiver can follow as well.
fn local_target<'a>(reference: &'a str, own_bases: &[String]) -> Option<&'a str> {
    let own =
        own_bases.iter().find_map(|base| reference.strip_prefix(base.as_str()).and_then(|rest| rest.strip_prefix('/')));
    if own.is_some() {
        return own;
    }
    let elsewhere = reference.starts_with('#') || reference.contains(':') || reference.contains('?');
    (!elsewhere).then_some(reference)
}

/// A Patient as an endpoint gets it that asked for Patients to be created: who it is, and no more.
pub(super) fn rewrite_patient(patient: &Map<String, Value>, identifier: &Identified) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("resourceType".into(), "Patient".into());
    view.insert("identifier".into(), Value::Array(vec![identifier.to_json()]));
    for name in ["name", "gender", "birthDate"] {
        if let Some(value) = patient.get(name) {
            view.insert(name.into(), value.clone());
        }
    }
    view
}

/// The identifier by which an endpoint knows a patient: the one with `system`, else the first.
pub(super) fn patient_identifier(patient: &Value, system: Option<&str>) -> Option<Identified> {
    let mut all = patient.get("identifier")?.as_array()?.iter().filter_map(Identified::of);
    match system {
        Some(system) => all.find(|identifier| identifier.system == system),
        None => all.next(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn id(system: &str, value: &str) -> Identified {
        Identified { system: system.into(), value: value.into() }
    }

    fn rewritten(text: &str) -> String {
        let mut observation: Map<String, Value> = serde_json::from_str(text).unwrap();
        let device =
            DeviceName { identifier: Some(json!({"system": "urn:s", "value": "SN1"})), display: Some("Scale".into()) };
        let view = View {
            identifier: &id("urn:uuid:7", "abc"),
            patient: "p1",
            subject: "Patient?identifier=urn:mrn|42",
            device: &device,
            own_bases: &["https://us.example/t/1/fhir/r4".to_owned()],
        };
        rewrite(&mut observation, &view);
        serde_json::to_string(&observation).unwrap()
    }

    #[test]
    fn our_ids_go_and_digits_stay() {
        let text = r#"{"resourceType":"Observation","id":"o1","meta":{"versionId":"1","lastUpdated":"2026-11-22T20:52:10.123Z","source":"urn:x","profile":["http://p"]},"identifier":[{"system":"urn:uuid:7","value":"abc"}],"status":"final","subject":{"reference":"Patient/p1","display":"Ada Example"},"device":{"reference":"Device/d1"},"valueQuantity":{"value":97.50,"unit":"%"},"component":[{"valueQuantity":{"value":0.0000001}},{"valueQuantity":{"value":120}},{"valueQuantity":{"value":12345678901234567890.1234567890}}]}"#;
        assert_eq!(
            rewritten(text),
            r#"{"resourceType":"Observation","meta":{"source":"urn:x","profile":["http://p"]},"identifier":[{"system":"urn:uuid:7","value":"abc"}],"status":"final","subject":{"reference":"Patient?identifier=urn:mrn|42"},"device":{"identifier":{"system":"urn:s","value":"SN1"},"display":"Scale"},"valueQuantity":{"value":97.50,"unit":"%"},"component":[{"valueQuantity":{"value":0.0000001}},{"valueQuantity":{"value":120}},{"valueQuantity":{"value":12345678901234567890.1234567890}}]}"#
        );
    }

    #[test]
    fn references_that_would_dangle_are_dropped() {
        let text = r##"{"resourceType":"Observation","meta":{"versionId":"1"},"performer":[{"reference":"Practitioner/1"},{"reference":"Practitioner/2","display":"Dr B"},{"reference":"https://us.example/t/1/fhir/r4/Patient/p1"},{"reference":"https://other.example/Practitioner/3"},{"reference":"#c"}],"encounter":{"reference":"Encounter/9"},"contained":[{"resourceType":"Provenance","id":"c","target":[{"reference":"Patient/p1"}]}]}"##;
        assert_eq!(
            rewritten(text),
            r##"{"resourceType":"Observation","performer":[{"display":"Dr B"},{"reference":"Patient?identifier=urn:mrn|42"},{"reference":"https://other.example/Practitioner/3"},{"reference":"#c"}],"contained":[{"resourceType":"Provenance","id":"c","target":[{"reference":"Patient?identifier=urn:mrn|42"}]}],"identifier":[{"system":"urn:uuid:7","value":"abc"}]}"##
        );
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(id("urn:uuid:7", "abc-_.~").query(), "identifier=urn:uuid:7|abc-_.~");
        assert_eq!(id("", "42").query(), "identifier=42");
        assert_eq!(
            id("https://h.example/a?b#c", "a&b=c d+e%").query(),
            "identifier=https://h.example/a%3Fb%23c|a%26b%3Dc%20d%2Be%25"
        );
        assert_eq!(id("s", r"a,b|c$d\e").query(), "identifier=s|a%5C%2Cb%5C%7Cc%5C%24d%5C%5Ce");
        assert_eq!(id("s", "ä").query(), "identifier=s|%C3%A4");
    }

    #[test]
    fn patients_are_named_as_the_endpoint_knows_them() {
        let patient = json!({"identifier": [{"value": ""}, {"system": "a", "value": "1"}, {"system": "b", "value": "2"}], "name": [{"family": "X"}], "address": [{"city": "Y"}]});
        assert_eq!(patient_identifier(&patient, None), Some(id("a", "1")));
        assert_eq!(patient_identifier(&patient, Some("b")), Some(id("b", "2")));
        assert_eq!(patient_identifier(&patient, Some("c")), None);
        assert_eq!(patient_identifier(&json!({}), None), None);
        let view = rewrite_patient(patient.as_object().unwrap(), &id("b", "2"));
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            r#"{"resourceType":"Patient","identifier":[{"system":"b","value":"2"}],"name":[{"family":"X"}]}"#
        );
    }
}
