//! Builds the decoders that the server brings along, and lists them for `include!`.
//!
//! Every crate under `plugins/` becomes a component in `$OUT_DIR/decoders`, and `$OUT_DIR/bundled_decoders.rs` names them:
//!
//! ```text
//! pub static BUNDLED: &[(&str, &[u8])] = &[("bluetooth-sig", include_bytes!("…/bluetooth-sig.wasm"))];
//! ```
//!
//! The decoders for the tests (of misbehaviour, and of versions) are built too, but only their paths are told
//! (`HOSTILE_DECODER`, `VERSIONED_DECODER`, `VERSIONED_SCALE`); their bytes are in no binary.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("cargo sets CARGO_MANIFEST_DIR")?);
    let root = here.parent().context("the server lies in the workspace")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target = nested_target(&out);
    let decoders = out.join("decoders");
    fs::create_dir_all(&decoders).with_context(|| format!("cannot make {}", decoders.display()))?;

    for input in ["plugins", "plugin-sdk/src", "plugin-sdk/Cargo.toml", "plugin-sdk/wit", "Cargo.lock", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo:rerun-if-changed=build.rs");

    let mut entries = String::new();
    for directory in crates(&root.join("plugins"))? {
        let (name, path) = place(&componentize::build(&directory, &target)?, &decoders)?;
        writeln!(entries, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    let list = format!(
        "/// The decoders that the server brings along: name and component.\n\
         pub static BUNDLED: &[(&str, &[u8])] = &[\n{entries}];\n"
    );
    componentize::write_atomically(&out.join("bundled_decoders.rs"), list.as_bytes())?;

    // A source archive without tests is complete, too.
    for (folder, name) in [
        ("hostile-decoder", "HOSTILE_DECODER"),
        ("versioned-decoder", "VERSIONED_DECODER"),
        ("versioned-hub", "VERSIONED_HUB"),
        ("versioned-scale", "VERSIONED_SCALE"),
    ] {
        let fixture = root.join("tests/fixtures").join(folder);
        if fixture.join("Cargo.toml").is_file() {
            println!("cargo:rerun-if-changed={}", fixture.display());
            let path = componentize::build(&fixture, &target)?;
            println!("cargo:rustc-env={name}={}", path.display());
        }
    }
    Ok(())
}

/// The crates directly below a directory, by name, so that the list does not change from run to run.
fn crates(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut crates = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            crates.push(path);
        }
    }
    crates.sort();
    Ok(crates)
}

/// Copies a component to where this build of the server keeps its own, and gives its name and path there.
fn place(component: &Path, decoders: &Path) -> Result<(String, PathBuf)> {
    let file = component.file_name().context("a component has a file name")?;
    let path = decoders.join(file);
    componentize::write_atomically(&path, &fs::read(component)?)?;
    let name = Path::new(file).file_stem().context("a component has a name")?;
    Ok((name.to_string_lossy().into_owned(), path))
}

/// A target directory of its own beside the outer profile's: the inner cargo would wait for the outer one's lock in the
/// same. `OUT_DIR` is `<target>/<profile>/build/<package>/out`, whatever names the target directory.
fn nested_target(out: &Path) -> PathBuf {
    out.ancestors()
        .skip_while(|path| path.file_name().is_none_or(|name| name != "build"))
        .nth(2)
        .unwrap_or(out)
        .join("decoders")
}
