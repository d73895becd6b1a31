//! Rows of deliveries and their log: born with readings, listed, replayed, counted.

use chrono::{DateTime, Utc};
use db::schema::{delivery, delivery_log};
use db::{Constant as _, DeliveryId, EndpointId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::forward::model;

/// A delivery to be born.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewDelivery {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Where it goes.
    pub(crate) endpoint: EndpointId,
    /// `Observation`.
    pub(crate) resource_type: &'static str,
    /// FHIR id.
    pub(crate) resource_id: String,
    /// Version that is to arrive; a newer one replaces it.
    pub(crate) version: i32,
    /// [`model::lane`] of the patient.
    pub(crate) lane: i16,
}

/// A delivery that waits or was given up.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = delivery, check_for_backend(diesel::pg::Pg))]
pub(crate) struct DeliveryRow {
    pub(crate) tenant_id: TenantId,
    pub(crate) id: DeliveryId,
    pub(crate) endpoint_id: EndpointId,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
    pub(crate) version: i32,
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) next_attempt_at: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_status: Option<i32>,
    pub(crate) last_reason: Option<String>,
    pub(crate) last_outcome: Option<String>,
}

/// A delivery that is over.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = delivery_log, check_for_backend(diesel::pg::Pg))]
pub(crate) struct LogRow {
    pub(crate) tenant_id: TenantId,
    pub(crate) id: DeliveryId,
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) endpoint_id: EndpointId,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
    pub(crate) version: i32,
    pub(crate) attempts: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) outcome: String,
    pub(crate) location: Option<String>,
}

/// What a list asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) after: Uuid,
    pub(crate) limit: i64,
}

/// Rows whose resource was made in the same transaction: no delivery can be there for them yet.
const FIRST: &str = "INSERT INTO delivery AS d (tenant_id, id, endpoint_id, resource_type, resource_id, version, lane) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)";

/// Rows that may meet one that waits already. That one takes the newer version; one that was given up waits again, since the
/// newer version may be what the receiver takes. While an earlier attempt may still be in flight, its time is kept.
const MERGING: &str = "INSERT INTO delivery AS d (tenant_id, id, endpoint_id, resource_type, resource_id, version, lane) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (tenant_id, endpoint_id, resource_type, resource_id) DO UPDATE SET \
        version = excluded.version, lane = excluded.lane, state = 'pending', attempts = 0, updated_at = now(), \
        created_at = CASE WHEN d.state = 'dead' THEN now() ELSE d.created_at END, \
        next_attempt_at = CASE WHEN d.state = 'pending' AND d.ambiguous THEN d.next_attempt_at ELSE now() END \
    WHERE d.version < excluded.version";

/// Stores deliveries of resources that were made in the same transaction.
pub(crate) async fn insert_first(conn: &AsyncPgConnection, rows: &[NewDelivery]) -> QueryResult<usize> {
    insert(FIRST, conn, rows).await
}

/// Stores deliveries; one that waits already for an older version takes the newer one.
///
/// No endpoint and resource may occur twice in `rows`, and they must be sorted: see `insert_deliveries`.
pub(crate) async fn insert_or_merge(conn: &AsyncPgConnection, rows: &[NewDelivery]) -> QueryResult<usize> {
    insert(MERGING, conn, rows).await
}

async fn insert(statement: &'static str, mut conn: &AsyncPgConnection, rows: &[NewDelivery]) -> QueryResult<usize> {
    diesel::sql_query(statement)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|_row| DeliveryId::generate()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.endpoint).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.resource_type).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.resource_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|row| row.lane).collect::<Vec<_>>())
        .prepared()
        .execute(&mut conn)
        .await
}

#[derive(QueryableByName)]
struct SentBefore {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    endpoint_id: EndpointId,
    #[diesel(sql_type = Text)]
    resource_id: String,
}

/// Which endpoints were sent a version of these resources, or wait for one. The log is kept for a while only.
pub(crate) async fn sent_before(
    mut conn: &AsyncPgConnection,
    resource_type: &str,
    resources: &[(TenantId, &str)],
) -> QueryResult<Vec<(TenantId, EndpointId, String)>> {
    // The endpoints of the tenant first: both look-ups are then by their whole key.
    let rows: Vec<SentBefore> = diesel::sql_query(
        "SELECT x.t AS tenant_id, e.id AS endpoint_id, x.i AS resource_id FROM unnest($1, $2) AS x(t, i) JOIN endpoint e ON e.tenant_id = x.t \
         WHERE EXISTS (SELECT FROM delivery d WHERE d.tenant_id = x.t AND d.endpoint_id = e.id AND d.resource_type = $3 AND d.resource_id = x.i) \
            OR EXISTS (SELECT FROM delivery_log l WHERE l.tenant_id = x.t AND l.resource_id = x.i AND l.endpoint_id = e.id \
                   AND l.resource_type = $3 AND l.outcome = 'delivered')",
    )
    .bind::<Array<SqlUuid>, _>(resources.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(resources.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .bind::<Text, _>(resource_type)
    .load(&mut conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.endpoint_id, row.resource_id)).collect())
}

/// Deliveries that wait (`pending`), were given up (`dead`), or both.
pub(crate) async fn list(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    state: Option<&str>,
) -> QueryResult<Vec<DeliveryRow>> {
    let mut query = delivery::table
        .filter(delivery::tenant_id.eq_any(&wanted.tenants))
        .filter(delivery::id.gt(DeliveryId(wanted.after)))
        .order(delivery::id)
        .limit(wanted.limit)
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(endpoint) = wanted.endpoint {
        query = query.filter(delivery::endpoint_id.eq(endpoint));
    }
    if let Some(state) = state {
        query = query.filter(delivery::state.eq(state));
    }
    query.load(conn).await
}

/// Deliveries that are over.
pub(crate) async fn list_log(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    outcome: Option<&str>,
) -> QueryResult<Vec<LogRow>> {
    let mut query = delivery_log::table
        .filter(delivery_log::tenant_id.eq_any(&wanted.tenants))
        .filter(delivery_log::id.gt(DeliveryId(wanted.after)))
        .order(delivery_log::id)
        .limit(wanted.limit)
        .select(LogRow::as_select())
        .into_boxed();
    if let Some(endpoint) = wanted.endpoint {
        query = query.filter(delivery_log::endpoint_id.eq(endpoint));
    }
    if let Some(outcome) = outcome {
        query = query.filter(delivery_log::outcome.eq(outcome));
    }
    query.load(conn).await
}

/// Lets one delivery that was given up, or waits, be tried now. An attempt that may still be in flight keeps its time.
pub(crate) async fn replay_waiting(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: DeliveryId,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE delivery SET state = 'pending', attempts = 0, updated_at = now(), \
             created_at = CASE WHEN state = 'dead' THEN now() ELSE created_at END, \
             next_attempt_at = CASE WHEN state = 'pending' AND ambiguous THEN next_attempt_at ELSE now() END \
         WHERE tenant_id = ANY($1) AND id = $2",
    )
    .bind::<Array<SqlUuid>, _>(tenants)
    .bind::<SqlUuid, _>(id)
    .prepared()
    .execute(conn)
    .await
}

/// A period: from, until (exclusive); open ends are allowed.
pub(crate) type Period = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Lets all deliveries of an endpoint that were given up in a period be tried now.
pub(crate) async fn replay_dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    endpoint: EndpointId,
    (from, until): Period,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE delivery SET state = 'pending', attempts = 0, created_at = now(), next_attempt_at = now(), updated_at = now() \
         WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'dead' \
           AND ($3 IS NULL OR updated_at >= $3) AND ($4 IS NULL OR updated_at < $4)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(endpoint)
    .bind::<Nullable<Timestamptz>, _>(from)
    .bind::<Nullable<Timestamptz>, _>(until)
    .prepared()
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct Again {
    #[diesel(sql_type = Text)]
    resource_id: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    patient_id: String,
}

/// What was delivered (one delivery, or all of a period) as deliveries to be born again, for as far as it still exists.
pub(crate) async fn delivered_again(
    conn: &mut AsyncPgConnection,
    (tenant, endpoint): (TenantId, EndpointId),
    id: Option<DeliveryId>,
    (from, until): Period,
    limit: i64,
) -> QueryResult<Vec<NewDelivery>> {
    let rows: Vec<Again> = diesel::sql_query(
        "SELECT DISTINCT o.id AS resource_id, o.version, COALESCE(o.patient_id, '') AS patient_id FROM delivery_log l \
         JOIN observation o ON o.tenant_id = l.tenant_id AND o.id = l.resource_id AND NOT o.deleted \
         WHERE l.tenant_id = $1 AND l.endpoint_id = $2 AND l.resource_type = 'Observation' AND l.outcome = 'delivered' \
           AND ($3 IS NULL OR l.id = $3) AND ($4 IS NULL OR l.finished_at >= $4) AND ($5 IS NULL OR l.finished_at < $5) \
           AND NOT EXISTS (SELECT FROM delivery d WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id \
               AND d.resource_type = l.resource_type AND d.resource_id = l.resource_id) \
         LIMIT $6",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(endpoint)
    .bind::<Nullable<SqlUuid>, _>(id)
    .bind::<Nullable<Timestamptz>, _>(from)
    .bind::<Nullable<Timestamptz>, _>(until)
    .bind::<BigInt, _>(limit)
    .prepared()
    .load(conn)
    .await?;
    let born = |row: Again| NewDelivery {
        tenant,
        endpoint,
        resource_type: "Observation",
        lane: model::lane(&row.patient_id),
        resource_id: row.resource_id,
        version: row.version,
    };
    Ok(rows.into_iter().map(born).collect())
}

/// The newest log row of a delivery.
pub(crate) async fn find_log(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: DeliveryId,
) -> QueryResult<Option<LogRow>> {
    delivery_log::table
        .filter(delivery_log::tenant_id.eq_any(tenants))
        .filter(delivery_log::id.eq(id))
        .order(delivery_log::finished_at.desc())
        .select(LogRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// What waits, over all tenants.
#[derive(Debug, QueryableByName)]
pub(crate) struct Backlog {
    #[diesel(sql_type = BigInt)]
    pub(crate) pending: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) dead: i64,
    /// Age of the oldest that waits.
    #[diesel(sql_type = Double)]
    pub(crate) lag_seconds: f64,
}

/// Counts what waits; for metrics.
pub(crate) async fn backlog(conn: &mut AsyncPgConnection) -> QueryResult<Backlog> {
    diesel::sql_query(
        "SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'dead') AS dead, \
                COALESCE(EXTRACT(EPOCH FROM now() - min(created_at) FILTER (WHERE state = 'pending')), 0)::float8 AS lag_seconds \
         FROM delivery",
    )
    .prepared()
    .get_result(conn)
    .await
}
