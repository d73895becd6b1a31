//! REST of assignments: who wears a device when. Of the patient only the id is shown.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, patch, post};
use chrono::{DateTime, SubsecRound, Utc};
use db::{AssignmentId, DeviceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{created, reach};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::store::assignment::AssignmentRow;
use crate::fleet::{assign_device, store};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};
use crate::wiring;

pub fn routes(config: &mut ServiceConfig) {
    config.service(create_assignment).service(list_assignments).service(update_assignment);
}

/// Who wore a device when.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// The device.
    pub device: DeviceId,
    /// The Patient's FHIR id, in the device's tenant.
    pub patient: String,
    /// From then on,
    pub from: DateTime<Utc>,
    /// until right before then; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// User slot of a shared device; absent for the only wearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
}

/// What a new assignment needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAssignment {
    /// The Patient, as its FHIR id or `Patient/<id>`.
    pub patient: String,
    /// RFC 3339, may lie in the past.
    pub from: DateTime<Utc>,
    /// RFC 3339, exclusive; left out while it lasts.
    pub until: Option<DateTime<Utc>>,
    /// User slot of a shared device, as the device names it.
    pub slot: Option<String>,
    /// Take in readings of the period that were kept as unassigned, for roles that may see patient data. Otherwise they are
    /// offered (`GET /held-readings`, `suggestedPatient`), or taken when the device sends them again.
    #[serde(default)]
    pub take_unassigned: bool,
}

/// The end of an assignment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignmentChange {
    /// RFC 3339, exclusive, after the beginning.
    pub until: DateTime<Utc>,
}

impl From<AssignmentRow> for Assignment {
    fn from(row: AssignmentRow) -> Self {
        Self {
            id: row.id,
            device: row.device_id,
            patient: row.patient_id,
            from: row.worn_from,
            until: row.worn_until,
            slot: Some(row.slot).filter(|slot| !slot.is_empty()),
            created_at: row.created_at,
        }
    }
}

/// As Postgres keeps it, so that what is answered now and what is read later are the same.
fn kept(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// Create an assignment
///
/// Every role may record who wears a device of its tenants: a nurse hands it over, a warehouse prepares it.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), request_body = NewAssignment, responses((status = 201, body = Assignment), Problems))]
#[post("/devices/{id}/assignments")]
async fn create_assignment(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    body: Json<NewAssignment>,
) -> ApiResult<HttpResponse> {
    let scope = reach(&caller, &app, "device").await?;
    let wish = body.into_inner();
    if wish.take_unassigned {
        caller.require(caller.role().is_clinical(), "decide whose readings are whose (`takeUnassigned`)")?;
    }
    let take_unassigned = wish.take_unassigned;
    let wish = assign_device::NewAssignment {
        patient: wish.patient,
        from: kept(wish.from),
        until: wish.until.map(kept),
        slot: wish.slot.unwrap_or_default(),
    };
    let row = assign_device::assign(&app, &scope, *id, wish).await?;
    if take_unassigned {
        wiring::unassigned_wanted(&app, &row, caller.principal.token).await?;
    }
    let assignment = Assignment::from(row);
    Ok(created(format!("/api/v1/devices/{id}/assignments/{}", assignment.id), assignment))
}

/// List a device's assignments
///
/// In the order in which they were recorded.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path), PageQuery), responses((status = 200, body = Page<Assignment>), Problems))]
#[get("/devices/{id}/assignments")]
async fn list_assignments(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Assignment>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "device").await?;
    let tenants = scope.tenants();
    let mut transaction = scope.begin(&app.db).await?;
    store::device::find_device(&mut transaction, &tenants, *id).await?.ok_or_else(|| Error::not_found("device"))?;
    let rows =
        store::assignment::list_assignments(&mut transaction, &tenants, *id, AssignmentId(page.after()), limit + 1)
            .await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Assignment::from).collect();
    Ok(Json(Page::from_rows(items, limit, |assignment: &Assignment| assignment.id.0)))
}

/// End an assignment
///
/// Sets its end, which may be corrected later. Readings that are stored already keep their subject.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path), ("assignment" = AssignmentId, Path)), request_body = AssignmentChange, responses((status = 200, body = Assignment), Problems))]
#[patch("/devices/{id}/assignments/{assignment}")]
async fn update_assignment(
    caller: Caller,
    app: AppData,
    path: Path<(DeviceId, AssignmentId)>,
    body: Json<AssignmentChange>,
) -> ApiResult<Json<Assignment>> {
    let scope = reach(&caller, &app, "device").await?;
    let (device, assignment) = path.into_inner();
    let row = assign_device::end_assignment(&app, &scope, device, assignment, kept(body.until)).await?;
    Ok(Json(row.into()))
}
