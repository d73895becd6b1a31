//! Builds a decoder crate for `wasm32-unknown-unknown` and wraps the core module as a WebAssembly component.
//!
//! No other tool is needed than cargo with that target: the bindings that the SDK generates carry the contract's types in
//! a custom section of the module, and this crate encodes the component from them. There are no adapters, for
//! decoders import nothing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// The target of decoders: no operating system, so that there is nothing to import.
const TARGET: &str = "wasm32-unknown-unknown";

/// How the custom sections begin in which the bindings keep the contract's types.
const CONTRACT_SECTION: &str = "component-type";

/// The cargo profile of decoders.
const PROFILE: &str = "decoder";

/// Builds the crate in `crate_directory` and gives the path of its component, `<target_directory>/<package>.wasm`.
///
/// Cargo's own files go to `target_directory` too, which must not be that of a cargo that is waiting for this one (a
/// build script's): the two would wait for each other's lock. When nothing has changed this takes cargo's look around, some tenths of a
/// second.
///
/// # Errors
/// When the crate is no decoder, does not compile (cargo's messages are in the error), or the target is not installed
/// (the error says how to).
pub fn build(crate_directory: &Path, target_directory: &Path) -> Result<PathBuf> {
    let names = Names::read(crate_directory)?;
    let module = fs::read(build_module(crate_directory, target_directory)?)?;
    let component = encode(&module).with_context(|| format!("`{}` is no component", names.package))?;
    let path = target_directory.join(format!("{}.wasm", names.package));
    write_atomically(&path, &component)?;
    Ok(path)
}

/// Builds the crate, and gives the path of its core module, before it is wrapped: for a decoder that something is still put
/// into. As [`build`] otherwise.
///
/// # Errors
/// As [`build`].
pub fn build_module(crate_directory: &Path, target_directory: &Path) -> Result<PathBuf> {
    build_module_with(crate_directory, target_directory, &[])
}

/// As [`build_module`], with names of functions and lines in it whatever the crate's profile says, for telling where a decoder
/// stops; [`strip`] takes them out again, and nothing else differs.
///
/// # Errors
/// As [`build`].
pub fn build_located_module(crate_directory: &Path, target_directory: &Path) -> Result<PathBuf> {
    let settings = [format!("profile.{PROFILE}.strip=false"), format!("profile.{PROFILE}.debug=\"line-tables-only\"")];
    build_module_with(crate_directory, target_directory, &settings)
}

fn build_module_with(crate_directory: &Path, target_directory: &Path, settings: &[String]) -> Result<PathBuf> {
    let names = Names::read(crate_directory)?;
    let mut cargo = cargo(&names, crate_directory, target_directory);
    for setting in settings {
        cargo.args(["--config", setting]);
    }
    let output = cargo.output().with_context(|| format!("cannot start {cargo:?}"))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        bail!("building the decoder `{}` failed ({}):\n{messages}{}", names.package, output.status, hint(&messages));
    }
    let module_path = target_directory.join(TARGET).join(PROFILE).join(format!("{}.wasm", names.library));
    ensure!(
        module_path.is_file(),
        "{} is missing: is the library of `{}` a cdylib?",
        module_path.display(),
        names.package
    );
    Ok(module_path)
}

/// What the package of a crate is called.
///
/// # Errors
/// Its `Cargo.toml` cannot be read, or has no name.
pub fn package_name(crate_directory: &Path) -> Result<String> {
    Ok(Names::read(crate_directory)?.package)
}

/// A core module without names of functions, lines and whatever else compilers leave in it; the contract's types stay.
///
/// # Errors
/// The bytes are no core module.
pub fn strip(module: &[u8]) -> Result<Vec<u8>> {
    let mut kept = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the compiler's module cannot be read")?;
        let is_noise =
            matches!(&payload, Payload::CustomSection(section) if !section.name().starts_with(CONTRACT_SECTION));
        if let Some((id, range)) = payload.as_section().filter(|_| !is_noise) {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            kept.section(&RawSection { id, data: module.get(range).context("a section lies outside of the module")? });
        }
    }
    Ok(kept.finish())
}

/// Wraps a core module, and validates what comes out.
///
/// # Errors
/// When the module lacks the contract's types or the exports that they ask for, or imports something.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}

/// The module with the contract's types in it, as the bindings of the SDK carry them: for modules that another compiler made. `wit` is the
/// contract's text, and `world` the one that the module exports.
///
/// # Errors
/// The text is no contract, or has no such world.
pub fn with_contract(module: &[u8], wit: &str, world: &str) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("decoder.wit", wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut module = module.to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

/// Writes beside and renames, unless the file already says the same: its time is what others compare.
///
/// # Errors
/// What the file system says.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What a crate and its library are called.
struct Names {
    package: String,
    library: String,
}

impl Names {
    fn read(crate_directory: &Path) -> Result<Self> {
        let path = crate_directory.join("Cargo.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: toml::Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
        let name = |table: &str| manifest.get(table)?.get("name")?.as_str().map(str::to_owned);
        let package = name("package").with_context(|| format!("{} has no package.name", path.display()))?;
        let library = name("lib").unwrap_or_else(|| package.clone()).replace('-', "_");
        ensure!(!package.contains(['/', '\\']), "the package name `{package}` is no file name");
        Ok(Self { package, library })
    }
}

/// The cargo call, in an environment that is the same from a shell, from `cargo clippy` and from a build script.
#[expect(clippy::disallowed_methods, reason = "a build tool: cargo speaks to it through the environment")]
fn cargo(names: &Names, crate_directory: &Path, target_directory: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        if belongs_to_the_outer_build(&name) {
            cargo.env_remove(name);
        }
    }
    cargo
        .args([
            "build",
            "--lib",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "-p",
            &names.package,
            "--color",
            "never",
        ])
        .arg("--manifest-path")
        .arg(crate_directory.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_directory)
        // A vendor's own workspace need not declare the profile; ours refines it.
        .args([
            "--config",
            &format!("profile.{PROFILE}.inherits=\"release\""),
        ]);
    cargo
}

/// Whether a variable would carry the outer build's settings into the decoder's: flags for another target, clippy in
/// place of the compiler, and what cargo tells build scripts. The jobserver, the network and the registries stay.
fn belongs_to_the_outer_build(name: &OsStr) -> bool {
    const NAMES: [&str; 18] = [
        "RUSTFLAGS",
        "RUSTC",
        "RUSTDOC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "TARGET",
        "HOST",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
        "OUT_DIR",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    ];
    const PREFIXES: [&str; 6] = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_BIN_", "DEP_"];
    let Some(name) = name.to_str() else {
        return false;
    };
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What to install, when that is what is missing.
fn hint(messages: &str) -> &'static str {
    if messages.contains("can't find crate for `core`") || messages.contains("target may not be installed") {
        "\nThe target wasm32-unknown-unknown is not installed for this compiler. Install it with\n\
         \n    rustup target add wasm32-unknown-unknown\n\
         \nor, where the compiler comes from a distribution, its package for that target (Debian: libstd-rust-dev-wasm32).\n"
    } else {
        ""
    }
}
