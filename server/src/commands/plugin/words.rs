//! `afferent plugin words`: what a decoder may say, and what becomes of it.

use std::process::ExitCode;

use clap::Args;
use fhir_model::vitals::{Counts, Limits, Vital};

use crate::fleet::registered_words;
use crate::ingest::Tables;
use crate::ingest::interpret::consequences;

/// Arguments of `afferent plugin words`.
#[derive(Debug, Args)]
pub struct WordsArgs {
    /// A list (kinds, units, flags, warnings, nothing-reasons, clock-states, body-sites, methods, contexts, facts,
    /// identities, absent-reasons), or a word to look for in all of them [default: the lists, with how long each is].
    words: Vec<String>,
    /// Print one JSON object: the lists by name, each a list of `{name, description}`.
    #[arg(long)]
    json: bool,
}

/// A word and what is told of it.
struct Line {
    name: String,
    description: String,
    /// What else it is found by.
    also: String,
}

/// Prints lists, or what fits a word.
///
/// # Errors
/// A table that cannot be read.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this command is for")]
pub fn run(args: &WordsArgs, tables: &Tables) -> anyhow::Result<ExitCode> {
    let lists = lists(tables)?;
    let asked = (!args.words.is_empty()).then(|| args.words.join(" "));
    let chosen: Vec<(&str, Vec<&Line>)> = match &asked {
        None => lists.iter().map(|(name, lines)| (*name, lines.iter().collect())).collect(),
        Some(word) => match lists.iter().find(|(name, _)| name == word) {
            Some((name, lines)) => vec![(*name, lines.iter().collect())],
            None => found(&lists, word),
        },
    };
    if args.json {
        println!("{}", json(&chosen));
        return Ok(ExitCode::SUCCESS);
    }
    if asked.is_none() {
        for (name, lines) in &chosen {
            println!("{name:<16} {}", lines.len());
        }
        println!("\nafferent plugin words kinds     a list\nafferent plugin words weight    what fits, in all lists");
        return Ok(ExitCode::SUCCESS);
    }
    if chosen.is_empty() {
        eprintln!("nothing fits; `afferent plugin words kinds` lists what can be measured");
        return Ok(ExitCode::FAILURE);
    }
    for (index, (name, lines)) in chosen.iter().enumerate() {
        println!("{}{name}", if index == 0 { "" } else { "\n" });
        let width = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        for line in lines {
            println!("  {:<width$}  {}", line.name, line.description);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json(lists: &[(&str, Vec<&Line>)]) -> serde_json::Value {
    let words = |lines: &[&Line]| -> Vec<serde_json::Value> {
        lines.iter().map(|line| serde_json::json!({"name": line.name, "description": line.description})).collect()
    };
    lists
        .iter()
        .map(|(name, lines)| ((*name).to_owned(), words(lines).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Every list with the words that fit: all parts of what was typed are in name, description or title.
fn found<'a>(lists: &'a [(&'static str, Vec<Line>)], word: &str) -> Vec<(&'static str, Vec<&'a Line>)> {
    let wanted: Vec<String> =
        word.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned).collect();
    let fits = |line: &Line| {
        let text = format!("{} {} {}", line.name, line.description, line.also).to_lowercase();
        wanted.iter().all(|part| text.contains(part.as_str()))
    };
    let of_list = |(name, lines): &'a (&'static str, Vec<Line>)| {
        let fitting: Vec<&Line> = lines.iter().filter(|line| fits(line)).collect();
        (!fitting.is_empty()).then_some((*name, fitting))
    };
    lists.iter().filter_map(of_list).collect()
}

fn lists(tables: &Tables) -> anyhow::Result<Vec<(&'static str, Vec<Line>)>> {
    let line = |name: &str, description: &str| Line {
        name: name.to_owned(),
        description: description.to_owned(),
        also: String::new(),
    };
    let mut kinds: Vec<Line> = tables.vitals.kinds().map(|kind| of_kind(kind)).collect();
    kinds.sort_by(|one, other| one.name.cmp(&other.name));
    let units = tables.units.iter().map(|unit| line(&unit.code, &unit.display)).collect();
    let mut lists = vec![("kinds", kinds), ("units", units)];
    for (name, words) in registered_words()? {
        let lines = words.iter().map(|word| {
            let mut line = line(&word.name, &word.description);
            if name == "flags" {
                let whole = tables.dispositions.resolve(Counts::default(), [word.name.as_str()]);
                line.description = format!("{} [{}]", line.description, consequences(&whole));
            }
            line
        });
        lists.push((name, lines.collect()));
    }
    lists.push(("absent-reasons", plugin_host::DATA_ABSENT_REASONS.iter().map(|reason| line(reason, "")).collect()));
    Ok(lists)
}

/// `Body weight; kg, [lb_av]; usually 2 to 350 kg; held outside of 0.2 to 650 kg; LOINC 29463-7`.
fn of_kind(kind: &Vital) -> Line {
    let mut told: Vec<String> = kind.code.text.iter().cloned().collect();
    if !kind.units.is_empty() {
        told.push(kind.units.join(", "));
    }
    if !kind.parts.is_empty() {
        let parts: Vec<&str> = kind.parts.iter().map(|part| part.kind.as_str()).collect();
        told.push(format!("of {}", parts.join(", ")));
    }
    let unit = kind.canonical_unit.as_deref().unwrap_or_default();
    told.extend(kind.soft.as_ref().map(|limits| format!("usually {} {unit}", range(limits))));
    told.extend(kind.hard.as_ref().map(|limits| format!("held outside of {} {unit}", range(limits))));
    let loinc = kind.code.codings.iter().find(|coding| coding.system == "http://loinc.org");
    told.extend(loinc.map(|coding| format!("LOINC {}", coding.code)));
    if kind.component_only {
        told.push("only as a part".to_owned());
    }
    let displays: Vec<&str> = kind.code.codings.iter().filter_map(|coding| coding.display.as_deref()).collect();
    Line { name: kind.name.clone(), description: told.join("; "), also: displays.join(" ") }
}

fn range(limits: &Limits) -> String {
    match (limits.low, limits.high) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} and more"),
        (None, Some(high)) => format!("up to {high}"),
        (None, None) => "anything".to_owned(),
    }
}
