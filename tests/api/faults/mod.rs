//! Faults that we cause: nothing acknowledged is lost, nothing is doubled, nobody else is hurt.

mod hostile_decoders;
mod killed_server;
