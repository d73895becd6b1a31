//! What the transactions lock and write of held readings.

use chrono::{DateTime, Utc};
use db::{AssignmentId, Constant as _, DeviceId, HeldReadingId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::interpret::ReadingKey;
use crate::ingest::model::Found;
use crate::ingest::store::HeldRow;

/// A held row that has to do with a reading of a batch.
#[derive(Debug, Clone, QueryableByName)]
pub struct SeenRow {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: HeldReadingId,
    /// The reading's key; with a content's hash behind it where the plain key was taken.
    #[diesel(sql_type = Text)]
    pub reading_key: String,
    /// The content that it keeps.
    #[diesel(sql_type = Nullable<Bytea>)]
    pub content_hash: Option<Vec<u8>>,
    /// `open`, or how it was settled.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Why it waits.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// The assignment that gave the subject.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub assignment_id: Option<AssignmentId>,
    /// Whose it is, once that was said.
    #[diesel(sql_type = Nullable<Text>)]
    pub patient_id: Option<String>,
    /// What it became.
    #[diesel(sql_type = Nullable<Text>)]
    pub observation_id: Option<String>,
    /// Of an alias: the key under which the record is stored.
    #[diesel(sql_type = Nullable<Text>)]
    pub identity_key: Option<String>,
}

impl SeenRow {
    /// Whether it keeps the content of this reading. Rows from before contents were kept are taken to.
    pub fn has_content(&self, found: &Found) -> bool {
        self.content_hash.as_ref().is_none_or(|hash| hex::encode(hash) == found.interpreted.identity.content_hash)
    }
}

#[derive(QueryableByName)]
struct Probed {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    id: HeldReadingId,
}

/// Locks the held rows of these readings. Nearly every reading has none: one probe of the unique index each, whatever the
/// size of the table (OFFSET 0 keeps the probe a loop), and no second statement.
pub async fn lock_seen(
    mut conn: &AsyncPgConnection,
    readings: &[(TenantId, DeviceId, ReadingKey)],
) -> QueryResult<Vec<SeenRow>> {
    // `key || ';'` is the first text behind every `key:…`.
    let found: Vec<Probed> = diesel::sql_query(
        "SELECT h.tenant_id, h.id FROM unnest($1, $2, $3) AS x(t, d, k) \
         CROSS JOIN LATERAL (SELECT h.tenant_id, h.id FROM held_reading h WHERE h.tenant_id = x.t AND h.device_id = x.d \
             AND h.reading_key >= x.k AND h.reading_key < x.k || ';' OFFSET 0) h",
    )
    .bind::<Array<SqlUuid>, _>(readings.iter().map(|(tenant, ..)| *tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(readings.iter().map(|(_, device, _)| *device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(readings.iter().map(|(.., key)| key.text()).collect::<Vec<_>>())
    .prepared()
    .load(&mut conn)
    .await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // In one order in every process. Whoever settles one of them meanwhile is waited for, and seen.
    diesel::sql_query(
        "SELECT tenant_id, id, reading_key, content_hash, state, reason, assignment_id, patient_id, observation_id, identity_key FROM held_reading \
         WHERE tenant_id = ANY($1) AND id = ANY($2) ORDER BY tenant_id, id FOR UPDATE",
    )
    .bind::<Array<SqlUuid>, _>(found.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(found.iter().map(|row| row.id).collect::<Vec<_>>())
    .load(&mut conn)
    .await
}

/// Locks one held row of the tenants; its state.
pub async fn lock_one(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: HeldReadingId,
) -> QueryResult<Option<SeenRow>> {
    diesel::sql_query(
        "SELECT tenant_id, id, reading_key, content_hash, state, reason, assignment_id, patient_id, observation_id, identity_key \
         FROM held_reading WHERE tenant_id = ANY($1) AND id = $2 FOR UPDATE",
    )
    .bind::<Array<SqlUuid>, _>(tenants.to_vec())
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
    .optional()
}

/// How a held row ends.
#[derive(Debug)]
pub struct Settling<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: HeldReadingId,
    /// `claimed`, `released`, `taken` or `discarded`.
    pub state: &'static str,
    /// What it became.
    pub observation: Option<&'a str>,
    /// By which assignment.
    pub assignment: Option<AssignmentId>,
    /// Whose it is.
    pub patient: Option<&'a str>,
}

/// Ends an open held row.
pub async fn settle(mut conn: &AsyncPgConnection, row: &Settling<'_>, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE held_reading SET state = $3, observation_id = $4, assignment_id = coalesce($5, assignment_id), \
         patient_id = coalesce($6, patient_id), settled_at = $7 WHERE tenant_id = $1 AND id = $2 AND state IN ('open', 'expired', 'corrected')",
    )
    .bind::<SqlUuid, _>(row.tenant)
    .bind::<SqlUuid, _>(row.id)
    .bind::<Text, _>(row.state)
    .bind::<Nullable<Text>, _>(row.observation)
    .bind::<Nullable<SqlUuid>, _>(row.assignment)
    .bind::<Nullable<Text>, _>(row.patient)
    .bind::<Timestamptz, _>(now)
    .execute(&mut conn)
    .await
}

/// What an open row keeps from now on.
#[derive(Debug)]
pub struct Again<'a> {
    /// Which.
    pub id: HeldReadingId,
    /// The reading as it would be held anew.
    pub row: &'a HeldRow,
}

/// The reading of an open row came again with grown content, or waits for another reason now.
pub async fn hold_again(mut conn: &AsyncPgConnection, again: &Again<'_>) -> QueryResult<usize> {
    let row = again.row;
    diesel::sql_query(
        "UPDATE held_reading SET state = 'open', uplink_id = $3, received_at = $4, measured_at = $5, reason = $6, detail = $7, content_hash = $8, \
         decoder_name = $9, decoder_version = $10, clock_offset_ms = $11, time_zone = $12, \
         assignment_id = coalesce($13, assignment_id), patient_id = coalesce($14, patient_id) \
         WHERE tenant_id = $1 AND id = $2 AND state IN ('open', 'expired', 'corrected')",
    )
    .bind::<SqlUuid, _>(row.tenant)
    .bind::<SqlUuid, _>(again.id)
    .bind::<SqlUuid, _>(row.uplink)
    .bind::<Timestamptz, _>(row.received_at)
    .bind::<Timestamptz, _>(row.measured_at)
    .bind::<Text, _>(&row.reason)
    .bind::<Text, _>(&row.detail)
    .bind::<Bytea, _>(row.content_hash.as_slice())
    .bind::<Text, _>(&row.decoder.0)
    .bind::<Text, _>(&row.decoder.1)
    .bind::<Nullable<BigInt>, _>(row.clock_offset_ms)
    .bind::<Text, _>(&row.time_zone)
    .bind::<Nullable<SqlUuid>, _>(row.wearer.as_ref().map(|(assignment, _)| *assignment))
    .bind::<Nullable<Text>, _>(row.wearer.as_ref().map(|(_, patient)| patient.as_str()))
    .execute(&mut conn)
    .await
}
