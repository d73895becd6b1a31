//! Which source a topic names, remembered for some minutes. As with tokens the memory only saves the look-up: whether device
//! and tenant may send now is asked in the commit.

use std::sync::Arc;
use std::time::Duration;

use db::{CredentialId, DeviceId, HubId, TenantId, TenantScope};
use moka::future::Cache;
use uuid::Uuid;

use super::store::sources as store;
use super::topics::Named;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{load_device, load_hub};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::sources::{KnownHub, KnownSource, deactivated, hub_deactivated};
use crate::tenancy;

/// Sources remembered at most.
const REMEMBERED: u64 = 100_000;
/// How long.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// How long a serial stands for a device: another one with the same may be enrolled, and then nobody knows which is meant.
const SERIAL_GOOD_FOR: Duration = Duration::from_secs(2);

/// Whose sources a connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reach {
    /// The connection's tenant.
    pub tenant: TenantId,
    /// And its customers.
    pub with_customers: bool,
}

/// The memory of sources that topics name.
pub struct NamedSources {
    devices: Cache<DeviceId, Arc<KnownSource>>,
    named: Cache<(Reach, Named), (TenantId, DeviceId)>,
    by_serial: Cache<(Reach, Named), (TenantId, DeviceId)>,
}

impl Default for NamedSources {
    fn default() -> Self {
        Self {
            devices: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build(),
            named: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build(),
            by_serial: Cache::builder().max_capacity(REMEMBERED).time_to_live(SERIAL_GOOD_FOR).build(),
        }
    }
}

impl NamedSources {
    /// The device that a topic names.
    ///
    /// # Errors
    /// 404 when the connection's tenants have no such device, or several; 403 when it is deactivated.
    pub async fn device(&self, app: &App, reach: Reach, named: &Named) -> Result<Arc<KnownSource>, Error> {
        let names = match named {
            Named::Device(_) | Named::Hub(_) => &self.named,
            Named::DeviceSerial(_) | Named::HubSerial(_) => &self.by_serial,
        };
        let found = names.try_get_with((reach, named.clone()), find(app, reach, named)).await;
        let (tenant, id) = found.map_err(|shared: Arc<Error>| shared.again())?;
        let device = self.devices.try_get_with(id, load(app, tenant, id)).await;
        device.map_err(|shared: Arc<Error>| shared.again())
    }

    /// The hub that a topic names. Looked up each time: a hub's payload carries many readings.
    ///
    /// # Errors
    /// 404 when the connection's tenants have no such hub, or several; 403 when it is deactivated.
    pub async fn hub(&self, app: &App, reach: Reach, named: &Named) -> Result<KnownHub, Error> {
        let among = tenants(app, reach).await?;
        let scope = TenantScope::several(&among).ok_or_else(unknown)?;
        let mut transaction = scope.begin(&app.db).await?;
        let found = match named {
            Named::Hub(id) => {
                let id: Uuid = id.parse().map_err(|_not_ours| unknown())?;
                store::hubs_by_id(&mut transaction, &among, id).await?
            }
            Named::HubSerial(serial) => store::hubs_by_serial(&mut transaction, &among, serial).await?,
            Named::Device(_) | Named::DeviceSerial(_) => Vec::new(),
        };
        transaction.commit().await?;
        let (tenant, id) = only(&found)?;
        load_known_hub(app, tenant, id).await
    }

    /// Forgets one, so that it is looked up again.
    pub async fn forget(&self, reach: Reach, named: &Named) {
        let key = (reach, named.clone());
        let known = self.named.remove(&key).await.or(self.by_serial.remove(&key).await);
        if let Some((_, device)) = known {
            self.devices.invalidate(&device).await;
        }
    }
}

/// The tenants that a connection reaches.
async fn tenants(app: &App, reach: Reach) -> Result<Vec<TenantId>, Error> {
    if !reach.with_customers {
        return Ok(vec![reach.tenant]);
    }
    let mut transaction = app.db.begin_platform().await?;
    let tenants = tenancy::tenant_with_customers(&mut transaction, reach.tenant).await?;
    transaction.commit().await?;
    Ok(tenants)
}

async fn find(app: &App, reach: Reach, named: &Named) -> Result<(TenantId, DeviceId), Error> {
    let among = tenants(app, reach).await?;
    let scope = TenantScope::several(&among).ok_or_else(unknown)?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = match named {
        Named::Device(id) => {
            let id: Uuid = id.parse().map_err(|_not_ours| unknown())?;
            store::devices_by_id(&mut transaction, &among, id).await?
        }
        Named::DeviceSerial(serial) => store::devices_by_serial(&mut transaction, &among, serial).await?,
        Named::Hub(_) | Named::HubSerial(_) => Vec::new(),
    };
    transaction.commit().await?;
    only(&found)
}

/// The one that is meant.
fn only<T: Copy>(found: &[T]) -> Result<T, Error> {
    match found {
        [] => Err(unknown()),
        [one] => Ok(*one),
        _several => Err(Error::new(
            Kind::NotFound,
            "mqtt.ambiguous-source",
            "Several devices or hubs have this serial: name them by id in their topics.",
        )),
    }
}

async fn load_known_hub(app: &App, tenant: TenantId, id: HubId) -> Result<KnownHub, Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let hub = load_hub(&mut transaction, app, tenant, id).await?;
    transaction.commit().await?;
    let hub = hub.ok_or_else(unknown)?;
    if !hub.active {
        return Err(hub_deactivated());
    }
    let identity =
        SourceIdentity { credential: CredentialId(Uuid::nil()), tenant, kind: SourceKind::Hub, source: id.0 };
    Ok(KnownHub { identity, hub })
}

async fn load(app: &App, tenant: TenantId, id: DeviceId) -> Result<Arc<KnownSource>, Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let device = load_device(&mut transaction, app, tenant, id).await?;
    transaction.commit().await?;
    let device = device.ok_or_else(unknown)?;
    if !device.active {
        return Err(deactivated());
    }
    // The broker has seen the device's credential; the commit asks whether device and tenant may send.
    let identity =
        SourceIdentity { credential: CredentialId(Uuid::nil()), tenant, kind: SourceKind::Device, source: id.0 };
    Ok(Arc::new(KnownSource { identity, device, carried_by: None }))
}

fn unknown() -> Error {
    Error::new(
        Kind::NotFound,
        "mqtt.unknown-source",
        "The topic names no device or hub of the connection's tenant: nothing was kept.",
    )
}
