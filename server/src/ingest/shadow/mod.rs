//! A decoder version beside the one that serves: over everything that is retained before it is activated (`carry_out`), and
//! beside live uplinks, on a share of them (`live`). Nothing that it says is stored but what differs.
//!
//! Owns `shadow_replay` and `shadow_key`. Invariants: a live uplink is compared after its commit and is never waited for; a
//! report is bounded whatever it counts; it names uplinks and tenants, never a person; changed record keys block the
//! activation until a platform admin has said what becomes of them (`activation_block`).

mod activation;
mod begin;
mod carry_out;
mod compare;
mod compare_items;
mod http;
mod live;
mod model;
mod registry;
mod run_both;
mod split_both;
mod store;

pub use activation::{Block, activation_block, was_compared};
pub use carry_out::run;
pub use http::routes;
pub use live::{Sample, Shadows, run_live};
pub use registry::{ShadowWish, follow_shadow};
