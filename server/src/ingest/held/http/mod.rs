//! REST of held readings and of the record of corrections.

mod corrections;
mod several;

use actix_web::web::{Json, Path, Query};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use db::{DeviceId, HeldReadingId, TenantId, TenantScope, UplinkId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::decide::{self, Decision};
use super::model::{Action, check_reason};
use super::store::{self, HeldItem, ListFilter};
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
        .service(several::claim_held_readings)
        .service(find_held_reading)
        .service(claim_held_reading)
        .service(release_held_reading)
        .service(discard_held_reading)
        .service(corrections::list_reading_corrections);
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
    if !["open", "claimed", "released", "taken", "discarded", "expired", "corrected"].contains(&state.as_str()) {
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
