//! Puts into the binary what a vendor needs without a network: the interpreter of tables as a core module, and the SDK's
//! sources with a lock file, for the projects that `afferent plugin new` makes.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("cargo sets CARGO_MANIFEST_DIR")?);
    let sdk = here.parent().context("the tools lie in the SDK")?;
    let root = sdk.parent().context("the SDK lies in the workspace")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    for input in ["src", "wit", "Cargo.toml", "declarative/src", "declarative/Cargo.toml"] {
        println!("cargo:rerun-if-changed={}", sdk.join(input).display());
    }
    println!("cargo:rerun-if-changed={}", root.join("Cargo.lock").display());
    println!("cargo:rerun-if-changed=build.rs");

    let module = componentize::build_module(&sdk.join("declarative"), &nested_target(&out))?;
    let kept = out.join("interpreter.wasm");
    componentize::write_atomically(&kept, &fs::read(module)?)?;

    let mut files = String::new();
    for path in sources(&sdk.join("src"))?.into_iter().chain([sdk.join("wit/decoder.wit")]) {
        let name = path.strip_prefix(sdk)?.to_string_lossy().into_owned();
        writeln!(files, "    ({name:?}, include_str!({path:?})),")?;
    }
    let workspace: toml::Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let package: toml::Table = fs::read_to_string(sdk.join("Cargo.toml"))?.parse()?;
    let manifest = out.join("sdk-cargo.toml");
    fs::write(&manifest, sdk_manifest(&workspace, &package)?)?;
    let lock = out.join("lock.toml");
    fs::write(&lock, lock_of("wit-bindgen", &fs::read_to_string(root.join("Cargo.lock"))?, &workspace)?)?;
    let embedded = format!(
        "/// The interpreter of tables: a core module.\n\
         pub static INTERPRETER: &[u8] = include_bytes!({kept:?});\n\
         /// The SDK's sources: path and text.\n\
         pub static SDK: &[(&str, &str)] = &[\n    (\"Cargo.toml\", include_str!({manifest:?})),\n{files}];\n\
         /// Packages of the lock file, without the project's own.\n\
         pub static LOCK: &str = include_str!({lock:?});\n"
    );
    fs::write(out.join("embedded.rs"), embedded)?;
    Ok(())
}

/// The SDK's own sources: what only its tests and the native vector runner need stays here.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && name != "vectors" {
            found.extend(sources(&path)?);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The SDK's manifest as a package that stands by itself.
fn sdk_manifest(workspace: &toml::Table, package: &toml::Table) -> Result<String> {
    let shared = workspace.get("workspace").and_then(|table| table.get("package")).context("workspace.package")?;
    let text = |name: &str| {
        let own = package.get("package").and_then(|table| table.get(name)).and_then(toml::Value::as_str);
        own.or_else(|| shared.get(name).and_then(toml::Value::as_str)).unwrap_or_default().to_owned()
    };
    let bindgen = workspace
        .get("workspace")
        .and_then(|table| table.get("dependencies"))
        .and_then(|table| table.get("wit-bindgen"))
        .context("workspace.dependencies.wit-bindgen")?;
    Ok(format!(
        "# A copy of Afferent's SDK, as `afferent plugin new` puts it into a project.\n\
         [package]\nname = \"afferent-plugin-sdk\"\nversion = \"{}\"\nedition = \"{}\"\nrust-version = \"{}\"\n\
         license = \"{}\"\npublish = false\n\n[dependencies]\nwit-bindgen = {bindgen}\n\n\
         # The sources name a feature that is left out here.\n\
         [lints.rust]\nunexpected_cfgs = {{ level = \"warn\", check-cfg = ['cfg(feature, values(\"vectors\"))'] }}\n",
        text("version"),
        text("edition"),
        text("rust-version"),
        text("license"),
    ))
}

/// The packages of the lock file that `name` needs, as they stand there: a project builds with the versions that the SDK was
/// tested with, and offline where cargo has them already.
fn lock_of(name: &str, lock: &str, workspace: &toml::Table) -> Result<String> {
    let asked = workspace
        .get("workspace")
        .and_then(|table| table.get("dependencies")?.get(name)?.get("version")?.as_str())
        .context("the version of wit-bindgen")?;
    let lock: toml::Table = lock.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("a lock file has packages")?;
    let text = |package: &toml::Value, field: &str| {
        package.get(field).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut wanted: Vec<(String, String)> = packages
        .iter()
        .map(|package| (text(package, "name"), text(package, "version")))
        .filter(|(known, version)| known == name && version.starts_with(&format!("{asked}.")))
        .collect();
    let mut kept = BTreeSet::new();
    while let Some((name, version)) = wanted.pop() {
        let found = packages.iter().find(|package| {
            text(package, "name") == name && (version.is_empty() || text(package, "version") == version)
        });
        let Some(package) = found else { continue };
        if !kept.insert((name, text(package, "version"))) {
            continue;
        }
        for needed in package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten() {
            let mut words = needed.as_str().unwrap_or_default().split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            wanted.push((name, words.next().unwrap_or_default().to_owned()));
        }
    }
    // Where a name is there in several versions, a dependency says which; where only one is left, it must not.
    let single = |name: &str| kept.iter().filter(|(known, _)| known == name).count() == 1;
    let mut written = String::new();
    for package in packages {
        if !kept.contains(&(text(package, "name"), text(package, "version"))) {
            continue;
        }
        write!(
            written,
            "\n[[package]]\nname = \"{}\"\nversion = \"{}\"\n",
            text(package, "name"),
            text(package, "version")
        )?;
        for field in ["source", "checksum"] {
            if package.get(field).is_some() {
                writeln!(written, "{field} = \"{}\"", text(package, field))?;
            }
        }
        let needed: Vec<&str> = package
            .get("dependencies")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
            .collect();
        if !needed.is_empty() {
            writeln!(written, "dependencies = [")?;
            for needed in needed {
                let name = needed.split(' ').next().unwrap_or(needed);
                writeln!(written, " \"{}\",", if single(name) { name } else { needed })?;
            }
            writeln!(written, "]")?;
        }
    }
    Ok(written)
}

/// A target directory of its own beside the outer profile's, the one in which the server's build script builds decoders.
fn nested_target(out: &Path) -> PathBuf {
    out.ancestors()
        .skip_while(|path| path.file_name().is_none_or(|name| name != "build"))
        .nth(2)
        .unwrap_or(out)
        .join("decoders")
}
