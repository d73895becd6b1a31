//! Which device or account a vendor means: links made by people, and those that follow from a device's own identifiers.

use std::collections::BTreeSet;

use db::{DeviceId, FeedId, HubId, TenantId, TenantScope};

use diesel_async::AsyncPgConnection;

use super::FeedFormat;
use super::authorization::{self, Account, OAuthTokens};
use super::store::{self, Candidate};
use crate::app::App;
use crate::error::Error;
use crate::fleet::enrolment_ended;
use crate::fleet::model::{Checks, DeviceIdentifier, normal_address};
use crate::fleet::store::device::lock_device;
use crate::fleet::store::hub::{
    PairingRow, delete_pairing, find_paired_devices, find_pairing, lock_carrier, upsert_pairing,
};
use crate::wiring;

/// Links a vendor's id with a device of the feed's tenant, or changes it. What the feed brought under that id before is
/// claimed with it, and decoded in the background; answers how many items that is. With `tokens`, what the vendor announced
/// of the account is fetched.
///
/// # Errors
/// 404 when either is not there; 409 when the id is another device's, the device's enrolment has ended, or `tokens` are of
/// another account than the device stands for; 422 for an id that cannot be one.
pub async fn link(
    app: &App,
    scope: &TenantScope,
    feed: FeedId,
    device: DeviceId,
    external: &str,
    tokens: Option<&OAuthTokens>,
) -> Result<(PairingRow, usize), Error> {
    let external = normal_address(external);
    let mut checks = Checks::default();
    checks.name("/externalId", &external);
    checks.finish()?;
    let mut wrong = Vec::new();
    if let Some(tokens) = tokens {
        tokens.check(&mut wrong);
    }
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let mut transaction = scope.begin(&app.db).await?;
    // Locked: what arrives meanwhile either sees the link or is kept before it, and claimed by it.
    let hub = lock_carrier(&mut transaction, &scope.tenants(), HubId::from(feed))
        .await?
        .filter(|row| row.kind == store::KIND)
        .ok_or_else(|| Error::not_found("feed"))?;
    let found = lock_device(&mut transaction, &[hub.tenant_id], device)
        .await?
        .ok_or_else(|| Error::field("/device", "there is no such device in the feed's tenant"))?;
    if found.enrolled_until.is_some() {
        return Err(enrolment_ended());
    }
    let named = find_paired_devices(&mut transaction, hub.tenant_id, hub.id, std::slice::from_ref(&external)).await?;
    if named.iter().any(|(_, other)| *other != device) {
        return Err(Error::conflict(
            "feed.linked",
            "This external id is linked with another device of the feed. Part them first (DELETE /feeds/{feed}/accounts/{device}).",
        ));
    }
    if let Some(tokens) = tokens {
        may_be_fetched(&mut transaction, hub.tenant_id, feed, device, &external).await?;
        authorize(app, &mut transaction, Account { tenant: hub.tenant_id, feed, external: &external }, tokens).await?;
    }
    let now = app.clock.now();
    let row = upsert_pairing(&mut transaction, hub.tenant_id, hub.id, device, Some(&external), now).await?;
    let claimed = wiring::hub_device_paired(&mut transaction, hub.tenant_id, hub.id, device, &external).await?;
    transaction.commit().await?;
    Ok((row, claimed))
}

/// Whether an account's data may be fetched for a device: the feed can, and the device stands for no other account. Another
/// person's account may be meant then, and readings would come under the wrong one.
async fn may_be_fetched(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    device: DeviceId,
    external: &str,
) -> Result<(), Error> {
    let can = store::find_feed(conn, &[tenant], feed).await?.is_some_and(|(row, _)| row.client.is_some());
    if !can {
        return Err(Error::field("/tokens", "this feed has no client at a vendor's API: set it first"));
    }
    let linked = find_pairing(conn, tenant, HubId::from(feed), device).await?.and_then(|row| row.address);
    if linked.is_some_and(|known| known != external) {
        return Err(Error::conflict(
            "feed.other-account",
            "The device stands for another account of the feed. Part them first (DELETE /feeds/{feed}/accounts/{device}), if that is meant.",
        ));
    }
    Ok(())
}

/// Stores an account's tokens; what was announced of it, or missed, is fetched.
async fn authorize(
    app: &App,
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    tokens: &OAuthTokens,
) -> Result<(), Error> {
    let missed_since = authorization::grant(app, conn, of, tokens).await?;
    wiring::account_authorized(app, conn, of, missed_since).await?;
    Ok(())
}

/// Parts a device from a feed: what the vendor sends of it from now on is kept as unclaimed. An account's tokens are
/// forgotten: its owner consented to this.
///
/// # Errors
/// 404 when they are not linked.
pub async fn unlink(app: &App, scope: &TenantScope, feed: FeedId, device: DeviceId) -> Result<(), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let hub = lock_carrier(&mut transaction, &scope.tenants(), HubId::from(feed))
        .await?
        .filter(|row| row.kind == store::KIND)
        .ok_or_else(|| Error::not_found("feed"))?;
    let linked = find_pairing(&mut transaction, hub.tenant_id, hub.id, device).await?.and_then(|row| row.address);
    if let Some(external) = linked {
        let of = Account { tenant: hub.tenant_id, feed, external: &external };
        authorization::forget(&mut transaction, of).await?;
        wiring::account_parted(&mut transaction, of).await?;
    }
    if !delete_pairing(&mut transaction, hub.tenant_id, hub.id, device).await? {
        return Err(Error::not_found("account of this feed"));
    }
    transaction.commit().await?;
    Ok(())
}

/// Links those of the vendor's ids that are nobody's yet and are the serial or an identifier of exactly one device of the
/// format's models in the feed's tenant.
///
/// # Errors
/// The database's error.
pub async fn link_known(
    app: &App,
    tenant: TenantId,
    feed: FeedId,
    format: &FeedFormat,
    ids: BTreeSet<String>,
) -> Result<(), Error> {
    let ids: Vec<String> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let scope = TenantScope::one(tenant);
    let mut transaction = scope.begin(&app.db).await?;
    let linked = find_paired_devices(&mut transaction, tenant, HubId::from(feed), &ids).await?;
    let open: Vec<&String> = ids.iter().filter(|id| linked.iter().all(|(known, _)| known != *id)).collect();
    let spellings: Vec<String> = open.iter().flat_map(|id| format.spellings(id)).collect();
    let candidates = if spellings.is_empty() {
        Vec::new()
    } else {
        store::candidates(&mut transaction, tenant, feed, &format.models, &spellings).await?
    };
    transaction.commit().await?;
    for id in open {
        if let Some(device) = only_one(format, id, &candidates) {
            match link(app, &scope, feed, device, id, None).await {
                Ok(_) => {
                    tracing::info!(tenant.id = %tenant, feed.id = %feed, device.id = %device, "a device was linked with a feed by its identifiers")
                }
                // Another request was faster, or the enrolment has just ended: then it is as they left it.
                Err(error) => tracing::debug!(feed.id = %feed, %error, "a device was not linked"),
            }
        }
    }
    Ok(())
}

/// The device that a vendor's id means, when it is exactly one.
fn only_one(format: &FeedFormat, id: &str, candidates: &[Candidate]) -> Option<DeviceId> {
    let spellings = format.spellings(id);
    let is_meant = |candidate: &&Candidate| {
        let identifiers: Vec<DeviceIdentifier> =
            serde_json::from_value(candidate.identifiers.clone()).unwrap_or_default();
        spellings.contains(&candidate.serial)
            || identifiers.iter().any(|identifier| {
                let system = identifier.system.to_lowercase();
                spellings.contains(&identifier.value) && format.identifiers.iter().any(|word| system.contains(word))
            })
    };
    let mut meant = candidates.iter().filter(is_meant);
    let first = meant.next()?;
    meant.next().is_none().then_some(first.id)
}
