//! Rows of hubs' payloads and of what nobody has claimed; within a transaction that sees the tenant.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, HubId, TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ingest::commit::Failure;
use crate::ingest::model::Received;
use crate::ingest::store::insert_received;
use crate::platform::data_keys::DataKeys;

/// An uplink of a hub that is no device's.
pub(super) struct NewUplink<'a> {
    pub(super) received: &'a Received,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<&'a str>,
    pub(super) decoder: Option<&'a (String, String)>,
}

/// Stores passports and sealed bytes.
pub(super) async fn insert_uplinks(
    mut conn: &AsyncPgConnection,
    keys: &DataKeys,
    tenant: TenantId,
    hub: HubId,
    rows: &[NewUplink<'_>],
) -> Result<(), Failure> {
    let received = || rows.iter().map(|row| row.received);
    diesel::sql_query(
        "INSERT INTO uplink (tenant_id, id, received_at, source_kind, source_id, device_id, channel, content_type, captured_at, body_hash, body_size, outcome, reason, decoder_name, decoder_version) \
         SELECT $1, i, r, (SELECT kind FROM hub WHERE tenant_id = $1 AND id = $2), $2, NULL, c, ct, ca, h, s, o, re, dn, dv \
         FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS x(i, r, c, ct, ca, h, s, o, re, dn, dv)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<Array<SqlUuid>, _>(received().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(received().map(|r| r.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(received().map(|r| r.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(received().map(|r| r.content_type.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(received().map(|r| r.captured_at).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(received().map(|r| r.body_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(received().map(|r| i32::try_from(r.body.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.outcome).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.reason).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.decoder.map(|d| d.0.as_str())).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.decoder.map(|d| d.1.as_str())).collect::<Vec<_>>())
    .execute(&mut conn)
    .await?;
    let bodies: Vec<(TenantId, &Received)> = received().map(|received| (tenant, received)).collect();
    insert_received(conn, keys, &bodies).await
}

/// A hub's payload in quarantine.
pub(super) struct NewQuarantine<'a> {
    pub(super) received: &'a Received,
    pub(super) reason: &'a str,
    pub(super) detail: &'a str,
}

/// Puts a payload into quarantine, or says why it is still there.
pub(super) async fn quarantine_payload(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    row: &NewQuarantine<'_>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO quarantine (tenant_id, uplink_id, received_at, device_id, reason, detail) VALUES ($1, $2, $3, NULL, $4, $5) \
         ON CONFLICT (tenant_id, uplink_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
            attempts = quarantine.attempts + 1, updated_at = now()",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(row.received.id)
    .bind::<Timestamptz, _>(row.received.received_at)
    .bind::<Text, _>(row.reason)
    .bind::<Text, _>(row.detail)
    .execute(conn)
    .await
}

/// Settles a payload's quarantine, and writes what became of it.
pub(super) async fn settle_payload(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    received: &Received,
    outcome: &str,
) -> QueryResult<()> {
    diesel::sql_query("UPDATE quarantine SET state = 'settled', attempts = attempts + 1, updated_at = now() WHERE tenant_id = $1 AND uplink_id = $2")
        .bind::<SqlUuid, _>(tenant)
        .bind::<SqlUuid, _>(received.id)
        .execute(conn)
        .await?;
    diesel::sql_query(
        "UPDATE uplink SET outcome = $4, reason = NULL WHERE tenant_id = $1 AND id = $2 AND received_at = $3",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(received.id)
    .bind::<Timestamptz, _>(received.received_at)
    .bind::<Text, _>(outcome)
    .execute(conn)
    .await?;
    Ok(())
}

/// How much may be open behind a hub, or still may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) items: i64,
    pub(super) bytes: i64,
    pub(super) addresses: i64,
}

impl Bounds {
    /// Whether one more item of this size fits, of an address that is new or not.
    pub(super) fn takes(&self, size: usize, is_new_address: bool) -> bool {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.items > 0 && self.bytes >= size && (!is_new_address || self.addresses > 0)
    }

    /// Takes it.
    pub(super) fn take(&mut self, size: usize, is_new_address: bool) {
        self.items -= 1;
        self.bytes -= i64::try_from(size).unwrap_or(i64::MAX);
        self.addresses -= i64::from(is_new_address);
    }
}

/// What still fits behind a hub, and the addresses that are there.
pub(super) async fn room(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    most: Bounds,
) -> QueryResult<(Bounds, HashSet<String>)> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        address: String,
        #[diesel(sql_type = BigInt)]
        items: i64,
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT address, count(*) AS items, sum(size)::bigint AS bytes FROM unclaimed_item \
         WHERE tenant_id = $1 AND hub_id = $2 AND state = 'open' GROUP BY address",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .load(conn)
    .await?;
    let taken = |of: fn(&Row) -> i64| rows.iter().map(of).sum::<i64>();
    let room = Bounds {
        items: most.items - taken(|row| row.items),
        bytes: most.bytes - taken(|row| row.bytes),
        addresses: most.addresses - i64::try_from(rows.len()).unwrap_or(i64::MAX),
    };
    Ok((room, rows.into_iter().map(|row| row.address).collect()))
}

/// Items that are there already, by their keys.
pub(super) async fn known_items(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    keys: &[[u8; 32]],
) -> QueryResult<HashMap<[u8; 32], UplinkId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bytea)]
        item_key: Vec<u8>,
        #[diesel(sql_type = SqlUuid)]
        uplink_id: UplinkId,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT item_key, uplink_id FROM unclaimed_item WHERE tenant_id = $1 AND hub_id = $2 AND item_key = ANY($3)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<Array<Bytea>, _>(keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.item_key.try_into().ok()?, row.uplink_id))).collect())
}

/// An item that nobody has claimed.
pub(super) struct NewUnclaimed<'a> {
    pub(super) address: &'a str,
    pub(super) key: [u8; 32],
    pub(super) device_type: Option<&'a str>,
    pub(super) received: &'a Received,
}

/// Stores them; their bytes are [`insert_uplinks`]'.
pub(super) async fn insert_unclaimed(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    rows: &[NewUnclaimed<'_>],
) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO unclaimed_item (tenant_id, uplink_id, received_at, hub_id, address, item_key, channel, device_type, size) \
         SELECT $1, u, r, $2, a, k, c, d, s FROM unnest($3, $4, $5, $6, $7, $8, $9) AS x(u, r, a, k, c, d, s)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.received.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received.received_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.address).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.key.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.received.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.device_type).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| i32::try_from(row.received.body.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .execute(conn)
    .await
}

/// What waits behind a hub under one address.
#[derive(Debug, QueryableByName)]
pub(in crate::ingest) struct UnclaimedRow {
    #[diesel(sql_type = Text)]
    pub(in crate::ingest) address: String,
    #[diesel(sql_type = Timestamptz)]
    pub(in crate::ingest) first_seen: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(in crate::ingest) last_seen: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub(in crate::ingest) items: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub(in crate::ingest) device_type: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    pub(in crate::ingest) channels: Vec<String>,
    #[diesel(sql_type = Integer)]
    pub(in crate::ingest) retention_days: i32,
}

/// Everything open behind a hub, by address: bounded by what may be open.
pub(in crate::ingest) async fn list_unclaimed(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    default_days: i32,
) -> QueryResult<Vec<UnclaimedRow>> {
    diesel::sql_query(
        "SELECT u.address, min(u.received_at) AS first_seen, max(u.received_at) AS last_seen, count(*) AS items, \
                max(u.device_type) AS device_type, array_agg(DISTINCT u.channel) AS channels, \
                coalesce(max(t.uplink_retention_days), $3)::integer AS retention_days \
         FROM unclaimed_item u JOIN tenant t ON t.id = u.tenant_id \
         WHERE u.tenant_id = $1 AND u.hub_id = $2 AND u.state = 'open' GROUP BY u.address ORDER BY u.address",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<Integer, _>(default_days)
    .load(conn)
    .await
}

/// Claims what is open under an address for the device that was paired under it; answers how many items.
pub(super) async fn claim(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
    address: &str,
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE unclaimed_item SET state = 'claimed', device_id = $3 \
         WHERE tenant_id = $1 AND hub_id = $2 AND address = $4 AND state = 'open'",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<SqlUuid, _>(device)
    .bind::<Text, _>(address)
    .execute(conn)
    .await
}

/// Discards what is open under an address; answers how many items.
pub(super) async fn discard(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    address: &str,
    (token, reason): (ApiTokenId, &str),
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH gone AS (UPDATE unclaimed_item SET state = 'discarded', token_id = $4, reason = $5, settled_at = $6 \
             WHERE tenant_id = $1 AND hub_id = $2 AND address = $3 AND state = 'open' RETURNING tenant_id, uplink_id, received_at) \
         UPDATE uplink u SET outcome = 'discarded' FROM gone g \
         WHERE u.tenant_id = g.tenant_id AND u.id = g.uplink_id AND u.received_at = g.received_at",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(hub)
    .bind::<Text, _>(address)
    .bind::<SqlUuid, _>(token)
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// A device that has claimed items to be decoded.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(super) struct Claimant {
    #[diesel(sql_type = SqlUuid)]
    pub(super) tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub(super) device_id: DeviceId,
}

/// Devices that may send and have claimed items, as the worker.
pub(super) async fn claimants(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Claimant>> {
    diesel::sql_query(
        "SELECT DISTINCT u.tenant_id, u.device_id FROM unclaimed_item u \
         JOIN device d ON d.tenant_id = u.tenant_id AND d.id = u.device_id AND d.active AND d.enrolled_until IS NULL \
         JOIN tenant t ON t.id = u.tenant_id AND t.active \
         WHERE u.state = 'claimed' LIMIT 100",
    )
    .load(conn)
    .await
}

/// Takes the turn at a device's claimed items until the transaction ends; false when another process has it.
pub(super) async fn take_turn(conn: &mut AsyncPgConnection, device: DeviceId) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        taken: bool,
    }
    let row: Row = diesel::sql_query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('afferent.claim/' || $1::text, 0)) AS taken",
    )
    .bind::<SqlUuid, _>(device)
    .get_result(conn)
    .await?;
    Ok(row.taken)
}

/// A claimed item.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct ClaimedRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) uplink_id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    pub(super) received_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub(super) hub_id: HubId,
    #[diesel(sql_type = Bytea)]
    pub(super) item_key: Vec<u8>,
}

/// A device's next claimed items, in the order in which they came.
pub(super) async fn next_claimed(
    conn: &mut AsyncPgConnection,
    claimant: Claimant,
    limit: i64,
) -> QueryResult<Vec<ClaimedRow>> {
    diesel::sql_query(
        "SELECT uplink_id, received_at, hub_id, item_key FROM unclaimed_item \
         WHERE tenant_id = $1 AND device_id = $2 AND state = 'claimed' ORDER BY received_at, uplink_id LIMIT $3",
    )
    .bind::<SqlUuid, _>(claimant.tenant_id)
    .bind::<SqlUuid, _>(claimant.device_id)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// Closes a claimed item whose bytes are gone.
pub(super) async fn expire(conn: &mut AsyncPgConnection, tenant: TenantId, uplink: UplinkId) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE unclaimed_item SET state = 'expired', settled_at = now() WHERE tenant_id = $1 AND uplink_id = $2 AND state = 'claimed'",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(uplink)
    .execute(conn)
    .await
}
