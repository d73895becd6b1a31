//! What devices and networks do to payloads: cut them short, flip their bits, set flags that nobody foresaw, leave fields
//! out. Every changed payload of a line is decoded, and its answer judged ([`Subject::judge`]).

use std::collections::BTreeSet;

use super::edit;
use super::subject::{Answer, Subject, Verdict};
use super::waves;
use crate::{Input, SampledData};

/// Positions of a frame that are tried with every byte: flags stand in front.
const POSITIONS: usize = 64;
/// So many bytes more than the payload has are tried behind every first byte: fields that its flags announce.
const LONGER: usize = 24;

/// Models whose payload begins with a word of flags: all 65,536 are tried.
const FLAG_WORDS: &[&str] = &["gatt-2A9C", "renpho-vendor-2A9C", "xiaomi-miscale-v2", "xiaomi-mibeacon"];

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Truncations, flipped bits, edited fields.
    Quick,
    /// And every value of every byte, and every first byte with every length.
    Full,
}

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
    /// Answers: with a flag or a warning.
    pub flagged: usize,
    /// Answers: inside the hard range, without a flag.
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

    fn of(&mut self, verdict: Verdict) -> &mut usize {
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

/// Tries one line's payload: counts and problems.
pub(super) fn try_all(subject: &Subject, input: &Input, depth: Depth) -> (Tally, Vec<String>) {
    let answer = subject.answer(input).ok();
    let told = answer.as_ref().map(Answer::lines).unwrap_or_default();
    let waves = answer.as_ref().map(waves::waves).unwrap_or_default();
    let mut trial = Trial {
        subject,
        input,
        told: told.into_iter().collect(),
        waves,
        tally: Tally { lines: 1, ..Tally::default() },
        problems: Vec::new(),
    };
    trial.tally.positive = usize::from(!trial.told.is_empty());
    trial.truncations();
    trial.flips();
    trial.edits();
    if depth == Depth::Full {
        trial.every_byte();
        trial.every_first_byte_and_length();
        if FLAG_WORDS.contains(&input.model.as_str()) {
            trial.every_first_word();
        }
    }
    (trial.tally, trial.problems)
}

/// What a changed payload has lost: it must not say what the whole does not say.
#[derive(Clone, Copy)]
enum Loss {
    /// It is as long as before.
    Nothing,
    /// Bytes.
    Bytes,
    /// A field, or its type.
    Field,
}

struct Trial<'a> {
    subject: &'a Subject,
    input: &'a Input,
    /// What the unchanged payload says.
    told: BTreeSet<String>,
    /// Its waveforms.
    waves: Vec<SampledData>,
    tally: Tally,
    problems: Vec<String>,
}

impl Trial<'_> {
    /// Judges one changed payload. A payload that lost something must not say what the whole does not say.
    fn attempt(&mut self, changed: &Input, loss: Loss, what: impl FnOnce() -> String) {
        let answer = match self.subject.answer(changed) {
            Ok(answer) => answer,
            Err(problem) => return self.problems.push(format!("{}: {problem}", what())),
        };
        let mut problems = match self.subject.judge_answer(changed, &answer) {
            Ok(verdict) => {
                *self.tally.of(verdict) += 1;
                Vec::new()
            }
            Err(problems) => problems,
        };
        // A waveform's line says how many samples there are, and what is left of one has fewer: the samples are compared.
        let is_stretch =
            |line: &String| line.contains(" sampled ") && waves::waves(&answer).iter().all(|wave| self.has_wave(wave));
        let is_false = |line: &String| match loss {
            Loss::Nothing => false,
            Loss::Bytes if is_stretch(line) => false,
            Loss::Bytes => !self.told.contains(line),
            // A field may say what kind of reading it is, or that a limit was passed: but not another number or unit.
            Loss::Field => {
                ![" absent ", " nothing ", " error "].iter().any(|word| line.contains(word))
                    && !self.told.iter().any(|told| number(told) == number(line))
            }
        };
        // What the whole does not say because it is refused, its beginning may say.
        let lines: Vec<String> = answer.lines().into_iter().filter(is_false).collect();
        if !lines.is_empty() && !self.told.is_empty() {
            problems.push(format!("says {lines:?}, which the whole does not say"));
        }
        if !problems.is_empty() {
            let what = what();
            self.problems.extend(problems.into_iter().map(|problem| format!("{what}: {problem}")));
        }
    }

    fn has_wave(&self, part: &SampledData) -> bool {
        self.waves.iter().any(|whole| waves::is_part(part, whole))
    }

    /// The payload with other bytes in one frame.
    fn with(&self, index: usize, data: Vec<u8>) -> Input {
        let mut changed = self.input.clone();
        if let Some(frame) = changed.frames.get_mut(index) {
            frame.data = data;
        }
        changed
    }

    /// Every prefix of every frame, and every frame left out.
    fn truncations(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for length in 0..frame.data.len() {
                let data = frame.data.get(..length).unwrap_or_default().to_vec();
                let changed = self.with(index, data);
                self.tally.truncations += 1;
                self.attempt(&changed, Loss::Bytes, || format!("frame {index} cut to {length} bytes"));
            }
            if self.input.frames.len() > 1 {
                let mut changed = self.input.clone();
                changed.frames.remove(index);
                self.tally.truncations += 1;
                self.attempt(&changed, Loss::Bytes, || format!("without frame {index}"));
            }
        }
    }

    fn flips(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for position in 0..frame.data.len() {
                for bit in 0..8 {
                    let mut data = frame.data.clone();
                    if let Some(byte) = data.get_mut(position) {
                        *byte ^= 1 << bit;
                    }
                    let changed = self.with(index, data);
                    self.tally.flips += 1;
                    self.attempt(&changed, Loss::Nothing, || {
                        format!("frame {index}, byte {position}, bit {bit} flipped")
                    });
                }
            }
        }
    }

    fn edits(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for edit in edit::edits(&frame.data) {
                let changed = self.with(index, edit.data);
                self.tally.edits += 1;
                let loss = if edit.lost { Loss::Field } else { Loss::Nothing };
                self.attempt(&changed, loss, || edit.what);
            }
        }
    }

    /// Every value of every byte: every combination of a byte of flags, wherever it stands.
    fn every_byte(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            if is_json(&frame.data) {
                continue;
            }
            for position in 0..frame.data.len().min(POSITIONS) {
                for value in 0..=u8::MAX {
                    let mut data = frame.data.clone();
                    if let Some(byte) = data.get_mut(position) {
                        *byte = value;
                    }
                    let changed = self.with(index, data);
                    self.tally.flags += 1;
                    self.attempt(&changed, Loss::Nothing, || format!("frame {index}, byte {position} is {value:#04x}"));
                }
            }
        }
    }

    fn every_first_word(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for word in 0..=u16::MAX {
                let data = word.to_le_bytes().into_iter().chain(frame.data.iter().skip(2).copied()).collect();
                let changed = self.with(index, data);
                self.tally.flags += 1;
                self.attempt(&changed, Loss::Nothing, || format!("frame {index}, first word {word:#06x}"));
            }
        }
    }

    /// Every first byte before every length: flags that announce fields meet payloads that have them. What is behind the
    /// payload's end repeats it from its second byte on.
    fn every_first_byte_and_length(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            let Some(rest) = frame.data.get(1..).filter(|rest| !rest.is_empty() && !is_json(&frame.data)) else {
                continue;
            };
            if frame.data.len() > POSITIONS {
                continue;
            }
            for value in 0..=u8::MAX {
                for length in 0..rest.len() + LONGER {
                    let data = core::iter::once(value).chain(rest.iter().copied().cycle().take(length)).collect();
                    let changed = self.with(index, data);
                    self.tally.flags += 1;
                    self.attempt(&changed, Loss::Nothing, || {
                        format!("frame {index}, first byte {value:#04x}, {} bytes", length + 1)
                    });
                }
            }
        }
    }
}

/// Number and unit of a line, or its whole value where that is no quantity.
fn number(line: &str) -> &str {
    let value = line.split_once(' ').map_or("", |(_, value)| value);
    value.trim_start_matches(['<', '>', '=', ' '])
}

fn is_json(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'{' | b'['))
}
