//! Which device a token belongs to, remembered for some minutes.
//!
//! The memory only saves the look-up, which would cost more than all the rest of an uplink. The truth is asked inside the
//! commit transaction, for a whole batch at once: whether token, device and tenant may still send, and whether the settings
//! that the uplink was decoded with are those of now. What is no longer so is forgotten here at once, in every process.

use std::sync::Arc;
use std::time::Duration;

use db::{DeviceId, TenantScope};
use moka::future::Cache;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{DeviceSnapshot, load_device};
use crate::identity::{SourceIdentity, SourceKind, TokenHash, identify_source};

/// Sources remembered at most; each takes a few hundred bytes.
const REMEMBERED: u64 = 100_000;
/// How long an answer is kept. Only what the commit does not ask again can be that old: whether a wearer of the device got a
/// second one, by which a measurement may come twice.
const GOOD_FOR: Duration = Duration::from_secs(300);

const CHANGED: &str = "source.changed";

/// A source that may send.
pub struct KnownSource {
    /// Who it is.
    pub identity: SourceIdentity,
    /// The device.
    pub device: DeviceSnapshot,
}

/// The memory of sources.
#[derive(Clone)]
pub struct Sources {
    known: Cache<TokenHash, Arc<KnownSource>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self { known: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build() }
    }
}

impl Sources {
    /// The device of a token. Requests with the same token that arrive together ask the database once.
    ///
    /// # Errors
    /// 401 for a token that is not known or revoked; 403 for a deactivated device; 422 for a hub's token.
    pub async fn device(&self, app: &App, token: &str) -> Result<Arc<KnownSource>, Error> {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        self.known.try_get_with(hash, look_up(app, &hash)).await.map_err(|shared: Arc<Error>| shared.again())
    }

    /// Forgets a token, so that the next uplink is looked up.
    pub(super) async fn forget(&self, token: &str) {
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        self.known.invalidate(&hash).await;
    }
}

async fn look_up(app: &App, hash: &TokenHash) -> Result<Arc<KnownSource>, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let identity = identify_source(&mut transaction, hash).await?;
    transaction.commit().await?;
    let identity = identity.ok_or_else(unknown)?;
    if identity.kind == SourceKind::Hub {
        return Err(Error::new(
            Kind::Forbidden,
            "source.hub",
            "This token belongs to a hub, which speaks for many devices: send to /ingest/v1/hubs/uplinks.",
        ));
    }
    let mut transaction = TenantScope::one(identity.tenant).begin(&app.db).await?;
    let device = load_device(&mut transaction, app, identity.tenant, DeviceId(identity.source)).await?;
    transaction.commit().await?;
    let device = device.ok_or_else(unknown)?;
    if !device.active {
        return Err(deactivated());
    }
    Ok(Arc::new(KnownSource { identity, device }))
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
    is_changed(error) || matches!(error.kind(), Kind::Unauthenticated | Kind::Forbidden)
}
