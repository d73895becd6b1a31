//! Rows that the commit writes: uplinks, quarantine and held readings, one statement a table.

use chrono::{DateTime, Utc};
use db::{AssignmentId, Constant as _, DeviceId, HeldReadingId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::model::Submission;

/// What became of an uplink, for its row.
#[derive(Debug, Clone)]
pub struct UplinkFate<'a> {
    /// The uplink.
    pub submission: &'a Submission,
    /// What became of it.
    pub outcome: &'static str,
    /// Why.
    pub reason: Option<String>,
}

/// Stores the passports of new uplinks; their raw bytes are [`super::insert_bodies`]'.
pub async fn insert_uplinks(mut conn: &AsyncPgConnection, fates: &[UplinkFate<'_>]) -> QueryResult<usize> {
    let received = || fates.iter().map(|fate| &fate.submission.received);
    diesel::sql_query(
        "INSERT INTO uplink (tenant_id, id, received_at, source_kind, source_id, device_id, channel, content_type, captured_at, body_hash, body_size, outcome, reason, decoder_name, decoder_version, warnings) \
         SELECT t, i, r, sk, si, d, c, ct, ca, h, s, o, re, dn, dv, coalesce(string_to_array(nullif(w, ''), ','), '{}') \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS x(t, i, r, sk, si, d, c, ct, ca, h, s, o, re, dn, dv, w)",
    )
    .bind::<Array<SqlUuid>, _>(fates.iter().map(|fate| fate.submission.tenant()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(received().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(received().map(|r| r.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(fates.iter().map(|fate| fate.submission.source.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(fates.iter().map(|fate| fate.submission.source_id()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(fates.iter().map(|fate| fate.submission.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(received().map(|r| r.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(received().map(|r| r.content_type.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(received().map(|r| r.captured_at).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(received().map(|r| r.body_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(received().map(|r| i32::try_from(r.body.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(fates.iter().map(|fate| fate.outcome).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.submission.decoder.as_ref().map(|d| d.0.as_str())).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.submission.decoder.as_ref().map(|d| d.1.as_str())).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(fates.iter().map(|fate| fate.submission.warnings.join(",")).collect::<Vec<_>>())
    .prepared()
    .execute(&mut conn)
    .await
}

/// Writes a replay's outcome to the row that the uplink has.
pub async fn update_replayed(mut conn: &AsyncPgConnection, fate: &UplinkFate<'_>, settled: bool) -> QueryResult<()> {
    let (tenant, id) = (fate.submission.tenant(), fate.submission.received.id);
    diesel::sql_query(
        "UPDATE uplink SET outcome = $1, reason = $2, decoder_name = $3, decoder_version = $4, device_id = $8 WHERE tenant_id = $5 AND id = $6 AND received_at = $7",
    )
    .bind::<Text, _>(fate.outcome)
    .bind::<Nullable<Text>, _>(fate.reason.as_deref())
    .bind::<Nullable<Text>, _>(fate.submission.decoder.as_ref().map(|d| d.0.as_str()))
    .bind::<Nullable<Text>, _>(fate.submission.decoder.as_ref().map(|d| d.1.as_str()))
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(fate.submission.received.received_at)
    .bind::<SqlUuid, _>(fate.submission.device)
    .prepared()
    .execute(&mut conn)
    .await?;
    // What was nobody's and is claimed is decoded once: this is the one time.
    diesel::sql_query("UPDATE unclaimed_item SET state = 'settled', settled_at = now() WHERE tenant_id = $1 AND uplink_id = $2 AND state = 'claimed'")
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(id)
        .prepared()
        .execute(&mut conn)
        .await?;
    diesel::sql_query("UPDATE quarantine SET state = CASE WHEN $1 THEN 'settled' ELSE state END, attempts = attempts + 1, updated_at = now() WHERE tenant_id = $2 AND uplink_id = $3")
        .bind::<Bool, _>(settled)
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(id)
        .prepared()
        .execute(&mut conn)
        .await?;
    Ok(())
}

/// An uplink for the quarantine.
#[derive(Debug, Clone)]
pub struct QuarantineRow<'a> {
    /// The uplink.
    pub submission: &'a Submission,
    /// Stable reason.
    pub reason: String,
    /// A sentence.
    pub detail: String,
}

/// Puts uplinks into quarantine.
pub async fn insert_quarantine(mut conn: &AsyncPgConnection, rows: &[QuarantineRow<'_>]) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO quarantine (tenant_id, uplink_id, received_at, device_id, reason, detail) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6) AS x(t, u, r, d, re, de) \
         ON CONFLICT (tenant_id, uplink_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, updated_at = now()",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.submission.tenant()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.submission.received.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.submission.received.received_at).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.submission.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.detail.as_str()).collect::<Vec<_>>())
    .prepared()
    .execute(&mut conn)
    .await
}

/// A reading that waits for a person.
#[derive(Debug, Clone)]
pub struct HeldRow {
    /// Its id.
    pub id: HeldReadingId,
    /// Whose.
    pub tenant: TenantId,
    /// What makes it the same again.
    pub reading_key: String,
    /// Where it came from.
    pub uplink: UplinkId,
    /// When.
    pub received_at: DateTime<Utc>,
    /// The device.
    pub device: DeviceId,
    /// Kind of vital.
    pub kind: String,
    /// User slot.
    pub slot: String,
    /// When it was measured.
    pub measured_at: DateTime<Utc>,
    /// `unassigned` or a condition of the dispositions.
    pub reason: String,
    /// A sentence.
    pub detail: String,
    /// Hash of the clinical content.
    pub content_hash: [u8; 32],
    /// Decoder and version that read it.
    pub decoder: (String, String),
    /// The clock offset that was applied, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Zone of the device.
    pub time_zone: String,
    /// Whose it is, where a person has said so and something else still holds it.
    pub wearer: Option<(AssignmentId, String)>,
}

#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = SqlUuid)]
    wanted: HeldReadingId,
    #[diesel(sql_type = SqlUuid)]
    kept: HeldReadingId,
}

/// Holds readings; one that is held already keeps its row. Answers for each row the id under which it is kept.
pub async fn insert_held(
    mut conn: &AsyncPgConnection,
    rows: &[HeldRow],
) -> QueryResult<Vec<(HeldReadingId, HeldReadingId)>> {
    // One order in every process: no two batches wait for each other.
    let mut rows: Vec<&HeldRow> = rows.iter().collect();
    rows.sort_by(|a, b| (a.tenant, a.device, &a.reading_key).cmp(&(b.tenant, b.device, &b.reading_key)));
    diesel::sql_query(
        "INSERT INTO held_reading (tenant_id, id, reading_key, uplink_id, received_at, device_id, kind, slot, measured_at, reason, detail, \
            content_hash, decoder_name, decoder_version, clock_offset_ms, time_zone) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
            AS x(t, i, k, u, r, d, ki, s, m, re, de, ch, dn, dv, co, tz) \
         ON CONFLICT (tenant_id, device_id, reading_key) DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reading_key.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.slot.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.measured_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.detail.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.content_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.decoder.0.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.decoder.1.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.clock_offset_ms).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.time_zone.as_str()).collect::<Vec<_>>())
    .prepared()
    .execute(&mut conn)
    .await?;
    // A second statement: it sees the rows of a twin that the first waited for.
    let kept: Vec<Kept> = diesel::sql_query(
        "SELECT x.i AS wanted, h.id AS kept FROM unnest($1, $2, $3, $4) AS x(t, i, d, k) \
         JOIN held_reading h ON h.tenant_id = x.t AND h.device_id = x.d AND h.reading_key = x.k",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reading_key.as_str()).collect::<Vec<_>>())
    .load(&mut conn)
    .await?;
    Ok(kept.into_iter().map(|row| (row.wanted, row.kept)).collect())
}
