//! Rows of the FHIR store. Every function takes a connection inside a transaction of the tenant's scope, and names the
//! tenant as well: row-level security is the second wall.

mod history;
mod index_rows;
pub(crate) mod moves;
mod observations;
mod projection;
mod read;
mod resources;
pub(crate) mod revisions;
mod search;
mod sql;

pub(crate) use history::{Wanted, count_history, history};
pub(crate) use index_rows::IndexRows;
pub(crate) use observations::{
    FurtherIdentifier, NewObservation, Standing, identified, insert_observations, replace_further_identifiers,
    standing, update_observation,
};
pub(crate) use projection::{Projection, next_version, write_projection};
pub(crate) use read::{existing_patients, lock_criteria, lock_current, patient_exists, read, read_many, read_version};
pub(crate) use resources::{NewResource, insert_resources, supersede, update_resource};
pub(crate) use search::{After, SearchRow, count, search};
