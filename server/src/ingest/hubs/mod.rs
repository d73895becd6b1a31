//! What hubs carry: one payload, many devices. A hub's payload is split into items by its model's hub decoder, or comes as
//! an envelope whose frames name their devices; each item goes the way of an uplink of its own device.
//!
//! Owns `unclaimed_item`. Invariants: one item never costs its neighbours; an item is stored only for a device that is
//! paired with this hub when it is committed; what is nobody's is kept sealed until a person claims or discards it, bounded
//! for each hub; every item is answered, and a success only after its commit.

mod answer;
mod http;
mod item;
mod keep;
mod pair_items;
mod process;
mod receive_hub_uplink;
mod replay;
mod split;
mod split_again;
mod store;
mod unclaimed;

pub use answer::HubReceipt;
pub use http::routes;
pub(super) use item::{Content, Item, JSON, MOST as MOST_ITEMS};
pub(super) use pair_items::pair_items;
pub(super) use receive_hub_uplink::{receive_known, take_envelope, take_payload};
pub(super) use replay::replay;
pub(super) use split::{Parts, hub_input, run_hub_decoder};
pub(super) use split_again::{Again, SplitAgain};
pub(super) use store::{UnclaimedRow, list_unclaimed as list_kept};
pub(super) use unclaimed::{Discard, Discarded, UnclaimedDevices, discard_kept, view as view_unclaimed};
pub use unclaimed::{claim_kept, routes as api_routes, run as run_claims};
