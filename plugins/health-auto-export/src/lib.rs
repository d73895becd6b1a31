//! Decoder for Apple Health data that the iPhone app Health Auto Export posts as JSON.

mod manifest;
mod metric;
mod units;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

pub use metric::metric;

/// The decoder; a pure function over the exports of one uplink.
pub struct HealthAutoExport;

afferent_plugin_sdk::export_decoder!(HealthAutoExport);

impl Decoder for HealthAutoExport {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| export(Document::parse(&frame.data)?.root()))
    }
}

/// Decodes one export: `data.metrics`, and beside it lists that have no kind here.
fn export(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let data = root.required("data")?;
    let mut decoded = Decoded::from(Vec::new());
    for (name, list) in data.members()? {
        if name == "metrics" {
            for item in list.items()? {
                metric(item, &mut decoded)?;
            }
        } else if list.is_list() && list.items()?.len() > 0 {
            decoded.warn_of_metric(name);
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the export has no metric with a kind"))
}
