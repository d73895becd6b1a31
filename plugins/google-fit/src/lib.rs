//! Decoder for the Google Fit REST API: data points of datasets and of aggregates.

mod manifest;
mod point;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

pub use point::point;

/// The decoder; a pure function over the datasets of one uplink.
pub struct GoogleFit;

afferent_plugin_sdk::export_decoder!(GoogleFit);

impl Decoder for GoogleFit {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| {
            let mut decoded = Decoded::from(Vec::new());
            let document = Document::parse(&frame.data)?;
            dataset(document.root(), &mut decoded)?;
            Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the dataset has no point with a kind"))
        })
    }
}

/// A dataset (`point`), a single point, or an aggregate (`bucket[].dataset[].point`). A dataset without points has none.
fn dataset(root: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    if let Some(points) = root.get("point")? {
        return points.items()?.try_for_each(|item| point(item, decoded));
    }
    if let Some(buckets) = root.get("bucket")? {
        for bucket in buckets.items()? {
            for inner in bucket.required("dataset")?.items()? {
                dataset(inner, decoded)?;
            }
        }
        return Ok(());
    }
    if root.get("dataTypeName")?.is_some() {
        return point(root, decoded);
    }
    root.required("dataSourceId").map(|_empty| ())
}
