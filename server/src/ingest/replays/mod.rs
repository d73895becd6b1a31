//! Decoding again: a tenant's kept uplinks, those in quarantine or those that were read wrongly, go through a decoder once
//! more, and what is stored is corrected.
//!
//! Owns `replay` and `replay_item`. A replay is a job row: a page of uplinks is decoded, then compared and corrected in one
//! transaction that also moves the job's position, so that whoever goes on after a crash does nothing twice. A dry run is the
//! same transaction, rolled back but for the job's own rows. Invariants: a correction is a new version of the Observation
//! that the uplink made; what people did is never overturned; what cannot be corrected is told, with the reason.

mod begin;
mod carry_out;
mod changes;
mod decoder;
mod http;
mod model;
mod prepare;
mod store;

pub use carry_out::run;
pub(super) use changes::changes;
pub(super) use decoder::{bind, version};
pub use http::routes;
pub(super) use model::{Action, DecoderVersion, FieldChange, Finding};
