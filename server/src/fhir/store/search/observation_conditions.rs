//! Conditions on the typed columns of `observation`. Indexed: identifier, patient, patient with code and date, id and
//! last update; category, status and device only filter what those leave over.

use db::TenantId;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use fhir_model::search::{Criterion, Filter, ReferenceValue, Token, TokenSystem};

use super::dates::{self, RangeColumns};
use super::{Bind, Sql};
use crate::fhir::concepts;

const EFFECTIVE: RangeColumns = RangeColumns { low: "r.effective_low", high: "r.effective_high" };

/// The implied system of `Observation.status`.
const STATUS_SYSTEM: &str = "http://hl7.org/fhir/observation-status";

/// Writes one filter. Codes are resolved to interned concepts first.
pub(super) async fn write(
    conn: &mut AsyncPgConnection,
    sql: &mut Sql,
    tenant: TenantId,
    filter: &Filter,
) -> QueryResult<()> {
    match (filter.code, &filter.criterion) {
        (code, Criterion::Missing(missing)) => {
            sql.push(if *missing { "" } else { "NOT " });
            absent(sql, tenant, code);
        }
        (_, Criterion::Id(ids)) => {
            sql.push("r.id = ANY(").bind(Bind::Texts(ids.clone())).push(")");
        }
        ("_lastUpdated", Criterion::Date(values)) => {
            sql.any_of(values, |sql, value| dates::instant(sql, "r.last_updated", value));
        }
        (_, Criterion::Date(values)) => {
            sql.any_of(values, |sql, value| dates::range(sql, EFFECTIVE, value));
        }
        ("identifier", Criterion::Token(tokens)) => {
            sql.any_of(tokens, |sql, token| identified(sql, "r.id IN (", tenant, token));
        }
        ("identifier", Criterion::TokenNot(tokens)) => {
            sql.push("NOT ").any_of(tokens, |sql, token| identified(sql, "r.id IN (", tenant, token));
        }
        ("code", Criterion::Token(tokens)) => code_is(sql, resolve(conn, tokens).await?),
        ("code", Criterion::TokenNot(tokens)) => {
            let ids = resolve(conn, tokens).await?;
            sql.push("(r.code_id IS NULL OR r.code_id <> ALL(").bind(Bind::Numbers(ids)).push("))");
        }
        ("category", Criterion::Token(tokens)) => {
            let ids = resolve(conn, tokens).await?;
            sql.push("r.category_ids && ").bind(Bind::Numbers(ids));
        }
        ("category", Criterion::TokenNot(tokens)) => {
            let ids = resolve(conn, tokens).await?;
            sql.push("NOT r.category_ids && ").bind(Bind::Numbers(ids));
        }
        ("status", Criterion::Token(tokens)) => status(sql, tokens),
        ("status", Criterion::TokenNot(tokens)) => {
            sql.push("NOT ");
            status(sql, tokens);
        }
        ("patient", Criterion::Reference(values)) => {
            sql.any_of(values, patient);
        }
        ("subject", Criterion::Reference(values)) => {
            sql.any_of(values, subject);
        }
        ("device", Criterion::Reference(values)) => {
            sql.any_of(values, device);
        }
        // What the table of parameters offers and this cannot answer must never look like "no such data".
        _ => return Err(super::cannot_answer(filter)),
    }
    Ok(())
}

async fn resolve(conn: &mut AsyncPgConnection, tokens: &[Token]) -> QueryResult<Vec<i64>> {
    let mut ids = Vec::new();
    for token in tokens {
        let system = match &token.system {
            TokenSystem::Any => None,
            TokenSystem::None => Some(""),
            TokenSystem::Is(system) => Some(system.as_str()),
        };
        ids.extend(concepts::matching(conn, system, token.code.as_deref()).await?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// One concept is compared with `=`: then the index also gives the order by date.
fn code_is(sql: &mut Sql, ids: Vec<i64>) {
    match ids.as_slice() {
        [only] => {
            sql.push("r.code_id = ").bind(Bind::Number(*only));
        }
        _ => {
            sql.push("r.code_id = ANY(").bind(Bind::Numbers(ids)).push(")");
        }
    }
}

/// The ids of Observations with an identifier, from both places where identifiers stand.
fn identified(sql: &mut Sql, opening: &'static str, tenant: TenantId, token: &Token) {
    sql.push(opening).push("SELECT o.id FROM observation AS o WHERE o.tenant_id = ").bind(Bind::Uuid(tenant.0));
    if let Some(value) = &token.code {
        sql.push(" AND o.identifier_value = ").text(value);
    }
    let system = match &token.system {
        TokenSystem::Any => None,
        TokenSystem::None => Some(""),
        TokenSystem::Is(system) => Some(system.as_str()),
    };
    if let Some(system) = system {
        sql.push(" AND o.identifier_system = (SELECT s.id FROM identifier_system AS s WHERE s.uri = ")
            .text(system)
            .push(")");
    }
    sql.push(" UNION ALL SELECT m.id FROM observation_identifier_more AS m WHERE m.tenant_id = ")
        .bind(Bind::Uuid(tenant.0));
    if let Some(value) = &token.code {
        sql.push(" AND m.value = ").text(value);
    }
    if let Some(system) = system {
        sql.push(" AND m.system = ").text(system);
    }
    sql.push(")");
}

fn status(sql: &mut Sql, tokens: &[Token]) {
    sql.any_of(tokens, |sql, token| match (&token.system, &token.code) {
        (TokenSystem::Any, Some(code)) => {
            sql.push("r.status = ").text(code);
        }
        (TokenSystem::Is(system), Some(code)) if system == STATUS_SYSTEM => {
            sql.push("r.status = ").text(code);
        }
        (TokenSystem::Is(system), None) if system == STATUS_SYSTEM => {
            sql.push("TRUE");
        }
        _ => {
            sql.push("FALSE");
        }
    });
}

fn patient(sql: &mut Sql, value: &ReferenceValue) {
    match value {
        ReferenceValue::Local { id, .. } => {
            sql.push("r.patient_id = ").text(id);
        }
        // A Patient on another server: the URL says no more than that, so it is compared whole.
        ReferenceValue::Url(url) => {
            sql.push("(r.subject_type = '' AND r.subject_id = ").text(url).push(")");
        }
    }
}

fn subject(sql: &mut Sql, value: &ReferenceValue) {
    match value {
        ReferenceValue::Local { resource_type: Some(resource_type), .. } if resource_type == "Patient" => {
            patient(sql, value)
        }
        ReferenceValue::Local { resource_type: Some(resource_type), id } => {
            sql.push("(r.subject_type = ").text(resource_type).push(" AND r.subject_id = ").text(id).push(")");
        }
        ReferenceValue::Local { resource_type: None, id } => {
            sql.push("(r.patient_id = ")
                .text(id)
                .push(" OR (r.patient_id IS NULL AND r.subject_type <> '' AND r.subject_id = ");
            sql.text(id).push("))");
        }
        ReferenceValue::Url(_) => patient(sql, value),
    }
}

/// `device_id` is the id of a Device of ours; any other reference stands there whole (see `ObservationColumns::device`).
fn device(sql: &mut Sql, value: &ReferenceValue) {
    let texts = match value {
        ReferenceValue::Local { resource_type: None, id } => vec![id.clone(), format!("DeviceMetric/{id}")],
        ReferenceValue::Local { resource_type: Some(kind), id } if kind == "Device" => vec![id.clone()],
        ReferenceValue::Local { resource_type: Some(kind), id } => vec![format!("{kind}/{id}")],
        ReferenceValue::Url(url) => vec![url.clone()],
    };
    sql.push("r.device_id = ANY(").bind(Bind::Texts(texts)).push(")");
}

fn absent(sql: &mut Sql, tenant: TenantId, code: &str) {
    match code {
        "identifier" => {
            sql.push("(r.identifier_value IS NULL AND NOT EXISTS (SELECT FROM observation_identifier_more AS m WHERE m.tenant_id = ");
            sql.bind(Bind::Uuid(tenant.0)).push(" AND m.id = r.id))");
        }
        "patient" => {
            sql.push("(r.patient_id IS NULL)");
        }
        "subject" => {
            sql.push("(r.subject_id IS NULL)");
        }
        "code" => {
            sql.push("(r.code_id IS NULL)");
        }
        "category" => {
            sql.push("(cardinality(r.category_ids) = 0)");
        }
        "date" => {
            sql.push("(r.effective_low IS NULL)");
        }
        "device" => {
            sql.push("(r.device_id IS NULL)");
        }
        // `status`, `_id` and `_lastUpdated` are never missing.
        _ => {
            sql.push("FALSE");
        }
    }
}
