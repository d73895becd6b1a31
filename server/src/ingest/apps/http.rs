//! `POST /ingest/v1/apps/pair` and `GET /ingest/v1/apps/me`.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Json;
use actix_web::{HttpRequest, HttpResponse, get, post};
use db::{AppInstallationId, DeviceId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::saw;
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::{self, Described};
use crate::identity::{Bearer, SourceKind};
use crate::ingest::receive_uplink::refuse_draining;
use crate::ingest::sources::unknown;
use crate::tenancy;

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(pair_app).service(read_own_app);
}

/// What an app says of itself.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppDescription {
    /// The app's name: 1 to 128 characters.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it runs on, such as `Android 15`.
    pub platform: Option<String>,
}

/// A code that somebody typed or scanned.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PairApp {
    /// The code, in small or capital letters, with or without its hyphen.
    pub code: String,
    /// What the app says of itself.
    #[serde(default)]
    pub installation: AppDescription,
}

/// An installation that has just come to be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PairedApp {
    /// The installation.
    pub id: AppInstallationId,
    /// What it shows from now on as `Authorization: Bearer …`. Shown this once; only its hash is kept.
    pub token: String,
    /// Whose installation it is.
    pub tenant: AppTenant,
    /// What people call it.
    pub name: String,
}

/// The clinic that an app belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppTenant {
    /// Its id: what an app captured for one clinic it does not send to another.
    pub id: TenantId,
    /// Its name, to be shown.
    pub name: String,
}

/// A device that an app may speak for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelayedDevice {
    /// The device.
    pub id: DeviceId,
    /// How a frame names it in `device`: the address that staff paired it under, else its id.
    pub named: String,
    /// Its model.
    pub model: String,
    /// The model's name for people.
    pub title: String,
    /// The maker's serial, as it stands on the device: by it a person tells two devices apart.
    pub serial: String,
    /// Channels that the model speaks on: for Bluetooth the characteristics to subscribe to. Empty for any.
    pub channels: Vec<String>,
    /// Whether its readings are taken.
    pub active: bool,
}

/// What an app may know of itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnApp {
    /// The installation.
    pub id: AppInstallationId,
    /// What people call it.
    pub name: String,
    /// Whose installation it is.
    pub tenant: AppTenant,
    /// IANA zone in which local times of its devices are read, where they have none of their own.
    pub time_zone: String,
    /// The devices that it may speak for. What it sends of others is kept until staff pair them.
    pub devices: Vec<RelayedDevice>,
}

/// Pair a phone
///
/// Makes an installation of a code that staff made (`POST /api/v1/app-pairings`). The code can be used once. A code that is
/// wrong, used, withdrawn or too old is answered alike, with 404; 429 when codes are tried too often from one address, or by
/// all together.
#[utoipa::path(
    tag = "ingest",
    security(()),
    request_body = PairApp,
    responses((status = 201, body = PairedApp, description = "Paired; the token is shown this once"), Problems)
)]
#[post("/apps/pair")]
async fn pair_app(request: HttpRequest, app: AppData, body: Json<PairApp>) -> ApiResult<HttpResponse> {
    refuse_draining(&app)?;
    let body = body.into_inner();
    let described = Described {
        name: body.installation.name,
        version: body.installation.version,
        platform: body.installation.platform,
    };
    let peer = request.peer_addr().map(|peer| peer.ip());
    let paired = fleet::redeem_pairing(&app, peer, &body.code, described).await?;
    let tenant = tenant(&app, paired.installation.tenant_id).await?;
    Ok(HttpResponse::build(StatusCode::CREATED).insert_header((CACHE_CONTROL, "no-store")).json(PairedApp {
        id: paired.installation.id,
        token: paired.token,
        tenant,
        name: paired.hub.name,
    }))
}

/// Read one's own app
///
/// For the app itself, with its token: what it is called, its time zone, and the devices that it may speak for. Nothing about
/// patients. 401 when it was revoked, 403 while it is deactivated.
#[utoipa::path(tag = "ingest", responses((status = 200, body = OwnApp), Problems))]
#[get("/apps/me")]
async fn read_own_app(app: AppData, bearer: Bearer) -> ApiResult<HttpResponse> {
    // As things are now, not as they were some minutes ago.
    app.sources.forget(&bearer.0).await;
    let own = app.sources.hub(&app, &bearer.0).await?;
    app.ingest_limits.check(&own.identity.credential.0)?;
    if own.identity.kind != SourceKind::App {
        return Err(Error::forbidden("source.hub", "This token belongs to a hub; only apps may ask this.").into());
    }
    saw(&app, &own.identity).await;
    let id = AppInstallationId(own.identity.source);
    let (named, rows) = fleet::read_own_app(&app, own.hub.tenant, id).await?;
    let decoders = app.decoders.now();
    let devices = rows.into_iter().map(|row| {
        let model = decoders.model(&row.model).map(|served| &served.model);
        RelayedDevice {
            id: row.id,
            named: row.address.unwrap_or_else(|| row.id.to_string()),
            title: model.map_or_else(|| row.model.clone(), |model| model.title.clone()),
            channels: model.map(|model| model.channels.clone()).unwrap_or_default(),
            model: row.model,
            serial: row.serial,
            active: row.active,
        }
    });
    let tenant = tenant(&app, own.hub.tenant).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(OwnApp {
        id,
        name: named.name,
        tenant,
        time_zone: own.hub.time_zone.name().to_owned(),
        devices: devices.collect(),
    }))
}

async fn tenant(app: &App, id: TenantId) -> Result<AppTenant, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let found = tenancy::find_tenant(&mut transaction, id).await?;
    transaction.commit().await?;
    let found = found.ok_or_else(unknown)?;
    Ok(AppTenant { id, name: found.name })
}
