//! Decoder for Omron body composition monitors of the WLC kind: records as they lie in the memory of the device.

mod manifest;
mod record;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

/// The decoder; a pure function over the frames of one uplink.
pub struct Omron;

afferent_plugin_sdk::export_decoder!(Omron);

impl Decoder for Omron {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let lengths: &[usize] = match input.model.as_str() {
            "omron-wlc" => &[record::SHORT, record::LONG],
            "omron-hbf-702t" => &[record::LONG],
            "omron-hbf-222t" => &[record::SHORT],
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| record::decode(&frame.data, &frame.channel, lengths))
    }
}
