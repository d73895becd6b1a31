//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// A person's Garmin account.
pub const MODEL: &str = "garmin-health";

const KINDS: &[&str] = &[
    kinds::STEPS,
    kinds::STEPS_DAY,
    kinds::HEART_RATE,
    kinds::HEART_RATE_RESTING,
    kinds::HEART_RATE_VARIABILITY,
    kinds::RESPIRATORY_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_WEIGHT,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::BODY_MASS_INDEX,
    kinds::BODY_MUSCLE_MASS,
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
];

const BODY: &str = r#"{"bodyComps":[{"summaryId":"x1","measurementTimeInSeconds":1439741130,"measurementTimeOffsetInSeconds":0,"muscleMassInGrams":25478,"bodyFatInPercent":17.1,"bodyMassIndex":23.2,"weightInGrams":75450}]}"#;

const SLEEP: &str = r#"{"sleeps":[{"summaryId":"x1","startTimeInSeconds":1452419581}]}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("garmin-health", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Summaries that Garmin's Health API pushes for an account.")
        .model(MODEL, "Garmin account (Health API)", &[])
        .kinds(KINDS)
        .flags(&[flags::MANUAL_ENTRY])
        .warnings(&[warnings::UNSUPPORTED_METRIC, warnings::TIMESTAMP_FIELDS_DISAGREE])
        .json_example(
            MODEL,
            "a body composition in grams",
            BODY,
            "readings",
            &[
                "body-weight 75.450 kg",
                "body-fat-percentage 17.1 %",
                "body-mass-index 23.2 kg/m2",
                "body-muscle-mass 25.478 kg",
            ],
        )
        .json_example(MODEL, "sleep has no kind", SLEEP, "nothing", &[])
        .json_example(MODEL, "no list", r#"{"userId":"x"}"#, "error", &[])
}
