//! Rows of shadow runs, and of the record keys that they found changed.

use chrono::{DateTime, Utc};
use db::{ApiTokenId, HeldReadingId, ShadowReplayId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::run_both::ChangedKey;

/// A shadow run.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct RunRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: ShadowReplayId,
    #[diesel(sql_type = Text)]
    pub(super) decoder_name: String,
    #[diesel(sql_type = Text)]
    pub(super) decoder_version: String,
    /// `replay` or `live`.
    #[diesel(sql_type = Text)]
    pub(super) kind: String,
    #[diesel(sql_type = Jsonb)]
    pub(super) scope: Value,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) token_id: Option<ApiTokenId>,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    /// None until it was counted.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) total: Option<i64>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) position_tenant: Option<TenantId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) position: Option<UplinkId>,
    #[diesel(sql_type = Jsonb)]
    pub(super) report: Value,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) record_keys: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) record_keys_reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) failure: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, decoder_name, decoder_version, kind, scope, token_id, state, total, position_tenant, position, report, record_keys, \
     record_keys_reason, failure, created_at, updated_at";

/// Leaves a run.
pub(super) async fn insert(conn: &mut AsyncPgConnection, run: &RunRow) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO shadow_replay (id, decoder_name, decoder_version, kind, scope, token_id, report, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind::<SqlUuid, _>(run.id)
    .bind::<Text, _>(&run.decoder_name)
    .bind::<Text, _>(&run.decoder_version)
    .bind::<Text, _>(&run.kind)
    .bind::<Jsonb, _>(&run.scope)
    .bind::<Nullable<SqlUuid>, _>(run.token_id)
    .bind::<Jsonb, _>(&run.report)
    .bind::<Timestamptz, _>(run.created_at)
    .execute(conn)
    .await
}

/// One run.
pub(super) async fn find(conn: &mut AsyncPgConnection, id: ShadowReplayId) -> QueryResult<Option<RunRow>> {
    diesel::sql_query(format!("SELECT {COLUMNS} FROM shadow_replay WHERE id = $1"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// Runs after an id, oldest first; of some decoders, or of all.
pub(super) async fn list(
    conn: &mut AsyncPgConnection,
    decoders: Option<&[String]>,
    after: ShadowReplayId,
    limit: i64,
) -> QueryResult<Vec<RunRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM shadow_replay WHERE id > $1 AND ($3 IS NULL OR decoder_name = ANY($3)) ORDER BY id LIMIT $2"
    );
    diesel::sql_query(sql)
        .bind::<SqlUuid, _>(after)
        .bind::<BigInt, _>(limit)
        .bind::<Nullable<Array<Text>>, _>(decoders)
        .load(conn)
        .await
}

/// The newest shadow replay of a version that is done.
pub(super) async fn newest_done(
    conn: &mut AsyncPgConnection,
    name: &str,
    version: &str,
) -> QueryResult<Option<RunRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM shadow_replay WHERE decoder_name = $1 AND decoder_version = $2 AND kind = 'replay' AND state = 'done' \
         ORDER BY id DESC LIMIT 1"
    ))
    .bind::<Text, _>(name)
    .bind::<Text, _>(version)
    .get_result(conn)
    .await
    .optional()
}

/// Live shadows that run.
pub(super) async fn live(conn: &mut AsyncPgConnection) -> QueryResult<Vec<RunRow>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM shadow_replay WHERE state = 'running' AND kind = 'live' ORDER BY id LIMIT 20"
    ))
    .load(conn)
    .await
}

/// Changes a run's state, if it is the one it is said to be.
pub(super) async fn change_state(
    conn: &mut AsyncPgConnection,
    id: ShadowReplayId,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE shadow_replay SET state = $3, failure = NULL, updated_at = $4 WHERE id = $1 AND state = $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .bind::<Text, _>(to)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Takes the shadow replay that waited longest and that no other process is at, for `seconds`.
pub(super) async fn claim(conn: &mut AsyncPgConnection, worker: Uuid, seconds: i32) -> QueryResult<Option<RunRow>> {
    diesel::sql_query(format!(
        "UPDATE shadow_replay SET worker = $1, lease_until = now() + make_interval(secs => $2) WHERE id = \
             (SELECT id FROM shadow_replay WHERE state = 'running' AND kind = 'replay' AND (worker = $1 OR lease_until IS NULL OR lease_until < now()) \
              ORDER BY updated_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {COLUMNS}"
    ))
    .bind::<SqlUuid, _>(worker)
    .bind::<Double, _>(f64::from(seconds))
    .get_result(conn)
    .await
    .optional()
}

/// Lets go of everything that a process has.
pub(super) async fn let_go(conn: &mut AsyncPgConnection, worker: Uuid) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE shadow_replay SET worker = NULL, lease_until = NULL WHERE worker = $1 AND state = 'running'",
    )
    .bind::<SqlUuid, _>(worker)
    .execute(conn)
    .await
}

/// Why the last attempt did not get on. Another process may try next.
pub(super) async fn note_failure(
    conn: &mut AsyncPgConnection,
    id: ShadowReplayId,
    code: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE shadow_replay SET failure = $2, updated_at = $3, worker = NULL, lease_until = NULL WHERE id = $1",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(code)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Keeps how many uplinks there are.
pub(super) async fn set_total(conn: &mut AsyncPgConnection, id: ShadowReplayId, total: i64) -> QueryResult<usize> {
    diesel::sql_query("UPDATE shadow_replay SET total = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(total)
        .execute(conn)
        .await
}

/// How far a run is.
pub(super) struct Reached {
    pub(super) tenant: Option<TenantId>,
    pub(super) uplink: Option<UplinkId>,
    pub(super) report: Value,
    pub(super) state: &'static str,
}

/// Moves a run on, if it still is where the page was read for; 0 when it was cancelled or another process was faster.
pub(super) async fn reach(
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    worker: Uuid,
    reached: &Reached,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE shadow_replay SET position_tenant = $5, position = $6, report = $7, state = $8, failure = NULL, updated_at = $9 \
         WHERE id = $1 AND state = 'running' AND worker = $2 AND position_tenant IS NOT DISTINCT FROM $3 AND position IS NOT DISTINCT FROM $4",
    )
    .bind::<SqlUuid, _>(run.id)
    .bind::<SqlUuid, _>(worker)
    .bind::<Nullable<SqlUuid>, _>(run.position_tenant)
    .bind::<Nullable<SqlUuid>, _>(run.position)
    .bind::<Nullable<SqlUuid>, _>(reached.tenant)
    .bind::<Nullable<SqlUuid>, _>(reached.uplink)
    .bind::<Jsonb, _>(&reached.report)
    .bind::<Text, _>(reached.state)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Jsonb)]
    report: Value,
}

/// The report of a live shadow that runs, locked.
pub(super) async fn lock_report(conn: &mut AsyncPgConnection, id: ShadowReplayId) -> QueryResult<Option<Value>> {
    let row: Option<Stored> =
        diesel::sql_query("SELECT report FROM shadow_replay WHERE id = $1 AND state = 'running' FOR UPDATE")
            .bind::<SqlUuid, _>(id)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(|row| row.report))
}

/// Writes the report of a live shadow.
pub(super) async fn write_report(
    conn: &mut AsyncPgConnection,
    id: ShadowReplayId,
    report: &Value,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query("UPDATE shadow_replay SET report = $2, updated_at = $3 WHERE id = $1")
        .bind::<SqlUuid, _>(id)
        .bind::<Jsonb, _>(report)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await
}

/// Keeps changed keys; one that was seen already stays.
pub(super) async fn insert_keys(
    conn: &mut AsyncPgConnection,
    id: ShadowReplayId,
    keys: &[ChangedKey],
) -> QueryResult<usize> {
    if keys.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "INSERT INTO shadow_key (tenant_id, shadow_id, device_id, new_key, old_key, uplink_id, received_at, kind, measured_at) \
         SELECT t, $1, d, nk, ok, u, r, k, m FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) AS x(t, d, nk, ok, u, r, k, m) ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.new_key.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.old_key.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(keys.iter().map(|key| key.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(keys.iter().map(|key| key.measured_at).collect::<Vec<_>>())
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Keys that cannot be mapped: the new key of one record is the old key of another of the same device, or two records would
/// have one key.
pub(super) async fn count_ambiguous(conn: &mut AsyncPgConnection, id: ShadowReplayId) -> QueryResult<i64> {
    let count: Count = diesel::sql_query(
        "SELECT count(*) AS number FROM shadow_key n JOIN shadow_key o ON o.shadow_id = n.shadow_id AND o.tenant_id = n.tenant_id \
           AND o.device_id = n.device_id AND o.old_key = n.new_key WHERE n.shadow_id = $1",
    )
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await?;
    Ok(count.number)
}

/// Makes the changed keys aliases of those that the records are stored with.
pub(super) async fn remap(conn: &mut AsyncPgConnection, id: ShadowReplayId, now: DateTime<Utc>) -> QueryResult<usize> {
    let mut mapped = 0;
    loop {
        let keys: Vec<KeyRow> = diesel::sql_query(
            "DELETE FROM shadow_key WHERE (tenant_id, shadow_id, device_id, new_key) IN \
                 (SELECT tenant_id, shadow_id, device_id, new_key FROM shadow_key WHERE shadow_id = $1 LIMIT 5000) \
             RETURNING tenant_id, device_id, new_key, old_key, uplink_id, received_at, kind, measured_at",
        )
        .bind::<SqlUuid, _>(id)
        .load(conn)
        .await?;
        if keys.is_empty() {
            return Ok(mapped);
        }
        mapped += keys.len();
        diesel::sql_query(
            "INSERT INTO held_reading (tenant_id, id, reading_key, identity_key, uplink_id, received_at, device_id, kind, measured_at, reason, detail, state, settled_at) \
             SELECT t, i, nk, ok, u, r, d, k, m, 'record-key-changed', 'No reading: the record that comes under this key is stored under another.', 'alias', $10 \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS x(t, i, d, nk, ok, u, r, k, m) \
             ON CONFLICT (tenant_id, device_id, reading_key) DO NOTHING",
        )
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.tenant_id).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|_key| HeldReadingId::generate()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.device_id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.new_key.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.old_key.as_str()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.uplink_id).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(keys.iter().map(|key| key.received_at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(keys.iter().map(|key| key.measured_at).collect::<Vec<_>>())
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    }
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    device_id: db::DeviceId,
    #[diesel(sql_type = Text)]
    new_key: String,
    #[diesel(sql_type = Text)]
    old_key: String,
    #[diesel(sql_type = SqlUuid)]
    uplink_id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Timestamptz)]
    measured_at: DateTime<Utc>,
}

/// Old runs lose their examples, which hold values, and their pairs of keys; the counts stay.
pub(super) async fn forget_old(conn: &mut AsyncPgConnection, days: i32) -> QueryResult<()> {
    diesel::sql_query(
        "DELETE FROM shadow_key k USING shadow_replay s WHERE s.id = k.shadow_id AND s.updated_at < now() - make_interval(days => $1)",
    )
    .bind::<diesel::sql_types::Integer, _>(days)
    .execute(conn)
    .await?;
    diesel::sql_query(
        "UPDATE shadow_replay SET report = report - 'examples' WHERE updated_at < now() - make_interval(days => $1) AND report->'examples' IS NOT NULL",
    )
    .bind::<diesel::sql_types::Integer, _>(days)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps what was decided about changed record keys.
pub(super) async fn decide_keys(
    conn: &mut AsyncPgConnection,
    id: ShadowReplayId,
    decision: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE shadow_replay SET record_keys = $2, record_keys_reason = $3, updated_at = $4 WHERE id = $1",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(decision)
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}
