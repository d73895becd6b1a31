//! REST of devices and their enrolment.

use std::collections::BTreeMap;

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use db::{ActivationId, DeviceId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Activation, created, present, reach, reach_to_change};
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::model::DeviceIdentifier;
use crate::fleet::store::clock::ClockRow;
use crate::fleet::store::device::{DeviceFilter, DeviceRow};
use crate::fleet::{activate, change_device, end_enrolment, enrol_device, source, store};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_device)
        .service(list_devices)
        .service(find_device)
        .service(update_device)
        .service(activate_device)
        .service(deactivate_device)
        .service(end_device_enrolment)
        .service(list_device_activations);
}

/// A device: the enrolment of a unit with one tenant. Its FHIR Device has the same id.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its id, and that of its FHIR Device.
    pub id: DeviceId,
    /// The tenant that has it.
    pub tenant: TenantId,
    /// The model's name.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// Further identifiers.
    pub identifiers: Vec<DeviceIdentifier>,
    /// Names of the variables that are set; their values are never shown.
    pub variables: Vec<String>,
    /// IANA zone, when it differs from the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken.
    pub active: bool,
    /// When the enrolment began.
    pub enrolled_from: DateTime<Utc>,
    /// When it ended; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolled_until: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// How far its clock is off, once that was measured; shown for one device, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<DeviceClock>,
}

/// How far a device's clock is off: measured on readings that come live, or on the device's own telling of its time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceClock {
    /// Seconds that the clock is behind the server's; negative when it runs ahead.
    pub offset_seconds: i64,
    /// `steady`; `zone`: whole quarters of an hour off, a wrong zone or a change of daylight saving that it missed; `jumped`:
    /// it was set, or lost its battery, and is being measured again.
    pub state: String,
    /// How many samples agreed when that was written down.
    pub samples: i32,
    /// By how many seconds those samples lay apart.
    pub spread_seconds: i64,
    /// When that was.
    pub measured_at: DateTime<Utc>,
    /// Seconds that are added to the times of its readings at present; absent when none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_seconds: Option<i64>,
}

impl From<ClockRow> for DeviceClock {
    fn from(row: ClockRow) -> Self {
        Self {
            offset_seconds: row.offset_ms / 1_000,
            state: row.state,
            samples: row.samples,
            spread_seconds: row.spread_ms / 1_000,
            measured_at: row.measured_at,
            applied_seconds: row.applied_ms.map(|applied| applied / 1_000),
        }
    }
}

/// What a new device needs.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewDevice {
    /// The tenant that gets it; may be left out by a caller who has just one.
    pub tenant: Option<TenantId>,
    /// A model that `GET /models` lists.
    pub model: String,
    /// The maker's serial: 1 to 128 characters, unique within the model.
    pub serial: String,
    /// Further identifiers, such as its IMEI or Bluetooth address.
    #[serde(default)]
    pub identifiers: Vec<DeviceIdentifier>,
    /// The decoder's settings for this device (bind key, session start, handle map). Secrets: kept sealed, never shown.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// IANA zone of the device's local times, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken at once.
    pub active: bool,
}

/// What may change. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceChange {
    /// Another IANA zone; null for the tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    /// Variables to set; null removes one. Those that are not named stay.
    pub variables: Option<BTreeMap<String, Option<String>>>,
    /// Another list of identifiers.
    pub identifiers: Option<Vec<DeviceIdentifier>>,
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// One tenant's devices.
    pub tenant: Option<TenantId>,
    /// Devices of one model.
    pub model: Option<String>,
    /// Devices with this serial.
    pub serial: Option<String>,
    /// Active ones, or inactive ones.
    pub active: Option<bool>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

fn view(app: &App, row: DeviceRow) -> Result<Device, Error> {
    let variables = source::open_variables(&app.sealer, &row)?.into_keys().collect();
    Ok(Device {
        id: row.id,
        tenant: row.tenant_id,
        model: row.model,
        serial: row.serial,
        identifiers: serde_json::from_value(row.identifiers).map_err(Error::internal)?,
        variables,
        time_zone: row.time_zone,
        active: row.active,
        enrolled_from: row.enrolled_from,
        enrolled_until: row.enrolled_until,
        updated_at: row.updated_at,
        clock: None,
    })
}

/// Create a device
///
/// Enrols a unit (model and serial) with a tenant, and makes its FHIR Device with the same id. A unit is enrolled with one
/// tenant at a time.
#[utoipa::path(tag = "fleet", request_body = NewDevice, responses((status = 201, body = Device), Problems))]
#[post("/devices")]
async fn create_device(caller: Caller, app: AppData, body: Json<NewDevice>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "create devices")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    let wish = enrol_device::NewDevice {
        model: wish.model,
        serial: wish.serial,
        identifiers: wish.identifiers,
        variables: wish.variables,
        time_zone: wish.time_zone,
        active: wish.active,
    };
    let device = view(&app, enrol_device::enrol(&app, &scope, tenant, wish).await?)?;
    Ok(created(format!("/api/v1/devices/{}", device.id), device))
}

/// List devices
///
/// Those that the caller may see, oldest first; enrolments that have ended are among them.
#[utoipa::path(tag = "fleet", params(DeviceQuery), responses((status = 200, body = Page<Device>), Problems))]
#[get("/devices")]
async fn list_devices(caller: Caller, app: AppData, query: Query<DeviceQuery>) -> ApiResult<Json<Page<Device>>> {
    let query = query.into_inner();
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let filter = DeviceFilter { model: query.model, serial: query.serial, active: query.active };
    let mut transaction = scope.begin(&app.db).await?;
    let rows =
        store::device::list_devices(&mut transaction, &scope.tenants(), filter, DeviceId(page.after()), limit + 1)
            .await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| view(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(Page::from_rows(items, limit, |device: &Device| device.id.0)))
}

/// Read a device
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 200, body = Device), Problems))]
#[get("/devices/{id}")]
async fn find_device(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<Json<Device>> {
    let scope = reach(&caller, &app, "device").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::device::find_device(&mut transaction, &scope.tenants(), *id).await?;
    let found = found.ok_or_else(|| Error::not_found("device"))?;
    let clock = store::clock::find_clock(&mut transaction, found.tenant_id, *id).await?;
    transaction.commit().await?;
    Ok(Json(Device { clock: clock.map(DeviceClock::from), ..view(&app, found)? }))
}

/// Change a device
///
/// Its zone, variables and identifiers. Readings that are stored already stay as they are.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), request_body = DeviceChange, responses((status = 200, body = Device), Problems))]
#[patch("/devices/{id}")]
async fn update_device(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    body: Json<DeviceChange>,
) -> ApiResult<Json<Device>> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    let wish = body.into_inner();
    let change = change_device::DeviceChange {
        time_zone: wish.time_zone,
        variables: wish.variables,
        identifiers: wish.identifiers,
    };
    Ok(Json(view(&app, change_device::change(&app, &scope, *id, change).await?)?))
}

/// Activate a device
///
/// Its uplinks are taken from now on, and a period of activity begins. Nothing changes for one that is active.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 200, body = Device), Problems))]
#[post("/devices/{id}/activate")]
async fn activate_device(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<Json<Device>> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    Ok(Json(view(&app, activate::set_device_active(&app, &scope, *id, true).await?)?))
}

/// Deactivate a device
///
/// Its uplinks are turned away with 403 and not kept. Nothing changes for one that is not active.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 200, body = Device), Problems))]
#[post("/devices/{id}/deactivate")]
async fn deactivate_device(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<Json<Device>> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    Ok(Json(view(&app, activate::set_device_active(&app, &scope, *id, false).await?)?))
}

/// End a device's enrolment
///
/// Deactivates it, revokes its tokens, parts it from hubs and ends its assignments, so that the unit can be enrolled with
/// another tenant. Its readings stay. This cannot be undone, only followed by a new enrolment.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path)), responses((status = 200, body = Device), Problems))]
#[post("/devices/{id}/end-enrolment")]
async fn end_device_enrolment(caller: Caller, app: AppData, id: Path<DeviceId>) -> ApiResult<Json<Device>> {
    let scope = reach_to_change(&caller, &app, "device").await?;
    Ok(Json(view(&app, end_enrolment::end(&app, &scope, *id).await?)?))
}

/// List a device's periods of activity
///
/// Oldest first, from the first day of the enrolment.
#[utoipa::path(tag = "fleet", params(("id" = DeviceId, Path), PageQuery), responses((status = 200, body = Page<Activation>), Problems))]
#[get("/devices/{id}/activations")]
async fn list_device_activations(
    caller: Caller,
    app: AppData,
    id: Path<DeviceId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Activation>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "device").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let device = store::device::find_device(&mut transaction, &scope.tenants(), *id)
        .await?
        .ok_or_else(|| Error::not_found("device"))?;
    let after = ActivationId(page.after());
    let rows = store::activation::list_activations(&mut transaction, device.tenant_id, id.0, after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Activation::from).collect();
    Ok(Json(Page::from_rows(items, limit, |activation: &Activation| activation.id.0)))
}
