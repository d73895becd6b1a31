//! Rows of the way in: everything is written in batches (`INSERT … SELECT FROM unnest`), one statement a table.

use chrono::{DateTime, Utc};
use db::{AssignmentId, CredentialId, DeviceId, HeldReadingId, TenantId, TenantScope, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::http::{QuarantineItem, Uplink, UplinkFilter};
use super::model::{Received, Submission};

/// Why a source may not send, asked inside the commit transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its token was revoked.
    Revoked,
    /// It, or its tenant, was deactivated.
    Inactive,
}

#[derive(QueryableByName)]
struct RefusalRow {
    #[diesel(sql_type = Nullable<Text>)]
    refusal: Option<String>,
}

/// For each source in order: whether it may send now.
pub async fn refusals(
    mut conn: &AsyncPgConnection,
    credentials: Vec<CredentialId>,
    tenants: Vec<TenantId>,
    devices: Vec<DeviceId>,
) -> QueryResult<Vec<Option<Refusal>>> {
    let rows: Vec<RefusalRow> = diesel::sql_query(
        "SELECT CASE WHEN s.credential <> '00000000-0000-0000-0000-000000000000' AND (c.id IS NULL OR c.revoked_at IS NOT NULL) THEN 'revoked' \
                     WHEN NOT coalesce(t.active, false) OR NOT coalesce(d.active, false) OR d.enrolled_until <= now() THEN 'inactive' END AS refusal \
         FROM unnest($1, $2, $3) WITH ORDINALITY AS s(credential, tenant, device, n) \
         LEFT JOIN source_credential c ON c.id = s.credential \
         LEFT JOIN tenant t ON t.id = s.tenant \
         LEFT JOIN device d ON d.tenant_id = s.tenant AND d.id = s.device \
         ORDER BY s.n",
    )
    .bind::<Array<SqlUuid>, _>(credentials)
    .bind::<Array<SqlUuid>, _>(tenants)
    .bind::<Array<SqlUuid>, _>(devices)
    .load(&mut conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| match row.refusal.as_deref() {
            Some("revoked") => Some(Refusal::Revoked),
            Some(_) => Some(Refusal::Inactive),
            None => None,
        })
        .collect())
}

/// What a reading needs in order to find its wearer.
#[derive(Debug, Clone)]
pub struct WearerQuestion {
    /// Whose device.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
    /// User slot; empty when the payload names none.
    pub slot: String,
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// The time is a guess: whether there were several wearers matters.
    pub untrusted: bool,
}

/// Who wore a device at a time.
#[derive(Debug, Clone, QueryableByName)]
pub struct Wearer {
    /// The assignment, if there was one.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub assignment: Option<AssignmentId>,
    /// Its patient.
    #[diesel(sql_type = Nullable<Text>)]
    pub patient: Option<String>,
    /// How many different people ever wore it in that slot; 0 when it was not asked.
    #[diesel(sql_type = BigInt)]
    pub wearers: i64,
}

/// For each question in order: who wore it. A slot of its own wins over the device's only wearer.
pub async fn wearers(mut conn: &AsyncPgConnection, questions: &[WearerQuestion]) -> QueryResult<Vec<Wearer>> {
    diesel::sql_query(
        "SELECT a.id AS assignment, a.patient_id AS patient, coalesce(w.wearers, 0) AS wearers \
         FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS r(tenant, device, slot, at, untrusted, n) \
         LEFT JOIN LATERAL (SELECT a.id, a.patient_id FROM assignment a \
             WHERE a.tenant_id = r.tenant AND a.device_id = r.device AND a.slot IN (r.slot, '') \
               AND a.worn_from <= r.at AND (a.worn_until IS NULL OR r.at < a.worn_until) \
             ORDER BY a.slot DESC LIMIT 1) a ON true \
         LEFT JOIN LATERAL (SELECT count(DISTINCT w.patient_id) AS wearers FROM assignment w \
             WHERE w.tenant_id = r.tenant AND w.device_id = r.device AND w.slot IN (r.slot, '')) w ON r.untrusted \
         ORDER BY r.n",
    )
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(questions.iter().map(|q| q.device).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(questions.iter().map(|q| q.slot.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(questions.iter().map(|q| q.at).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(questions.iter().map(|q| q.untrusted).collect::<Vec<_>>())
    .load(&mut conn)
    .await
}

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
    /// When it came.
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
/// uplink holds already. The second statement sees what the first waited for: a twin in another process.
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
         WHERE ingest_key.expires_at <= excluded.received_at",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.source).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.uplink).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.expires_at).collect::<Vec<_>>())
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
    .execute(&mut conn)
    .await
}

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

/// Stores the raw side of new uplinks.
pub async fn insert_uplinks(mut conn: &AsyncPgConnection, fates: &[UplinkFate<'_>]) -> QueryResult<usize> {
    let received = || fates.iter().map(|fate| &fate.submission.received);
    diesel::sql_query(
        "INSERT INTO uplink (tenant_id, id, received_at, source_kind, source_id, device_id, channel, content_type, captured_at, body, body_hash, body_size, outcome, reason, decoder_name, decoder_version, warnings) \
         SELECT t, i, r, sk, si, d, c, ct, ca, b, h, octet_length(b), o, re, dn, dv, coalesce(string_to_array(nullif(w, ''), ','), '{}') \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS x(t, i, r, sk, si, d, c, ct, ca, b, h, o, re, dn, dv, w)",
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
    .bind::<Array<Bytea>, _>(received().map(|r| r.body.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(received().map(|r| r.body_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(fates.iter().map(|fate| fate.outcome).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.submission.decoder.as_ref().map(|d| d.0.as_str())).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(fates.iter().map(|fate| fate.submission.decoder.as_ref().map(|d| d.1.as_str())).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(fates.iter().map(|fate| fate.submission.warnings.join(",")).collect::<Vec<_>>())
    .execute(&mut conn)
    .await
}

/// Writes a replay's outcome to the row that the uplink has.
pub async fn update_replayed(mut conn: &AsyncPgConnection, fate: &UplinkFate<'_>, settled: bool) -> QueryResult<()> {
    let (tenant, id) = (fate.submission.tenant(), fate.submission.received.id);
    diesel::sql_query(
        "UPDATE uplink SET outcome = $1, reason = $2, decoder_name = $3, decoder_version = $4 WHERE tenant_id = $5 AND id = $6 AND received_at = $7",
    )
    .bind::<Text, _>(fate.outcome)
    .bind::<Nullable<Text>, _>(fate.reason.as_deref())
    .bind::<Nullable<Text>, _>(fate.submission.decoder.as_ref().map(|d| d.0.as_str()))
    .bind::<Nullable<Text>, _>(fate.submission.decoder.as_ref().map(|d| d.1.as_str()))
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(fate.submission.received.received_at)
    .execute(&mut conn)
    .await?;
    diesel::sql_query("UPDATE quarantine SET state = CASE WHEN $1 THEN 'settled' ELSE state END, attempts = attempts + 1, updated_at = now() WHERE tenant_id = $2 AND uplink_id = $3")
        .bind::<Bool, _>(settled)
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(id)
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
}

/// Holds readings; one that is held already keeps its row.
pub async fn insert_held(mut conn: &AsyncPgConnection, rows: &[HeldRow]) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO held_reading (tenant_id, id, reading_key, uplink_id, received_at, device_id, kind, slot, measured_at, reason, detail) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS x(t, i, k, u, r, d, ki, s, m, re, de) \
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
    .execute(&mut conn)
    .await
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whether an uplink was committed, asked after a connection was lost during COMMIT.
pub async fn is_committed(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    uplink: UplinkId,
    received_at: DateTime<Utc>,
) -> QueryResult<bool> {
    let row: Count =
        diesel::sql_query("SELECT count(*) AS count FROM uplink WHERE tenant_id = $1 AND id = $2 AND received_at = $3")
            .bind::<SqlUuid, _>(tenant)
            .bind::<SqlUuid, _>(uplink)
            .bind::<Timestamptz, _>(received_at)
            .get_result(conn)
            .await?;
    Ok(row.count > 0)
}

#[derive(QueryableByName)]
struct UplinkRow {
    #[diesel(sql_type = SqlUuid)]
    id: UplinkId,
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    device_id: Option<DeviceId>,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    content_type: String,
    #[diesel(sql_type = Integer)]
    body_size: i32,
    #[diesel(sql_type = Bytea)]
    body_hash: Vec<u8>,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    decoder: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    warnings: Vec<String>,
}

impl From<UplinkRow> for Uplink {
    fn from(row: UplinkRow) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant_id,
            received_at: row.received_at,
            device: row.device_id,
            channel: row.channel,
            content_type: row.content_type,
            size: row.body_size,
            hash: hex::encode(row.body_hash),
            outcome: row.outcome,
            reason: row.reason,
            decoder: row.decoder,
            warnings: row.warnings,
        }
    }
}

const UPLINK_COLUMNS: &str = "id, tenant_id, received_at, device_id, channel, content_type, body_size, body_hash, outcome, reason, decoder_name || ' ' || decoder_version AS decoder, warnings";

/// The receipt time is in the id (UUIDv7, milliseconds), so that only one partition is read.
fn received_at(id: UplinkId) -> Option<DateTime<Utc>> {
    let (seconds, nanoseconds) = id.0.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

/// Some uplinks of the scope, after an id.
pub async fn list_uplinks(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    filter: &UplinkFilter,
    after: UplinkId,
    limit: i64,
) -> QueryResult<Vec<Uplink>> {
    let rows: Vec<UplinkRow> = diesel::sql_query(format!(
        "SELECT {UPLINK_COLUMNS} FROM uplink WHERE tenant_id = ANY($1) AND id > $2 \
         AND ($3::uuid IS NULL OR device_id = $3) AND ($4::text IS NULL OR outcome = $4) ORDER BY id LIMIT $5"
    ))
    .bind::<Array<SqlUuid>, _>(scope.tenants())
    .bind::<SqlUuid, _>(after)
    .bind::<Nullable<SqlUuid>, _>(filter.device)
    .bind::<Nullable<Text>, _>(filter.outcome.as_deref())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(Uplink::from).collect())
}

/// One uplink of the scope.
pub async fn find_uplink(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    id: UplinkId,
) -> QueryResult<Option<Uplink>> {
    let Some(received_at) = received_at(id) else { return Ok(None) };
    let row: Option<UplinkRow> = diesel::sql_query(format!("SELECT {UPLINK_COLUMNS} FROM uplink WHERE tenant_id = ANY($1) AND id = $2 AND received_at BETWEEN $3 - interval '1 second' AND $3 + interval '1 second'"))
        .bind::<Array<SqlUuid>, _>(scope.tenants())
        .bind::<SqlUuid, _>(id)
        .bind::<Timestamptz, _>(received_at)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(Uplink::from))
}

#[derive(QueryableByName)]
struct ItemRow {
    #[diesel(sql_type = SqlUuid)]
    uplink_id: UplinkId,
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    device_id: Option<DeviceId>,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Text)]
    detail: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Some quarantined uplinks of the scope, after an id.
pub async fn list_quarantine(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    state: &str,
    after: UplinkId,
    limit: i64,
) -> QueryResult<Vec<QuarantineItem>> {
    let rows: Vec<ItemRow> = diesel::sql_query(
        "SELECT uplink_id, tenant_id, received_at, device_id, reason, detail, state, attempts FROM quarantine \
         WHERE tenant_id = ANY($1) AND state = $2 AND uplink_id > $3 ORDER BY uplink_id LIMIT $4",
    )
    .bind::<Array<SqlUuid>, _>(scope.tenants())
    .bind::<Text, _>(state)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| QuarantineItem {
            uplink: row.uplink_id,
            tenant: row.tenant_id,
            received_at: row.received_at,
            device: row.device_id,
            reason: row.reason,
            detail: row.detail,
            state: row.state,
            attempts: row.attempts,
        })
        .collect())
}

/// A quarantined uplink with its bytes, if they are still there.
pub struct KeptUplink {
    /// Whose.
    pub tenant: TenantId,
    /// The device.
    pub device: Option<DeviceId>,
    /// The raw side; none when the bytes were dropped.
    pub received: Option<Received>,
}

#[derive(QueryableByName)]
struct KeptRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    device_id: Option<DeviceId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    captured_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    content_type: String,
    #[diesel(sql_type = Nullable<Bytea>)]
    body: Option<Vec<u8>>,
    #[diesel(sql_type = Bytea)]
    body_hash: Vec<u8>,
}

/// An open item of the quarantine, with what was received.
pub async fn kept_uplink(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    id: UplinkId,
) -> QueryResult<Option<KeptUplink>> {
    let row: Option<KeptRow> = diesel::sql_query(
        "SELECT u.tenant_id, u.received_at, u.device_id, u.captured_at, u.channel, u.content_type, u.body, u.body_hash \
         FROM quarantine q JOIN uplink u ON u.tenant_id = q.tenant_id AND u.id = q.uplink_id AND u.received_at = q.received_at \
         WHERE q.tenant_id = ANY($1) AND q.uplink_id = $2 AND q.state = 'open'",
    )
    .bind::<Array<SqlUuid>, _>(scope.tenants())
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| KeptUplink {
        tenant: row.tenant_id,
        device: row.device_id,
        received: row.body.and_then(|body| {
            Some(Received {
                id,
                received_at: row.received_at,
                captured_at: row.captured_at,
                channel: row.channel,
                content_type: row.content_type,
                body,
                body_hash: row.body_hash.try_into().ok()?,
            })
        }),
    }))
}
