//! Which room is mounted where, and the OpenAPI document that follows from it.

use actix_web::dev::{ServiceFactory, ServiceRequest};
use actix_web::middleware::from_fn;
use actix_web::web::{self, JsonConfig, PathConfig, QueryConfig};
use actix_web::{App as ActixApp, HttpRequest, HttpResponse};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_actix_web::{AppExt, UtoipaApp, scope};

use crate::error::{ApiError, ApiResult, Error, Kind};
use crate::{fhir, fleet, forward, identity, ingest, tenancy};

/// The head of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Afferent",
        description = "Remote patient monitoring: device payload in, FHIR Observation out to the customer's EHR. FHIR itself is described by the CapabilityStatement under each tenant's base, `/t/{tenant}/fhir/r4/metadata`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("bearer" = []))
)]
struct Document;

/// The OpenAPI document of every route that is mounted.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = rooms(ActixApp::new().into_utoipa_app()).split_for_parts();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API token, or a source's token for /ingest."))
        .build();
    document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    document
}

/// The application with every route.
pub fn build<T>(app: ActixApp<T>) -> ActixApp<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = actix_web::Error, InitError = ()>,
{
    let document = web::Data::new(document());
    // In front of the scope that would answer for everything below /api/v1.
    let app = app.route(
        "/api/v1/openapi.json",
        web::get().to(move || {
            let document = document.clone();
            async move { HttpResponse::Ok().json(&**document) }
        }),
    );
    rooms(app.into_utoipa_app())
        .into_app()
        .configure(fhir::routes)
        .configure(crate::commands::serve::status::routes)
        .configure(crate::commands::serve::phone_app::routes)
        .default_service(web::to(no_such_route))
}

/// Which room is mounted where.
fn rooms<T>(app: UtoipaApp<T>) -> UtoipaApp<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = actix_web::Error, InitError = ()>,
{
    app.openapi(Document::openapi())
        .app_data(JsonConfig::default().limit(256 * 1024).error_handler(|error, _| bad_json(error).into()))
        .app_data(PathConfig::default().error_handler(|_error, _| ApiError(Error::not_found("thing")).into()))
        .app_data(QueryConfig::default().error_handler(|error, _| bad_query(&error).into()))
        .service(
            scope("/api/v1")
                .wrap(from_fn(identity::authenticated))
                .configure(tenancy::routes)
                .configure(identity::routes)
                .configure(fleet::routes)
                .configure(ingest::api_routes)
                .configure(forward::routes),
        )
        .service(scope("/ingest/v1").configure(ingest::routes).configure(fleet::feed_callback_routes))
}

async fn no_such_route(request: HttpRequest) -> ApiResult<String> {
    Err(Error::new(
        Kind::NotFound,
        "route.unknown",
        format!("Nothing answers {} at this path. The API is described at /api/v1/openapi.json.", request.method()),
    )
    .into())
}

fn bad_json(error: actix_web::error::JsonPayloadError) -> ApiError {
    use actix_web::error::JsonPayloadError as E;
    ApiError(match error {
        E::OverflowKnownLength { limit, .. } | E::Overflow { limit } => {
            Error::new(Kind::TooLarge, "body.too-large", format!("The body may have {limit} bytes at most."))
        }
        E::ContentType => {
            Error::new(Kind::Unsupported, "body.media-type", "Send the body as `Content-Type: application/json`.")
        }
        E::Deserialize(cause) => {
            // Category, line and column only: serde's text can repeat the value it did not like.
            let what = match cause.classify() {
                serde_json::error::Category::Data => field_words(&cause),
                _ => "it is not well-formed JSON".to_owned(),
            };
            Error::invalid(
                "body.json",
                format!("The body cannot be read at line {}, column {}: {what}.", cause.line(), cause.column()),
            )
        }
        other => Error::invalid("body.unreadable", "The body could not be read.").because(other),
    })
}

/// serde's words about names of fields (ours, not the client's values).
fn field_words(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("missing field") || text.starts_with("unknown field") || text.starts_with("unknown variant") {
        text.to_owned()
    } else {
        "a value has the wrong type or form".to_owned()
    }
}

fn bad_query(error: &actix_web::error::QueryPayloadError) -> ApiError {
    let text = error.to_string();
    let text = text.strip_prefix("Query deserialize error: ").unwrap_or(&text).to_owned();
    ApiError(Error::invalid("query", format!("A query parameter cannot be read: {text}.")))
}
