//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{kinds, warnings};

/// A person's Nightscout site, or an uploader that speaks to one.
pub const MODEL: &str = "nightscout-sgv";

const SGV: &str = r#"[{"type":"sgv","sgv":120,"date":1705600000000,"dateString":"2024-01-18T17:46:40.000Z","device":"AndroidAPS-DexcomG6"}]"#;

const CODE: &str = r#"[{"type":"sgv","sgv":"5","dateString":"2014-07-19T10:49:15.000-07:00","date":1405792155000}]"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("nightscout", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Glucose of sensors and meters as Nightscout keeps it.")
        .model(MODEL, "Nightscout entries", &[])
        .kinds(&[kinds::GLUCOSE_INTERSTITIAL, kinds::GLUCOSE_CAPILLARY])
        .warnings(&[warnings::UNSUPPORTED_METRIC, warnings::TIMESTAMP_FIELDS_DISAGREE])
        .json_example(MODEL, "a glucose", SGV, "readings", &["glucose-interstitial 120 mg/dL"])
        .json_example(MODEL, "a code of the sensor", CODE, "nothing", &[])
        .json_example(MODEL, "no time", r#"{"type":"sgv","sgv":120}"#, "error", &[])
}
