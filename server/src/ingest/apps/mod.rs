//! Phone apps at the way in: pairing by a code, what an installation may know of itself, when it was last seen, and what it
//! brought for devices that nobody has paired. Its uplinks are a hub's (`hubs/`, decision 0021).
//!
//! Invariants: a code is tried only as often as the limits allow; an app is told nothing about patients.

mod http;
mod seen;
mod unclaimed;

pub use http::routes;
pub use seen::Seen;
pub(super) use seen::saw;
pub use unclaimed::routes as api_routes;
