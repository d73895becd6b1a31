//! What was tried with a decoder and what it came to, counted; and what is wrong with it, each once.

use std::collections::BTreeMap;

use super::subject::Verdict;

/// What was tried, and what it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines of the vectors.
    pub lines: usize,
    /// Those of them that decode to readings.
    pub positive: usize,
    /// Payloads cut short, at every byte of every frame, and whole frames left out.
    pub truncations: usize,
    /// Payloads with one bit flipped.
    pub flips: usize,
    /// Payloads with another byte in any place, with every first byte in front of every length, with every first word of flags.
    pub flags: usize,
    /// JSON payloads with a field left out, or another value in it.
    pub edits: usize,
    /// Answers: an error.
    pub refused: usize,
    /// Answers: nothing to store.
    pub nothing: usize,
    /// Answers: absent with the reason.
    pub absent: usize,
    /// Answers: outside the hard range, which the host holds.
    pub held: usize,
    /// Answers: with a flag or a warning, or so unusual that the host warns.
    pub flagged: usize,
    /// Answers: inside the usual range, without a flag.
    pub plausible: usize,
}

impl Tally {
    /// How many payloads were judged.
    #[must_use]
    pub const fn judged(&self) -> usize {
        self.truncations + self.flips + self.flags + self.edits
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.positive += other.positive;
        self.truncations += other.truncations;
        self.flips += other.flips;
        self.flags += other.flags;
        self.edits += other.edits;
        self.refused += other.refused;
        self.nothing += other.nothing;
        self.absent += other.absent;
        self.held += other.held;
        self.flagged += other.flagged;
        self.plausible += other.plausible;
    }

    pub(super) fn of_sort(&mut self, sort: Sort) -> &mut usize {
        match sort {
            Sort::Truncation => &mut self.truncations,
            Sort::Flip => &mut self.flips,
            Sort::Flags => &mut self.flags,
            Sort::Edit => &mut self.edits,
        }
    }

    pub(super) fn of(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Refused => &mut self.refused,
            Verdict::Nothing => &mut self.nothing,
            Verdict::Absent => &mut self.absent,
            Verdict::Held => &mut self.held,
            Verdict::Flagged => &mut self.flagged,
            Verdict::Plausible => &mut self.plausible,
        }
    }
}

/// Sentences, each with the first payload that it was said of, and how many more there were.
#[derive(Debug, Default)]
pub(super) struct Problems {
    order: Vec<String>,
    first: BTreeMap<String, (String, usize)>,
}

impl Problems {
    pub(super) fn add(&mut self, problem: String, what: &str) {
        match self.first.get_mut(&problem) {
            Some((_, count)) => *count += 1,
            None => {
                self.order.push(problem.clone());
                self.first.insert(problem, (what.to_owned(), 1));
            }
        }
    }

    pub(super) fn told(&self) -> Vec<String> {
        let told = self.order.iter().filter_map(|problem| {
            let (what, count) = self.first.get(problem)?;
            let more = if *count > 1 { format!(" (so do {} more changes)", count - 1) } else { String::new() };
            Some(format!("{what}: {problem}{more}"))
        });
        told.collect()
    }
}

/// A sort of change, as it is counted.
#[derive(Clone, Copy)]
pub(super) enum Sort {
    Truncation,
    Flip,
    Flags,
    Edit,
}
