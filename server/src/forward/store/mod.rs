//! Rows of the room: endpoints with their patients' mappings, deliveries and their log, leases of lanes.

pub(super) mod deliveries;
pub(super) mod endpoints;
pub(super) mod lanes;
pub(super) mod settle;
pub(super) mod view;
