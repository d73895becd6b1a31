//! The walk over a resource: one pass, a path kept as text, every fault collected.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::primitive::json_kind;
use super::{MOST_ISSUES, Options, bindings, invariants, narrative, primitive, references};
use crate::definitions::{Definitions, Element, ElementType, Primitive, TypeIndex};
use crate::outcome::{Issue, IssueCode};

/// The state of one validation.
pub(super) struct Walk<'a> {
    pub(super) definitions: &'a Definitions,
    pub(super) options: Options,
    path: String,
    issues: Vec<Issue>,
    /// Contained resources of the resource being walked: id → type.
    contained: HashMap<String, String>,
    /// Fragments that something in the resource refers to (dom-3).
    fragments: HashSet<String>,
    inside_contained: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(definitions: &'a Definitions, options: Options) -> Self {
        Self {
            definitions,
            options,
            path: String::new(),
            issues: Vec::new(),
            contained: HashMap::new(),
            fragments: HashSet::new(),
            inside_contained: false,
        }
    }

    /// Validates a resource that stands alone.
    pub(super) fn resource(mut self, object: &Map<String, Value>) -> Vec<Issue> {
        self.path = object.get("resourceType").and_then(Value::as_str).unwrap_or("Resource").to_owned();
        self.container(object);
        if self.issues.len() >= MOST_ISSUES {
            self.issues.push(Issue::information(
                IssueCode::Informational,
                format!("only the first {MOST_ISSUES} issues are listed"),
            ));
        }
        self.issues
    }

    /// Reports an error at the current element.
    pub(super) fn error(&mut self, code: IssueCode, text: impl Into<String>) {
        self.report(Issue::error(code, format!("{} {}", self.path, text.into())).at(self.path.clone()));
    }

    /// Reports an error at an element below the current one.
    pub(super) fn error_at(&mut self, name: &str, code: IssueCode, text: impl Into<String>) {
        self.within(name, None, |walk| walk.error(code, text));
    }

    /// The type of a contained resource, which is thereby referred to; reports ref-1 when there is none.
    pub(super) fn contained_type(&mut self, id: &str) -> Option<String> {
        self.fragments.insert(id.to_owned());
        if id.is_empty() {
            return None;
        }
        let found = self.contained.get(id).cloned();
        if found.is_none() {
            self.error_at(
                "reference",
                IssueCode::Invariant,
                "refers to a contained resource that is not in contained (ref-1)",
            );
        }
        found
    }

    /// True when more faults would not be told anyway.
    fn is_full(&self) -> bool {
        self.issues.len() >= MOST_ISSUES
    }

    fn report(&mut self, issue: Issue) {
        if !self.is_full() {
            self.issues.push(issue);
        }
    }

    /// Runs a step one element deeper.
    fn within(&mut self, name: &str, index: Option<usize>, step: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(name);
        if let Some(index) = index {
            self.path.push_str(&format!("[{index}]"));
        }
        step(self);
        self.path.truncate(length);
    }

    /// A resource that may contain others: the scope of `#id` references.
    fn container(&mut self, object: &Map<String, Value>) {
        let outer_contained = std::mem::replace(&mut self.contained, contained_ids(object));
        let outer_fragments = std::mem::take(&mut self.fragments);
        let outer_inside = std::mem::replace(&mut self.inside_contained, false);
        self.node(object);
        self.unreferenced(object);
        self.contained = outer_contained;
        self.fragments = outer_fragments;
        self.inside_contained = outer_inside;
    }

    /// dom-3: a contained resource that nothing refers to, and that does not refer to its container, has no place.
    fn unreferenced(&mut self, object: &Map<String, Value>) {
        let contained = object.get("contained").and_then(Value::as_array);
        for (index, resource) in contained.into_iter().flatten().enumerate() {
            let referred = resource.get("id").and_then(Value::as_str).is_some_and(|id| self.fragments.contains(id));
            if !referred && !refers_to_container(resource) {
                let text = "must be referred to from the resource that contains it, by #id (dom-3)";
                self.within("contained", Some(index), |walk| walk.error(IssueCode::Invariant, text));
            }
        }
    }

    fn node(&mut self, object: &Map<String, Value>) {
        let name = match object.get("resourceType") {
            Some(Value::String(name)) => name,
            Some(_) => return self.error_at("resourceType", IssueCode::Structure, "must be a string"),
            None => {
                return self.error(IssueCode::Structure, "has no resourceType, which must name the type of resource");
            }
        };
        let Some(index) = self.definitions.resource_type(name) else {
            let shown: String = name.chars().take(40).collect();
            return self.error_at(
                "resourceType",
                IssueCode::Structure,
                format!("is {shown}, which is no R4 resource type"),
            );
        };
        self.complex(index, object, true);
    }

    fn any_resource(&mut self, object: &Map<String, Value>, element: &Element) {
        if element.name != "contained" {
            return self.container(object);
        }
        if self.inside_contained {
            return self.error(
                IssueCode::Invariant,
                "is contained in a contained resource; contain it in the outermost one (dom-2)",
            );
        }
        self.inside_contained = true;
        if object.get("id").is_none() {
            self.error(IssueCode::Required, "has no id, which #id references need");
        }
        self.node(object);
        self.inside_contained = false;
    }

    /// Any object of a known type.
    fn complex(&mut self, index: TypeIndex, object: &Map<String, Value>, is_resource: bool) {
        if object.keys().all(|key| matches!(key.as_str(), "id" | "resourceType")) && !is_resource {
            return self.error(IssueCode::Invariant, "is empty; leave it out, or give it a value or children (ele-1)");
        }
        for (key, value) in object {
            if self.is_full() {
                return;
            }
            match key.strip_prefix('_') {
                _ if is_resource && key == "resourceType" => {}
                Some(name) => self.primitive_extension(index, object, name, value),
                None => self.property(index, object, key, value),
            }
        }
        self.cardinality(index, object);
        if let Some(definition) = self.definitions.get(index) {
            invariants::check(self, &definition.name, object);
        }
    }

    fn property(&mut self, index: TypeIndex, object: &Map<String, Value>, key: &str, value: &Value) {
        let Some((element, kind)) = self.definitions.property(index, key) else {
            return self.unknown(index, key);
        };
        match (element.repeats, value) {
            (true, Value::Array(items)) if items.is_empty() => {
                self.error_at(key, IssueCode::Structure, "is an empty array; leave it out instead")
            }
            (true, Value::Array(items)) => {
                let extended = items.iter().any(Value::is_null).then(|| object.get(&format!("_{key}"))).flatten();
                for (at, item) in items.iter().enumerate() {
                    let extension = extended.and_then(|all| all.get(at));
                    self.within(key, Some(at), |walk| walk.item(element, kind, item, extension));
                }
            }
            (true, _) => self.error_at(
                key,
                IssueCode::Structure,
                format!("may repeat, so it must be a JSON array; found {}", json_kind(value)),
            ),
            (false, Value::Array(_)) => {
                self.error_at(key, IssueCode::Structure, "occurs at most once, so it must not be a JSON array")
            }
            (false, _) => self.within(key, None, |walk| walk.item(element, kind, value, None)),
        }
    }

    fn item(&mut self, element: &Element, kind: ElementType, value: &Value, extension: Option<&Value>) {
        match (kind, value) {
            (ElementType::Primitive(_), Value::Null) if element.repeats && extension.is_some_and(Value::is_object) => {}
            (_, Value::Null) => self.error(IssueCode::Structure, "must not be null; leave the element out instead"),
            (ElementType::Primitive(kind), _) => self.primitive(element, kind, value),
            (ElementType::AnyResource, Value::Object(object)) => self.any_resource(object, element),
            (ElementType::Complex(index), Value::Object(object)) => self.typed(element, index, object),
            (ElementType::SimpleQuantity(index), Value::Object(object)) => {
                if object.contains_key("comparator") {
                    self.error_at("comparator", IssueCode::Invariant, "is not allowed in this quantity (sqty-1)");
                }
                self.typed(element, index, object);
            }
            (ElementType::AnyResource | ElementType::Complex(_) | ElementType::SimpleQuantity(_), _) => {
                self.error(IssueCode::Structure, format!("must be a JSON object; found {}", json_kind(value)));
            }
        }
    }

    fn typed(&mut self, element: &Element, index: TypeIndex, object: &Map<String, Value>) {
        self.complex(index, object, false);
        match self.definitions.get(index).map(|definition| definition.name.as_str()) {
            Some("Reference") => references::check(self, element, object),
            Some("Coding") => bindings::coding(self, element, object),
            Some("CodeableConcept") => bindings::codeable_concept(self, element, object),
            _ => {}
        }
    }

    fn primitive(&mut self, element: &Element, kind: Primitive, value: &Value) {
        if let Err(text) = primitive::check(kind, value) {
            let code = if value.is_object() || value.is_array() { IssueCode::Structure } else { IssueCode::Value };
            return self.error(code, text);
        }
        let Some(text) = value.as_str() else { return };
        if let Some(fragment) = text.strip_prefix('#')
            && matches!(kind, Primitive::Canonical | Primitive::Uri | Primitive::Url)
        {
            self.fragments.insert(fragment.to_owned());
        }
        if kind == Primitive::Xhtml
            && let Err(text) = narrative::check(text)
        {
            return self.error(IssueCode::Invariant, format!("{text} (txt-1)"));
        }
        if kind == Primitive::Code {
            bindings::code(self, element, text);
        }
    }

    /// `_name`: id and extensions of the primitive `name`.
    fn primitive_extension(&mut self, index: TypeIndex, object: &Map<String, Value>, name: &str, value: &Value) {
        let json_name = format!("_{name}");
        let Some((element, ElementType::Primitive(_))) = self.definitions.property(index, name) else {
            return self.unknown(index, &json_name);
        };
        let Some(element_type) = self.definitions.type_named("Element") else { return };
        match (element.repeats, value) {
            (false, Value::Object(extended)) => {
                self.within(&json_name, None, |walk| walk.complex(element_type, extended, false))
            }
            (true, Value::Array(items)) if items.iter().any(Value::is_object) => {
                let values = object.get(name).and_then(Value::as_array).map(Vec::len);
                if values.is_some_and(|length| length != items.len()) {
                    self.error_at(
                        &json_name,
                        IssueCode::Structure,
                        format!("must have as many items as {name}, with null where there is no extension"),
                    );
                }
                for (at, item) in items.iter().enumerate() {
                    self.within(&json_name, Some(at), |walk| walk.extension_item(element_type, item));
                }
            }
            (true, _) => self.error_at(&json_name, IssueCode::Structure, "must be a JSON array of objects and nulls"),
            (false, _) => self.error_at(
                &json_name,
                IssueCode::Structure,
                format!("must be a JSON object with id or extension; found {}", json_kind(value)),
            ),
        }
    }

    fn extension_item(&mut self, element_type: TypeIndex, item: &Value) {
        match item {
            Value::Null => {}
            Value::Object(extended) => self.complex(element_type, extended, false),
            _ => self.error(IssueCode::Structure, "must be an object or null"),
        }
    }

    /// Required elements, and choices given once.
    fn cardinality(&mut self, index: TypeIndex, object: &Map<String, Value>) {
        let definitions = self.definitions;
        let mut choices: Vec<(&str, &str)> = Vec::new();
        for key in object.keys() {
            let name = key.trim_start_matches('_');
            if let Some((element, _)) = definitions.property(index, name)
                && element.is_choice()
                && !choices.contains(&(&element.name, name))
            {
                choices.push((&element.name, name));
            }
        }
        for (at, (choice, name)) in choices.iter().enumerate() {
            if let Some((_, other)) = choices.iter().skip(at + 1).find(|(other, _)| other == choice) {
                let text = format!("has {name} and {other}; only one of them is allowed ({choice})");
                self.error(IssueCode::Structure, text);
            }
        }
        for element in definitions.elements(index).filter(|element| element.min > 0) {
            if element.is_choice() {
                if !choices.iter().any(|(choice, _)| *choice == element.name) {
                    self.error(IssueCode::Required, format!("needs one of {}", element.json_names()));
                }
            } else if !is_given(object, &element.name) {
                self.error(IssueCode::Required, format!("needs {}", element.name));
            }
        }
    }

    fn unknown(&mut self, index: TypeIndex, key: &str) {
        let definitions = self.definitions;
        let plain = key.trim_start_matches('_');
        let names = definitions.elements(index).flat_map(|element| &element.types).map(|(name, _)| name.as_str());
        let near = names.map(|name| (distance(plain, name), name)).min().filter(|(distance, _)| *distance <= 2);
        let owner = definitions.get(index).map_or("the type", |definition| &definition.name);
        let shown: String = key.chars().take(64).collect();
        let text = match (definitions.element(index, plain), near) {
            (Some(choice), _) if choice.is_choice() => format!(
                "is not known in {owner}: {} is written with its type, one of {}",
                choice.name,
                choice.json_names()
            ),
            (_, Some((_, near))) => format!("is not known in {owner}; did you mean {near}?"),
            _ => format!("is not known in {owner}; what R4 does not define goes into extension"),
        };
        self.error_at(&shown, IssueCode::Structure, text);
    }
}

fn is_given(object: &Map<String, Value>, name: &str) -> bool {
    object.contains_key(name) || object.contains_key(&format!("_{name}"))
}

fn contained_ids(object: &Map<String, Value>) -> HashMap<String, String> {
    let contained = object.get("contained").and_then(Value::as_array);
    let pair = |resource: &Value| {
        Some((resource.get("id")?.as_str()?.to_owned(), resource.get("resourceType")?.as_str()?.to_owned()))
    };
    contained.into_iter().flatten().filter_map(pair).collect()
}

fn refers_to_container(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.iter().any(|(key, value)| (key == "reference" && value == "#") || refers_to_container(value))
        }
        Value::Array(items) => items.iter().any(refers_to_container),
        _ => false,
    }
}

/// Edits between two names, to find the one that was meant; long names are never near.
fn distance(left: &str, right: &str) -> usize {
    if left.len().abs_diff(right.len()) > 2 || left.len() > 64 {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, left) in left.chars().enumerate() {
        let mut next = vec![at + 1];
        for ((right, pair), above) in right.iter().zip(row.windows(2)).zip(row.iter().skip(1)) {
            let diagonal = pair.first().copied().unwrap_or_default() + usize::from(left != *right);
            let beside = next.last().copied().unwrap_or_default() + 1;
            next.push(diagonal.min(beside).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
