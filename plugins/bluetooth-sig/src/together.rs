//! Frames that belong together: a weight and the body composition of the same moment, two packets of one composition, a
//! glucose record and its context, a sensor session and its measurements. All other frames are measurements by themselves.

use afferent_plugin_sdk::{DecodeError, Decoded, Frame, Input, Nothing, Outcome};

use crate::body_composition::Composition;
use crate::cgm::{self, Session};
use crate::companions;
use crate::manifest::Model;
use crate::parts::{self, Part};
use crate::weight::Weight;

/// What the only frame of an uplink comes to.
///
/// # Errors
///
/// What it says is of a kind that this decoder does not know.
pub fn alone(part: Part, input: &Input) -> Result<Outcome, DecodeError> {
    match part {
        Part::Whole(outcome) => Ok(outcome),
        Part::Weight(weight) => Ok(weight.outcome()),
        Part::Composition(composition) => Ok(composition.outcome()),
        Part::Glucose(glucose) => glucose.outcome(None),
        Part::Context(context) => Ok(context.outcome()),
        Part::Cgm(records) => {
            let newest = records.iter().map(|record| record.minutes).max().unwrap_or(0);
            Ok(cgm::readings(&records, Session::of_variables(input)?.as_ref(), newest).into())
        }
        Part::Session(_) => Ok(cgm::start_alone()),
    }
}

/// What several frames come to: each its own measurement, but for those that belong together.
///
/// # Errors
///
/// One of them is refused; the message says which, counted from 1.
pub fn join(model: &Model, frames: &[Frame], input: &Input) -> Result<Outcome, DecodeError> {
    let mut parts = Vec::with_capacity(frames.len());
    for (index, frame) in frames.iter().enumerate() {
        parts.push(Some(parts::read(model, frame).map_err(|error| in_frame(index, error))?));
    }
    let session = session(&parts).map_or_else(|| Session::of_variables(input), |session| Ok(Some(session)))?;
    let newest = newest_minutes(&parts);
    join_halves(&mut parts);

    let parts: Vec<(usize, Part)> =
        parts.into_iter().enumerate().filter_map(|(index, part)| Some((index, part?))).collect();
    let (places, parts): (Vec<usize>, Vec<Part>) = parts.into_iter().unzip();
    let owners = companions::owners(&parts);
    let mut companions = vec![None; parts.len()];
    for (at, owner) in owners.iter().enumerate() {
        if let Some(companion) = owner.and_then(|owner| companions.get_mut(owner)) {
            *companion = parts.get(at);
        }
    }

    let (mut together, mut waiting) = (None, None);
    for (((part, owner), companion), place) in parts.iter().zip(&owners).zip(companions).zip(places) {
        let mut outcome = match (part, companion) {
            // What it says is told with the frame that it belongs to.
            _ if owner.is_some() => continue,
            (Part::Weight(weight), Some(Part::Composition(composition))) => one_moment(weight, composition),
            (Part::Glucose(glucose), Some(Part::Context(context))) => {
                glucose.outcome(Some(context)).map_err(|error| in_frame(place, error))?
            }
            (Part::Weight(weight), _) => weight.outcome(),
            (Part::Composition(composition), _) => composition.outcome(),
            (Part::Glucose(glucose), _) => glucose.outcome(None).map_err(|error| in_frame(place, error))?,
            (Part::Context(context), _) => {
                waiting.get_or_insert_with(|| context.outcome());
                continue;
            }
            (Part::Cgm(records), _) => cgm::readings(records, session.as_ref(), newest).into(),
            (Part::Session(_), _) => cgm::start_alone(),
            (Part::Whole(outcome), _) => outcome.clone(),
        };
        if let Outcome::Readings(decoded) = &mut outcome {
            decoded.from_frame(place);
        }
        together = Some(match together {
            Some(before) => both(before, outcome),
            None => outcome,
        });
    }
    // A context whose measurement is not there waits, unless something else is to be stored now.
    match (together, waiting) {
        (Some(together @ (Outcome::Readings(_) | Outcome::Incomplete(_))), _) | (Some(together), None) => Ok(together),
        (_, Some(waiting)) => Ok(waiting),
        (None, None) => Err(DecodeError::malformed("there is no frame")),
    }
}

fn in_frame(index: usize, mut error: DecodeError) -> DecodeError {
    error.message = format!("frame {}: {}", index + 1, error.message);
    error
}

/// The session whose start came last and is known.
fn session(parts: &[Option<Part>]) -> Option<Session> {
    parts.iter().rev().find_map(|part| match part {
        Some(Part::Session(session)) => *session,
        _ => None,
    })
}

/// The largest number of minutes of a session's records.
fn newest_minutes(parts: &[Option<Part>]) -> u16 {
    let records = parts.iter().filter_map(|part| match part {
        Some(Part::Cgm(records)) => Some(records),
        _ => None,
    });
    records.flatten().map(|record| record.minutes).max().unwrap_or(0)
}

/// Puts each second packet of a body composition into its first. Between the two, frames of other characteristics may lie.
fn join_halves(parts: &mut [Option<Part>]) {
    let mut first: Option<usize> = None;
    for index in 0..parts.len() {
        let Some(Some(Part::Composition(half))) = parts.get(index) else { continue };
        let half = half.clone();
        if !half.is_half() {
            continue;
        }
        let before = first.take().and_then(|at| parts.get_mut(at));
        match before {
            Some(Some(Part::Composition(before))) if before.with_other_half(&half).is_some() => {
                if let Some(whole) = before.with_other_half(&half) {
                    *before = whole;
                }
                if let Some(part) = parts.get_mut(index) {
                    *part = None;
                }
            }
            _ => first = Some(index),
        }
    }
}

/// A weight and the composition of the same moment: one time, one slot, one key.
fn one_moment(weight: &Weight, composition: &Composition) -> Outcome {
    let composition = composition.clone().beside(weight);
    let weight = Weight { origin: composition.origin().clone(), ..weight.clone() };
    both(weight.outcome(), composition.outcome())
}

/// Two outcomes in one: what either has is in the whole, and nothing beside readings leaves its facts and warnings. When one
/// is incomplete, so is the whole, because the host will ask again with all frames.
fn both(before: Outcome, after: Outcome) -> Outcome {
    match (before, after) {
        (Outcome::Readings(mut all), Outcome::Readings(mut more)) => {
            all.readings.append(&mut more.readings);
            all.facts.append(&mut more.facts);
            for warning in more.warnings {
                if !all.warnings.contains(&warning) {
                    all.warnings.push(warning);
                }
            }
            all.into()
        }
        (Outcome::Readings(all), Outcome::Nothing(nothing)) | (Outcome::Nothing(nothing), Outcome::Readings(all)) => {
            with_nothing(all, nothing).into()
        }
        (Outcome::Incomplete(incomplete), _) | (_, Outcome::Incomplete(incomplete)) => incomplete.into(),
        (before, _) => before,
    }
}

fn with_nothing(mut all: Decoded, mut nothing: Nothing) -> Decoded {
    all.facts.append(&mut nothing.facts);
    all.warnings.append(&mut nothing.warnings);
    all
}
