//! `componentize`: builds decoder crates and writes their components.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const HELP: &str = "\
Builds decoder crates for wasm32-unknown-unknown and wraps them as WebAssembly components.

Usage: componentize [--out DIR] CRATE_DIR...

Arguments:
  CRATE_DIR...  directories of decoder crates (with Cargo.toml); the library must be a cdylib

Options:
  --out DIR     where NAME.wasm is written [default: the current directory]
  --help        this text

Cargo's own files go to CARGO_TARGET_DIR (or ./target) below `decoders`. Prints the path of each component.
";

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(text) => {
            write_out(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("componentize: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for, and what is to be printed.
#[expect(clippy::disallowed_methods, reason = "a build tool: it keeps its files where cargo's are")]
fn run(mut arguments: impl Iterator<Item = String>) -> Result<String> {
    let mut out = PathBuf::from(".");
    let mut crates = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(HELP.to_owned()),
            "--out" => out = arguments.next().context("--out needs a directory")?.into(),
            option if option.starts_with('-') => bail!("unknown option {option}; see --help"),
            directory => crates.push(PathBuf::from(directory)),
        }
    }
    if crates.is_empty() {
        bail!("no crate is named; see --help");
    }
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    // The crate's own directory decides cargo's, so that a relative path would move.
    let target = std::path::absolute(target)?.join("decoders");
    let mut written = String::new();
    for directory in &crates {
        written.push_str(&build_into(directory, &target, &out)?);
        written.push('\n');
    }
    Ok(written)
}

fn build_into(directory: &Path, target: &Path, out: &Path) -> Result<String> {
    let built = componentize::build(directory, target)?;
    let path = out.join(built.file_name().context("a component has a file name")?);
    componentize::write_atomically(&path, &std::fs::read(&built)?)?;
    Ok(path.display().to_string())
}

/// Prints, and lets a closed pipe be.
fn write_out(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
