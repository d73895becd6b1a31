//! Tries a decoder: what it makes of some frames, and what would become of its readings. Nothing is stored.

mod byte_map;
mod http;
mod hub;
mod json_spans;
mod readings;
mod result;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use plugin_host::{Decoded, DeviceFact, Frame, Input, NameValue, Outcome, RunStats, Warning};

use super::interpret::{self, InterpretContext, Tables};
use crate::error::Error;
use crate::fleet::{Binding, Variables};

pub use byte_map::{ByteMap, MappedBytes};
pub use http::routes;
pub use hub::{TriedHub, TriedItem, TriedParts, try_hub};
pub use result::{AnyTried, result_json};

/// What to try.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Frames in order of arrival.
    pub frames: Vec<Frame>,
    /// Media type of the payload.
    pub content_type: String,
    /// When the payload is taken to have come: the time of last resort of a reading.
    pub received_at: DateTime<Utc>,
    /// Zone of the device's local times.
    pub zone: Tz,
    /// The decoder's settings.
    pub variables: Variables,
}

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// The answer.
    pub verdict: TriedVerdict,
    /// What it cost.
    pub stats: RunStats,
}

/// The decoder's answer, with what the host would make of it.
#[derive(Debug)]
pub enum TriedVerdict {
    /// Readings.
    Readings {
        /// As the decoder gave them.
        decoded: Decoded,
        /// What becomes of each, in the same order.
        previews: Vec<Preview>,
    },
    /// More frames are needed.
    Incomplete {
        /// What is missing.
        reason: String,
        /// What the frames say by themselves, where the decoder says that they are whole and only wait for what they belong
        /// to.
        decoded: Option<String>,
    },
    /// Well formed, nothing to store.
    Nothing {
        /// Registered reason.
        reason: String,
        /// A sentence.
        message: String,
        /// About the device.
        facts: Vec<DeviceFact>,
        /// About the payload.
        warnings: Vec<Warning>,
    },
    /// The decoder refused the payload.
    Refused {
        /// `malformed`, `unsupported` or `not-for-me`.
        reason: &'static str,
        /// A sentence with the place.
        detail: String,
    },
    /// The decoder broke a limit or a rule.
    Failed {
        /// `trap`, `out-of-fuel` …
        reason: &'static str,
        /// A sentence for the decoder's author.
        detail: String,
    },
}

/// What would become of a reading.
#[derive(Debug)]
pub struct Preview {
    /// The FHIR Observation, as JSON text, for a patient `Patient/example`.
    pub observation: String,
    /// One line: status, where it goes, what it counts for, and why.
    pub outlook: String,
    /// Registered warnings of the host.
    pub warnings: Vec<String>,
}

/// Runs a decoder over a trial. Synchronous CPU work: for a thread that may block.
///
/// # Errors
/// 500 when an Observation cannot be written, which is a defect of ours.
pub fn try_decoder(binding: &Binding, trial: Trial, tables: &Tables) -> Result<Tried, Error> {
    let captured_at =
        trial.frames.first().and_then(|frame| frame.captured_at_ms).and_then(DateTime::from_timestamp_millis);
    let mut context = InterpretContext::new(trial.received_at, trial.zone);
    context.captured_at = captured_at;
    let run = binding.decoder.run(&input(&binding.model, &trial));
    let verdict = match run.result {
        Ok(Outcome::Readings(decoded)) => {
            TriedVerdict::Readings { previews: previews(&decoded, &context, tables)?, decoded }
        }
        Ok(Outcome::Incomplete(incomplete)) => incomplete.into(),
        Ok(Outcome::Nothing(nothing)) => nothing.into(),
        Ok(Outcome::Error(error)) => (&error).into(),
        Err(failure) => TriedVerdict::Failed { reason: failure.kind.as_str(), detail: failure.message },
    };
    Ok(Tried { verdict, stats: run.stats })
}

/// Which bytes of the trial's frames became which field. Bounded in calls and time (some seconds
/// at most); synchronous CPU work as [`try_decoder`] is.
#[must_use]
pub fn map_bytes(binding: &Binding, trial: &Trial) -> ByteMap {
    byte_map::byte_map(&binding.decoder, &input(&binding.model, trial))
}

/// What a decoder is told in a trial.
fn input(model: &str, trial: &Trial) -> Input {
    let variables = trial.variables.iter();
    Input {
        model: model.to_owned(),
        frames: trial.frames.clone(),
        content_type: trial.content_type.clone(),
        received_at_ms: trial.received_at.timestamp_millis(),
        time_zone: Some(trial.zone.to_string()),
        variables: variables.map(|(name, value)| NameValue { name: name.clone(), value: value.clone() }).collect(),
        extra: Vec::new(),
    }
}

fn previews(decoded: &Decoded, context: &InterpretContext, tables: &Tables) -> Result<Vec<Preview>, Error> {
    decoded.readings.iter().map(|reading| preview(reading, context, tables)).collect()
}

fn preview(reading: &plugin_host::Reading, context: &InterpretContext, tables: &Tables) -> Result<Preview, Error> {
    let interpreted = interpret::interpret(reading, context, tables);
    let observation = interpret::preview(&interpreted, context, tables).map_err(Error::internal)?;
    Ok(Preview { observation, outlook: interpret::outlook(&interpreted), warnings: interpreted.warnings().to_vec() })
}
