//! Changes a feed: name, zone, authentication, challenge; its secret; whether its posts are taken. What was stored already
//! stays as it is. Every change is seen by the next commit, so that a post on its way is judged by what holds then.

use chrono::TimeDelta;
use db::{FeedId, HubId, TenantScope};

use super::authorization::{Account, try_refused_again};
use super::model::{Authentication, Challenge, FeedClient, FeedSecrets, check_client_secret};
use super::register::choose_secret;
use super::store::{self, FeedChanges, FeedRow};
use crate::app::App;
use crate::error::Error;
use crate::fleet::model::Checks;
use crate::fleet::store::activation::{close_activation, open_activation};
use crate::fleet::store::hub::{HubChanges, HubRow, lock_carrier, set_hub_active, update_hub};
use crate::identity::SourceKind;
use crate::wiring;

/// The secret before may hold for a week at most after a new one is set.
const LONGEST_OVERLAP: u32 = 7 * 24 * 3600;

/// What changes; `None` leaves a thing as it is.
#[derive(Default)]
pub struct FeedChange {
    /// What people call it.
    pub name: Option<String>,
    /// Another zone; the inner `None` falls back to the tenant's.
    pub time_zone: Option<Option<String>>,
    /// How its posts are authenticated; the secret stays.
    pub authentication: Option<Authentication>,
    /// What a GET or HEAD is answered with.
    pub challenge: Option<Challenge>,
    /// Our client at the vendor's API, with its secret.
    pub client: Option<(FeedClient, String)>,
}

/// Changes it.
///
/// # Errors
/// 404; 422 for fields that cannot be accepted.
pub async fn change(
    app: &App,
    scope: &TenantScope,
    id: FeedId,
    change: FeedChange,
) -> Result<(FeedRow, HubRow), Error> {
    let mut checks = Checks::default();
    if let Some(name) = &change.name {
        checks.name("/name", name);
    }
    checks.time_zone(change.time_zone.as_ref().and_then(|zone| zone.as_deref()));
    checks.finish()?;
    let mut wrong = Vec::new();
    if let Some(authentication) = &change.authentication {
        authentication.check(&mut wrong);
    }
    if let Some(challenge) = &change.challenge {
        challenge.check(&mut wrong);
    }
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let is_announced_elsewhere = change.authentication.is_some();
    let authentication = change.authentication.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let challenge = change.challenge.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let mut transaction = scope.begin(&app.db).await?;
    let (feed, _) = lock(&mut transaction, scope, id).await?;
    let mut changes = FeedChanges { authentication, challenge, ..FeedChanges::default() };
    if let Some((client, secret)) = change.client {
        set_client(app, &mut transaction, &feed, &mut changes, client, secret).await?;
    }
    store::update_feed(&mut transaction, feed.tenant_id, id, changes).await?;
    if is_announced_elsewhere {
        wiring::feed_address_changed(app, &mut transaction, feed.tenant_id, id).await?;
    }
    let changes = HubChanges {
        name: change.name,
        time_zone: change.time_zone,
        updated_at: Some(app.clock.now()),
        ..HubChanges::default()
    };
    update_hub(&mut transaction, feed.tenant_id, HubId::from(id), changes).await?;
    let changed = find(&mut transaction, scope, id).await?;
    transaction.commit().await?;
    Ok(changed)
}

/// Sets our client at the vendor's API. Tokens that were refused may have been so because of the one before: they are tried
/// again.
async fn set_client(
    app: &App,
    conn: &mut diesel_async::AsyncPgConnection,
    feed: &FeedRow,
    changes: &mut FeedChanges,
    client: FeedClient,
    secret: String,
) -> Result<(), Error> {
    let mut wrong = Vec::new();
    client.check(app, app.feed_formats.find(&feed.format), &mut wrong).await;
    check_client_secret(&secret, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let mut secrets = super::open_secrets(app, feed)?.ok_or_else(|| {
        Error::conflict(
            "feed.secret-lost",
            "The feed's secret is lost with its key. Set one first (POST /feeds/{feed}/secret).",
        )
    })?;
    secrets.client = Some(secret);
    changes.secrets_sealed = Some(super::seal_secrets(app, feed.tenant_id, feed.id, &secrets)?);
    changes.client = Some(serde_json::to_value(client).map_err(Error::internal)?);
    for external in try_refused_again(conn, feed.tenant_id, feed.id, app.clock.now()).await? {
        let of = Account { tenant: feed.tenant_id, feed: feed.id, external: &external };
        wiring::account_authorized(app, conn, of, None).await?;
    }
    Ok(())
}

/// Sets another secret; the one before holds for `overlap` seconds more. Answers the secret when it was made here.
///
/// # Errors
/// 404; 422 for a secret or an overlap that cannot be accepted.
pub async fn rotate(
    app: &App,
    scope: &TenantScope,
    id: FeedId,
    secret: Option<String>,
    overlap: u32,
) -> Result<Option<String>, Error> {
    if overlap > LONGEST_OVERLAP {
        return Err(Error::field("/overlapSeconds", format!("0 to {LONGEST_OVERLAP} seconds")));
    }
    let (secret, shown) = choose_secret(secret)?;
    let now = app.clock.now();
    let mut transaction = scope.begin(&app.db).await?;
    let (feed, _) = lock(&mut transaction, scope, id).await?;
    let before = super::open_secrets(app, &feed)?;
    let client = before.as_ref().and_then(|before| before.client.clone());
    let before = before.filter(|_| overlap > 0);
    let until = now + TimeDelta::seconds(i64::from(overlap));
    let secrets = FeedSecrets { current: secret, previous: before.map(|before| (before.current, until)), client };
    let sealed = super::seal_secrets(app, feed.tenant_id, id, &secrets)?;
    let changes = FeedChanges { secrets_sealed: Some(sealed), ..FeedChanges::default() };
    store::update_feed(&mut transaction, feed.tenant_id, id, changes).await?;
    let changes = HubChanges { updated_at: Some(now), ..HubChanges::default() };
    update_hub(&mut transaction, feed.tenant_id, HubId::from(id), changes).await?;
    wiring::feed_address_changed(app, &mut transaction, feed.tenant_id, id).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %feed.tenant_id, feed.id = %id, "a feed's secret was changed");
    Ok(shown)
}

/// Sets whether its posts are taken. Asking for what is already so changes nothing.
///
/// # Errors
/// 404.
pub async fn set_active(app: &App, scope: &TenantScope, id: FeedId, active: bool) -> Result<(FeedRow, HubRow), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let (feed, hub) = lock(&mut transaction, scope, id).await?;
    if hub.active == active {
        transaction.commit().await?;
        return Ok((feed, hub));
    }
    let now = app.clock.now();
    if active {
        open_activation(&mut transaction, feed.tenant_id, SourceKind::Feed, id.0, now).await?;
    } else {
        close_activation(&mut transaction, feed.tenant_id, id.0, now).await?;
    }
    let hub = set_hub_active(&mut transaction, feed.tenant_id, HubId::from(id), active, now).await?;
    transaction.commit().await?;
    Ok((feed, hub))
}

async fn find(
    conn: &mut diesel_async::AsyncPgConnection,
    scope: &TenantScope,
    id: FeedId,
) -> Result<(FeedRow, HubRow), Error> {
    store::find_feed(conn, &scope.tenants(), id).await?.ok_or_else(|| Error::not_found("feed"))
}

/// A feed, kept from changing until the transaction ends.
async fn lock(
    conn: &mut diesel_async::AsyncPgConnection,
    scope: &TenantScope,
    id: FeedId,
) -> Result<(FeedRow, HubRow), Error> {
    lock_carrier(conn, &scope.tenants(), HubId::from(id)).await?;
    find(conn, scope, id).await
}
