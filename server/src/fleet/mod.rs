//! The fleet: device models and their decoders, devices, hubs, who wears what, and the tokens of sources.
//!
//! Owns `decoder`, `device_model` (and in `plugins` the registry of decoders), `device_unit`, `device`, `hub`, `hub_device`,
//! `feed`, `feed_authorization`, `feed_consent`, `app_installation`, `app_pairing`, `activation`, `assignment` and its
//! history.
//!
//! Invariants: a unit (model, serial) is enrolled with one tenant at a time; an enrolment that has ended stays ended, and
//! its readings stay with its tenant. Periods of activity are recorded from the first day and never removed. A device and
//! its FHIR Device change in one transaction. Nobody else wears a device and slot at the same time. Variables are secrets:
//! sealed at rest, shown by name only.

mod activate;
mod apps;
mod assign_device;
mod change_device;
mod change_hub;
mod decoders;
mod end_enrolment;
mod enrol_device;
mod feeds;
mod http;
mod issue_source_token;
mod model;
mod plugins;
mod projection;
mod reassign_device;
mod register_hub;
mod source;
mod store;

pub use apps::{Described, PairingLimits, find_app_in, note_seen, read_own as read_own_app, redeem as redeem_pairing};
pub use assign_device::{NewAssignment, assign as assign_device};
pub use decoders::{
    Binding, COMPILED_DECODERS, Decoders, LiveDecoders, LoadedDecoder, Origin, RefusedDecoder, ServedModel, Unbound,
    allowed_words, follow_registry,
};
pub use enrol_device::{NewDevice, enrol as enrol_device};
pub use feeds::authorization::{self as authorizations, Account, OAuthTokens, SEALED_TOKENS};
pub use feeds::consent::callback_routes as feed_callback_routes;
pub use feeds::withings;
pub use feeds::{
    Authentication, Challenge, FeedClient, FeedFormat, FeedFormats, FeedSecrets, FeedSnapshot, HmacAlgorithm,
    SEALED_FEED_SECRETS, Shape, SignatureEncoding, VendorApi, find_feed_in, link_known, load_feed,
};
pub use http::routes;
pub use issue_source_token::{IssuedToken, Source, issue as issue_source_token};
pub use model::{Checks, DeviceIdentifier, SEALED_HUB_VARIABLES, SEALED_VARIABLES, Variables, normal_address};
pub use plugins::{for_trial as plugin_for_trial, visible_plugins};
pub use reassign_device::{Rewrite, rewrite_assignments};
pub use source::{
    DeviceSnapshot, HubSnapshot, find_hub_in, find_paired_devices, hold_pairings, load_device, load_hub,
    tenant_of_device,
};
pub use store::assignment::AssignmentRow;
pub use store::device::DeviceRow;
pub use store::hub::HubRow;

use crate::error::Error;

/// 409: what has ended is not changed any more.
fn enrolment_ended() -> Error {
    Error::conflict(
        "device.enrolment-ended",
        "This enrolment has ended. Enrol the unit anew (POST /api/v1/devices with the same model and serial).",
    )
}
