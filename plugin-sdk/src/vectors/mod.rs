//! The runner of payload vectors, for a decoder's own `cargo test`: one JSON object a line, the payload and what it
//! means. Besides the comparison it cuts every payload short, flips its bits, sets every flag and leaves fields out, because
//! devices and networks do; each answer to that is judged by the hard ranges of the platform ([`Subject::judge`]).
//!
//! ```no_run
//! # use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome};
//! # struct Scale;
//! # impl Decoder for Scale {
//! #     fn describe() -> Manifest { Manifest::new("scale", "ACME", "1.0.0") }
//! #     fn decode(_: &Input) -> Result<Outcome, DecodeError> { Err(DecodeError::unsupported("nothing")) }
//! # }
//! use afferent_plugin_sdk::vectors::Runner;
//!
//! Runner::<Scale>::new().file("vectors/acme-scale.jsonl").assert_all();
//! ```
//!
//! `docs/vectors.md` has every member of a line. What is compared: the outcome and its reason, the observations (kind or LOINC,
//! value, unit, comparator, reason of absence, components, in their order, none missing and none too many; flags, clock, key,
//! slot, place and method where they are named), the device's time, the facts that are named, and the warnings. What is not: other raw
//! `fields`, and the warnings that the host computes ([`HOST_WARNINGS`]).

pub mod checksum;
mod codes;
mod compare;
mod details;
mod edit;
mod fuzz;
mod hub;
mod learnt;
mod line;
mod mutate;
mod names;
#[cfg(test)]
mod page;
mod ranges;
mod strict;
mod subject;
mod tally;
mod waves;
mod words;

use std::fs;
use std::marker::PhantomData;
use std::path::Path;

pub use hub::{HubRunner, hub_example_problems};
pub use learnt::Checksums;
pub use line::Vector;
pub use mutate::Changed;
pub use strict::{Checked, Checker};
pub use subject::{Answer, Subject, Verdict};
pub use tally::Tally;

use crate::registry::warnings;
use crate::{Decoder, Input, Outcome, outcome_name, value_lines, violations};
use mutate::Depth;

/// The warnings that the host computes from ranges and clocks. A decoder cannot know them, so the runner leaves them out
/// of what it expects, and refuses a decoder that says one.
pub const HOST_WARNINGS: &[&str] =
    &[warnings::IMPLAUSIBLE, warnings::DEVICE_TIME_IN_FUTURE, warnings::TIME_FROM_RECEIPT];

/// Runs vectors through a decoder and collects what is wrong.
pub struct Runner<D> {
    vectors: Vec<Vector>,
    model: Option<String>,
    channel: String,
    host_warnings: Vec<String>,
    problems: Vec<String>,
    decoder: PhantomData<D>,
}

impl<D: Decoder> Runner<D> {
    /// A runner without vectors.
    #[must_use]
    pub fn new() -> Self {
        Self {
            vectors: Vec::new(),
            model: None,
            channel: String::new(),
            host_warnings: HOST_WARNINGS.iter().map(|warning| (*warning).to_owned()).collect(),
            problems: Vec::new(),
            decoder: PhantomData,
        }
    }

    /// Adds the lines of a file; relative paths start at the decoder's crate, where cargo runs its tests.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().display();
        match fs::read_to_string(path.to_string()) {
            Ok(text) => self = self.lines(&text),
            Err(error) => self.problems.push(format!("{path}: {error}")),
        }
        self
    }

    /// Adds lines.
    #[must_use]
    pub fn lines(mut self, text: &str) -> Self {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match Vector::parse(line) {
                Ok(vector) => self.vectors.push(vector),
                Err(problem) => self.problems.push(format!("line {}: {problem}", index + 1)),
            }
        }
        self
    }

    /// Runs the lines as this model; without it, the model is named as the line's `format`.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The frames' channel, which is empty without it.
    #[must_use]
    pub fn channel(mut self, channel: &str) -> Self {
        channel.clone_into(&mut self.channel);
        self
    }

    /// Names further warnings that the host computes for these lines: they are not expected of the decoder. For a format
    /// whose factory clock only the host recognises, that is `device-time-untrusted`.
    #[must_use]
    pub fn host_warnings(mut self, warnings: &[&str]) -> Self {
        self.host_warnings.extend(warnings.iter().map(|warning| (*warning).to_owned()));
        self
    }

    /// How many vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Are there no vectors?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// Everything that is wrong, a line each; empty when the decoder passes.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        if self.vectors.is_empty() {
            problems.push("there are no vectors".to_owned());
        }
        let subject = Subject::device::<D>();
        // Under another model's name or on a channel the same bytes meet the same code: flags are tried once.
        let depth = if self.model.is_none() && self.channel.is_empty() { Depth::Full } else { Depth::Quick };
        let inputs = self.vectors.iter().map(|vector| self.input(vector)).collect::<Vec<_>>();
        let checksums = subject.checksums(&inputs);
        for (vector, input) in self.vectors.iter().zip(inputs) {
            let outcome = run::<D>(&input);
            let mut found = compare::differences(vector, &outcome, &self.host_warnings);
            found.extend(subject.judge_twice(&input).err().into_iter().flatten());
            found.extend(mutate::try_all(&subject, &input, &checksums, depth).problems);
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", vector.id)));
        }
        problems
    }

    fn input(&self, vector: &Vector) -> Input {
        vector.input(self.model.as_deref().unwrap_or(&vector.format), &self.channel)
    }

    /// For a test: fails with everything that is wrong.
    ///
    /// # Panics
    ///
    /// Something is wrong.
    pub fn assert_all(&self) {
        let problems = self.problems();
        assert!(problems.is_empty(), "{} problems in {} vectors:\n{}", problems.len(), self.len(), problems.join("\n"));
    }
}

impl<D: Decoder> Default for Runner<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the decoder as the host does: a refusal is an outcome.
pub(crate) fn run<D: Decoder>(input: &Input) -> Outcome {
    D::decode(input).unwrap_or_else(Outcome::Error)
}

/// What is wrong with the examples of a decoder's manifest, as the host will judge them when it loads the decoder.
#[must_use]
pub fn example_problems<D: Decoder>() -> Vec<String> {
    let manifest = D::describe();
    let mut problems = Vec::new();
    for example in &manifest.examples {
        let outcome = run::<D>(&example.input);
        let (name, lines) = (outcome_name(&outcome), value_lines(&outcome));
        if name != example.outcome || lines != example.values {
            let expected = (&example.outcome, &example.values);
            problems.push(format!("{}: expected {expected:?}, and got {:?}", example.name, (name, lines)));
        }
        let found = violations(&manifest, &outcome);
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", example.name)));
    }
    for model in &manifest.models {
        for (what, outcomes) in [("a positive", &["readings", "incomplete"][..]), ("an error", &["error"])] {
            let has = |example: &&crate::Example| {
                example.input.model == model.name && outcomes.contains(&example.outcome.as_str())
            };
            if !manifest.examples.iter().any(|example| has(&example)) {
                problems.push(format!("the model {} has no {what} example", model.name));
            }
        }
    }
    problems
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::Value;

    #[test]
    fn the_hosts_warnings_are_those_of_the_registry() {
        let registry: Value = serde_json::from_str(include_str!("../../../fhir-profiles/registry.json")).unwrap();
        let of_host = |warning: &&Value| warning["by"] == "host";
        let warnings = registry["warnings"].as_array().unwrap().iter().filter(of_host);
        assert_eq!(warnings.map(|warning| warning["name"].as_str().unwrap()).collect::<Vec<_>>(), super::HOST_WARNINGS);
    }
}
