//! Which event leads to which reaction: the only file that knows. Reactions that must not be lost write their rows in the
//! transaction of the event.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, FeedId, HubId, TenantId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::app::App;
use crate::error::Error;
use crate::fleet::{Account, AssignmentRow, authorizations};
use crate::{forward, ingest};

/// A reading became an Observation, in the running transaction.
#[derive(Debug, Clone)]
pub struct StoredReading {
    /// Whose.
    pub tenant: TenantId,
    /// The Observation's id.
    pub id: String,
    /// Its version.
    pub version: i32,
    /// The patient's id.
    pub patient: String,
    /// `code`, as system and code.
    pub codings: Vec<(String, String)>,
    /// Whether its disposition lets it go to EHRs.
    pub forwarded: bool,
}

/// Inside the ingest transaction: deliveries are born.
///
/// # Errors
/// The database's error; the whole batch is rolled back then.
pub async fn readings_stored(conn: &AsyncPgConnection, readings: &[StoredReading]) -> QueryResult<()> {
    forward::readings_stored(conn, readings).await
}

/// An Observation that exists got a new version, in the running transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisedReading {
    /// Whose.
    pub tenant: TenantId,
    /// The Observation's id.
    pub id: String,
    /// The new version.
    pub version: i32,
    /// The patient's id.
    pub patient: String,
    /// `code`, as system and code.
    pub codings: Vec<(String, String)>,
    /// Whether endpoints that had no version yet get this one.
    pub offered: bool,
}

/// Inside the transaction of a new version: deliveries are born for every endpoint that was sent an earlier one, and for
/// those that want it.
///
/// # Errors
/// The database's error; the transaction has to be rolled back then.
pub async fn readings_revised(conn: &AsyncPgConnection, readings: &[RevisedReading]) -> QueryResult<()> {
    forward::readings_revised(conn, readings).await
}

/// Staff recorded who wears a device, and want readings of that period which were nobody's so far to be that person's.
///
/// # Errors
/// The database's error; asking again takes nothing twice.
pub async fn unassigned_wanted(app: &Arc<App>, row: &AssignmentRow, token: ApiTokenId) -> Result<(), Error> {
    let period = (row.device_id, row.worn_from, row.worn_until);
    ingest::take_in(app, row.tenant_id, &row.patient_id, period, token, "taken in with a new assignment").await?;
    Ok(())
}

/// A device was paired with a hub, in the running transaction: what the hub carried from that address before is claimed.
/// Answers how many items that was.
///
/// # Errors
/// The database's error.
pub async fn hub_device_paired(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    hub: HubId,
    device: DeviceId,
    address: &str,
) -> QueryResult<usize> {
    ingest::claim_kept(conn, tenant, hub, device, address).await
}

/// The owner of an account let us fetch its data, in the running transaction: what the vendor announced of it is fetched
/// now, and what changed since `missed_since`; and the vendor is asked to announce it.
///
/// # Errors
/// The database's error.
pub async fn account_authorized(
    app: &App,
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    missed_since: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    ingest::pulls_of_authorized(app, conn, of, missed_since).await
}

/// An account was parted from its device, in the running transaction: nothing is fetched of it any more.
///
/// # Errors
/// The database's error.
pub async fn account_parted(conn: &mut AsyncPgConnection, of: Account<'_>) -> QueryResult<usize> {
    ingest::forget_pulls(conn, of).await
}

/// A vendor has to announce at another address, which has the feed's new secret in it, in the running transaction.
///
/// # Errors
/// The database's error.
pub async fn feed_address_changed(
    app: &App,
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
) -> Result<(), Error> {
    for external in authorizations::list_granted(conn, tenant, feed).await? {
        ingest::subscribe_account(app, conn, Account { tenant, feed, external: &external }).await?;
    }
    Ok(())
}

/// A decoder version is about to be activated, in the running transaction: nothing that its shadow replay found stands in the
/// way.
///
/// # Errors
/// 409 with what to decide first.
pub async fn version_may_serve(conn: &mut AsyncPgConnection, plugin: &str, version: &str) -> Result<(), Error> {
    match ingest::activation_block(conn, plugin, version).await? {
        None => Ok(()),
        Some(block) => Err(Error::conflict(block.code, block.detail)),
    }
}

/// Whether a shadow replay of a decoder version that began since then is done.
///
/// # Errors
/// The database's error.
pub async fn version_was_compared(
    conn: &mut AsyncPgConnection,
    plugin: &str,
    version: &str,
    since: DateTime<Utc>,
) -> QueryResult<bool> {
    ingest::was_compared(conn, plugin, version, since).await
}

/// Another version of a plugin is in the shadow, or none, in the running transaction: live uplinks are compared with it.
///
/// # Errors
/// The database's error.
pub async fn shadow_changed(
    app: &App,
    conn: &mut AsyncPgConnection,
    plugin: &str,
    version: Option<(&str, &[String], u8)>,
    token: ApiTokenId,
) -> QueryResult<()> {
    ingest::follow_shadow(conn, &ingest::ShadowWish { plugin, version, token }, app.clock.now()).await
}

/// After the commit: whoever waits is woken. Losing this costs at most a poll interval.
pub fn readings_committed(app: &App) {
    app.doorbell.ring();
}
