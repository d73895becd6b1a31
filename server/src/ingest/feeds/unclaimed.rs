//! REST of what a feed brought for accounts and devices that nobody is linked with: the list, and discarding one.

use actix_web::web::{Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use db::{FeedId, HubId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::find_feed_in;
use crate::identity::Caller;
use crate::ingest::hubs::{Discard, Discarded, UnclaimedRow, discard_kept, list_kept};
use crate::ingest::retention;

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_unclaimed_accounts).service(discard_unclaimed_account);
}

/// A device or account that a vendor sends for and nobody is linked with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedAccount {
    /// How the vendor names it.
    pub external_id: String,
    /// When the first item came that is still kept.
    pub first_seen: DateTime<Utc>,
    /// When the last one came.
    pub last_seen: DateTime<Utc>,
    /// How many items are kept.
    pub items: i64,
    /// Models that it may have.
    pub models: Vec<String>,
    /// When the first item is closed as `expired`, unless it is linked or discarded.
    pub expires_at: DateTime<Utc>,
}

/// Devices and accounts that nobody has claimed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnclaimedAccounts {
    /// By the vendor's id; all of them, for their number is bounded.
    pub items: Vec<UnclaimedAccount>,
}

/// List unclaimed accounts
///
/// Devices and accounts that this feed brings data of and that are linked with no device. What came is kept, sealed, until
/// one is linked (`POST /feeds/{id}/accounts`), which claims it; or discarded; 90 days at most.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), responses((status = 200, body = UnclaimedAccounts), Problems))]
#[get("/feeds/{id}/unclaimed")]
async fn list_unclaimed_accounts(caller: Caller, app: AppData, id: Path<FeedId>) -> ApiResult<Json<UnclaimedAccounts>> {
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let feed = find_feed_in(&mut transaction, &scope, *id).await?;
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let rows = list_kept(&mut transaction, feed.tenant_id, HubId::from(*id), default_days).await?;
    transaction.commit().await?;
    let models = app.feed_formats.find(&feed.model).map(|format| format.models.clone()).unwrap_or_default();
    let view = |row: UnclaimedRow| UnclaimedAccount {
        external_id: row.address,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        items: row.items,
        models: models.clone(),
        expires_at: retention::expires_at(row.first_seen, row.retention_days),
    };
    Ok(Json(UnclaimedAccounts { items: rows.into_iter().map(view).collect() }))
}

/// Discard an unclaimed account
///
/// What came of it so far is not kept any longer. `address` is the vendor's id. When more comes, it is listed again.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), request_body = Discard, responses((status = 200, body = Discarded), Problems))]
#[post("/feeds/{id}/unclaimed/discard")]
async fn discard_unclaimed_account(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    body: Json<Discard>,
) -> ApiResult<Json<Discarded>> {
    caller.require(caller.role().manages_fleet(), "discard what a feed brought")?;
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let feed = find_feed_in(&mut transaction, &scope, *id).await?;
    let discarded = discard_kept(&app, &mut transaction, &caller, (feed.tenant_id, HubId::from(*id)), &body).await?;
    transaction.commit().await?;
    Ok(Json(discarded))
}
