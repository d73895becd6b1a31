//! What devices and networks do to payloads: cut them short, flip their bits, set flags that nobody foresaw, leave fields
//! out. Every changed payload of a line is decoded, and its answer judged ([`Subject::judge`]).

use std::collections::BTreeSet;

use super::checksum::Checksum;
use super::edit;
use super::learnt::{Checksums, is_refused};
use super::subject::{Answer, Subject, Verdict};
use super::tally::{Problems, Sort, Tally};
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

/// What came of the changes of a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The changed payloads as they are.
    pub tally: Tally,
    /// The same with the check sum made right again, where the payload has one and the change made it wrong.
    pub repaired: Tally,
    /// Whether the decoder accepts the payload as it is.
    pub is_accepted: bool,
    /// What the flipped bits alone came to: refused, and all.
    pub flips: (usize, usize),
    /// What is wrong, a sentence each: the first payload that shows it, and how many more do.
    pub problems: Vec<String>,
    /// What a person should look at.
    pub notices: Vec<String>,
}

/// Tries one line's payload: counts and problems.
pub(super) fn try_all(subject: &Subject, input: &Input, checksums: &Checksums, depth: Depth) -> Changed {
    let answer = subject.answer(input).ok();
    let refused = answer.as_ref().is_none_or(is_refused);
    let told = answer.as_ref().map(Answer::lines).unwrap_or_default();
    let waves = answer.as_ref().map(waves::waves).unwrap_or_default();
    let mut trial = Trial {
        subject,
        input,
        told: told.into_iter().collect(),
        waves,
        checksums: input
            .frames
            .iter()
            .map(|frame| checksums.of(&input.model, &frame.data, refused).filter(|_| !is_json(&frame.data)))
            .collect(),
        tally: Tally { lines: 1, ..Tally::default() },
        repaired: Tally::default(),
        problems: Problems::default(),
        notices: Problems::default(),
    };
    trial.tally.positive = usize::from(!trial.told.is_empty());
    trial.truncations();
    let before = trial.tally.refused;
    trial.flips();
    let flips = (trial.tally.refused - before, trial.tally.flips);
    trial.edits();
    if depth == Depth::Full {
        trial.every_byte();
        trial.every_first_byte_and_length();
        if FLAG_WORDS.contains(&input.model.as_str()) {
            trial.every_first_word();
        }
    }
    Changed {
        tally: trial.tally,
        repaired: trial.repaired,
        is_accepted: !refused,
        flips,
        problems: trial.problems.told(),
        notices: trial.notices.told(),
    }
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
    /// The check sum of each frame.
    checksums: Vec<Option<Checksum>>,
    tally: Tally,
    repaired: Tally,
    problems: Problems,
    notices: Problems,
}

impl Trial<'_> {
    /// Judges a payload with other bytes in one frame, as it is, and again with its check sum made right.
    fn attempt(&mut self, index: usize, data: Vec<u8>, sort: Sort, loss: Loss, what: impl Fn() -> String) {
        let repaired = self.checksums.get(index).copied().flatten().and_then(|checksum| checksum.repaired(&data));
        let is_new =
            |data: &Vec<u8>| self.input.frames.get(index).is_some_and(|frame| frame.data.as_slice() != data.as_slice());
        let repaired = repaired.filter(is_new);
        self.attempt_one(&self.with(index, data), sort, loss, &what);
        if let Some(data) = repaired {
            *self.repaired.of_sort(sort) += 1;
            self.attempt_repaired(&self.with(index, data), loss, || {
                format!("{}, with the checksum made right again", what())
            });
        }
    }

    /// Judges one changed payload. A payload that lost something must not say what the whole does not say.
    fn attempt_one(&mut self, changed: &Input, sort: Sort, loss: Loss, what: &impl Fn() -> String) {
        *self.tally.of_sort(sort) += 1;
        let (verdict, problems, said) = self.judged(changed, loss);
        verdict.into_iter().for_each(|verdict| *self.tally.of(verdict) += 1);
        for problem in problems.into_iter().chain(said) {
            self.problems.add(problem, &what());
        }
    }

    /// Judges one changed payload whose check sum is right. A shorter payload with its own check sum was not cut on the way:
    /// some device may mean it so, and it may say other things. That is told, and is no fault.
    fn attempt_repaired(&mut self, changed: &Input, loss: Loss, what: impl Fn() -> String) {
        let (verdict, problems, said) = self.judged(changed, loss);
        verdict.into_iter().for_each(|verdict| *self.repaired.of(verdict) += 1);
        problems.into_iter().for_each(|problem| self.problems.add(problem, &what()));
        if said.is_some() {
            let notice = "says what the whole does not say: is the length checked?";
            self.notices.add(notice.to_owned(), &what());
        }
    }

    /// What an answer comes to, what is wrong with it, and what it says that the whole does not say.
    fn judged(&self, changed: &Input, loss: Loss) -> (Option<Verdict>, Vec<String>, Option<String>) {
        let answer = match self.subject.answer(changed) {
            Ok(answer) => answer,
            Err(problem) => return (None, vec![problem], None),
        };
        let (verdict, problems) = match self.subject.judge_answer(changed, &answer) {
            Ok(verdict) => (Some(verdict), Vec::new()),
            Err(problems) => (None, problems),
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
        let says = (!lines.is_empty() && !self.told.is_empty())
            .then(|| format!("says `{}`, which the whole does not say", lines.join("`, `")));
        (verdict, problems, says)
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
                self.attempt(index, data, Sort::Truncation, Loss::Bytes, || {
                    format!("frame {index} cut to {length} bytes")
                });
            }
            if self.input.frames.len() > 1 {
                let mut changed = self.input.clone();
                changed.frames.remove(index);
                self.attempt_one(&changed, Sort::Truncation, Loss::Bytes, &|| format!("without frame {index}"));
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
                    self.attempt(index, data, Sort::Flip, Loss::Nothing, || {
                        format!("frame {index}, byte {position}, bit {bit} flipped")
                    });
                }
            }
        }
    }

    fn edits(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for edit in edit::edits(&frame.data) {
                let loss = if edit.lost { Loss::Field } else { Loss::Nothing };
                self.attempt(index, edit.data, Sort::Edit, loss, || edit.what.clone());
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
                    self.attempt(index, data, Sort::Flags, Loss::Nothing, || {
                        format!("frame {index}, byte {position} is {value:#04x}")
                    });
                }
            }
        }
    }

    fn every_first_word(&mut self) {
        for (index, frame) in self.input.frames.iter().enumerate() {
            for word in 0..=u16::MAX {
                let data = word.to_le_bytes().into_iter().chain(frame.data.iter().skip(2).copied()).collect();
                self.attempt(index, data, Sort::Flags, Loss::Nothing, || {
                    format!("frame {index}, first word {word:#06x}")
                });
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
                    self.attempt(index, data, Sort::Flags, Loss::Nothing, || {
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

pub(super) fn is_json(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'{' | b'['))
}
