//! Searches as statements. The conditions of Observations go to its typed columns, those of other types to the narrow
//! index tables; both order by keys that a page can be continued from.

use chrono::{DateTime, Utc};
use db::TenantId;
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::AsyncPgConnection;
use fhir_model::search::{Criterion, Filter, Sort, SortKey};

use super::sql::{Bind, Sql};
use crate::fhir::model::ResourceType;

mod dates;
mod observation_conditions;
mod resource_conditions;

/// A match.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct SearchRow {
    /// Logical id.
    #[diesel(sql_type = Text)]
    pub(crate) id: String,
    /// `meta.lastUpdated`.
    #[diesel(sql_type = Timestamptz)]
    pub(crate) last_updated: DateTime<Utc>,
    /// Start of `effective[x]`; `None` for an undated Observation and for other types.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(crate) effective_low: Option<DateTime<Utc>>,
    /// The exact JSON text; `None` once the texts before it fill [`PAGE_BYTES`].
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) body: Option<String>,
}

/// Bytes of resources after which a page ends before its last entry: a page of waveforms has a megabyte an entry. The one
/// that goes beyond still belongs to the page, so that every page has one. Five hundred vital signs take a third of it.
pub(crate) const PAGE_BYTES: i64 = 4 << 20;

/// Where a page starts: after the row with these keys. `None` for the instant means the row has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct After {
    /// The sort key's value, unless rows are ordered by id alone.
    pub(crate) instant: Option<DateTime<Utc>>,
    /// The row's id.
    pub(crate) id: String,
}

/// The next `limit` matches in the order of `sort`; equal keys are ordered by id in the same direction. Undated
/// Observations come last in both directions. The texts are read until they fill [`PAGE_BYTES`]; the rows behind have none.
///
/// # Errors
/// The database's error.
pub(crate) async fn search(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    filters: &[Filter],
    sort: Sort,
    after: Option<&After>,
    limit: i64,
) -> QueryResult<Vec<SearchRow>> {
    if sort.key != SortKey::Date {
        return page(conn, tenant, resource_type, filters, sort, Dated::Any, after, limit, PAGE_BYTES).await;
    }
    // Two statements instead of NULLS LAST: this order is the index's own, so the newest few are read and no more.
    let mut rows = match after {
        Some(after) if after.instant.is_none() => Vec::new(),
        _ => page(conn, tenant, resource_type, filters, sort, Dated::Yes, after, limit, PAGE_BYTES).await?,
    };
    let missing = limit.saturating_sub(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    // No comparison holds for what has no date.
    let compares_dates =
        filters.iter().any(|filter| filter.code == "date" && matches!(filter.criterion, Criterion::Date(_)));
    if missing > 0 && !compares_dates {
        let after = after.filter(|after| after.instant.is_none());
        let read =
            rows.iter().filter_map(|row| row.body.as_ref()).map(|body| i64::try_from(body.len()).unwrap_or(i64::MAX));
        let bytes = PAGE_BYTES.saturating_sub(read.fold(0, i64::saturating_add));
        rows.extend(page(conn, tenant, resource_type, filters, sort, Dated::No, after, missing, bytes).await?);
    }
    Ok(rows)
}

/// How many match.
///
/// # Errors
/// The database's error.
pub(crate) async fn count(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    filters: &[Filter],
) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        matches: i64,
    }
    let mut sql = Sql::default();
    sql.push("SELECT count(*) AS matches");
    matching(conn, &mut sql, tenant, resource_type, filters).await?;
    let rows: Vec<Counted> = sql.load(conn).await?;
    Ok(rows.first().map_or(0, |row| row.matches))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    Any,
    Yes,
    No,
}

#[expect(
    clippy::too_many_arguments,
    reason = "two more than the public function, which takes what a search consists of"
)]
async fn page(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    filters: &[Filter],
    sort: Sort,
    dated: Dated,
    after: Option<&After>,
    limit: i64,
    bytes: i64,
) -> QueryResult<Vec<SearchRow>> {
    let key = match (sort.key, dated) {
        (SortKey::Date, Dated::Yes | Dated::Any) => Some("effective_low"),
        (SortKey::LastUpdated, _) => Some("last_updated"),
        (SortKey::Date, Dated::No) | (SortKey::Id, _) => None,
    };
    let mut sql = Sql::default();
    // The length of a text that is kept out of line is known without reading it.
    sql.push(
        "SELECT r.id, r.last_updated, r.effective_low, \
                CASE WHEN sum(octet_length(r.body)) OVER w - octet_length(r.body) <= ",
    );
    sql.bind(Bind::Number(bytes)).push(" THEN r.body END AS body FROM (");
    sql.push("SELECT r.id, r.last_updated, r.body, ");
    sql.push(match resource_type {
        ResourceType::Observation => "r.effective_low AS effective_low",
        ResourceType::Patient | ResourceType::Device => "NULL::timestamptz AS effective_low",
    });
    matching(conn, &mut sql, tenant, resource_type, filters).await?;
    match dated {
        Dated::Any => {}
        Dated::Yes => {
            sql.push(" AND r.effective_low IS NOT NULL");
        }
        Dated::No => {
            sql.push(" AND r.effective_low IS NULL");
        }
    }
    if let Some(after) = after {
        continue_after(&mut sql, key, sort.descending, after);
    }
    in_order(&mut sql, key, sort.descending);
    sql.push(" LIMIT ").bind(Bind::Number(limit)).push(") AS r WINDOW w AS (");
    in_order(&mut sql, key, sort.descending);
    sql.push(" ROWS UNBOUNDED PRECEDING)");
    in_order(&mut sql, key, sort.descending);
    sql.load(conn).await
}

/// ` ORDER BY …`, the same for the rows, for the sum of their lengths and for the answer: they are sorted once.
fn in_order(sql: &mut Sql, key: Option<&'static str>, descending: bool) {
    sql.push(" ORDER BY ");
    if let Some(key) = key {
        sql.push("r.").push(key).push(if descending { " DESC, " } else { ", " });
    }
    sql.push("r.id").push(if descending { " DESC" } else { "" });
}

/// `(key, id) > (…)`, or `<` for descending order.
fn continue_after(sql: &mut Sql, key: Option<&'static str>, descending: bool, after: &After) {
    let beyond = if descending { " < " } else { " > " };
    match (key, after.instant) {
        (Some(key), Some(instant)) => {
            sql.push(" AND (r.")
                .push(key)
                .push(", r.id)")
                .push(beyond)
                .push("(")
                .instant(instant)
                .push(", ")
                .text(&after.id)
                .push(")");
        }
        _ => {
            sql.push(" AND r.id").push(beyond).text(&after.id);
        }
    }
}

/// ` FROM … WHERE …` with all filters.
async fn matching(
    conn: &mut AsyncPgConnection,
    sql: &mut Sql,
    tenant: TenantId,
    resource_type: ResourceType,
    filters: &[Filter],
) -> QueryResult<()> {
    match resource_type {
        ResourceType::Observation => {
            sql.push(" FROM observation AS r WHERE r.tenant_id = ")
                .bind(Bind::Uuid(tenant.0))
                .push(" AND NOT r.deleted");
            for filter in filters {
                sql.push(" AND ");
                observation_conditions::write(conn, sql, tenant, filter).await?;
            }
        }
        ResourceType::Patient | ResourceType::Device => {
            sql.push(" FROM resource AS r WHERE r.tenant_id = ").bind(Bind::Uuid(tenant.0));
            sql.push(" AND r.type = ").text(resource_type.as_str()).push(" AND NOT r.deleted");
            for filter in filters {
                sql.push(" AND ");
                resource_conditions::write(sql, tenant, resource_type, filter)?;
            }
        }
    }
    Ok(())
}

/// A filter that the table of parameters offers and no condition answers: a fault of ours, said aloud.
fn cannot_answer(filter: &Filter) -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError(
        format!("no condition answers the search parameter {}", filter.code).into(),
    )
}
