//! Create, update and Bundles.

use actix_web::http::header::IF_MATCH;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use fhir_model::outcome::IssueCode;

use super::answer;
use super::body::{self, RESOURCE};
use super::request::{Asked, id, outcome, resource_type};
use super::wishes::Wishes;
use crate::app::AppData;
use crate::error::{Error, FhirResult, Kind};
use crate::fhir::model::{ResourceType, version_of_etag};
use crate::fhir::update::Which;
use crate::fhir::{create, transaction, update};
use crate::identity::FhirCaller;

/// `POST {type}` (<https://hl7.org/fhir/R4/http.html#create>). 201 with `Location` and `ETag`; 200 when `If-None-Exist`
/// found one; 400, 412, 413, 415, 422.
pub(super) async fn create(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> FhirResult<HttpResponse> {
    let resource_type = written(&request)?;
    let condition = header(&request, "If-None-Exist")?;
    let body = body::read(&request, payload, RESOURCE, app.config.max_body_bytes).await?;
    let asked = Asked::new(&app, &request, caller.tenant);
    let place = asked.place(&app, &caller);
    let (done, warnings) = Box::pin(create::create(place, resource_type, &body, condition)).await?;
    Ok(answer::changed(&asked.base, &done, warnings, wishes.answer))
}

/// `PUT {type}/{id}` (<https://hl7.org/fhir/R4/http.html#update>). 200; 201 for a new Patient; 400, 405, 412, 413, 415, 422.
pub(super) async fn update(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> FhirResult<HttpResponse> {
    let resource_type = written(&request)?;
    let which = Which::Id(id(&request, resource_type)?);
    change(&caller, wishes, &app, &request, payload, resource_type, which).await
}

/// `PUT {type}?…` (<https://hl7.org/fhir/R4/http.html#cond-update>): the same for the one resource that matches; 201 when
/// none does.
pub(super) async fn update_matching(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> FhirResult<HttpResponse> {
    let resource_type = written(&request)?;
    let which = Which::Matching(request.query_string());
    change(&caller, wishes, &app, &request, payload, resource_type, which).await
}

async fn change(
    caller: &FhirCaller,
    wishes: Wishes,
    app: &AppData,
    request: &HttpRequest,
    payload: Payload,
    resource_type: ResourceType,
    which: Which<'_>,
) -> FhirResult<HttpResponse> {
    let if_match =
        match header(request, IF_MATCH.as_str())? {
            None => None,
            Some(tag) => Some(version_of_etag(tag).ok_or_else(|| {
                outcome(Kind::Invalid, IssueCode::Value, "If-Match takes one version, such as W/\"3\".")
            })?),
        };
    let body = body::read(request, payload, RESOURCE, app.config.max_body_bytes).await?;
    let asked = Asked::new(app, request, caller.tenant);
    let place = asked.place(app, caller);
    let (done, warnings) = Box::pin(update::update(place, resource_type, which, &body, if_match)).await?;
    Ok(answer::changed(&asked.base, &done, warnings, wishes.answer))
}

/// `POST [base]` (<https://hl7.org/fhir/R4/http.html#transaction>). 200 with the responses; 400, 412, 413, 415, 422.
pub(super) async fn bundle(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> FhirResult<HttpResponse> {
    let body = body::read(&request, payload, RESOURCE, app.config.max_body_bytes).await?;
    let asked = Asked::new(&app, &request, caller.tenant);
    let place = asked.place(&app, &caller);
    let (kind, results) = Box::pin(transaction::process(place, &body, wishes.lenient)).await?;
    Ok(answer::bundle(&asked.base, kind, &results, wishes.answer))
}

/// The type in the path, when clients may write it.
fn written(request: &HttpRequest) -> Result<ResourceType, Error> {
    let resource_type = resource_type(request)?;
    if resource_type.is_written_by_clients() {
        return Ok(resource_type);
    }
    let text = "A Device is written by the fleet, through /api/v1/devices; here it can be read and searched for.";
    Err(outcome(Kind::MethodNotAllowed, IssueCode::NotSupported, text))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(value) = request.headers().get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_not_ascii| {
        outcome(
            Kind::Invalid,
            IssueCode::Value,
            format!("{name} has characters that a header cannot have; percent-encode them."),
        )
    })?;
    Ok(Some(text))
}
