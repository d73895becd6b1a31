//! Decoder for scales that know their users and remember measurements: Sanitas SBF70 and its kind, Soehnle Shape and Style.

mod manifest;
mod sanitas;
mod soehnle;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

/// The decoder; a pure function over the frames of one uplink.
pub struct MemoryScales;

afferent_plugin_sdk::export_decoder!(MemoryScales);

impl Decoder for MemoryScales {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        match input.model.as_str() {
            "sanitas-sbf70" => sanitas::decode(input),
            "soehnle-shape" => each_frame(input, |frame| soehnle::decode(&frame.data)),
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}
