//! Decoder for Nightscout's `entries`: glucose of sensors (`sgv`) and of meters (`mbg`).

mod entry;
mod manifest;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

pub use entry::{Entry, entry};

/// The decoder; a pure function over the posts of one uplink.
pub struct Nightscout;

afferent_plugin_sdk::export_decoder!(Nightscout);

impl Decoder for Nightscout {
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

/// Decodes a list of entries, or one.
fn post(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    let mut codes = false;
    let mut take = |item: Json<'_>| -> Result<(), DecodeError> {
        match entry(item, &mut decoded)? {
            Entry::Reading(reading) => decoded.readings.push(*reading),
            Entry::ErrorCode => codes = true,
            Entry::NoMeasurement => {}
        }
        Ok(())
    };
    if root.is_list() {
        root.items()?.try_for_each(take)?
    } else {
        take(root)?
    };
    if codes {
        return Ok(decoded.or_nothing(nothing_reasons::ERROR_CODE, "codes of the sensor in the place of glucose"));
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no entry has a glucose"))
}
