//! Feeds: vendors' clouds, each of which speaks with one credential for many devices or accounts.
//!
//! Owns `feed`, `feed_authorization` and `feed_consent`. A feed is also a row of `hub` (kind `feed`): its name, zone, activity,
//! and the links of the vendor's ids to devices in `hub_device` are as a hub's, so that what it carries goes the same way
//! (decision 0020). Invariants: secrets are sealed, and shown once when they are made here; a feed is never removed, only
//! deactivated.

pub mod authorization;
mod change;
pub mod consent;
mod formats;
mod http;
mod link;
mod model;
mod register;
mod store;
pub mod withings;

use db::{FeedId, TenantScope};

pub use formats::{FeedFormat, FeedFormats, Shape, VendorApi};
pub use http::routes;
pub use link::link_known;
pub use model::{
    Authentication, Challenge, FeedClient, FeedSecrets, HmacAlgorithm, SEALED_FEED_SECRETS, SignatureEncoding,
};
pub use store::KIND;

use super::HubSnapshot;
use super::source::snapshot_of_hub;
use crate::app::App;
use crate::error::Error;
use withings::Trouble;

/// A feed as ingest needs it.
#[derive(Clone)]
pub struct FeedSnapshot {
    /// What it shares with hubs: tenant, format (as `model`), zone, activity.
    pub carrier: HubSnapshot,
    /// How a post is authenticated.
    pub authentication: Authentication,
    /// What a GET or HEAD is answered with.
    pub challenge: Challenge,
    /// Its secrets; none when the key that sealed them is lost.
    pub secrets: Option<FeedSecrets>,
    /// How the vendor's API is called, where data is fetched.
    pub client: Option<FeedClient>,
}

impl FeedSnapshot {
    /// How the vendor's API is called: our client there, and its secret.
    ///
    /// # Errors
    /// What has to be set.
    pub fn api(&self) -> Result<(&FeedClient, &str), Trouble> {
        let secret = self.secrets.as_ref().and_then(|secrets| secrets.client.as_deref());
        match (&self.client, secret) {
            (Some(client), Some(secret)) => Ok((client, secret)),
            (None, _) => Err(Trouble::Later("the feed has no client at the vendor's API: set it".to_owned())),
            (_, None) => Err(Trouble::Later("the feed's client secret is missing: set it".to_owned())),
        }
    }
}

/// Reads a feed that somebody names, whoever's it is.
///
/// # Errors
/// 404; the database's error; 500 when its secrets do not open.
pub async fn load_feed(app: &App, id: FeedId) -> Result<FeedSnapshot, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let tenant = store::tenant_of(&mut transaction, id).await?;
    transaction.commit().await?;
    let tenant = tenant.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let (feed, hub) =
        store::find_feed(&mut transaction, &[tenant], id).await?.ok_or_else(|| Error::not_found("feed"))?;
    let carrier = snapshot_of_hub(&mut transaction, app, hub).await?;
    transaction.commit().await?;
    Ok(FeedSnapshot {
        carrier: carrier.ok_or_else(|| Error::not_found("feed"))?,
        authentication: serde_json::from_value(feed.authentication.clone()).map_err(Error::internal)?,
        challenge: serde_json::from_value(feed.challenge.clone()).map_err(Error::internal)?,
        secrets: open_secrets(app, &feed)?,
        client: feed.client.map(serde_json::from_value).transpose().map_err(Error::internal)?,
    })
}

/// A feed that the scope may see, within a transaction of it: its row among what carries devices.
///
/// # Errors
/// 404; the database's error.
pub async fn find_feed_in(
    conn: &mut diesel_async::AsyncPgConnection,
    scope: &TenantScope,
    id: FeedId,
) -> Result<super::HubRow, Error> {
    let found = store::find_feed(conn, &scope.tenants(), id).await?;
    found.map(|(_, hub)| hub).ok_or_else(|| Error::not_found("feed"))
}

fn open_secrets(app: &App, row: &store::FeedRow) -> Result<Option<FeedSecrets>, Error> {
    let Some(sealed) = row.secrets_sealed.as_deref() else { return Ok(None) };
    let opened = app.sealer.open(&model::secrets_place(row.tenant_id, row.id), sealed).map_err(Error::internal)?;
    let secrets = serde_json::from_slice(&opened)
        .map_err(|_no_detail| Error::internal(anyhow::anyhow!("a feed's secrets are not what was sealed")))?;
    Ok(Some(secrets))
}

fn seal_secrets(app: &App, tenant: db::TenantId, id: FeedId, secrets: &FeedSecrets) -> Result<Vec<u8>, Error> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(secrets).map_err(Error::internal)?);
    app.sealer.seal(&model::secrets_place(tenant, id), &plain).map_err(Error::internal)
}
