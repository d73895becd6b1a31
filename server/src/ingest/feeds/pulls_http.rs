//! REST of what a feed still has to fetch: the list, another try, and discarding.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use db::FeedId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::pull::{self, PullRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::find_feed_in;
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_feed_pulls).service(retry_feed_pull).service(discard_feed_pull);
}

/// Data that a vendor announced and that is still to be fetched.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedPull {
    /// Its id.
    pub id: Uuid,
    /// How the vendor names the account.
    pub external_id: String,
    /// `measurements`, `activity`, or `subscription`: the vendor is asked to announce what is new.
    pub kind: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when; absent: whatever was made or changed at the vendor since `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// `waiting`; `pulling`; `unauthorized`: the account's owner has to consent (again), then it is fetched; `dead`: given up
    /// after 48 tries in six days.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at: DateTime<Utc>,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was announced first.
    pub notified_at: DateTime<Utc>,
}

/// List what a feed still has to fetch
///
/// Announced by the vendor, oldest first. What was fetched and committed is gone from the list.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), PageQuery), responses((status = 200, body = Page<FeedPull>), Problems))]
#[get("/feeds/{id}/pulls")]
async fn list_feed_pulls(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<FeedPull>>> {
    let limit = page.limit()?;
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = scope.begin(&app.db).await?;
    find_feed_in(&mut transaction, &scope, *id).await?;
    let rows = pull::list(&mut transaction, &scope.tenants(), *id, page.after(), limit + 1).await?;
    transaction.commit().await?;
    let view = |row: PullRow| FeedPull {
        id: row.id,
        external_id: row.external_id,
        kind: row.kind,
        from: row.range_from,
        until: row.range_until,
        state: row.state,
        attempts: row.attempts,
        next_at: row.next_at,
        last_error: row.last_error,
        notified_at: row.notified_at,
    };
    Ok(Json(Page::from_rows(rows.into_iter().map(view).collect(), limit, |pull: &FeedPull| pull.id)))
}

/// Try a pull again
///
/// At once, with as many tries as a new one has. What waits for a consent waits again when there is none.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), ("pull" = Uuid, Path)), responses((status = 204), Problems))]
#[post("/feeds/{id}/pulls/{pull}/retry")]
async fn retry_feed_pull(caller: Caller, app: AppData, path: Path<(FeedId, Uuid)>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "have announced data fetched again")?;
    let (feed, pull) = path.into_inner();
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let changed = pull::retry(&mut transaction, &scope.tenants(), feed, pull, app.clock.now()).await?;
    transaction.commit().await?;
    if changed == 0 { Err(Error::not_found("pull").into()) } else { Ok(HttpResponse::NoContent().finish()) }
}

/// Discard a pull
///
/// What was announced is not fetched. It stays at the vendor, and comes when it is announced again.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path), ("pull" = Uuid, Path)), responses((status = 204), Problems))]
#[delete("/feeds/{id}/pulls/{pull}")]
async fn discard_feed_pull(caller: Caller, app: AppData, path: Path<(FeedId, Uuid)>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "discard what a feed announced")?;
    let (feed, pull) = path.into_inner();
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("feed"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let changed = pull::discard(&mut transaction, &scope.tenants(), feed, pull).await?;
    transaction.commit().await?;
    if changed == 0 { Err(Error::not_found("pull").into()) } else { Ok(HttpResponse::NoContent().finish()) }
}
