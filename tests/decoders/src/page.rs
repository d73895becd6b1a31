//! `docs/decoders.md`: formats, devices, models, what is known to be unsupported, and what became of damaged payloads. Made
//! from the manifests, the vectors and the READMEs, so that it says what is there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::sync::Mutex;
use std::thread;

use afferent_plugin_sdk::vectors::{Subject, Tally};
use afferent_plugin_sdk::{Input, Manifest};
use anyhow::{Context, Result, anyhow};

use crate::{Shipped, root, shipped, vectors};

/// Where the page is, from the repository's root.
pub const PATH: &str = "docs/decoders.md";

/// How a README's paragraph about what its decoder does not do begins.
const UNSUPPORTED: [&str; 4] = ["**Not supported**:", "**Not supported:**", "## Not supported", "Not supported:"];

/// What became of the changed payloads of a format's lines.
#[derive(Debug, Default)]
pub struct Judged {
    /// The folder of its decoder.
    pub folder: &'static str,
    /// As they are.
    pub tally: Tally,
    /// Again with the checksum made right.
    pub repaired: Tally,
    /// The checksums that were found.
    pub checksums: Vec<String>,
}

/// Format → what became of its changed payloads.
pub type Tallies = BTreeMap<String, Judged>;

/// Judges every change of every line of every decoder, on as many threads as there are processors; also everything that is
/// wrong.
///
/// # Errors
///
/// Vectors cannot be read.
pub fn tallies() -> Result<(Tallies, Vec<String>)> {
    let work = Mutex::new(shipped());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all = Tallies::new();
    let mut problems = Vec::new();
    let take = || work.lock().ok()?.pop();
    let worker = || -> Result<(Tallies, Vec<String>)> {
        let (mut tallies, mut problems) = (Tallies::new(), Vec::new());
        while let Some(shipped) = take() {
            judge(&shipped, &mut tallies, &mut problems)?;
        }
        Ok((tallies, problems))
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let (tallies, found) = worker.join().map_err(|_panic| anyhow!("a worker panicked"))??;
            all.extend(tallies);
            problems.extend(found);
        }
        Ok(())
    })?;
    Ok((all, problems))
}

fn judge((folder, subject): &Shipped, tallies: &mut Tallies, problems: &mut Vec<String>) -> Result<()> {
    let subject = subject();
    let mut formats: BTreeMap<String, Vec<(String, Input)>> = BTreeMap::new();
    for vector in vectors(folder)? {
        let input = vector.input(&vector.format, "");
        formats.entry(vector.format).or_default().push((vector.id, input));
    }
    for (format, lines) in formats {
        let inputs: Vec<Input> = lines.iter().map(|(_, input)| input.clone()).collect();
        let checksums = subject.checksums(&inputs);
        let mut judged = Judged { folder, checksums: checksums.described(), ..Judged::default() };
        for (id, input) in &lines {
            let changed = subject.try_changes(input, &checksums);
            problems.extend(changed.problems.into_iter().map(|problem| format!("{id}: {problem}")));
            judged.tally.add(&changed.tally);
            judged.repaired.add(&changed.repaired);
        }
        tallies.insert(format, judged);
    }
    Ok(())
}

/// The whole page.
///
/// # Errors
///
/// A README cannot be read, or does not say what is unsupported.
pub fn page(tallies: &Tallies) -> Result<String> {
    let mut page = String::from(HEAD);
    formats(&mut page, tallies)?;
    damaged(&mut page, tallies)?;
    page.push_str("\n## Decoders\n");
    for (folder, subject) in shipped() {
        decoder(&mut page, folder, &subject())?;
    }
    Ok(page)
}

const HEAD: &str = "# Devices, formats and decoders

<!-- Made by `make decoders` from the manifests, vectors and READMEs under plugins/. Change those, and make it anew. -->

What the server brings along. A device's *model* chooses the decoder and the reading of its bytes; there is a model named after every
format, and models for products. `POST /api/v1/devices` takes the model's name and, where one is listed, its variables; a decoder for another
device is written with `plugin-sdk/README.md` and loaded without a new server.
";

fn formats(page: &mut String, tallies: &Tallies) -> Result<()> {
    writeln!(
        page,
        "\n## Formats\n\n| format | decoder | lines of vectors | of them with readings |\n|---|---|---:|---:|"
    )?;
    for (format, Judged { folder, tally, .. }) in tallies {
        writeln!(
            page,
            "| `{format}` | [{folder}](../plugins/{folder}/README.md) | {} | {} |",
            tally.lines, tally.positive
        )?;
    }
    Ok(())
}

const DAMAGED: &str = "
## Damaged payloads

Every line of the vectors is changed in every way below, and each answer is judged. The answer must be a refusal, nothing,
an absence with its reason, a number that the host holds because it lies outside the hard range of its kind (`fhir-profiles/vitals.json`), a
number with a flag or a warning (of the decoder, or of the host because it is unusual), or a number that a body can have. Anything else fails the tests: a trap, a word that the manifest does not
declare, a number whose unit the host could not compare with the range, a value in a truncated payload that the whole does not say.

- *truncations*: cut short at every byte of every frame, every frame left out
- *flips*: every bit of every frame
- *flags*: every value of every byte (of the first 64), and every first byte before every length up to 24 bytes more;
  every value of a first word of flags (2A9C, MiBeacon and their relatives)
- *edits* (JSON): every field left out, null, emptied, as text, negated, times 1000

An encryption shows as a format that refuses nearly everything, and so does a checksum. What no test can see is a flipped bit in a payload without
checksum that makes one believable number of another: *plausible* counts these, together with changes that do not touch a value. Numbers *held* are kept
for a person and are neither shown as results nor forwarded. *nothing* includes incomplete payloads, facts of the device alone, and frames that a hub
passes on to the decoder of a device.

| format | lines | truncations | flips | flags | edits | refused | nothing | absent | held | flagged | plausible |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";

fn damaged(page: &mut String, tallies: &Tallies) -> Result<()> {
    page.push_str(DAMAGED);
    let mut all = Tally::default();
    for (format, Judged { tally, .. }) in tallies {
        all.add(tally);
        row(page, &format!("`{format}`"), tally)?;
    }
    row(page, "**all**", &all)?;
    writeln!(page, "\n{} payloads were judged.", all.judged())?;
    repaired(page, tallies)
}

const REPAIRED: &str = "
A checksum refuses what was changed before the decoder looks at it. Where one was found (from outside, by sums and CRCs that agree and
that the decoder insists on), every changed payload is judged a second time with its checksum made right again:

| format | checksum | judged again | refused | nothing | absent | held | flagged | plausible |
|---|---|---:|---:|---:|---:|---:|---:|---:|
";

fn repaired(page: &mut String, tallies: &Tallies) -> Result<()> {
    page.push_str(REPAIRED);
    for (format, Judged { repaired, checksums, .. }) in
        tallies.iter().filter(|(_, judged)| !judged.checksums.is_empty())
    {
        let Tally { refused, nothing, absent, held, flagged, plausible, .. } = repaired;
        writeln!(
            page,
            "| `{format}` | {} | {} | {refused} | {nothing} | {absent} | {held} | {flagged} | {plausible} |",
            checksums.join("; "),
            repaired.judged()
        )?;
    }
    Ok(())
}

fn row(page: &mut String, name: &str, tally: &Tally) -> Result<()> {
    let Tally {
        lines,
        positive: _,
        truncations,
        flips,
        flags,
        edits,
        refused,
        nothing,
        absent,
        held,
        flagged,
        plausible,
    } = tally;
    writeln!(
        page,
        "| {name} | {lines} | {truncations} | {flips} | {flags} | {edits} | {refused} | {nothing} | {absent} | {held} | {flagged} | {plausible} |"
    )?;
    Ok(())
}

fn decoder(page: &mut String, folder: &str, subject: &Subject) -> Result<()> {
    let Manifest { version, description, models, kinds, .. } = subject.manifest();
    writeln!(page, "\n### [{folder}](../plugins/{folder}/README.md) {version}\n\n{description}\n")?;
    writeln!(page, "| model | device | channels | variables |\n|---|---|---|---|")?;
    let words = |words: &[String]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
    for model in models {
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            model.name,
            model.title,
            words(&model.channels),
            words(&model.variables)
        )?;
    }
    if !kinds.is_empty() {
        writeln!(page, "\nKinds: {}.", words(kinds))?;
    }
    writeln!(page, "\nNot supported: {}", unsupported(folder)?)?;
    Ok(())
}

/// What the decoder's README says that it does not do.
fn unsupported(folder: &str) -> Result<String> {
    let path = root().join("plugins").join(folder).join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let behind = UNSUPPORTED.iter().find_map(|begin| Some(text.split_once(&format!("\n{begin}"))?.1));
    let behind = behind
        .with_context(|| format!("{} does not say what is unsupported: `{}` …", path.display(), UNSUPPORTED[0]))?;
    let section = behind.trim_start().split("\n\n").next().unwrap_or_default();
    Ok(section.trim().to_owned())
}
