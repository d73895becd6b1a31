//! From a list of decoded query parameters to a typed [`Search`].

use super::control::{self, Controls};
use super::table::{ParameterType, ResourceTable, SearchParameter, table_of};
use super::value::{split_escaped, unescape};
use super::{Criterion, DateValue, Filter, NumberValue, QuantityValue, ReferenceValue, StringMatch, Token};
use crate::outcome::{Issue, IssueCode};
use crate::reference::is_id;

/// The most conditions and values one search may have: a longer list costs more than anyone needs.
const MOST_FILTERS: usize = 64;
const MOST_VALUES: usize = 1000;

/// What a query means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// How the answer is to look.
    pub controls: Controls,
    /// The parameters that were understood, as given, in order: what the `self` link of the answer has to repeat.
    pub understood: Vec<(String, String)>,
    /// Parameters, modifiers and values that this server does not support, one issue each. `Prefer: handling=lenient`
    /// ignores them (and may report them in the answer); otherwise the search is refused with them.
    pub unsupported: Vec<Issue>,
}

/// Reads the query of a search for one resource type. `bases` are this server's own base URLs: absolute references
/// below them are local.
///
/// # Errors
/// Issues, each naming its parameter: a resource type that cannot be searched, or a value that is malformed. Those are
/// wrong under lenient handling too.
pub fn parse(resource_type: &str, query: &[(String, String)], bases: &[&str]) -> Result<Search, Vec<Issue>> {
    let Some(table) = table_of(resource_type) else {
        let known = super::TABLE.iter().map(|table| table.resource_type).collect::<Vec<_>>().join(", ");
        return Err(vec![Issue::error(
            IssueCode::NotSupported,
            format!("{resource_type} cannot be searched here; {known} can"),
        )]);
    };
    let mut search = Search::default();
    let mut invalid = Vec::new();
    for (name, value) in query {
        match read(table, &mut search, name, value, bases) {
            Ok(()) => search.understood.push((name.clone(), value.clone())),
            Err(Fault::Unsupported(text)) => search.unsupported.push(issue(IssueCode::NotSupported, name, &text)),
            Err(Fault::Invalid(text)) => invalid.push(issue(IssueCode::Value, name, &text)),
        }
    }
    if search.filters.len() > MOST_FILTERS {
        invalid.push(Issue::error(IssueCode::TooCostly, format!("a search may have {MOST_FILTERS} conditions")));
    }
    if invalid.is_empty() { Ok(search) } else { Err(invalid) }
}

enum Fault {
    /// Right by the specification, but not here.
    Unsupported(String),
    /// Wrong anywhere.
    Invalid(String),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Invalid(text)
    }
}

fn issue(code: IssueCode, name: &str, text: &str) -> Issue {
    let shown: String = name.chars().take(64).collect();
    // The form that R4 gives for places in a request: http. and the name of the parameter.
    Issue::error(code, format!("{shown} {text}")).at(format!("http.{shown}"))
}

fn read(table: &ResourceTable, search: &mut Search, name: &str, value: &str, bases: &[&str]) -> Result<(), Fault> {
    let (base, modifier) = name.split_once(':').map_or((name, None), |(base, modifier)| (base, Some(modifier)));
    if control::is_control(base) {
        return match modifier {
            Some(_) => Err(Fault::Unsupported("has a modifier; this parameter has none".to_owned())),
            None => read_control(table, search, base, value),
        };
    }
    if base.contains('.') || modifier.is_some_and(|modifier| modifier.contains('.')) {
        return Err(Fault::Unsupported("is a chained parameter, which is not supported here".to_owned()));
    }
    let Some(parameter) = table.parameter(base) else {
        let text = format!(
            "is not supported for {}; supported are {}, and {}",
            table.resource_type,
            table.codes(),
            control::NAMES
        );
        return Err(Fault::Unsupported(text));
    };
    // Names without a value are ignored by the specification's advice: an empty form field asks for nothing.
    if value.is_empty() {
        return Ok(());
    }
    let criterion = criterion(parameter, modifier, value, bases)?;
    search.filters.push(Filter { code: parameter.code, criterion });
    Ok(())
}

fn read_control(table: &ResourceTable, search: &mut Search, name: &str, value: &str) -> Result<(), Fault> {
    let known = ["true", "text", "data"];
    control::read(&mut search.controls, name, value, table).map_err(|text| match name {
        "_summary" if known.contains(&value) => Fault::Unsupported(text),
        "_sort" => Fault::Unsupported(text),
        _ => Fault::Invalid(text),
    })
}

fn criterion(
    parameter: &SearchParameter,
    modifier: Option<&str>,
    value: &str,
    bases: &[&str],
) -> Result<Criterion, Fault> {
    if modifier == Some("missing") {
        return match value {
            "true" => Ok(Criterion::Missing(true)),
            "false" => Ok(Criterion::Missing(false)),
            _ => Err(Fault::Invalid("must be true or false".to_owned())),
        };
    }
    let values = split_escaped(value, ',');
    if values.len() > MOST_VALUES {
        return Err(Fault::Invalid(format!("may list {MOST_VALUES} values")));
    }
    if values.iter().any(|value| value.is_empty()) {
        return Err(Fault::Invalid("has an empty value in its list; a comma inside a value is written \\,".to_owned()));
    }
    typed(parameter, modifier, &values, bases)
}

fn typed(
    parameter: &SearchParameter,
    modifier: Option<&str>,
    values: &[&str],
    bases: &[&str],
) -> Result<Criterion, Fault> {
    match (parameter.kind, modifier) {
        (ParameterType::Token, None) if parameter.code == "_id" => Ok(Criterion::Id(each(values, id)?)),
        (ParameterType::Token, None) => Ok(Criterion::Token(each(values, Token::parse)?)),
        (ParameterType::Token, Some("not")) => Ok(Criterion::TokenNot(each(values, Token::parse)?)),
        (ParameterType::String, None) => Ok(string(StringMatch::StartsWith, values)),
        (ParameterType::String, Some("contains")) => Ok(string(StringMatch::Contains, values)),
        (ParameterType::String, Some("exact")) => Ok(string(StringMatch::Exact, values)),
        (ParameterType::Date, None) => Ok(Criterion::Date(each(values, DateValue::parse)?)),
        (ParameterType::Reference, Some("identifier")) => {
            Ok(Criterion::ReferenceIdentifier(each(values, Token::parse)?))
        }
        (ParameterType::Reference, None) => references(parameter, None, values, bases),
        (ParameterType::Reference, Some(only)) if parameter.targets.contains(&only) => {
            references(parameter, Some(only), values, bases)
        }
        (ParameterType::Uri, None) => Ok(Criterion::Uri(values.iter().map(|value| unescape(value)).collect())),
        (ParameterType::Quantity, None) => Ok(Criterion::Quantity(each(values, QuantityValue::parse)?)),
        (ParameterType::Number, None) => Ok(Criterion::Number(each(values, NumberValue::parse)?)),
        (_, Some(other)) => Err(unsupported_modifier(parameter, other)),
    }
}

fn unsupported_modifier(parameter: &SearchParameter, modifier: &str) -> Fault {
    let shown: String = modifier.chars().take(40).collect();
    let mut supported: Vec<String> = parameter.kind.modifiers().iter().map(|name| format!(":{name}")).collect();
    supported.extend(parameter.targets.iter().map(|target| format!(":{target}")));
    Fault::Unsupported(format!("has the modifier :{shown}; {} supports {}", parameter.code, supported.join(", ")))
}

fn each<T>(values: &[&str], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| read(value)).collect()
}

fn string(how: StringMatch, values: &[&str]) -> Criterion {
    Criterion::String(how, values.iter().map(|value| unescape(value)).collect())
}

fn references(
    parameter: &SearchParameter,
    only: Option<&str>,
    values: &[&str],
    bases: &[&str],
) -> Result<Criterion, Fault> {
    let read = |value: &str| ReferenceValue::parse(value, parameter, only, bases);
    Ok(Criterion::Reference(each(values, read)?))
}

fn id(text: &str) -> Result<String, String> {
    if is_id(text) {
        Ok(text.to_owned())
    } else {
        Err("must be a logical id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'".to_owned())
    }
}
