//! Decoder for telemetry in the envelopes of Azure IoT Hub, IoT Central and the MedTech service (`iomt-fhir`), and for
//! FHIR R4 Observations that devices put in them.

mod envelope;
mod manifest;
mod metric;
mod observation;
mod telemetry;

use afferent_plugin_sdk::json::Document;
use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Manifest, Outcome, each_frame};

pub use envelope::message;
pub use observation::observation;

/// The decoder; a pure function over the messages of one uplink.
pub struct AzureIot;

afferent_plugin_sdk::export_decoder!(AzureIot);

impl Decoder for AzureIot {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if ![manifest::IOT, manifest::IOMT].contains(&input.model.as_str()) {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| {
            let document = Document::parse(&frame.data)?;
            let mut decoded = Decoded::from(Vec::new());
            message(document.root(), &mut decoded)?;
            Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the message has no metric with a kind"))
        })
    }
}
