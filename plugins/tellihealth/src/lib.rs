//! Decoder for the webhooks of Telli Health's cellular devices: cuffs, scales, glucose meters, oximeters, thermometers,
//! spirometers and sleeping mats. Version 1 and version 2 of the webhook carry the same readings in two envelopes.

mod manifest;
mod message;
mod readings;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use message::{Webhook, message};

/// The decoder; a pure function over the messages of one uplink.
pub struct Tellihealth;

afferent_plugin_sdk::export_decoder!(Tellihealth);

impl Decoder for Tellihealth {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let webhook = match input.model.as_str() {
            manifest::V1 => Webhook::V1,
            manifest::V2 => Webhook::V2,
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| message(webhook, Document::parse(&frame.data)?.root()))
    }
}
