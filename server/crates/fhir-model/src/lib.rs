//! FHIR R4 without HTTP and SQL: reading and validating what comes in, authoring what goes out, the grammar of
//! search, index values, Bundles and `OperationOutcome`. The only crate that names fhirbolt.
//!
//! What comes in never passes through typed structs: it is JSON, checked against the official definitions
//! (`fhir-profiles/r4`), so that no element, no digit and no order is lost.

pub mod bundle;
pub mod capability;
pub mod datetime;
pub mod decimal;
pub mod definitions;
pub mod device;
pub mod dispositions;
pub mod observation;
pub mod outcome;
pub mod parameters;
pub mod parse;
mod r4;
pub mod reference;
pub mod resource;
pub mod search;
pub mod units;
pub mod validate;
pub mod vitals;
