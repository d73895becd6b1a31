//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{kinds, warnings};

/// An iPhone with the app.
pub const MODEL: &str = "health-auto-export";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::HEART_RATE,
    kinds::HEART_RATE_RESTING,
    kinds::HEART_RATE_VARIABILITY,
    kinds::RESPIRATORY_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::BODY_HEIGHT,
    kinds::BODY_MASS_INDEX,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::WAIST_CIRCUMFERENCE,
    kinds::GLUCOSE_CAPILLARY,
    kinds::GLUCOSE_INTERSTITIAL,
    kinds::PEAK_EXPIRATORY_FLOW,
    kinds::FORCED_EXPIRATORY_VOLUME_1S,
    kinds::ACTIVE_ENERGY,
    kinds::STEPS,
];

const EXPORT: &str = r#"{"data":{"metrics":[{"name":"weight_body_mass","units":"lb","data":[{"date":"2026-03-10 07:10:00 -0500","qty":182.39999999999998,"source":"Scale"}]},{"name":"sleep_analysis","units":"hr","data":[]}]}}"#;

const UNKNOWN_UNIT: &str = r#"{"data":{"metrics":[{"name":"weight_body_mass","units":"st","data":[{"date":"2026-03-10 07:10:00 -0500","qty":13}]}]}}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("health-auto-export", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Apple Health, sent by the iPhone app Health Auto Export.")
        .model(MODEL, "Apple Health (Health Auto Export)", &[])
        .kinds(KINDS)
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(MODEL, "pounds with the noise of a double", EXPORT, "readings", &["body-weight 182.4 [lb_av]"])
        .json_example(MODEL, "no metrics", r#"{"data":{"metrics":[]}}"#, "nothing", &[])
        .json_example(MODEL, "an unknown unit", UNKNOWN_UNIT, "error", &[])
}
