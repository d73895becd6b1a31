//! REST of endpoints.

use actix_web::http::StatusCode;
use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use db::{EndpointId, TenantId, TenantScope};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::forward::create_endpoint::{AuthWish, EndpointWish, Filter, create};
use crate::forward::store::endpoints::{self as store, EndpointRow};
use crate::forward::update_endpoint::{ChangeWish, update};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(create_endpoint)
        .service(list_endpoints)
        .service(find_endpoint)
        .service(update_endpoint)
        .service(find_endpoint_status);
}

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EndpointKind {
    /// FHIR R4 transactions.
    Fhir,
}

/// How Afferent shows itself, without the secret.
#[derive(Debug, Serialize, ToSchema)]
struct AuthView {
    /// `none` or `bearer`.
    kind: String,
}

/// A customer's EHR.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    /// Its id.
    id: EndpointId,
    /// Whose it is.
    tenant: TenantId,
    /// Its name.
    name: String,
    /// What it speaks.
    kind: EndpointKind,
    /// Its FHIR base.
    url: String,
    /// How Afferent shows itself there.
    auth: AuthView,
    /// What goes there.
    filter: Filter,
    /// Which of a Patient's identifiers it knows; absent: the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_identifier_system: Option<String>,
    /// Whether Patients that it does not know are created there.
    create_patients: bool,
    /// False: paused. What comes meanwhile waits.
    active: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// A new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewEndpoint {
    /// Whose; may be left out by a caller with just one tenant.
    tenant: Option<TenantId>,
    /// 1 to 200 characters.
    name: String,
    /// What it speaks.
    #[serde(rename = "kind")]
    _kind: EndpointKind,
    /// Its FHIR R4 base, such as `https://ehr.example.org/fhir`. Private and loopback addresses only where the operator
    /// allows them (`AFFERENT_OUTBOUND_ALLOW`).
    url: String,
    /// How Afferent shows itself there.
    auth: AuthWish,
    /// What goes there; absent: everything.
    #[serde(default)]
    filter: Filter,
    /// Which of a Patient's identifiers it knows; absent: the first one.
    patient_identifier_system: Option<String>,
    /// Whether Patients that it does not know are created there.
    #[serde(default)]
    create_patients: bool,
    /// False: it starts paused.
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

/// What may change; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointChange {
    /// Another name.
    name: Option<String>,
    /// Another FHIR base.
    url: Option<String>,
    /// Another credential.
    auth: Option<AuthWish>,
    /// Another filter, as a whole; for what comes from now on.
    filter: Option<Filter>,
    /// Another system; null for the first identifier, whichever it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    patient_identifier_system: Option<Option<String>>,
    /// Whether Patients that it does not know are created there.
    create_patients: Option<bool>,
    /// False pauses, true resumes.
    active: Option<bool>,
}

/// Tells `null` (inner none) from an absent field (outer none).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Whether an endpoint's circuit lets requests through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Breaker {
    /// Requests go through.
    Closed,
    /// No request is sent until `closedUntil`.
    Open,
    /// The next request tries whether it works again.
    HalfOpen,
}

/// How an endpoint is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EndpointStatus {
    /// Deliveries that wait.
    pending: i64,
    /// Deliveries that were given up.
    dead: i64,
    /// Age of the oldest that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_pending_seconds: Option<i64>,
    /// Its circuit breaker.
    breaker: Breaker,
    /// Until when no request is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    failures: i32,
    /// The last failure, until something works again.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When it last took something, to ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<DateTime<Utc>>,
}

/// Which endpoints.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EndpointQuery {
    /// Of one tenant only.
    tenant: Option<TenantId>,
}

fn view(row: EndpointRow) -> Endpoint {
    Endpoint {
        id: row.id,
        tenant: row.tenant_id,
        name: row.name,
        kind: EndpointKind::Fhir,
        url: row.url,
        auth: AuthView { kind: row.auth_kind },
        filter: Filter {
            codes: row.filter_codes,
            except_codes: row.filter_except_codes,
            patients: row.filter_patients,
        },
        patient_identifier_system: row.patient_identifier_system,
        create_patients: row.create_patients,
        active: row.active,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// The scope of a caller, and the endpoint in it.
pub(super) async fn find(caller: &Caller, app: &AppData, id: EndpointId) -> Result<(TenantScope, EndpointRow), Error> {
    let missing = || Error::not_found("endpoint");
    let scope = caller.operations(app, None).await?.ok_or_else(missing)?;
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::find_endpoint(&mut transaction, &scope.tenants(), id).await?;
    transaction.commit().await?;
    let row = row.ok_or_else(missing)?;
    Ok((TenantScope::one(row.tenant_id), row))
}

/// Create an endpoint
///
/// From now on, Observations that match its filter are delivered there.
#[utoipa::path(tag = "forward", request_body = NewEndpoint, responses((status = 201, body = Endpoint), Problems))]
#[post("/endpoints")]
async fn create_endpoint(caller: Caller, app: AppData, body: Json<NewEndpoint>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_tenant(), "create endpoints")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    let wish = EndpointWish {
        name: wish.name,
        url: wish.url,
        auth: wish.auth,
        filter: wish.filter,
        patient_identifier_system: wish.patient_identifier_system,
        create_patients: wish.create_patients,
        active: wish.active,
    };
    let row = create(&app, &scope, tenant, wish).await?;
    Ok(HttpResponse::build(StatusCode::CREATED)
        .insert_header(("Location", format!("/api/v1/endpoints/{}", row.id)))
        .json(view(row)))
}

/// List endpoints
#[utoipa::path(tag = "forward", params(EndpointQuery, PageQuery), responses((status = 200, body = Page<Endpoint>), Problems))]
#[get("/endpoints")]
async fn list_endpoints(
    caller: Caller,
    app: AppData,
    query: Query<EndpointQuery>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Endpoint>>> {
    let limit = page.limit()?;
    let mut rows = Vec::new();
    if let Some(scope) = caller.operations(&app, query.tenant).await? {
        let mut transaction = scope.begin(&app.db).await?;
        rows = store::list_endpoints(&mut transaction, &scope.tenants(), page.after(), limit + 1).await?;
        transaction.commit().await?;
    }
    Ok(Json(Page::from_rows(rows.into_iter().map(view).collect(), limit, |endpoint: &Endpoint| endpoint.id.0)))
}

/// Read an endpoint
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path)), responses((status = 200, body = Endpoint), Problems))]
#[get("/endpoints/{id}")]
async fn find_endpoint(caller: Caller, app: AppData, id: Path<EndpointId>) -> ApiResult<Json<Endpoint>> {
    let (_scope, row) = find(&caller, &app, *id).await?;
    Ok(Json(view(row)))
}

/// Change an endpoint
///
/// `active: false` pauses it: what comes meanwhile waits. Any change closes its circuit breaker.
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path)), request_body = EndpointChange, responses((status = 200, body = Endpoint), Problems))]
#[patch("/endpoints/{id}")]
async fn update_endpoint(
    caller: Caller,
    app: AppData,
    id: Path<EndpointId>,
    body: Json<EndpointChange>,
) -> ApiResult<Json<Endpoint>> {
    let (scope, _row) = find(&caller, &app, *id).await?;
    caller.require(caller.role().manages_tenant(), "change endpoints")?;
    let change = body.into_inner();
    let wish = ChangeWish {
        name: change.name,
        url: change.url,
        auth: change.auth,
        filter: change.filter,
        patient_identifier_system: change.patient_identifier_system,
        create_patients: change.create_patients,
        active: change.active,
    };
    Ok(Json(view(update(&app, &scope, *id, wish).await?)))
}

/// Read how an endpoint is doing
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path)), responses((status = 200, body = EndpointStatus), Problems))]
#[get("/endpoints/{id}/status")]
async fn find_endpoint_status(caller: Caller, app: AppData, id: Path<EndpointId>) -> ApiResult<Json<EndpointStatus>> {
    let (scope, row) = find(&caller, &app, *id).await?;
    let mut transaction = scope.begin(&app.db).await?;
    let counted = store::endpoint_status(&mut transaction, row.tenant_id, row.id).await?;
    transaction.commit().await?;
    let now = app.clock.now();
    let retry_at = row.closed_until.filter(|until| *until > now);
    Ok(Json(EndpointStatus {
        pending: counted.pending,
        dead: counted.dead,
        oldest_pending_seconds: counted.oldest_pending.map(|since| (now - since).num_seconds().max(0)),
        breaker: match (retry_at, row.closed_until) {
            (Some(_), _) => Breaker::Open,
            (None, Some(_)) => Breaker::HalfOpen,
            (None, None) => Breaker::Closed,
        },
        retry_at,
        failures: row.failures,
        last_error: row.last_error,
        last_success_at: row.last_success_at,
    }))
}
