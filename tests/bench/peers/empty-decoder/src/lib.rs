//! A decoder that does nothing: what is left of a decode's time is the sandbox itself.

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Nothing, Outcome};

struct Empty;

afferent_plugin_sdk::export_decoder!(Empty);

impl Decoder for Empty {
    fn describe() -> Manifest {
        let input = Input::new("empty", "", []);
        Manifest::new("empty-decoder", "Afferent's benchmark", "1.0.0")
            .description("Does nothing; never for production.")
            .model("empty", "Nothing", &[])
            .example("anything", input, "nothing", &[])
    }

    fn decode(_input: &Input) -> Result<Outcome, DecodeError> {
        Ok(Nothing::because(nothing_reasons::HEARTBEAT, "").into())
    }
}
