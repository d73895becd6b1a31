//! Decoder for the iHealth Open API: lists of blood pressures, glucoses, saturations, weights and days of activity.

mod lists;
mod manifest;
mod record;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use lists::page;

/// The decoder; a pure function over the pages of one uplink.
pub struct IHealth;

afferent_plugin_sdk::export_decoder!(IHealth);

impl Decoder for IHealth {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| page(Document::parse(&frame.data)?.root()))
    }
}
