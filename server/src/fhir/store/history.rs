//! All versions of one resource, current and superseded.

use chrono::{DateTime, Utc};
use db::TenantId;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::fhir::model::{ResourceType, Stored};

/// Which versions are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Only versions below this one.
    pub(crate) before: Option<i32>,
    /// Only versions made then or later.
    pub(crate) since: Option<DateTime<Utc>>,
    /// How many at most.
    pub(crate) limit: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Timestamptz)]
    last_updated: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    deleted: bool,
    #[diesel(sql_type = Text)]
    body: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The current version and those before it.
fn versions(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::Observation => {
            "(SELECT version, last_updated, deleted, body FROM observation WHERE tenant_id = $1 AND $2 = 'Observation' AND id = $3 \
              UNION ALL SELECT version, last_updated, deleted, body FROM resource_version WHERE tenant_id = $1 AND type = $2 AND id = $3)"
        }
        ResourceType::Patient | ResourceType::Device => {
            "(SELECT version, last_updated, deleted, body FROM resource WHERE tenant_id = $1 AND type = $2 AND id = $3 \
              UNION ALL SELECT version, last_updated, deleted, body FROM resource_version WHERE tenant_id = $1 AND type = $2 AND id = $3)"
        }
    }
}

/// Versions, newest first.
///
/// # Errors
/// The database's error.
pub(crate) async fn history(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    id: &str,
    wanted: Wanted,
) -> QueryResult<Vec<Stored>> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT * FROM {} AS v WHERE ($4 IS NULL OR version < $4) AND ($5 IS NULL OR last_updated >= $5) ORDER BY version DESC LIMIT $6",
        versions(resource_type)
    ))
    .bind::<SqlUuid, _>(tenant)
    .bind::<Text, _>(resource_type.as_str())
    .bind::<Text, _>(id)
    .bind::<Nullable<Integer>, _>(wanted.before)
    .bind::<Nullable<Timestamptz>, _>(wanted.since)
    .bind::<BigInt, _>(wanted.limit)
    .load(conn)
    .await?;
    let stored = |row: Row| Stored {
        id: id.to_owned(),
        version: row.version,
        last_updated: row.last_updated,
        deleted: row.deleted,
        body: row.body,
    };
    Ok(rows.into_iter().map(stored).collect())
}

/// How many versions there are, of all pages.
///
/// # Errors
/// The database's error.
pub(crate) async fn count_history(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    resource_type: ResourceType,
    id: &str,
    since: Option<DateTime<Utc>>,
) -> QueryResult<i64> {
    let row: Count = diesel::sql_query(format!(
        "SELECT count(*) AS count FROM {} AS v WHERE $4 IS NULL OR last_updated >= $4",
        versions(resource_type)
    ))
    .bind::<SqlUuid, _>(tenant)
    .bind::<Text, _>(resource_type.as_str())
    .bind::<Text, _>(id)
    .bind::<Nullable<Timestamptz>, _>(since)
    .get_result(conn)
    .await?;
    Ok(row.count)
}
