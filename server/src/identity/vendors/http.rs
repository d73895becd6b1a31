//! REST of vendors: for platform admins. To everybody else they do not exist.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, delete, get, patch, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::{ApiTokenId, VendorId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::store::{self, VendorRow, VendorTokenRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::store::TokenOwner;
use crate::identity::{Caller, Role, insert_token, new_token};
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_vendor)
        .service(list_vendors)
        .service(find_vendor)
        .service(change_vendor)
        .service(create_vendor_token)
        .service(list_vendor_tokens)
        .service(revoke_vendor_token);
}

/// A maker of decoders.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Vendor {
    /// Its id.
    id: VendorId,
    /// Its name.
    name: String,
    /// Its Ed25519 key, base64 of 32 bytes. Whoever has one signs what they upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// False: its tokens are not let in.
    active: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<VendorRow> for Vendor {
    fn from(row: VendorRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            public_key: row.public_key.map(|key| STANDARD.encode(key)),
            active: row.active,
            created_at: row.created_at,
        }
    }
}

/// A new vendor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewVendor {
    /// 1 to 200 characters, no two vendors alike.
    name: String,
    /// Its Ed25519 public key (RFC 8032), base64 of 32 bytes; absent: its uploads need no signature.
    public_key: Option<String>,
}

/// What may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VendorChange {
    /// False: its tokens are not let in. What it uploaded stays.
    active: Option<bool>,
    /// Another key for what it uploads from now on; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    public_key: Option<Option<String>>,
}

/// Tells null, which says something, from a field that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// A new token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewVendorToken {
    /// What it is for: it is named as the author of what is uploaded with it. The vendor's name when absent.
    name: Option<String>,
}

/// A token that was just made: it is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct IssuedVendorToken {
    /// By which it is listed and revoked.
    id: ApiTokenId,
    /// Sent as `Authorization: Bearer …`. Only its hash is kept.
    token: String,
}

/// A vendor's token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VendorToken {
    /// Its id.
    id: ApiTokenId,
    /// What it is for.
    name: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was revoked; absent while it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

impl From<VendorTokenRow> for VendorToken {
    fn from(row: VendorTokenRow) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at, revoked_at: row.revoked_at }
    }
}

/// Vendors exist for platform admins only.
fn admin_only(caller: &Caller) -> Result<(), Error> {
    if caller.role() == Role::PlatformAdmin { Ok(()) } else { Err(Error::not_found("vendor")) }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=200).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::field("/name", "a name has 1 to 200 printable characters")) }
}

fn read_key(text: &str) -> Result<Vec<u8>, Error> {
    let key = STANDARD.decode(text.trim()).ok().filter(|key| key.len() == 32);
    key.ok_or_else(|| Error::field("/publicKey", "an Ed25519 public key is base64 of 32 bytes"))
}

/// Create a vendor
///
/// For platform admins.
#[utoipa::path(tag = "plugins", request_body = NewVendor, responses((status = 201, body = Vendor), Problems))]
#[post("/vendors")]
async fn create_vendor(caller: Caller, app: AppData, body: Json<NewVendor>) -> ApiResult<HttpResponse> {
    caller.require(caller.role() == Role::PlatformAdmin, "create vendors")?;
    let wish = body.into_inner();
    check_name(&wish.name)?;
    let row = VendorRow {
        id: VendorId::generate(),
        name: wish.name.trim().to_owned(),
        public_key: wish.public_key.as_deref().map(read_key).transpose()?,
        active: true,
        created_at: app.clock.now(),
    };
    let mut transaction = app.db.begin_platform().await?;
    if !store::insert_vendor(&mut transaction, &row).await? {
        return Err(Error::conflict("vendor.name", "Another vendor has this name.").into());
    }
    transaction.commit().await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1/vendors/{}", row.id)))
        .json(Vendor::from(row)))
}

/// List vendors
///
/// For platform admins; empty for everybody else.
#[utoipa::path(tag = "plugins", params(PageQuery), responses((status = 200, body = Page<Vendor>), Problems))]
#[get("/vendors")]
async fn list_vendors(caller: Caller, app: AppData, page: Query<PageQuery>) -> ApiResult<Json<Page<Vendor>>> {
    let limit = page.limit()?;
    if caller.role() != Role::PlatformAdmin {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    }
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_vendors(&mut transaction, page.after(), limit).await?;
    transaction.commit().await?;
    Ok(Json(Page::from_rows(rows.into_iter().map(Vendor::from).collect(), limit, |vendor| vendor.id.0)))
}

/// Find a vendor
#[utoipa::path(tag = "plugins", params(("id" = VendorId, Path)), responses((status = 200, body = Vendor), Problems))]
#[get("/vendors/{id}")]
async fn find_vendor(caller: Caller, app: AppData, id: Path<VendorId>) -> ApiResult<Json<Vendor>> {
    admin_only(&caller)?;
    let mut transaction = app.db.begin_platform().await?;
    let row = store::find_vendor(&mut transaction, *id).await?.ok_or_else(|| Error::not_found("vendor"))?;
    transaction.commit().await?;
    Ok(Json(row.into()))
}

/// Change a vendor
///
/// A vendor that is not active is locked out at once; what it made goes on serving until somebody changes that.
#[utoipa::path(tag = "plugins", params(("id" = VendorId, Path)), request_body = VendorChange, responses((status = 200, body = Vendor), Problems))]
#[patch("/vendors/{id}")]
async fn change_vendor(
    caller: Caller,
    app: AppData,
    id: Path<VendorId>,
    body: Json<VendorChange>,
) -> ApiResult<Json<Vendor>> {
    admin_only(&caller)?;
    let wish = body.into_inner();
    let mut transaction = app.db.begin_platform().await?;
    let mut row = store::find_vendor(&mut transaction, *id).await?.ok_or_else(|| Error::not_found("vendor"))?;
    if let Some(active) = wish.active {
        row.active = active;
    }
    if let Some(key) = wish.public_key {
        row.public_key = key.as_deref().map(read_key).transpose()?;
    }
    store::update_vendor(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(Json(row.into()))
}

/// Create a vendor's token
///
/// Shown this once.
#[utoipa::path(tag = "plugins", params(("id" = VendorId, Path)), request_body = NewVendorToken, responses((status = 201, body = IssuedVendorToken), Problems))]
#[post("/vendors/{id}/tokens")]
async fn create_vendor_token(
    caller: Caller,
    app: AppData,
    id: Path<VendorId>,
    body: Json<NewVendorToken>,
) -> ApiResult<HttpResponse> {
    admin_only(&caller)?;
    let mut transaction = app.db.begin_platform().await?;
    let vendor = store::find_vendor(&mut transaction, *id).await?.ok_or_else(|| Error::not_found("vendor"))?;
    let name = body.into_inner().name.unwrap_or(vendor.name);
    check_name(&name)?;
    let (token, hash) = new_token("afa").map_err(Error::internal)?;
    let made = insert_token(&mut transaction, &hash, Role::Vendor, TokenOwner::Vendor(*id), &name).await?;
    transaction.commit().await?;
    let place = format!("/api/v1/vendors/{id}/tokens/{made}");
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(IssuedVendorToken { id: made, token }))
}

/// List a vendor's tokens
#[utoipa::path(tag = "plugins", params(("id" = VendorId, Path)), responses((status = 200, body = Page<VendorToken>), Problems))]
#[get("/vendors/{id}/tokens")]
async fn list_vendor_tokens(caller: Caller, app: AppData, id: Path<VendorId>) -> ApiResult<Json<Page<VendorToken>>> {
    admin_only(&caller)?;
    let mut transaction = app.db.begin_platform().await?;
    store::find_vendor(&mut transaction, *id).await?.ok_or_else(|| Error::not_found("vendor"))?;
    let rows = store::list_tokens(&mut transaction, *id).await?;
    transaction.commit().await?;
    Ok(Json(Page { items: rows.into_iter().map(VendorToken::from).collect(), next: None }))
}

/// Revoke a vendor's token
#[utoipa::path(tag = "plugins", params(("id" = VendorId, Path), ("token" = ApiTokenId, Path)), responses((status = 204), Problems))]
#[delete("/vendors/{id}/tokens/{token}")]
async fn revoke_vendor_token(
    caller: Caller,
    app: AppData,
    path: Path<(VendorId, ApiTokenId)>,
) -> ApiResult<HttpResponse> {
    admin_only(&caller)?;
    let (vendor, token) = path.into_inner();
    let mut transaction = app.db.begin_platform().await?;
    if !store::revoke_token(&mut transaction, vendor, token, app.clock.now()).await? {
        return Err(Error::not_found("token").into());
    }
    transaction.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
