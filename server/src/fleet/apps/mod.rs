//! Phone apps: installations that relay the devices of one or more people, and the codes by which a phone becomes one.
//!
//! Owns `app_installation` and `app_pairing`. An installation is also a row of `hub` (kind `app`): its name, zone, activity
//! and devices are as a hub's, so that what it carries goes the same way (decision 0021). Invariants: a code makes one
//! installation, while it lives; code and token are shown once and kept as hashes; whose phone it is never decides whose a
//! reading is; an installation is never removed, only deactivated or revoked.

mod change;
mod code;
mod create_pairing;
mod http;
mod limits;
mod pairings_http;
mod redeem;
mod store;

use chrono::{DateTime, Utc};
use db::{AppInstallationId, TenantId, TenantScope};
use utoipa_actix_web::service_config::ServiceConfig;

pub use limits::PairingLimits;
pub use redeem::{Described, redeem};
pub use store::KIND;
use store::RelayedRow;

use crate::app::App;
use crate::error::Error;

/// Devices that an installation is told of.
const MOST_RELAYED: i64 = 500;

/// Mounts this room's routes.
pub fn routes(config: &mut ServiceConfig) {
    pairings_http::routes(config);
    http::routes(config);
}

/// An installation that the scope may see, within a transaction of it: its row among what carries devices.
///
/// # Errors
/// 404; the database's error.
pub async fn find_app_in(
    conn: &mut diesel_async::AsyncPgConnection,
    scope: &TenantScope,
    id: AppInstallationId,
) -> Result<super::HubRow, Error> {
    let found = store::find_installation(conn, &scope.tenants(), id).await?;
    found.map(|(_, hub)| hub).ok_or_else(|| Error::not_found("app"))
}

/// An installation as it is called, and the devices that it may speak for: for itself.
///
/// # Errors
/// 404; the database's error.
pub async fn read_own(
    app: &App,
    tenant: TenantId,
    id: AppInstallationId,
) -> Result<(super::HubRow, Vec<RelayedRow>), Error> {
    let scope = TenantScope::one(tenant);
    let mut transaction = scope.begin(&app.db).await?;
    let own = find_app_in(&mut transaction, &scope, id).await?;
    let rows = store::relayed_devices(&mut transaction, tenant, id, MOST_RELAYED).await?;
    transaction.commit().await?;
    Ok((own, rows))
}

/// Notes when an installation showed its token.
///
/// # Errors
/// The database's error.
pub async fn note_seen(app: &App, tenant: TenantId, id: AppInstallationId, at: DateTime<Utc>) -> Result<(), Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    store::set_seen(&mut transaction, tenant, id, at).await?;
    transaction.commit().await?;
    Ok(())
}
