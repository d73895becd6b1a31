//! Index values: the official `SearchParameter` expressions (`fhir-profiles/r4/search-parameters.json`), compiled once,
//! run over a resource's JSON, giving typed values to store beside it. Nothing here knows SQL.

mod evaluate;
mod expression;
mod normalise;
mod value;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::definitions::Definitions;
use crate::resource::Resource;
use crate::search::{self, ParameterType};

pub use expression::ExpressionError;
pub use normalise::normalise;
pub use value::{earliest, latest};

const EMBEDDED: &str = include_str!("../../../../../fhir-profiles/r4/search-parameters.json");

/// Which parameters to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Those of [`search::TABLE`]: what this server can be asked.
    Table,
    /// All official ones whose definition has an expression.
    All,
}

/// One value to index. A parameter may give several, and the same value only once.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexEntry<'a> {
    /// The parameter: `code`, `date`, `_lastUpdated`, …
    pub code: &'a str,
    /// The value.
    pub value: IndexValue,
}

/// A typed index value.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue {
    /// For token parameters. A `code` with a required binding carries the system that its value set gives it.
    Token {
        /// The namespace, if there is one.
        system: Option<String>,
        /// The code or identifier value; `None` for an Identifier that has only a system.
        code: Option<String>,
    },
    /// For string parameters.
    String {
        /// As written, for `:exact`.
        exact: String,
        /// Folded by [`normalise`], for prefix search and `:contains`.
        normalised: String,
    },
    /// For date parameters: all instants from `low` (included) to `high` (excluded). Open ends of a Period are
    /// [`earliest`] and [`latest`].
    Date {
        /// The first instant.
        low: DateTime<Utc>,
        /// The first instant after it.
        high: DateTime<Utc>,
    },
    /// For reference parameters, relative, or absolute below one of this server's own base URLs.
    Reference {
        /// The type of the target.
        resource_type: String,
        /// Its logical id.
        id: String,
    },
    /// For reference parameters: a reference elsewhere, or a canonical URL.
    ReferenceUrl(String),
    /// For `:identifier` on reference parameters: `Reference.identifier`.
    ReferenceIdentifier {
        /// The namespace.
        system: Option<String>,
        /// The value.
        value: Option<String>,
    },
    /// For uri parameters.
    Uri(String),
    /// For quantity parameters. The number is for the index only.
    Quantity {
        /// The number, nearest double.
        value: f64,
        /// System of the unit.
        system: Option<String>,
        /// Code of the unit (the currency of a Money).
        code: Option<String>,
        /// The unit as shown.
        unit: Option<String>,
    },
    /// For number parameters, for the index only.
    Number(f64),
}

/// Why the embedded data could not be used. A build that passes its tests never returns this.
#[derive(Debug, thiserror::Error)]
pub enum ParametersError {
    /// Not the JSON that `condense.py` writes.
    #[error("the search parameters are not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// An expression outside the subset of `FHIRPath` that this crate compiles.
    #[error("search parameter {parameter}: {source}")]
    Expression {
        /// `Observation.code`
        parameter: String,
        /// What is wrong with it.
        source: ExpressionError,
    },
    /// The table names a parameter that the official data does not have.
    #[error("search parameter {0} has no official definition")]
    Undefined(String),
}

#[derive(Debug)]
struct Compiled {
    code: String,
    kind: ParameterType,
    expression: expression::Expression,
}

/// The compiled parameters, by resource type. Immutable; build one and share it.
#[derive(Debug)]
pub struct Extractor {
    by_type: HashMap<String, Vec<Compiled>>,
    /// Of every resource: `_id`, `_lastUpdated`, `_profile`, `_tag`, …
    common: Vec<Compiled>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    expression: String,
}

impl Extractor {
    /// Compiles the parameters that are embedded in this crate (do it once).
    ///
    /// # Errors
    /// Only when the embedded data is damaged or does not fit [`search::TABLE`].
    pub fn load(selection: Selection) -> Result<Self, ParametersError> {
        let mut source: HashMap<String, HashMap<String, Source>> = serde_json::from_str(EMBEDDED)?;
        let common = compile_all("Resource", source.remove("Resource").unwrap_or_default())?;
        let mut by_type = HashMap::new();
        for (resource_type, mut parameters) in source {
            if selection == Selection::Table {
                let Some(table) = search::table_of(&resource_type) else { continue };
                parameters.retain(|code, _| table.parameter(code).is_some());
                if let Some(missing) =
                    table.parameters.iter().find(|p| !p.code.starts_with('_') && !parameters.contains_key(p.code))
                {
                    return Err(ParametersError::Undefined(format!("{resource_type}.{}", missing.code)));
                }
            }
            let compiled = compile_all(&resource_type, parameters)?;
            by_type.insert(resource_type, compiled);
        }
        Ok(Self { by_type, common })
    }

    /// All index values of a resource, parameter by parameter, in a stable order. `bases` are this server's own base
    /// URLs. What cannot be indexed (a date that is none, a number out of range) is left out: validation has judged it.
    #[must_use]
    pub fn extract<'a>(
        &'a self,
        definitions: &Definitions,
        resource: &Resource,
        bases: &[&str],
    ) -> Vec<IndexEntry<'a>> {
        let Some(evaluation) = evaluate::Evaluation::new(definitions, resource) else { return Vec::new() };
        let own = self.by_type.get(resource.resource_type()).into_iter().flatten();
        let mut entries: Vec<IndexEntry<'a>> = Vec::new();
        for parameter in self.common.iter().chain(own) {
            let first = entries.len();
            for node in evaluation.run(&parameter.expression) {
                for value in value::index_values(&evaluation, parameter.kind, &node, bases) {
                    let entry = IndexEntry { code: &parameter.code, value };
                    if !entries.iter().skip(first).any(|known| *known == entry) {
                        entries.push(entry);
                    }
                }
            }
        }
        entries
    }
}

fn compile_all(resource_type: &str, source: HashMap<String, Source>) -> Result<Vec<Compiled>, ParametersError> {
    let mut compiled = Vec::with_capacity(source.len());
    for (code, Source { kind, expression }) in source {
        let Some(kind) = parameter_type(&kind) else { continue };
        let expression = expression::compile(resource_type, &expression)
            .map_err(|source| ParametersError::Expression { parameter: format!("{resource_type}.{code}"), source })?;
        compiled.push(Compiled { code, kind, expression });
    }
    compiled.sort_by(|left, right| left.code.cmp(&right.code));
    Ok(compiled)
}

fn parameter_type(code: &str) -> Option<ParameterType> {
    let all = [
        ParameterType::Token,
        ParameterType::String,
        ParameterType::Date,
        ParameterType::Reference,
        ParameterType::Uri,
        ParameterType::Quantity,
        ParameterType::Number,
    ];
    all.into_iter().find(|kind| kind.as_str() == code)
}

#[cfg(test)]
mod tests;
