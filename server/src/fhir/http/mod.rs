//! The REST interface (<https://hl7.org/fhir/R4/http.html>), under `/t/{tenant}/fhir/r4` and, for tokens that have one
//! tenant, under `/fhir/r4`. Whatever goes wrong is answered as an OperationOutcome.

mod answer;
mod body;
mod change;
mod metadata;
mod read;
mod request;
mod wishes;

use actix_web::web::{self, ServiceConfig};

/// Mounts the interface under both bases.
pub fn routes(cfg: &mut ServiceConfig) {
    for base in ["/t/{tenant}/fhir/r4", "/fhir/r4"] {
        cfg.service(
            web::scope(base)
                .service(web::resource(["", "/"]).route(web::post().to(change::bundle)).default_service(web::to(request::not_allowed)))
                .service(
                    web::resource("/metadata")
                        .route(web::get().to(metadata::metadata))
                        .route(web::head().to(metadata::metadata))
                        .default_service(web::to(request::not_allowed)),
                )
                // There is no authorisation server yet, and a document that claimed one would mislead clients.
                .service(web::resource("/.well-known/{name:.*}").to(request::no_smart_configuration))
                .service(web::resource("/{type}/_search").route(web::post().to(read::search_form)).default_service(web::to(request::not_allowed)))
                .service(
                    web::resource("/{type}/{id}/_history/{version}")
                        .route(web::get().to(read::read_version))
                        .route(web::head().to(read::read_version))
                        .default_service(web::to(request::not_allowed)),
                )
                .service(
                    web::resource("/{type}/{id}/_history")
                        .route(web::get().to(read::history))
                        .route(web::head().to(read::history))
                        .default_service(web::to(request::not_allowed)),
                )
                .service(
                    web::resource("/{type}/{id}")
                        .route(web::get().to(read::read))
                        .route(web::head().to(read::read))
                        .route(web::put().to(change::update))
                        .default_service(web::to(request::not_allowed)),
                )
                .service(
                    web::resource(["/{type}", "/{type}/"])
                        .route(web::get().to(read::search))
                        .route(web::head().to(read::search))
                        .route(web::post().to(change::create))
                        .route(web::put().to(change::update_matching))
                        .default_service(web::to(request::not_allowed)),
                )
                .default_service(web::to(request::unknown)),
        );
    }
}
