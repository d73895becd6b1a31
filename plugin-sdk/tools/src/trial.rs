//! `afferent plugin test`: everything that is tried with a component before anybody trusts it, in the sandbox that the server
//! runs it in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afferent_plugin_sdk::vectors::{Answer, Subject, Tally, Vector};
use plugin_host::{Decoder, Limits, RunStats, Surface};
use serde::Serialize;

use crate::convert;

/// So many problems are told; the rest is counted.
const MOST_PROBLEMS: usize = 20;

/// Payloads at random are tried in groups of so many between two looks at the clock.
const GROUP: usize = 16;

/// What was tried and what came of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Examples of the manifest.
    pub examples: usize,
    /// Lines of vectors.
    pub vectors: usize,
    /// Changed payloads of each sort.
    pub changes: Changes,
    /// What all answers came to.
    pub answers: Answers,
    /// The dearest of all calls.
    pub cost: Cost,
    /// What is wrong, a sentence each, the first of them.
    pub problems: Vec<String>,
    /// How many more there were.
    pub further_problems: usize,
    /// Lines whose every byte with every value was left out, because the time was up.
    pub not_fully_tried: usize,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Changed payloads of each sort.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Cut short at every byte.
    pub truncations: usize,
    /// With one bit flipped.
    pub flipped_bits: usize,
    /// With every value of every byte, and every first byte before every length: combinations of flags.
    pub flags: usize,
    /// JSON with a field left out or another value in it.
    pub edited_fields: usize,
    /// Changed at random, the same in every run.
    pub random: usize,
}

/// What the answers came to.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// An error.
    pub refused: usize,
    /// Nothing to store.
    pub nothing: usize,
    /// Absent, with the reason.
    pub absent: usize,
    /// Outside the hard range of their kind, which the host holds.
    pub held: usize,
    /// With a flag or a warning.
    pub flagged: usize,
    /// Inside the hard range, without a flag.
    pub plausible: usize,
}

/// The dearest of all calls, and what one may cost.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Calls that were made.
    pub calls: u64,
    /// Fuel: about one unit an instruction.
    pub fuel: u64,
    /// What one call may burn.
    pub fuel_limit: u64,
    /// Memory in bytes.
    pub memory_bytes: usize,
    /// What one call may have.
    pub memory_limit: usize,
    /// Mean time of a call in microseconds.
    pub mean_microseconds: u64,
}

/// What calls cost, counted while they run.
#[derive(Debug, Default)]
struct Meter {
    calls: AtomicU64,
    fuel: AtomicU64,
    memory: AtomicUsize,
    nanoseconds: AtomicU64,
}

impl Meter {
    fn count(&self, stats: RunStats) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.fuel.fetch_max(stats.fuel_used, Ordering::Relaxed);
        self.memory.fetch_max(stats.memory_bytes, Ordering::Relaxed);
        let elapsed = u64::try_from(stats.elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
    }

    fn cost(&self, limits: &Limits) -> Cost {
        let calls = self.calls.load(Ordering::Relaxed);
        Cost {
            calls,
            fuel: self.fuel.load(Ordering::Relaxed),
            fuel_limit: limits.fuel,
            memory_bytes: self.memory.load(Ordering::Relaxed),
            memory_limit: limits.memory_bytes,
            mean_microseconds: self.nanoseconds.load(Ordering::Relaxed) / calls.max(1) / 1000,
        }
    }
}

/// A component as a subject of trials, each call in a fresh instance.
fn subject(decoder: &Arc<Decoder>, meter: &Arc<Meter>) -> Subject {
    let manifest = convert::manifest(decoder.manifest().clone());
    let (decoder, meter) = (Arc::clone(decoder), Arc::clone(meter));
    Subject::of(manifest, move |input| {
        let input = convert::input(input);
        match decoder.surface() {
            Surface::Device => {
                let run = decoder.run(&input);
                meter.count(run.stats);
                run.result
                    .map(|outcome| Answer::Device(convert::outcome(outcome)))
                    .map_err(|failure| failure.to_string())
            }
            Surface::Hub => {
                let run = decoder.run_hub(&input);
                meter.count(run.stats);
                run.result
                    .map(|outcome| Answer::Hub(convert::hub_outcome(outcome)))
                    .map_err(|failure| failure.to_string())
            }
        }
    })
}

/// Tries a decoder that the host has loaded (so that its examples pass) with files of vectors: name and text of each. `time`
/// bounds the trials beyond vectors, truncations and flipped bits, which are always made. `progress` hears what is going on.
pub fn test(
    decoder: &Arc<Decoder>,
    limits: &Limits,
    files: &[(String, String)],
    time: Duration,
    mut progress: impl FnMut(&str),
) -> Report {
    let started = Instant::now();
    let meter = Arc::new(Meter::default());
    let subject = subject(decoder, &meter);
    let mut report = Report { examples: subject.manifest().examples.len(), ..Report::default() };
    let vectors = read(files, &mut report);
    let of_examples = subject.manifest().examples.iter();
    let mut lines: Vec<(String, afferent_plugin_sdk::Input)> =
        of_examples.map(|example| (format!("example `{}`", example.name), example.input.clone())).collect();
    for vector in &vectors {
        let input = vector.input(&model_of(vector, subject.manifest()), "");
        report.add(&vector.id, subject.vector_problems(vector, &input));
        lines.push((vector.id.clone(), input));
    }
    report.vectors = vectors.len();
    if vectors.is_empty() && report.problems.is_empty() {
        report.add("vectors", vec!["there are none: put payloads of the real device into vectors/*.jsonl".to_owned()]);
    }
    let all = lines.len();
    for (index, (name, input)) in lines.iter().enumerate() {
        let full = started.elapsed() < time;
        progress(&format!("{} of {all}: {name}", index + 1));
        let (tally, problems) = if full { subject.try_changes(input) } else { subject.try_quick_changes(input) };
        report.not_fully_tried += usize::from(!full);
        report.count(&tally);
        report.add(name, problems);
    }
    progress("payloads at random");
    let seeds = subject.seeds(&vectors);
    let least = 64 * GROUP;
    let (judged, wrong) = subject
        .try_random_changes(&seeds, |judged| judged < least || (judged < 40 * least && started.elapsed() < time));
    report.changes.random = judged;
    if let Some((input, problems)) = wrong {
        let frames: Vec<String> = input.frames.iter().map(|frame| shown(&frame.data)).collect();
        report.add(&format!("the payload {}", frames.join(" | ")), problems);
    }
    report.cost = meter.cost(limits);
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// The model of a line: that which is named as its format, or the only one there is.
fn model_of(vector: &Vector, manifest: &afferent_plugin_sdk::Manifest) -> String {
    match manifest.models.as_slice() {
        [only] if only.name != vector.format => only.name.clone(),
        _ => vector.format.clone(),
    }
}

fn read(files: &[(String, String)], report: &mut Report) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, text) in files {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match Vector::parse(line) {
                Ok(vector) => vectors.push(vector),
                Err(problem) => report.add(&format!("{name}, line {}", index + 1), vec![problem]),
            }
        }
    }
    vectors
}

/// A payload for a message: JSON as text, bytes as digits, cut to what a person reads.
fn shown(data: &[u8]) -> String {
    const MOST: usize = 64;
    let part = data.get(..MOST.min(data.len())).unwrap_or_default();
    let more = if data.len() > MOST { "…" } else { "" };
    match core::str::from_utf8(part) {
        Ok(text) if data.starts_with(b"{") || data.starts_with(b"[") => format!("{text}{more}"),
        _ => part.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + more,
    }
}

impl Report {
    /// Did everything pass?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, place: &str, problems: Vec<String>) {
        for problem in problems {
            if self.problems.len() < MOST_PROBLEMS {
                self.problems.push(format!("{place}: {problem}"));
            } else {
                self.further_problems += 1;
            }
        }
    }

    fn count(&mut self, tally: &Tally) {
        self.changes.truncations += tally.truncations;
        self.changes.flipped_bits += tally.flips;
        self.changes.flags += tally.flags;
        self.changes.edited_fields += tally.edits;
        self.answers.refused += tally.refused;
        self.answers.nothing += tally.nothing;
        self.answers.absent += tally.absent;
        self.answers.held += tally.held;
        self.answers.flagged += tally.flagged;
        self.answers.plausible += tally.plausible;
    }
}
