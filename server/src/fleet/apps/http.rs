//! REST of installations, as staff manage them.

use actix_web::web::{Bytes, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, patch, post, put};
use chrono::{DateTime, Utc};
use db::{ActivationId, AppInstallationId, DeviceId, HubId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::change::{self, AppChange as Change};
use super::find_app_in;
use super::store::{self, InstallationRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::http::{Activation, HubDevice, Pairing, present, reach, reach_to_change};
use crate::fleet::register_hub::{self, Carrier};
use crate::fleet::store::activation::list_activations;
use crate::fleet::store::hub::{HubRow, list_pairings};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_apps)
        .service(find_app)
        .service(update_app)
        .service(activate_app)
        .service(deactivate_app)
        .service(revoke_app)
        .service(list_app_activations)
        .service(list_app_devices)
        .service(pair_app_device)
        .service(part_app_device);
}

/// An app on one phone, which relays devices.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppInstallation {
    /// Its id.
    pub id: AppInstallationId,
    /// The tenant that has it.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// What the app says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// Its version, as it was when it was paired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// What it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Whose phone it is: the Patient's FHIR id, as staff noted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// IANA zone, when it differs from the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken.
    pub active: bool,
    /// When it last showed its token, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it was cut off for good; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was paired.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What may change. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppInstallationChange {
    /// What people call it: 1 to 128 characters. The app shows it.
    pub name: Option<String>,
    /// Another IANA zone; null for the tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    /// Whose phone it is; null for nobody's. Moves no reading.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub patient: Option<Option<String>>,
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppQuery {
    /// One tenant's installations.
    pub tenant: Option<TenantId>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

impl From<(InstallationRow, HubRow)> for AppInstallation {
    fn from((installation, hub): (InstallationRow, HubRow)) -> Self {
        Self {
            id: installation.id,
            tenant: installation.tenant_id,
            name: hub.name,
            app_name: installation.app_name,
            app_version: installation.app_version,
            platform: installation.platform,
            patient: installation.patient_id,
            time_zone: hub.time_zone,
            active: hub.active,
            last_seen_at: installation.last_seen_at,
            revoked_at: installation.revoked_at,
            created_at: hub.created_at,
            updated_at: hub.updated_at,
        }
    }
}

/// List apps
///
/// Installations that the caller may see, oldest first, with those that were revoked.
#[utoipa::path(tag = "apps", params(AppQuery), responses((status = 200, body = Page<AppInstallation>), Problems))]
#[get("/apps")]
async fn list_apps(caller: Caller, app: AppData, query: Query<AppQuery>) -> ApiResult<Json<Page<AppInstallation>>> {
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let after = AppInstallationId(page.after());
    let rows = store::list_installations(&mut transaction, &scope.tenants(), after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(AppInstallation::from).collect();
    Ok(Json(Page::from_rows(items, limit, |app: &AppInstallation| app.id.0)))
}

/// Read an app
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), responses((status = 200, body = AppInstallation), Problems))]
#[get("/apps/{id}")]
async fn find_app(caller: Caller, app: AppData, id: Path<AppInstallationId>) -> ApiResult<Json<AppInstallation>> {
    let scope = reach(&caller, &app, "app").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::find_installation(&mut transaction, &scope.tenants(), *id).await?;
    transaction.commit().await?;
    Ok(Json(found.ok_or_else(|| Error::not_found("app"))?.into()))
}

/// Change an app
///
/// Its name, its zone, and whose phone it is. What was stored already stays as it is.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), request_body = AppInstallationChange, responses((status = 200, body = AppInstallation), Problems))]
#[patch("/apps/{id}")]
async fn update_app(
    caller: Caller,
    app: AppData,
    id: Path<AppInstallationId>,
    body: Json<AppInstallationChange>,
) -> ApiResult<Json<AppInstallation>> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    let wish = body.into_inner();
    let wish = Change { name: wish.name, time_zone: wish.time_zone, patient: wish.patient };
    Ok(Json(change::change(&app, &scope, *id, wish).await?.into()))
}

/// Activate an app
///
/// Its uplinks are taken from now on, and a period of activity begins. Nothing changes for one that is active; 409 for one
/// that was revoked.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), responses((status = 200, body = AppInstallation), Problems))]
#[post("/apps/{id}/activate")]
async fn activate_app(caller: Caller, app: AppData, id: Path<AppInstallationId>) -> ApiResult<Json<AppInstallation>> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    Ok(Json(change::set_active(&app, &scope, *id, true).await?.into()))
}

/// Deactivate an app
///
/// Its uplinks are turned away with 403 and not kept; it keeps them itself and sends them when it is activated again.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), responses((status = 200, body = AppInstallation), Problems))]
#[post("/apps/{id}/deactivate")]
async fn deactivate_app(caller: Caller, app: AppData, id: Path<AppInstallationId>) -> ApiResult<Json<AppInstallation>> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    Ok(Json(change::set_active(&app, &scope, *id, false).await?.into()))
}

/// Revoke an app
///
/// For a phone that is lost or handed on: its token stops working within a second in every process, for good, and its period
/// of activity ends. What it brought stays. The phone can be paired anew, as another installation.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path)), responses((status = 200, body = AppInstallation), Problems))]
#[post("/apps/{id}/revoke")]
async fn revoke_app(caller: Caller, app: AppData, id: Path<AppInstallationId>) -> ApiResult<Json<AppInstallation>> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    Ok(Json(change::revoke(&app, &scope, *id).await?.into()))
}

/// List an app's periods of activity
///
/// Oldest first, from the first day.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path), PageQuery), responses((status = 200, body = Page<Activation>), Problems))]
#[get("/apps/{id}/activations")]
async fn list_app_activations(
    caller: Caller,
    app: AppData,
    id: Path<AppInstallationId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Activation>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "app").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = find_app_in(&mut transaction, &scope, *id).await?;
    let after = ActivationId(page.after());
    let rows = list_activations(&mut transaction, found.tenant_id, id.0, after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Activation::from).collect();
    Ok(Json(Page::from_rows(items, limit, |activation: &Activation| activation.id.0)))
}

/// List an app's devices
///
/// The devices that it may speak for, in the order of their ids.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path), PageQuery), responses((status = 200, body = Page<HubDevice>), Problems))]
#[get("/apps/{id}/devices")]
async fn list_app_devices(
    caller: Caller,
    app: AppData,
    id: Path<AppInstallationId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<HubDevice>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "app").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = find_app_in(&mut transaction, &scope, *id).await?;
    let after = DeviceId(page.after());
    let rows = list_pairings(&mut transaction, found.tenant_id, HubId::from(*id), after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(HubDevice::from).collect();
    Ok(Json(Page::from_rows(items, limit, |paired: &HubDevice| paired.device.0)))
}

/// Pair a device with an app
///
/// From now on the app may speak for it, and is told of it (`GET /ingest/v1/apps/me`). Repeating it is safe, and is how the
/// address is changed. The body may be empty: then the app names the device by its id, which is what to do with a device that
/// is handed out together with the app. With an `address` of `GET /apps/{id}/unclaimed`, what the app has sent under it while
/// it was nobody's is claimed: decoded in the background, in its order, under whoever wore the device when it was measured.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path), ("device" = DeviceId, Path)), request_body(content = Pairing, content_type = "application/json"), responses((status = 200, body = HubDevice), Problems))]
#[put("/apps/{id}/devices/{device}")]
async fn pair_app_device(
    caller: Caller,
    app: AppData,
    path: Path<(AppInstallationId, DeviceId)>,
    body: Bytes,
) -> ApiResult<Json<HubDevice>> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    let pairing = Pairing::read(&body)?;
    let (installation, device) = path.into_inner();
    let hub = HubId::from(installation);
    let (row, claimed) =
        register_hub::pair(&app, &scope, Carrier::App, hub, device, pairing.address.as_deref()).await?;
    Ok(Json(HubDevice { claimed: (claimed > 0).then_some(claimed), ..row.into() }))
}

/// Part a device from an app
///
/// What the app sends of it from now on is kept as unclaimed.
#[utoipa::path(tag = "apps", params(("id" = AppInstallationId, Path), ("device" = DeviceId, Path)), responses((status = 204), Problems))]
#[delete("/apps/{id}/devices/{device}")]
async fn part_app_device(
    caller: Caller,
    app: AppData,
    path: Path<(AppInstallationId, DeviceId)>,
) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "app").await?;
    let (installation, device) = path.into_inner();
    register_hub::part(&app, &scope, Carrier::App, HubId::from(installation), device).await?;
    Ok(HttpResponse::NoContent().finish())
}
