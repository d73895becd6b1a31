//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// An account's measurements.
pub const MEASURE: &str = "withings-measure";

/// An account: whatever an answer of the API has.
pub const ACCOUNT: &str = "withings";

/// An account's days of activity.
pub const ACTIVITY: &str = "withings-activity";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
    kinds::HEART_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::BODY_HEIGHT,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::BODY_MUSCLE_MASS,
    kinds::BODY_WATER_MASS,
    kinds::FAT_FREE_MASS,
    kinds::BASAL_METABOLISM,
    kinds::STEPS,
    kinds::STEPS_DAY,
];

const GROUP: &str = r#"{"status":0,"body":{"timezone":"Europe/Paris","measuregrps":[{"grpid":366956482,"attrib":0,"date":1433052383,"category":1,"measures":[{"value":68,"type":9,"unit":0},{"value":104,"type":10,"unit":0},{"value":41,"type":11,"unit":0},{"value":74126,"type":1,"unit":-3}]}]}}"#;

const OBJECTIVE: &str = r#"{"status":0,"body":{"measuregrps":[{"grpid":1,"attrib":0,"date":1429550036,"category":2,"measures":[{"value":74128,"type":1,"unit":-3}]}]}}"#;

const DAY: &str =
    r#"{"status":0,"body":{"activities":[{"date":"2015-02-21","timezone":"America/Los_Angeles","steps":1798}]}}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("withings", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Measurements and days of activity of a Withings account.")
        .model(ACCOUNT, "Withings account", &[])
        .model(MEASURE, "Withings account, measurements", &[])
        .model(ACTIVITY, "Withings account, activity", &[])
        .kinds(KINDS)
        .flags(&[flags::MANUAL_ENTRY, flags::AMBIGUOUS_USER])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(
            MEASURE,
            "pressure, pulse and weight of a group",
            GROUP,
            "readings",
            &[
                "blood-pressure/blood-pressure-systolic 104 mm[Hg]",
                "blood-pressure/blood-pressure-diastolic 68 mm[Hg]",
                "pulse-rate 41 /min",
                "body-weight 74.126 kg",
            ],
        )
        .json_example(MEASURE, "an objective is no measurement", OBJECTIVE, "nothing", &[])
        .json_example(MEASURE, "an error of the API", r#"{"status":401,"error":"invalid_token"}"#, "error", &[])
        .json_example(ACCOUNT, "an answer of days", DAY, "readings", &["steps-day 1798 {steps}/(24.h)"])
        .json_example(ACCOUNT, "an answer of measurements", OBJECTIVE, "nothing", &[])
        .json_example(ACCOUNT, "an answer without data", r#"{"status":601,"error":"Too Many Requests"}"#, "error", &[])
        .json_example(ACTIVITY, "a day", DAY, "readings", &["steps-day 1798 {steps}/(24.h)"])
        .json_example(ACTIVITY, "cut short", r#"{"status":0,"body":{"acti"#, "error", &[])
}
