//! REST of deliveries: what waits, what was given up and why, what arrived; and sending again.

use actix_web::web::{Json, Path, Query};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use db::{DeliveryId, EndpointId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::endpoints::find;
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::forward::replay_deliveries::{ReplayState, replay_many, replay_one};
use crate::forward::store::deliveries::{self as store, DeliveryRow, LogRow, Wanted};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_deliveries).service(replay_deliveries).service(replay_delivery);
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeliveryState {
    /// It waits for its turn, or for its next attempt.
    Pending,
    /// It was given up and waits for a person.
    Dead,
    /// It arrived.
    Delivered,
    /// There was nothing to deliver any more: the resource was deleted here.
    Cancelled,
}

/// One resource on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    /// Its id.
    id: DeliveryId,
    /// Whose.
    tenant: TenantId,
    /// Where to.
    endpoint: EndpointId,
    /// Where it is.
    state: DeliveryState,
    /// `Observation`.
    resource_type: String,
    /// The resource's id here.
    resource_id: String,
    /// The version that is to arrive, or has.
    version: i32,
    /// Attempts that reached the endpoint, or may have.
    attempts: i32,
    /// Since when it waits.
    created_at: DateTime<Utc>,
    /// When it is tried next, at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// HTTP status of the last failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i32>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reason: Option<String>,
    /// What the endpoint said last, an `OperationOutcome` if it can; it may name the patient, and only people of the tenant
    /// who may see patients get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_outcome: Option<String>,
    /// Where it is over there, if the endpoint said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// Of one tenant only.
    tenant: Option<TenantId>,
    /// Of one endpoint only.
    endpoint: Option<EndpointId>,
    /// In one state only; all when absent.
    #[param(inline)]
    state: Option<DeliveryState>,
}

/// Which deliveries to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// Of this endpoint.
    endpoint: EndpointId,
    /// Given up or delivered from then on; needed for `delivered`.
    from: Option<DateTime<Utc>>,
    /// And before then.
    until: Option<DateTime<Utc>>,
    /// Those that were given up, or those that were delivered.
    state: ReplayState,
}

/// How many deliveries are sent again.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// Deliveries. Of delivered ones at most 10000 a call: call again until it is 0.
    replayed: usize,
}

fn waiting(row: DeliveryRow, sees_patients: bool) -> Delivery {
    let pending = row.state == "pending";
    Delivery {
        id: row.id,
        tenant: row.tenant_id,
        endpoint: row.endpoint_id,
        state: if pending { DeliveryState::Pending } else { DeliveryState::Dead },
        resource_type: row.resource_type,
        resource_id: row.resource_id,
        version: row.version,
        attempts: row.attempts,
        created_at: row.created_at,
        next_attempt_at: pending.then_some(row.next_attempt_at),
        finished_at: None,
        last_status: row.last_status,
        last_reason: row.last_reason,
        last_outcome: row.last_outcome.filter(|_words| sees_patients),
        location: None,
    }
}

fn finished(row: LogRow) -> Delivery {
    Delivery {
        id: row.id,
        tenant: row.tenant_id,
        endpoint: row.endpoint_id,
        state: if row.outcome == "delivered" { DeliveryState::Delivered } else { DeliveryState::Cancelled },
        resource_type: row.resource_type,
        resource_id: row.resource_id,
        version: row.version,
        attempts: row.attempts,
        created_at: row.created_at,
        next_attempt_at: None,
        finished_at: Some(row.finished_at),
        last_status: None,
        last_reason: None,
        last_outcome: None,
        location: row.location,
    }
}

/// List deliveries
///
/// Those that wait, were given up, or are over, oldest first.
#[utoipa::path(tag = "forward", params(DeliveryQuery, PageQuery), responses((status = 200, body = Page<Delivery>), Problems))]
#[get("/deliveries")]
async fn list_deliveries(
    caller: Caller,
    app: AppData,
    query: Query<DeliveryQuery>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Delivery>>> {
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let wanted = Wanted { tenants: scope.tenants(), endpoint: query.endpoint, after: page.after(), limit: limit + 1 };
    let mut transaction = scope.begin(&app.db).await?;
    let mut items: Vec<Delivery> = Vec::new();
    let unfinished = match query.state {
        None => Some(None),
        Some(DeliveryState::Pending) => Some(Some("pending")),
        Some(DeliveryState::Dead) => Some(Some("dead")),
        Some(DeliveryState::Delivered | DeliveryState::Cancelled) => None,
    };
    if let Some(state) = unfinished {
        let sees_patients = caller.role().is_clinical();
        items.extend(
            store::list(&mut transaction, &wanted, state).await?.into_iter().map(|row| waiting(row, sees_patients)),
        );
    }
    let over = match query.state {
        None => Some(None),
        Some(DeliveryState::Delivered) => Some(Some("delivered")),
        Some(DeliveryState::Cancelled) => Some(Some("cancelled")),
        Some(DeliveryState::Pending | DeliveryState::Dead) => None,
    };
    if let Some(outcome) = over {
        items.extend(store::list_log(&mut transaction, &wanted, outcome).await?.into_iter().map(finished));
    }
    transaction.commit().await?;
    items.sort_by_key(|delivery| delivery.id);
    Ok(Json(Page::from_rows(items, limit, |delivery: &Delivery| delivery.id.0)))
}

/// Send deliveries again
///
/// Those of an endpoint that were given up, or that were delivered in a period. What the endpoint has already does not
/// appear there twice: the Observation's identifier stays the same.
#[utoipa::path(tag = "forward", request_body = Replay, responses((status = 200, body = Replayed), Problems))]
#[post("/deliveries/replay")]
async fn replay_deliveries(caller: Caller, app: AppData, body: Json<Replay>) -> ApiResult<Json<Replayed>> {
    let (scope, _endpoint) = find(&caller, &app, body.endpoint).await?;
    caller.require(caller.role().manages_tenant(), "send deliveries again")?;
    let period = (body.from, body.until);
    let replayed = replay_many(&app, &scope, body.endpoint, body.state, period).await?;
    Ok(Json(Replayed { replayed }))
}

/// Send a delivery again
#[utoipa::path(tag = "forward", params(("id" = DeliveryId, Path)), responses((status = 200, body = Replayed), Problems))]
#[post("/deliveries/{id}/replay")]
async fn replay_delivery(caller: Caller, app: AppData, id: Path<DeliveryId>) -> ApiResult<Json<Replayed>> {
    let scope = caller.operations(&app, None).await?.ok_or_else(|| Error::not_found("delivery"))?;
    caller.require(caller.role().manages_tenant(), "send deliveries again")?;
    let replayed = replay_one(&app, &scope, *id).await?;
    Ok(Json(Replayed { replayed }))
}
