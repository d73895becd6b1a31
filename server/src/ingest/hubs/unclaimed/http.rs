//! REST of what nobody has claimed: the list of addresses behind a hub, and discarding one.

use actix_web::web::{Json, Path};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use db::{HubId, TenantId};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::{find_hub_in, normal_address};
use crate::identity::Caller;
use crate::ingest::hubs::store::{self, UnclaimedRow};
use crate::ingest::retention;

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_unclaimed).service(discard_unclaimed);
}

/// A device that a hub carries and is not paired with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedDevice {
    /// How the hub names it.
    pub address: String,
    /// When the first item came that is still kept.
    pub first_seen: DateTime<Utc>,
    /// When the last one came.
    pub last_seen: DateTime<Utc>,
    /// How many items are kept.
    pub items: i64,
    /// What the hub calls the kind of device, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// The channels that it spoke on.
    pub channels: Vec<String>,
    /// Models that speak on these channels, or that this hub decodes itself: a guess for whoever enrols the device.
    pub models: Vec<String>,
    /// When the first item is closed as `expired`, unless the device is paired or discarded.
    pub expires_at: DateTime<Utc>,
}

/// Devices behind a hub that nobody has claimed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnclaimedDevices {
    /// By address; all of them, for their number is bounded.
    pub items: Vec<UnclaimedDevice>,
}

/// Why what was kept is not wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discard {
    /// How the hub names the device.
    pub address: String,
    /// Why: 1 to 500 characters, kept with the items.
    pub reason: String,
}

/// What was discarded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discarded {
    /// How many items.
    pub discarded: usize,
}

/// List unclaimed devices
///
/// Devices that this hub carries and is not paired with. What they sent is kept, sealed, until the device is paired
/// (`PUT /hubs/{id}/devices/{device}` with this address), which claims it; or discarded; 90 days at most.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 200, body = UnclaimedDevices), Problems))]
#[get("/hubs/{id}/unclaimed")]
async fn list_unclaimed(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<Json<UnclaimedDevices>> {
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("hub"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub = find_hub_in(&mut transaction, &scope, *id).await?;
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let rows = store::list_unclaimed(&mut transaction, hub.tenant_id, *id, default_days).await?;
    transaction.commit().await?;
    Ok(Json(UnclaimedDevices { items: rows.into_iter().map(|row| view(&app, &hub.model, row)).collect() }))
}

/// Discard an unclaimed device
///
/// What it sent so far is not kept any longer. When it sends again, it is listed again.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), request_body = Discard, responses((status = 200, body = Discarded), Problems))]
#[post("/hubs/{id}/unclaimed/discard")]
async fn discard_unclaimed(
    caller: Caller,
    app: AppData,
    id: Path<HubId>,
    body: Json<Discard>,
) -> ApiResult<Json<Discarded>> {
    caller.require(caller.role().manages_fleet(), "discard what devices sent")?;
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("hub"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub = find_hub_in(&mut transaction, &scope, *id).await?;
    let discarded = discard_kept(&app, &mut transaction, &caller, (hub.tenant_id, *id), &body).await?;
    transaction.commit().await?;
    Ok(Json(discarded))
}

/// Discards what is kept under an address, within a transaction that sees the tenant.
///
/// # Errors
/// 404 when nothing is; 422 for a reason that is none.
pub async fn discard_kept(
    app: &App,
    conn: &mut AsyncPgConnection,
    caller: &Caller,
    (tenant, hub): (TenantId, HubId),
    body: &Discard,
) -> Result<Discarded, Error> {
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || reason.contains('\0') {
        return Err(Error::field("/reason", "say why, in 1 to 500 characters"));
    }
    let address = normal_address(&body.address);
    let why = (caller.principal.token, reason);
    let discarded = store::discard(conn, tenant, hub, &address, why, app.clock.now()).await?;
    if discarded == 0 {
        return Err(Error::not_found("unclaimed device"));
    }
    Ok(Discarded { discarded })
}

/// An address behind a hub or app, as operators see it.
pub fn view(app: &App, hub_model: &str, row: UnclaimedRow) -> UnclaimedDevice {
    let mut models = app.decoders.now().models_on(&row.channels);
    if row.channels.iter().any(String::is_empty) && app.decoders.now().model(hub_model).is_some() {
        models.push(hub_model.to_owned());
    }
    UnclaimedDevice {
        address: row.address,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        items: row.items,
        device_type: row.device_type,
        channels: row.channels.into_iter().filter(|channel| !channel.is_empty()).collect(),
        models,
        expires_at: retention::expires_at(row.first_seen, row.retention_days),
    }
}
