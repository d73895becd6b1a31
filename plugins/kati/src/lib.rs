//! Decoder for the Kati watch: vital signs one by one (`VitalSign`), in batches (`AP55`), and heartbeats with steps.

mod manifest;
mod message;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use message::message;

/// The decoder; a pure function over the messages of one uplink.
pub struct Kati;

afferent_plugin_sdk::export_decoder!(Kati);

impl Decoder for Kati {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| message(Document::parse(&frame.data)?.root()))
    }
}
