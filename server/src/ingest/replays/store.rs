//! Rows of replays: the jobs, and what they found.

use chrono::{DateTime, Utc};
use db::{ApiTokenId, ReplayId, ReplayItemId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::model::{Finding, ReplayCounts};

/// A replay.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct JobRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: ReplayId,
    #[diesel(sql_type = Jsonb)]
    pub(super) scope: Value,
    #[diesel(sql_type = Bool)]
    pub(super) dry_run: bool,
    #[diesel(sql_type = Text)]
    pub(super) reason: String,
    #[diesel(sql_type = SqlUuid)]
    pub(super) token_id: ApiTokenId,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    /// None until it was counted.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) total: Option<i64>,
    /// The last uplink that is done.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) position: Option<UplinkId>,
    #[diesel(sql_type = Jsonb)]
    pub(super) counts: Value,
    #[diesel(sql_type = BigInt)]
    pub(super) items: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) failure: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "tenant_id, id, scope, dry_run, reason, token_id, state, total, position, counts, items, failure, created_at, updated_at";

/// Leaves a job.
pub(super) async fn insert_job(mut conn: &AsyncPgConnection, job: &JobRow) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO replay (tenant_id, id, scope, dry_run, reason, token_id, counts, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Jsonb, _>(&job.scope)
    .bind::<Bool, _>(job.dry_run)
    .bind::<Text, _>(&job.reason)
    .bind::<SqlUuid, _>(job.token_id)
    .bind::<Jsonb, _>(&job.counts)
    .bind::<Timestamptz, _>(job.created_at)
    .execute(&mut conn)
    .await
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Replays of a tenant that run.
pub(super) async fn count_running(conn: &mut AsyncPgConnection, tenant: TenantId) -> QueryResult<i64> {
    let count: Count =
        diesel::sql_query("SELECT count(*) AS number FROM replay WHERE tenant_id = $1 AND state = 'running'")
            .bind::<SqlUuid, _>(tenant)
            .get_result(conn)
            .await?;
    Ok(count.number)
}

/// Changes a job's state, if it is the one it is said to be.
pub(super) async fn change_state(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE replay SET state = $4, failure = NULL, updated_at = $5 WHERE tenant_id = $1 AND id = $2 AND state = $3",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Text, _>(from)
    .bind::<Text, _>(to)
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// Takes the replay that waited longest and that no other process is at, for `seconds`.
pub(super) async fn claim(conn: &mut AsyncPgConnection, worker: Uuid, seconds: i32) -> QueryResult<Option<JobRow>> {
    diesel::sql_query(format!(
        "UPDATE replay SET worker = $1, lease_until = now() + make_interval(secs => $2) WHERE (tenant_id, id) = \
             (SELECT tenant_id, id FROM replay WHERE state = 'running' AND (worker = $1 OR lease_until IS NULL OR lease_until < now()) \
              ORDER BY updated_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {COLUMNS}"
    ))
    .bind::<SqlUuid, _>(worker)
    .bind::<diesel::sql_types::Double, _>(f64::from(seconds))
    .get_result(conn)
    .await
    .optional()
}

/// Lets go of everything that a process has, when it stops: another goes on at once.
pub(super) async fn let_go(conn: &mut AsyncPgConnection, worker: Uuid) -> QueryResult<usize> {
    diesel::sql_query("UPDATE replay SET worker = NULL, lease_until = NULL WHERE worker = $1 AND state = 'running'")
        .bind::<SqlUuid, _>(worker)
        .execute(conn)
        .await
}

/// The job, locked, if it still is where the page was decoded for: nobody cancelled it, nobody else did the page.
pub(super) async fn lock_at(mut conn: &AsyncPgConnection, job: &JobRow, worker: Uuid) -> QueryResult<Option<JobRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM replay WHERE tenant_id = $1 AND id = $2 AND state = 'running' AND worker = $3 \
         AND position IS NOT DISTINCT FROM $4 FOR UPDATE"
    ))
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<SqlUuid, _>(worker)
    .bind::<Nullable<SqlUuid>, _>(job.position)
    .get_result(&mut conn)
    .await
    .optional()
}

/// How far a job is.
pub(super) struct Reached<'a> {
    pub(super) position: Option<UplinkId>,
    pub(super) counts: &'a ReplayCounts,
    pub(super) items: i64,
    pub(super) state: &'static str,
}

/// Moves the job on.
pub(super) async fn reach(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    reached: &Reached<'_>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let counts = serde_json::to_value(reached.counts).unwrap_or_default();
    diesel::sql_query(
        "UPDATE replay SET position = coalesce($3, position), counts = $4, items = $5, state = $6, failure = NULL, updated_at = $7 \
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Nullable<SqlUuid>, _>(reached.position)
    .bind::<Jsonb, _>(counts)
    .bind::<BigInt, _>(reached.items)
    .bind::<Text, _>(reached.state)
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// Keeps how many uplinks there are.
pub(super) async fn set_total(mut conn: &AsyncPgConnection, job: &JobRow, total: i64) -> QueryResult<usize> {
    diesel::sql_query("UPDATE replay SET total = $3 WHERE tenant_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(job.tenant_id)
        .bind::<SqlUuid, _>(job.id)
        .bind::<BigInt, _>(total)
        .execute(&mut conn)
        .await
}

/// Why the last attempt did not get on. Another process may try next.
pub(super) async fn note_failure(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    code: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query("UPDATE replay SET failure = $3, updated_at = $4, worker = NULL, lease_until = NULL WHERE tenant_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(job.tenant_id)
        .bind::<SqlUuid, _>(job.id)
        .bind::<Text, _>(code)
        .bind::<Timestamptz, _>(now)
        .execute(&mut conn)
        .await
}

/// Keeps what was found.
pub(super) async fn insert_items(
    mut conn: &AsyncPgConnection,
    job: &JobRow,
    findings: &[&Finding],
) -> QueryResult<usize> {
    if findings.is_empty() {
        return Ok(0);
    }
    let changes = |finding: &&Finding| {
        (!finding.changes.is_empty()).then(|| serde_json::to_value(&finding.changes).unwrap_or_default())
    };
    diesel::sql_query(
        "INSERT INTO replay_item (tenant_id, replay_id, id, uplink_id, action, reason, kind, observation_id, changes) \
         SELECT $1, $2, i, u, a, r, k, o, c FROM unnest($3, $4, $5, $6, $7, $8, $9) AS x(i, u, a, r, k, o, c)",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<Array<SqlUuid>, _>(findings.iter().map(|_finding| ReplayItemId::generate()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(findings.iter().map(|finding| finding.uplink).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(findings.iter().map(|finding| finding.action.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(findings.iter().map(|finding| finding.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(findings.iter().map(|finding| finding.kind.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(findings.iter().map(|finding| finding.observation.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Jsonb>>, _>(findings.iter().map(changes).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}

/// One replay of the tenants.
pub(super) async fn find(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: ReplayId,
) -> QueryResult<Option<JobRow>> {
    diesel::sql_query(format!("SELECT {COLUMNS} FROM replay WHERE tenant_id = ANY($1) AND id = $2"))
        .bind::<Array<SqlUuid>, _>(tenants.to_vec())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// Replays of the tenants, after an id.
pub(super) async fn list(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    after: ReplayId,
    limit: i64,
) -> QueryResult<Vec<JobRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM replay WHERE tenant_id = ANY($1) AND id > $2 ORDER BY id LIMIT $3"
    ))
    .bind::<Array<SqlUuid>, _>(tenants.to_vec())
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// One thing that was found.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct ItemRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: ReplayItemId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) uplink_id: UplinkId,
    #[diesel(sql_type = Text)]
    pub(super) action: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) kind: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) observation_id: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub(super) changes: Option<Value>,
}

/// Items of a replay, after an id; of one action, where one is asked for.
pub(super) async fn items(
    conn: &mut AsyncPgConnection,
    job: &JobRow,
    action: Option<&str>,
    after: ReplayItemId,
    limit: i64,
) -> QueryResult<Vec<ItemRow>> {
    diesel::sql_query(
        "SELECT id, uplink_id, action, reason, kind, observation_id, changes FROM replay_item \
         WHERE tenant_id = $1 AND replay_id = $2 AND id > $3 AND ($4::text IS NULL OR action = $4) ORDER BY id LIMIT $5",
    )
    .bind::<SqlUuid, _>(job.tenant_id)
    .bind::<SqlUuid, _>(job.id)
    .bind::<SqlUuid, _>(after)
    .bind::<Nullable<Text>, _>(action)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}
