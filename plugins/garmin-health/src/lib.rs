//! Decoder for the pushes of the Garmin Health API: days, epochs, body compositions, blood pressures, pulse oximetry,
//! respiration, health snapshots and heart rate variability. Summaries of one person; several people's are split before.

mod continuous;
mod manifest;
mod measurement;
mod movement;
mod summary;

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

/// The decoder; a pure function over the pushes of one uplink.
pub struct GarminHealth;

afferent_plugin_sdk::export_decoder!(GarminHealth);

impl Decoder for GarminHealth {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.model != manifest::MODEL {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| push(Document::parse(&frame.data)?.root()))
    }
}

type Read = fn(Json<'_>, &mut Decoded) -> Result<(), DecodeError>;

/// Every list of summaries that has a kind here, by the name that Garmin gives it.
const LISTS: &[(&str, Read)] = &[
    ("dailies", movement::daily),
    ("epochs", movement::epoch),
    ("bodyComps", measurement::body_composition),
    ("bloodPressures", measurement::blood_pressure),
    ("pulseox", continuous::pulse_oximetry),
    ("pulseOx", continuous::pulse_oximetry),
    ("allDayRespiration", continuous::respiration),
    ("respiration", continuous::respiration),
    ("healthSnapshot", continuous::health_snapshot),
];

/// Decodes one push: an object of lists by type of summary.
fn push(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    let mut lists = 0;
    for (name, summaries) in root.members()? {
        match LISTS.iter().find(|(known, _)| *known == name) {
            Some((_, read)) => {
                for item in summaries.items()? {
                    read(item, &mut decoded)?;
                }
            }
            None if summaries.is_list() => decoded.warn_of_metric(name),
            None => continue,
        }
        lists += 1;
    }
    if lists == 0 {
        return Err(root.malformed("no list of summaries is here"));
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no summary has a measurement with a kind"))
}
