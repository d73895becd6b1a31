//! The readings that a phone missed. It asks for them, the transmitter answers (opcode 0x51), and then sends them in frames.
//!
//! Answer, 20 bytes: `51 | status | backfill status | identifier | start u32 | end u32 | length u32 | checksum of the frames
//! u16 | checksum u16`. Frame, up to 20 bytes: `index u8, from 1 | identifier × 64 | data`. The data of all frames are 4 bytes of
//! header, the last two of them 0, and then values of 8 bytes. Some firmware encrypts them: no index or checksum tells, but
//! their times do.
//!
//! The answer, when it is there, is the first frame of the uplink, and says whether all is complete and intact.

use afferent_plugin_sdk::registry::{flags, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoded, DeviceTime, Incomplete, Input, Nothing, Outcome, Reader, Timestamp};

use crate::checksum::{checked, crc16};
use crate::glucose::Glucose;

const ANSWER: u8 = 0x51;
const ANSWER_LENGTH: usize = 20;
const FRAME: usize = 20;
const HEADER: usize = 4;
const VALUE: usize = 8;
/// Two values are five minutes apart; never less than four.
const NEAREST: u32 = 240;

/// The readings of a backfill, oldest first.
///
/// # Errors
///
/// A checksum is wrong, a frame does not belong to the others, or the values cannot be what they are taken for.
pub fn decode(input: &Input, activated: Option<Timestamp>) -> Result<Outcome, DecodeError> {
    let mut frames: Vec<&[u8]> = input.frames.iter().map(|frame| frame.data.as_slice()).collect();
    let answer = match frames.first() {
        None => return Err(DecodeError::malformed("there is no frame")),
        Some(first) if first.first() == Some(&ANSWER) => Some(Answer::read(frames.remove(0))?),
        Some(_) => None,
    };
    if answer.as_ref().is_some_and(|answer| answer.length == 0) && frames.is_empty() {
        return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the transmitter has nothing to fill in").into());
    }
    let (frames, is_whole) = in_order(frames, answer.as_ref())?;
    let data: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().skip(2)).copied().collect();
    if is_whole && data.get(2..HEADER).is_some_and(|zeros| zeros != [0, 0]) {
        return Err(encrypted());
    }
    let fits = data.len() > HEADER && (data.len() - HEADER).is_multiple_of(VALUE);
    if answer.is_some() && is_whole && !fits {
        return Err(DecodeError::malformed("the frames are complete, and end within a value"));
    }
    if !is_whole || !fits {
        let reason = "frames of the backfill are missing".to_owned();
        return Ok(Outcome::Incomplete(Incomplete { reason, extra: Vec::new() }));
    }
    outcome(&values(&data, answer.as_ref())?, activated)
}

/// What the transmitter promised.
struct Answer {
    identifier: u8,
    start: u32,
    end: u32,
    length: u32,
    checksum: u16,
}

impl Answer {
    fn read(data: &[u8]) -> Result<Self, DecodeError> {
        if data.len() != ANSWER_LENGTH {
            return Err(DecodeError::malformed(format!("an answer has 20 bytes, and not {}", data.len())));
        }
        let mut reader = Reader::new(checked(data)?);
        reader.u8()?;
        if reader.u8()? != 0 {
            return Err(DecodeError::unsupported("the transmitter refuses the backfill").at(1));
        }
        reader.u8()?;
        let identifier = reader.u8()?;
        let (start, end, length) = (reader.u32_le()?, reader.u32_le()?, reader.u32_le()?);
        Ok(Self { identifier, start, end, length, checksum: reader.u16_le()? })
    }
}

/// The frames by their index, each once, and whether they are all there as far as that can be known.
fn in_order<'a>(mut frames: Vec<&'a [u8]>, answer: Option<&Answer>) -> Result<(Vec<&'a [u8]>, bool), DecodeError> {
    frames.sort_by_key(|frame| frame.first().copied());
    frames.dedup();
    let mut expected = 0_u8;
    let identifier = frames.first().and_then(|frame| frame.get(1)).copied();
    for (place, frame) in frames.iter().enumerate() {
        let [index, named, data @ ..] = frame else { return Err(DecodeError::malformed("a frame without data")) };
        if data.is_empty() || frame.len() > FRAME || Some(*named) != identifier {
            return Err(DecodeError::malformed("a frame that does not belong to the others"));
        }
        if answer.is_some_and(|answer| answer.identifier.wrapping_shl(6) != *named) {
            return Err(DecodeError::malformed("a frame with another identifier than the answer").at(1));
        }
        expected = expected.saturating_add(1);
        let is_last = place + 1 == frames.len();
        if *index != expected {
            return Ok((frames, false));
        }
        if !is_last && frame.len() != FRAME {
            return Err(DecodeError::malformed("a frame before the last one is shorter than 20 bytes"));
        }
    }
    let Some(answer) = answer else { return Ok((frames, true)) };
    let length: usize = frames.iter().map(|frame| frame.len()).sum();
    match usize::try_from(answer.length).unwrap_or(usize::MAX) {
        promised if length < promised => return Ok((frames, false)),
        promised if length > promised => {
            return Err(DecodeError::malformed(format!("{length} bytes of frames, and {promised} were promised")));
        }
        _ => {}
    }
    if crc16(frames.iter().flat_map(|frame| frame.iter().copied())) != answer.checksum {
        return Err(DecodeError::malformed("the checksum over the frames is wrong"));
    }
    Ok((frames, true))
}

#[cold]
fn encrypted() -> DecodeError {
    DecodeError::unsupported("a header, times or states that cannot be: this firmware encrypts its backfill")
}

fn values(data: &[u8], answer: Option<&Answer>) -> Result<Vec<Glucose>, DecodeError> {
    let mut reader = Reader::new(data);
    reader.bytes(HEADER)?;
    let mut values: Vec<Glucose> = Vec::with_capacity(reader.remaining() / VALUE);
    while reader.remaining() > 0 {
        let value = Glucose::read(&mut reader)?;
        let is_after = values.last().is_none_or(|before| value.seconds >= before.seconds.saturating_add(NEAREST));
        let is_within = answer.is_none_or(|answer| (answer.start..=answer.end).contains(&value.seconds));
        if !value.is_plausible() || !is_after || !is_within {
            return Err(encrypted());
        }
        values.push(value);
    }
    Ok(values)
}

/// Without the moment of activation only the distances are known: the newest value is taken to be of now.
fn outcome(values: &[Glucose], activated: Option<Timestamp>) -> Result<Outcome, DecodeError> {
    let newest = values.last().map_or(0, |value| value.seconds);
    let mut readings = Vec::with_capacity(values.len());
    let mut why = None;
    for value in values {
        let before = u64::from(newest - value.seconds) * 1000;
        let (time, said): (_, &[&str]) = match value.moment(activated)? {
            Some(moment) => (moment, &[]),
            None => (DeviceTime::BeforeCapture(before), &[flags::ESTIMATED_TIME]),
        };
        match value.reading(time, said) {
            Ok(reading) => readings.push(reading),
            Err(reason) => {
                why.get_or_insert(reason);
            }
        }
    }
    if readings.is_empty() {
        let message = why.unwrap_or_else(|| "no values".to_owned());
        return Ok(Nothing::because(nothing_reasons::ERROR_CODE, &message).into());
    }
    Ok(Decoded::from(readings).into())
}
