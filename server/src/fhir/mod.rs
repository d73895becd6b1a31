//! The FHIR R4 interface and its store: read, vread, history, search, create, update, conditional create and update, transaction
//! and batch, for Observation, Patient and (read-only) Device.
//!
//! Owns `resource*`, `observation*`, `concept*` and `identifier_system`. Invariants: what is served is the exact text that
//! was stored; every superseded version is kept; an Observation about a Patient is about one that exists; equal
//! conditional creates make one resource, however many come at once; nothing a client writes skips validation.
//!
//! Every change by a client goes through `changes`, alone or in a Bundle. Readings of devices are born elsewhere, in the
//! group commit (`readings`), and the fleet writes its Devices as projections (`store::write_projection`).

mod changes;
pub(crate) mod concepts;
mod create;
mod history;
mod http;
pub(crate) mod identifier_systems;
mod intake;
mod model;
mod observation_columns;
pub(crate) mod readings;
pub(crate) mod reassign_readings;
pub(crate) mod revise_readings;
pub(crate) mod same_measurement;
mod search;
mod specification;
pub(crate) mod store;
mod transaction;
mod update;
pub(crate) mod uplink_readings;

pub(crate) use concepts::Concepts;
pub use http::routes;
pub(crate) use identifier_systems::IdentifierSystems;
pub(crate) use model::ResourceType;
pub(crate) use specification::Specification;
