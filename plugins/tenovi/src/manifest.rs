//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// Any device whose measurements come through Tenovi's webhook.
pub const MODEL: &str = "tenovi";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::HEART_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::PERFUSION_INDEX,
    kinds::BODY_WEIGHT,
    kinds::BODY_TEMPERATURE,
    kinds::GLUCOSE_CAPILLARY,
    kinds::PEAK_EXPIRATORY_FLOW,
    kinds::FORCED_EXPIRATORY_VOLUME_1S,
    kinds::STEPS,
];

const CUFF: &str = r#"[{"metric":"blood_pressure","hwi_device_id":"3f0a1c2e-0000-4000-8000-000000000001","sensor_code":"10","value_1":"128","value_2":"82","timestamp":"2026-03-10T12:00:01Z"},{"metric":"pulse","hwi_device_id":"3f0a1c2e-0000-4000-8000-000000000001","sensor_code":"10","value_1":74,"value_2":null,"timestamp":"2026-03-10T12:00:01Z"}]"#;

const BATTERY: &str = r#"{"metric":"battery_percentage","hwi_device_id":"3f0a1c2e-0000-4000-8000-000000000001","value_1":"80","value_2":null,"timestamp":"2026-03-10T12:00:01Z"}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("tenovi", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Devices behind Tenovi's gateways, by Tenovi's measurement webhook.")
        .model(MODEL, "Tenovi device (measurement webhook)", &[])
        .kinds(KINDS)
        .flags(&[flags::ESTIMATED_TIME, flags::TEST, flags::RESULT_TOO_HIGH, flags::IRREGULAR_PULSE])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(
            MODEL,
            "pressure and pulse of one moment",
            CUFF,
            "readings",
            &[
                "blood-pressure/blood-pressure-systolic 128 mm[Hg]",
                "blood-pressure/blood-pressure-diastolic 82 mm[Hg]",
                "pulse-rate 74 /min",
            ],
        )
        .json_example(MODEL, "battery", BATTERY, "nothing", &[])
        .json_example(MODEL, "without a device", r#"{"metric":"weight","value_1":"182.4"}"#, "error", &[])
}
