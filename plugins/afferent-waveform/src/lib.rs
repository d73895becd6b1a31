//! Decoder for Afferent's own format of waveforms, for whoever has a recorder whose bytes no decoder knows: a gateway or an app
//! writes this, as JSON or as a compact frame. `README.md` is the format's definition.

mod binary;
mod crc32;
mod json;
mod manifest;
mod recording;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use binary::MAGIC;
pub use crc32::crc32;

/// The decoder; a pure function over the frames of one uplink, each of which is a recording or a piece of one.
pub struct AfferentWaveform;

afferent_plugin_sdk::export_decoder!(AfferentWaveform);

impl Decoder for AfferentWaveform {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        match input.model.as_str() {
            manifest::BINARY => each_frame(input, |frame| binary::read(&frame.data)?.outcome()),
            manifest::JSON => each_frame(input, |frame| json::read(&frame.data)?.outcome()),
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}
