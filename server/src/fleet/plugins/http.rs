//! REST of the registry.
//!
//! Platform admins see all and decide what serves; a vendor sees its own and uploads; to everybody else there is nothing
//! here (`/models` and `/decoders` show what serves).

use std::sync::Arc;

use actix_web::web::{Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::{PluginEventId, PluginVersionId, VendorId};
use futures_util::StreamExt as _;
use plugin_host::Decoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::activate_version::{self, Wish, check_reason};
use super::model::State;
use super::store::{self, EventRow, PluginRow, VersionRow};
use super::{signature, upload_version};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Kind, Problems};
use crate::identity::{Caller, Role};
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(upload_plugin)
        .service(list_plugins)
        .service(find_plugin)
        .service(list_plugin_versions)
        .service(find_plugin_version)
        .service(download_plugin_version)
        .service(list_plugin_events)
        .service(activate_plugin_version)
        .service(shadow_plugin_version)
        .service(retire_plugin_version)
        .service(roll_back_plugin)
        .service(unpin_plugin);
}

/// A decoder, over all its versions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    /// Its name, as its versions declare it.
    name: String,
    /// Whose it is; absent: the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<VendorId>,
    /// That vendor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_name: Option<String>,
    /// Whether somebody chose the active version: then a newer one that comes with the server does not replace it.
    pinned: bool,
    /// The version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_version: Option<String>,
    /// When it was first seen.
    created_at: DateTime<Utc>,
}

/// A version of a decoder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PluginVersion {
    /// Its id.
    id: PluginVersionId,
    /// The decoder's name.
    plugin: String,
    /// Semantic version.
    version: String,
    /// How far it has come.
    state: State,
    /// `bundled`, `directory` or `registry`.
    origin: String,
    /// SHA-256 of the component, hexadecimal.
    content_hash: String,
    /// Bytes of the component; 0 for what came with the server.
    size: i64,
    /// Names of its models.
    models: Vec<String>,
    /// What it says of itself: vendor, license, description, models, kinds, flags, warnings.
    #[schema(value_type = Object)]
    manifest: Value,
    /// What its examination showed: examples, mostFuel, mostMemory (bytes).
    #[schema(value_type = Object)]
    examination: Value,
    /// In shadow: percent of the live uplinks that it decodes beside the active version.
    #[serde(skip_serializing_if = "is_zero")]
    shadow_share: i16,
    /// The token that uploaded it, by name.
    author: String,
    /// The Ed25519 signature that came with it, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// The key that it was checked by, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_with: Option<String>,
    /// When it was uploaded, or first came with a server.
    uploaded_at: DateTime<Utc>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(share: &i16) -> bool {
    *share == 0
}

/// All plugins, by name.
#[derive(Debug, Serialize, ToSchema)]
struct Plugins {
    /// The plugins; there are few, so that the list has no pages.
    items: Vec<Plugin>,
}

/// A plugin's versions, the last uploaded first.
#[derive(Debug, Serialize, ToSchema)]
struct PluginVersions {
    /// The versions.
    items: Vec<PluginVersion>,
}

/// Something that was done to a decoder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PluginEvent {
    /// Its id.
    id: PluginEventId,
    /// The version.
    version: String,
    /// `uploaded`, `shadowed`, `activated`, `rolled-back`, `retired` or `unpinned`.
    action: String,
    /// The version that was active until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    before_version: Option<String>,
    /// Whose token it was, by name; `server` for what a server did when it started.
    actor: String,
    /// Why.
    reason: String,
    /// When.
    at: DateTime<Utc>,
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

impl From<VersionRow> for PluginVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            id: row.id,
            plugin: row.plugin,
            version: row.version,
            state: State::of(&row.state),
            origin: row.origin,
            content_hash: row.content_hash,
            size: row.size,
            models: row.models,
            manifest: row.manifest,
            examination: row.examination,
            shadow_share: row.shadow_share,
            author: row.author,
            signature: row.signature.map(|bytes| STANDARD.encode(bytes)),
            signed_with: row.signed_with.map(|bytes| STANDARD.encode(bytes)),
            uploaded_at: row.uploaded_at,
        }
    }
}

impl From<EventRow> for PluginEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            version: row.version,
            action: row.action,
            before_version: row.before_version,
            actor: row.actor,
            reason: row.reason,
            at: row.at,
        }
    }
}

fn view(row: PluginRow, active: &[VersionRow]) -> Plugin {
    let active = active.iter().find(|version| version.plugin == row.name);
    Plugin {
        active_version: active.map(|version| version.version.clone()),
        name: row.name,
        vendor: row.vendor_id,
        vendor_name: row.vendor,
        pinned: row.pinned,
        created_at: row.created_at,
    }
}

/// Whether somebody may see a plugin: a platform admin any, a vendor its own. To others it does not exist.
async fn seen(caller: &Caller, app: &AppData, name: &str) -> Result<PluginRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let found = store::find_plugin(&mut transaction, name).await?;
    transaction.commit().await?;
    let own = |row: &PluginRow| row.vendor_id.is_some() && row.vendor_id == caller.principal.vendor;
    found
        .filter(|row| caller.role() == Role::PlatformAdmin || (caller.role() == Role::Vendor && own(row)))
        .ok_or_else(|| Error::not_found("plugin"))
}

/// The plugins that the caller may see: all (none told) for a platform admin, a vendor's own.
///
/// # Errors
/// The database's error.
pub async fn visible_plugins(caller: &Caller, app: &AppData) -> Result<Option<Vec<String>>, Error> {
    let vendor = match (caller.role(), caller.principal.vendor) {
        (Role::PlatformAdmin, _) => return Ok(None),
        (Role::Vendor, Some(vendor)) => vendor,
        _ => return Ok(Some(Vec::new())),
    };
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_plugins(&mut transaction, Some(vendor)).await?;
    transaction.commit().await?;
    Ok(Some(rows.into_iter().map(|row| row.name).collect()))
}

/// A version that the caller may try, whatever its state.
///
/// # Errors
/// 404 when there is none that the caller sees.
pub async fn for_trial(caller: &Caller, app: &AppData, name: &str, version: &str) -> Result<Arc<Decoder>, Error> {
    seen(caller, app, name).await?;
    app.decoders.version(&app.db, name, version).await
}

/// Whoever sees it and may decide what serves.
async fn decided(caller: &Caller, app: &AppData, name: &str, reason: &str) -> Result<(), Error> {
    seen(caller, app, name).await?;
    caller.require(caller.role() == Role::PlatformAdmin, "decide which decoder serves")?;
    check_reason(reason)
}

/// Upload a decoder
///
/// The body is the component itself (`application/wasm`); name, version and models are what it declares. It is examined
/// before it is stored: imports nothing, declares registered words only, passes its own examples within the limits, twice
/// alike. It becomes a draft and decodes nothing. For platform admins, and for vendors, who own what they upload; a vendor
/// with a key sends an Ed25519 signature of the bytes. The same bytes again answer 200.
#[utoipa::path(
    tag = "plugins",
    params(("Afferent-Signature" = Option<String>, Header, description = "Ed25519 over the component's bytes, base64")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = PluginVersion), (status = 200, body = PluginVersion), Problems)
)]
#[post("/plugins")]
async fn upload_plugin(
    caller: Caller,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    caller.require(matches!(caller.role(), Role::PlatformAdmin | Role::Vendor), "upload decoders")?;
    let limit = app.decoders.now().host().limits().component_bytes;
    let component = read(payload, limit).await?;
    let signed = request.headers().get(signature::HEADER).map(|value| value.to_str().unwrap_or_default().to_owned());
    let uploaded = upload_version::upload(&app, &caller.principal, component, signed.as_deref()).await?;
    let place = format!("/api/v1/plugins/{}/versions/{}", uploaded.row.plugin, uploaded.row.version);
    let mut answer = if uploaded.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.insert_header(("Location", place)).json(PluginVersion::from(uploaded.row)))
}

async fn read(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(part) = payload.next().await {
        let part =
            part.map_err(|error| Error::invalid("body.unreadable", "The body could not be read.").because(error))?;
        if bytes.len() + part.len() > limit {
            let text = format!("A component has {limit} bytes at most.");
            return Err(Error::new(Kind::TooLarge, "plugin.too-large", text));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// List plugins
///
/// All for a platform admin, a vendor's own for it, none for others.
#[utoipa::path(tag = "plugins", responses((status = 200, body = Plugins), Problems))]
#[get("/plugins")]
async fn list_plugins(caller: Caller, app: AppData) -> ApiResult<Json<Plugins>> {
    let of = match (caller.role(), caller.principal.vendor) {
        (Role::PlatformAdmin, _) => None,
        (Role::Vendor, Some(vendor)) => Some(vendor),
        _ => return Ok(Json(Plugins { items: Vec::new() })),
    };
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_plugins(&mut transaction, of).await?;
    let active = store::active_versions(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Json(Plugins { items: rows.into_iter().map(|row| view(row, &active)).collect() }))
}

/// Find a plugin
#[utoipa::path(tag = "plugins", params(("name" = String, Path)), responses((status = 200, body = Plugin), Problems))]
#[get("/plugins/{name}")]
async fn find_plugin(caller: Caller, app: AppData, name: Path<String>) -> ApiResult<Json<Plugin>> {
    let row = seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let active = store::active_versions(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Json(view(row, &active)))
}

/// List a plugin's versions
///
/// The last uploaded first.
#[utoipa::path(tag = "plugins", params(("name" = String, Path)), responses((status = 200, body = PluginVersions), Problems))]
#[get("/plugins/{name}/versions")]
async fn list_plugin_versions(caller: Caller, app: AppData, name: Path<String>) -> ApiResult<Json<PluginVersions>> {
    seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_versions(&mut transaction, &name).await?;
    transaction.commit().await?;
    Ok(Json(PluginVersions { items: rows.into_iter().map(PluginVersion::from).collect() }))
}

/// Find a version
#[utoipa::path(tag = "plugins", params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = PluginVersion), Problems))]
#[get("/plugins/{name}/versions/{version}")]
async fn find_plugin_version(
    caller: Caller,
    app: AppData,
    path: Path<(String, String)>,
) -> ApiResult<Json<PluginVersion>> {
    let (name, version) = path.into_inner();
    seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let row = store::find_version(&mut transaction, &name, &version).await?;
    transaction.commit().await?;
    Ok(Json(row.ok_or_else(|| Error::not_found("version of this plugin"))?.into()))
}

/// Download a version
///
/// The component's bytes, as they were uploaded. What came with the server is not kept here: 404.
#[utoipa::path(tag = "plugins", params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = Vec<u8>, content_type = "application/wasm"), Problems))]
#[get("/plugins/{name}/versions/{version}/component")]
async fn download_plugin_version(
    caller: Caller,
    app: AppData,
    path: Path<(String, String)>,
) -> ApiResult<HttpResponse> {
    let (name, version) = path.into_inner();
    seen(&caller, &app, &name).await?;
    let bytes = super::find_component(&app.db, &name, &version).await?;
    let bytes = bytes.ok_or_else(|| Error::not_found("component of this version"))?;
    Ok(HttpResponse::Ok().content_type("application/wasm").body(bytes))
}

/// List what was done to a plugin
///
/// Uploads, activations and the rest, oldest first, with who and why.
#[utoipa::path(tag = "plugins", params(("name" = String, Path), PageQuery), responses((status = 200, body = Page<PluginEvent>), Problems))]
#[get("/plugins/{name}/events")]
async fn list_plugin_events(
    caller: Caller,
    app: AppData,
    name: Path<String>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<PluginEvent>>> {
    let limit = page.limit()?;
    seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_events(&mut transaction, &name, page.after(), limit).await?;
    transaction.commit().await?;
    Ok(Json(Page::from_rows(rows.into_iter().map(PluginEvent::from).collect(), limit, |event| event.id.0)))
}

/// Activate a version
///
/// It serves its models from now on: in this process at once, in others within a second or two, and no uplink is held up.
/// The version that served is retired and comes back with one call (`/plugins/{name}/rollback`). Where devices use what
/// served, a shadow replay (`/shadow-replays`) has to have compared both first. For platform admins.
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
    if caller.role() == Role::Vendor {
        let row = find_plugin_version_row(&app, &name, &version).await?;
        caller.require(State::of(&row.state) == State::Draft, "retire a version that is more than a draft")?;
    }
    let Retirement { reason, without_replacement } = body.into_inner();
    let done = activate_version::retire(&app, &caller.principal, &name, &version, &reason, without_replacement).await?;
    Ok(Json(done.into()))
}

async fn find_plugin_version_row(app: &AppData, name: &str, version: &str) -> Result<VersionRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let row = store::find_version(&mut transaction, name, version).await?;
    transaction.commit().await?;
    row.ok_or_else(|| Error::not_found("version of this plugin"))
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
    let active = store::active_versions(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Json(view(row, &active)))
}
