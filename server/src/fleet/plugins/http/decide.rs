//! Deciding what serves: activate, try in the shadow, retire, roll back, unpin.

use actix_web::post;
use actix_web::web::{Json, Path};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::views::{Plugin, PluginVersion, view};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::plugins::activate_version::{self, Wish, check_reason};
use crate::fleet::plugins::store;
use crate::fleet::plugins::visibility::seen;
use crate::identity::{Caller, Role};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(activate_plugin_version)
        .service(shadow_plugin_version)
        .service(retire_plugin_version)
        .service(roll_back_plugin)
        .service(unpin_plugin);
}

/// Why a version is to serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Activation {
    /// Why; kept for good.
    reason: String,
    /// Models that the active version knows and this one does not may go unserved.
    #[serde(default)]
    allow_missing_models: bool,
    /// It may serve although no shadow replay has compared it with the active version.
    #[serde(default)]
    without_comparison: bool,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reason {
    /// Why; kept for good.
    reason: String,
}

/// How much a version decodes in the shadow, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shadowing {
    /// Percent of the live uplinks of its models, 0 to 100.
    share: i16,
    /// Why; kept for good.
    reason: String,
}

/// Why a version is put aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Retirement {
    /// Why; kept for good.
    reason: String,
    /// The active version: nothing decodes its models any more, and their uplinks go to quarantine.
    #[serde(default)]
    without_replacement: bool,
}

/// Whoever sees it and may decide what serves.
async fn decided(caller: &Caller, app: &AppData, name: &str, reason: &str) -> Result<(), Error> {
    seen(caller, app, name).await?;
    caller.require(caller.role() == Role::PlatformAdmin, "decide which decoder serves")?;
    check_reason(reason)
}

/// Activate a version
///
/// It serves its models from now on: in this process at once, in others within a second or two, and no uplink is held up.
/// The version that served is retired and comes back with one call (`/plugins/{name}/rollback`). Where devices or hubs use
/// what served, a shadow replay (`/shadow-replays`) has to have compared both first. For platform admins.
#[utoipa::path(tag = "plugins", params(("name" = String, Path), ("version" = String, Path)), request_body = Activation, responses((status = 200, body = PluginVersion), Problems))]
#[post("/plugins/{name}/versions/{version}/activate")]
async fn activate_plugin_version(
    caller: Caller,
    app: AppData,
    path: Path<(String, String)>,
    body: Json<Activation>,
) -> ApiResult<Json<PluginVersion>> {
    let (name, version) = path.into_inner();
    decided(&caller, &app, &name, &body.reason).await?;
    let Activation { reason, allow_missing_models, without_comparison } = body.into_inner();
    let wish = Wish { reason, allow_missing_models, without_comparison };
    Ok(Json(activate_version::activate(&app, &caller.principal, &name, &version, &wish).await?.into()))
}

/// Try a version in the shadow
///
/// It decodes a share of the live uplinks of its models after they were committed, and what it says is compared with what
/// the active version said. Nothing of it is stored as a result. A plugin has one version in the shadow; another that was
/// becomes a draft again. For platform admins.
#[utoipa::path(tag = "plugins", params(("name" = String, Path), ("version" = String, Path)), request_body = Shadowing, responses((status = 200, body = PluginVersion), Problems))]
#[post("/plugins/{name}/versions/{version}/shadow")]
async fn shadow_plugin_version(
    caller: Caller,
    app: AppData,
    path: Path<(String, String)>,
    body: Json<Shadowing>,
) -> ApiResult<Json<PluginVersion>> {
    let (name, version) = path.into_inner();
    decided(&caller, &app, &name, &body.reason).await?;
    let row = activate_version::shadow(&app, &caller.principal, &name, &version, body.share, &body.reason).await?;
    Ok(Json(row.into()))
}

/// Retire a version
///
/// A draft or a version in the shadow is put aside; it can be activated later. A vendor may put its own drafts aside.
#[utoipa::path(tag = "plugins", params(("name" = String, Path), ("version" = String, Path)), request_body = Retirement, responses((status = 200, body = PluginVersion), Problems))]
#[post("/plugins/{name}/versions/{version}/retire")]
async fn retire_plugin_version(
    caller: Caller,
    app: AppData,
    path: Path<(String, String)>,
    body: Json<Retirement>,
) -> ApiResult<Json<PluginVersion>> {
    let (name, version) = path.into_inner();
    seen(&caller, &app, &name).await?;
    check_reason(&body.reason)?;
    let Retirement { reason, without_replacement } = body.into_inner();
    let done = activate_version::retire(&app, &caller.principal, &name, &version, &reason, without_replacement).await?;
    Ok(Json(done.into()))
}

/// Go back to the version before
///
/// The version that was active before this one serves again. For platform admins.
#[utoipa::path(tag = "plugins", params(("name" = String, Path)), request_body = Reason, responses((status = 200, body = PluginVersion), Problems))]
#[post("/plugins/{name}/rollback")]
async fn roll_back_plugin(
    caller: Caller,
    app: AppData,
    name: Path<String>,
    body: Json<Reason>,
) -> ApiResult<Json<PluginVersion>> {
    decided(&caller, &app, &name, &body.reason).await?;
    let row = activate_version::roll_back(&app, &caller.principal, &name, body.into_inner().reason).await?;
    Ok(Json(row.into()))
}

/// Follow the server again
///
/// What comes with the server serves, now and after every upgrade. For platform admins.
#[utoipa::path(tag = "plugins", params(("name" = String, Path)), request_body = Reason, responses((status = 200, body = Plugin), Problems))]
#[post("/plugins/{name}/unpin")]
async fn unpin_plugin(caller: Caller, app: AppData, name: Path<String>, body: Json<Reason>) -> ApiResult<Json<Plugin>> {
    decided(&caller, &app, &name, &body.reason).await?;
    activate_version::unpin(&app, &caller.principal, &name, &body.reason).await?;
    let row = seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let versions = store::version_states(&mut transaction, std::slice::from_ref(&row.name)).await?;
    transaction.commit().await?;
    Ok(Json(view(row, &versions)))
}
