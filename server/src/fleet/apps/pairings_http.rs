//! REST of pairing codes, as staff make them.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use db::{AppInstallationId, AppPairingId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::code;
use super::create_pairing::{self, NewPairing};
use super::store::{self, PairingRow};
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::http::{created, reach, reach_to_change};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

/// Mounts these routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create_app_pairing).service(list_app_pairings).service(find_app_pairing).service(cancel_app_pairing);
}

/// What becomes of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PairingState {
    /// It can be used.
    Open,
    /// A phone was paired with it.
    Redeemed,
    /// It was withdrawn.
    Cancelled,
    /// Nobody used it in time.
    Expired,
}

/// A code by which one phone can be paired.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppPairing {
    /// Its id.
    pub id: AppPairingId,
    /// The tenant whose installation it becomes.
    pub tenant: TenantId,
    /// Whether it can be used.
    pub state: PairingState,
    /// What the installation is to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose phone it is: the Patient's FHIR id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// IANA zone, when it differs from the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be used.
    pub expires_at: DateTime<Utc>,
    /// The installation that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppInstallationId>,
    /// The code, such as `7K3M-P2QX`: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// An address that opens the reference app and pairs it: shown this once. The code stands behind the `#`, which browsers
    /// send to no server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The link as a QR code, an SVG picture: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qr_svg: Option<String>,
}

/// What a new code is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAppPairing {
    /// The tenant that gets the installation; may be left out by a caller who has just one.
    pub tenant: Option<TenantId>,
    /// What the installation is to be called: 1 to 128 characters. The app shows it.
    pub name: Option<String>,
    /// Whose phone it is, as the Patient's FHIR id or `Patient/<id>`: a note for staff. Whose a reading is, the assignments of
    /// its device say, and nothing else.
    pub patient: Option<String>,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// How many seconds the code can be used: 60 to 86400, 600 when absent.
    pub expires_in: Option<u32>,
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppPairingQuery {
    /// One tenant's codes.
    pub tenant: Option<TenantId>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

fn view(app: &App, row: PairingRow) -> AppPairing {
    let state = if row.redeemed_at.is_some() {
        PairingState::Redeemed
    } else if row.cancelled_at.is_some() {
        PairingState::Cancelled
    } else if row.expires_at <= app.clock.now() {
        PairingState::Expired
    } else {
        PairingState::Open
    };
    AppPairing {
        id: row.id,
        tenant: row.tenant_id,
        state,
        name: row.name,
        patient: row.patient_id,
        time_zone: row.time_zone,
        created_at: row.created_at,
        expires_at: row.expires_at,
        app: row.installation_id,
        code: None,
        link: None,
        qr_svg: None,
    }
}

/// Create a pairing code
///
/// For one phone. The answer has it to be typed (`code`), as an address (`link`) and as a QR code of that address (`qrSvg`);
/// none of them is shown again. `GET /app-pairings/{id}` says when it was used, and by which installation.
#[utoipa::path(tag = "apps", request_body = NewAppPairing, responses((status = 201, body = AppPairing), Problems))]
#[post("/app-pairings")]
async fn create_app_pairing(caller: Caller, app: AppData, body: Json<NewAppPairing>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "pair phones")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    let wish =
        NewPairing { name: wish.name, patient: wish.patient, time_zone: wish.time_zone, expires_in: wish.expires_in };
    let (row, code) = create_pairing::create(&app, &scope, tenant, caller.principal.token, wish).await?;
    let link = format!("{}/app/#code={}", app.public_url, code.shown());
    let pairing = AppPairing {
        qr_svg: Some(code::qr_svg(&link).map_err(Error::internal)?),
        code: Some(code.shown()),
        link: Some(link),
        ..view(&app, row)
    };
    let mut answer = created(format!("/api/v1/app-pairings/{}", pairing.id), pairing);
    answer
        .headers_mut()
        .insert(actix_web::http::header::CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// List pairing codes
///
/// Those that the caller may see, oldest first, without the codes themselves.
#[utoipa::path(tag = "apps", params(AppPairingQuery), responses((status = 200, body = Page<AppPairing>), Problems))]
#[get("/app-pairings")]
async fn list_app_pairings(
    caller: Caller,
    app: AppData,
    query: Query<AppPairingQuery>,
) -> ApiResult<Json<Page<AppPairing>>> {
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let after = AppPairingId(page.after());
    let rows = store::list_pairings(&mut transaction, &scope.tenants(), after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(Json(Page::from_rows(items, limit, |pairing: &AppPairing| pairing.id.0)))
}

/// Read a pairing code
///
/// Whether it can be used, or which installation it became; not the code itself.
#[utoipa::path(tag = "apps", params(("id" = AppPairingId, Path)), responses((status = 200, body = AppPairing), Problems))]
#[get("/app-pairings/{id}")]
async fn find_app_pairing(caller: Caller, app: AppData, id: Path<AppPairingId>) -> ApiResult<Json<AppPairing>> {
    let scope = reach(&caller, &app, "app pairing").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::find_pairing(&mut transaction, &scope.tenants(), *id).await?;
    transaction.commit().await?;
    Ok(Json(view(&app, found.ok_or_else(|| Error::not_found("app pairing"))?)))
}

/// Withdraw a pairing code
///
/// It cannot be used any more. 409 when it was used: then there is an installation to revoke.
#[utoipa::path(tag = "apps", params(("id" = AppPairingId, Path)), responses((status = 204), Problems))]
#[delete("/app-pairings/{id}")]
async fn cancel_app_pairing(caller: Caller, app: AppData, id: Path<AppPairingId>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "app pairing").await?;
    create_pairing::cancel(&app, &scope, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
