//! The runner of payload vectors for hubs' decoders: what a payload is split into, item by item, comes to what the vector
//! expects of the whole, in the order of the items.
//!
//! ```no_run
//! # use afferent_plugin_sdk::{DecodeError, HubDecoder, HubOutcome, Input, Manifest};
//! # struct Gateway;
//! # impl HubDecoder for Gateway {
//! #     fn describe() -> Manifest { Manifest::new("gateway", "ACME", "1.0.0") }
//! #     fn split(_: &Input) -> Result<HubOutcome, DecodeError> { Err(DecodeError::unsupported("nothing")) }
//! # }
//! use afferent_plugin_sdk::vectors::HubRunner;
//!
//! HubRunner::<Gateway>::new().file("vectors/acme-gateway.jsonl").assert_all();
//! ```

use std::fs;
use std::marker::PhantomData;
use std::path::Path;

use serde_json::Value as Json;

use super::mutate::{self, Depth};
use super::{HOST_WARNINGS, Subject, Vector, compare};
use crate::{
    Decoded, Frame, HubContent, HubDecoder, HubItem, HubOutcome, Input, Outcome, hub_outcome_name, hub_value_lines,
    hub_violations,
};

/// Decodes a frame that a hub carried, as the device's own decoder would.
pub type FrameDecoder = fn(&Frame) -> Outcome;

/// Runs vectors through a hub's decoder and collects what is wrong.
pub struct HubRunner<D> {
    vectors: Vec<Vector>,
    host_warnings: Vec<String>,
    frames: Option<FrameDecoder>,
    problems: Vec<String>,
    decoder: PhantomData<D>,
}

impl<D: HubDecoder> HubRunner<D> {
    /// A runner without vectors.
    #[must_use]
    pub fn new() -> Self {
        Self {
            vectors: Vec::new(),
            host_warnings: HOST_WARNINGS.iter().map(|warning| (*warning).to_owned()).collect(),
            frames: None,
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

    /// Names further warnings that the host computes for these lines ([`Runner::host_warnings`](super::Runner::host_warnings)).
    #[must_use]
    pub fn host_warnings(mut self, warnings: &[&str]) -> Self {
        self.host_warnings.extend(warnings.iter().map(|warning| (*warning).to_owned()));
        self
    }

    /// What decodes the frames that the hub carries. Without it, a frame is a problem.
    #[must_use]
    pub fn frames(mut self, decoder: FrameDecoder) -> Self {
        self.frames = Some(decoder);
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
        let subject = Subject::hub::<D>();
        let inputs: Vec<Input> = self.vectors.iter().map(|vector| vector.input(&vector.format, "")).collect();
        let checksums = subject.checksums(&inputs);
        for (vector, input) in self.vectors.iter().zip(inputs) {
            let outcome = split::<D>(&input);
            let mut found = self.differences(vector, &outcome);
            found.extend(subject.judge_twice(&input).err().into_iter().flatten());
            found.extend(mutate::try_all(&subject, &input, &checksums, Depth::Full).problems);
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", vector.id)));
        }
        problems
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

    /// What differs from the expectation: the items' outcomes as one, and the device of each observation that names one.
    fn differences(&self, vector: &Vector, outcome: &HubOutcome) -> Vec<String> {
        let items = match outcome {
            HubOutcome::Items(items) => items,
            HubOutcome::Incomplete(incomplete) => {
                return self.compared(vector, Outcome::Incomplete(incomplete.clone()));
            }
            HubOutcome::Nothing(nothing) => return self.compared(vector, Outcome::Nothing(nothing.clone())),
            HubOutcome::Error(error) => return self.compared(vector, Outcome::Error(error.clone())),
        };
        let mut devices: Vec<&str> = Vec::new();
        let mut together: Option<Outcome> = None;
        for item in items {
            let of_item = match self.outcome_of(item) {
                Ok(outcome) => outcome,
                Err(problem) => return vec![problem],
            };
            if let Outcome::Readings(decoded) = &of_item {
                devices.extend(decoded.readings.iter().map(|_| item.device.as_str()));
            }
            together = Some(match together {
                Some(before) => join(before, of_item),
                None => of_item,
            });
        }
        let Some(together) = together else { return vec!["there is no item".to_owned()] };
        let mut found = self.compared(vector, together);
        let expected =
            vector.expected.get("observations").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        for (observation, device) in expected.iter().zip(devices) {
            if let Some(named) = observation.get("device").and_then(Json::as_str)
                && !named.eq_ignore_ascii_case(device)
            {
                found.push(format!("expected a reading of {named}, and got one of {device}"));
            }
        }
        found
    }

    fn compared(&self, vector: &Vector, outcome: Outcome) -> Vec<String> {
        compare::differences(vector, &outcome, &self.host_warnings)
    }

    fn outcome_of(&self, item: &HubItem) -> Result<Outcome, String> {
        Ok(match &item.content {
            HubContent::Readings(decoded) => Outcome::Readings(decoded.clone()),
            HubContent::Nothing(nothing) => Outcome::Nothing(nothing.clone()),
            HubContent::Error(error) => Outcome::Error(error.clone()),
            HubContent::Frame(frame) => match self.frames {
                Some(decode) => decode(frame),
                None => return Err(format!("nothing decodes the frame of the channel {}", frame.channel)),
            },
        })
    }
}

impl<D: HubDecoder> Default for HubRunner<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// Two items as one outcome: a refusal of either is one of the whole.
fn join(before: Outcome, after: Outcome) -> Outcome {
    match (before, after) {
        (Outcome::Readings(mut all), Outcome::Readings(more)) => {
            let Decoded { readings, facts, warnings, .. } = more;
            all.readings.extend(readings);
            all.facts.extend(facts);
            all.warnings.extend(warnings);
            Outcome::Readings(all)
        }
        (Outcome::Error(error), _) | (_, Outcome::Error(error)) => Outcome::Error(error),
        (Outcome::Readings(all), _) | (_, Outcome::Readings(all)) => Outcome::Readings(all),
        (before, _) => before,
    }
}

/// Runs the decoder as the host does: a refusal is an outcome.
fn split<D: HubDecoder>(input: &Input) -> HubOutcome {
    D::split(input).unwrap_or_else(HubOutcome::Error)
}

/// What is wrong with the examples of a hub decoder's manifest, as the host will judge them when it loads the decoder.
#[must_use]
pub fn hub_example_problems<D: HubDecoder>() -> Vec<String> {
    let manifest = D::describe();
    let mut problems = Vec::new();
    for example in &manifest.examples {
        let outcome = split::<D>(&example.input);
        let (name, lines) = (hub_outcome_name(&outcome), hub_value_lines(&outcome));
        if name != example.outcome || lines != example.values {
            let expected = (&example.outcome, &example.values);
            problems.push(format!("{}: expected {expected:?}, and got {:?}", example.name, (name, lines)));
        }
        let found = hub_violations(&manifest, &outcome);
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", example.name)));
    }
    for model in &manifest.models {
        for (what, outcome) in [("a positive", "items"), ("an error", "error")] {
            let has = |example: &&crate::Example| example.input.model == model.name && example.outcome == outcome;
            if !manifest.examples.iter().any(|example| has(&example)) {
                problems.push(format!("the model {} has no {what} example", model.name));
            }
        }
    }
    problems
}
