//! What ingest has to know of a source: read by its token's device, cached by the caller for a second at most.

use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use db::{DeviceId, HubId, TenantId, TenantScope};
use diesel_async::AsyncPgConnection;

use super::feeds;
use super::model::{self, DeviceIdentifier, Variables};
use super::store;
use super::store::device::DeviceRow;
use crate::app::App;
use crate::error::Error;
use crate::platform::seal::Sealer;
use crate::tenancy;

/// How long a payload without time or sequence counts as a repeat when the same bytes come again.
const REPEAT_WINDOW: Duration = Duration::from_secs(60);

/// A device as ingest needs it.
#[derive(Clone)]
pub struct DeviceSnapshot {
    /// Its id.
    pub id: DeviceId,
    /// Whose enrolment it is.
    pub tenant: TenantId,
    /// Its model, which picks the decoder.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// Further identifiers, such as its IMEI or Bluetooth address.
    pub identifiers: Vec<DeviceIdentifier>,
    /// The zone of its local times: its own, else its tenant's.
    pub time_zone: Tz,
    /// The decoder's settings, opened. Secrets: never logged.
    pub variables: Variables,
    /// Raised whenever the variables change.
    pub variables_version: i32,
    /// Whether its uplinks are taken: it is active, its enrolment has not ended, and its tenant is active.
    pub active: bool,
    /// How long equal bytes without time or sequence count as a repeat.
    pub repeat_window: Duration,
    /// When its enrolment was changed last: with the tenant's zone it tells the commit whether this is still how things are.
    pub updated_at: DateTime<Utc>,
    /// The zone of its tenant.
    pub tenant_zone: String,
    /// Whether one of its wearers has another device at the same time: a measurement may come by two routes then.
    pub has_rivals: bool,
}

// By hand, so that no variable ever reaches a log.
impl std::fmt::Debug for DeviceSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceSnapshot")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("model", &self.model)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// A hub as ingest needs it.
#[derive(Clone)]
pub struct HubSnapshot {
    /// Its id.
    pub id: HubId,
    /// Whose hub.
    pub tenant: TenantId,
    /// Its model, which picks the decoder of its payloads.
    pub model: String,
    /// The zone of local times that its decoder reads: its own, else its tenant's.
    pub time_zone: Tz,
    /// Its decoder's settings, opened. Secrets: never logged.
    pub variables: Variables,
    /// Whether its uplinks are taken: it and its tenant are active.
    pub active: bool,
    /// When it was changed last: it tells the commit whether this is still how things are.
    pub updated_at: DateTime<Utc>,
    /// Whether it is a vendor's cloud: then its model names a format of feeds.
    pub is_feed: bool,
}

// By hand, so that no variable ever reaches a log.
impl std::fmt::Debug for HubSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubSnapshot")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("model", &self.model)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Reads a device, within a transaction that sees its tenant.
///
/// # Errors
/// The database's error; 500 when its variables do not open, because the server has another secret key.
pub async fn load_device(
    conn: &mut AsyncPgConnection,
    app: &App,
    tenant: TenantId,
    device: DeviceId,
) -> Result<Option<DeviceSnapshot>, Error> {
    let Some(row) = store::device::find_device(conn, &[tenant], device).await? else { return Ok(None) };
    let Some(owner) = tenancy::find_tenant(conn, tenant).await? else { return Ok(None) };
    let zone = row.time_zone.as_deref().unwrap_or(&owner.time_zone);
    let time_zone =
        zone.parse().map_err(|_unknown| Error::internal(anyhow!("a stored time zone is not known to this server")))?;
    let variables = open_variables(&app.sealer, &row)?;
    Ok(Some(DeviceSnapshot {
        id: row.id,
        tenant,
        active: row.active && row.enrolled_until.is_none() && owner.active,
        model: row.model,
        identifiers: serde_json::from_value(row.identifiers).map_err(Error::internal)?,
        serial: row.serial,
        time_zone,
        variables,
        variables_version: row.variables_version,
        repeat_window: REPEAT_WINDOW,
        updated_at: row.updated_at,
        tenant_zone: owner.time_zone,
        has_rivals: store::assignment::has_rivals(conn, tenant, device).await?,
    }))
}

/// The tenant of a device that the scope may see.
///
/// # Errors
/// 404.
pub async fn tenant_of_device(app: &App, scope: &TenantScope, device: DeviceId) -> Result<TenantId, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::device::find_device(&mut transaction, &scope.tenants(), device).await?;
    transaction.commit().await?;
    row.map(|row| row.tenant_id).ok_or_else(|| Error::not_found("device"))
}

/// Reads a hub, within a transaction that sees its tenant.
///
/// # Errors
/// The database's error; 500 when its variables do not open, because the server has another secret key.
pub async fn load_hub(
    conn: &mut AsyncPgConnection,
    app: &App,
    tenant: TenantId,
    hub: HubId,
) -> Result<Option<HubSnapshot>, Error> {
    let Some(row) = store::hub::find_carrier(conn, &[tenant], hub).await? else { return Ok(None) };
    snapshot_of_hub(conn, app, row).await
}

/// The same of a row that was read in this transaction.
pub(super) async fn snapshot_of_hub(
    conn: &mut AsyncPgConnection,
    app: &App,
    row: super::HubRow,
) -> Result<Option<HubSnapshot>, Error> {
    let (tenant, hub) = (row.tenant_id, row.id);
    let Some(owner) = tenancy::find_tenant(conn, tenant).await? else { return Ok(None) };
    let zone = row.time_zone.as_deref().unwrap_or(&owner.time_zone);
    let time_zone =
        zone.parse().map_err(|_unknown| Error::internal(anyhow!("a stored time zone is not known to this server")))?;
    let place = model::hub_variables_place(tenant, hub);
    Ok(Some(HubSnapshot {
        id: row.id,
        tenant,
        time_zone,
        variables: open_sealed(&app.sealer, &place, row.variables_sealed.as_deref())?,
        model: row.model,
        active: row.active && owner.active,
        updated_at: row.updated_at,
        is_feed: row.kind == feeds::KIND,
    }))
}

/// A hub that the scope may see, within a transaction of it.
///
/// # Errors
/// 404; the database's error.
pub async fn find_hub_in(
    conn: &mut AsyncPgConnection,
    scope: &TenantScope,
    hub: HubId,
) -> Result<super::HubRow, Error> {
    store::hub::find_hub(conn, &scope.tenants(), hub).await?.ok_or_else(|| Error::not_found("hub"))
}

/// Which devices a hub means by these addresses, each in the one spelling of [`model::normal_address`]; those that are
/// not there are not paired with that hub. A device that is paired without an address is named by its id.
///
/// # Errors
/// The database's error.
pub async fn find_paired_devices(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    addresses: &[String],
) -> Result<Vec<(String, DeviceId)>, Error> {
    Ok(store::hub::find_paired_devices(conn, tenant, hub, addresses).await?)
}

/// Keeps a hub's pairings from changing until the transaction ends; answers whether the hub may send: it and its tenant are
/// active.
///
/// # Errors
/// The database's error.
pub async fn hold_pairings(conn: &mut AsyncPgConnection, tenant: TenantId, hub: HubId) -> Result<bool, Error> {
    let active = store::hub::share_hub(conn, tenant, hub).await?;
    Ok(active && tenancy::find_tenant(conn, tenant).await?.is_some_and(|owner| owner.active))
}

/// Opens a device's variables.
pub(super) fn open_variables(sealer: &Sealer, row: &DeviceRow) -> Result<Variables, Error> {
    open_sealed(sealer, &model::variables_place(row.tenant_id, row.id), row.variables_sealed.as_deref())
}

/// Opens variables that were sealed for a place; nothing sealed is none.
pub(super) fn open_sealed(sealer: &Sealer, place: &str, sealed: Option<&[u8]>) -> Result<Variables, Error> {
    let Some(sealed) = sealed else { return Ok(Variables::new()) };
    let opened = sealer.open(place, sealed).context("a decoder's variables").map_err(Error::internal)?;
    serde_json::from_slice(&opened)
        .map_err(|_no_detail| Error::internal(anyhow!("a decoder's variables are not an object of texts")))
}

/// Seals a device's variables; nothing for none.
pub(super) fn seal_variables(
    sealer: &Sealer,
    tenant: TenantId,
    device: DeviceId,
    variables: &Variables,
) -> Result<Option<Vec<u8>>, Error> {
    seal_for(sealer, &model::variables_place(tenant, device), variables)
}

/// Seals variables for a place; nothing for none.
pub(super) fn seal_for(sealer: &Sealer, place: &str, variables: &Variables) -> Result<Option<Vec<u8>>, Error> {
    if variables.is_empty() {
        return Ok(None);
    }
    let plain = serde_json::to_vec(variables).map_err(Error::internal)?;
    sealer.seal(place, &plain).map(Some).map_err(Error::internal)
}
