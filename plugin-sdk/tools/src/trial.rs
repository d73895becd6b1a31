//! `afferent plugin test`: everything that is tried with a component before anybody trusts it, in the sandbox that the server
//! runs it in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afferent_plugin_sdk::Input;
use afferent_plugin_sdk::vectors::{Answer, Checker, Checksums, Subject, Tally, Vector};
use plugin_host::{Decoder, Limits, RunStats, Surface};
use serde::Serialize;

use crate::convert;

/// So many problems and so many notices are told; the rest is counted.
const MOST_PROBLEMS: usize = 20;

/// Of so many in a hundred flipped bits that are refused, hardly anything was tried.
const BLIND_PERCENT: usize = 95;

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
    /// What all answers to these came to.
    pub answers: Answers,
    /// Those of them whose checksum the change had made wrong, once more with it made right; none where no checksum was found.
    pub repaired: Option<Repaired>,
    /// The dearest of all calls.
    pub cost: Cost,
    /// What is wrong, a sentence each, the first of them.
    pub problems: Vec<String>,
    /// How many more there were.
    pub further_problems: usize,
    /// What a person should look at: nothing of it lets the test fail.
    pub notices: Vec<String>,
    /// How many more there were.
    pub further_notices: usize,
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
    /// With a flag or a warning, or so unusual that the host warns (`implausible`).
    pub flagged: usize,
    /// Inside the usual range, without a flag.
    pub plausible: usize,
}

/// Changed payloads with their checksum made right again.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// The checksums that were found, without the decoder's help: `sum8 of bytes 0 to 15`.
    pub checksums: Vec<String>,
    /// Changed payloads of each sort.
    pub changes: Changes,
    /// What the answers came to.
    pub answers: Answers,
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
    let vectors = read(files, subject.manifest(), &mut report);
    let of_examples = subject.manifest().examples.iter();
    let mut lines: Vec<(String, Input)> =
        of_examples.map(|example| (format!("example `{}`", example.name), example.input.clone())).collect();
    for (name, input) in &lines {
        report.note(name, subject.notices(input));
    }
    for vector in &vectors {
        let input = vector.input(&vector.format, "");
        report.add(&vector.id, subject.vector_problems(vector, &input));
        if !vector.expects_implausible() {
            report.note(&vector.id, subject.notices(&input));
        }
        lines.push((vector.id.clone(), input));
    }
    report.vectors = vectors.len();
    if vectors.is_empty() && report.problems.is_empty() {
        report.add("vectors", vec!["there are none: put payloads of the real device into vectors/*.jsonl".to_owned()]);
    }
    progress("checksums");
    let inputs: Vec<Input> = lines.iter().map(|(_, input)| input.clone()).collect();
    let checksums = subject.checksums(&inputs);
    let found = checksums.described();
    report.repaired = (!found.is_empty()).then(|| Repaired { checksums: found, ..Repaired::default() });
    changes(&subject, &lines, &checksums, (started, time), &mut report, &mut progress);
    progress("payloads at random");
    let seeds = subject.seeds(&vectors);
    let least = 64 * GROUP;
    let (judged, repaired, wrong) = subject.try_random_changes(&seeds, &checksums, |judged| {
        judged < least || (judged < 40 * least && started.elapsed() < time)
    });
    report.changes.random = judged;
    report.repaired.iter_mut().for_each(|told| told.changes.random = repaired);
    if let Some((input, problems)) = wrong {
        let frames: Vec<String> = input.frames.iter().map(|frame| shown(&frame.data)).collect();
        report.add(&format!("the payload {}", frames.join(" | ")), problems);
    }
    report.cost = meter.cost(limits);
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// Tries every change of every line. Where nearly all flipped bits are refused, that is said: nothing behind was tried.
fn changes(
    subject: &Subject,
    lines: &[(String, Input)],
    checksums: &Checksums,
    (started, time): (Instant, Duration),
    report: &mut Report,
    progress: &mut impl FnMut(&str),
) {
    let (mut refused, mut flips) = (0, 0);
    for (index, (name, input)) in lines.iter().enumerate() {
        let full = started.elapsed() < time;
        progress(&format!("{} of {}: {name}", index + 1, lines.len()));
        let changed =
            if full { subject.try_changes(input, checksums) } else { subject.try_quick_changes(input, checksums) };
        report.not_fully_tried += usize::from(!full);
        report.changes.count(&changed.tally);
        report.answers.count(&changed.tally);
        if let Some(repaired) = &mut report.repaired {
            repaired.changes.count(&changed.repaired);
            repaired.answers.count(&changed.repaired);
        }
        // Only of a payload that is accepted does a refusal say that something is checked.
        if changed.is_accepted {
            refused += changed.flips.0;
            flips += changed.flips.1;
        }
        report.add(name, changed.problems);
        report.note(name, changed.notices);
    }
    if report.repaired.is_none() && flips > 0 && refused * 100 > flips * BLIND_PERCENT {
        let percent = refused * 100 / flips;
        let notice = format!(
            "little was tried: {percent} % of the flipped bits were refused, and no checksum was found that could be made right \
             again (sums, exclusive-or and common CRCs in the last bytes). What the decoder makes of other values behind such a \
             check or an encryption is only as sure as the vectors: give many"
        );
        report.note("changed payloads", vec![notice]);
    }
}

/// The vectors of all files that can be run; what is wrong with a line, or odd in it, is told with its place.
fn read(files: &[(String, String)], manifest: &afferent_plugin_sdk::Manifest, report: &mut Report) -> Vec<Vector> {
    let checker = Checker::new(manifest);
    let mut vectors = Vec::new();
    for (name, text) in files {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let checked = checker.check(line);
            let place = format!("{name}, line {}", index + 1);
            let is_understood = checked.problems.is_empty();
            report.add(&place, checked.problems);
            report.note(&place, checked.notices);
            vectors.extend(checked.vector.filter(|_| is_understood));
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
        tell(&mut self.problems, &mut self.further_problems, place, problems);
    }

    fn note(&mut self, place: &str, notices: Vec<String>) {
        tell(&mut self.notices, &mut self.further_notices, place, notices);
    }
}

/// Adds sentences, each with its place; those beyond what is told are counted.
fn tell(told: &mut Vec<String>, further: &mut usize, place: &str, sentences: Vec<String>) {
    for sentence in sentences {
        if told.len() < MOST_PROBLEMS {
            told.push(format!("{place}: {sentence}"));
        } else {
            *further += 1;
        }
    }
}

impl Changes {
    /// All of them.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.truncations + self.flipped_bits + self.flags + self.edited_fields + self.random
    }

    fn count(&mut self, tally: &Tally) {
        self.truncations += tally.truncations;
        self.flipped_bits += tally.flips;
        self.flags += tally.flags;
        self.edited_fields += tally.edits;
    }
}

impl Answers {
    fn count(&mut self, tally: &Tally) {
        self.refused += tally.refused;
        self.nothing += tally.nothing;
        self.absent += tally.absent;
        self.held += tally.held;
        self.flagged += tally.flagged;
        self.plausible += tally.plausible;
    }
}
