//! A decoder under test, whichever world it is of, and the judgement of one answer: what every changed payload and every
//! input of a fuzzer goes through.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::compare;
use super::learnt::Checksums;
use super::mutate::{self, Changed, Depth};
use super::ranges::{Place, Ranges};
use super::{HOST_WARNINGS, Vector};
use crate::{
    Component, Decoded, Decoder, HubContent, HubDecoder, HubItem, HubOutcome, Input, Manifest, Outcome, Reading, Value,
    hub_value_lines, hub_violations, value_lines, violations,
};

/// Texts that an answer may hold whatever its payload is, and so many more for each byte of the payload.
const TEXT_BYTES: usize = 64 * 1024;
const TEXT_BYTES_A_BYTE: usize = 64;
/// Readings that an answer may hold whatever its payload is; one more for each byte.
const READINGS: usize = 16;

/// What a device's or a hub's decoder answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Of the world `decoder`.
    Device(Outcome),
    /// Of the world `hub-decoder`.
    Hub(HubOutcome),
}

/// What an answer comes to for the people who would see it, from nothing at all to a number that nobody would doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// An error: nothing is stored as a reading, and the bytes are kept.
    Refused,
    /// Well formed, without a reading: nothing to store, frames missing, only facts of the device, or a frame for the decoder
    /// of another device.
    Nothing,
    /// Readings without any number: each says why.
    Absent,
    /// Numbers inside the usual ranges of their kinds, without flag or warning.
    Plausible,
    /// Numbers with a flag or a warning that people see, of the decoder or (outside the usual range) of the host.
    Flagged,
    /// A number outside the hard range of its kind: the host holds it, and shows it to nobody before a person has judged it.
    Held,
}

/// How a decoder under test is called: it answers, or says why it could not.
type Call = dyn Fn(&Input) -> Result<Answer, String> + Send + Sync;

/// A decoder under test.
pub struct Subject {
    manifest: Manifest,
    ranges: Ranges,
    answer: Box<Call>,
}

impl core::fmt::Debug for Subject {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Subject").field("manifest", &self.manifest.name).finish_non_exhaustive()
    }
}

impl Subject {
    /// The decoder of a device's payloads.
    #[must_use]
    pub fn device<D: Decoder>() -> Self {
        let answer = |input: &Input| Ok(Answer::Device(D::decode(input).unwrap_or_else(Outcome::Error)));
        Self::of(D::describe(), answer)
    }

    /// The decoder of a hub's payloads.
    #[must_use]
    pub fn hub<D: HubDecoder>() -> Self {
        let answer = |input: &Input| Ok(Answer::Hub(D::split(input).unwrap_or_else(HubOutcome::Error)));
        Self::of(D::describe(), answer)
    }

    /// Any decoder that can be called, such as a component in the host's sandbox. Where a call gives no answer (a trap, a
    /// limit), that is a problem of the decoder, and the text says which.
    #[must_use]
    pub fn of(manifest: Manifest, answer: impl Fn(&Input) -> Result<Answer, String> + Send + Sync + 'static) -> Self {
        Self { manifest, ranges: Ranges::load(), answer: Box::new(answer) }
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it answers.
    ///
    /// # Errors
    ///
    /// It panicked, which in the sandbox is a trap.
    pub fn answer(&self, input: &Input) -> Result<Answer, String> {
        // What a panic says was printed already.
        catch_unwind(AssertUnwindSafe(|| (self.answer)(input)))
            .unwrap_or_else(|_panic| Err("the decoder panicked".to_owned()))
    }

    /// Judges what it answers: no panic, nothing undeclared, an answer whose size is bounded by that of the payload, and no
    /// number that the host could not judge by the hard range of its kind.
    ///
    /// # Errors
    ///
    /// What is wrong, a sentence each.
    pub fn judge(&self, input: &Input) -> Result<Verdict, Vec<String>> {
        self.judge_answer(input, &self.answer(input).map_err(|problem| vec![problem])?)
    }

    /// [`Subject::judge`], and a second run must give the same.
    ///
    /// # Errors
    ///
    /// What is wrong, a sentence each.
    pub fn judge_twice(&self, input: &Input) -> Result<Verdict, Vec<String>> {
        let answer = self.answer(input).map_err(|problem| vec![problem])?;
        if self.answer(input).as_ref() != Ok(&answer) {
            return Err(vec!["a second run gives another outcome".to_owned()]);
        }
        self.judge_answer(input, &answer)
    }

    /// Tries every change of a line's payload: what was tried and what it came to, and everything that is wrong. With
    /// [`Subject::checksums`], what a check sum catches is tried a second time with the check sum made right again.
    #[must_use]
    pub fn try_changes(&self, input: &Input, checksums: &Checksums) -> Changed {
        mutate::try_all(self, input, checksums, Depth::Full)
    }

    /// The quick part of [`Subject::try_changes`]: truncations, flipped bits, edited fields.
    #[must_use]
    pub fn try_quick_changes(&self, input: &Input, checksums: &Checksums) -> Changed {
        mutate::try_all(self, input, checksums, Depth::Quick)
    }

    /// What a person should look at in what the decoder says of a payload: values that the host would call implausible.
    #[must_use]
    pub fn notices(&self, input: &Input) -> Vec<String> {
        let Ok(answer) = self.answer(input) else { return Vec::new() };
        let readings = answer.decoded().into_iter().flat_map(|decoded| &decoded.readings);
        let values = readings.flat_map(|reading| {
            let parts = reading.components.iter().map(|Component { kind, value, .. }| (kind, value));
            core::iter::once((&reading.kind, &reading.value)).chain(parts)
        });
        values.filter_map(|(kind, value)| self.ranges.notice(kind, value)).collect()
    }

    /// What is wrong with the answer to a line of vectors, as this model: its outcome and values are compared with what the
    /// line expects, it is run twice, and it is judged.
    #[must_use]
    pub fn vector_problems(&self, vector: &Vector, input: &Input) -> Vec<String> {
        let mut problems = match self.answer(input) {
            Ok(Answer::Device(outcome)) => {
                let of_host: Vec<String> = HOST_WARNINGS.iter().map(|warning| (*warning).to_owned()).collect();
                compare::differences(vector, &outcome, &of_host)
            }
            Ok(Answer::Hub(_)) | Err(_) => Vec::new(),
        };
        problems.extend(self.judge_twice(input).err().into_iter().flatten());
        problems
    }

    pub(super) fn judge_answer(&self, input: &Input, answer: &Answer) -> Result<Verdict, Vec<String>> {
        let mut problems = answer.violations(&self.manifest);
        let mut verdict = answer.without_readings();
        for decoded in answer.decoded() {
            let warned = !decoded.warnings.is_empty();
            for reading in &decoded.readings {
                match self.weigh(reading, warned) {
                    Ok(weight) => verdict = verdict.max(weight),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        let bytes = input.frames.iter().map(|frame| frame.data.len()).sum::<usize>()
            + input.variables.iter().map(|pair| pair.value.len()).sum::<usize>();
        let (readings, text) = answer.size();
        if readings > READINGS + bytes || text > TEXT_BYTES + TEXT_BYTES_A_BYTE * bytes {
            problems.push(format!("{readings} readings and {text} bytes of text from {bytes} bytes"));
        }
        if problems.is_empty() { Ok(verdict) } else { Err(problems) }
    }

    fn weigh(&self, reading: &Reading, warned: bool) -> Result<Verdict, String> {
        let parts = reading.components.iter().map(|Component { kind, value, .. }| (kind, value));
        let mut verdict = Verdict::Absent;
        for (kind, value) in core::iter::once((&reading.kind, &reading.value)).chain(parts) {
            verdict = verdict.max(match self.ranges.place(kind, value)? {
                None => Verdict::Absent,
                Some(Place::Outside) => Verdict::Held,
                Some(Place::Unusual) => Verdict::Flagged,
                Some(Place::Inside) if warned || !reading.flags.is_empty() => Verdict::Flagged,
                Some(Place::Inside) => Verdict::Plausible,
            });
        }
        Ok(verdict)
    }
}

impl Answer {
    /// A line a value, as examples write them. A hub's item that is refused, or has nothing to store, says no value.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Device(outcome) => value_lines(outcome),
            Self::Hub(HubOutcome::Items(items)) => {
                let tells = |item: &&HubItem| matches!(item.content, HubContent::Readings(_) | HubContent::Frame(_));
                hub_value_lines(&HubOutcome::Items(items.iter().filter(tells).cloned().collect()))
            }
            Self::Hub(_) => Vec::new(),
        }
    }

    /// Everything in it that the manifest did not declare, or that no registry knows.
    #[must_use]
    pub fn violations(&self, manifest: &Manifest) -> Vec<String> {
        match self {
            Self::Device(outcome) => violations(manifest, outcome),
            Self::Hub(outcome) => hub_violations(manifest, outcome),
        }
    }

    /// What was decoded, item by item.
    #[must_use]
    pub fn decoded(&self) -> Vec<&Decoded> {
        match self {
            Self::Device(Outcome::Readings(decoded)) => vec![decoded],
            Self::Hub(HubOutcome::Items(items)) => items
                .iter()
                .filter_map(|item| match &item.content {
                    HubContent::Readings(decoded) => Some(decoded),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What it comes to, readings aside.
    fn without_readings(&self) -> Verdict {
        match self {
            Self::Device(Outcome::Error(_)) | Self::Hub(HubOutcome::Error(_)) => Verdict::Refused,
            _ => Verdict::Nothing,
        }
    }

    /// How many readings there are, and the bytes of all texts that a payload could blow up.
    fn size(&self) -> (usize, usize) {
        let mut readings = 0;
        let mut bytes = 0;
        for decoded in self.decoded() {
            readings += decoded.readings.len();
            bytes += decoded.warnings.iter().map(|warning| warning.message.len()).sum::<usize>();
            for reading in &decoded.readings {
                let pairs = reading.extra.iter().chain(&reading.context).chain(&reading.device_identity);
                bytes += pairs.map(|pair| pair.name.len() + pair.value.len()).sum::<usize>();
                bytes += reading.record_key.as_ref().map_or(0, String::len);
                bytes += reading.user_slot.as_ref().map_or(0, String::len);
                let parts = reading.components.iter().map(|component| &component.value);
                bytes += core::iter::once(&reading.value).chain(parts).map(value_bytes).sum::<usize>();
            }
        }
        let message = match self {
            Self::Device(Outcome::Error(error)) | Self::Hub(HubOutcome::Error(error)) => error.message.len(),
            Self::Device(Outcome::Nothing(nothing)) => nothing.message.len(),
            _ => 0,
        };
        (readings, bytes + message)
    }
}

/// The bytes of a value that a payload could blow up.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Sampled(sampled) => sampled.samples.len() * size_of::<i32>(),
        _ => 0,
    }
}
