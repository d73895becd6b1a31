//! Decoder for the Withings Public Health Data API: measurements (`measure?action=getmeas`) and days of activity
//! (`v2/measure?action=getactivity`).

mod activity;
mod manifest;
mod measure;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, each_frame};

pub use activity::activity;
pub use measure::measure_group;

/// The decoder; a pure function over the answers of one uplink.
pub struct Withings;

afferent_plugin_sdk::export_decoder!(Withings);

impl Decoder for Withings {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let read = match input.model.as_str() {
            manifest::MEASURE => measure::answer,
            manifest::ACTIVITY => activity::answer,
            manifest::ACCOUNT => either,
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| {
            let document = Document::parse(&frame.data)?;
            read(body(document.root())?)
        })
    }
}

/// The `body` of an answer of the API; a payload without the envelope is a body already, as a feed may have split it.
fn body(root: Json<'_>) -> Result<Json<'_>, DecodeError> {
    let Some(status) = root.get("status")? else { return Ok(root) };
    if status.integer()? != 0 {
        return Err(status.unsupported("the API answered with an error, and not with data"));
    }
    root.required("body")
}

/// Days of activity, or measurements.
fn either(body: Json<'_>) -> Result<Outcome, DecodeError> {
    if body.get("activities")?.is_some() { activity::answer(body) } else { measure::answer(body) }
}
