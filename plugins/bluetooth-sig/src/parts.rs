//! One frame, read by the characteristic that it came from.

use afferent_plugin_sdk::{DecodeError, Frame, Outcome, bluetooth_characteristic};

use crate::body_composition::Composition;
use crate::cgm::{self, Measurement, Session};
use crate::glucose::Glucose;
use crate::glucose_context::Context;
use crate::manifest::Model;
use crate::weight::Weight;
use crate::{blood_pressure, clock, heart_rate, number, oximeter, temperature};

/// What a frame holds.
#[derive(Debug)]
pub enum Part {
    /// A measurement by itself, or nothing of one.
    Whole(Outcome),
    Weight(Weight),
    Composition(Composition),
    Glucose(Glucose),
    Context(Context),
    Cgm(Vec<Measurement>),
    Session(Option<Session>),
}

/// Reads a frame of this model.
///
/// # Errors
///
/// The channel is none of the model's, or the payload contradicts its characteristic.
pub fn read(model: &Model, frame: &Frame) -> Result<Part, DecodeError> {
    let data = frame.data.as_slice();
    let whole = match model.format {
        Some(Format::Sfloat) => number::decode_sfloat(data),
        Some(Format::Float) => number::decode_float(data),
        None => return of_characteristic(characteristic(model, &frame.channel)?, data),
    };
    whole.map(Part::Whole)
}

/// A format that is no characteristic.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Sfloat,
    Float,
}

/// The number of the characteristic. The first of a model's own is meant where the frame does not say; the generic model
/// has no first.
fn characteristic(model: &Model, channel: &str) -> Result<u16, DecodeError> {
    if channel.is_empty() {
        let first = model.channels.first().filter(|_| !model.is_generic);
        return first.and_then(|first| bluetooth_characteristic(first)).ok_or_else(|| {
            DecodeError::unsupported("this model has several characteristics: name the frame's channel")
        });
    }
    bluetooth_characteristic(channel)
        .filter(|number| model.channels.iter().any(|known| bluetooth_characteristic(known) == Some(*number)))
        .ok_or_else(|| DecodeError::unsupported("the channel is not a characteristic of this model"))
}

fn of_characteristic(characteristic: u16, data: &[u8]) -> Result<Part, DecodeError> {
    let whole = match characteristic {
        0x2A08 => clock::decode_date_time(data),
        0x2A18 => return Glucose::read(data).map(Part::Glucose),
        0x2A1C => temperature::decode(data),
        0x2A2B => clock::decode_current_time(data),
        0x2A34 => return Context::read(data).map(Part::Context),
        0x2A35 => blood_pressure::decode(data),
        0x2A36 => blood_pressure::decode_intermediate(data),
        0x2A37 => heart_rate::decode(data),
        0x2A5E => oximeter::decode_spot_check(data),
        0x2A5F => oximeter::decode_continuous(data),
        0x2A9C => return Composition::read(data).map(Part::Composition),
        0x2A9D => return Weight::read(data).map(Part::Weight),
        0x2AA7 => return cgm::read(data).map(Part::Cgm),
        0x2AAA => return Session::read(data).map(Part::Session),
        _ => Err(DecodeError::unsupported("the channel is not a characteristic of this model")),
    };
    whole.map(Part::Whole)
}
