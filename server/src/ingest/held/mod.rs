//! Readings that wait for a person, and what people decide about them.
//!
//! A held row is the lock of its reading: the group commit takes the rows of the readings it is about to store, so that a
//! claim and the same payload sent again cannot both make an Observation. It is also the reading's memory: what was
//! claimed, released or discarded once is known when it comes again, whatever the assignments say then.

mod again;
mod decide;
mod discard;
mod http;
mod model;
mod sight;
mod store;
mod write;

pub(crate) use decide::take_in;
pub use http::routes;
pub(super) use model::check_reason;
pub use model::{Action, Order};
pub(super) use sight::{Sight, Standing, follow_aliases, keys, look, sights};
pub(super) use store::{NewCorrection, insert_corrections};
pub(super) use write::{HeldAgain, Taken, write};
