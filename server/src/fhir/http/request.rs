//! What every request says: the base that was called, the resource type, the id.

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use db::TenantId;
use fhir_model::outcome::{Issue, IssueCode};
use fhir_model::reference::is_id;
use fhir_model::search::decode_query;

use crate::app::App;
use crate::error::{Error, FhirError, FhirResult, Kind};
use crate::fhir::changes::Place;
use crate::fhir::model::{Base, ResourceType};
use crate::identity::FhirCaller;

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The base that was called.
    pub(crate) base: Base,
}

impl Asked {
    /// Reads the base from the path.
    pub(crate) fn new(app: &App, request: &HttpRequest, tenant: TenantId) -> Self {
        Self { base: Base::new(&app.public_url, tenant, request.match_info().get("tenant").is_none()) }
    }

    /// Where changes of this caller happen.
    pub(crate) fn place<'a>(&'a self, app: &'a App, caller: &'a FhirCaller) -> Place<'a> {
        Place { app, specification: &app.specification, scope: &caller.scope, tenant: caller.tenant, base: &self.base }
    }
}

/// The resource type in the path.
///
/// # Errors
/// 404 `not-supported` for a type that is not served.
pub(super) fn resource_type(request: &HttpRequest) -> Result<ResourceType, Error> {
    let name = request.match_info().get("type").unwrap_or_default();
    ResourceType::from_name(name).ok_or_else(|| {
        let known = ResourceType::ALL.map(ResourceType::as_str).join(", ");
        outcome(
            Kind::NotFound,
            IssueCode::NotSupported,
            format!("This is not a resource type that is served here; {known} are."),
        )
    })
}

/// The id in the path; what cannot be an id names nothing.
pub(super) fn id(request: &HttpRequest, resource_type: ResourceType) -> Result<&str, Error> {
    request.match_info().get("id").filter(|id| is_id(id)).ok_or_else(|| Error::not_found(resource_type.as_str()))
}

/// The decoded query.
///
/// # Errors
/// 400 for broken escapes.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, Error> {
    decode_query(query).map_err(|text| outcome(Kind::Invalid, IssueCode::Value, format!("The query {text}.")))
}

/// An error with one issue of this code.
#[track_caller]
pub(super) fn outcome(kind: Kind, code: IssueCode, text: impl Into<String>) -> Error {
    let text = text.into();
    Error::issues(kind, "fhir.request", text.clone(), vec![Issue::error(code, text)])
}

/// 405 for a method that is not offered at a path that is.
pub(super) async fn not_allowed(_caller: FhirCaller, request: HttpRequest) -> FhirResult<HttpResponse> {
    let path = request.match_info();
    let (methods, meaning) = match (path.get("type"), path.get("id"), path.get("version")) {
        (Some(_), Some(_), None) if request.path().ends_with("/_history") => ("GET, HEAD", "GET reads all versions"),
        (Some(_), Some(_), Some(_)) => ("GET, HEAD", "GET reads a version"),
        (Some(_), Some(_), None) => (
            "GET, HEAD, PUT",
            "GET reads and PUT updates the resource; nothing is deleted or patched: mark an Observation entered-in-error instead",
        ),
        (Some(_), None, _) if request.path().ends_with("/_search") => ("POST", "POST searches with a form"),
        (Some(_), None, _) => (
            "GET, HEAD, POST, PUT",
            "GET searches, POST creates, and PUT with search parameters updates the one that matches",
        ),
        (None, ..) if request.path().ends_with("/metadata") => ("GET, HEAD", "GET reads the CapabilityStatement"),
        (None, ..) => ("POST", "POST takes a Bundle of type transaction or batch"),
    };
    let text = format!("{} is not offered here: {meaning}.", request.method());
    let mut response = FhirError(outcome(Kind::MethodNotAllowed, IssueCode::NotSupported, text)).error_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    Ok(response)
}

/// 404 for every other path below the base.
pub(super) async fn unknown(_caller: FhirCaller, request: HttpRequest) -> FhirResult<HttpResponse> {
    let text = format!(
        "Nothing answers {} at this path. GET metadata below the same base tells what there is.",
        request.method()
    );
    Err(outcome(Kind::NotFound, IssueCode::NotSupported, text).into())
}

/// 404: SMART on FHIR is not offered yet.
pub(super) async fn no_smart_configuration() -> FhirResult<HttpResponse> {
    let text = "There is no SMART authorisation server here yet. Use `Authorization: Bearer` with a token that an administrator issued.";
    Err(outcome(Kind::NotFound, IssueCode::NotSupported, text).into())
}
