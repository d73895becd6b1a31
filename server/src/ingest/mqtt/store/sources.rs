//! Which device or hub a topic names, among the tenants of its connection.

use db::schema::{device, hub};
use db::{DeviceId, HubId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// Devices of the tenants by our id: at most one.
pub async fn devices_by_id(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    id: Uuid,
) -> QueryResult<Vec<(TenantId, DeviceId)>> {
    device::table
        .filter(device::tenant_id.eq_any(among))
        .filter(device::id.eq(DeviceId(id)))
        .select((device::tenant_id, device::id))
        .load(conn)
        .await
}

/// Devices of the tenants by the maker's serial, as they are enrolled now: different makers may use the same. Two are enough
/// to know that.
pub async fn devices_by_serial(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    serial: &str,
) -> QueryResult<Vec<(TenantId, DeviceId)>> {
    device::table
        .filter(device::tenant_id.eq_any(among))
        .filter(device::serial.eq(serial))
        .filter(device::enrolled_until.is_null())
        .limit(2)
        .select((device::tenant_id, device::id))
        .load(conn)
        .await
}

/// Hubs of the tenants by our id: at most one.
pub async fn hubs_by_id(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    id: Uuid,
) -> QueryResult<Vec<(TenantId, HubId)>> {
    hub::table
        .filter(hub::tenant_id.eq_any(among))
        .filter(hub::kind.eq("hub"))
        .filter(hub::id.eq(HubId(id)))
        .select((hub::tenant_id, hub::id))
        .load(conn)
        .await
}

/// Hubs of the tenants by the maker's serial.
pub async fn hubs_by_serial(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    serial: &str,
) -> QueryResult<Vec<(TenantId, HubId)>> {
    hub::table
        .filter(hub::tenant_id.eq_any(among))
        .filter(hub::kind.eq("hub"))
        .filter(hub::serial.eq(serial))
        .limit(2)
        .select((hub::tenant_id, hub::id))
        .load(conn)
        .await
}
