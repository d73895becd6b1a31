//! Installations, each with the row of `hub` that carries its name, zone, activity and devices; and the codes by which they
//! come to be.

use chrono::{DateTime, Utc};
use db::schema::{app_installation, app_pairing, device, hub, hub_device};
use db::{ApiTokenId, AppInstallationId, AppPairingId, DeviceId, HubId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::fleet::store::hub::HubRow;

/// What `hub.kind` says of an installation.
pub const KIND: &str = "app";

/// An installation's own row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = app_installation, check_for_backend(diesel::pg::Pg))]
pub struct InstallationRow {
    /// Whose installation.
    pub tenant_id: TenantId,
    /// Its id; that of its row in `hub`.
    pub id: AppInstallationId,
    /// What the app says it is.
    pub app_name: Option<String>,
    /// Its version.
    pub app_version: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
    /// Whose phone it is, as staff noted it.
    pub patient_id: Option<String>,
    /// When it last showed its token, to the minute.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it was cut off for good.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A pairing's row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = app_pairing, check_for_backend(diesel::pg::Pg))]
pub struct PairingRow {
    /// Whose installation it becomes.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: AppPairingId,
    /// What is kept of the code, while it can be used.
    pub code_hash: Option<Vec<u8>>,
    /// What the installation is to be called.
    pub name: Option<String>,
    /// Whose phone it is.
    pub patient_id: Option<String>,
    /// The installation's zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Who made it.
    pub token_id: ApiTokenId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when the code can be used.
    pub expires_at: DateTime<Utc>,
    /// When it was withdrawn.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// When it was used.
    pub redeemed_at: Option<DateTime<Utc>>,
    /// What it became.
    pub installation_id: Option<AppInstallationId>,
}

/// Stores a pairing; false when another one has this code.
pub async fn insert_pairing(conn: &mut AsyncPgConnection, row: &PairingRow) -> QueryResult<bool> {
    let stored = diesel::insert_into(app_pairing::table)
        .values(row)
        .on_conflict(app_pairing::code_hash)
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(stored > 0)
}

/// Where a code can be used, as the worker: a phone shows it before the tenant is known.
pub async fn find_code(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> QueryResult<Option<(TenantId, AppPairingId)>> {
    app_pairing::table
        .filter(app_pairing::code_hash.eq(hash.as_slice()))
        .filter(app_pairing::expires_at.gt(now))
        .select((app_pairing::tenant_id, app_pairing::id))
        .first(conn)
        .await
        .optional()
}

/// A pairing of one of the tenants.
pub async fn find_pairing(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: AppPairingId,
) -> QueryResult<Option<PairingRow>> {
    app_pairing::table
        .filter(app_pairing::tenant_id.eq_any(tenants))
        .filter(app_pairing::id.eq(id))
        .select(PairingRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// The same, kept from changing until the transaction ends.
pub async fn lock_pairing(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: AppPairingId,
) -> QueryResult<Option<PairingRow>> {
    app_pairing::table
        .filter(app_pairing::tenant_id.eq_any(tenants))
        .filter(app_pairing::id.eq(id))
        .select(PairingRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Closes a pairing: it became an installation, or was withdrawn. Its code is not kept.
pub async fn close_pairing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AppPairingId,
    installation: Option<AppInstallationId>,
    now: DateTime<Utc>,
) -> QueryResult<PairingRow> {
    let (redeemed, cancelled) = if installation.is_some() { (Some(now), None) } else { (None, Some(now)) };
    diesel::update(app_pairing::table)
        .filter(app_pairing::tenant_id.eq(tenant))
        .filter(app_pairing::id.eq(id))
        .set((
            app_pairing::code_hash.eq(None::<Vec<u8>>),
            app_pairing::redeemed_at.eq(redeemed),
            app_pairing::cancelled_at.eq(cancelled),
            app_pairing::installation_id.eq(installation),
        ))
        .returning(PairingRow::as_returning())
        .get_result(conn)
        .await
}

/// Pairings of the tenants after an id, in order of creation.
pub async fn list_pairings(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    after: AppPairingId,
    limit: i64,
) -> QueryResult<Vec<PairingRow>> {
    app_pairing::table
        .filter(app_pairing::tenant_id.eq_any(tenants))
        .filter(app_pairing::id.gt(after))
        .order(app_pairing::id)
        .limit(limit)
        .select(PairingRow::as_select())
        .load(conn)
        .await
}

/// Stores a new installation, whose row in `hub` is there.
pub async fn insert_installation(conn: &mut AsyncPgConnection, row: &InstallationRow) -> QueryResult<()> {
    diesel::insert_into(app_installation::table).values(row).execute(conn).await?;
    Ok(())
}

/// An installation of one of the tenants.
pub async fn find_installation(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    id: AppInstallationId,
) -> QueryResult<Option<(InstallationRow, HubRow)>> {
    app_installation::table
        .inner_join(hub::table.on(hub::tenant_id.eq(app_installation::tenant_id).and(hub::id.eq(app_installation::id))))
        .filter(app_installation::tenant_id.eq_any(tenants))
        .filter(app_installation::id.eq(id))
        .select((InstallationRow::as_select(), HubRow::as_select()))
        .first(conn)
        .await
        .optional()
}

/// Installations of the tenants after an id, in order of creation.
pub async fn list_installations(
    conn: &mut AsyncPgConnection,
    tenants: &[TenantId],
    after: AppInstallationId,
    limit: i64,
) -> QueryResult<Vec<(InstallationRow, HubRow)>> {
    app_installation::table
        .inner_join(hub::table.on(hub::tenant_id.eq(app_installation::tenant_id).and(hub::id.eq(app_installation::id))))
        .filter(app_installation::tenant_id.eq_any(tenants))
        .filter(app_installation::id.gt(after))
        .order(app_installation::id)
        .limit(limit)
        .select((InstallationRow::as_select(), HubRow::as_select()))
        .load(conn)
        .await
}

/// Notes whose phone it is; nobody's for none.
pub async fn set_patient(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AppInstallationId,
    patient: Option<&str>,
) -> QueryResult<()> {
    diesel::update(app_installation::table)
        .filter(app_installation::tenant_id.eq(tenant))
        .filter(app_installation::id.eq(id))
        .set(app_installation::patient_id.eq(patient))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that it was cut off.
pub async fn set_revoked(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AppInstallationId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(app_installation::table)
        .filter(app_installation::tenant_id.eq(tenant))
        .filter(app_installation::id.eq(id))
        .set(app_installation::revoked_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes when it was seen.
pub async fn set_seen(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: AppInstallationId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(app_installation::table)
        .filter(app_installation::tenant_id.eq(tenant))
        .filter(app_installation::id.eq(id))
        .filter(app_installation::last_seen_at.is_null().or(app_installation::last_seen_at.lt(now)))
        .set(app_installation::last_seen_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// A device that an installation may speak for.
#[derive(Debug, Clone, Queryable)]
pub struct RelayedRow {
    /// The device.
    pub id: DeviceId,
    /// Its model.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// Whether its readings are taken.
    pub active: bool,
    /// How the installation names it; by its id when there is none.
    pub address: Option<String>,
}

/// The devices that an installation may speak for, oldest enrolment first.
pub async fn relayed_devices(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    installation: AppInstallationId,
    limit: i64,
) -> QueryResult<Vec<RelayedRow>> {
    hub_device::table
        .inner_join(
            device::table.on(device::tenant_id.eq(hub_device::tenant_id).and(device::id.eq(hub_device::device_id))),
        )
        .filter(hub_device::tenant_id.eq(tenant))
        .filter(hub_device::hub_id.eq(HubId::from(installation)))
        .filter(device::enrolled_until.is_null())
        .order(device::id)
        .limit(limit)
        .select((device::id, device::model, device::serial, device::active, hub_device::address))
        .load(conn)
        .await
}
