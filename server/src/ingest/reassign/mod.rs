//! Staff record a day late that somebody else wore a device: the assignments are rewritten at once, then every reading that
//! was stored under the wrong person is withdrawn and made anew for the right one.
//!
//! The rewriting is one transaction that waits for the group commits before it: from its commit on, what is stored under the
//! old assignments is visible, and whatever arrives sees the new ones. The moving happens in chunks, each a transaction; the
//! job's row and its items say what is left, so that any process goes on after a crash.

mod begin;
mod carry_out;
mod http;
mod store;

pub use carry_out::run;
pub use http::routes;
