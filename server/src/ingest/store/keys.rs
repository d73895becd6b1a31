//! Transport keys: the same request or the same bytes again.

use chrono::{DateTime, Utc};
use db::{Constant as _, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bytea, Jsonb, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// A transport key with the uplink that brings it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRow {
    /// Whose.
    pub tenant: TenantId,
    /// Which source.
    pub source: Uuid,
    /// The key.
    pub key: [u8; 32],
    /// The uplink.
    pub uplink: UplinkId,
    /// From when the key counts.
    pub received_at: DateTime<Utc>,
    /// Until when the key counts.
    pub expires_at: DateTime<Utc>,
}

/// A key that an earlier uplink holds, with that uplink's answer.
#[derive(Debug, Clone, QueryableByName)]
pub struct HeldKey {
    /// The source.
    #[diesel(sql_type = SqlUuid)]
    pub source_id: Uuid,
    /// The key.
    #[diesel(sql_type = Bytea)]
    pub key: Vec<u8>,
    /// The uplink that holds it.
    #[diesel(sql_type = SqlUuid)]
    pub uplink_id: UplinkId,
    /// What was answered, with the hash of the body it was answered to.
    #[diesel(sql_type = Jsonb)]
    pub answer: serde_json::Value,
}

/// Takes the keys, in sorted order so that two batches cannot wait for each other, and answers those that an earlier
/// uplink holds already: for a period that meets theirs. Captures may arrive in any order. The second statement sees what the first waited for: a twin in another process.
pub async fn take_keys(conn: &mut AsyncPgConnection, mut rows: Vec<KeyRow>) -> QueryResult<Vec<HeldKey>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    rows.sort();
    diesel::sql_query(
        "INSERT INTO ingest_key (tenant_id, source_id, key, uplink_id, received_at, expires_at, answer) \
         SELECT t, s, k, u, r, e, 'null'::jsonb FROM unnest($1, $2, $3, $4, $5, $6) AS x(t, s, k, u, r, e) \
         ON CONFLICT (tenant_id, source_id, key) DO UPDATE \
         SET uplink_id = excluded.uplink_id, received_at = excluded.received_at, expires_at = excluded.expires_at, answer = excluded.answer \
         WHERE ingest_key.expires_at <= excluded.received_at OR excluded.expires_at <= ingest_key.received_at",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.source).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.expires_at).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    diesel::sql_query(
        "SELECT h.source_id, h.key, h.uplink_id, h.answer FROM unnest($1, $2, $3, $4) AS x(t, s, k, u) \
         JOIN ingest_key h ON h.tenant_id = x.t AND h.source_id = x.s AND h.key = x.k WHERE h.uplink_id <> x.u",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.source).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await
}

/// Writes down what was answered to the uplinks that hold keys.
pub async fn answer_keys(
    mut conn: &AsyncPgConnection,
    rows: &[KeyRow],
    answers: Vec<serde_json::Value>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE ingest_key h SET answer = x.a FROM unnest($1, $2, $3, $4, $5) AS x(t, s, k, u, a) \
         WHERE h.tenant_id = x.t AND h.source_id = x.s AND h.key = x.k AND h.uplink_id = x.u",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.source).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(answers)
    .prepared()
    .execute(&mut conn)
    .await
}

/// Gives keys back that these uplinks took.
pub async fn release_keys(mut conn: &AsyncPgConnection, rows: &[(TenantId, UplinkId, [u8; 32])]) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM ingest_key h USING unnest($1, $2, $3) AS x(t, u, k) WHERE h.tenant_id = x.t AND h.key = x.k AND h.uplink_id = x.u",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(_, uplink, _)| *uplink).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|(_, _, key)| key.as_slice()).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}
