//! Runs a compiled expression over a resource. Every value found carries its FHIR type, told by the definitions, so
//! that nothing has to be guessed from its shape.

use serde_json::{Map, Value};

use super::expression::Expression;
use crate::definitions::{Definitions, Element, ElementType, TypeIndex, ValueSetIndex};
use crate::reference::Reference;
use crate::resource::Resource;

/// One value an expression found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'a> {
    /// An object whose type is known: the resource, or a part of it.
    Object(&'a Map<String, Value>, TypeIndex),
    /// A primitive, with its type and the value set it is bound to.
    Primitive(&'a Value, crate::definitions::Primitive, Option<ValueSetIndex>),
    /// What `exists()` and comparisons give.
    Truth(bool),
}

impl<'a> Node<'a> {
    pub(super) fn object(self) -> Option<&'a Map<String, Value>> {
        match self {
            Node::Object(object, _) => Some(object),
            Node::Primitive(..) | Node::Truth(_) => None,
        }
    }
}

/// One resource and the definitions it is read by.
pub(super) struct Evaluation<'a> {
    pub(super) definitions: &'a Definitions,
    resource: &'a Resource,
    resource_type: TypeIndex,
}

impl<'a> Evaluation<'a> {
    /// `None` when R4 has no such resource type.
    pub(super) fn new(definitions: &'a Definitions, resource: &'a Resource) -> Option<Self> {
        let resource_type = definitions.resource_type(resource.resource_type())?;
        Some(Self { definitions, resource, resource_type })
    }

    /// All values of an expression, in document order.
    pub(super) fn run(&self, expression: &Expression) -> Vec<Node<'a>> {
        match expression {
            Expression::Root => vec![Node::Object(self.resource.object(), self.resource_type)],
            Expression::Child(parent, name) => {
                self.run(parent).into_iter().flat_map(|node| self.children(node, name)).collect()
            }
            Expression::As(parent, name) => self.keep(parent, |node| self.is_type(node, name)),
            Expression::ResolvesTo(parent, name) => self.keep(parent, |node| self.resolves_to(node, name)),
            Expression::WhereEquals(parent, name, text) => self.keep(parent, |node| {
                node.object().and_then(|object| object.get(name)).and_then(Value::as_str) == Some(text)
            }),
            Expression::Item(parent, index) => self.run(parent).into_iter().skip(*index).take(1).collect(),
            Expression::Union(parts) => parts.iter().flat_map(|part| self.run(part)).collect(),
            Expression::Exists(parent) => vec![Node::Truth(!self.run(parent).is_empty())],
            Expression::NotEqual(parent, literal) => {
                vec![Node::Truth(!self.run(parent).iter().any(|node| equals(*node, literal)))]
            }
            Expression::And(left, right) => vec![Node::Truth(self.holds(left) && self.holds(right))],
        }
    }

    fn holds(&self, expression: &Expression) -> bool {
        matches!(self.run(expression).as_slice(), [Node::Truth(true)])
    }

    fn keep(&self, parent: &Expression, test: impl Fn(Node<'a>) -> bool) -> Vec<Node<'a>> {
        let mut nodes = self.run(parent);
        nodes.retain(|node| test(*node));
        nodes
    }

    /// The values of one element; for a choice, whichever of its types is present.
    pub(super) fn children(&self, parent: Node<'a>, name: &str) -> Vec<Node<'a>> {
        let Node::Object(object, kind) = parent else { return Vec::new() };
        let Some(element) = self.definitions.element(kind, name) else { return Vec::new() };
        let found = element.types.iter().find_map(|(json_name, kind)| Some((object.get(json_name)?, *kind)));
        let Some((value, kind)) = found else { return Vec::new() };
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        items.iter().filter_map(|item| self.node(item, kind, element)).collect()
    }

    fn node(&self, value: &'a Value, kind: ElementType, element: &Element) -> Option<Node<'a>> {
        match (kind, value) {
            (_, Value::Null) => None,
            (ElementType::Primitive(kind), value) => Some(Node::Primitive(value, kind, element.value_set)),
            (ElementType::Complex(kind) | ElementType::SimpleQuantity(kind), Value::Object(object)) => {
                Some(Node::Object(object, kind))
            }
            (ElementType::AnyResource, Value::Object(object)) => {
                let kind = self.definitions.resource_type(object.get("resourceType")?.as_str()?)?;
                Some(Node::Object(object, kind))
            }
            _ => None,
        }
    }

    /// The FHIR type name of a node.
    pub(super) fn type_name(&self, node: Node<'_>) -> &str {
        match node {
            Node::Object(_, kind) => self.definitions.get(kind).map_or("", |definition| &definition.name),
            Node::Primitive(_, kind, _) => kind.name(),
            Node::Truth(_) => "boolean",
        }
    }

    fn is_type(&self, node: Node<'_>, name: &str) -> bool {
        match node {
            Node::Object(_, kind) => self.definitions.is_a(kind, name),
            Node::Primitive(..) | Node::Truth(_) => self.type_name(node) == name,
        }
    }

    /// `resolve() is Type`, without looking anything up: the reference itself says what it points at, or its `type`
    /// does, or it is a contained resource.
    fn resolves_to(&self, node: Node<'a>, name: &str) -> bool {
        let Some(object) = node.object() else { return false };
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let told = match text("reference").and_then(Reference::parse) {
            Some(Reference::Fragment(id)) => self.contained_type(id),
            Some(reference) => reference.resource_type(),
            None => None,
        };
        told.or_else(|| text("type")) == Some(name)
    }

    fn contained_type(&self, id: &str) -> Option<&'a str> {
        let contained = self.resource.get("contained")?.as_array()?;
        let found = contained.iter().find(|resource| resource.get("id").and_then(Value::as_str) == Some(id))?;
        found.get("resourceType")?.as_str()
    }
}

fn equals(node: Node<'_>, literal: &str) -> bool {
    match node {
        Node::Primitive(Value::String(text), ..) => text == literal,
        Node::Primitive(Value::Bool(truth), ..) => truth.to_string() == literal,
        Node::Truth(truth) => truth.to_string() == literal,
        Node::Primitive(..) | Node::Object(..) => false,
    }
}
