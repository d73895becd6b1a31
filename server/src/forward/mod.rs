//! The way out: Observations go to the customers' EHRs, at least once in effort and exactly once in effect.
//!
//! Owns `endpoint`, `endpoint_patient`, `delivery`, `delivery_log` and `lane_lease`. Invariants: a delivery is born in the
//! transaction that stores its Observation, and is deleted only in one that logs it; a lane has at most one request in
//! flight, held by a lease with a fencing token; no row is locked while a request is under way; after an outcome that
//! leaves open whether a create took effect, the receiver is asked before it is tried again; what an endpoint refuses for
//! itself (credential, URL) kills no delivery, and a dead letter does not block its lane.

mod bundle;
mod create_endpoint;
mod http;
mod model;
mod readings_revised;
mod readings_stored;
mod receiver_view;
mod replay_deliveries;
mod store;
mod update_endpoint;
mod verdict;
mod worker;

pub use create_endpoint::SEALED_CREDENTIALS;
pub use http::routes;
pub(crate) use readings_revised::readings_revised;
pub(crate) use readings_stored::readings_stored;
pub use worker::{Doorbell, run};
