//! References inside a resource that can be followed only once other entries have their ids: `urn:uuid:…` and
//! conditional ones (<https://hl7.org/fhir/R4/http.html#trules>). Found by the definitions, not by key names: an
//! Identifier's value that happens to be a UUID is data and stays.

use serde_json::{Map, Value};

use crate::definitions::{Definitions, ElementType, Primitive, TypeIndex};
use crate::reference::Reference;
use crate::resource::Resource;

/// A conditional reference, for the caller to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionalReference {
    /// Where it stands: `Observation.subject.reference`.
    pub expression: String,
    /// The whole text, as [`rewrite_references`] will ask for it.
    pub text: String,
    /// The type to search.
    pub resource_type: String,
    /// The query, still URL-encoded; see [`crate::search::decode_query`].
    pub query: String,
}

/// A reference that must be resolved and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Where it stands.
    pub expression: String,
    /// The text of the reference.
    pub text: String,
}

/// All conditional references of a resource (and its contained ones), in document order.
#[must_use]
pub fn conditional_references(definitions: &Definitions, resource: &Resource) -> Vec<ConditionalReference> {
    let mut copy = resource.clone();
    let mut found = Vec::new();
    rewrite_with(definitions, &mut copy, &mut |slot| {
        if let Some(Reference::Conditional { resource_type, query }) =
            Reference::parse(slot.text).filter(|_| slot.is_reference)
        {
            found.push(ConditionalReference {
                expression: slot.expression.to_owned(),
                text: slot.text.to_owned(),
                resource_type: resource_type.to_owned(),
                query: query.to_owned(),
            });
        }
        None
    });
    found
}

/// Rewrites what refers to other entries: every `Reference.reference` (fragments excepted), every uri, url, canonical,
/// oid and uuid that is a URN, and the URNs in links of the narrative. `resolve` gets the text and answers the new one
/// (`Patient/1`), or `None` to leave it. Returns the URNs and conditional references in `Reference.reference` that
/// were left.
pub fn rewrite_references(
    definitions: &Definitions,
    resource: &mut Resource,
    mut resolve: impl FnMut(&str) -> Option<String>,
) -> Vec<Unresolved> {
    let mut left = Vec::new();
    rewrite_with(definitions, resource, &mut |slot| {
        let answer = resolve(slot.text);
        let must = matches!(Reference::parse(slot.text), Some(Reference::Urn(_) | Reference::Conditional { .. }));
        if answer.is_none() && must && slot.is_reference {
            left.push(Unresolved { expression: slot.expression.to_owned(), text: slot.text.to_owned() });
        }
        answer
    });
    left
}

/// One text that may have to change.
struct Slot<'a> {
    expression: &'a str,
    text: &'a str,
    /// True for `Reference.reference`, false for uris and narrative links.
    is_reference: bool,
}

type Rewrite<'f> = dyn FnMut(&Slot<'_>) -> Option<String> + 'f;

fn rewrite_with(definitions: &Definitions, resource: &mut Resource, rewrite: &mut Rewrite<'_>) {
    let Some(index) = definitions.resource_type(resource.resource_type()) else { return };
    let mut walk = Walk { definitions, rewrite, path: resource.resource_type().to_owned() };
    walk.object(index, resource.object_mut());
}

struct Walk<'a, 'f> {
    definitions: &'a Definitions,
    rewrite: &'a mut Rewrite<'f>,
    path: String,
}

impl Walk<'_, '_> {
    fn object(&mut self, index: TypeIndex, object: &mut Map<String, Value>) {
        let definitions = self.definitions;
        let owner = definitions.get(index).map_or("", |definition| definition.name.as_str());
        for (key, value) in object.iter_mut() {
            if let Some(name) = key.strip_prefix('_') {
                if definitions.property(index, name).is_some()
                    && let Some(element) = definitions.type_named("Element")
                {
                    self.value(owner, key, ElementType::Complex(element), value);
                }
            } else if let Some((_, kind)) = definitions.property(index, key) {
                self.value(owner, key, kind, value);
            }
        }
    }

    fn value(&mut self, owner: &str, key: &str, kind: ElementType, value: &mut Value) {
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(key);
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{at}]"));
                    self.item(owner, key, kind, item);
                    self.path.truncate(length);
                }
            }
            one => self.item(owner, key, kind, one),
        }
        self.path.truncate(length);
    }

    fn item(&mut self, owner: &str, key: &str, kind: ElementType, value: &mut Value) {
        match (kind, value) {
            (ElementType::Complex(index) | ElementType::SimpleQuantity(index), Value::Object(object)) => {
                self.object(index, object)
            }
            (ElementType::AnyResource, Value::Object(object)) => {
                let name = object.get("resourceType").and_then(Value::as_str);
                if let Some(index) = name.and_then(|name| self.definitions.resource_type(name)) {
                    self.object(index, object);
                }
            }
            (ElementType::Primitive(kind), Value::String(text)) => self.text(owner, key, kind, text),
            _ => {}
        }
    }

    fn text(&mut self, owner: &str, key: &str, kind: Primitive, text: &mut String) {
        let is_reference = owner == "Reference" && key == "reference";
        let new = match kind {
            _ if is_reference && !text.starts_with('#') => self.ask(text, true),
            // Systems and extension URLs name namespaces, never resources of this Bundle.
            Primitive::Uri | Primitive::Url | Primitive::Canonical | Primitive::Oid | Primitive::Uuid
                if text.starts_with("urn:") && key != "system" && owner != "Extension" =>
            {
                self.ask(text, false)
            }
            Primitive::Uri if owner == "Extension" && key != "url" && text.starts_with("urn:") => self.ask(text, false),
            Primitive::Xhtml if text.contains("urn:") => self.narrative(text),
            _ => None,
        };
        if let Some(new) = new {
            *text = new;
        }
    }

    fn ask(&mut self, text: &str, is_reference: bool) -> Option<String> {
        (self.rewrite)(&Slot { expression: &self.path, text, is_reference })
    }

    /// Rewrites quoted URNs, which is where links stand in XHTML.
    fn narrative(&mut self, text: &str) -> Option<String> {
        let mut rewritten = String::with_capacity(text.len());
        let mut changed = false;
        for part in text.split_inclusive(['"', '\'']) {
            let (link, quote) = part.split_at(part.len() - usize::from(part.ends_with(['"', '\''])));
            let new = if link.starts_with("urn:") && !quote.is_empty() { self.ask(link, false) } else { None };
            changed |= new.is_some();
            rewritten.push_str(new.as_deref().unwrap_or(link));
            rewritten.push_str(quote);
        }
        changed.then_some(rewritten)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::definitions::tests::r4;

    const URN: &str = "urn:uuid:0195c3f0-0000-7000-8000-00000000000a";

    #[test]
    fn urns_are_rewritten_where_they_refer() {
        let div =
            |link: &str| format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{link}\">{URN}</a></div>");
        let mut resource = Resource::from_value(json!({
            "resourceType": "Observation",
            "text": {"status": "generated", "div": div(URN)},
            "identifier": [{"system": URN, "value": URN}],
            "subject": {"reference": URN},
            "performer": [{"reference": "Practitioner/1"}, {"reference": URN}],
            "extension": [{"url": URN, "valueReference": {"reference": URN}}, {"url": "http://a", "valueUri": URN}],
            "contained": [{"resourceType": "Device", "id": "d", "patient": {"reference": URN}}],
            "device": {"reference": "#d"},
            "valueString": URN,
        }))
        .unwrap();
        let left = rewrite_references(r4(), &mut resource, |text| (text == URN).then(|| "Patient/1".to_owned()));
        assert_eq!(left, []);
        let expected = json!({
            "resourceType": "Observation",
            "text": {"status": "generated", "div": div("Patient/1")},
            "identifier": [{"system": URN, "value": URN}],
            "subject": {"reference": "Patient/1"},
            "performer": [{"reference": "Practitioner/1"}, {"reference": "Patient/1"}],
            "extension": [{"url": URN, "valueReference": {"reference": "Patient/1"}}, {"url": "http://a", "valueUri": "Patient/1"}],
            "contained": [{"resourceType": "Device", "id": "d", "patient": {"reference": "Patient/1"}}],
            "device": {"reference": "#d"},
            "valueString": URN,
        });
        assert_eq!(resource.into_value(), expected);
    }

    #[test]
    fn conditional_references_are_found_and_rewritten() {
        let text = "Patient?identifier=urn%3Ax|1";
        let mut resource = Resource::from_value(
            json!({"resourceType": "Observation", "subject": {"reference": text}, "device": {"reference": URN}}),
        )
        .unwrap();
        let found = conditional_references(r4(), &resource);
        let expected = ConditionalReference {
            expression: "Observation.subject.reference".into(),
            text: text.into(),
            resource_type: "Patient".into(),
            query: "identifier=urn%3Ax|1".into(),
        };
        assert_eq!(found, [expected]);
        let left = rewrite_references(r4(), &mut resource, |asked| (asked == text).then(|| "Patient/9".to_owned()));
        assert_eq!(left, [Unresolved { expression: "Observation.device.reference".into(), text: URN.into() }]);
        assert_eq!(resource.get("subject"), Some(&json!({"reference": "Patient/9"})));
    }
}
