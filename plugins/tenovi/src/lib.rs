//! Decoder for Tenovi's measurement webhooks: one measurement an object, or the measurements of one moment as a list
//! (“post as array”).

mod manifest;
mod measurement;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

pub use measurement::measurement;

/// The decoder; a pure function over the posts of one uplink.
pub struct Tenovi;

afferent_plugin_sdk::export_decoder!(Tenovi);

impl Decoder for Tenovi {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| post(Document::parse(&frame.data)?.root()))
    }
}

/// Decodes one post of the webhook.
fn post(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    if root.is_list() {
        for item in root.items()? {
            measurement(item, &mut decoded)?;
        }
        measurement::mark_irregular(root, &mut decoded)?;
    } else {
        measurement(root, &mut decoded)?;
        if root.required("metric")?.text()? == "irregular_heartbeat" {
            decoded.warn_of_metric("irregular_heartbeat");
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::STATUS, "no measurement of the person"))
}
