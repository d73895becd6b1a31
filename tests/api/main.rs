//! Everything through the front door: a real server on a real Postgres, one database a test.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop where it is")]
#![allow(missing_docs, clippy::doc_markdown, reason = "tests are named by what they show")]
#![allow(
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "tests stand outside: they have their own clients, folders and environment"
)]

mod apps;
mod bench;
mod every_format;
mod faults;
mod feeds;
mod fhir;
mod fleet;
mod forward;
mod hubs;
mod ingest;
mod mqtt;
mod plugin_vectors;
mod plugins;
mod provision;
mod replay;
mod security;
mod support;
mod tidy;
mod vendor_guide;
