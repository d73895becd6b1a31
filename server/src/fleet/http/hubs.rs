//! REST of hubs and the devices that they carry.

use std::collections::BTreeMap;

use actix_web::web::{Bytes, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, patch, post, put};
use chrono::{DateTime, Utc};
use db::{ActivationId, DeviceId, HubId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Activation, created, present, reach, reach_to_change};
use crate::app::{App, AppData};
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::model::hub_variables_place;
use crate::fleet::register_hub::{self, Carrier};
use crate::fleet::store::hub::{HubRow, PairingRow};
use crate::fleet::{activate, change_hub, source, store};
use crate::identity::Caller;
use crate::platform::page::{Page, PageQuery};

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_hub)
        .service(list_hubs)
        .service(find_hub)
        .service(update_hub)
        .service(activate_hub)
        .service(deactivate_hub)
        .service(list_hub_activations)
        .service(list_hub_devices)
        .service(pair_hub_device)
        .service(part_hub_device);
}

/// A gateway that carries many devices.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hub {
    /// Its id.
    pub id: HubId,
    /// The tenant that has it.
    pub tenant: TenantId,
    /// Its maker's name for the kind of hub.
    pub model: String,
    /// The maker's serial.
    pub serial: String,
    /// What people call it.
    pub name: String,
    /// Names of the variables that are set; their values are never shown.
    pub variables: Vec<String>,
    /// IANA zone, when it differs from the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken.
    pub active: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new hub needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewHub {
    /// The tenant that gets it; may be left out by a caller who has just one.
    pub tenant: Option<TenantId>,
    /// A model that `GET /models` lists, whose decoder reads the hub's own payloads (`ava4-hub`). A hub that sends envelopes
    /// only needs none: then any name of its kind.
    pub model: String,
    /// The maker's serial: 1 to 128 characters, unique within tenant and model.
    pub serial: String,
    /// What people call it: 1 to 128 characters.
    pub name: String,
    /// The settings of its decoder, such as a `handle_map`. Kept sealed, never shown again.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Whether its uplinks are taken at once.
    pub active: bool,
}

/// What may change. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubChange {
    /// What people call it.
    pub name: Option<String>,
    /// Another IANA zone; null for the tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    /// Variables to set; null removes one. Those that are not named stay.
    pub variables: Option<BTreeMap<String, Option<String>>>,
}

/// A device that a hub may speak for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubDevice {
    /// The device.
    pub device: DeviceId,
    /// How the hub names it; by its id when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Since when.
    pub paired_at: DateTime<Utc>,
    /// How many items that the device had sent before were claimed by pairing it just now; they are decoded in the
    /// background, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<usize>,
}

/// How a device is paired.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pairing {
    /// How the hub names the device, such as its Bluetooth address; left out, the hub names it by its id.
    pub address: Option<String>,
}

/// What the list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HubQuery {
    /// One tenant's hubs.
    pub tenant: Option<TenantId>,
    /// Items on the page: 1 to 500, 50 when absent.
    pub limit: Option<i64>,
    /// Where the page before ended: its `next`.
    pub after: Option<Uuid>,
}

fn view(app: &App, row: HubRow) -> Result<Hub, Error> {
    let place = hub_variables_place(row.tenant_id, row.id);
    let variables = source::open_sealed(&app.sealer, &place, row.variables_sealed.as_deref())?;
    Ok(Hub {
        id: row.id,
        tenant: row.tenant_id,
        model: row.model,
        serial: row.serial,
        name: row.name,
        variables: variables.into_keys().collect(),
        time_zone: row.time_zone,
        active: row.active,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

impl Pairing {
    /// From a body, which may be empty.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|_detail| {
            Error::invalid("body.json", "The body is empty, or JSON such as {\"address\": \"AA:BB:CC:DD:EE:FF\"}.")
        })
    }
}

impl From<PairingRow> for HubDevice {
    fn from(row: PairingRow) -> Self {
        Self { device: row.device_id, address: row.address, paired_at: row.paired_at, claimed: None }
    }
}

/// Create a hub
#[utoipa::path(tag = "fleet", request_body = NewHub, responses((status = 201, body = Hub), Problems))]
#[post("/hubs")]
async fn create_hub(caller: Caller, app: AppData, body: Json<NewHub>) -> ApiResult<HttpResponse> {
    caller.require(caller.role().manages_fleet(), "create hubs")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    let wish = register_hub::NewHub {
        model: wish.model,
        serial: wish.serial,
        name: wish.name,
        variables: wish.variables,
        time_zone: wish.time_zone,
        active: wish.active,
    };
    let hub = view(&app, register_hub::register(&app, &scope, tenant, wish).await?)?;
    Ok(created(format!("/api/v1/hubs/{}", hub.id), hub))
}

/// List hubs
///
/// Those that the caller may see, oldest first.
#[utoipa::path(tag = "fleet", params(HubQuery), responses((status = 200, body = Page<Hub>), Problems))]
#[get("/hubs")]
async fn list_hubs(caller: Caller, app: AppData, query: Query<HubQuery>) -> ApiResult<Json<Page<Hub>>> {
    let page = PageQuery { limit: query.limit, after: query.after };
    let limit = page.limit()?;
    let Some(scope) = caller.operations(&app, query.tenant).await? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let mut transaction = scope.begin(&app.db).await?;
    let rows = store::hub::list_hubs(&mut transaction, &scope.tenants(), HubId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(|row| view(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(Page::from_rows(items, limit, |hub: &Hub| hub.id.0)))
}

/// Read a hub
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 200, body = Hub), Problems))]
#[get("/hubs/{id}")]
async fn find_hub(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<Json<Hub>> {
    let scope = reach(&caller, &app, "hub").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::hub::find_hub(&mut transaction, &scope.tenants(), *id).await?;
    transaction.commit().await?;
    Ok(Json(view(&app, found.ok_or_else(|| Error::not_found("hub"))?)?))
}

/// Change a hub
///
/// Its name, zone and variables. What was stored already stays as it is.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), request_body = HubChange, responses((status = 200, body = Hub), Problems))]
#[patch("/hubs/{id}")]
async fn update_hub(caller: Caller, app: AppData, id: Path<HubId>, body: Json<HubChange>) -> ApiResult<Json<Hub>> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    let wish = body.into_inner();
    let change = change_hub::HubChange { name: wish.name, time_zone: wish.time_zone, variables: wish.variables };
    Ok(Json(view(&app, change_hub::change(&app, &scope, *id, change).await?)?))
}

/// Activate a hub
///
/// Its uplinks are taken from now on, and a period of activity begins. Nothing changes for one that is active.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 200, body = Hub), Problems))]
#[post("/hubs/{id}/activate")]
async fn activate_hub(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<Json<Hub>> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    Ok(Json(view(&app, activate::set_hub_active(&app, &scope, *id, true).await?)?))
}

/// Deactivate a hub
///
/// Its uplinks are turned away with 403 and not kept. Nothing changes for one that is not active.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path)), responses((status = 200, body = Hub), Problems))]
#[post("/hubs/{id}/deactivate")]
async fn deactivate_hub(caller: Caller, app: AppData, id: Path<HubId>) -> ApiResult<Json<Hub>> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    Ok(Json(view(&app, activate::set_hub_active(&app, &scope, *id, false).await?)?))
}

/// List a hub's periods of activity
///
/// Oldest first, from the first day.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path), PageQuery), responses((status = 200, body = Page<Activation>), Problems))]
#[get("/hubs/{id}/activations")]
async fn list_hub_activations(
    caller: Caller,
    app: AppData,
    id: Path<HubId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<Activation>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "hub").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub =
        store::hub::find_hub(&mut transaction, &scope.tenants(), *id).await?.ok_or_else(|| Error::not_found("hub"))?;
    let after = ActivationId(page.after());
    let rows = store::activation::list_activations(&mut transaction, hub.tenant_id, id.0, after, limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(Activation::from).collect();
    Ok(Json(Page::from_rows(items, limit, |activation: &Activation| activation.id.0)))
}

/// List a hub's devices
///
/// The devices that it may speak for, in the order of their ids.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path), PageQuery), responses((status = 200, body = Page<HubDevice>), Problems))]
#[get("/hubs/{id}/devices")]
async fn list_hub_devices(
    caller: Caller,
    app: AppData,
    id: Path<HubId>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<HubDevice>>> {
    let limit = page.limit()?;
    let scope = reach(&caller, &app, "hub").await?;
    let mut transaction = scope.begin(&app.db).await?;
    let hub =
        store::hub::find_hub(&mut transaction, &scope.tenants(), *id).await?.ok_or_else(|| Error::not_found("hub"))?;
    let rows =
        store::hub::list_pairings(&mut transaction, hub.tenant_id, *id, DeviceId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let items = rows.into_iter().map(HubDevice::from).collect();
    Ok(Json(Page::from_rows(items, limit, |paired: &HubDevice| paired.device.0)))
}

/// Pair a device with a hub
///
/// From now on the hub may speak for it. Repeating it is safe, and is how the address is changed. The body may be empty.
/// What the hub has carried from that address while it was nobody's (`GET /hubs/{id}/unclaimed`) is claimed with it:
/// decoded in the background, in its order, under whoever wore the device when it was measured.
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path), ("device" = DeviceId, Path)), request_body(content = Pairing, content_type = "application/json"), responses((status = 200, body = HubDevice), Problems))]
#[put("/hubs/{id}/devices/{device}")]
async fn pair_hub_device(
    caller: Caller,
    app: AppData,
    path: Path<(HubId, DeviceId)>,
    body: Bytes,
) -> ApiResult<Json<HubDevice>> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    let pairing = Pairing::read(&body)?;
    let (hub, device) = path.into_inner();
    let (row, claimed) =
        register_hub::pair(&app, &scope, Carrier::Hub, hub, device, pairing.address.as_deref()).await?;
    Ok(Json(HubDevice { claimed: (claimed > 0).then_some(claimed), ..row.into() }))
}

/// Part a device from a hub
#[utoipa::path(tag = "fleet", params(("id" = HubId, Path), ("device" = DeviceId, Path)), responses((status = 204), Problems))]
#[delete("/hubs/{id}/devices/{device}")]
async fn part_hub_device(caller: Caller, app: AppData, path: Path<(HubId, DeviceId)>) -> ApiResult<HttpResponse> {
    let scope = reach_to_change(&caller, &app, "hub").await?;
    let (hub, device) = path.into_inner();
    register_hub::part(&app, &scope, Carrier::Hub, hub, device).await?;
    Ok(HttpResponse::NoContent().finish())
}
