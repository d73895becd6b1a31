//! How far each device's clock is behind ours: measured on what comes live, applied when it is well established.
//!
//! A sample is the capture (or receipt) of a payload minus the time that the device gives: its current time where it tells
//! it, else the time of its newest reading. A reading that was stored and sent late looks like a clock that is behind, by a
//! different amount each time; a clock that is behind is so by the same amount. Therefore an offset counts only when several
//! samples agree.
//!
//! The offsets live in memory, and a row is written when what is known changes, not with every uplink: `device_clock`. What
//! was applied to a reading stands in its Observation (`clock-offset`) and with a held reading.

mod measure;
mod memory;
mod sample;
mod store;

pub use measure::Correction;
pub use memory::Clocks;
pub(super) use sample::sample;
