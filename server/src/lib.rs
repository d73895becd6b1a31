//! Afferent: device payload in → sandboxed decoder → FHIR Observation → Postgres → the customer's EHR.
//!
//! The rooms in reading order: [`tenancy`], [`identity`], [`fhir`], [`fleet`], [`ingest`], [`forward`]. A room may use the
//! rooms before it, never those after it; `tests/api/tidy.rs` holds that (ARCHITECTURE.md).

pub mod app;
pub mod commands;
pub mod config;
pub mod error;
pub mod platform;
pub mod routes;
pub mod wiring;

// The rooms.
pub mod fhir;
pub mod fleet;
pub mod forward;
pub mod identity;
pub mod ingest;
pub mod tenancy;
