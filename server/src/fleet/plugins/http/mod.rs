//! REST of the registry.
//!
//! Platform admins see all and decide what serves; a vendor sees its own and uploads; to everybody else there is nothing
//! here (`/models` and `/decoders` show what serves).

mod decide;
mod views;

use actix_web::web::{Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use futures_util::StreamExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

use self::views::{Plugin, PluginEvent, PluginVersion, PluginVersions, Plugins, view};
use super::visibility::{Sight, seen};
use super::{signature, store, upload_version};
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
        .configure(decide::routes);
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
    let of = match Sight::of(&caller) {
        Sight::All => None,
        Sight::Of(vendor) => Some(vendor),
        Sight::Nothing => return Ok(Json(Plugins { items: Vec::new() })),
    };
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_plugins(&mut transaction, of).await?;
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let versions = store::version_states(&mut transaction, &names).await?;
    transaction.commit().await?;
    Ok(Json(Plugins { items: rows.into_iter().map(|row| view(row, &versions)).collect() }))
}

/// Find a plugin
#[utoipa::path(tag = "plugins", params(("name" = String, Path)), responses((status = 200, body = Plugin), Problems))]
#[get("/plugins/{name}")]
async fn find_plugin(caller: Caller, app: AppData, name: Path<String>) -> ApiResult<Json<Plugin>> {
    let row = seen(&caller, &app, &name).await?;
    let mut transaction = app.db.begin_platform().await?;
    let versions = store::version_states(&mut transaction, std::slice::from_ref(&row.name)).await?;
    transaction.commit().await?;
    Ok(Json(view(row, &versions)))
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
    let bytes = crate::fleet::plugins::find_component(&app.db, &name, &version).await?;
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
