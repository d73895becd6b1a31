//! REST of the way out: endpoints, how they name patients, and deliveries.

mod deliveries;
mod endpoints;
mod patients;

use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts this room's routes.
pub fn routes(config: &mut ServiceConfig) {
    config.configure(endpoints::routes).configure(patients::routes).configure(deliveries::routes);
}
