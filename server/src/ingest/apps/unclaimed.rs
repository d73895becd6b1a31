//! REST of what an app brought for devices that nobody has paired with it: the list, and discarding one.

use actix_web::web::{Json, Path};
use actix_web::{get, post};
use db::{AppInstallationId, HubId};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::find_app_in;
use crate::identity::Caller;
use crate::ingest::hubs::{Discard, Discarded, UnclaimedDevices, discard_kept, list_kept, view_unclaimed};

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_unclaimed_of_app).service(discard_unclaimed_of_app);
}

/// List an app's unclaimed devices
///
/// Devices that this app brings readings of and is not paired with. What they sent is kept, sealed, until the device is paired
/// (`PUT /apps/{id}/devices/{device}` with this address), which claims it; or discarded; 90 days at most.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), responses((status = 200, body = UnclaimedDevices), Problems))]
#[get("/apps/{id}/unclaimed")]
async fn list_unclaimed_of_app(
    caller: Caller,
    app: AppData,
    id: Path<AppInstallationId>,
) -> ApiResult<Json<UnclaimedDevices>> {
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("app"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = find_app_in(&mut transaction, &scope, *id).await?;
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let rows = list_kept(&mut transaction, found.tenant_id, HubId::from(*id), default_days).await?;
    transaction.commit().await?;
    Ok(Json(UnclaimedDevices { items: rows.into_iter().map(|row| view_unclaimed(&app, &found.model, row)).collect() }))
}

/// Discard an app's unclaimed device
///
/// What it sent so far is not kept any longer. When it sends again, it is listed again.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), request_body = Discard, responses((status = 200, body = Discarded), Problems))]
#[post("/apps/{id}/unclaimed/discard")]
async fn discard_unclaimed_of_app(
    caller: Caller,
    app: AppData,
    id: Path<AppInstallationId>,
    body: Json<Discard>,
) -> ApiResult<Json<Discarded>> {
    caller.require(caller.role().manages_fleet(), "discard what an app brought")?;
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("app"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = find_app_in(&mut transaction, &scope, *id).await?;
    let discarded = discard_kept(&app, &mut transaction, &caller, (found.tenant_id, HubId::from(*id)), &body).await?;
    transaction.commit().await?;
    Ok(Json(discarded))
}
