//! Rows and queries of the way in. Everything that the commit writes goes in batches (`INSERT … SELECT FROM unnest`).

mod keys;
mod lists;
mod questions;
mod rows;

pub use keys::{HeldKey, KeyRow, answer_keys, take_keys};
pub use lists::{find_uplink, kept_uplink, list_quarantine, list_uplinks};
pub use questions::{Refusal, Wearer, WearerQuestion, is_committed, refusals, wearers};
pub use rows::{HeldRow, QuarantineRow, UplinkFate, insert_held, insert_quarantine, insert_uplinks, update_replayed};
