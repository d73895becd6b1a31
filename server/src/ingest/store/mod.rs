//! Rows and queries of the way in. Everything that the commit writes goes in batches (`INSERT … SELECT FROM unnest`).

mod bodies;
mod keys;
mod lists;
mod period_wearers;
mod questions;
pub mod retention;
mod rows;

pub use bodies::{StoredBody, find_body, insert_bodies, insert_received, seal_in_place, unsealed};
pub use keys::{HeldKey, KeyRow, answer_keys, release_keys, take_keys};
pub use lists::{
    KeptUplink, find_uplink, kept_uplink, list_quarantine, list_uplinks, payloads_of_item, received_uplink,
};
pub use period_wearers::{PeriodQuestion, period_wearers};
pub use questions::{Refusal, Wearer, WearerQuestion, any_committed, refusals, refuse_carried, wearers};
pub use rows::{HeldRow, QuarantineRow, UplinkFate, insert_held, insert_quarantine, insert_uplinks, update_replayed};
