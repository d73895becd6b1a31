//! `afferent plugin pack`: a project becomes a component.

mod c;
mod declarative;
mod javascript;
mod python;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub use declarative::{component_of_table, put_table};

/// What a project is written in, as its files show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `Cargo.toml`.
    Rust,
    /// `decoder.toml`: a table, no code.
    Declarative,
    /// `decoder.js` and `package.json`.
    JavaScript,
    /// `decoder.c`.
    C,
    /// `decoder.py` and `pyproject.toml`.
    Python,
}

impl Language {
    /// What it is called where people read it: `a component made of …`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Declarative => "a table",
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::C => "C",
            Self::Python => "Python",
        }
    }

    /// The language of a project.
    ///
    /// # Errors
    /// The directory is none that `afferent plugin new` makes.
    pub fn of(directory: &Path) -> Result<Self> {
        let files = [
            ("decoder.toml", Self::Declarative),
            ("Cargo.toml", Self::Rust),
            ("decoder.js", Self::JavaScript),
            ("decoder.c", Self::C),
            ("decoder.py", Self::Python),
        ];
        let found: Vec<(&str, Self)> = files.into_iter().filter(|(name, _)| directory.join(name).is_file()).collect();
        match found.as_slice() {
            [(_, language)] => Ok(*language),
            [] => bail!(
                "{} has neither a decoder.toml (a table), a Cargo.toml (Rust), a decoder.js, a decoder.c nor a decoder.py; `afferent plugin new NAME` makes a project",
                directory.display()
            ),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
                bail!("{} has {}: which is the decoder?", directory.display(), names.join(" and "))
            }
        }
    }
}

/// A component that was made.
#[derive(Debug)]
pub struct Packed {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub component: Vec<u8>,
    /// What it was made of.
    pub language: Language,
    /// The same with names of functions and lines in it, where the language has them: a trial of it tells where it stops.
    pub located: Option<Vec<u8>>,
}

impl Packed {
    /// What is tried on the author's machine.
    #[must_use]
    pub fn for_trials(&self) -> &[u8] {
        self.located.as_deref().unwrap_or(&self.component)
    }
}

/// What a language makes of a project.
struct Made {
    name: String,
    component: Vec<u8>,
    located: Option<Vec<u8>>,
}

impl Made {
    /// Of a core module that has the contract's types, and names and lines.
    fn of_module(name: String, module: &[u8]) -> Result<Self> {
        let component = componentize::encode(&componentize::strip(module)?)?;
        Ok(Self { name, component, located: Some(componentize::encode(module)?) })
    }
}

/// Builds the project's component beside its sources: `DIRECTORY/NAME.wasm`.
///
/// # Errors
/// What is wrong with the project, with the line; or which tool is missing, with the command that installs it.
pub fn pack(directory: &Path) -> Result<Packed> {
    let language = Language::of(directory)?;
    let Made { name, component, located } = match language {
        Language::Declarative => declarative::pack(directory)?,
        Language::Rust => rust::pack(directory)?,
        Language::JavaScript => javascript::pack(directory)?,
        Language::C => c::pack(directory)?,
        Language::Python => python::pack(directory)?,
    };
    let path = directory.join(format!("{name}.wasm"));
    componentize::write_atomically(&path, &component)?;
    Ok(Packed { path, component, language, located })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
