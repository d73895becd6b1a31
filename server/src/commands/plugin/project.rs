//! `afferent plugin new` and `pack`: a project for a decoder, and its component, also as `test` and `try` take it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use vendor_tools::pack::{self, Language};
use vendor_tools::project;

/// Arguments of `afferent plugin new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// What the decoder is called: lower-case letters, digits and hyphens, such as `acme-scale`. Its first device model is
    /// named so too.
    name: String,
    /// What to write it in. A table needs no compiler and no network.
    #[arg(long, value_enum, default_value_t = Written::Declarative)]
    language: Written,
    /// Where to make it; must not be there, or be empty [default: a directory of the decoder's name].
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What decoders are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Written {
    /// A table: how the bytes or the JSON lie, and what they come to. No code.
    Declarative,
    /// Rust, with the SDK.
    Rust,
    /// JavaScript (QuickJS); needs Node.js and npm to pack.
    #[value(name = "javascript")]
    JavaScript,
    /// C; needs clang and lld to pack.
    C,
    /// Python; needs Python with venv to pack, and makes a component of 18 MB.
    Python,
}

/// Makes a project.
///
/// # Errors
/// The name is none, or something is in the way.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub fn new(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let directory = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let language = match args.language {
        Written::Declarative => Language::Declarative,
        Written::Rust => Language::Rust,
        Written::JavaScript => Language::JavaScript,
        Written::C => Language::C,
        Written::Python => Language::Python,
    };
    let files = project::create(&args.name, language, &directory)?;
    let shown = directory.display();
    println!("made {shown}");
    for file in files {
        println!("  {file}");
    }
    println!("\nnext:\n  afferent plugin pack {shown}\n  afferent plugin test {shown}");
    Ok(ExitCode::SUCCESS)
}

/// Builds a project's component.
///
/// # Errors
/// What is wrong with the project, or which tool is missing.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub fn pack(directory: &Path) -> anyhow::Result<ExitCode> {
    let packed = pack::pack(directory)?;
    println!(
        "{}: a component of {} bytes, made of {}",
        packed.path.display(),
        packed.component.len(),
        packed.language.title()
    );
    Ok(ExitCode::SUCCESS)
}

/// The component as it is tried here, and the directory beside which its vectors are.
///
/// # Errors
/// A file that cannot be read, or a project that cannot be packed.
pub fn component(target: &Path) -> anyhow::Result<(Vec<u8>, PathBuf)> {
    if target.is_dir() {
        return Ok((pack::pack(target)?.for_trials().to_vec(), target.to_owned()));
    }
    let bytes = std::fs::read(target).with_context(|| format!("cannot read {}", target.display()))?;
    Ok((bytes, target.parent().map(Path::to_owned).unwrap_or_default()))
}
