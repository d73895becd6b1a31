//! Decoder for Huawei and Honor scales, for records that the phone has already decrypted: AH100/CH100, and the Hagrid
//! family (Scale 2 Pro, Scale 3, Scale 3 Pro). The session keys are negotiated between phone and scale for each
//! connection, so that only the phone can open what was said.

mod ch100;
mod hagrid;
mod manifest;

use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

/// The decoder; a pure function over the frames of one uplink.
pub struct HuaweiScales;

afferent_plugin_sdk::export_decoder!(HuaweiScales);

impl Decoder for HuaweiScales {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        match input.model.as_str() {
            "huawei-ch100-plain" => each_frame(input, |frame| ch100::decode(&frame.data)),
            "huawei-hagrid-plain" => each_frame(input, |frame| hagrid::decode(&frame.data)),
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}
