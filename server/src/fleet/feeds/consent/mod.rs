//! An account's owner consents (OAuth 2.0 authorization code, RFC 6749 section 4.1): staff make a link for a device, the owner
//! follows it, and the vendor sends the owner's browser back with a code, which is exchanged for tokens.
//!
//! Owns `feed_consent`. Invariants: a state is 256 random bits, stored as its hash, used once and for an hour at most; a
//! device that stands for one account is never given another one's readings by it: then people part them first.

mod http;
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use db::{DeviceId, FeedId, TenantId, TenantScope};
use sha2::{Digest, Sha256};
use url::Url;

pub use http::{api_routes, callback_routes};

use super::model::FeedClient;
use super::store::find_feed;
use super::withings::{self, Trouble};
use super::{link, load_feed};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::enrolment_ended;
use crate::fleet::store::device::lock_device;
use crate::identity::new_token;

/// How long a link may be followed: it is made when the owner is there.
const HOLDS: TimeDelta = TimeDelta::hours(1);

/// A link that was made.
pub struct Started {
    /// Where the owner consents; it has the state, so that it is not written to logs.
    pub url: Url,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Where the vendor sends the owner's browser back to.
#[must_use]
pub fn redirect_url(app: &App, feed: FeedId) -> String {
    format!("{}/ingest/v1/feeds/{feed}/callback", app.public_url)
}

/// Makes a link by which an account's owner consents; the account is then the device's.
///
/// # Errors
/// 404; 409 when the feed has no client at the vendor or the enrolment has ended; 422 for a device that cannot stand for an
/// account of this feed.
pub async fn start(app: &App, scope: &TenantScope, feed: FeedId, device: DeviceId) -> Result<Started, Error> {
    let (state, hash) = new_token("afs").map_err(Error::internal)?;
    let now = app.clock.now();
    let mut transaction = scope.begin(&app.db).await?;
    let (row, _) =
        find_feed(&mut transaction, &scope.tenants(), feed).await?.ok_or_else(|| Error::not_found("feed"))?;
    let client = row.client.ok_or_else(no_client)?;
    let client: FeedClient = serde_json::from_value(client).map_err(Error::internal)?;
    let found = lock_device(&mut transaction, &[row.tenant_id], device)
        .await?
        .ok_or_else(|| Error::field("/device", "there is no such device in the feed's tenant"))?;
    if found.enrolled_until.is_some() {
        return Err(enrolment_ended());
    }
    let models = app.feed_formats.find(&row.format).map(|format| format.models.as_slice()).unwrap_or_default();
    if !models.contains(&found.model) {
        let detail = format!("a device of the models {} stands for an account of this feed", models.join(", "));
        return Err(Error::field("/device", detail));
    }
    let expires_at = now + HOLDS;
    store::insert(&mut transaction, row.tenant_id, feed, device, (hash, expires_at), now).await?;
    transaction.commit().await?;
    let url = withings::authorization_url(&client, &redirect_url(app, feed), &state).map_err(Error::internal)?;
    Ok(Started { url, expires_at })
}

fn no_client() -> Error {
    Error::conflict(
        "feed.no-client",
        "This feed has no client at a vendor's API. Set it (PATCH /feeds/{feed} with client), where the format has an API.",
    )
}

/// 401: the state is the callback's credential. Which of unknown, used and expired it was is nobody's business.
fn unknown_state() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "feed.consent-unknown",
        "This link is not valid, or not any more. Ask for a new one.",
    )
}

/// The owner came back with a code: its tokens are stored, the account is the device's, and what the vendor announced of it
/// is fetched.
///
/// # Errors
/// 401 for a state that does not hold; 409 when the account or the device is linked otherwise, or the vendor does not take
/// the code; 503 when the vendor is away. The link is used up either way.
pub async fn finish(app: &App, feed: FeedId, state: &str, code: &str) -> Result<(), Error> {
    let (tenant, device) = take(app, feed, state).await?;
    let found = load_feed(app, feed).await?;
    let (client, secret) = found.api().map_err(refused)?;
    // At once: the code holds for 30 seconds.
    let redirect = redirect_url(app, feed);
    let (external, tokens) =
        withings::exchange(&app.outbound, client, secret, code, &redirect, app.clock.now()).await.map_err(refused)?;
    link::link(app, &TenantScope::one(tenant), feed, device, &external, Some(&tokens)).await?;
    tracing::info!(tenant.id = %tenant, feed.id = %feed, device.id = %device, "an account's owner consented");
    Ok(())
}

fn refused(trouble: Trouble) -> Error {
    match trouble {
        Trouble::NotTaken => Error::conflict(
            "feed.code-refused",
            "The vendor does not take the code: it holds for seconds only, or the feed's client is not the right one. Ask for a new link.",
        ),
        trouble => {
            Error::new(Kind::Unavailable(60), "feed.vendor-away", "The vendor cannot be asked now. Ask for a new link.")
                .because(anyhow::anyhow!("{trouble}"))
        }
    }
}

/// Uses up a state: whose it is, and for which device.
async fn take(app: &App, feed: FeedId, state: &str) -> Result<(TenantId, DeviceId), Error> {
    let hash: [u8; 32] = Sha256::digest(state.as_bytes()).into();
    let mut transaction = app.db.begin_worker().await?;
    let tenant = store::tenant_of(&mut transaction, feed, &hash).await?;
    transaction.commit().await?;
    let tenant = tenant.ok_or_else(unknown_state)?;
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let taken = store::take(&mut transaction, tenant, &hash).await?;
    transaction.commit().await?;
    match taken {
        Some((device, expires_at)) if expires_at > app.clock.now() => Ok((tenant, device)),
        _ => Err(unknown_state()),
    }
}
