//! Everything through the front door: a real server on a real Postgres, one database a test.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop where it is")]
#![allow(missing_docs, reason = "tests are named by what they show")]

mod faults;
mod ingest;
mod security;
mod support;
mod tidy;
