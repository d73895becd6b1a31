//! Rows of connections and sessions.

pub mod connections;
pub mod sessions;
pub mod sources;
