//! Hubs and the devices that they carry.

use chrono::{DateTime, Utc};
use db::schema::{hub, hub_device};
use db::{DeviceId, HubId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A hub's row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = hub, check_for_backend(diesel::pg::Pg))]
pub struct HubRow {
    /// Whose hub.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: HubId,
    /// Its maker's name for the kind of hub.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// What people call it.
    pub name: String,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken.
    pub active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The variables of its decoder, sealed.
    pub variables_sealed: Option<Vec<u8>>,
    /// Raised whenever the variables change.
    pub variables_version: i32,
    /// `hub`, or `feed` for a vendor's cloud.
    pub kind: String,
}

/// What `kind` says of a gateway.
pub const HUB: &str = "hub";

/// What changes of a hub; `None` leaves a thing as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = hub)]
pub struct HubChanges {
    /// Another name.
    pub name: Option<String>,
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// Other variables, sealed.
    pub variables_sealed: Option<Option<Vec<u8>>>,
    /// The variables' new version.
    pub variables_version: Option<i32>,
    /// When.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A device that a hub may speak for.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = hub_device, check_for_backend(diesel::pg::Pg))]
pub struct PairingRow {
    /// The device.
    pub device_id: DeviceId,
    /// How the hub names it; the device's id when there is none.
    pub address: Option<String>,
    /// Since when.
    pub paired_at: DateTime<Utc>,
}

/// Stores a new hub.
pub async fn insert_hub(conn: &mut AsyncPgConnection, row: &HubRow) -> QueryResult<()> {
    diesel::insert_into(hub::table).values(row).execute(conn).await?;
    Ok(())
}

/// How many hubs of these models there are, of all tenants that the transaction sees.
///
/// # Errors
/// The database's error.
pub async fn count_of_models(conn: &mut AsyncPgConnection, models: &[String]) -> QueryResult<i64> {
    hub::table.filter(hub::model.eq_any(models)).filter(hub::kind.eq(HUB)).count().get_result(conn).await
}

/// A hub or feed of one of the tenants.
pub async fn find_carrier(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: HubId,
) -> QueryResult<Option<HubRow>> {
    hub::table
        .filter(hub::tenant_id.eq_any(tenants))
        .filter(hub::id.eq(id))
        .select(HubRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// A hub of one of the tenants.
pub async fn find_hub(conn: &mut AsyncPgConnection, tenants: &[TenantId], id: HubId) -> QueryResult<Option<HubRow>> {
    Ok(find_carrier(conn, tenants, id).await?.filter(|row| row.kind == HUB))
}

/// A hub or feed of one of the tenants, kept from changing until the transaction ends.
pub async fn lock_carrier(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: HubId,
) -> QueryResult<Option<HubRow>> {
    hub::table
        .filter(hub::tenant_id.eq_any(tenants))
        .filter(hub::id.eq(id))
        .select(HubRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// A hub of one of the tenants, kept from changing until the transaction ends.
pub async fn lock_hub(conn: &mut AsyncPgConnection, tenants: &[TenantId], id: HubId) -> QueryResult<Option<HubRow>> {
    Ok(lock_carrier(conn, tenants, id).await?.filter(|row| row.kind == HUB))
}

/// Keeps a hub and its pairings from changing until the transaction ends: whoever changes one locks the hub. Answers
/// whether it is active.
pub async fn share_hub(conn: &mut AsyncPgConnection, tenant: TenantId, id: HubId) -> QueryResult<bool> {
    let active: Option<bool> = hub::table
        .filter(hub::tenant_id.eq(tenant))
        .filter(hub::id.eq(id))
        .select(hub::active)
        .for_share()
        .first(conn)
        .await
        .optional()?;
    Ok(active.unwrap_or(false))
}

/// Hubs of the tenants after an id, in order of creation.
pub async fn list_hubs(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    after: HubId,
    limit: i64,
) -> QueryResult<Vec<HubRow>> {
    hub::table
        .filter(hub::tenant_id.eq_any(tenants))
        .filter(hub::kind.eq(HUB))
        .filter(hub::id.gt(after))
        .order(hub::id)
        .limit(limit)
        .select(HubRow::as_select())
        .load(conn)
        .await
}

/// Sets whether a hub's uplinks are taken.
pub async fn set_hub_active(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: HubId,
    active: bool,
    now: DateTime<Utc>,
) -> QueryResult<HubRow> {
    diesel::update(hub::table)
        .filter(hub::tenant_id.eq(tenant))
        .filter(hub::id.eq(id))
        .set((hub::active.eq(active), hub::updated_at.eq(now)))
        .returning(HubRow::as_returning())
        .get_result(conn)
        .await
}

/// Changes a hub.
pub async fn update_hub(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: HubId,
    changes: HubChanges,
) -> QueryResult<HubRow> {
    diesel::update(hub::table)
        .filter(hub::tenant_id.eq(tenant))
        .filter(hub::id.eq(id))
        .set(changes)
        .returning(HubRow::as_returning())
        .get_result(conn)
        .await
}

/// Pairs a device with a hub, or changes its address there; `paired_at` stays what it was.
pub async fn upsert_pairing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
    address: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<PairingRow> {
    diesel::insert_into(hub_device::table)
        .values((
            hub_device::tenant_id.eq(tenant),
            hub_device::hub_id.eq(hub),
            hub_device::device_id.eq(device),
            hub_device::address.eq(address),
            hub_device::paired_at.eq(now),
        ))
        .on_conflict((hub_device::tenant_id, hub_device::hub_id, hub_device::device_id))
        .do_update()
        .set(hub_device::address.eq(address))
        .returning(PairingRow::as_returning())
        .get_result(conn)
        .await
}

/// Parts a device from a hub; false when they were not paired.
pub async fn delete_pairing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
) -> QueryResult<bool> {
    let changed = diesel::delete(hub_device::table)
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::hub_id.eq(hub))
        .filter(hub_device::device_id.eq(device))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Parts a device from every hub.
pub async fn delete_pairings_of(conn: &mut AsyncPgConnection, tenant: TenantId, device: DeviceId) -> QueryResult<()> {
    diesel::delete(hub_device::table)
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::device_id.eq(device))
        .execute(conn)
        .await?;
    Ok(())
}

/// A device's link with a hub.
pub async fn find_pairing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
) -> QueryResult<Option<PairingRow>> {
    hub_device::table
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::hub_id.eq(hub))
        .filter(hub_device::device_id.eq(device))
        .select(PairingRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// Devices of a hub after an id.
pub async fn list_pairings(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    after: DeviceId,
    limit: i64,
) -> QueryResult<Vec<PairingRow>> {
    hub_device::table
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::hub_id.eq(hub))
        .filter(hub_device::device_id.gt(after))
        .order(hub_device::device_id)
        .limit(limit)
        .select(PairingRow::as_select())
        .load(conn)
        .await
}

/// Which of these addresses of a hub are whose. A device that is paired under an address is meant by that address alone;
/// one that is paired without, by its id.
pub async fn find_paired_devices(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    addresses: &[String],
) -> QueryResult<Vec<(String, DeviceId)>> {
    let ids: Vec<DeviceId> = addresses.iter().filter_map(|address| address.parse().ok()).collect();
    let rows: Vec<(Option<String>, DeviceId)> = hub_device::table
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::hub_id.eq(hub))
        .filter(
            hub_device::address
                .eq_any(addresses)
                .or(hub_device::device_id.eq_any(&ids).and(hub_device::address.is_null())),
        )
        .select((hub_device::address, hub_device::device_id))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(address, device)| (address.unwrap_or_else(|| device.to_string()), device)).collect())
}
