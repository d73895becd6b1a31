//! Decoder for the health characteristics of the Bluetooth SIG, for devices that keep to the specification. Devices that
//! deviate under the same characteristic have their own decoders: the model decides, never the characteristic alone.
//!
//! One file a characteristic; `parts` reads a frame by its characteristic, `together` joins the frames of one measurement.

mod blood_pressure;
mod body_composition;
mod cgm;
mod clock;
mod companions;
mod examples;
mod glucose;
mod glucose_context;
mod heart_rate;
mod manifest;
mod number;
mod origin;
mod oximeter;
mod parts;
mod scale;
mod temperature;
mod together;
mod weight;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome};

/// The decoder; a pure function over the frames of one uplink.
pub struct BluetoothSig;

afferent_plugin_sdk::export_decoder!(BluetoothSig);

impl Decoder for BluetoothSig {
    fn describe() -> Manifest {
        manifest::describe()
    }

    /// One frame that is refused refuses the uplink: nothing is stored by halves.
    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let Some(model) = manifest::model(&input.model) else {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        };
        match input.frames.as_slice() {
            [] => Err(DecodeError::malformed("there is no frame")),
            [frame] => together::alone(parts::read(model, frame)?, input),
            frames => together::join(model, frames, input),
        }
    }
}
