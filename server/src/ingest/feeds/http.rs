//! `/ingest/v1/feeds/{feed}`: what vendors post, and what they ask before they do.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, head, post};
use db::FeedId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::authenticate::Shown;
use super::receive_feed_uplink::{Post, find, receive};
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Kind, Problems};
use crate::fleet::Challenge;
use crate::ingest::http::header;
use crate::ingest::hubs::HubReceipt;

/// Longest text that an echo gives back.
const MAX_ECHO: usize = 500;

/// Mounts the way in for vendors' clouds.
pub fn routes(config: &mut ServiceConfig) {
    config.service(post_feed_uplink).service(answer_challenge).service(answer_probe);
}

/// Query of a post.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FeedUplinkQuery {
    /// Whose account this is, where the payload does not say.
    account: Option<String>,
}

/// Post to a feed
///
/// The body is the vendor's own payload, cut into items by the feed's format; or frames of many accounts as
/// `application/vnd.afferent.uplink+json`: `{"frames":[{"device":"<account>","json":{…}}]}`. Authenticated as the feed says.
/// Each item is stored for the device that is linked with the vendor's id, and is answered by itself; what nobody is linked
/// with is kept until somebody is (`GET /api/v1/feeds/{id}/unclaimed`).
/// 200 when everything is committed (look at the items), 503 when all of it has to be sent again.
#[utoipa::path(
    tag = "ingest",
    params(
        ("feed" = FeedId, Path),
        FeedUplinkQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Same key, same answers, for a day; 1 to 255 visible characters"),
        ("Afferent-Captured-At" = Option<String>, Header, description = "When the payload was made, RFC 3339")
    ),
    request_body(content = Vec<u8>, content_type = "application/json"),
    responses(
        (status = 200, body = HubReceipt, description = "Committed; each item says what became of it"),
        (status = 503, body = HubReceipt, description = "Some items have to be sent again: send all of it"),
        (status = 413, body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 415, body = crate::error::Problem, content_type = "application/problem+json"),
        Problems
    )
)]
#[post("/feeds/{feed}")]
async fn post_feed_uplink(
    request: HttpRequest,
    app: AppData,
    feed: Path<FeedId>,
    query: Query<FeedUplinkQuery>,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    let post = Post {
        feed: *feed,
        peer: request.peer_addr().map(|peer| peer.ip()),
        shown: Shown { headers: request.headers(), query: request.query_string() },
        account: query.into_inner().account,
        content_type: header(&request, CONTENT_TYPE.as_str())?.unwrap_or_else(|| "application/json".to_owned()),
        captured_at: header(&request, "Afferent-Captured-At")?,
        idempotency_key: header(&request, "Idempotency-Key")?,
    };
    let body = app.intake.read(&request, payload.into_inner(), app.config.max_body_bytes);
    let (status, receipt) = receive(&app, post, body).await?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::ACCEPTED);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header(("Retry-After", app.intake.retry_after().to_string()));
    }
    Ok(response.json(receipt))
}

/// Answer a vendor's challenge
///
/// What the feed's `challenge` says: 200 for a probe, 204 or 404 for a verification code, the parameter's text for an echo.
#[utoipa::path(
    tag = "ingest",
    params(("feed" = FeedId, Path)),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "A probe, or the text of an echo"),
        (status = 204, description = "The right code"),
        (status = 405, body = crate::error::Problem, content_type = "application/problem+json"),
        Problems
    )
)]
#[get("/feeds/{feed}")]
async fn answer_challenge(request: HttpRequest, app: AppData, feed: Path<FeedId>) -> ApiResult<HttpResponse> {
    Ok(challenge(&request, &app, *feed).await?)
}

/// Answer a vendor's probe
///
/// As the GET, without a body.
#[utoipa::path(
    tag = "ingest",
    params(("feed" = FeedId, Path)),
    responses(
        (status = 200, description = "Somebody is there"),
        (status = 204, description = "The right code"),
        (status = 405, description = "This feed has no challenge"),
        Problems
    )
)]
#[head("/feeds/{feed}")]
async fn answer_probe(request: HttpRequest, app: AppData, feed: Path<FeedId>) -> ApiResult<HttpResponse> {
    Ok(challenge(&request, &app, *feed).await?)
}

async fn challenge(request: &HttpRequest, app: &App, feed: FeedId) -> Result<HttpResponse, Error> {
    let feed = find(app, feed, request.peer_addr().map(|peer| peer.ip())).await?;
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    match &feed.challenge {
        Challenge::None => Err(Error::new(
            Kind::MethodNotAllowed,
            "feed.no-challenge",
            "This feed takes POST only; set its challenge where the vendor asks before it sends.",
        )),
        Challenge::Probe => Ok(HttpResponse::Ok().finish()),
        Challenge::Verify { parameter, code } => match value(parameter) {
            Some(shown) if shown == *code => Ok(HttpResponse::NoContent().finish()),
            _ => Err(Error::not_found("verification code")),
        },
        Challenge::Echo { parameter } => {
            let text = value(parameter)
                .filter(|text| (1..=MAX_ECHO).contains(&text.len()) && !text.chars().any(char::is_control))
                .ok_or_else(|| {
                    Error::invalid("feed.challenge", "The parameter that is to be given back is missing.")
                })?;
            let mut response = HttpResponse::Ok();
            response.content_type("text/plain; charset=utf-8");
            response.insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
            Ok(response.body(text))
        }
    }
}
