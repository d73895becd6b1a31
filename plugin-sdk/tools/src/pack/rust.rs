//! Rust projects: cargo for `wasm32-unknown-unknown`, then the wrapping as a component, in this process.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Made;

/// Builds it with names and lines, which are taken out of what is handed in.
pub(super) fn pack(directory: &Path) -> Result<Made> {
    let directory = std::path::absolute(directory)?;
    let path = componentize::build_located_module(&directory, &directory.join("target")).map_err(|error| {
        let missing = error.chain().any(|cause| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        });
        if missing && format!("{error:#}").contains("cannot start") {
            return error.context("cargo is missing: install Rust with https://rustup.rs, then `rustup target add wasm32-unknown-unknown`");
        }
        error
    })?;
    Made::of_module(componentize::package_name(&directory)?, &fs::read(path)?)
}
