//! REST of replays.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use db::{ReplayId, ReplayItemId, TenantId, TenantScope, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::begin::{self, Wish};
use super::carry_out::MOST_ITEMS;
use super::model::{FieldChange, ReplayCounts, ReplayScope};
use super::store::{self, ItemRow, JobRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::{Caller, Role};
use crate::ingest::held::check_reason;
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_replay)
        .service(list_replays)
        .service(find_replay)
        .service(list_replay_items)
        .service(cancel_replay)
        .service(resume_replay);
}

/// Uplinks to be decoded again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReplay {
    /// Whose uplinks; may be left out by whoever has just one tenant.
    pub tenant: Option<TenantId>,
    /// Which of them, and with which decoder.
    pub scope: ReplayScope,
    /// Only say what would be done: `true` unless it is said otherwise.
    #[serde(default = "yes")]
    pub dry_run: bool,
    /// Why, for the record of corrections; it never leaves for an EHR.
    pub reason: String,
}

fn yes() -> bool {
    true
}

/// Uplinks that are decoded again, and how far that has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// Whose uplinks.
    pub tenant: TenantId,
    /// Which of them, and with which decoder.
    pub scope: ReplayScope,
    /// Whether it only says what would be done.
    pub dry_run: bool,
    /// Why.
    pub reason: String,
    /// `running`, `cancelled` or `done`.
    pub state: String,
    /// Uplinks that it is about; absent until they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// What became of them so far, or would.
    pub counts: ReplayCounts,
    /// Items that are kept one by one; the rest is only counted.
    pub items: i64,
    /// Items that are kept at most.
    pub items_limit: i64,
    /// Uplinks a second, from its beginning to its last page; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplinks_per_second: Option<u64>,
    /// Why the last attempt did not get on; it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last got on.
    pub updated_at: DateTime<Utc>,
}

impl TryFrom<JobRow> for Replay {
    type Error = Error;

    fn try_from(row: JobRow) -> Result<Self, Error> {
        let counts: ReplayCounts = serde_json::from_value(row.counts).map_err(Error::internal)?;
        let elapsed = u64::try_from((row.updated_at - row.created_at).num_milliseconds()).unwrap_or_default();
        Ok(Self {
            id: row.id,
            tenant: row.tenant_id,
            scope: serde_json::from_value(row.scope).map_err(Error::internal)?,
            dry_run: row.dry_run,
            reason: row.reason,
            state: row.state,
            total: row.total,
            uplinks_per_second: (counts.uplinks * 1000).checked_div(elapsed),
            counts,
            items: row.items,
            items_limit: MOST_ITEMS,
            failure: row.failure,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// What a replay did to a reading or an uplink, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayItem {
    /// Its id.
    pub id: ReplayItemId,
    /// The uplink.
    pub uplink: UplinkId,
    /// `corrected`, `created`, `withdrawn`, `held`, `skipped` or `failed`.
    pub action: String,
    /// Why: of `skipped` for instance `changed-by-person`, `decided-by-person`, `another-wearer`, `other-uplink`,
    /// `settings-changed`, `bytes-gone`, `decoded-by-hub`, `joined`, `duplicate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Kind of the reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The FHIR Observation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observation: Option<String>,
    /// Which fields differ; their values for roles that may see patient data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
}

impl ReplayItem {
    fn of(row: ItemRow, clinical: bool) -> Result<Self, Error> {
        let changes = row.changes.map(serde_json::from_value::<Vec<FieldChange>>).transpose();
        let mut changes = changes.map_err(Error::internal)?.unwrap_or_default();
        if !clinical {
            for change in &mut changes {
                (change.before, change.after) = (None, None);
            }
        }
        Ok(Self {
            id: row.id,
            uplink: row.uplink_id,
            action: row.action,
            reason: row.reason,
            kind: row.kind,
            observation: row.observation_id,
            changes,
        })
    }
}

fn may_replay(caller: &Caller) -> Result<(), Error> {
    let allowed = matches!(caller.role(), Role::PlatformAdmin | Role::CustomerAdmin);
    caller.require(allowed, "replay uplinks")
}

async fn reach(caller: &Caller, app: &AppData) -> Result<TenantScope, Error> {
    caller.operations(app, None).await?.ok_or_else(|| Error::not_found("replay"))
}

/// Replay uplinks
///
/// Decodes a tenant's kept uplinks again: by id, time, model, device, quarantine or the decoder version that read them. With
/// `dryRun` (the default) nothing changes, and the items say what would. Otherwise a reading that says something else
/// becomes a new version of its Observation (`corrected`), one that is not there any more `entered-in-error`, one that is
/// new is stored for whoever wore the device then, and all of that travels to the EHRs. What a person changed or decided
/// stays as it is and is told. Answers 202: the work goes on in the background, `GET /replays/{id}` says how far it is.
#[utoipa::path(tag = "ingest", request_body = NewReplay, responses((status = 202, body = Replay, description = "Begun"), Problems))]
#[post("/replays")]
async fn create_replay(caller: Caller, app: AppData, body: Json<NewReplay>) -> ApiResult<HttpResponse> {
    may_replay(&caller)?;
    let body = body.into_inner();
    let (tenant, scope) = caller.creation(&app, body.tenant).await?;
    let wish = Wish {
        tenant,
        scope: body.scope,
        dry_run: body.dry_run,
        reason: check_reason(&body.reason)?,
        token: caller.principal.token,
    };
    let job = Replay::try_from(begin::begin(&app, &scope, wish).await?)?;
    let location = format!("/api/v1/replays/{}", job.id);
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(job))
}

/// Which replays.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReplayFilter {
    /// One tenant.
    pub tenant: Option<TenantId>,
}

/// List replays
///
/// Oldest first.
#[utoipa::path(tag = "ingest", params(ReplayFilter, PageQuery), responses((status = 200, body = Page<Replay>), Problems))]
#[get("/replays")]
async fn list_replays(
    caller: Caller,
    app: AppData,
    filter: Query<ReplayFilter>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Replay>>> {
    may_replay(&caller)?;
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, filter.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let rows = store::list(&mut transaction, &scope.tenants(), ReplayId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let rows = Page::from_rows(rows, limit, |row: &JobRow| row.id.0);
    let items = rows.items.into_iter().map(Replay::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: rows.next }))
}

/// Read a replay
///
/// How far it is, and what became of what.
#[utoipa::path(tag = "ingest", params(("id" = ReplayId, Path)), responses((status = 200, body = Replay), Problems))]
#[get("/replays/{id}")]
async fn find_replay(caller: Caller, app: AppData, id: Path<ReplayId>) -> ApiResult<Json<Replay>> {
    may_replay(&caller)?;
    let scope = reach(&caller, &app).await?;
    Ok(Json(find(&app, &scope, *id).await?.try_into()?))
}

/// Which items.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ItemFilter {
    /// Of one action, such as `corrected`.
    pub action: Option<String>,
}

/// List the items of a replay
///
/// What was done, or would be, to each reading; what stays the same is only counted. The first 10,000 are kept.
#[utoipa::path(
    tag = "ingest",
    params(("id" = ReplayId, Path), ItemFilter, PageQuery),
    responses((status = 200, body = Page<ReplayItem>), Problems)
)]
#[get("/replays/{id}/items")]
async fn list_replay_items(
    caller: Caller,
    app: AppData,
    id: Path<ReplayId>,
    filter: Query<ItemFilter>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<ReplayItem>>> {
    may_replay(&caller)?;
    let limit = page.limit()?;
    let scope = reach(&caller, &app).await?;
    let job = find(&app, &scope, *id).await?;
    let mut transaction = scope.begin(&app.db).await?;
    let after = ReplayItemId(page.after());
    let rows = store::items(&mut transaction, &job, filter.action.as_deref(), after, limit + 1).await?;
    transaction.commit().await?;
    let rows = Page::from_rows(rows, limit, |row: &ItemRow| row.id.0);
    let clinical = caller.role().is_clinical();
    let items = rows.items.into_iter().map(|row| ReplayItem::of(row, clinical)).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: rows.next }))
}

/// Cancel a replay
///
/// It stops after the page that it is at. What was done stays done; it can be resumed.
#[utoipa::path(tag = "ingest", params(("id" = ReplayId, Path)), responses((status = 200, body = Replay), Problems))]
#[post("/replays/{id}/cancel")]
async fn cancel_replay(caller: Caller, app: AppData, id: Path<ReplayId>) -> ApiResult<Json<Replay>> {
    may_replay(&caller)?;
    let scope = reach(&caller, &app).await?;
    Ok(Json(begin::cancel(&app, &scope, *id).await?.try_into()?))
}

/// Resume a replay
///
/// A cancelled replay goes on where it stopped.
#[utoipa::path(tag = "ingest", params(("id" = ReplayId, Path)), responses((status = 200, body = Replay), Problems))]
#[post("/replays/{id}/resume")]
async fn resume_replay(caller: Caller, app: AppData, id: Path<ReplayId>) -> ApiResult<Json<Replay>> {
    may_replay(&caller)?;
    let scope = reach(&caller, &app).await?;
    Ok(Json(begin::resume(&app, &scope, *id).await?.try_into()?))
}

async fn find(app: &AppData, scope: &TenantScope, id: ReplayId) -> Result<JobRow, Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let job = store::find(&mut transaction, &scope.tenants(), id).await?;
    transaction.commit().await?;
    job.ok_or_else(|| Error::not_found("replay"))
}
