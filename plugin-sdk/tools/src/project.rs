//! `afferent plugin new`: a small complete project, of templates that are in the binary.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::embedded::{LOCK, SDK};
use crate::pack::Language;

/// Letters of the longest name: it becomes a file and a key.
const LONGEST: usize = 60;

const README_END: &str = include_str!("../templates/README-end.md");
const VECTORS: &str = include_str!("../templates/vectors.jsonl");

/// A project that has nothing besides what a person edits, or whose SDK is written otherwise.
const NOTHING: &[(&str, &str)] = &[];
/// The files of a project by language: path and template.
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("../templates/rust/lib.rs.txt")),
    ("README.md", include_str!("../templates/rust/README.md")),
    (".gitignore", "/target\n*.wasm\n"),
];
const DECLARATIVE: &[(&str, &str)] = &[
    ("decoder.toml", include_str!("../templates/declarative/decoder.toml")),
    ("README.md", include_str!("../templates/declarative/README.md")),
    (".gitignore", "*.wasm\n"),
];

const JAVASCRIPT: &[(&str, &str)] = &[
    ("decoder.js", include_str!("../templates/javascript/decoder.js")),
    ("package.json", include_str!("../templates/javascript/package.json.txt")),
    ("README.md", include_str!("../templates/javascript/README.md")),
    (".gitignore", "/node_modules\n*.wasm\n"),
];
/// What a JavaScript project has besides, and nobody edits.
const JAVASCRIPT_SDK: &[(&str, &str)] = &[
    ("afferent.js", include_str!("../../javascript/afferent.js")),
    ("decoder.wit", include_str!("../../wit/decoder.wit")),
];
const JAVASCRIPT_LOCK: &str = include_str!("../templates/javascript/package-lock.json.txt");

const C: &[(&str, &str)] = &[
    ("decoder.c", include_str!("../templates/c/decoder.c")),
    ("README.md", include_str!("../templates/c/README.md")),
    (".gitignore", "/build\n*.wasm\n"),
];
const C_SDK: &[(&str, &str)] = &[
    ("sdk/afferent.h", include_str!("../../c/afferent.h")),
    ("sdk/afferent.c", include_str!("../../c/afferent.c")),
    ("sdk/decoder.wit", include_str!("../../wit/decoder.wit")),
    ("compile_flags.txt", include_str!("../templates/c/compile_flags.txt")),
];

const PYTHON: &[(&str, &str)] = &[
    ("decoder.py", include_str!("../templates/python/decoder.py")),
    ("pyproject.toml", include_str!("../templates/python/pyproject.toml.txt")),
    ("README.md", include_str!("../templates/python/README.md")),
    (".gitignore", "/.venv\n__pycache__\n*.wasm\n"),
];
const PYTHON_SDK: &[(&str, &str)] = &[
    ("afferent.py", include_str!("../../python/afferent.py")),
    ("decoder.wit", include_str!("../../wit/decoder.wit")),
    ("requirements.txt", include_str!("../templates/python/requirements.txt")),
];

/// Makes the project `name` in `directory`, which must not be there, or be empty. Gives the files that a person edits.
///
/// # Errors
/// The name is none, or something is in the way: nothing is ever overwritten.
pub fn create(name: &str, language: Language, directory: &Path) -> Result<Vec<String>> {
    check_name(name)?;
    let taken = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!taken, "{} is there already and is not empty; nothing was changed", directory.display());
    ensure!(!directory.is_file(), "{} is a file", directory.display());
    // What a person edits, and what lies beside it.
    let (templates, beside) = match language {
        Language::Rust => (RUST, NOTHING),
        Language::Declarative => (DECLARATIVE, NOTHING),
        Language::JavaScript => (JAVASCRIPT, JAVASCRIPT_SDK),
        Language::C => (C, C_SDK),
        Language::Python => (PYTHON, PYTHON_SDK),
    };
    let mut files = Vec::new();
    for (path, template) in templates {
        write(directory, path, &filled(template, name))?;
        files.push((*path).to_owned());
    }
    let vectors = format!("vectors/{name}.jsonl");
    write(directory, &vectors, &filled(VECTORS, name))?;
    files.push(vectors);
    for (path, text) in beside {
        write(directory, path, text)?;
    }
    if language == Language::JavaScript {
        write(directory, "package-lock.json", &filled(JAVASCRIPT_LOCK, name))?;
    }
    if language == Language::Rust {
        for (path, text) in SDK {
            write(directory, &format!("sdk/{path}"), text)?;
        }
        write(directory, "Cargo.lock", &lock(name))?;
    }
    Ok(files)
}

/// Lower case, digits and hyphens, beginning with a letter: it names the decoder, its file, a device model and a crate.
fn check_name(name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if !begins || !name.chars().all(plain) || name.len() > LONGEST || name.ends_with('-') || name.contains("--") {
        let meant: String =
            name.to_lowercase().chars().map(|letter| if plain(letter) { letter } else { '-' }).collect();
        let meant = meant.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        bail!("`{name}` is no name for a decoder: lower-case letters, digits and hyphens, such as `{meant}`");
    }
    // A crate of that name would hide the language's own, or is the SDK's.
    const TAKEN: [&str; 8] =
        ["core", "std", "alloc", "test", "proc-macro", "afferent-plugin-sdk", "wit-bindgen", "self"];
    ensure!(!TAKEN.contains(&name), "`{name}` is taken; call it `{name}-decoder`");
    Ok(())
}

fn filled(template: &str, name: &str) -> String {
    let capital: String = name
        .split('-')
        .map(|part| {
            let mut letters = part.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        })
        .collect();
    template.replace("@README_END@", README_END).replace("@NAME@", name).replace("@TYPE@", &capital)
}

/// The lock file: the project, its SDK, and the SDK's dependencies as they were tested.
fn lock(name: &str) -> String {
    let version =
        |line: &str| line.strip_prefix("version = \"").and_then(|rest| rest.strip_suffix('"')).map(str::to_owned);
    let sdk = SDK.iter().find(|(path, _)| *path == "Cargo.toml").map_or("", |(_, text)| text);
    let sdk = sdk.lines().find_map(version).unwrap_or_default();
    format!(
        "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 4\n\
         \n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [\n \"afferent-plugin-sdk\",\n]\n\
         \n[[package]]\nname = \"afferent-plugin-sdk\"\nversion = \"{sdk}\"\ndependencies = [\n \"wit-bindgen\",\n]\n{LOCK}"
    )
}

fn write(directory: &Path, path: &str, text: &str) -> Result<()> {
    let path = directory.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
