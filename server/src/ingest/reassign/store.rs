//! Rows of reassignments: the jobs, and the Observations that they still have to move.

use chrono::{DateTime, Utc};
use db::{ApiTokenId, AssignmentId, DeviceId, ReassignmentId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A reassignment.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct JobRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: ReassignmentId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) device_id: DeviceId,
    #[diesel(sql_type = Text)]
    pub(super) slot: String,
    #[diesel(sql_type = Text)]
    pub(super) patient_id: String,
    #[diesel(sql_type = Timestamptz)]
    pub(super) period_from: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) period_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    pub(super) reason: String,
    #[diesel(sql_type = SqlUuid)]
    pub(super) token_id: ApiTokenId,
    #[diesel(sql_type = Bool)]
    pub(super) take_unassigned: bool,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    /// None until it was looked up.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(super) found: Option<i32>,
    #[diesel(sql_type = Integer)]
    pub(super) moved: i32,
    #[diesel(sql_type = Integer)]
    pub(super) taken: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) failure: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "tenant_id, id, device_id, slot, patient_id, period_from, period_until, reason, token_id, take_unassigned, state, \
     found, moved, taken, failure, created_at, updated_at";

/// An Observation that has to be moved, and the assignment that gives its right person.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct ItemRow {
    #[diesel(sql_type = Text)]
    pub(super) observation_id: String,
    #[diesel(sql_type = SqlUuid)]
    pub(super) assignment_id: AssignmentId,
}

/// Observations of the device and slot in the period that are about anybody else who ever wore it there. Those that a
/// person claimed one by one are not among them: their assignment stands in no row.
pub(super) async fn to_move(mut conn: &AsyncPgConnection, job: &JobRow, limit: usize) -> QueryResult<Vec<ItemRow>> {
    // By patient, for that is how Observations are indexed; the device and the time filter within.
    diesel::sql_query(
        "WITH worn AS (SELECT coalesce(identity_id, id) AS identity, patient_id FROM assignment \
               WHERE tenant_id = $1 AND device_id = $2 AND slot = $3 AND patient_id <> $4 \
             UNION SELECT assignment_id, patient_id FROM assignment_history \
               WHERE tenant_id = $1 AND device_id = $2 AND slot = $3 AND patient_id <> $4) \
         SELECT o.id AS observation_id, coalesce(a.identity_id, a.id) AS assignment_id \
         FROM observation o JOIN assignment a ON a.tenant_id = $1 AND a.device_id = $2 AND a.slot = $3 AND a.patient_id = $4 \
              AND a.worn_from <= o.effective_low AND (a.worn_until IS NULL OR o.effective_low < a.worn_until) \
         WHERE o.tenant_id = $1 AND o.patient_id IN (SELECT patient_id FROM worn) AND o.device_id = $2::text \
           AND o.assignment_id IN (SELECT identity FROM worn) AND o.uplink_id IS NOT NULL AND o.status <> 'entered-in-error' \
           AND o.effective_low >= $5 AND ($6::timestamptz IS NULL OR o.effective_low < $6) \
         ORDER BY o.id LIMIT $7",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.device_id)
    .bind::<Text, _>(&job.slot)
    .bind::<Text, _>(&job.patient_id)
    .bind::<Timestamptz, _>(job.period_from)
    .bind::<Nullable<Timestamptz>, _>(job.period_until)
    .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
    .load(&mut conn)
    .await
}

/// Leaves the job.
pub(super) async fn insert_job(mut conn: &AsyncPgConnection, job: &JobRow) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO reassignment (tenant_id, id, device_id, slot, patient_id, period_from, period_until, reason, token_id, take_unassigned, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<SqlUuid, _>(job.device_id)
    .bind::<Text, _>(&job.slot)
    .bind::<Text, _>(&job.patient_id)
    .bind::<Timestamptz, _>(job.period_from)
    .bind::<Nullable<Timestamptz>, _>(job.period_until)
    .bind::<Text, _>(&job.reason)
    .bind::<SqlUuid, _>(job.token_id)
    .bind::<Bool, _>(job.take_unassigned)
    .bind::<Timestamptz, _>(job.created_at)
    .execute(&mut conn)
    .await
}

#[derive(QueryableByName)]
struct Running {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    id: ReassignmentId,
}

/// Jobs that are not done, the one that waited longest first.
pub(super) async fn running(mut conn: &AsyncPgConnection) -> QueryResult<Vec<(TenantId, ReassignmentId)>> {
    let rows: Vec<Running> = diesel::sql_query(
        "SELECT tenant_id, id FROM reassignment WHERE state = 'running' ORDER BY updated_at LIMIT 20",
    )
    .load(&mut conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.id)).collect())
}

/// The job, if it is not done and nobody else is at it.
pub(super) async fn lock_job(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    id: ReassignmentId,
) -> QueryResult<Option<JobRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM reassignment WHERE tenant_id = $1 AND id = $2 AND state = 'running' FOR UPDATE SKIP LOCKED"
    ))
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(id)
    .get_result(&mut conn)
    .await
    .optional()
}

/// Keeps what has to be moved.
pub(super) async fn insert_items(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    items: &[ItemRow],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO reassignment_item (tenant_id, reassignment_id, observation_id, assignment_id) \
         SELECT $1, $2, o, a FROM unnest($3, $4) AS x(o, a)",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Array<Text>, _>(items.iter().map(|item| item.observation_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(items.iter().map(|item| item.assignment_id).collect::<Vec<_>>())
    .execute(&mut conn)
    .await?;
    diesel::sql_query("UPDATE reassignment SET found = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(job.tenant_id)
        .bind::<SqlUuid, _>(job.id)
        .bind::<Integer, _>(i32::try_from(items.len()).unwrap_or(i32::MAX))
        .bind::<Timestamptz, _>(now)
        .execute(&mut conn)
        .await?;
    Ok(())
}

/// Some that are left.
pub(super) async fn next_items(mut conn: &AsyncPgConnection, job: &JobRow, limit: i64) -> QueryResult<Vec<ItemRow>> {
    diesel::sql_query(
        "SELECT observation_id, assignment_id FROM reassignment_item WHERE tenant_id = $1 AND reassignment_id = $2 \
         ORDER BY observation_id LIMIT $3",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<BigInt, _>(limit)
    .load(&mut conn)
    .await
}

/// These are moved.
pub(super) async fn moved(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    items: &[ItemRow],
    moved: usize,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::sql_query(
        "DELETE FROM reassignment_item WHERE tenant_id = $1 AND reassignment_id = $2 AND observation_id = ANY($3)",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Array<Text>, _>(items.iter().map(|item| item.observation_id.as_str()).collect::<Vec<_>>())
    .execute(&mut conn)
    .await?;
    diesel::sql_query(
        "UPDATE reassignment SET moved = moved + $3, failure = NULL, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Integer, _>(i32::try_from(moved).unwrap_or(i32::MAX))
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await?;
    Ok(())
}

/// Nothing is left.
pub(super) async fn finish(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    taken: usize,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE reassignment SET state = 'done', taken = $3, updated_at = $4, \
         failure = CASE WHEN moved < found THEN 'not-all-moved' END WHERE tenant_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Integer, _>(i32::try_from(taken).unwrap_or(i32::MAX))
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// Why the last attempt did not get on.
pub(super) async fn note_failure(
    mut conn: &AsyncPgConnection,
    tenant: TenantId,
    id: ReassignmentId,
    code: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query("UPDATE reassignment SET failure = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(code)
        .bind::<Timestamptz, _>(now)
        .execute(&mut conn)
        .await
}

/// One reassignment of the tenants.
pub(super) async fn find(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: ReassignmentId,
) -> QueryResult<Option<JobRow>> {
    diesel::sql_query(format!("SELECT {COLUMNS} FROM reassignment WHERE tenant_id = ANY($1) AND id = $2"))
        .bind::<Array<SqlUuid>, _>(tenants.to_vec())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// Reassignments of a device of the tenants, after an id.
pub(super) async fn list(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    device: DeviceId,
    after: ReassignmentId,
    limit: i64,
) -> QueryResult<Vec<JobRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM reassignment WHERE tenant_id = ANY($1) AND device_id = $2 AND id > $3 ORDER BY id LIMIT $4"
    ))
    .bind::<Array<SqlUuid>, _>(tenants.to_vec())
    .bind::<SqlUuid, _>(device)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}
