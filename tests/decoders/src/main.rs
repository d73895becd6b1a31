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

/// The targets of the host's boundary (`fuzz/host`), which take any bytes.
const HOST: [&str; 3] = ["host-answer", "host-split", "host-manifest"];

/// A folder for each target, a file for each vector and example.
fn seeds(folder: &Path) -> Result<()> {
    for target in HOST {
        fs::create_dir_all(folder.join(target))?;
    }
    fs::create_dir_all(folder.join("host-component"))?;
    for (name, subject) in shipped() {
        let place = folder.join(name);
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        for (seed, bytes) in subject().seeds(&vectors(name)?) {
            // An odd first byte: the rest drives a value of the contract's types.
            for target in HOST {
                fs::write(folder.join(target).join(&seed), [&[1], bytes.as_slice()].concat())?;
            }
            fs::write(place.join(seed), bytes)?;
        }
    }
    fs::write(folder.join("host-component").join("empty"), b"\0asm\x0d\0\x01\0").context("cannot write a seed")
}
