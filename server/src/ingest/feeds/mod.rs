//! Feeds: what vendors' clouds post. One credential, many devices or accounts; a payload is cut into items by the table of
//! formats, and each item goes the way of what a hub carries: linked device or kept until it is claimed, its own decoder,
//! the shared group commit, its own answer (decision 0020).
//!
//! Invariants: nothing is read of a post before its feed is known, and nothing kept before it is authenticated; 2xx only
//! when everything is committed, because vendors send again only what was not answered so.

mod authenticate;
mod cut;
mod http;
mod items;
mod pull;
mod pulls_http;
mod receive_feed_uplink;
mod unclaimed;

pub use http::routes;
pub(super) use items::items;
pub use pull::{
    forget as forget_pulls, of_authorized as pulls_of_authorized, run as run_pulls, subscribe as subscribe_account,
};

/// Mounts what operators see of feeds' data.
pub fn api_routes(config: &mut utoipa_actix_web::service_config::ServiceConfig) {
    unclaimed::routes(config);
    pulls_http::routes(config);
}
