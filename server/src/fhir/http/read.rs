//! Read, vread, history and search.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, IF_NONE_MATCH};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{self, FHIR_JSON};
use super::body::{self, FORM};
use super::request::{Asked, id, parameters, resource_type};
use super::wishes::Wishes;
use crate::app::AppData;
use crate::error::{Error, FhirResult, Kind};
use crate::fhir::history;
use crate::fhir::model::{ResourceType, Stored, etag, version_of_etag};
use crate::fhir::search::{self, Question};
use crate::fhir::store;
use crate::identity::FhirCaller;

/// The longest form; a search has no more to say.
const MOST_FORM_BYTES: usize = 64 * 1024;

/// `GET {type}/{id}` (<https://hl7.org/fhir/R4/http.html#read>). 200 with `ETag` and `Last-Modified`; 304 when
/// `If-None-Match` names the current version; 404, 410.
pub(super) async fn read(
    caller: FhirCaller,
    _wishes: Wishes,
    app: AppData,
    request: HttpRequest,
) -> FhirResult<HttpResponse> {
    let resource_type = resource_type(&request)?;
    let id = id(&request, resource_type)?;
    let mut transaction = caller.scope.begin(&app.db).await?;
    let found = store::read(&mut transaction, caller.tenant, resource_type, id).await?;
    transaction.commit().await?;
    let stored = standing(resource_type, found)?;
    let known = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    if known
        .flat_map(|tags| tags.split(','))
        .any(|tag| tag.trim() == "*" || version_of_etag(tag) == Some(stored.version))
    {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, etag(stored.version))).finish());
    }
    Ok(answer::version(StatusCode::OK, &stored).body(stored.body))
}

/// `GET {type}/{id}/_history/{version}` (<https://hl7.org/fhir/R4/http.html#vread>). 200; 404; 410 for a deletion.
pub(super) async fn read_version(
    caller: FhirCaller,
    _wishes: Wishes,
    app: AppData,
    request: HttpRequest,
) -> FhirResult<HttpResponse> {
    let resource_type = resource_type(&request)?;
    let id = id(&request, resource_type)?;
    let version = request
        .match_info()
        .get("version")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::not_found("version"))?;
    let mut transaction = caller.scope.begin(&app.db).await?;
    let found = store::read_version(&mut transaction, caller.tenant, resource_type, id, version).await?;
    transaction.commit().await?;
    let stored = standing(resource_type, found)?;
    Ok(answer::version(StatusCode::OK, &stored).body(stored.body))
}

/// `GET {type}/{id}/_history` (<https://hl7.org/fhir/R4/http.html#history>). 200 with a `history` Bundle, also of what was
/// deleted; 400; 404.
pub(super) async fn history(
    caller: FhirCaller,
    _wishes: Wishes,
    app: AppData,
    request: HttpRequest,
) -> FhirResult<HttpResponse> {
    let resource_type = resource_type(&request)?;
    let id = id(&request, resource_type)?;
    let parameters = parameters(request.query_string())?;
    let asked = Asked::new(&app, &request, caller.tenant);
    let mut transaction = caller.scope.begin(&app.db).await?;
    let bundle =
        history::history(&mut transaction, caller.tenant, &asked.base, (resource_type, id), &parameters).await?;
    transaction.commit().await?;
    Ok(HttpResponse::Ok().content_type(FHIR_JSON).body(bundle))
}

fn standing(resource_type: ResourceType, found: Option<Stored>) -> Result<Stored, Error> {
    match found {
        None => Err(Error::not_found(resource_type.as_str())),
        Some(stored) if stored.deleted => Err(Error::new(Kind::Gone, "fhir.deleted", "The resource was deleted.")),
        Some(stored) => Ok(stored),
    }
}

/// `GET {type}?…` (<https://hl7.org/fhir/R4/http.html#search>). 200 with a `searchset` Bundle; 400.
pub(super) async fn search(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
) -> FhirResult<HttpResponse> {
    let parameters = parameters(request.query_string())?;
    Ok(answer_search(&caller, wishes, &app, &request, parameters).await?)
}

/// `POST {type}/_search` with a form: the same, with what must not stand in a URL in the body.
pub(super) async fn search_form(
    caller: FhirCaller,
    wishes: Wishes,
    app: AppData,
    request: HttpRequest,
    payload: Payload,
) -> FhirResult<HttpResponse> {
    let mut all = parameters(request.query_string())?;
    let form = body::read(&request, payload, FORM, MOST_FORM_BYTES).await?;
    let form = std::str::from_utf8(&form).map_err(|_not_text| Error::invalid("body.form", "The form is not UTF-8."))?;
    all.extend(parameters(form)?);
    Ok(answer_search(&caller, wishes, &app, &request, all).await?)
}

async fn answer_search(
    caller: &FhirCaller,
    wishes: Wishes,
    app: &AppData,
    request: &HttpRequest,
    parameters: Vec<(String, String)>,
) -> Result<HttpResponse, Error> {
    let question = Question { resource_type: resource_type(request)?, parameters, lenient: wishes.lenient };
    let asked = Asked::new(app, request, caller.tenant);
    let mut transaction = caller.scope.begin(&app.db).await?;
    let bundle = search::search(&mut transaction, caller.tenant, &asked.base, &question).await?;
    transaction.commit().await?;
    Ok(HttpResponse::Ok().content_type(FHIR_JSON).body(bundle))
}
