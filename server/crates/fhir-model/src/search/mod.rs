//! The grammar of FHIR search (<https://hl7.org/fhir/R4/search.html>): from decoded query parameters to typed filters.
//! Nothing here knows SQL: what comes out is plain data for whoever queries.
//!
//! Dates are half-open ranges of instants; a time without an offset is read as UTC (see [`crate::datetime`]).

mod control;
mod parser;
mod query;
mod table;
mod value;

use crate::datetime::DateRange;

pub use control::{Controls, Sort, SortKey, Summary, Total};
pub use parser::{Search, parse};
pub use query::decode_query;
pub use table::{ParameterType, ResourceTable, SearchParameter, TABLE, table_of};
pub use value::split_escaped;

/// One condition; a resource must satisfy all filters of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The parameter, from [`TABLE`]: `code`, `date`, `_id`, …
    pub code: &'static str,
    /// What it is compared with; one of several values is enough, except where the variant says otherwise.
    pub criterion: Criterion,
}

/// What a filter asks for. The lists are never empty: a comma list means "any of".
#[derive(Debug, Clone, PartialEq)]
pub enum Criterion {
    /// `:missing=true`: no value at all; `false`: some value.
    Missing(bool),
    /// Token parameters without modifier.
    Token(Vec<Token>),
    /// `:not`: **none** of these, and resources without a value match too.
    TokenNot(Vec<Token>),
    /// String parameters: how to compare, and the texts as given (see [`crate::parameters::normalise`]).
    String(StringMatch, Vec<String>),
    /// Date parameters.
    Date(Vec<DateValue>),
    /// Reference parameters, with `:Type` already applied.
    Reference(Vec<ReferenceValue>),
    /// `:identifier` on a reference: compares `Reference.identifier`.
    ReferenceIdentifier(Vec<Token>),
    /// URI parameters: exact.
    Uri(Vec<String>),
    /// Quantity parameters.
    Quantity(Vec<QuantityValue>),
    /// Number parameters.
    Number(Vec<NumberValue>),
    /// `_id`: any of these logical ids.
    Id(Vec<String>),
}

/// How a string is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringMatch {
    /// The default: the value starts with the text, case and accents ignored.
    StartsWith,
    /// `:contains`: the text is anywhere in it, case and accents ignored.
    Contains,
    /// `:exact`: the whole value, as written.
    Exact,
}

/// `[system]|[code]` in its four forms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// Which namespace.
    pub system: TokenSystem,
    /// `None` for `system|`: any code of that system.
    pub code: Option<String>,
}

/// The part of a token before the bar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenSystem {
    /// `code`: whatever the system.
    Any,
    /// `|code`: only values that have no system.
    None,
    /// `system|code` or `system|`.
    Is(String),
}

/// `eq`, `ne`, … before a date, number or quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// The resource's value lies within the range of the parameter (the default).
    Eq,
    /// It does not.
    Ne,
    /// Some part of the value is above the parameter.
    Gt,
    /// Some part of the value is below the parameter.
    Lt,
    /// `gt` or `eq`.
    Ge,
    /// `lt` or `eq`.
    Le,
    /// The value starts after the parameter ends.
    Sa,
    /// The value ends before the parameter starts.
    Eb,
    /// About the same: the ranges overlap after widening, see [`DateValue::approximately`].
    Ap,
}

/// A date parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateValue {
    /// How to compare.
    pub prefix: Prefix,
    /// With what. The resource's value is a half-open range `[low, high)` too.
    pub range: DateRange,
}

/// A reference parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReferenceValue {
    /// A resource of this server (relative, or absolute below one of its own base URLs).
    Local {
        /// The type; `None` when only an id was given and the parameter allows several types.
        resource_type: Option<String>,
        /// The logical id.
        id: String,
    },
    /// Any other URL, as given.
    Url(String),
}

/// A number as given, with the range its digits imply: 100 means [99.5, 100.5).
#[derive(Debug, Clone, PartialEq)]
pub struct NumberValue {
    /// How to compare.
    pub prefix: Prefix,
    /// The number, for the index only; clinical values are never computed from it.
    pub value: f64,
    /// Half of the last digit's weight: `eq` means within `value ± half_width`.
    pub half_width: f64,
}

/// `[prefix][number]|[system]|[code]`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantityValue {
    /// The number and its prefix.
    pub number: NumberValue,
    /// The system of the unit.
    pub system: Option<String>,
    /// The code (or, without a system, the unit as shown).
    pub code: Option<String>,
}

#[cfg(test)]
mod tests;
