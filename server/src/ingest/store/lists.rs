//! What operators read: uplinks, the quarantine, and what a replay needs.

use chrono::{DateTime, Utc};
use db::{DeviceId, HubId, TenantId, TenantScope, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::http::{QuarantineItem, Uplink, UplinkFilter};
use crate::ingest::model::Received;
use crate::ingest::retention;

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
    #[diesel(sql_type = Integer)]
    retention_days: i32,
}

/// Some quarantined uplinks of the scope, after an id.
pub async fn list_quarantine(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    state: &str,
    default_days: i32,
    after: UplinkId,
    limit: i64,
) -> QueryResult<Vec<QuarantineItem>> {
    let rows: Vec<ItemRow> = diesel::sql_query(
        "SELECT q.uplink_id, q.tenant_id, q.received_at, q.device_id, q.reason, q.detail, q.state, q.attempts, \
                coalesce(t.uplink_retention_days, $5)::integer AS retention_days \
         FROM quarantine q JOIN tenant t ON t.id = q.tenant_id \
         WHERE q.tenant_id = ANY($1) AND q.state = $2 AND q.uplink_id > $3 ORDER BY q.uplink_id LIMIT $4",
    )
    .bind::<Array<SqlUuid>, _>(scope.tenants())
    .bind::<Text, _>(state)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .bind::<Integer, _>(default_days)
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
            expires_at: (row.state == "open").then(|| retention::expires_at(row.received_at, row.retention_days)),
            state: row.state,
            attempts: row.attempts,
        })
        .collect())
}

/// A quarantined uplink, for a replay.
pub struct KeptUplink {
    /// Whose.
    pub tenant: TenantId,
    /// The device.
    pub device: Option<DeviceId>,
    /// The hub whose own payload it is.
    pub hub: Option<HubId>,
    /// The raw side, without its bytes: those are `open_body`'s.
    pub received: Received,
}

#[derive(QueryableByName)]
struct KeptRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    device_id: Option<DeviceId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    hub_id: Option<HubId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    captured_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    content_type: String,
    #[diesel(sql_type = Bytea)]
    body_hash: Vec<u8>,
}

/// An uplink with what is known of its receipt, for decoding it again.
pub async fn received_uplink(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UplinkId,
    received_at: DateTime<Utc>,
) -> QueryResult<Option<KeptUplink>> {
    let row: Option<KeptRow> = diesel::sql_query(
        "SELECT tenant_id, received_at, device_id, CASE WHEN source_kind IN ('hub', 'feed', 'app') AND device_id IS NULL THEN source_id END AS hub_id, captured_at, channel, content_type, body_hash \
         FROM uplink WHERE tenant_id = $1 AND id = $2 AND received_at = $3",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(received_at)
    .get_result(conn)
    .await
    .optional()?;
    row.map(|row| row.kept(id)).transpose()
}

/// The payloads that may have held an item of a hub: those of its hub that came in the same moment.
pub async fn payloads_of_item(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    item: UplinkId,
    received_at: DateTime<Utc>,
) -> QueryResult<Vec<KeptUplink>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: UplinkId,
        #[diesel(embed)]
        kept: KeptRow,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT p.id, p.tenant_id, p.received_at, p.device_id, p.source_id AS hub_id, p.captured_at, p.channel, p.content_type, p.body_hash \
         FROM uplink p JOIN uplink i ON i.tenant_id = $1 AND i.id = $2 AND i.received_at = $3 AND i.source_id = p.source_id \
         WHERE p.tenant_id = $1 AND p.received_at = $3 AND p.device_id IS NULL AND p.outcome = 'split' ORDER BY p.id LIMIT 10",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(item)
    .bind::<Timestamptz, _>(received_at)
    .load(conn)
    .await?;
    rows.into_iter().map(|row| row.kept.kept(row.id)).collect()
}

/// An open item of the quarantine, with what is known of its receipt.
pub async fn kept_uplink(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    id: UplinkId,
) -> QueryResult<Option<KeptUplink>> {
    let row: Option<KeptRow> = diesel::sql_query(
        "SELECT u.tenant_id, u.received_at, u.device_id, CASE WHEN u.source_kind IN ('hub', 'feed', 'app') AND u.device_id IS NULL THEN u.source_id END AS hub_id, \
                u.captured_at, u.channel, u.content_type, u.body_hash \
         FROM quarantine q JOIN uplink u ON u.tenant_id = q.tenant_id AND u.id = q.uplink_id AND u.received_at = q.received_at \
         WHERE q.tenant_id = ANY($1) AND q.uplink_id = $2 AND q.state = 'open'",
    )
    .bind::<Array<SqlUuid>, _>(scope.tenants())
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    row.map(|row| row.kept(id)).transpose()
}

impl KeptRow {
    fn kept(self, id: UplinkId) -> QueryResult<KeptUplink> {
        let wrong_length = |_length| diesel::result::Error::DeserializationError("a body_hash is 32 bytes".into());
        Ok(KeptUplink {
            tenant: self.tenant_id,
            device: self.device_id,
            hub: self.hub_id,
            received: Received {
                id,
                received_at: self.received_at,
                captured_at: self.captured_at,
                channel: self.channel,
                content_type: self.content_type,
                body: Vec::new(),
                body_hash: self.body_hash.try_into().map_err(wrong_length)?,
            },
        })
    }
}
