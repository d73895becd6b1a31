//! Rust projects: cargo for `wasm32-unknown-unknown`, then the wrapping as a component, in this process.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Name and component.
pub(super) fn pack(directory: &Path) -> Result<(String, Vec<u8>)> {
    let directory = std::path::absolute(directory)?;
    let path = componentize::build(&directory, &directory.join("target")).map_err(|error| {
        let missing = error.chain().any(|cause| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        });
        if missing && format!("{error:#}").contains("cannot start") {
            return error.context("cargo is missing: install Rust with https://rustup.rs, then `rustup target add wasm32-unknown-unknown`");
        }
        error
    })?;
    let name = path.file_stem().context("a component has a name")?.to_string_lossy().into_owned();
    Ok((name, fs::read(path)?))
}
