//! REST of consents: staff ask for a link; the vendor sends the owner's browser back to a page.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, head, post};
use chrono::{DateTime, Utc};
use db::{DeviceId, FeedId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{finish, start};
use crate::app::AppData;
use crate::error::{ApiResult, Kind, Problems};
use crate::fleet::http::reach_to_change;
use crate::identity::Caller;

/// Mounts what staff call.
pub fn api_routes(config: &mut ServiceConfig) {
    config.service(start_feed_consent);
}

/// Mounts where the vendor sends browsers back to.
pub fn callback_routes(config: &mut ServiceConfig) {
    config.service(finish_feed_consent).service(probe_feed_callback);
}

/// For whom an account is to be linked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConsent {
    /// The virtual device, of one of the feed's models, that the account is to be.
    pub device: DeviceId,
}

/// A link by which an account's owner consents.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// What the owner opens, once. Whoever opens it links their own account: give it to nobody else.
    #[schema(value_type = String)]
    pub url: url::Url,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// What the vendor adds to the address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CallbackQuery {
    /// The code, which is exchanged for tokens.
    code: Option<String>,
    /// The state of the link.
    state: Option<String>,
}

/// Start linking an account
///
/// For vendors whose data is fetched (Withings): answers a link to the vendor. The account's owner opens it, signs in there and consents;
/// then the account is the device's, its tokens are kept sealed, and the vendor is asked to announce what is new. The feed's
/// `client` names the address that has to be registered at the vendor as callback URL.
#[utoipa::path(tag = "feeds", params(("id" = FeedId, Path)), request_body = NewConsent, responses((status = 201, body = Consent), Problems))]
#[post("/feeds/{id}/consents")]
async fn start_feed_consent(
    caller: Caller,
    app: AppData,
    id: Path<FeedId>,
    body: Json<NewConsent>,
) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "feed").await?;
    let started = start(&app, &scope, *id, body.device).await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Consent { url: started.url, expires_at: started.expires_at }))
}

/// Finish linking an account
///
/// The vendor sends the owner's browser here, with `code` and `state`. Answers a page for people. A state is used once.
#[utoipa::path(
    tag = "ingest",
    params(("feed" = FeedId, Path), CallbackQuery),
    responses(
        (status = 200, body = String, content_type = "text/html", description = "Linked, or the owner did not consent"),
        (status = 401, body = String, content_type = "text/html", description = "The link is not valid any more"),
        (status = 409, body = String, content_type = "text/html", description = "The account or the device is linked otherwise"),
        (status = 429, body = String, content_type = "text/html"),
        (status = 503, body = String, content_type = "text/html", description = "The vendor cannot be asked now")
    )
)]
#[get("/feeds/{feed}/callback")]
async fn finish_feed_consent(
    request: HttpRequest,
    app: AppData,
    feed: Path<FeedId>,
    query: Query<CallbackQuery>,
) -> HttpResponse {
    let CallbackQuery { code, state } = query.into_inner();
    let finished = match (&code, &state) {
        (Some(code), Some(state)) => finish(&app, *feed, state, code).await,
        // The owner said no: the link stays, and may be opened again while it holds.
        (None, Some(_)) => {
            return page(200, "Not connected", "Your account was not connected, because no consent was given.");
        }
        _ => Err(super::unknown_state()),
    };
    match finished {
        Ok(()) => page(200, "Connected", "Your account is connected. You can close this page."),
        Err(error) => {
            let guessed = error.kind() == Kind::Unauthenticated;
            let peer = request.peer_addr().filter(|_| guessed);
            let error = peer.map_or(Ok(()), |peer| app.guess_limits.check(&peer.ip())).err().unwrap_or(error);
            error.log();
            page(error.status(), "Not connected", error.public())
        }
    }
}

/// Probe the address for callbacks
///
/// Vendors try whether the registered address is there. Uses up nothing.
#[utoipa::path(tag = "ingest", params(("feed" = FeedId, Path)), responses((status = 200, description = "Somebody is there")))]
#[head("/feeds/{feed}/callback")]
async fn probe_feed_callback(_feed: Path<FeedId>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// A page of ours alone: nothing of the request is in it.
fn page(status: u16, title: &str, text: &str) -> HttpResponse {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>"
    );
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}
