//! MQTT as a way in: Afferent subscribes at a broker, for the devices and hubs of one tenant.
//!
//! Owns `mqtt_connection`, `mqtt_session` and `mqtt_process`. Invariants: a message is acknowledged (PUBACK) only after its
//! commit, and always in the end, so that none blocks those behind it; a topic that names a source of another tenant, or
//! one that may not send, brings nothing in; what waits for its commit is bounded in number and bytes, and no more is read
//! meanwhile; a message that the broker delivers again is known again. docs/mqtt.md, docs/decisions/0019.
//!
//! A connection has several persistent sessions, which the processes share by leases (`hold`). A session (`session/`)
//! connects, subscribes, reads, and acknowledges; `deliver` takes one message to its commit; `topics` says whom a topic
//! names; `packet/` is the protocol.

mod change_connection;
mod create_connection;
mod deliver;
mod hold;
mod http;
mod model;
mod packet;
mod session;
mod sources;
mod status;
mod store;
mod topics;

pub use hold::run;
pub use http::routes;
pub use model::SEALED_PASSWORDS;
