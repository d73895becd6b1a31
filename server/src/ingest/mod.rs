//! The way in: bytes with a token → decoded in a sandbox → committed with their Observations and deliveries.
//!
//! Owns `uplink`, `uplink_body` and `uplink_body_kept` (the raw bytes, sealed), `ingest_key`, `quarantine`, `held_reading`,
//! `reassignment`, the record of corrections, `unclaimed_item` (`hubs/`), `feed_pull` (`feeds/`), `waiting_frames` (`joining/`) and `mqtt_connection`,
//! `mqtt_session`, `mqtt_process` (`mqtt/`). Invariants: 2xx only after commit; nothing received is lost without
//! being counted; every failure is kept with its reason and can be replayed; the bytes are never looked at outside a sandbox.

mod apps;
mod batch;
mod claimed_identity;
mod clock;
mod commit;
mod decode_uplink;
mod decoded_body;
mod envelope;
mod feeds;
mod frames;
mod handle_map;
mod held;
mod http;
mod hubs;
mod intake;
pub mod interpret;
mod joining;
mod model;
mod mqtt;
mod open_body;
mod read_upload;
mod reassign;
mod receive_uplink;
mod replay_uplink;
mod replays;
mod retained;
pub mod retention;
mod run_decoder;
mod shadow;
mod sources;
mod store;
pub mod trial;

pub use apps::Seen as AppsSeen;
pub use clock::Clocks;
pub use commit::run as run_committer;
pub use feeds::{forget_pulls, pulls_of_authorized, run_pulls, subscribe_account};
pub(crate) use held::take_in;
pub use http::{api_routes, routes};
pub use hubs::{claim_kept, run_claims};
pub use intake::{Bounds, Intake, Waiting};
pub use interpret::Tables;
pub use joining::run as run_joins;
pub use model::{HeldReceipt, Outcome, Receipt};
pub use mqtt::{SEALED_PASSWORDS, run as run_mqtt};
pub use reassign::run as run_reassignments;
pub use replays::run as run_replays;
pub use shadow::{
    Block, ShadowWish, Shadows, activation_block, follow_shadow, run as run_shadow_replays,
    run_live as run_live_shadows, was_compared,
};
pub use sources::Sources;
