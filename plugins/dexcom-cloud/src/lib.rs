//! Decoder for Dexcom's clouds: followers' values of Share, and estimated glucose values of the API v3.

mod egv;
mod manifest;
mod share;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use egv::egv;
pub use share::share_value;

/// The decoder; a pure function over the answers of one uplink.
pub struct DexcomCloud;

afferent_plugin_sdk::export_decoder!(DexcomCloud);

impl Decoder for DexcomCloud {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let read = match input.model.as_str() {
            manifest::SHARE => share::answer,
            manifest::EGV => egv::answer,
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| read(Document::parse(&frame.data)?.root()))
    }
}
