//! Decoder for the health characteristics of the Bluetooth SIG, for devices that keep to the specification: Blood
//! Pressure (2A35), Weight (2A9D), Temperature (2A1C) and PLX Spot-Check (2A5E). Devices that deviate under the same
//! characteristic have their own decoders: the model decides, never the characteristic alone.

mod blood_pressure;
mod manifest;
mod oximeter;
mod temperature;
mod weight;

use afferent_plugin_sdk::{
    DecodeError, Decoded, Decoder, Frame, Input, Manifest, Nothing, Outcome, bluetooth_characteristic,
};
use manifest::MODELS;

/// The decoder; a pure function over the frames of one uplink.
pub struct BluetoothSig;

afferent_plugin_sdk::export_decoder!(BluetoothSig);

impl Decoder for BluetoothSig {
    fn describe() -> Manifest {
        manifest::describe()
    }

    /// Each frame is one whole measurement. One frame that is refused refuses the uplink: nothing is stored by halves.
    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let Some((_, _, channels)) = MODELS.iter().find(|(name, _, _)| *name == input.model) else {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        };
        if let [frame] = input.frames.as_slice() {
            return decode_frame(channels, frame);
        }
        let mut together: Option<Outcome> = None;
        for (index, frame) in input.frames.iter().enumerate() {
            let mut outcome = decode_frame(channels, frame).map_err(|mut error| {
                error.message = format!("frame {}: {}", index + 1, error.message);
                error
            })?;
            if let Outcome::Readings(decoded) = &mut outcome {
                decoded.from_frame(index);
            }
            together = Some(match together {
                Some(before) => join(before, outcome),
                None => outcome,
            });
        }
        together.ok_or_else(|| DecodeError::malformed("there is no frame"))
    }
}

/// Decodes one measurement by the characteristic that it came from; a model of one characteristic need not say it.
fn decode_frame(channels: &[&str], frame: &Frame) -> Result<Outcome, DecodeError> {
    let spoken = match (frame.channel.as_str(), channels) {
        ("", [only]) => bluetooth_characteristic(only),
        ("", _) => {
            return Err(DecodeError::unsupported("this model has several characteristics: name the frame's channel"));
        }
        (channel, _) => bluetooth_characteristic(channel),
    };
    let characteristic =
        spoken.filter(|number| channels.iter().any(|channel| bluetooth_characteristic(channel) == Some(*number)));
    match characteristic {
        Some(0x2A1C) => temperature::decode(&frame.data),
        Some(0x2A35) => blood_pressure::decode(&frame.data),
        Some(0x2A36) => blood_pressure::decode_intermediate(&frame.data),
        Some(0x2A5E) => oximeter::decode(&frame.data),
        Some(0x2A9D) => weight::decode(&frame.data),
        _ => Err(DecodeError::unsupported("the channel is not a characteristic of this model")),
    }
}

/// Joins the outcomes of two frames: what either has is in the whole, and nothing beside readings leaves its warnings.
fn join(before: Outcome, after: Outcome) -> Outcome {
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
        (before, _) => before,
    }
}

fn with_nothing(mut all: Decoded, mut nothing: Nothing) -> Decoded {
    all.facts.append(&mut nothing.facts);
    all.warnings.append(&mut nothing.warnings);
    all
}

/// The user slot as the device names it: 255 means that it does not know.
fn user_slot(id: u8) -> Option<String> {
    const UNKNOWN_USER: u8 = 255;
    (id != UNKNOWN_USER).then(|| id.to_string())
}
