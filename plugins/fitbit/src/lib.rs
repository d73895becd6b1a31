//! Decoder for the Fitbit Web API: days of steps and the log of body weights.

mod manifest;
mod steps;
mod weight;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use steps::day;
pub use weight::{WeightUnit, log_entry};

/// The decoder; a pure function over the answers of one uplink.
pub struct Fitbit;

afferent_plugin_sdk::export_decoder!(Fitbit);

impl Decoder for Fitbit {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        each_frame(input, |frame| {
            let document = Document::parse(&frame.data)?;
            match input.model.as_str() {
                manifest::STEPS => steps::answer(document.root()),
                manifest::ACCOUNT if document.root().get("activities-steps")?.is_some() => {
                    steps::answer(document.root())
                }
                manifest::WEIGHT | manifest::ACCOUNT => weight::answer(document.root(), WeightUnit::told(input)?),
                _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
            }
        })
    }
}
