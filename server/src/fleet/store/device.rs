//! Devices (enrolments) and the units that they are enrolments of.

use chrono::{DateTime, Utc};
use db::schema::{device, device_unit};
use db::{DeviceId, DeviceUnitId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

/// A device's row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = device, check_for_backend(diesel::pg::Pg))]
pub struct DeviceRow {
    /// Whose enrolment it is.
    pub tenant_id: TenantId,
    /// Its id, and that of its FHIR Device.
    pub id: DeviceId,
    /// The physical thing.
    pub unit_id: DeviceUnitId,
    /// The model's name.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// A list of `DeviceIdentifier`.
    pub identifiers: Value,
    /// A sealed JSON object of strings.
    pub variables_sealed: Option<Vec<u8>>,
    /// Raised whenever the variables change: what a replay is compared under.
    pub variables_version: i32,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken.
    pub active: bool,
    /// When the enrolment began.
    pub enrolled_from: DateTime<Utc>,
    /// When it ended.
    pub enrolled_until: Option<DateTime<Utc>>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub struct DeviceFilter {
    /// The model's name.
    pub model: Option<String>,
    /// The maker's serial.
    pub serial: Option<String>,
    /// Active or not.
    pub active: Option<bool>,
}

/// What changes; `None` leaves a column as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = device)]
pub struct DeviceChanges {
    /// Another list of identifiers.
    pub identifiers: Option<Value>,
    /// Other variables; the inner `None` removes them.
    pub variables_sealed: Option<Option<Vec<u8>>>,
    /// Goes with `variables_sealed`.
    pub variables_version: Option<i32>,
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// Active or not.
    pub active: Option<bool>,
    /// The end of the enrolment.
    pub enrolled_until: Option<DateTime<Utc>>,
    /// When.
    pub updated_at: Option<DateTime<Utc>>,
}

/// The unit of a model and serial, which is made when it is new. Outside tenant security.
pub async fn take_unit(conn: &mut AsyncPgConnection, model: &str, serial: &str) -> QueryResult<DeviceUnitId> {
    diesel::insert_into(device_unit::table)
        .values((
            device_unit::id.eq(DeviceUnitId::generate()),
            device_unit::model.eq(model),
            device_unit::serial.eq(serial),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    // A second statement: it sees the row also when another transaction made it in the meantime.
    device_unit::table
        .filter(device_unit::model.eq(model))
        .filter(device_unit::serial.eq(serial))
        .select(device_unit::id)
        .first(conn)
        .await
}

/// Stores a new device.
pub async fn insert_device(conn: &mut AsyncPgConnection, row: &DeviceRow) -> QueryResult<()> {
    diesel::insert_into(device::table).values(row).execute(conn).await?;
    Ok(())
}

/// A device of one of the tenants.
pub async fn find_device(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: DeviceId,
) -> QueryResult<Option<DeviceRow>> {
    device::table
        .filter(device::tenant_id.eq_any(tenants))
        .filter(device::id.eq(id))
        .select(DeviceRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// A device of one of the tenants, kept from changing until the transaction ends.
pub async fn lock_device(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: DeviceId,
) -> QueryResult<Option<DeviceRow>> {
    device::table
        .filter(device::tenant_id.eq_any(tenants))
        .filter(device::id.eq(id))
        .select(DeviceRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Devices of the tenants after an id, in order of creation.
pub async fn list_devices(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    filter: DeviceFilter,
    after: DeviceId,
    limit: i64,
) -> QueryResult<Vec<DeviceRow>> {
    let mut query = device::table
        .filter(device::tenant_id.eq_any(tenants))
        .filter(device::id.gt(after))
        .order(device::id)
        .limit(limit)
        .select(DeviceRow::as_select())
        .into_boxed();
    if let Some(model) = filter.model {
        query = query.filter(device::model.eq(model));
    }
    if let Some(serial) = filter.serial {
        query = query.filter(device::serial.eq(serial));
    }
    if let Some(active) = filter.active {
        query = query.filter(device::active.eq(active));
    }
    query.load(conn).await
}

/// Changes a device, and answers it as it is then.
pub async fn update_device(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: DeviceId,
    changes: DeviceChanges,
) -> QueryResult<DeviceRow> {
    diesel::update(device::table)
        .filter(device::tenant_id.eq(tenant))
        .filter(device::id.eq(id))
        .set(changes)
        .returning(DeviceRow::as_returning())
        .get_result(conn)
        .await
}
