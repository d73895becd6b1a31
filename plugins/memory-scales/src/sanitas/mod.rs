//! Sanitas SBF70, SBF75, Beurer BF710, SilverCrest and Crane scales of the same kind, notifications of characteristic 0xFFE1.
//!
//! `E7 | command u8 | …`, big-endian. Command 0x58 is a live weight: `1 byte | u16, 0.05 kg`. A measurement comes in parts:
//! `count u8 | part u8 | data …`. Command 0x59 is the one just made, in three parts: the first has the user (`1 byte | id
//! u64`), the others the measurement. Command 0x42 is the memory of a user and 0x4C that of unknown ones, two parts a
//! measurement. Joined, they are [`measurement`]. The scale goes on only when the phone has acknowledged each part.

mod measurement;
mod parts;

use afferent_plugin_sdk::registry::{fact_kinds, flags, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Incomplete, Input, Nothing, Outcome, Reader, Value};

use measurement::Measurement;
use parts::Parts;

const START: u8 = 0xE7;
/// The answer to the greeting begins with another low nibble.
const GREETING: u8 = 0xE6;
const LIVE: u8 = 0x58;
const MEASURED: u8 = 0x59;
const MEMORY: u8 = 0x42;
const MEMORY_OF_UNKNOWN: u8 = 0x4C;
const ANSWER: u8 = 0xF0;
const STATE_OF_SCALE: u8 = 0x4F;
/// 300 kg, in steps of 0.05 kg: no such scale carries more.
const HEAVIEST: u16 = 6000;

/// The measurements that the frames of an uplink make up.
///
/// # Errors
///
/// A frame is another device's, truncated, or contradicts another one.
pub fn decode(input: &Input) -> Result<Outcome, DecodeError> {
    if input.frames.is_empty() {
        return Err(DecodeError::malformed("there is no frame"));
    }
    let mut parts = [Parts::new(MEASURED), Parts::new(MEMORY), Parts::new(MEMORY_OF_UNKNOWN)];
    let mut all = Decoded::from(Vec::new());
    let mut why = None;
    for (index, frame) in input.frames.iter().enumerate() {
        let several = input.frames.len() > 1;
        let read = read(&frame.data, &mut parts).map_err(|mut error| {
            if several {
                error.message = format!("frame {}: {}", index + 1, error.message);
            }
            error
        })?;
        if let Some(mut nothing) = read {
            all.facts.append(&mut nothing.facts);
            why.get_or_insert(nothing);
        }
    }
    let mut waits = false;
    for parts in &parts {
        match parts.joined()? {
            parts::Joined::Nothing => {}
            parts::Joined::FirstOnly => {
                let message = "the user of a measurement, whose other parts are not there";
                why.get_or_insert(Nothing::because(nothing_reasons::STATUS, message));
            }
            parts::Joined::Waiting => waits = true,
            parts::Joined::Whole(measurements) => {
                for (user, data) in measurements {
                    all.readings.extend(readings(parts.command, user, &data)?);
                }
            }
        }
    }
    if waits {
        let reason = "parts of a measurement are missing".to_owned();
        return Ok(Outcome::Incomplete(Incomplete { reason, extra: Vec::new() }));
    }
    if all.readings.is_empty() {
        let message = "the measurement has no weight";
        let mut nothing = why.unwrap_or_else(|| Nothing::because(nothing_reasons::NO_MEASUREMENT, message));
        nothing.facts = all.facts;
        return Ok(nothing.into());
    }
    Ok(all.into())
}

/// Reads one frame: a part is kept, anything else says why it is none.
fn read<'a>(data: &'a [u8], parts: &mut [Parts<'a>]) -> Result<Option<Nothing>, DecodeError> {
    let mut reader = Reader::new(data);
    let start = reader.u8()?;
    if start != START && start != GREETING {
        return Err(DecodeError::not_for_me("the frame does not begin with E7").at(0));
    }
    let status = |message: &str| Some(Nothing::because(nothing_reasons::STATUS, message));
    if start == GREETING {
        return Ok(status("the scale answers the greeting"));
    }
    let command = reader.u8()?;
    if let Some(parts) = parts.iter_mut().find(|parts| parts.command == command) {
        let (count, part) = (reader.u8()?, reader.u8()?);
        parts.add(count, part, reader.bytes(reader.remaining())?)?;
        return Ok(None);
    }
    match command {
        LIVE => {
            reader.u8()?;
            let weight = reader.u16_be()?;
            reader.finish()?;
            live(weight).map(Some)
        }
        ANSWER if reader.u8()? == STATE_OF_SCALE => {
            reader.u8()?;
            let battery = Value::decimal(Decimal::new(i64::from(reader.u8()?), 0), "%");
            Ok(status("the state of the scale").map(|nothing| nothing.fact(fact_kinds::BATTERY, battery)))
        }
        _ => Ok(status("an answer of the scale to its app")),
    }
}

/// A weight while somebody stands on the scale. Whether it is the last one, the frame does not say.
fn live(weight: u16) -> Result<Nothing, DecodeError> {
    match weight {
        0 => Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale")),
        1..=HEAVIEST => Ok(Nothing::because(nothing_reasons::NOT_FINAL, "a live weight")),
        _ => Err(DecodeError::malformed("a weight of more than 300 kg").at(3)),
    }
}

/// The readings of a measurement, and what its way says about whose it is.
fn readings(command: u8, user: Option<u64>, data: &[u8]) -> Result<Vec<afferent_plugin_sdk::Reading>, DecodeError> {
    let user = user.filter(|user| *user != 0);
    let mut said = Vec::new();
    if command != MEASURED {
        said.push(flags::FROM_STORAGE);
    }
    // The memory of a user is asked for by user: whoever asked knows. What was just measured says it, or does not know.
    if command == MEMORY_OF_UNKNOWN || command == MEASURED && user.is_none() {
        said.push(flags::AMBIGUOUS_USER);
    }
    Measurement::read(data)?.readings(user, &said)
}
