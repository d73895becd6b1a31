//! REST of feeds: the feeds themselves, their secrets, and the devices and accounts behind them.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, delete, get, patch, post};
use chrono::{DateTime, Utc};
use db::{ActivationId, DeviceId, FeedId, HubId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::authorization::{AccountRow, OAuthTokens, list_accounts};
use super::change::{self, FeedChange as Change};
use super::consent::redirect_url;
use super::model::{Authentication, Challenge, FeedClient, withings_api, withings_authorize};
use super::register::{self, NewFeed as Wish};
use super::store::{self, FeedRow};
use super::{find_feed_in, link};
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::http::{Activation, created, present, reach, reach_to_change};
use crate::fleet::store::activation::list_activations;
use crate::fleet::store::hub::{HubRow, PairingRow, list_pairings};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_feed)
        .service(list_feeds)
        .service(find_feed)
        .service(update_feed)
        .service(delete_feed)
        .service(activate_feed)
        .service(deactivate_feed)
        .service(rotate_feed_secret)
        .service(list_feed_activations)
        .service(list_feed_accounts)
        .service(link_feed_account)
        .service(unlink_feed_account);
    super::consent::api_routes(config);
}

/// A vendor's cloud that posts what many devices or accounts measured.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// Its id.
    pub id: FeedId,
    /// The tenant that has it.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// What the vendor sends.
    pub format: String,
    /// The models that devices and accounts behind it may have.
    pub models: Vec<String>,
    /// How its posts are authenticated; the secret is not shown.
    pub authentication: Authentication,
    /// What a GET or HEAD is answered with.
    pub challenge: Challenge,
    /// Our client at the vendor's API; its secret is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<FeedClient>,
    /// What has to be registered at the vendor as callback URL of that client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// Where the vendor posts to.
    pub url: String,
    /// IANA zone of local times, when it differs from the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether its posts are taken.
    pub active: bool,
    /// The secret, shown this once when it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new feed needs.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFeed {
    /// The tenant that gets it; may be left out by a caller who has just one.
    pub tenant: Option<TenantId>,
    /// What people call it: 1 to 128 characters.
    pub name: String,
    /// What the vendor sends: `tellihealth`, `bodytrace`, `tenovi`, `kati`, `ihealth`, `garmin-health`, `fitbit`, `dexcom`,
    /// `withings`, `nightscout`, `google-fit`, `health-auto-export`.
    pub format: String,
    /// How its posts are authenticated.
    pub authentication: Authentication,
    /// What a GET or HEAD is answered with; 405 when absent.
    #[serde(default)]
    pub challenge: Challenge,
    /// The secret, where the vendor chose it: 8 to 500 visible characters. One is made and shown once when it is absent.
    pub secret: Option<String>,
    /// Our client at the vendor's API, where it notifies and the data is fetched (Withings).
    pub client: Option<NewFeedClient>,
    /// IANA zone of local times, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its posts are taken at once.
    pub active: bool,
}

/// Our client at a vendor's API.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFeedClient {
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there. Kept sealed, never shown.
    pub client_secret: String,
    /// The address of the API: `https://wbsapi.withings.net` when absent.
    pub api_url: Option<String>,
    /// Where owners consent: `https://account.withings.com/oauth2_user/authorize2` when absent.
    pub authorize_url: Option<String>,
}

impl NewFeedClient {
    fn into_client(self) -> (FeedClient, String) {
        let api_url = self.api_url.unwrap_or_else(withings_api);
        let authorize_url = self.authorize_url.unwrap_or_else(withings_authorize);
        (FeedClient { client_id: self.client_id, api_url, authorize_url }, self.client_secret)
    }
}

/// What may change. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedChange {
    /// What people call it.
    pub name: Option<String>,
    /// Another IANA zone; null for the tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    /// How its posts are authenticated; the secret stays.
    pub authentication: Option<Authentication>,
    /// What a GET or HEAD is answered with.
    pub challenge: Option<Challenge>,
    /// Our client at the vendor's API, all of it.
    pub client: Option<NewFeedClient>,
}

/// Another secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSecret {
    /// The secret, where the vendor chose it. One is made and shown once when it is absent.
    pub secret: Option<String>,
    /// For how many seconds the one before still holds: 0 when absent, 604800 at most.
    #[serde(default)]
    pub overlap_seconds: u32,
}

/// The secret that holds now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetSecret {
    /// Shown this once when it was made here; absent when it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A device or account behind a feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedAccount {
    /// How the vendor names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The device, which for an account is a virtual one that is assigned to the patient.
    pub device: DeviceId,
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// How many items that the vendor had sent before were claimed by linking it just now; they are decoded in the
    /// background, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<usize>,
    /// Whether its data may be fetched, where the vendor only announces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AccountAuthorization>,
}

/// What an account's owner consented to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountAuthorization {
    /// `granted`; `refused`: the vendor does not take the tokens any more, and the owner has to consent again.
    pub state: String,
    /// Why the tokens are not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the vendor took the tokens last.
    pub valid_at: DateTime<Utc>,
}

/// Which device a vendor means.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFeedAccount {
    /// How the vendor names the device or account: 1 to 128 characters.
    pub external_id: String,
    /// A device of the feed's tenant.
    pub device: DeviceId,
    /// The account's tokens, where its data is fetched. Kept sealed, never shown.
    pub tokens: Option<OAuthTokens>,
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// One tenant's feeds.
    pub tenant: Option<TenantId>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

fn view(app: &App, (feed, hub): (FeedRow, HubRow)) -> Result<Feed, Error> {
    Ok(Feed {
        id: feed.id,
        tenant: feed.tenant_id,
        name: hub.name,
        models: app.feed_formats.find(&feed.format).map(|format| format.models.clone()).unwrap_or_default(),
        format: feed.format,
        authentication: serde_json::from_value(feed.authentication).map_err(Error::internal)?,
        challenge: serde_json::from_value(feed.challenge).map_err(Error::internal)?,
        redirect_url: feed.client.is_some().then(|| redirect_url(app, feed.id)),
        client: feed.client.map(serde_json::from_value).transpose().map_err(Error::internal)?,
        url: format!("{}/ingest/v1/feeds/{}", app.public_url, feed.id),
        time_zone: hub.time_zone,
        active: hub.active,
        secret: None,
        created_at: hub.created_at,
        updated_at: hub.updated_at,
    })
}

fn account(row: PairingRow, claimed: usize) -> FeedAccount {
    FeedAccount {
        external_id: row.address,
        device: row.device_id,
        linked_at: row.paired_at,
        claimed: (claimed > 0).then_some(claimed),
        authorization: None,
    }
}

fn with_authorization(mut account: FeedAccount, authorized: &[AccountRow]) -> FeedAccount {
    let of = authorized.iter().find(|row| Some(&row.external_id) == account.external_id.as_ref());
    account.authorization =
        of.cloned().map(|row| AccountAuthorization { state: row.state, reason: row.reason, valid_at: row.valid_at });
    account
}

/// Create a feed
///
/// `url` of the answer is where the vendor posts to. `secret` is shown once, when it was made here.
#[utoipa::path(tag = "feeds", request_body = NewFeed, responses((status = 201, body = Feed), Problems))]
#[post("/feeds")]
async fn create_feed(caller: Caller, app: AppData, body: Json<NewFeed>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "create feeds")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    let wish = Wish {
        name: wish.name,
        format: wish.format,
        authentication: wish.authentication,
        challenge: wish.challenge,
        secret: wish.secret,
        client: wish.client.map(NewFeedClient::into_client),
        time_zone: wish.time_zone,
        active: wish.active,
    };
    let (feed, hub, secret) = register::register(&app, &scope, tenant, wish).await?;
    let feed = Feed { secret, ..view(&app, (feed, hub))? };
    Ok(created(format!("/api/v1/feeds/{}", feed.id), feed))
}

/// List feeds
///
/// Those that the caller may see, oldest first.
#[utoipa::path(tag = "feeds", params(FeedQuery), responses((status = 200, body = Page<Feed>), Problems))]
#[get("/feeds")]
async fn list_feeds(caller: Caller, app: AppData, query: Query<FeedQuery>) -> ApiResult<Json<Page<Feed>>> {
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let rows = store::list_feeds(&mut transaction, &scope.tenants(), FeedId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| view(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(Page::from_rows(items, limit, |feed: &Feed| feed.id.0)))
}

/// Read a feed
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), responses((status = 200, body = Feed), Problems))]
#[get("/feeds/{id}")]
async fn find_feed(caller: Caller, app: AppData, id: Path<FeedId>) -> ApiResult<Json<Feed>> {
    let scope = reach(&caller, &app, "feed").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::find_feed(&mut transaction, &scope.tenants(), *id).await?;
    transaction.commit().await?;
    Ok(Json(view(&app, found.ok_or_else(|| Error::not_found("feed"))?)?))
}

/// Change a feed
///
/// Its name, zone, authentication and challenge. The format stays: another vendor is another feed.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), request_body = FeedChange, responses((status = 200, body = Feed), Problems))]
#[patch("/feeds/{id}")]
async fn update_feed(caller: Caller, app: AppData, id: Path<FeedId>, body: Json<FeedChange>) -> ApiResult<Json<Feed>> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    let wish = body.into_inner();
    let wish = Change {
        name: wish.name,
        time_zone: wish.time_zone,
        authentication: wish.authentication,
        challenge: wish.challenge,
        client: wish.client.map(NewFeedClient::into_client),
    };
    Ok(Json(view(&app, change::change(&app, &scope, *id, wish).await?)?))
}

/// Delete a feed
///
/// Deactivates it: what it brought stays, and billing rests on its periods of activity.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), responses((status = 204), Problems))]
#[delete("/feeds/{id}")]
async fn delete_feed(caller: Caller, app: AppData, id: Path<FeedId>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    change::set_active(&app, &scope, *id, false).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Activate a feed
///
/// Its posts are taken from now on, and a period of activity begins. Nothing changes for one that is active.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), responses((status = 200, body = Feed), Problems))]
#[post("/feeds/{id}/activate")]
async fn activate_feed(caller: Caller, app: AppData, id: Path<FeedId>) -> ApiResult<Json<Feed>> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    Ok(Json(view(&app, change::set_active(&app, &scope, *id, true).await?)?))
}

/// Deactivate a feed
///
/// Its posts are turned away with 403 and not kept. Nothing changes for one that is not active.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), responses((status = 200, body = Feed), Problems))]
#[post("/feeds/{id}/deactivate")]
async fn deactivate_feed(caller: Caller, app: AppData, id: Path<FeedId>) -> ApiResult<Json<Feed>> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    Ok(Json(view(&app, change::set_active(&app, &scope, *id, false).await?)?))
}

/// Change a feed's secret
///
/// The one before stops to hold after `overlapSeconds`, so that a vendor can be told the new one without a gap.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), request_body = NewSecret, responses((status = 200, body = SetSecret), Problems))]
#[post("/feeds/{id}/secret")]
async fn rotate_feed_secret(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    body: Json<NewSecret>,
) -> ApiResult<Json<SetSecret>> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    let wish = body.into_inner();
    let secret = change::rotate(&app, &scope, *id, wish.secret, wish.overlap_seconds).await?;
    Ok(Json(SetSecret { secret }))
}

/// List a feed's periods of activity
///
/// Oldest first, from the first day.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), PageQuery), responses((status = 200, body = Page<Activation>), Problems))]
#[get("/feeds/{id}/activations")]
async fn list_feed_activations(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Activation>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "feed").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub = find_feed_in(&mut transaction, &scope, *id).await?;
    let after = ActivationId(page.after());
    let rows = list_activations(&mut transaction, hub.tenant_id, id.0, after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Activation::from).collect();
    Ok(Json(Page::from_rows(items, limit, |activation: &Activation| activation.id.0)))
}

/// List a feed's devices and accounts
///
/// Those that are linked, in the order of the devices' ids.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), PageQuery), responses((status = 200, body = Page<FeedAccount>), Problems))]
#[get("/feeds/{id}/accounts")]
async fn list_feed_accounts(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<FeedAccount>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "feed").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub = find_feed_in(&mut transaction, &scope, *id).await?;
    let after = DeviceId(page.after());
    let rows = list_pairings(&mut transaction, hub.tenant_id, HubId::from(*id), after, limit + 1).await?;
    let externals: Vec<String> = rows.iter().filter_map(|row| row.address.clone()).collect();
    let authorized = list_accounts(&mut transaction, hub.tenant_id, *id, &externals).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| with_authorization(account(row, 0), &authorized)).collect();
    Ok(Json(Page::from_rows(items, limit, |account: &FeedAccount| account.device.0)))
}

/// Link a device or account
///
/// From now on what the vendor sends under `externalId` is the device's. What it sent before (`GET /feeds/{id}/unclaimed`)
/// is claimed with it: decoded in the background, under whoever wore the device when it was measured. A device whose serial
/// or identifier is the vendor's id is linked by itself.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), request_body = NewFeedAccount, responses((status = 201, body = FeedAccount), Problems))]
#[post("/feeds/{id}/accounts")]
async fn link_feed_account(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    body: Json<NewFeedAccount>,
) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    let wish = body.into_inner();
    let (row, claimed) = link::link(&app, &scope, *id, wish.device, &wish.external_id, wish.tokens.as_ref()).await?;
    Ok(created(format!("/api/v1/feeds/{id}/accounts"), account(row, claimed)))
}

/// Part a device or account
///
/// What the vendor sends of it from now on is kept as unclaimed.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), ("device" = DeviceId, Path)), responses((status = 204), Problems))]
#[delete("/feeds/{id}/accounts/{device}")]
async fn unlink_feed_account(caller: Caller, app: AppData, path: Path<(FeedId, DeviceId)>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    let (feed, device) = path.into_inner();
    link::unlink(&app, &scope, feed, device).await?;
    Ok(HttpResponse::NoContent().finish())
}
