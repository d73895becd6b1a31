//! REST of the tenant tree.

use actix_web::http::StatusCode;
use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use db::TenantId;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{TenantKind, TenantRow, store};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::{Caller, Role};
use crate::platform::page::{Page, PageQuery};

/// Mounts this room's routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create_tenant).service(list_tenants).service(find_tenant).service(update_tenant);
}

/// A tenant as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The distributor above a customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TenantId>,
    /// Distributor or customer.
    pub kind: TenantKind,
    /// Its name.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Whether its people and devices may do anything.
    pub active: bool,
    /// Days that raw payloads are kept after their receipt, where nobody has to settle anything about them.
    pub uplink_retention_days: i16,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Where its FHIR interface is.
    pub fhir_base: String,
}

/// What a new tenant needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTenant {
    /// 1 to 200 characters.
    pub name: String,
    /// Distributor or customer.
    pub kind: TenantKind,
    /// For a customer: its distributor. A distributor that creates a customer may leave it out.
    pub parent: Option<TenantId>,
    /// IANA time zone, such as `Europe/Berlin`: the zone of last resort for its devices.
    pub time_zone: String,
}

/// What may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantChange {
    /// A new name.
    pub name: Option<String>,
    /// Another IANA time zone; readings that are stored already keep theirs.
    pub time_zone: Option<String>,
    /// False: nobody of this tenant gets in, and its sources are turned away.
    pub active: Option<bool>,
    /// Days that raw payloads are kept, 1 to 365; null: as the server is configured. What is older than a shorter time goes within the hour and does not come back.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i16>, minimum = 1, maximum = 365)]
    pub uplink_retention_days: Option<Option<i16>>,
}

/// Tells null, which says something, from a field that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i16>>, D::Error> {
    Option::<i16>::deserialize(deserializer).map(Some)
}

fn view(app: &AppData, row: TenantRow) -> Tenant {
    Tenant {
        fhir_base: app.fhir_base(row.id),
        id: row.id,
        parent: row.parent,
        kind: row.kind,
        name: row.name,
        time_zone: row.time_zone,
        active: row.active,
        uplink_retention_days: row
            .uplink_retention_days
            .unwrap_or_else(|| i16::try_from(app.config.uplink_retention_days).unwrap_or(i16::MAX)),
        created_at: row.created_at,
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let length = name.trim().chars().count();
    if (1..=200).contains(&length) && !name.contains('\0') {
        return Ok(());
    }
    Err(Error::field("/name", "a name has 1 to 200 characters"))
}

/// Checks that a text is an IANA time zone.
pub(crate) fn check_time_zone(pointer: &str, name: &str) -> Result<(), Error> {
    name.parse::<chrono_tz::Tz>().map(|_zone| ()).map_err(|_unknown| {
        Error::field(
            pointer,
            format!("`{}` is not an IANA time zone; write it as in `Europe/Berlin`", name.escape_debug()),
        )
    })
}

/// Create a tenant
///
/// The platform creates distributors and customers, a distributor its own customers.
#[utoipa::path(tag = "tenancy", request_body = NewTenant, responses((status = 201, body = Tenant), Problems))]
#[post("/tenants")]
async fn create_tenant(caller: Caller, app: AppData, body: Json<NewTenant>) -> ApiResult<HttpResponse> {
    caller.require(matches!(caller.role(), Role::PlatformAdmin | Role::DistributorAdmin), "create tenants")?;
    let wish = body.into_inner();
    check_name(&wish.name)?;
    check_time_zone("/timeZone", &wish.time_zone)?;
    let parent = match (caller.role(), wish.kind) {
        (Role::DistributorAdmin, TenantKind::Distributor) => {
            return Err(Error::forbidden("role", "A distributor creates customers, not distributors.").into());
        }
        (Role::DistributorAdmin, TenantKind::Customer) => {
            let own = caller.principal.tenant;
            if wish.parent.is_some() && wish.parent != own {
                return Err(Error::not_found("distributor").into());
            }
            own
        }
        (_, TenantKind::Distributor) if wish.parent.is_some() => {
            return Err(Error::field("/parent", "a distributor has no parent").into());
        }
        _ => wish.parent,
    };
    let mut transaction = app.db.begin_platform().await?;
    if let Some(parent) = parent {
        let found = store::find_tenant(&mut transaction, parent).await?;
        if found.is_none_or(|row| row.kind != TenantKind::Distributor) {
            return Err(Error::field("/parent", "there is no such distributor").into());
        }
    }
    let row = TenantRow {
        id: TenantId::generate(),
        parent,
        kind: wish.kind,
        name: wish.name,
        time_zone: wish.time_zone,
        active: true,
        uplink_retention_days: None,
        created_at: app.clock.now(),
    };
    store::insert_tenant(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(HttpResponse::build(StatusCode::CREATED)
        .insert_header(("Location", format!("/api/v1/tenants/{}", row.id)))
        .json(view(&app, row)))
}

/// List tenants
///
/// Those that the caller may see, oldest first.
#[utoipa::path(tag = "tenancy", params(PageQuery), responses((status = 200, body = Page<Tenant>), Problems))]
#[get("/tenants")]
async fn list_tenants(caller: Caller, app: AppData, page: Query<PageQuery>) -> ApiResult<Json<Page<Tenant>>> {
    let limit = page.limit()?;
    let reach = caller.operations(&app, None).await?.map(|scope| scope.tenants()).unwrap_or_default();
    let mut transaction = app.db.begin_platform().await?;
    let rows = store::list_tenants(&mut transaction, &reach, page.after(), limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(Json(Page::from_rows(items, limit, |tenant: &Tenant| tenant.id.0)))
}

/// Read a tenant
#[utoipa::path(tag = "tenancy", params(("id" = TenantId, Path)), responses((status = 200, body = Tenant), Problems))]
#[get("/tenants/{id}")]
async fn find_tenant(caller: Caller, app: AppData, id: Path<TenantId>) -> ApiResult<Json<Tenant>> {
    caller.operations(&app, Some(*id)).await?;
    let mut transaction = app.db.begin_platform().await?;
    let found = store::find_tenant(&mut transaction, *id).await?;
    transaction.commit().await?;
    Ok(Json(view(&app, found.ok_or_else(|| Error::not_found("tenant"))?)))
}

/// Change a tenant
///
/// Its distributor and the platform may; a customer admin may change name, time zone and retention of its own.
#[utoipa::path(tag = "tenancy", params(("id" = TenantId, Path)), request_body = TenantChange, responses((status = 200, body = Tenant), Problems))]
#[patch("/tenants/{id}")]
async fn update_tenant(
    caller: Caller,
    app: AppData,
    id: Path<TenantId>,
    body: Json<TenantChange>,
) -> ApiResult<Json<Tenant>> {
    caller.operations(&app, Some(*id)).await?;
    caller.require(caller.role().manages_tenant(), "change tenants")?;
    let change = body.into_inner();
    if change.active.is_some() {
        caller.require(caller.principal.tenant != Some(*id), "activate or deactivate its own tenant")?;
    }
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if let Some(zone) = &change.time_zone {
        check_time_zone("/timeZone", zone)?;
    }
    if change.uplink_retention_days.flatten().is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(Error::field("/uplinkRetentionDays", "raw payloads are kept for 1 to 365 days").into());
    }
    let changes = store::TenantChanges {
        name: change.name,
        time_zone: change.time_zone,
        active: change.active,
        uplink_retention_days: change.uplink_retention_days,
    };
    let mut transaction = app.db.begin_platform().await?;
    store::update_tenant(&mut transaction, *id, &changes).await?;
    let found = store::find_tenant(&mut transaction, *id).await?;
    transaction.commit().await?;
    Ok(Json(view(&app, found.ok_or_else(|| Error::not_found("tenant"))?)))
}
