//! REST of how an endpoint names a patient, where that differs from the Patient's own identifiers.

use actix_web::web::{Json, Path};
use actix_web::{HttpResponse, delete, get, put};
use db::EndpointId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::endpoints::find;
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::forward::create_endpoint::is_fhir_id;
use crate::forward::store::endpoints::{self as store, MappingRow};
use crate::identity::Caller;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(find_endpoint_patient).service(put_endpoint_patient).service(delete_endpoint_patient);
}

/// The identifier by which an endpoint knows a patient.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EndpointPatient {
    /// Its namespace; empty where the EHR searches by value only.
    system: String,
    /// Its value.
    value: String,
}

/// Read how an endpoint names a patient
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path), ("patient" = String, Path)), responses((status = 200, body = EndpointPatient), Problems))]
#[get("/endpoints/{id}/patients/{patient}")]
async fn find_endpoint_patient(
    caller: Caller,
    app: AppData,
    path: Path<(EndpointId, String)>,
) -> ApiResult<Json<EndpointPatient>> {
    let (id, patient) = path.into_inner();
    let (_scope, row) = find(&caller, &app, id).await?;
    // A person's number at the hospital is patient data.
    let scope = caller.clinical(row.tenant_id)?;
    let mut transaction = scope.begin(&app.db).await?;
    let found = store::find_mapping(&mut transaction, row.tenant_id, id, &patient).await?;
    transaction.commit().await?;
    let found = found.ok_or_else(|| Error::not_found("mapping"))?;
    Ok(Json(EndpointPatient { system: found.identifier_system, value: found.identifier_value }))
}

/// Say how an endpoint names a patient
///
/// For what is sent from now on. Deliveries that were given up for want of it have to be replayed.
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path), ("patient" = String, Path)), request_body = EndpointPatient, responses((status = 200, body = EndpointPatient), Problems))]
#[put("/endpoints/{id}/patients/{patient}")]
async fn put_endpoint_patient(
    caller: Caller,
    app: AppData,
    path: Path<(EndpointId, String)>,
    body: Json<EndpointPatient>,
) -> ApiResult<Json<EndpointPatient>> {
    let (id, patient) = path.into_inner();
    let (scope, row) = find(&caller, &app, id).await?;
    caller.require(caller.role().manages_tenant(), "map patients to endpoints")?;
    if !is_fhir_id(&patient) {
        return Err(Error::not_found("patient").into());
    }
    let mapping = body.into_inner();
    let bad = |text: &str, most: usize| text.len() > most || text.chars().any(char::is_control);
    if bad(&mapping.system, 500) || mapping.system.contains(char::is_whitespace) {
        return Err(Error::field("/system", "a system is a URI of at most 500 characters").into());
    }
    if mapping.value.trim().is_empty() || bad(&mapping.value, 500) {
        return Err(Error::field("/value", "a value has 1 to 500 characters").into());
    }
    let mut transaction = scope.begin(&app.db).await?;
    let named = MappingRow {
        patient_id: patient,
        identifier_system: mapping.system.clone(),
        identifier_value: mapping.value.clone(),
    };
    store::put_mapping(&mut transaction, row.tenant_id, id, &named).await?;
    transaction.commit().await?;
    Ok(Json(mapping))
}

/// Remove how an endpoint names a patient
#[utoipa::path(tag = "forward", params(("id" = EndpointId, Path), ("patient" = String, Path)), responses((status = 204), Problems))]
#[delete("/endpoints/{id}/patients/{patient}")]
async fn delete_endpoint_patient(
    caller: Caller,
    app: AppData,
    path: Path<(EndpointId, String)>,
) -> ApiResult<HttpResponse> {
    let (id, patient) = path.into_inner();
    let (scope, row) = find(&caller, &app, id).await?;
    caller.require(caller.role().manages_tenant(), "map patients to endpoints")?;
    let mut transaction = scope.begin(&app.db).await?;
    let deleted = store::delete_mapping(&mut transaction, row.tenant_id, id, &patient).await?;
    transaction.commit().await?;
    if !deleted {
        return Err(Error::not_found("mapping").into());
    }
    Ok(HttpResponse::NoContent().finish())
}
