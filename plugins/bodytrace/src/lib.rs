//! Decoder for BodyTrace's cellular scales and blood pressure monitors, whose cloud pushes one JSON object a measurement.

mod manifest;
mod measurement;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use measurement::measurement;

/// The decoder; a pure function over the measurements of one uplink.
pub struct BodyTrace;

afferent_plugin_sdk::export_decoder!(BodyTrace);

impl Decoder for BodyTrace {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| measurement(Document::parse(&frame.data)?.root()))
    }
}
