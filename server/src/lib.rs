//! Afferent: device payload in → sandboxed decoder → FHIR Observation → Postgres → the customer's EHR.
//!
//! Rooms in reading order; a room may use the rooms above it, never those below (ARCHITECTURE.md).

pub mod app;
pub mod commands;
pub mod config;
pub mod error;
pub mod platform;
pub mod routes;
pub mod wiring;

// The rooms.
pub mod tenancy;
pub mod identity;
pub mod fhir;
pub mod fleet;
pub mod ingest;
pub mod forward;
