//! REST of held readings and of the record of corrections.

use actix_web::web::{Json, Path, Query};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use db::{ApiTokenId, DeviceId, HeldReadingId, ReadingCorrectionId, ReassignmentId, TenantId, TenantScope, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::decide::{self, Decision};
use super::model::{Action, MOST_AT_ONCE, check_reason};
use super::store::{self, CorrectionFilter, CorrectionRow, HeldItem, ListFilter};
use super::{again, discard};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::Caller;
use crate::ingest::interpret;
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_held_readings)
        .service(claim_held_readings)
        .service(find_held_reading)
        .service(claim_held_reading)
        .service(release_held_reading)
        .service(discard_held_reading)
        .service(list_reading_corrections);
}

/// A reading that waits for a person, or waited.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldReading {
    /// Its id.
    pub id: HeldReadingId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The device that measured it.
    pub device: DeviceId,
    /// User slot that the payload names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Kind of vital.
    pub kind: String,
    /// `unassigned` (claim it), `record-changed`, or a condition such as `outside-hard-range` (release it).
    pub reason: String,
    /// The reason as a sentence.
    pub detail: String,
    /// `open`, `claimed`, `released`, `taken`, `discarded`, or `expired` when nobody decided in time.
    pub state: String,
    /// When it was measured, as far as is known.
    pub measured_at: DateTime<Utc>,
    /// When the server got it.
    pub received_at: DateTime<Utc>,
    /// The uplink that brought it.
    pub uplink: UplinkId,
    /// Who is recorded as wearing the device at that time by now: the reading came before the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_patient: Option<String>,
    /// Whose it is, once that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// The Observation that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observation: Option<String>,
    /// When it was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<DateTime<Utc>>,
    /// For roles that may see patient data: the FHIR Observation that it would be, without subject and identifier. Absent
    /// when the bytes are gone or are read otherwise by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub preview: Option<serde_json::Value>,
}

impl From<HeldItem> for HeldReading {
    fn from(item: HeldItem) -> Self {
        Self {
            id: item.id,
            tenant: item.tenant_id,
            device: item.device_id,
            slot: Some(item.slot).filter(|slot| !slot.is_empty()),
            kind: item.kind,
            reason: item.reason,
            detail: item.detail,
            state: item.state,
            measured_at: item.measured_at,
            received_at: item.received_at,
            uplink: item.uplink_id,
            suggested_patient: item.suggested_patient,
            patient: item.patient_id,
            observation: item.observation_id,
            settled_at: item.settled_at,
            preview: None,
        }
    }
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HeldQuery {
    /// One tenant.
    pub tenant: Option<TenantId>,
    /// One device.
    pub device: Option<DeviceId>,
    /// One reason, such as `unassigned`.
    pub reason: Option<String>,
    /// `open` (the default), `claimed`, `released`, `taken`, `discarded` or `expired`.
    pub state: Option<String>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

/// The value of a reading, for those who may see it.
async fn preview(app: &AppData, item: &HeldItem) -> Option<serde_json::Value> {
    let kept = again::load(app, item).await.ok()?;
    let context_at = item.received_at;
    let submission = again::read(app, item, kept).await.ok()?;
    let found = submission.readings().first()?;
    let context = interpret::InterpretContext::new(context_at, chrono_tz::UTC);
    let text = interpret::preview(&found.interpreted, &context, &app.tables).ok()?;
    let mut observation: serde_json::Value = serde_json::from_str(&text).ok()?;
    let fields = observation.as_object_mut()?;
    for made_up in ["id", "meta", "identifier", "subject", "device"] {
        fields.remove(made_up);
    }
    Some(observation)
}

async fn view(app: &AppData, caller: &Caller, item: HeldItem) -> HeldReading {
    let shown = if caller.role().is_clinical() && item.state == "open" { preview(app, &item).await } else { None };
    HeldReading { preview: shown, ..item.into() }
}

/// List held readings
///
/// Readings that are kept and are not a result: nobody wore the device then (`unassigned`), the value cannot be believed, or
/// a stored record came again with other content. In the order in which they came.
#[utoipa::path(tag = "ingest", params(HeldQuery), responses((status = 200, body = Page<HeldReading>), Problems))]
#[get("/held-readings")]
async fn list_held_readings(
    caller: Caller,
    app: AppData,
    query: Query<HeldQuery>,
) -> ApiResult<Json<Page<HeldReading>>> {
    let query = query.into_inner();
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let state = query.state.unwrap_or_else(|| "open".to_owned());
    if !["open", "claimed", "released", "taken", "discarded", "expired"].contains(&state.as_str()) {
        return Err(Error::field(
            "?state",
            "the state is `open`, `claimed`, `released`, `taken`, `discarded` or `expired`",
        )
        .into());
    }
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let filter = ListFilter { device: query.device, reason: query.reason, state, ..ListFilter::default() };
    let mut transaction = scope.begin(&app.db).await?;
    let rows = store::list(&mut transaction, &scope.tenants(), &filter, HeldReadingId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let rows = Page::from_rows(rows, limit, |item: &HeldItem| item.id.0);
    let mut items = Vec::with_capacity(rows.items.len());
    for item in rows.items {
        items.push(view(&app, &caller, item).await);
    }
    Ok(Json(Page { items, next: rows.next }))
}

async fn find(caller: &Caller, app: &AppData, id: HeldReadingId) -> Result<HeldItem, Error> {
    let not_there = || Error::not_found("held reading");
    let scope = caller.operations(app, None).await?.ok_or_else(not_there)?;
    let mut transaction = scope.begin(&app.db).await?;
    let item = store::find(&mut transaction, &scope.tenants(), id).await?;
    transaction.commit().await?;
    item.ok_or_else(not_there)
}

/// The same for someone who decides: it is patient data then.
async fn find_to_decide(caller: &Caller, app: &AppData, id: HeldReadingId) -> Result<HeldItem, Error> {
    let item = find(caller, app, id).await?;
    caller.require(caller.role().is_clinical(), "decide about readings of patients")?;
    Ok(item)
}

/// Read a held reading
#[utoipa::path(tag = "ingest", params(("id" = HeldReadingId, Path)), responses((status = 200, body = HeldReading), Problems))]
#[get("/held-readings/{id}")]
async fn find_held_reading(caller: Caller, app: AppData, id: Path<HeldReadingId>) -> ApiResult<Json<HeldReading>> {
    let item = find(&caller, &app, *id).await?;
    Ok(Json(view(&app, &caller, item).await))
}

/// Whose a reading is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// The Patient, as its FHIR id or `Patient/<id>`.
    pub patient: String,
    /// Why, for the record of corrections; it never leaves for an EHR.
    pub reason: String,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Because {
    /// For the record of corrections; it never leaves for an EHR.
    pub reason: String,
}

async fn decided(
    caller: &Caller,
    app: &AppData,
    item: &HeldItem,
    action: Action,
    reason: String,
) -> Result<HeldReading, Error> {
    let decision = Decision { action, token: caller.principal.token, reason };
    decide::one(app, item, &decision).await?;
    Ok(find(caller, app, item.id).await?.into())
}

/// Claim a held reading
///
/// Says whose an unassigned reading is: it becomes an Observation of that patient and goes to the EHR. This says nothing
/// about who wore the device otherwise; for a whole period, create an assignment with `takeUnassigned`. Where somebody else
/// is recorded as wearing the device at that time, the answer is 409.
#[utoipa::path(tag = "ingest", params(("id" = HeldReadingId, Path)), request_body = Claim, responses((status = 200, body = HeldReading), Problems))]
#[post("/held-readings/{id}/claim")]
async fn claim_held_reading(
    caller: Caller,
    app: AppData,
    id: Path<HeldReadingId>,
    body: Json<Claim>,
) -> ApiResult<Json<HeldReading>> {
    let item = find_to_decide(&caller, &app, *id).await?;
    let reason = check_reason(&body.reason)?;
    let patient = decide::check_patient(&app, item.tenant_id, &body.patient).await?;
    Ok(Json(decided(&caller, &app, &item, Action::Claim { patient }, reason).await?))
}

/// Release a held reading
///
/// It is right although it was held: it becomes a `final` Observation that counts and goes to the EHR, with a note that a
/// person checked it. A changed record (`record-changed`) becomes the new version of the Observation that has its key.
/// What has no number that could be shown (an unknown unit or kind) cannot be released: 409.
#[utoipa::path(tag = "ingest", params(("id" = HeldReadingId, Path)), request_body = Because, responses((status = 200, body = HeldReading), Problems))]
#[post("/held-readings/{id}/release")]
async fn release_held_reading(
    caller: Caller,
    app: AppData,
    id: Path<HeldReadingId>,
    body: Json<Because>,
) -> ApiResult<Json<HeldReading>> {
    let item = find_to_decide(&caller, &app, *id).await?;
    let reason = check_reason(&body.reason)?;
    Ok(Json(decided(&caller, &app, &item, Action::Release, reason).await?))
}

/// Discard a held reading
///
/// It never becomes a result, also when it is sent again or its wearer becomes known. It is kept as evidence, with who
/// discarded it, when and why.
#[utoipa::path(tag = "ingest", params(("id" = HeldReadingId, Path)), request_body = Because, responses((status = 200, body = HeldReading), Problems))]
#[post("/held-readings/{id}/discard")]
async fn discard_held_reading(
    caller: Caller,
    app: AppData,
    id: Path<HeldReadingId>,
    body: Json<Because>,
) -> ApiResult<Json<HeldReading>> {
    let item = find_to_decide(&caller, &app, *id).await?;
    let reason = check_reason(&body.reason)?;
    let scope = TenantScope::one(item.tenant_id);
    discard::discard(&app, &scope, item.id, caller.principal.token, reason).await?;
    Ok(Json(find(&caller, &app, item.id).await?.into()))
}

/// Several readings of one patient.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimSeveral {
    /// The Patient, as its FHIR id or `Patient/<id>`.
    pub patient: String,
    /// Why, for the record of corrections.
    pub reason: String,
    /// Which, by id: at most 500.
    pub ids: Option<Vec<HeldReadingId>>,
    /// Which, by what they have in common: the oldest 500 of them.
    pub filter: Option<ClaimFilter>,
}

/// Open unassigned readings of one device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimFilter {
    /// The device.
    pub device: DeviceId,
    /// The slot that the payload names; empty for readings that name none. Left out: any.
    pub slot: Option<String>,
    /// Measured from then on,
    pub from: Option<DateTime<Utc>>,
    /// and before then.
    pub until: Option<DateTime<Utc>>,
}

/// What became of several claims.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    /// Those that are Observations of the patient now.
    pub claimed: Vec<HeldReadingId>,
    /// Those that are not, and why.
    pub failed: Vec<FailedClaim>,
    /// Whether there are more that the filter fits.
    pub more: bool,
}

/// A reading that could not be claimed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedClaim {
    /// Its id.
    pub id: HeldReadingId,
    /// Stable word.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// Claim several held readings
///
/// For one patient, by ids or by a filter over the open unassigned readings of one device; at most 500 at once. Each has its
/// own outcome: one that cannot be claimed does not keep the others back.
#[utoipa::path(tag = "ingest", request_body = ClaimSeveral, responses((status = 200, body = Claimed), Problems))]
#[post("/held-readings/claim")]
async fn claim_held_readings(caller: Caller, app: AppData, body: Json<ClaimSeveral>) -> ApiResult<Json<Claimed>> {
    caller.require(caller.role().is_clinical(), "decide about readings of patients")?;
    let body = body.into_inner();
    let reason = check_reason(&body.reason)?;
    let tenant = caller.principal.tenant.ok_or_else(|| Error::not_found("tenant"))?;
    let scope = caller.clinical(tenant)?;
    let patient = decide::check_patient(&app, tenant, &body.patient).await?;
    let (items, missing, more) = chosen(&app, &scope, body.ids, body.filter).await?;
    let decision = Decision { action: Action::Claim { patient }, token: caller.principal.token, reason };
    let mut outcome = Claimed { claimed: Vec::new(), failed: missing, more };
    for (id, result) in decide::several(&app, &items, &decision).await {
        match result {
            Ok(()) => outcome.claimed.push(id),
            Err(error) => outcome.failed.push(FailedClaim {
                id,
                code: error.code().to_owned(),
                detail: error.public().to_owned(),
            }),
        }
    }
    Ok(Json(outcome))
}

/// The readings that a request means: those that are there, those that are not, and whether more fit.
async fn chosen(
    app: &AppData,
    scope: &TenantScope,
    ids: Option<Vec<HeldReadingId>>,
    filter: Option<ClaimFilter>,
) -> Result<(Vec<HeldItem>, Vec<FailedClaim>, bool), Error> {
    let tenants = scope.tenants();
    let mut transaction = scope.begin(&app.db).await?;
    let chosen = match (ids, filter) {
        (Some(mut ids), None) if (1..=MOST_AT_ONCE).contains(&ids.len()) => {
            ids.sort_unstable();
            ids.dedup();
            let (mut items, mut missing) = (Vec::new(), Vec::new());
            for id in ids {
                match store::find(&mut transaction, &tenants, id).await? {
                    Some(item) => items.push(item),
                    None => missing.push(FailedClaim {
                        id,
                        code: "not-found".to_owned(),
                        detail: "There is no such held reading.".to_owned(),
                    }),
                }
            }
            (items, missing, false)
        }
        (None, Some(filter)) => {
            let filter = ListFilter {
                device: Some(filter.device),
                reason: Some("unassigned".to_owned()),
                state: "open".to_owned(),
                slot: filter.slot,
                from: filter.from,
                until: filter.until,
            };
            let limit = i64::try_from(MOST_AT_ONCE).unwrap_or(i64::MAX);
            let rows = store::list(&mut transaction, &tenants, &filter, HeldReadingId(Uuid::nil()), limit + 1).await?;
            let page = Page::from_rows(rows, limit, |item: &HeldItem| item.id.0);
            (page.items, Vec::new(), page.next.is_some())
        }
        _ => return Err(Error::field("/ids", format!("either `ids` (1 to {MOST_AT_ONCE}) or `filter`"))),
    };
    transaction.commit().await?;
    Ok(chosen)
}

/// An entry of the record of corrections.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadingCorrection {
    /// Its id.
    pub id: ReadingCorrectionId,
    /// Whose reading it is.
    pub tenant: TenantId,
    /// When.
    pub at: DateTime<Utc>,
    /// `claim`, `release`, `take`, `discard` or `reassign`.
    pub action: String,
    /// Why, in the person's words; shown to roles that may see patient data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The API token that did it; absent where the platform acted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<ApiTokenId>,
    /// The device.
    pub device: DeviceId,
    /// The held reading that was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_reading: Option<HeldReadingId>,
    /// The reassignment that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reassignment: Option<ReassignmentId>,
    /// The Observation that was corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_observation: Option<String>,
    /// The Observation that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_observation: Option<String>,
}

impl ReadingCorrection {
    fn of(row: CorrectionRow, clinical: bool) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant_id,
            at: row.at,
            action: row.action,
            reason: clinical.then_some(row.reason),
            token: row.token_id,
            device: row.device_id,
            held_reading: row.held_reading_id,
            reassignment: row.reassignment_id,
            old_observation: row.old_observation,
            new_observation: row.new_observation,
        }
    }
}

/// What the record is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CorrectionQuery {
    /// One tenant.
    pub tenant: Option<TenantId>,
    /// One device.
    pub device: Option<DeviceId>,
    /// One held reading.
    pub held_reading: Option<HeldReadingId>,
    /// One reassignment.
    pub reassignment: Option<ReassignmentId>,
    /// An Observation, corrected or made by a correction.
    pub observation: Option<String>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

/// List corrections of readings
///
/// The append-only record: who claimed, released, discarded or reassigned which reading, when and why, and which
/// Observation became which. Oldest first.
#[utoipa::path(tag = "ingest", params(CorrectionQuery), responses((status = 200, body = Page<ReadingCorrection>), Problems))]
#[get("/reading-corrections")]
async fn list_reading_corrections(
    caller: Caller,
    app: AppData,
    query: Query<CorrectionQuery>,
) -> ApiResult<Json<Page<ReadingCorrection>>> {
    let query = query.into_inner();
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let filter = CorrectionFilter {
        device: query.device,
        held: query.held_reading,
        reassignment: query.reassignment,
        observation: query.observation,
    };
    let mut transaction = scope.begin(&app.db).await?;
    let after = ReadingCorrectionId(page.after());
    let rows = store::list_corrections(&mut transaction, &scope.tenants(), &filter, after, limit + 1).await?;
    transaction.commit().await?;
    let clinical = caller.role().is_clinical();
    let rows = Page::from_rows(rows, limit, |row: &CorrectionRow| row.id.0);
    let items = rows.items.into_iter().map(|row| ReadingCorrection::of(row, clinical)).collect();
    Ok(Json(Page { items, next: rows.next }))
}
