//! The official R4 definitions, condensed (`fhir-profiles/r4/definitions.json`), in a form made for fast look-up:
//! names are resolved to numbers once, at load. Immutable; build one and share it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

const EMBEDDED: &str = include_str!("../../../../fhir-profiles/r4/definitions.json");

/// Names one type inside one [`Definitions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeIndex(usize);

/// Names one required value set inside one [`Definitions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueSetIndex(usize);

/// What kind of structure a definition describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeKind {
    /// A resource type, such as `Observation`.
    Resource,
    /// A complex datatype, such as `Quantity`.
    Datatype,
    /// An inline structure, such as `Observation.component`.
    Backbone,
}

/// The type an element may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// A primitive: a JSON string, number or boolean.
    Primitive(Primitive),
    /// A JSON object of this type.
    Complex(TypeIndex),
    /// A Quantity that may not have a comparator (profile `SimpleQuantity`).
    SimpleQuantity(TypeIndex),
    /// Any resource, told by its `resourceType`.
    AnyResource,
}

macro_rules! primitives {
    ($($name:ident = $code:literal,)+) => {
        /// The primitive datatypes of R4 (<https://hl7.org/fhir/R4/datatypes.html#primitive>).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the datatype of the same name in the specification")]
        pub enum Primitive { $($name,)+ }

        impl Primitive {
            /// The FHIR name, such as `dateTime`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The primitive with this FHIR name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

primitives! {
    Base64Binary = "base64Binary", Boolean = "boolean", Canonical = "canonical", Code = "code", Date = "date",
    DateTime = "dateTime", Decimal = "decimal", Id = "id", Instant = "instant", Integer = "integer",
    Markdown = "markdown", Oid = "oid", PositiveInt = "positiveInt", String = "string", Time = "time",
    UnsignedInt = "unsignedInt", Uri = "uri", Url = "url", Uuid = "uuid", Xhtml = "xhtml",
}

/// One element of a type.
#[derive(Debug)]
pub struct Element {
    /// The name as in the specification: `status`, `value[x]`.
    pub name: String,
    /// The least number of occurrences (0 or 1 in all of R4's base definitions, more is possible).
    pub min: usize,
    /// True when it may repeat, and therefore is a JSON array.
    pub repeats: bool,
    /// The types allowed, with the JSON name each has (`valueQuantity` for `value[x]`).
    pub types: Vec<(String, ElementType)>,
    /// The resource types a Reference may point at; empty means any.
    pub targets: Vec<String>,
    /// The value set the code must come from.
    pub value_set: Option<ValueSetIndex>,
}

impl Element {
    /// True for `value[x]` and the like.
    #[must_use]
    pub fn is_choice(&self) -> bool {
        self.name.ends_with("[x]")
    }

    /// The JSON names the element may have, for messages: `valueQuantity, valueString, …`.
    #[must_use]
    pub fn json_names(&self) -> String {
        self.types.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A resource type, datatype or backbone element.
#[derive(Debug)]
pub struct TypeDefinition {
    /// `Observation`, `Quantity` or `Observation.component`.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
    /// True for types that never occur themselves (`Resource`, `DomainResource`, `Element`).
    pub is_abstract: bool,
    base: Option<TypeIndex>,
    elements: Vec<Element>,
    by_json_name: HashMap<String, (usize, usize)>,
}

/// The codes of a required value set.
#[derive(Debug)]
pub struct ValueSet {
    /// Its canonical URL.
    pub url: String,
    codes: HashSet<String>,
    systems: HashMap<String, HashSet<String>>,
    listed: String,
}

impl ValueSet {
    /// True when a plain `code` is in the set.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.codes.contains(code)
    }

    /// True when a Coding is in the set.
    #[must_use]
    pub fn has_coding(&self, system: &str, code: &str) -> bool {
        self.systems.get(system).is_some_and(|codes| codes.contains(code))
    }

    /// The system that a plain `code` of the set comes from, when only one of its systems has it.
    #[must_use]
    pub fn system_of(&self, code: &str) -> Option<&str> {
        let mut systems =
            self.systems.iter().filter(|(_, codes)| codes.contains(code)).map(|(system, _)| system.as_str());
        systems.next().filter(|_| systems.next().is_none())
    }

    /// The codes in the order of the value set, at most a dozen, for messages.
    #[must_use]
    pub fn listed(&self) -> &str {
        &self.listed
    }
}

/// Why the embedded data could not be used. A build that passes its tests never returns this.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// Not the JSON that `condense.py` writes.
    #[error("the FHIR definitions are not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// A name that nothing defines.
    #[error("the FHIR definitions name {0}, which they do not define")]
    Undefined(String),
}

/// All resource types, datatypes and required value sets of R4.
#[derive(Debug)]
pub struct Definitions {
    types: Vec<TypeDefinition>,
    by_name: HashMap<String, TypeIndex>,
    value_sets: Vec<ValueSet>,
}

#[derive(Deserialize)]
struct Source {
    types: serde_json::Map<String, Value>,
    #[serde(rename = "valueSets")]
    value_sets: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct TypeSource {
    kind: TypeKind,
    #[serde(default, rename = "abstract")]
    is_abstract: bool,
    base: Option<String>,
    elements: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct ElementSource {
    #[serde(default)]
    min: usize,
    max: Option<String>,
    types: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(rename = "valueSet")]
    value_set: Option<String>,
}

impl Definitions {
    /// Loads the definitions that are compiled into this crate (a few milliseconds; do it once).
    ///
    /// # Errors
    /// Only when the embedded file is damaged.
    pub fn load() -> Result<Self, DefinitionsError> {
        let source: Source = serde_json::from_str(EMBEDDED)?;
        let names = source.types.keys().enumerate();
        let by_name: HashMap<String, TypeIndex> = names.map(|(at, name)| (name.clone(), TypeIndex(at))).collect();
        let mut value_sets = Vec::new();
        let mut sets_by_url = HashMap::new();
        for (url, systems) in source.value_sets {
            sets_by_url.insert(url.clone(), ValueSetIndex(value_sets.len()));
            value_sets.push(value_set(url, serde_json::from_value(systems)?));
        }
        let resolver = Resolver { by_name: &by_name, value_sets: &sets_by_url };
        let types =
            source.types.into_iter().map(|(name, json)| resolver.type_definition(name, serde_json::from_value(json)?));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { types, by_name, value_sets })
    }

    /// The type with this name: `Observation`, `Quantity`, `Observation.component`.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<TypeIndex> {
        self.by_name.get(name).copied()
    }

    /// The resource type with this name, when it is one that can occur.
    #[must_use]
    pub fn resource_type(&self, name: &str) -> Option<TypeIndex> {
        let index = self.type_named(name)?;
        self.get(index).filter(|found| found.kind == TypeKind::Resource && !found.is_abstract).map(|_| index)
    }

    /// The definition behind an index.
    #[must_use]
    pub fn get(&self, index: TypeIndex) -> Option<&TypeDefinition> {
        self.types.get(index.0)
    }

    /// The value set behind an index.
    #[must_use]
    pub fn value_set(&self, index: ValueSetIndex) -> Option<&ValueSet> {
        self.value_sets.get(index.0)
    }

    /// The element and type that a JSON property name stands for, own or inherited.
    #[must_use]
    pub fn property(&self, of: TypeIndex, json_name: &str) -> Option<(&Element, ElementType)> {
        self.lineage(of).find_map(|definition| {
            let (element, kind) = *definition.by_json_name.get(json_name)?;
            let element = definition.elements.get(element)?;
            Some((element, element.types.get(kind)?.1))
        })
    }

    /// The element with this specification name without `[x]`, own or inherited: `value` finds `value[x]`.
    #[must_use]
    pub fn element(&self, of: TypeIndex, name: &str) -> Option<&Element> {
        self.elements(of).find(|element| element.name.strip_suffix("[x]").unwrap_or(&element.name) == name)
    }

    /// All elements of a type, its own first, then those of its bases.
    pub fn elements(&self, of: TypeIndex) -> impl Iterator<Item = &Element> {
        self.lineage(of).flat_map(|definition| &definition.elements)
    }

    /// True when `name` is the type or one of its bases.
    #[must_use]
    pub fn is_a(&self, of: TypeIndex, name: &str) -> bool {
        self.lineage(of).any(|definition| definition.name == name)
    }

    fn lineage(&self, of: TypeIndex) -> impl Iterator<Item = &TypeDefinition> {
        std::iter::successors(self.get(of), |definition| definition.base.and_then(|base| self.get(base)))
    }
}

fn value_set(url: String, by_system: serde_json::Map<String, Value>) -> ValueSet {
    let mut set = ValueSet { url, codes: HashSet::new(), systems: HashMap::new(), listed: String::new() };
    let mut in_order = Vec::new();
    for (system, codes) in by_system {
        let codes = codes.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let codes: Vec<String> = codes.collect();
        set.codes.extend(codes.iter().cloned());
        set.systems.insert(system, codes.iter().cloned().collect());
        in_order.extend(codes);
    }
    set.listed = in_order.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
    if in_order.len() > 12 {
        set.listed.push_str(", …");
    }
    set
}

struct Resolver<'a> {
    by_name: &'a HashMap<String, TypeIndex>,
    value_sets: &'a HashMap<String, ValueSetIndex>,
}

impl Resolver<'_> {
    fn type_definition(&self, name: String, source: TypeSource) -> Result<TypeDefinition, DefinitionsError> {
        let base = source.base.map(|base| self.type_index(&base)).transpose()?;
        let mut elements = Vec::with_capacity(source.elements.len());
        let mut by_json_name = HashMap::new();
        for (element_name, json) in source.elements {
            let element = self.element(element_name, serde_json::from_value(json)?)?;
            for (kind, (json_name, _)) in element.types.iter().enumerate() {
                by_json_name.insert(json_name.clone(), (elements.len(), kind));
            }
            elements.push(element);
        }
        Ok(TypeDefinition { name, kind: source.kind, is_abstract: source.is_abstract, base, elements, by_json_name })
    }

    fn element(&self, name: String, source: ElementSource) -> Result<Element, DefinitionsError> {
        let mut types = Vec::with_capacity(source.types.len());
        for type_name in &source.types {
            types.push((json_name(&name, type_name), self.element_type(type_name)?));
        }
        let value_set = source.value_set.and_then(|url| self.value_sets.get(&url).copied());
        let repeats = source.max.is_some_and(|max| max != "0" && max != "1");
        Ok(Element { name, min: source.min, repeats, types, targets: source.targets, value_set })
    }

    fn element_type(&self, name: &str) -> Result<ElementType, DefinitionsError> {
        if let Some(primitive) = Primitive::from_name(name) {
            return Ok(ElementType::Primitive(primitive));
        }
        match name {
            "Resource" => Ok(ElementType::AnyResource),
            "SimpleQuantity" => Ok(ElementType::SimpleQuantity(self.type_index("Quantity")?)),
            "MoneyQuantity" => Ok(ElementType::Complex(self.type_index("Quantity")?)),
            _ => Ok(ElementType::Complex(self.type_index(name)?)),
        }
    }

    fn type_index(&self, name: &str) -> Result<TypeIndex, DefinitionsError> {
        self.by_name.get(name).copied().ok_or_else(|| DefinitionsError::Undefined(name.to_owned()))
    }
}

/// `value[x]` of type `dateTime` is `valueDateTime` in JSON; other elements keep their name.
fn json_name(element: &str, type_name: &str) -> String {
    let Some(stem) = element.strip_suffix("[x]") else {
        return element.to_owned();
    };
    let type_name = match type_name {
        "SimpleQuantity" | "MoneyQuantity" => "Quantity",
        other => other,
    };
    let (first, rest) = type_name.split_at(type_name.chars().next().map_or(0, char::len_utf8));
    format!("{stem}{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::sync::OnceLock;

    use super::*;

    /// One copy for all unit tests: loading is the slow part of a debug build.
    pub(crate) fn r4() -> &'static Definitions {
        static R4: OnceLock<Definitions> = OnceLock::new();
        R4.get_or_init(|| Definitions::load().unwrap())
    }

    #[test]
    fn finds_own_inherited_and_choice_elements() {
        let observation = r4().resource_type("Observation").unwrap();
        let (value, kind) = r4().property(observation, "valueQuantity").unwrap();
        assert_eq!((value.name.as_str(), value.repeats), ("value[x]", false));
        assert_eq!(kind, ElementType::Complex(r4().type_named("Quantity").unwrap()));
        let (id, kind) = r4().property(observation, "id").unwrap();
        assert_eq!((id.min, kind), (0, ElementType::Primitive(Primitive::Id)));
        assert!(r4().property(observation, "value").is_none());
        assert_eq!(r4().element(observation, "effective").unwrap().types.len(), 4);
        assert!(r4().is_a(observation, "DomainResource"));
    }

    #[test]
    fn content_references_and_simple_quantities_are_resolved() {
        let component = r4().type_named("Observation.component").unwrap();
        let (range, kind) = r4().property(component, "referenceRange").unwrap();
        assert!(range.repeats);
        let ElementType::Complex(range) = kind else { panic!("{kind:?}") };
        assert!(matches!(r4().property(range, "low").unwrap().1, ElementType::SimpleQuantity(_)));
    }

    #[test]
    fn required_value_sets_carry_their_codes() {
        let observation = r4().resource_type("Observation").unwrap();
        let status = r4().property(observation, "status").unwrap().0;
        let codes = r4().value_set(status.value_set.unwrap()).unwrap();
        assert!(codes.has_code("entered-in-error") && !codes.has_code("done"));
        assert!(codes.has_coding("http://hl7.org/fhir/observation-status", "final"));
        assert_eq!(
            codes.listed(),
            "registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown"
        );
    }

    #[test]
    fn abstract_types_and_datatypes_are_no_resource_types() {
        assert!(r4().resource_type("DomainResource").is_none());
        assert!(r4().resource_type("Quantity").is_none());
        assert_eq!(r4().types.iter().filter(|t| t.kind == TypeKind::Resource && !t.is_abstract).count(), 146);
    }
}
