//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{kinds, warnings};

/// The Kati watch.
pub const MODEL: &str = "kati-watch";

const VITAL_SIGNS: &str = r#"{"IMEI":"865067123456789","heartRate":72,"bloodPressure":{"bp_sys":122,"bp_dia":74},"bodyTemperature":36.6,"spO2":97,"signalGSM":80,"battery":67,"timeStamps":"16/06/2025 12:30:45"}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("kati", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("The Kati watch: vital signs, batches of them, and heartbeats with steps.")
        .model(MODEL, "Kati watch", &[])
        .kinds(&[
            kinds::BLOOD_PRESSURE,
            kinds::BLOOD_PRESSURE_SYSTOLIC,
            kinds::BLOOD_PRESSURE_DIASTOLIC,
            kinds::HEART_RATE,
            kinds::OXYGEN_SATURATION,
            kinds::BODY_TEMPERATURE,
            kinds::STEPS,
        ])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(
            MODEL,
            "vital signs",
            VITAL_SIGNS,
            "readings",
            &[
                "blood-pressure/blood-pressure-systolic 122 mm[Hg]",
                "blood-pressure/blood-pressure-diastolic 74 mm[Hg]",
                "heart-rate 72 /min",
                "body-temperature 36.6 Cel",
                "oxygen-saturation 97 %",
            ],
        )
        .json_example(MODEL, "online", r#"{"IMEI":"865067123456789","status":"online"}"#, "nothing", &[])
        .json_example(MODEL, "without a device", r#"{"heartRate":72}"#, "error", &[])
}
