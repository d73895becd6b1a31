//! Builds the decoder that does nothing, and tells where it is.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("cargo sets CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    for input in ["build.rs", "empty-decoder", "../../../plugin-sdk/src", "../../../plugin-sdk/wit"] {
        println!("cargo:rerun-if-changed={}", here.join(input).display());
    }
    // A target folder of its own: the inner cargo would wait for the outer one's lock in the same.
    let path = componentize::build(&here.join("empty-decoder"), &out.join("target"))?;
    println!("cargo:rustc-env=EMPTY_DECODER={}", path.display());
    Ok(())
}
