//! REST of reassignments.

use std::time::{Duration, Instant};

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, SubsecRound, Utc};
use db::{DeviceId, ReassignmentId, TenantId, TenantScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::begin::{self, Wish};
use super::carry_out::{Progress, note, step};
use super::store::{self, JobRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::Caller;
use crate::ingest::held::check_reason;
use crate::platform::page::{Page, PageQuery};

/// How long a request goes on with its own job before it leaves the rest to the background.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Ids that a dry run shows.
const SHOWN: usize = 1_000;

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(create_reassignment).service(list_reassignments).service(find_reassignment);
}

/// Who really wore a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReassignment {
    /// The Patient who wore it, as its FHIR id or `Patient/<id>`.
    pub patient: String,
    /// From then on: RFC 3339.
    pub from: DateTime<Utc>,
    /// Exclusive; left out: until now and on.
    pub until: Option<DateTime<Utc>>,
    /// User slot of a shared device.
    pub slot: Option<String>,
    /// Why, for the record of corrections; it never leaves for an EHR.
    pub reason: String,
    /// Take in readings of the period that nobody wore the device for, too.
    #[serde(default)]
    pub take_unassigned: bool,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a reassignment would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReassignmentPreview {
    /// Assignments of other people that would be shortened, split or replaced.
    pub assignments: usize,
    /// Observations that would be withdrawn and made anew.
    pub found: usize,
    /// Their ids, the first 1,000.
    pub observations: Vec<String>,
}

/// The correction of who wore a device in a period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reassignment {
    /// Its id.
    pub id: ReassignmentId,
    /// Whose device.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// The right person.
    pub patient: String,
    /// From then on,
    pub from: DateTime<Utc>,
    /// until right before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// User slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// `running` or `done`.
    pub state: String,
    /// Observations that had to be moved; absent until they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<i32>,
    /// Those that are moved: the old one is `entered-in-error`, a new one is there.
    pub moved: i32,
    /// Unassigned readings that were taken in.
    pub taken: i32,
    /// Why the last attempt did not get on (it is tried again); `not-all-moved` when some Observations could not be, because
    /// they are withdrawn already or were changed by a client: look at them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last got on.
    pub updated_at: DateTime<Utc>,
}

impl From<JobRow> for Reassignment {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant_id,
            device: row.device_id,
            patient: row.patient_id,
            from: row.period_from,
            until: row.period_until,
            slot: Some(row.slot).filter(|slot| !slot.is_empty()),
            state: row.state,
            found: row.found,
            moved: row.moved,
            taken: row.taken,
            failure: row.failure,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

async fn reach(caller: &Caller, app: &AppData, what: &str) -> Result<TenantScope, Error> {
    caller.operations(app, None).await?.ok_or_else(|| Error::not_found(what))
}

/// Reassign a device for a period
///
/// Staff found out later who really wore it. The assignments are rewritten at once (what was there is kept as history), so
/// that readings which arrive from now on are the right person's; then every Observation measured in the period under
/// somebody else becomes `entered-in-error`, and a new one of the right person takes its place. Both go to the EHRs. Answers
/// 201 when that is done, 202 while it goes on in the background. With `dryRun` nothing changes: 200 with the counts.
/// Readings that were claimed one by one keep the person who was named.
#[utoipa::path(
    tag = "ingest",
    params(("id" = DeviceId, Path)),
    request_body = NewReassignment,
    responses(
        (status = 201, body = Reassignment, description = "Done"),
        (status = 202, body = Reassignment, description = "Begun; the rest follows in the background"),
        (status = 200, body = ReassignmentPreview, description = "What would be done (`dryRun`)"),
        Problems
    )
)]
#[post("/devices/{id}/reassignments")]
async fn create_reassignment(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    body: Json<NewReassignment>,
) -> ApiResult<HttpResponse> {
    let (scope, tenant) = reach_clinically(&caller, &app, *id).await?;
    let body = body.into_inner();
    let wish = Wish {
        device: *id,
        slot: body.slot.unwrap_or_default(),
        patient: body.patient,
        from: body.from.trunc_subsecs(6),
        until: body.until.map(|until| until.trunc_subsecs(6)),
        reason: check_reason(&body.reason)?,
        take_unassigned: body.take_unassigned,
        token: caller.principal.token,
    };
    if body.dry_run {
        let foreseen = begin::foresee(&app, &scope, &wish).await?;
        let found = foreseen.observations.len();
        let observations = foreseen.observations.into_iter().take(SHOWN).collect();
        return Ok(HttpResponse::Ok().json(ReassignmentPreview {
            assignments: foreseen.assignments,
            found,
            observations,
        }));
    }
    let job = begin::begin(&app, &scope, &wish).await?;
    let started = Instant::now();
    let mut progress = Progress::More;
    while progress == Progress::More && started.elapsed() < AT_ONCE {
        progress = match step(&app, tenant, job.id).await {
            Ok(progress) => progress,
            Err(error) => {
                note(&app, tenant, job.id, &error).await;
                break;
            }
        };
    }
    let now = Reassignment::from(find(&app, &scope, job.id).await?);
    let location = format!("/api/v1/reassignments/{}", now.id);
    let mut answer = if now.state == "done" { HttpResponse::Created() } else { HttpResponse::Accepted() };
    Ok(answer.insert_header(("Location", location)).json(now))
}

/// The tenant of a device, for someone who may decide about its patients.
async fn reach_clinically(caller: &Caller, app: &AppData, id: DeviceId) -> Result<(TenantScope, TenantId), Error> {
    let scope = reach(caller, app, "device").await?;
    let tenant = crate::fleet::tenant_of_device(app, &scope, id).await?;
    caller.require(caller.role().is_clinical(), "decide whose readings are whose")?;
    Ok((TenantScope::one(tenant), tenant))
}

async fn find(app: &AppData, scope: &TenantScope, id: ReassignmentId) -> Result<JobRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let job = store::find(&mut transaction, &scope.tenants(), id).await?;
    transaction.commit().await?;
    job.ok_or_else(|| Error::not_found("reassignment"))
}

/// Read a reassignment
///
/// How far it has come.
#[utoipa::path(tag = "ingest", params(("id" = ReassignmentId, Path)), responses((status = 200, body = Reassignment), Problems))]
#[get("/reassignments/{id}")]
async fn find_reassignment(caller: Caller, app: AppData, id: Path<ReassignmentId>) -> ApiResult<Json<Reassignment>> {
    let scope = reach(&caller, &app, "reassignment").await?;
    Ok(Json(find(&app, &scope, *id).await?.into()))
}

/// List a device's reassignments
///
/// Oldest first.
#[utoipa::path(tag = "ingest", params(("id" = DeviceId, Path), PageQuery), responses((status = 200, body = Page<Reassignment>), Problems))]
#[get("/devices/{id}/reassignments")]
async fn list_reassignments(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Reassignment>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "device").await?;
    crate::fleet::tenant_of_device(&app, &scope, *id).await?;
    let mut transaction = scope.begin(&app.db).await?;
    let after = ReassignmentId(page.after());
    let rows = store::list(&mut transaction, &scope.tenants(), *id, after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Reassignment::from).collect();
    Ok(Json(Page::from_rows(items, limit, |job: &Reassignment| job.id.0)))
}
