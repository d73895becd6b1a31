//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// An iHealth account.
pub const MODEL: &str = "ihealth";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::OXYGEN_SATURATION,
    kinds::GLUCOSE_CAPILLARY,
    kinds::BODY_WEIGHT,
    kinds::BODY_MASS_INDEX,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::STEPS_DAY,
];

const CUFF: &str = r#"{"BPDataList":[{"DataID":"c62b84d9d4b7480a8ff2aef1465aa454","DataSource":"FromDevice","HP":120,"HR":100,"IsArr":-1,"LP":90,"MDate":1442491463,"TimeZone":"-0800"}],"BPUnit":0}"#;

const UNKNOWN_UNIT: &str = r#"{"BGDataList":[{"BG":60,"DataID":"f706b6152f684c0e9185b1fa6b7c5148","MDate":1442491407,"TimeZone":"-0800"}],"BGUnit":2}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    Manifest::new("ihealth", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Blood pressures, glucoses, saturations, weights and steps of an iHealth account.")
        .model(MODEL, "iHealth account", &[])
        .kinds(KINDS)
        .flags(&[flags::MANUAL_ENTRY, flags::IRREGULAR_PULSE])
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(
            MODEL,
            "a pressure and its pulse",
            CUFF,
            "readings",
            &[
                "blood-pressure/blood-pressure-systolic 120 mm[Hg]",
                "blood-pressure/blood-pressure-diastolic 90 mm[Hg]",
                "pulse-rate 100 /min",
            ],
        )
        .json_example(MODEL, "an empty page", r#"{"BPDataList":[],"BPUnit":0}"#, "nothing", &[])
        .json_example(MODEL, "an unknown unit", UNKNOWN_UNIT, "error", &[])
}
