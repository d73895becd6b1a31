//! What the author of a payload decoder depends on: the contract as Rust types, readers that refuse what they do not
//! know, exact decimals, small builders, the registered words, and (feature `vectors`) the runner of payload vectors.
//!
//! A decoder is a type with two functions:
//!
//! ```
//! use afferent_plugin_sdk::{Decoder, DecodeError, Decimal, Input, Manifest, Outcome, Reader, Reading, Value};
//! use afferent_plugin_sdk::registry::kinds;
//!
//! struct Scale;
//!
//! impl Decoder for Scale {
//!     fn describe() -> Manifest {
//!         Manifest::new("acme-scale", "ACME", "1.0.0").kinds(&[kinds::BODY_WEIGHT])
//!     }
//!
//!     fn decode(input: &Input) -> Result<Outcome, DecodeError> {
//!         let mut reader = Reader::new(input.only_frame()?);
//!         let grams = reader.u16_le()?;
//!         reader.finish()?;
//!         let weight = Value::decimal(Decimal::new(i64::from(grams), 0), "g");
//!         Ok(Reading::new(kinds::BODY_WEIGHT, weight).into())
//!     }
//! }
//!
//! afferent_plugin_sdk::export_decoder!(Scale);
//! # fn main() {}
//! ```
//!
//! `README.md` walks through a whole decoder in fifteen minutes.

#[cfg(any(target_arch = "wasm32", test))]
#[doc(hidden)]
pub mod arena;
#[doc(hidden)]
pub mod bindings;

mod advertising;
mod build;
mod bytes;
mod channel;
mod check;
pub mod checksum;
mod date_time;
mod decimal;
mod export;
mod frames;
pub mod json;
mod manifest;
pub mod registry;
mod samples;
mod timestamp;
mod values;
#[cfg(all(feature = "vectors", not(target_arch = "wasm32")))]
pub mod vectors;

pub use advertising::{Advertisement, BluetoothAddress};
pub use bindings::device::afferent::decoder::types::{
    Coding, Component, Decimal, DecodeError, Decoded, DeviceFact, DeviceTime, ErrorKind, Example, Frame, HubContent,
    HubItem, HubOutcome, Incomplete, Input, Manifest, Model, NameValue, Nothing, OnChange, Outcome, Quantity, Reading,
    SampledData, Value, Warning,
};
pub use build::record_key;
pub use bytes::{Flags, Reader};
pub use channel::bluetooth_characteristic;
pub use check::{hub_violations, violations};
pub use date_time::{DateTime, WallClock};
pub use decimal::Number;
pub use export::{Decoder, ExportedDecoder, ExportedHubDecoder, HubDecoder};
pub use frames::{each_frame, join_outcomes};
pub use timestamp::Timestamp;
pub use values::{hub_outcome_name, hub_value_lines, outcome_name, value_lines};

/// The guide's decoder compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;
