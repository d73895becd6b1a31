//! Registers a hub, and pairs devices with it, or with an app.

use db::{DeviceId, HubId, TenantId, TenantScope};
use diesel_async::AsyncPgConnection;

use super::model::{self, Checks, Variables};
use super::store::hub::{HUB, HubRow, PairingRow};
use super::{apps, enrolment_ended, source, store};
use crate::app::App;
use crate::error::Error;
use crate::identity::SourceKind;
use crate::wiring;

/// What a new hub is to be.
pub struct NewHub {
    /// Its maker's name for the kind of hub.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// What people call it.
    pub name: String,
    /// The settings of its decoder.
    pub variables: Variables,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken at once.
    pub active: bool,
}

/// Registers it, with its first period of activity.
///
/// # Errors
/// 422 for fields that cannot be accepted; 409 when the tenant has this hub already.
pub async fn register(app: &App, scope: &TenantScope, tenant: TenantId, wish: NewHub) -> Result<HubRow, Error> {
    let mut checks = Checks::default();
    checks.name("/model", &wish.model);
    checks.name("/serial", &wish.serial);
    checks.name("/name", &wish.name);
    checks.time_zone(wish.time_zone.as_deref());
    checks.variables(wish.variables.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
    checks.finish()?;
    let (id, now) = (HubId::generate(), app.clock.now());
    let place = model::hub_variables_place(tenant, id);
    let row = HubRow {
        tenant_id: tenant,
        id,
        model: wish.model,
        serial: wish.serial,
        name: wish.name,
        time_zone: wish.time_zone,
        active: wish.active,
        created_at: now,
        updated_at: now,
        variables_sealed: source::seal_for(&app.sealer, &place, &wish.variables)?,
        variables_version: 1,
        kind: HUB.to_owned(),
    };
    let mut transaction = scope.begin(&app.db).await?;
    store::hub::insert_hub(&mut transaction, &row).await?;
    if row.active {
        store::activation::open_activation(&mut transaction, tenant, SourceKind::Hub, row.id.0, now).await?;
    }
    transaction.commit().await?;
    Ok(row)
}

/// What carries devices, and is paired with them in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A gateway.
    Hub,
    /// The installation of a phone app.
    App,
}

impl Carrier {
    /// What callers know it as, which is also its kind.
    fn name(self) -> &'static str {
        match self {
            Self::Hub => HUB,
            Self::App => apps::KIND,
        }
    }

    /// It, kept from changing until the transaction ends: what arrives meanwhile either sees the pairing or is kept before
    /// it, and claimed by it.
    async fn lock(self, conn: &mut AsyncPgConnection, scope: &TenantScope, id: HubId) -> Result<TenantId, Error> {
        let found = store::hub::lock_carrier(conn, &scope.tenants(), id).await?.filter(|row| row.kind == self.name());
        found.map(|row| row.tenant_id).ok_or_else(|| Error::not_found(self.name()))
    }
}

/// Pairs a device with a hub or app of the same tenant, or changes its address there. What was kept of that address is claimed
/// with it, and decoded in the background.
///
/// # Errors
/// 404 when either is not there; 409 when the address is another device's, or the device's enrolment has ended.
pub async fn pair(
    app: &App,
    scope: &TenantScope,
    carrier: Carrier,
    hub: HubId,
    device: DeviceId,
    address: Option<&str>,
) -> Result<(PairingRow, usize), Error> {
    let address = address.map(model::normal_address);
    if let Some(address) = &address {
        let mut checks = Checks::default();
        checks.name("/address", address);
        checks.finish()?;
    }
    let mut transaction = scope.begin(&app.db).await?;
    let tenant = carrier.lock(&mut transaction, scope, hub).await?;
    let found = store::device::lock_device(&mut transaction, &[tenant], device)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    if found.enrolled_until.is_some() {
        return Err(enrolment_ended());
    }
    let row =
        store::hub::upsert_pairing(&mut transaction, tenant, hub, device, address.as_deref(), app.clock.now()).await?;
    let named = row.address.clone().unwrap_or_else(|| device.to_string());
    let claimed = wiring::hub_device_paired(&mut transaction, tenant, hub, device, &named).await?;
    transaction.commit().await?;
    Ok((row, claimed))
}

/// Parts a device from a hub or app.
///
/// # Errors
/// 404 when they are not paired.
pub async fn part(app: &App, scope: &TenantScope, carrier: Carrier, hub: HubId, device: DeviceId) -> Result<(), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let tenant = carrier.lock(&mut transaction, scope, hub).await?;
    if !store::hub::delete_pairing(&mut transaction, tenant, hub, device).await? {
        return Err(Error::not_found(&format!("device of this {}", carrier.name())));
    }
    transaction.commit().await?;
    Ok(())
}
