//! REST of the tokens with which devices and hubs send.

use actix_web::web::{Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use db::{CredentialId, DeviceId, HubId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{created, reach, reach_to_change};
use crate::app::AppData;
use crate::error::{ApiResult, Problems};
use crate::fleet::issue_source_token::{self, Source};
use crate::identity::{Caller, CredentialRow};
use crate::platform::page::Page;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_device_token)
        .service(list_device_tokens)
        .service(revoke_device_token)
        .service(create_hub_token)
        .service(list_hub_tokens)
        .service(revoke_hub_token);
}

/// A token that was just made: it is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewToken {
    /// By which it is listed and revoked.
    pub id: CredentialId,
    /// What the source sends as `Authorization: Bearer …`. Only its hash is kept.
    pub token: String,
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceToken {
    /// Its id.
    pub id: CredentialId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked; absent while it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

fn page(rows: Vec<CredentialRow>) -> Json<Page<SourceToken>> {
    let items = rows
        .into_iter()
        .map(|row| SourceToken { id: row.id, created_at: row.created_at, revoked_at: row.revoked_at })
        .collect();
    Json(Page { items, next: None })
}

/// Create a device's token
///
/// Shown this once. The device's other tokens stay valid, so that one can be replaced without a gap.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 201, body = NewToken), Problems))]
#[post("/devices/{id}/tokens")]
async fn create_device_token(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    let made = issue_source_token::issue(&app, &scope, Source::Device(*id)).await?;
    Ok(created(format!("/api/v1/devices/{id}/tokens/{}", made.id), NewToken { id: made.id, token: made.token }))
}

/// List a device's tokens
///
/// All of them, oldest first, without their text.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 200, body = Page<SourceToken>), Problems))]
#[get("/devices/{id}/tokens")]
async fn list_device_tokens(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<Json<Page<SourceToken>>> {
    let scope = reach(&caller, &app, "device").await?;
    Ok(page(issue_source_token::list(&app, &scope, Source::Device(*id)).await?))
}

/// Revoke a device's token
///
/// It stops working within a second in every process.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path), ("token" = CredentialId, Path)), responses((status = 204), Problems))]
#[delete("/devices/{id}/tokens/{token}")]
async fn revoke_device_token(
    caller: Caller,
    app: AppData,
    path: Path<(DeviceId, CredentialId)>,
) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    let (device, token) = path.into_inner();
    issue_source_token::revoke(&app, &scope, Source::Device(device), token).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Create a hub's token
///
/// Shown this once. The hub's other tokens stay valid, so that one can be replaced without a gap.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 201, body = NewToken), Problems))]
#[post("/hubs/{id}/tokens")]
async fn create_hub_token(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    let made = issue_source_token::issue(&app, &scope, Source::Hub(*id)).await?;
    Ok(created(format!("/api/v1/hubs/{id}/tokens/{}", made.id), NewToken { id: made.id, token: made.token }))
}

/// List a hub's tokens
///
/// All of them, oldest first, without their text.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 200, body = Page<SourceToken>), Problems))]
#[get("/hubs/{id}/tokens")]
async fn list_hub_tokens(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<Json<Page<SourceToken>>> {
    let scope = reach(&caller, &app, "hub").await?;
    Ok(page(issue_source_token::list(&app, &scope, Source::Hub(*id)).await?))
}

/// Revoke a hub's token
///
/// It stops working within a second in every process.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path), ("token" = CredentialId, Path)), responses((status = 204), Problems))]
#[delete("/hubs/{id}/tokens/{token}")]
async fn revoke_hub_token(caller: Caller, app: AppData, path: Path<(HubId, CredentialId)>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    let (hub, token) = path.into_inner();
    issue_source_token::revoke(&app, &scope, Source::Hub(hub), token).await?;
    Ok(HttpResponse::NoContent().finish())
}
