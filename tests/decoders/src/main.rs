//! `cargo run -p shipped-decoders -- page` writes `docs/decoders.md`; `-- seeds FOLDER` writes a corpus for each fuzz target.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use shipped_decoders::{page, root, shipped, vectors};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["page"] => {
            let (tallies, problems) = page::tallies()?;
            if !problems.is_empty() {
                bail!("{}", problems.join("\n"));
            }
            fs::write(root().join(page::PATH), page::page(&tallies)?).context("cannot write the page")
        }
        ["seeds", folder] => seeds(Path::new(folder)),
        _ => bail!("usage: shipped-decoders page | seeds FOLDER"),
    }
}

/// A folder for each target, a file for each vector and example.
fn seeds(folder: &Path) -> Result<()> {
    for (name, subject) in shipped() {
        let place = folder.join(name);
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        for (seed, bytes) in subject().seeds(&vectors(name)?) {
            fs::write(place.join(seed), bytes)?;
        }
    }
    Ok(())
}
