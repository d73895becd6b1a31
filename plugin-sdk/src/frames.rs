//! Uplinks of several frames, each of which is a record of its own.

use crate::{DecodeError, Decoded, Frame, Input, Nothing, Outcome};

/// Decodes every frame by itself and joins what they say: the readings of all, each with the frame that it came from.
/// One frame that is refused refuses the uplink, because nothing is stored by halves.
///
/// # Errors
///
/// There is no frame, or one is refused; the message counts frames from 1.
pub fn each_frame(
    input: &Input,
    mut decode: impl FnMut(&Frame) -> Result<Outcome, DecodeError>,
) -> Result<Outcome, DecodeError> {
    if let [frame] = input.frames.as_slice() {
        return decode(frame);
    }
    let mut together: Option<Outcome> = None;
    for (index, frame) in input.frames.iter().enumerate() {
        let mut outcome = decode(frame).map_err(|mut error| {
            error.message = format!("frame {}: {}", index + 1, error.message);
            error
        })?;
        if let Outcome::Readings(decoded) = &mut outcome {
            decoded.from_frame(index);
        }
        together = Some(match together {
            Some(before) => join_outcomes(before, outcome),
            None => outcome,
        });
    }
    together.ok_or_else(|| DecodeError::malformed("there is no frame"))
}

/// Joins what two frames of an uplink came to: nothing beside readings leaves its facts and warnings, and of two reasons
/// for nothing the first is told. Where one is incomplete, so is the whole: the host asks again with all frames.
#[must_use]
pub fn join_outcomes(before: Outcome, after: Outcome) -> Outcome {
    match (before, after) {
        (Outcome::Readings(mut all), Outcome::Readings(mut more)) => {
            all.readings.append(&mut more.readings);
            all.facts.append(&mut more.facts);
            more.warnings.drain(..).for_each(|warning| all.warn(&warning.code, &warning.message));
            all.into()
        }
        (Outcome::Readings(all), Outcome::Nothing(nothing)) | (Outcome::Nothing(nothing), Outcome::Readings(all)) => {
            with_nothing(all, nothing).into()
        }
        (Outcome::Nothing(mut all), Outcome::Nothing(mut more)) => {
            all.facts.append(&mut more.facts);
            all.warnings.append(&mut more.warnings);
            all.into()
        }
        (Outcome::Error(error), _) | (_, Outcome::Error(error)) => Outcome::Error(error),
        (incomplete @ Outcome::Incomplete(_), _) | (_, incomplete @ Outcome::Incomplete(_)) => incomplete,
    }
}

fn with_nothing(mut all: Decoded, mut nothing: Nothing) -> Decoded {
    all.facts.append(&mut nothing.facts);
    all.warnings.append(&mut nothing.warnings);
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::registry::{kinds, nothing_reasons};
    use crate::{Decimal, Reading, Value, value_lines};

    /// A frame's first byte is a weight; 0 is nobody, and no byte is an error.
    fn weigh(frame: &Frame) -> Result<Outcome, DecodeError> {
        match frame.data.first() {
            None => Err(DecodeError::malformed("empty")),
            Some(0) => Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody").into()),
            Some(weight) => {
                let value = Value::decimal(Decimal::new(i64::from(*weight), 0), "kg");
                Ok(Reading::new(kinds::BODY_WEIGHT, value).into())
            }
        }
    }

    fn input(frames: &[&[u8]]) -> Input {
        let mut input = Input::new("scale", "", []);
        let frame = |data: &&[u8]| Frame {
            channel: String::new(),
            data: data.to_vec(),
            captured_at_ms: None,
            extra: Vec::new(),
        };
        input.frames = frames.iter().map(frame).collect();
        input
    }

    #[test]
    fn frames_are_joined_and_one_refusal_refuses_all() {
        let outcome = each_frame(&input(&[&[0], &[70], &[71], &[0]]), weigh).unwrap();
        assert_eq!(value_lines(&outcome), ["body-weight 70 kg", "body-weight 71 kg"]);
        let Outcome::Readings(decoded) = outcome else { panic!("no readings") };
        let frames: Vec<_> = decoded.readings.iter().map(|reading| reading.extra[0].value.as_str()).collect();
        assert_eq!(frames, ["1", "2"], "each says which frame it came from");
        let error = each_frame(&input(&[&[70], &[]]), weigh).unwrap_err();
        assert!(error.message.starts_with("frame 2: "));
        assert!(matches!(each_frame(&input(&[&[0], &[0]]), weigh), Ok(Outcome::Nothing(_))));
        assert!(each_frame(&input(&[]), weigh).is_err());
        let single = each_frame(&input(&[&[70]]), weigh).unwrap();
        let Outcome::Readings(decoded) = single else { panic!("no readings") };
        assert!(decoded.readings[0].extra.is_empty(), "a single frame needs no number");
    }
}
