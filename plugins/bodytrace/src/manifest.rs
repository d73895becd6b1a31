//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// BodyTrace's scale and blood pressure monitor.
pub const MODEL: &str = "bodytrace";

const SCALE: &str = r#"{"deviceId":14800000000000,"ts":1380562575798,"batteryVoltage":5522,"rssi":91,"values":{"unit":1,"weight":69800,"tare":0}}"#;

const CUFF: &str = r#"{"deviceId":14800000000000,"ts":1380562575798,"values":{"systolic":16132,"diastolic":10399,"pulse":66,"irregular":true}}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("bodytrace", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("BodyTrace's cellular scale and blood pressure monitor.")
        .model(MODEL, "BodyTrace cellular scale or blood pressure monitor", &[])
        .kinds(&[
            kinds::BODY_WEIGHT,
            kinds::BLOOD_PRESSURE,
            kinds::BLOOD_PRESSURE_SYSTOLIC,
            kinds::BLOOD_PRESSURE_DIASTOLIC,
            kinds::PULSE_RATE,
        ])
        .flags(&[flags::IRREGULAR_PULSE])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(MODEL, "grams", SCALE, "readings", &["body-weight 69.800 kg"])
        .json_example(
            MODEL,
            "pascal",
            CUFF,
            "readings",
            &[
                "blood-pressure/blood-pressure-systolic 16132 Pa",
                "blood-pressure/blood-pressure-diastolic 10399 Pa",
                "pulse-rate 66 /min",
            ],
        )
        .json_example(MODEL, "nobody", r#"{"deviceId":1,"ts":1380562575798,"values":{"weight":0}}"#, "nothing", &[])
        .json_example(MODEL, "cut short", r#"{"deviceId":14800000000000,"ts":138"#, "error", &[])
}
