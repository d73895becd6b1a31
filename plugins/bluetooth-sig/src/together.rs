//! Frames that belong together: a weight and the body composition of the same moment, two packets of one composition, a
//! glucose record and its context, a sensor session and its measurements. All other frames are measurements by themselves.

use afferent_plugin_sdk::{DecodeError, Frame, Input, Outcome, join_outcomes};

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
    let session = Since::of(&parts, input)?;
    join_packets(&mut parts);
    let (places, parts): (Vec<usize>, Vec<Part>) =
        parts.into_iter().enumerate().filter_map(|(index, part)| Some((index, part?))).unzip();
    let owners = companions::owners(&parts);
    let mut companions = vec![None; parts.len()];
    for (part, owner) in parts.iter().zip(&owners) {
        if let Some(companion) = owner.and_then(|owner| companions.get_mut(owner)) {
            *companion = Some(part);
        }
    }

    let (mut together, mut waiting) = (None, None);
    for (((part, owner), companion), place) in parts.iter().zip(&owners).zip(companions).zip(places) {
        match part {
            // What it says is told with the frame that it belongs to.
            _ if owner.is_some() => continue,
            Part::Context(context) => {
                waiting.get_or_insert_with(|| context.outcome());
                continue;
            }
            _ => {}
        }
        let mut outcome = told(part, companion, &session).map_err(|error| in_frame(place, error))?;
        if let Outcome::Readings(decoded) = &mut outcome {
            decoded.from_frame(place);
        }
        together = Some(match together {
            Some(before) => join_outcomes(before, outcome),
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

/// What a frame says, with the one that belongs to it.
fn told(part: &Part, companion: Option<&Part>, since: &Since) -> Result<Outcome, DecodeError> {
    match (part, companion) {
        (Part::Weight(weight), Some(Part::Composition(composition))) => Ok(one_moment(weight, composition)),
        (Part::Glucose(glucose), Some(Part::Context(context))) => glucose.outcome(Some(context)),
        (Part::Weight(weight), _) => Ok(weight.outcome()),
        (Part::Composition(composition), _) => Ok(composition.outcome()),
        (Part::Glucose(glucose), _) => glucose.outcome(None),
        (Part::Context(context), _) => Ok(context.outcome()),
        (Part::Cgm(records), _) => Ok(cgm::readings(records, since.session.as_ref(), since.newest).into()),
        (Part::Session(_), _) => Ok(cgm::start_alone()),
        (Part::Whole(outcome), _) => Ok(outcome.clone()),
    }
}

/// From when the minutes of a session's records count.
struct Since {
    session: Option<Session>,
    /// The largest number of minutes.
    newest: u16,
}

impl Since {
    /// The start that came last and is known, else the one of the settings.
    fn of(parts: &[Option<Part>], input: &Input) -> Result<Self, DecodeError> {
        let (mut session, mut newest) = (None, None);
        for part in parts {
            match part {
                Some(Part::Session(Some(told))) => session = Some(*told),
                Some(Part::Cgm(records)) => newest = newest.max(records.iter().map(|record| record.minutes).max()),
                _ => {}
            }
        }
        // A setting that is wrong concerns no measurement of another kind.
        if session.is_none() && newest.is_some() {
            session = Session::of_variables(input)?;
        }
        Ok(Self { session, newest: newest.unwrap_or(0) })
    }
}

fn in_frame(index: usize, mut error: DecodeError) -> DecodeError {
    error.message = format!("frame {}: {}", index + 1, error.message);
    error
}

/// Puts each second packet of a body composition into its first. Frames of other characteristics may lie between the two. A
/// packet whose other one was lost is told as it is; only the last may still wait.
fn join_packets(parts: &mut [Option<Part>]) {
    let mut first: Option<usize> = None;
    for index in 0..parts.len() {
        let whole = match (first.and_then(|at| parts.get(at)), parts.get(index)) {
            (_, Some(Some(Part::Composition(packet)))) if !packet.is_half() => continue,
            (Some(Some(Part::Composition(before))), Some(Some(Part::Composition(packet)))) => {
                before.with_second(packet)
            }
            (_, Some(Some(Part::Composition(_)))) => None,
            _ => continue,
        };
        match (whole, first.take()) {
            (Some(whole), Some(at)) => {
                for (place, part) in [(at, Some(Part::Composition(whole))), (index, None)] {
                    if let Some(old) = parts.get_mut(place) {
                        *old = part;
                    }
                }
            }
            _ => first = Some(index),
        }
    }
    // The two are sent one after the other: where a scale's next frame is of another measurement, the second was lost.
    let is_scales = |part: &Option<Part>| matches!(part, Some(Part::Composition(_) | Part::Weight(_)));
    let last = parts.iter().rposition(is_scales).unwrap_or(0);
    for part in parts.iter_mut().take(last) {
        if let Some(Part::Composition(half)) = part
            && half.is_half()
        {
            half.give_up_other();
        }
    }
}

/// A weight and the composition of the same moment: one time, one slot, one key.
fn one_moment(weight: &Weight, composition: &Composition) -> Outcome {
    let composition = composition.clone().beside(weight);
    let weight = Weight { origin: composition.origin().clone(), ..weight.clone() };
    join_outcomes(weight.outcome(), composition.outcome())
}
