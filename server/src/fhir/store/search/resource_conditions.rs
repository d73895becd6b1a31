//! Conditions on the narrow index tables, for every type but Observation. The tables are filled from the official
//! SearchParameters, so the names of the parameters are the keys.

use db::TenantId;
use diesel::QueryResult;
use fhir_model::parameters::normalise;
use fhir_model::search::{Criterion, Filter, ReferenceValue, StringMatch, Token, TokenSystem};

use super::dates::{self, RangeColumns};
use super::{Bind, Sql};
use crate::fhir::model::ResourceType;

const RANGE: RangeColumns = RangeColumns { low: "x.low", high: "x.high" };

/// Which rows of an index table belong to the resource in question.
#[derive(Clone, Copy)]
struct Rows<'a> {
    tenant: TenantId,
    resource_type: ResourceType,
    parameter: &'a str,
}

/// Writes one filter.
pub(super) fn write(sql: &mut Sql, tenant: TenantId, resource_type: ResourceType, filter: &Filter) -> QueryResult<()> {
    let rows = Rows { tenant, resource_type, parameter: filter.code };
    match (filter.code, &filter.criterion) {
        (_, Criterion::Id(ids)) => {
            sql.push("r.id = ANY(").bind(Bind::Texts(ids.clone())).push(")");
        }
        ("_id" | "_lastUpdated", Criterion::Missing(missing)) => {
            sql.push(if *missing { "FALSE" } else { "TRUE" });
        }
        ("_lastUpdated", Criterion::Date(values)) => {
            sql.any_of(values, |sql, value| dates::instant(sql, "r.last_updated", value));
        }
        (_, Criterion::Missing(missing)) => {
            sql.push(if *missing { "NOT " } else { "" }).push("(FALSE");
            for table in ["resource_token", "resource_string", "resource_date", "resource_reference"] {
                sql.push(" OR ");
                rows.open(sql, table);
                sql.push(")");
            }
            sql.push(")");
        }
        (_, Criterion::Token(tokens)) => {
            sql.any_of(tokens, |sql, value| token(sql, rows, value));
        }
        (_, Criterion::TokenNot(tokens)) => {
            sql.push("NOT ").any_of(tokens, |sql, value| token(sql, rows, value));
        }
        (_, Criterion::String(how, texts)) => {
            sql.any_of(texts, |sql, text| string(sql, rows, *how, text));
        }
        (_, Criterion::Date(values)) => {
            sql.any_of(values, |sql, value| {
                rows.open(sql, "resource_date");
                sql.push(" AND ");
                dates::range(sql, RANGE, value);
                sql.push(")");
            });
        }
        (_, Criterion::Reference(values)) => {
            sql.any_of(values, |sql, value| reference(sql, rows, value));
        }
        _ => return Err(super::cannot_answer(filter)),
    }
    Ok(())
}

impl Rows<'_> {
    /// `EXISTS (SELECT FROM table AS x WHERE …` without the closing parenthesis.
    fn open(self, sql: &mut Sql, table: &'static str) {
        sql.push("EXISTS (SELECT FROM ").push(table).push(" AS x WHERE x.tenant_id = ").bind(Bind::Uuid(self.tenant.0));
        sql.push(" AND x.type = ").text(self.resource_type.as_str());
        sql.push(" AND x.parameter = ").text(self.parameter).push(" AND x.id = r.id");
    }
}

fn token(sql: &mut Sql, rows: Rows<'_>, token: &Token) {
    rows.open(sql, "resource_token");
    if let Some(code) = &token.code {
        sql.push(" AND x.value = ").text(code);
    }
    match &token.system {
        TokenSystem::Any => {}
        TokenSystem::None => {
            sql.push(" AND x.system = ''");
        }
        TokenSystem::Is(system) => {
            sql.push(" AND x.system = ").text(system);
        }
    }
    sql.push(")");
}

fn string(sql: &mut Sql, rows: Rows<'_>, how: StringMatch, text: &str) {
    let folded = normalise(text);
    rows.open(sql, "resource_string");
    match how {
        StringMatch::Exact => {
            sql.push(" AND x.value = ").text(&folded).push(" AND x.exact = ").text(text);
        }
        // A prefix as a range of the C collation: LIKE is not leakproof and would not use the index.
        StringMatch::StartsWith => {
            let end = format!("{folded}\u{10FFFF}");
            sql.push(" AND x.value >= ").text(&folded).push(" AND x.value < ").text(&end);
        }
        StringMatch::Contains => {
            sql.push(" AND strpos(x.value, ").text(&folded).push(") > 0");
        }
    }
    sql.push(")");
}

fn reference(sql: &mut Sql, rows: Rows<'_>, value: &ReferenceValue) {
    rows.open(sql, "resource_reference");
    match value {
        ReferenceValue::Local { resource_type, id } => {
            sql.push(" AND x.target_id = ").text(id);
            match resource_type {
                Some(resource_type) => {
                    sql.push(" AND x.target_type = ").text(resource_type);
                }
                None => {
                    sql.push(" AND x.target_type <> ''");
                }
            }
        }
        ReferenceValue::Url(url) => {
            sql.push(" AND x.target_type = '' AND x.target_id = ").text(url);
        }
    }
    sql.push(")");
}
