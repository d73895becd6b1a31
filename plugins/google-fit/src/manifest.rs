//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// A Google Fit account.
pub const MODEL: &str = "googlefit";

const KINDS: &[&str] = &[
    kinds::HEART_RATE,
    kinds::BODY_WEIGHT,
    kinds::BODY_HEIGHT,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_TEMPERATURE,
    kinds::STEPS,
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::GLUCOSE_CAPILLARY,
    kinds::GLUCOSE_INTERSTITIAL,
    kinds::GLUCOSE_PLASMA,
    kinds::GLUCOSE_WHOLE_BLOOD,
];

const WEIGHT: &str = r#"{"point":[{"startTimeNanos":"1423785600000000000","endTimeNanos":"1423785600000000000","dataTypeName":"com.google.weight","originDataSourceId":"raw:com.google.weight:com.fatsecret.android:","value":[{"fpVal":72.0999984741211}]}]}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("google-fit", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Data points of a Google Fit account.")
        .model(MODEL, "Google Fit account", &[])
        .kinds(KINDS)
        .flags(&[flags::MANUAL_ENTRY])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(MODEL, "the noise of a single float", WEIGHT, "readings", &["body-weight 72.1 kg"])
        .json_example(MODEL, "an empty dataset", r#"{"dataSourceId":"derived:x"}"#, "nothing", &[])
        .json_example(MODEL, "cut short", r#"{"point":[{"sta"#, "error", &[])
}
