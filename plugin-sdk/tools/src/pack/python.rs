//! Python projects: `componentize-py`, which the project's `requirements.txt` pins with the hashes of its wheels, puts the code and the
//! `CPython` interpreter into a component, with stubs in the place of WASI, so that it imports nothing. The interpreter has started and
//! the modules are imported when the component is made, so that a decode begins there.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Made;

/// Builds it.
pub(super) fn pack(directory: &Path) -> Result<Made> {
    let directory = std::path::absolute(directory)?;
    let name = project_name(&super::read(&directory.join("pyproject.toml"))?)?;
    let tool = directory.join(".venv/bin/componentize-py");
    if !tool.exists() {
        run(Command::new("python3").args(["-m", "venv", ".venv"]).current_dir(&directory), "python3")?;
        let arguments =
            ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--requirement"];
        let mut pip = Command::new(directory.join(".venv/bin/pip"));
        run(pip.args(arguments).arg("requirements.txt").current_dir(&directory), "pip")?;
    }
    let out = directory.join(format!("{name}.wasm.part"));
    let mut command = Command::new(&tool);
    command
        .args(["--quiet", "--wit-path", "decoder.wit", "--world", "decoder", "componentize"])
        // The host has no WASI; only the project's own modules are looked for.
        .args(["--stub-wasi", "--python-path", ".", "decoder", "--output"])
        .arg(&out)
        .env_remove("VIRTUAL_ENV")
        .current_dir(&directory);
    run(&mut command, "componentize-py")?;
    let component = fs::read(&out).context("componentize-py wrote no component")?;
    let _ = fs::remove_file(&out);
    Ok(Made { name, component, located: None })
}

/// The name in `pyproject.toml`: it becomes a file's.
fn project_name(text: &str) -> Result<String> {
    let project: toml::Table = text.parse().context("pyproject.toml is no TOML")?;
    let name =
        project.get("project").and_then(|table| table.get("name")).and_then(toml::Value::as_str).unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    ensure!(
        !name.is_empty() && name.chars().all(plain),
        "the project's `name` in pyproject.toml is letters, digits and hyphens"
    );
    Ok(name.to_owned())
}

fn run(command: &mut Command, program: &str) -> Result<()> {
    let output = command.output().with_context(|| {
        format!("cannot start {program}: decoders in Python need Python 3.10 or later with venv (Debian: apt-get install python3-venv)")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    // The vendor's own mistake stands before the tool's.
    let told = told.split("Stack backtrace:").next().unwrap_or_default().trim_end();
    bail!("{program} failed ({}):\n{told}", output.status)
}
