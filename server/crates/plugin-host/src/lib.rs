//! The sandbox: loads decoders (WebAssembly components), runs each uplink in a fresh instance, and enforces every limit.

mod types;
pub use types::*;
