//! The record of corrections: append-only.

use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, HeldReadingId, ReadingCorrectionId, ReassignmentId, ReplayId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// An entry to be written.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct NewCorrection {
    pub(in crate::ingest) tenant: TenantId,
    pub(in crate::ingest) action: &'static str,
    pub(in crate::ingest) reason: String,
    /// Nobody where the platform acted by itself.
    pub(in crate::ingest) token: Option<ApiTokenId>,
    pub(in crate::ingest) device: DeviceId,
    pub(in crate::ingest) held: Option<HeldReadingId>,
    pub(in crate::ingest) reassignment: Option<ReassignmentId>,
    pub(in crate::ingest) old_observation: Option<String>,
    pub(in crate::ingest) new_observation: Option<String>,
}

/// Writes entries; all were made at `now`.
pub(in crate::ingest) async fn insert_corrections(
    mut conn: &AsyncPgConnection,
    rows: &[NewCorrection],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "INSERT INTO reading_correction (tenant_id, id, at, action, reason, token_id, device_id, held_reading_id, reassignment_id, old_observation, new_observation) \
         SELECT t, i, $11, a, r, k, d, h, s, o, n FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS x(t, i, a, r, k, d, h, s, o, n)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|_row| ReadingCorrectionId::generate()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.action).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.token).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.device).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.held).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.reassignment).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.old_observation.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.new_observation.as_deref()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// An entry as it was written.
#[derive(Debug, Clone, QueryableByName)]
pub(in crate::ingest) struct CorrectionRow {
    #[diesel(sql_type = SqlUuid)]
    pub(in crate::ingest) id: ReadingCorrectionId,
    #[diesel(sql_type = SqlUuid)]
    pub(in crate::ingest) tenant_id: TenantId,
    #[diesel(sql_type = Timestamptz)]
    pub(in crate::ingest) at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub(in crate::ingest) action: String,
    #[diesel(sql_type = Text)]
    pub(in crate::ingest) reason: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(in crate::ingest) token_id: Option<ApiTokenId>,
    #[diesel(sql_type = SqlUuid)]
    pub(in crate::ingest) device_id: DeviceId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(in crate::ingest) held_reading_id: Option<HeldReadingId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(in crate::ingest) reassignment_id: Option<ReassignmentId>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(in crate::ingest) old_observation: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(in crate::ingest) new_observation: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(in crate::ingest) replay_id: Option<ReplayId>,
}

/// What a list of entries is narrowed to.
#[derive(Debug, Default)]
pub(in crate::ingest) struct CorrectionFilter {
    pub(in crate::ingest) device: Option<DeviceId>,
    pub(in crate::ingest) held: Option<HeldReadingId>,
    pub(in crate::ingest) reassignment: Option<ReassignmentId>,
    /// Old or new Observation.
    pub(in crate::ingest) observation: Option<String>,
}

/// Some entries of the tenants, after an id.
pub(in crate::ingest) async fn list_corrections(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    filter: &CorrectionFilter,
    after: ReadingCorrectionId,
    limit: i64,
) -> QueryResult<Vec<CorrectionRow>> {
    diesel::sql_query(
        "SELECT id, tenant_id, at, action, reason, token_id, device_id, held_reading_id, reassignment_id, old_observation, new_observation, replay_id \
         FROM reading_correction WHERE tenant_id = ANY($1) AND id > $2 AND ($3::uuid IS NULL OR device_id = $3) \
         AND ($4::uuid IS NULL OR held_reading_id = $4) AND ($5::uuid IS NULL OR reassignment_id = $5) \
         AND ($6::text IS NULL OR old_observation = $6 OR new_observation = $6) ORDER BY id LIMIT $7",
    )
    .bind::<Array<SqlUuid>, _>(tenants.to_vec())
    .bind::<SqlUuid, _>(after)
    .bind::<Nullable<SqlUuid>, _>(filter.device)
    .bind::<Nullable<SqlUuid>, _>(filter.held)
    .bind::<Nullable<SqlUuid>, _>(filter.reassignment)
    .bind::<Nullable<Text>, _>(filter.observation.as_deref())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}
