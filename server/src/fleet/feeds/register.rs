//! Registers a feed.

use db::{FeedId, HubId, TenantId, TenantScope};

use super::model::{self, Authentication, Challenge, FeedClient, FeedSecrets};
use super::store::{self, FeedRow};
use crate::app::App;
use crate::error::{Error, FieldError};
use crate::fleet::model::Checks;
use crate::fleet::store::activation::open_activation;
use crate::fleet::store::hub::{HubRow, insert_hub};
use crate::identity::{self, SourceKind};

/// What a new feed is to be.
pub struct NewFeed {
    /// What people call it.
    pub name: String,
    /// What the vendor sends.
    pub format: String,
    /// How its posts are authenticated.
    pub authentication: Authentication,
    /// What a GET or HEAD is answered with.
    pub challenge: Challenge,
    /// The secret that the vendor chose; one is made when there is none.
    pub secret: Option<String>,
    /// How the vendor's API is called, with our client secret there.
    pub client: Option<(FeedClient, String)>,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its posts are taken at once.
    pub active: bool,
}

/// Registers it, with its first period of activity. Answers the secret that was made here, which is not shown again.
///
/// # Errors
/// 422 for fields that cannot be accepted.
pub async fn register(
    app: &App,
    scope: &TenantScope,
    tenant: TenantId,
    wish: NewFeed,
) -> Result<(FeedRow, HubRow, Option<String>), Error> {
    let mut checks = Checks::default();
    checks.name("/name", &wish.name);
    checks.time_zone(wish.time_zone.as_deref());
    checks.finish()?;
    let mut wrong = Vec::new();
    if app.feed_formats.find(&wish.format).is_none() {
        let detail = format!("no such format is known; the formats are {}", app.feed_formats.names());
        wrong.push(FieldError { pointer: "/format".to_owned(), detail });
    }
    wish.authentication.check(&mut wrong);
    wish.challenge.check(&mut wrong);
    if let Some((client, secret)) = &wish.client {
        client.check(app, app.feed_formats.find(&wish.format), &mut wrong).await;
        model::check_client_secret(secret, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let (secret, shown) = choose_secret(wish.secret)?;
    let (id, now) = (FeedId::generate(), app.clock.now());
    let hub = HubRow {
        tenant_id: tenant,
        id: HubId::from(id),
        model: wish.format.clone(),
        serial: id.to_string(),
        name: wish.name,
        time_zone: wish.time_zone,
        active: wish.active,
        created_at: now,
        updated_at: now,
        variables_sealed: None,
        variables_version: 1,
        kind: store::KIND.to_owned(),
    };
    let secrets =
        FeedSecrets { current: secret, previous: None, client: wish.client.as_ref().map(|(_, secret)| secret.clone()) };
    let feed = FeedRow {
        tenant_id: tenant,
        id,
        format: wish.format,
        authentication: serde_json::to_value(&wish.authentication).map_err(Error::internal)?,
        challenge: serde_json::to_value(&wish.challenge).map_err(Error::internal)?,
        secrets_sealed: Some(super::seal_secrets(app, tenant, id, &secrets)?),
        client: wish.client.map(|(client, _)| serde_json::to_value(client)).transpose().map_err(Error::internal)?,
    };
    let mut transaction = scope.begin(&app.db).await?;
    insert_hub(&mut transaction, &hub).await?;
    store::insert_feed(&mut transaction, &feed).await?;
    if hub.active {
        open_activation(&mut transaction, tenant, SourceKind::Feed, id.0, now).await?;
    }
    transaction.commit().await?;
    tracing::info!(tenant.id = %tenant, feed.id = %id, "a feed was created");
    Ok((feed, hub, shown))
}

/// The secret that was given, checked; or a new one, which is to be shown.
pub(super) fn choose_secret(given: Option<String>) -> Result<(String, Option<String>), Error> {
    if let Some(secret) = given {
        model::check_secret(&secret)?;
        return Ok((secret, None));
    }
    let (secret, _) = identity::new_token("aff").map_err(Error::internal)?;
    Ok((secret.clone(), Some(secret)))
}
