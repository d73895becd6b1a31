//! Decoders that are a table, no code: what a vendor writes as `decoder.toml` is checked and compiled by `source`
//! (feature `source`, native), put into the reserved memory of this crate's WebAssembly module by `afferent plugin pack`,
//! and interpreted there.
//!
//! The interpreter keeps the rules of every decoder by itself: an unknown flag and trailing bytes are refused, special
//! values are absent, numbers stay exact decimals. `docs/declarative-decoders.md` is the reference for vendors.

pub mod run;
mod slot;
#[cfg(feature = "source")]
pub mod source;
pub mod table;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome};

/// The component's decoder: the table that was put into its memory.
pub struct Declarative;

afferent_plugin_sdk::export_decoder!(Declarative);

impl Decoder for Declarative {
    fn describe() -> Manifest {
        let table = slot::bytes().and_then(|bytes| table::Table::from_bytes(bytes).ok());
        // Without a table it has no model, which the host refuses.
        table.and_then(|table| table.manifest().ok()).unwrap_or_else(|| Manifest::new("", "", ""))
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let bytes = slot::bytes().ok_or_else(|| DecodeError::unsupported("this decoder has no table"))?;
        let table = table::Table::from_bytes(bytes)
            .map_err(|_damaged| DecodeError::unsupported("this decoder's table is damaged"))?;
        run::decode(&table, input)
    }
}
