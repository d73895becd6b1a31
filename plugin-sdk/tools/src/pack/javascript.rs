//! JavaScript projects: `componentize-qjs` (npm, pinned by the project's lock file) puts the code and the QuickJS engine into a
//! component, with stubs in the place of WASI, so that it imports nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Made;

/// Builds it.
pub(super) fn pack(directory: &Path) -> Result<Made> {
    let directory = std::path::absolute(directory)?;
    let name = package_name(&super::read(&directory.join("package.json"))?)?;
    let tool = directory.join("node_modules/.bin/componentize-qjs");
    if !tool.exists() {
        // Not `npm ci`: it refuses a lock file without the tool's optional packages for other systems, which are not all published.
        let arguments = ["install", "--no-save", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(arguments).current_dir(&directory), "npm")?;
    }
    let out = directory.join(format!("{name}.wasm.part"));
    let mut command = Command::new(&tool);
    command
        .args(["--wit", "decoder.wit", "--world", "decoder", "--js", "decoder.js", "--module-root", "."])
        // The host has neither WASI nor asynchronous calls; an instance lives for one payload, so that nothing need be collected.
        .args(["--sync", "--stub-wasi", "--opt-size", "--disable-gc", "--output"])
        .arg(&out)
        .current_dir(&directory);
    run(&mut command, "componentize-qjs")?;
    let component = fs::read(&out).context("componentize-qjs wrote no component")?;
    let _ = fs::remove_file(&out);
    Ok(Made { name, component, located: None })
}

/// The name in `package.json`: it becomes a file's.
fn package_name(text: &str) -> Result<String> {
    let package: serde_json::Value = serde_json::from_str(text).context("package.json is no JSON")?;
    let name = package.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    ensure!(!name.is_empty() && name.chars().all(plain), "the `name` in package.json is letters, digits and hyphens");
    Ok(name.to_owned())
}

fn run(command: &mut Command, program: &str) -> Result<()> {
    let output = command.output().with_context(|| {
        format!("cannot start {program}: JavaScript decoders need Node.js 18 or later with npm (Debian: apt-get install nodejs npm)")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    bail!("{program} failed ({}):\n{told}", output.status)
}
