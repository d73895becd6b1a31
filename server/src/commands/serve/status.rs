//! Health, metrics, and the status page.
//!
//! `/livez` and `/readyz` need no credential and tell nothing but health. The status page and `/metrics` (unless a metrics
//! token is configured) answer only to this machine: both ends of the connection are loopback and no proxy stands between.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Json, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Double};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::maintenance;
use crate::app::AppData;
use crate::error::{ApiResult, Error, Kind};
use crate::platform::metrics::OutcomeLabel;

const PAGE: &str = include_str!("status.html");

/// Mounts the routes of this file.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics))
        .route("/", web::get().to(page))
        .route("/status.json", web::get().to(counts));
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(app: AppData) -> HttpResponse {
    if app.is_draining() {
        return HttpResponse::ServiceUnavailable().body("stopping\n");
    }
    match maintenance::storage(&app).await {
        Ok(storage) => match storage.refusal() {
            Some(reason) => HttpResponse::ServiceUnavailable().body(format!("{reason}\n")),
            None => {
                let warnings =
                    storage.warnings().iter().fold(String::new(), |text, warning| text + "warning: " + warning + "\n");
                HttpResponse::Ok().body(format!("ready\n{warnings}"))
            }
        },
        Err(db::DbError::Unavailable(_)) => HttpResponse::ServiceUnavailable().body("the database cannot be reached\n"),
        Err(_lost) => HttpResponse::ServiceUnavailable().body("the database went away\n"),
    }
}

async fn metrics(request: HttpRequest, app: AppData) -> ApiResult<HttpResponse> {
    match &app.config.metrics_token {
        Some(token) => {
            let shown = request
                .headers()
                .get(AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.strip_prefix("Bearer "));
            let known = shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(token.expose().as_bytes())));
            if !known {
                return Err(Error::new(
                    Kind::Unauthenticated,
                    "metrics.token",
                    "Metrics need `Authorization: Bearer` with the configured metrics_token.",
                )
                .into());
            }
        }
        None => only_here(&request)?,
    }
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(app.metrics.render()))
}

async fn page(request: HttpRequest) -> ApiResult<HttpResponse> {
    only_here(&request)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "Content-Security-Policy",
            "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .insert_header(("Cache-Control", "no-store"))
        .body(PAGE))
}

/// What has happened since the start, and what waits now. No tenant, device or person is named.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Uplinks answered with 2xx.
    pub uplinks: u64,
    /// Observations stored.
    pub observations: u64,
    /// Uplinks known already.
    pub duplicates: u64,
    /// Uplinks that wait in quarantine.
    pub quarantined: i64,
    /// Readings that wait for a person.
    pub held: i64,
    /// Deliveries made since the start.
    pub delivered: u64,
    /// Deliveries that wait.
    pub pending: i64,
    /// Deliveries given up.
    pub dead: i64,
    /// Age of the oldest waiting delivery, seconds.
    pub lag_seconds: f64,
    /// The server's version.
    pub version: &'static str,
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    quarantined: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    dead: i64,
    #[diesel(sql_type = Double)]
    lag: f64,
}

/// The counts of now.
///
/// # Errors
/// The database's error.
pub async fn count(app: &crate::app::App) -> Result<Counts, db::DbError> {
    let mut transaction = app.db.begin_worker().await?;
    let waiting: Waiting = diesel::sql_query(
        "SELECT (SELECT count(*) FROM quarantine WHERE state = 'open') AS quarantined, \
                (SELECT count(*) FROM held_reading WHERE state = 'open') AS held, \
                (SELECT count(*) FROM delivery WHERE state = 'pending') AS pending, \
                (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead, \
                coalesce((SELECT extract(epoch FROM now() - min(created_at)) FROM delivery WHERE state = 'pending'), 0)::float8 AS lag",
    )
    .get_result(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let uplinks = |outcome| app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome }).get();
    let kept = ["stored", "duplicate", "nothing", "undecodable", "incomplete", "unassigned", "held", "quarantined"];
    Ok(Counts {
        uplinks: kept.into_iter().map(uplinks).sum(),
        observations: app.metrics.observations.get(),
        duplicates: uplinks("duplicate"),
        quarantined: waiting.quarantined,
        held: waiting.held,
        delivered: app.metrics.deliveries.get_or_create(&OutcomeLabel { outcome: "delivered" }).get(),
        pending: waiting.pending,
        dead: waiting.dead,
        lag_seconds: waiting.lag,
        version: env!("CARGO_PKG_VERSION"),
    })
}

async fn counts(request: HttpRequest, app: AppData) -> ApiResult<Json<Counts>> {
    only_here(&request)?;
    Ok(Json(count(&app).await?))
}

/// Refuses everybody but this machine: to others these routes do not exist.
fn only_here(request: &HttpRequest) -> Result<(), Error> {
    let peer = request.peer_addr().is_some_and(|address| address.ip().is_loopback());
    let host = request.connection_info().host().to_owned();
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _port)| name);
    let local_name = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let proxied = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"]
        .iter()
        .any(|header| request.headers().contains_key(*header));
    if peer && local_name && !proxied { Ok(()) } else { Err(Error::not_found("page")) }
}
