//! `POST /ingest/v1/uplinks`, and what operators see of uplinks and quarantine.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use db::{DeviceId, TenantId, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::read_upload::Upload;
use super::receive_uplink;
use super::{Receipt, replay_uplink, store};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::{Bearer, Caller};
use crate::platform::page::{Page, PageQuery};

/// Mounts the way in.
pub fn routes(config: &mut ServiceConfig) {
    config.service(post_uplink);
    super::hubs::routes(config);
    super::feeds::routes(config);
    super::apps::routes(config);
}

/// Mounts what operators see.
pub fn api_routes(config: &mut ServiceConfig) {
    config.service(list_uplinks).service(find_uplink).service(list_quarantine).service(replay_quarantined);
    super::hubs::api_routes(config);
    super::feeds::api_routes(config);
    super::apps::api_routes(config);
    super::held::routes(config);
    super::reassign::routes(config);
    super::replays::routes(config);
    super::shadow::routes(config);
    super::trial::routes(config);
    super::mqtt::routes(config);
}

/// Query of a raw uplink.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UplinkQuery {
    /// The characteristic, port or topic a raw body came from, such as `2A35`.
    pub(super) channel: Option<String>,
}

/// Send an uplink
///
/// The body is one raw frame, or several frames of the device as `application/vnd.afferent.uplink+json`:
/// `{"frames":[{"channel":"2A35","hex":"…","capturedAt":"…"}]}`. Authenticated by the device's token.
/// 2xx is answered only after the commit: 201 stored, 200 known already, 202 kept but not a result yet (see `reason`).
#[utoipa::path(
    tag = "ingest",
    params(
        UplinkQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Same key, same answer, for a day; 1 to 255 visible characters"),
        ("Afferent-Captured-At" = Option<String>, Header, description = "When the phone or hub got a raw frame, RFC 3339")
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = Receipt, description = "Stored; or well formed with nothing to store"),
        (status = 200, body = Receipt, description = "Known already: the first answer's ids"),
        (status = 202, body = Receipt, description = "Kept, but not a result yet"),
        (status = 413, body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 415, body = crate::error::Problem, content_type = "application/problem+json"),
        Problems
    )
)]
#[post("/uplinks")]
async fn post_uplink(
    request: HttpRequest,
    app: AppData,
    bearer: Bearer,
    query: Query<UplinkQuery>,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    let upload = Upload {
        token: bearer.0,
        channel: query.into_inner().channel.unwrap_or_default(),
        content_type: header(&request, CONTENT_TYPE.as_str())?.unwrap_or_else(|| "application/octet-stream".to_owned()),
        captured_at: header(&request, "Afferent-Captured-At")?,
        idempotency_key: header(&request, "Idempotency-Key")?,
        delivery: None,
    };
    let body = app.intake.read(&request, payload.into_inner(), app.config.max_body_bytes);
    let receipt = receive_uplink::receive(&app, upload, body).await?;
    let status = StatusCode::from_u16(receipt.outcome.status()).unwrap_or(StatusCode::OK);
    Ok(HttpResponse::build(status).json(receipt))
}

/// A header as text; one that is not text is an error.
pub(super) fn header(request: &HttpRequest, name: &str) -> Result<Option<String>, Error> {
    request
        .headers()
        .get(name)
        .map(|value| {
            value.to_str().map(str::to_owned).map_err(|_bytes| {
                Error::invalid("header.text", format!("The header {name} has characters that a header cannot have."))
            })
        })
        .transpose()
}

/// An uplink as operators see it: facts of its receipt, never its bytes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uplink {
    /// Its id.
    pub id: UplinkId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When the server got it.
    pub received_at: DateTime<Utc>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// Channel of the first frame.
    pub channel: String,
    /// Media type as sent.
    pub content_type: String,
    /// Bytes.
    pub size: i32,
    /// SHA-256 of the bytes, hexadecimal.
    pub hash: String,
    /// What became of it.
    pub outcome: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Decoder that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
    /// Registered warnings.
    pub warnings: Vec<String>,
}

/// Filters of the list of uplinks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UplinkFilter {
    /// One tenant.
    pub tenant: Option<TenantId>,
    /// One device.
    pub device: Option<DeviceId>,
    /// One outcome, such as `undecodable`.
    pub outcome: Option<String>,
}

/// List uplinks
///
/// Newest last; the facts of receipt, not the bytes.
#[utoipa::path(tag = "ingest", params(UplinkFilter, PageQuery), responses((status = 200, body = Page<Uplink>), Problems))]
#[get("/uplinks")]
async fn list_uplinks(
    caller: Caller,
    app: AppData,
    filter: Query<UplinkFilter>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Uplink>>> {
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, filter.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let rows = store::list_uplinks(&mut transaction, &scope, &filter, UplinkId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    Ok(Json(Page::from_rows(rows, limit, |uplink| uplink.id.0)))
}

/// Read an uplink
#[utoipa::path(tag = "ingest", params(("id" = UplinkId, Path)), responses((status = 200, body = Uplink), Problems))]
#[get("/uplinks/{id}")]
async fn find_uplink(caller: Caller, app: AppData, id: Path<UplinkId>) -> ApiResult<Json<Uplink>> {
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("uplink"))?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::find_uplink(&mut transaction, &scope, *id).await?;
    transaction.commit().await?;
    Ok(Json(found.ok_or_else(|| Error::not_found("uplink"))?))
}

/// An uplink in quarantine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuarantineItem {
    /// The uplink; also the id for a replay.
    pub uplink: UplinkId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When the server got it.
    pub received_at: DateTime<Utc>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// Stable reason.
    pub reason: String,
    /// What was wrong, and where.
    pub detail: String,
    /// `open`, `settled`, or `expired`: nobody settled it in time, and its bytes are gone.
    pub state: String,
    /// Until when it has to be settled: an item that is open then is closed as `expired`, and its bytes go. Open items only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub attempts: i32,
}

/// Filters of the quarantine.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QuarantineFilter {
    /// One tenant.
    pub tenant: Option<TenantId>,
    /// `open` (the default), `settled` or `expired`.
    pub state: Option<String>,
}

/// List the quarantine
///
/// Uplinks that could not be decoded, with the reason. Their bytes are kept until they are settled, 90 days at
/// most: `expiresAt` says until when.
#[utoipa::path(tag = "ingest", params(QuarantineFilter, PageQuery), responses((status = 200, body = Page<QuarantineItem>), Problems))]
#[get("/quarantine")]
async fn list_quarantine(
    caller: Caller,
    app: AppData,
    filter: Query<QuarantineFilter>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<QuarantineItem>>> {
    let limit = page.limit()?;
    let state = filter.state.as_deref().unwrap_or("open");
    if !matches!(state, "open" | "settled" | "expired") {
        return Err(Error::field("?state", "the state is `open`, `settled` or `expired`").into());
    }
    let Some(scope) = caller.operations(&app, filter.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let default_days = i32::try_from(app.config.uplink_retention_days).unwrap_or(i32::MAX);
    let after = UplinkId(page.after());
    let rows = store::list_quarantine(&mut transaction, &scope, state, default_days, after, limit + 1).await?;
    transaction.commit().await?;
    Ok(Json(Page::from_rows(rows, limit, |item| item.uplink.0)))
}

/// Replay a quarantined uplink
///
/// Decodes the kept bytes again, with the decoder as it is now. What comes out is stored as if it had just arrived, with
/// its own times; the item is settled when that succeeds.
#[utoipa::path(tag = "ingest", params(("uplink" = UplinkId, Path)), responses((status = 200, body = Receipt), Problems))]
#[post("/quarantine/{uplink}/replay")]
async fn replay_quarantined(caller: Caller, app: AppData, uplink: Path<UplinkId>) -> ApiResult<Json<Receipt>> {
    caller.require(caller.role().manages_fleet(), "replay quarantined uplinks")?;
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("quarantined uplink"))?;
    Ok(Json(replay_uplink::replay(&app, &scope, *uplink).await?))
}
