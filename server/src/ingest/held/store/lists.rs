//! What people read of held readings.

use chrono::{DateTime, Utc};
use db::{DeviceId, HeldReadingId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A held reading with everything but its value.
#[derive(Debug, Clone, QueryableByName)]
pub struct HeldItem {
    #[diesel(sql_type = SqlUuid)]
    pub id: HeldReadingId,
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = Text)]
    pub reading_key: String,
    #[diesel(sql_type = SqlUuid)]
    pub uplink_id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub device_id: DeviceId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub slot: String,
    #[diesel(sql_type = Timestamptz)]
    pub measured_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Text)]
    pub detail: String,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub content_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub decoder_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub decoder_version: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub clock_offset_ms: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    pub time_zone: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub patient_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub observation_id: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub settled_at: Option<DateTime<Utc>>,
    /// Who is recorded as wearing the device at that time by now, while it is open.
    #[diesel(sql_type = Nullable<Text>)]
    pub suggested_patient: Option<String>,
}

const COLUMNS: &str = "h.id, h.tenant_id, h.reading_key, h.uplink_id, h.received_at, h.device_id, h.kind, h.slot, h.measured_at, h.reason, h.detail, \
     h.state, h.content_hash, h.decoder_name, h.decoder_version, h.clock_offset_ms, h.time_zone, h.patient_id, h.observation_id, h.settled_at, \
     CASE WHEN h.state = 'open' THEN coalesce(h.patient_id, (SELECT a.patient_id FROM assignment a \
         WHERE a.tenant_id = h.tenant_id AND a.device_id = h.device_id AND a.slot IN (h.slot, '') \
           AND a.worn_from <= h.measured_at AND (a.worn_until IS NULL OR h.measured_at < a.worn_until) \
         ORDER BY a.slot DESC LIMIT 1)) END AS suggested_patient";

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub struct ListFilter {
    /// One device.
    pub device: Option<DeviceId>,
    /// One reason.
    pub reason: Option<String>,
    /// `open`, or one of the ends.
    pub state: String,
    /// One slot.
    pub slot: Option<String>,
    /// Measured from then on,
    pub from: Option<DateTime<Utc>>,
    /// and before then.
    pub until: Option<DateTime<Utc>>,
}

/// Some held readings of the tenants, after an id.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    filter: &ListFilter,
    after: HeldReadingId,
    limit: i64,
) -> QueryResult<Vec<HeldItem>> {
    diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM held_reading h WHERE h.tenant_id = ANY($1) AND h.state = $2 AND h.id > $3 \
         AND ($4::uuid IS NULL OR h.device_id = $4) AND ($5::text IS NULL OR h.reason = $5) AND ($6::text IS NULL OR h.slot = $6) \
         AND ($7::timestamptz IS NULL OR h.measured_at >= $7) AND ($8::timestamptz IS NULL OR h.measured_at < $8) \
         ORDER BY h.id LIMIT $9"
    ))
    .bind::<Array<SqlUuid>, _>(tenants.to_vec())
    .bind::<Text, _>(&filter.state)
    .bind::<SqlUuid, _>(after)
    .bind::<Nullable<SqlUuid>, _>(filter.device)
    .bind::<Nullable<Text>, _>(filter.reason.as_deref())
    .bind::<Nullable<Text>, _>(filter.slot.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.from)
    .bind::<Nullable<Timestamptz>, _>(filter.until)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// Open unassigned readings of a device in a slot and a period, oldest first.
pub async fn open_unassigned(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    device: DeviceId,
    (from, until): (DateTime<Utc>, Option<DateTime<Utc>>),
    after: HeldReadingId,
    limit: i64,
) -> QueryResult<Vec<HeldItem>> {
    let filter = ListFilter {
        device: Some(device),
        reason: Some("unassigned".to_owned()),
        state: "open".to_owned(),
        slot: None,
        from: Some(from),
        until,
    };
    list(conn, &[tenant], &filter, after, limit).await
}

/// One held reading of the tenants.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: HeldReadingId,
) -> QueryResult<Option<HeldItem>> {
    diesel::sql_query(format!("SELECT {COLUMNS} FROM held_reading h WHERE h.tenant_id = ANY($1) AND h.id = $2"))
        .bind::<Array<SqlUuid>, _>(tenants.to_vec())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}
