//! Which device a token belongs to, remembered for some minutes.
//!
//! The memory only saves the look-up, which would cost more than all the rest of an uplink. The truth is asked inside the
//! commit transaction, for a whole batch at once: whether token, device and tenant may still send, and whether the settings
//! that the uplink was decoded with are those of now. What is no longer so is forgotten here at once, in every process.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use db::{CredentialId, DeviceId, HubId, TenantScope};
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::model::CarriedBy;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{DeviceSnapshot, HubSnapshot, find_paired_devices, load_device, load_hub};
use crate::identity::{SourceIdentity, SourceKind, TokenHash, identify_source};

/// Sources remembered at most; each takes a few hundred bytes.
const REMEMBERED: u64 = 100_000;
/// How long an answer is kept. Only what the commit does not ask again can be that old: whether a wearer of the device got a
/// second one, by which a measurement may come twice.
const GOOD_FOR: Duration = Duration::from_secs(300);

const CHANGED: &str = "source.changed";
const HUB_CHANGED: &str = "hub.changed";
const HUB_DEACTIVATED: &str = "hub.deactivated";
const APP_DEACTIVATED: &str = "app.deactivated";
const NOT_PAIRED: &str = "hub.not-paired";

/// A source that may send.
#[derive(Clone)]
pub struct KnownSource {
    /// Who it is: the device itself, or the hub that carries it.
    pub identity: SourceIdentity,
    /// The device.
    pub device: DeviceSnapshot,
    /// The hub that carries it, where one does.
    pub carried_by: Option<CarriedBy>,
}

/// A hub that may send.
pub struct KnownHub {
    /// Who it is.
    pub identity: SourceIdentity,
    /// The hub.
    pub hub: HubSnapshot,
}

impl KnownHub {
    /// A hub whose kept payload is read again: nobody has just sent it.
    pub fn of_kept_payload(hub: HubSnapshot) -> Self {
        let credential = CredentialId(uuid::Uuid::nil());
        let identity = SourceIdentity { credential, tenant: hub.tenant, kind: SourceKind::Hub, source: hub.id.0 };
        Self { identity, hub }
    }

    /// A device that it carries under an address, as the source of what it carries.
    pub fn carrying(&self, address: &str, device: DeviceSnapshot) -> KnownSource {
        let carried_by =
            Some(CarriedBy { hub: self.hub.id, address: address.to_owned(), updated_at: self.hub.updated_at });
        KnownSource { identity: self.identity.clone(), device, carried_by }
    }
}

/// The memory of sources.
#[derive(Clone)]
pub struct Sources {
    known: Cache<TokenHash, Arc<KnownSource>>,
    hubs: Cache<TokenHash, Arc<KnownHub>>,
    /// Active devices that are paired with a hub, by its address there.
    carried: Cache<(HubId, String), Arc<DeviceSnapshot>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build(),
            hubs: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build(),
            carried: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build(),
        }
    }
}

impl Sources {
    /// The device of a token. Requests with the same token that arrive together ask the database once.
    ///
    /// # Errors
    /// 401 for a token that is not known or revoked; 403 for a deactivated device, and for a hub's or app's token.
    pub async fn device(&self, app: &App, token: &str) -> Result<Arc<KnownSource>, Error> {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        self.known.try_get_with(hash, look_up(app, &hash)).await.map_err(|shared: Arc<Error>| shared.again())
    }

    /// The hub or app of a token.
    ///
    /// # Errors
    /// 401 for a token that is not known or revoked; 403 for a deactivated hub or app, and for a device's token.
    pub(super) async fn hub(&self, app: &App, token: &str) -> Result<Arc<KnownHub>, Error> {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        self.hubs.try_get_with(hash, look_up_hub(app, &hash)).await.map_err(|shared: Arc<Error>| shared.again())
    }

    /// The devices that a hub means by these addresses (in their one spelling). Those that are missing are not paired
    /// with it; those that may not send are among them.
    ///
    /// # Errors
    /// The database's error.
    pub(super) async fn carried(
        &self,
        app: &App,
        hub: &KnownHub,
        addresses: BTreeSet<String>,
    ) -> Result<HashMap<String, Arc<DeviceSnapshot>>, Error> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for address in addresses {
            match self.carried.get(&(hub.hub.id, address.clone())).await {
                Some(device) => {
                    found.insert(address, device);
                }
                None => missing.push(address),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let tenant = hub.hub.tenant;
        let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
        for (address, device) in find_paired_devices(&mut transaction, tenant, hub.hub.id, &missing).await? {
            if let Some(device) = load_device(&mut transaction, app, tenant, device).await? {
                let device = Arc::new(device);
                if device.active {
                    self.carried.insert((hub.hub.id, address.clone()), Arc::clone(&device)).await;
                }
                found.insert(address, device);
            }
        }
        transaction.commit().await?;
        Ok(found)
    }

    /// Forgets a token, so that the next uplink is looked up.
    pub(super) async fn forget(&self, token: &str) {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        self.known.invalidate(&hash).await;
        self.hubs.invalidate(&hash).await;
    }

    /// Forgets whom a hub means by an address.
    pub(super) async fn forget_carried(&self, hub: HubId, address: &str) {
        self.carried.invalidate(&(hub, address.to_owned())).await;
    }
}

async fn look_up_hub(app: &App, hash: &TokenHash) -> Result<Arc<KnownHub>, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let identity = identify_source(&mut transaction, hash).await?;
    transaction.commit().await?;
    let identity = identity.ok_or_else(unknown)?;
    if !matches!(identity.kind, SourceKind::Hub | SourceKind::App) {
        return Err(Error::new(
            Kind::Forbidden,
            "source.device",
            "This token belongs to a device, which speaks for itself only: send to /ingest/v1/uplinks.",
        ));
    }
    let mut transaction = TenantScope::one(identity.tenant).begin(&app.db).await?;
    let hub = load_hub(&mut transaction, app, identity.tenant, HubId(identity.source)).await?;
    transaction.commit().await?;
    let hub = hub.ok_or_else(unknown)?;
    if !hub.active {
        return Err(carrier_deactivated(identity.kind));
    }
    Ok(Arc::new(KnownHub { identity, hub }))
}

async fn look_up(app: &App, hash: &TokenHash) -> Result<Arc<KnownSource>, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let identity = identify_source(&mut transaction, hash).await?;
    transaction.commit().await?;
    let identity = identity.ok_or_else(unknown)?;
    if matches!(identity.kind, SourceKind::Hub | SourceKind::App) {
        return Err(Error::new(
            Kind::Forbidden,
            "source.hub",
            "This token belongs to a hub or app, which speaks for many devices: send to /ingest/v1/hubs/uplinks.",
        ));
    }
    let mut transaction = TenantScope::one(identity.tenant).begin(&app.db).await?;
    let device = load_device(&mut transaction, app, identity.tenant, DeviceId(identity.source)).await?;
    transaction.commit().await?;
    let device = device.ok_or_else(unknown)?;
    if !device.active {
        return Err(deactivated());
    }
    Ok(Arc::new(KnownSource { identity, device, carried_by: None }))
}

pub(super) fn unknown() -> Error {
    Error::new(Kind::Unauthenticated, "token.unknown", "This token is not known, or was revoked.")
}

pub(super) fn deactivated() -> Error {
    Error::forbidden(
        "source.deactivated",
        "This device is deactivated: nothing was kept. Activate it, then send again.",
    )
}

pub(super) fn hub_deactivated() -> Error {
    Error::forbidden(HUB_DEACTIVATED, "This hub is deactivated: nothing was kept. Activate it, then send again.")
}

fn app_deactivated() -> Error {
    Error::forbidden(
        APP_DEACTIVATED,
        "This app is deactivated by the clinic: nothing was kept. Keep what is not sent; it is taken when the app is activated again.",
    )
}

/// What a source that carries devices is told when it was deactivated while it sent.
pub(super) fn carrier_deactivated(kind: SourceKind) -> Error {
    if kind == SourceKind::App { app_deactivated() } else { hub_deactivated() }
}

/// Whether the commit said [`carrier_deactivated`].
pub(super) fn is_hub_deactivated(error: &Error) -> bool {
    matches!(error.code(), HUB_DEACTIVATED | APP_DEACTIVATED)
}

/// A hub's payload was read with settings that were changed meanwhile.
pub(super) fn hub_changed() -> Error {
    Error::new(
        Kind::Unavailable(1),
        HUB_CHANGED,
        "The settings of this hub were changed a moment ago. Send it again: it is read with the new ones then.",
    )
}

/// Whether the commit said [`hub_changed`].
pub(super) fn is_hub_changed(error: &Error) -> bool {
    error.code() == HUB_CHANGED
}

/// The device is not paired with the hub that carried it, by now.
pub(super) fn not_paired() -> Error {
    Error::conflict(NOT_PAIRED, "This device is not paired with the hub.")
}

/// Whether the commit said [`not_paired`].
pub(super) fn is_not_paired(error: &Error) -> bool {
    error.code() == NOT_PAIRED
}

/// The source was decoded with settings that were changed meanwhile.
pub(super) fn changed() -> Error {
    Error::new(
        Kind::Unavailable(1),
        CHANGED,
        "The settings of this device were changed a moment ago; nothing was kept. Send it again: it is read with the new ones then.",
    )
}

/// Whether the commit said [`changed`].
pub(super) fn is_changed(error: &Error) -> bool {
    error.code() == CHANGED
}

/// Whether what is remembered of a source is not so any more.
pub(super) fn is_stale(error: &Error) -> bool {
    is_changed(error) || is_hub_changed(error) || matches!(error.kind(), Kind::Unauthenticated | Kind::Forbidden)
}
