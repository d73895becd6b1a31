//! `afferent plugin words`: what a decoder may say, and what becomes of it.

use std::process::ExitCode;

use clap::Args;
use fhir_model::vitals::{Counts, Limits};
use vendor_tools::words::{Set, Word, Words};

use crate::commands::print;
use crate::ingest::Tables;
use crate::ingest::interpret::consequences;

/// Arguments of `afferent plugin words`.
#[derive(Debug, Args)]
pub struct WordsArgs {
    /// A list, or what is looked for in all of them [default: the lists, with how long each is].
    words: Vec<String>,
    /// Print one JSON object: the lists by name, each a list of `{name, description}`.
    #[arg(long)]
    json: bool,
}

/// Prints lists, or what fits.
///
/// # Errors
/// A table that cannot be read.
#[expect(clippy::print_stderr, reason = "printing is what this command is for")]
pub fn run(args: &WordsArgs, tables: &Tables) -> anyhow::Result<ExitCode> {
    let words = Words::load()?;
    let asked = args.words.join(" ");
    let names = |set: &Set| {
        let title = set.title();
        // `absence` is enough for the reasons of absence, and `facts` for those about the device.
        title == asked || title.ends_with(&format!(" {asked}")) || (*set == Set::Fact && asked == "facts")
    };
    let list = Set::ALL.into_iter().find(names);
    let shown: Vec<(Set, Vec<&Word>)> = match list {
        Some(set) => vec![(set, words.of(set).collect())],
        None if asked.is_empty() => Set::ALL.into_iter().map(|set| (set, words.of(set).collect())).collect(),
        None => by_list(&words.search(None, &asked)),
    };
    if args.json {
        return print(&format!("{}\n", json(&shown, tables)));
    }
    if asked.is_empty() {
        let counts: String = shown.iter().map(|(set, words)| format!("{:<24}{}\n", set.title(), words.len())).collect();
        let next =
            "\nafferent plugin words kinds     a list\nafferent plugin words weight    what fits, in all of them\n";
        return print(&(counts + next));
    }
    if shown.is_empty() {
        eprintln!("nothing fits; `afferent plugin words kinds` lists what can be measured");
        return Ok(ExitCode::FAILURE);
    }
    print(&text(&shown, tables))
}

/// What was found, by list: the list of the best word first.
fn by_list<'a>(found: &[&'a Word]) -> Vec<(Set, Vec<&'a Word>)> {
    let mut lists: Vec<(Set, Vec<&Word>)> = Vec::new();
    for word in found {
        match lists.iter_mut().find(|(set, _)| *set == word.set) {
            Some((_, words)) => words.push(word),
            None => lists.push((word.set, vec![word])),
        }
    }
    lists
}

/// A line a word, under the name of its list.
fn text(lists: &[(Set, Vec<&Word>)], tables: &Tables) -> String {
    let of_list = |(set, words): &(Set, Vec<&Word>)| {
        let width = words.iter().map(|word| word.name.chars().count()).max().unwrap_or(0);
        let lines = words.iter().map(|word| format!("  {:<width$}  {}\n", word.name, described(word, tables)));
        format!("{}\n{}", set.title(), lines.collect::<String>())
    };
    lists.iter().map(of_list).collect::<Vec<_>>().join("\n")
}

fn json(lists: &[(Set, Vec<&Word>)], tables: &Tables) -> serde_json::Value {
    let told = |word: &&Word| serde_json::json!({"name": word.name, "description": described(word, tables), "takes": word.takes});
    let members = lists.iter().map(|(set, words)| {
        let words: Vec<serde_json::Value> = words.iter().map(told).collect();
        (set.title().to_owned(), words.into())
    });
    members.collect::<serde_json::Map<_, _>>().into()
}

/// What a word means, and what the platform makes of it: of a kind units and ranges, of a flag what becomes of the reading.
fn described(word: &Word, tables: &Tables) -> String {
    let mut told = vec![word.about.trim_end_matches('.').to_owned()];
    if !word.takes.is_empty() {
        told.push(word.takes.join(", "));
    }
    match word.set {
        Set::Kind => told.extend(of_kind(&word.name, tables)),
        Set::Flag => {
            let whole = tables.dispositions.resolve(Counts::default(), [word.name.as_str()]);
            told.push(format!("→ {}", consequences(&whole).replace("; ", ", ")));
        }
        _ if word.of_host => told.push("said by the platform, not by decoders".to_owned()),
        _ => {}
    }
    told.join("; ")
}

/// `usually 2 to 350 kg`, `held outside of 0.2 to 650 kg`, `LOINC 29463-7`.
fn of_kind(name: &str, tables: &Tables) -> Vec<String> {
    let Some(kind) = tables.vitals.kinds().find(|kind| kind.name == name) else { return Vec::new() };
    let mut told = Vec::new();
    if !kind.parts.is_empty() {
        let parts: Vec<&str> = kind.parts.iter().map(|part| part.kind.as_str()).collect();
        told.push(format!("made of {}", parts.join(", ")));
    }
    let unit = kind.canonical_unit.as_deref().unwrap_or_default();
    told.extend(kind.soft.as_ref().map(|limits| format!("usually {} {unit}", range(limits))));
    told.extend(kind.hard.as_ref().map(|limits| format!("held outside of {} {unit}", range(limits))));
    let loinc = kind.code.codings.iter().find(|coding| coding.system == "http://loinc.org");
    told.extend(loinc.map(|coding| format!("LOINC {}", coding.code)));
    if kind.component_only {
        told.push("only as a part".to_owned());
    }
    told
}

fn range(limits: &Limits) -> String {
    match (limits.low, limits.high) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} and more"),
        (None, Some(high)) => format!("up to {high}"),
        (None, None) => "anything".to_owned(),
    }
}
