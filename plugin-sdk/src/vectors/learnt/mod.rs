//! The check sums of a decoder's formats, learnt from the payloads that it accepts.

use std::collections::BTreeMap;

use super::checksum::{self, Checksum};
use super::mutate::is_json;
use super::subject::{Answer, Subject};
use crate::{HubContent, HubOutcome, Input, Outcome};

/// The check sums of each model, and how each is described for the payload that it was found in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums(BTreeMap<String, Vec<(Checksum, String)>>);

impl Checksums {
    /// In words, each once: `sum8 of bytes 0 to 15`.
    #[must_use]
    pub fn described(&self) -> Vec<String> {
        let mut words: Vec<String> = self.0.values().flatten().map(|(_, words)| words.clone()).collect();
        words.sort();
        words.dedup();
        words
    }

    /// The input with the check sum of every frame made right; nothing where they are right, or the model has none.
    pub(super) fn repaired(&self, input: &Input) -> Option<Input> {
        let mut repaired = input.clone();
        for frame in repaired.frames.iter_mut().filter(|frame| !is_json(&frame.data)) {
            if let Some(data) = self.of(&input.model, &frame.data, true).and_then(|sum| sum.repaired(&frame.data)) {
                frame.data = data;
            }
        }
        (repaired != *input).then_some(repaired)
    }

    /// That of a frame: one that agrees with it. A payload that is refused may be so because of its check sum: then the
    /// model's first.
    pub(super) fn of(&self, model: &str, data: &[u8], refused: bool) -> Option<Checksum> {
        let known = self.0.get(model)?;
        let holds = known.iter().find(|(checksum, _)| checksum.holds(data));
        holds.or_else(|| known.first().filter(|_| refused)).map(|(checksum, _)| *checksum)
    }
}

impl Subject {
    /// The check sums of payloads, of which those are searched that the decoder accepts.
    #[must_use]
    pub fn checksums(&self, inputs: &[Input]) -> Checksums {
        let accepted: Vec<&Input> =
            inputs.iter().filter(|input| self.answer(input).is_ok_and(|answer| !is_refused(&answer))).collect();
        let mut found = Checksums::default();
        for input in &accepted {
            for (index, frame) in input.frames.iter().enumerate().filter(|(_, frame)| !is_json(&frame.data)) {
                if found.of(&input.model, &frame.data, false).is_some() {
                    continue;
                }
                let others: Vec<&[u8]> = accepted
                    .iter()
                    .filter(|other| other.model == input.model)
                    .filter_map(|other| Some(other.frames.get(index)?.data.as_slice()))
                    .collect();
                let accepts = |data: &[u8]| {
                    let mut other = (*input).clone();
                    other.frames.get_mut(index).into_iter().for_each(|frame| frame.data = data.to_vec());
                    self.answer(&other).is_ok_and(|answer| !is_refused(&answer))
                };
                if let Some(checksum) = checksum::find(&frame.data, &others, accepts) {
                    let words = checksum.described(frame.data.len());
                    found.0.entry(input.model.clone()).or_default().push((checksum, words));
                }
            }
        }
        found
    }
}

/// Whether an answer says that the payload is damaged, or (of several frames) that something is still missing.
pub(super) fn is_refused(answer: &Answer) -> bool {
    match answer {
        Answer::Device(outcome) => matches!(outcome, Outcome::Error(_) | Outcome::Incomplete(_)),
        Answer::Hub(HubOutcome::Items(items)) => items.iter().any(|item| matches!(item.content, HubContent::Error(_))),
        Answer::Hub(outcome) => matches!(outcome, HubOutcome::Error(_) | HubOutcome::Incomplete(_)),
    }
}

#[cfg(test)]
mod tests;
