//! `POST /ingest/v1/hubs/uplinks`.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse, post};
use utoipa_actix_web::service_config::ServiceConfig;

use super::answer::HubReceipt;
use super::receive_hub_uplink::receive;
use crate::app::AppData;
use crate::error::{ApiResult, Problems};
use crate::identity::Bearer;
use crate::ingest::http::{UplinkQuery, header};
use crate::ingest::read_upload::Upload;

/// Mounts the way in for hubs.
pub fn routes(config: &mut ServiceConfig) {
    config.service(post_hub_uplink);
}

/// Send a hub's uplink
///
/// The body is the hub's own payload, which the decoder of the hub's model splits by device; or frames of many devices as
/// `application/vnd.afferent.uplink+json`: `{"frames":[{"device":"AA:BB:CC:DD:EE:FF","channel":"2A35","hex":"…","capturedAt":"…","id":"…"}]}`.
/// Authenticated by the hub's token. Each item is stored for the device that is paired with the hub under that address, and
/// is answered by itself; `id`, or the `Idempotency-Key` with the item's place, makes it known again. What a device sent
/// that is not paired is kept until it is (`GET /api/v1/hubs/{id}/unclaimed`).
/// 201 all stored, 200 all known already, 202 look at the items, 503 send all of it again.
#[utoipa::path(
    tag = "ingest",
    params(
        UplinkQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Same key, same answers, for a day; 1 to 255 visible characters"),
        ("Afferent-Captured-At" = Option<String>, Header, description = "When the hub made a raw payload, RFC 3339")
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = HubReceipt, description = "Everything is stored, or there was nothing to store"),
        (status = 200, body = HubReceipt, description = "Everything was known already"),
        (status = 202, body = HubReceipt, description = "Taken; some items are not a result yet, or were turned away"),
        (status = 503, body = HubReceipt, description = "Some items have to be sent again: send all of it"),
        (status = 413, body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 415, body = crate::error::Problem, content_type = "application/problem+json"),
        Problems
    )
)]
#[post("/hubs/uplinks")]
async fn post_hub_uplink(
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
    let (status, receipt) = receive(&app, upload, body).await?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::ACCEPTED);
    let mut response = HttpResponse::build(status);
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.insert_header(("Retry-After", app.intake.retry_after().to_string()));
    }
    Ok(response.json(receipt))
}
