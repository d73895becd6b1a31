//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{kinds, warnings};

/// A device behind Azure IoT Hub or IoT Central.
pub const IOT: &str = "azure-iot-json";

/// A device whose messages are shaped for the MedTech service.
pub const IOMT: &str = "iomt-fhir-json";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::BLOOD_PRESSURE_MEAN,
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
    kinds::GLUCOSE_CAPILLARY,
    kinds::GLUCOSE_INTERSTITIAL,
    kinds::STEPS,
    kinds::STEPS_DAY,
];

const HUB: &str = r#"{"Body":{"heartrate":"203"},"Properties":{"iothub-creation-time-utc":"2019-01-30T22:45:02.6073744Z"},"SystemProperties":{"iothub-connection-device-id":"ev-d795-1d04-55ae","iothub-enqueuedtime":"2019-02-01T22:46:01.875Z"}}"#;

const HEIGHTS: &str = r#"{"Body":[{"height":"78","unit":"inches","endDate":"2019-02-01T22:46:01.8750000Z","deviceId":"device123"},{"height":"1.9304","unit":"meters","endDate":"2019-02-01T23:46:01.8750000Z","deviceId":"device123"}],"Properties":{},"SystemProperties":{}}"#;

const NO_UNIT: &str = r#"{"Body":{"height":"78","endDate":"2019-02-01T22:46:01.8750000Z","deviceId":"device123"}}"#;

/// The whole manifest.
pub fn describe() -> Manifest {
    let heights = &["body-height 78 [in_i]", "body-height 1.9304 m"];
    Manifest::new("azure-iot", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Vital signs in messages of Azure IoT Hub, IoT Central and the MedTech service.")
        .model(IOT, "Device behind Azure IoT Hub or IoT Central", &[])
        .model(IOMT, "Device of the Azure MedTech service (iomt-fhir)", &[])
        .kinds(KINDS)
        .warnings(&[warnings::UNSUPPORTED_METRIC])
        .json_example(IOT, "the time of the device", HUB, "readings", &["heart-rate 203 /min"])
        .json_example(IOT, "no metric", r#"{"Body":{"deviceId":"x"},"Properties":{}}"#, "nothing", &[])
        .json_example(IOT, "cut short", r#"{"Body":{"heartr"#, "error", &[])
        .json_example(IOMT, "units that are named", HEIGHTS, "readings", heights)
        .json_example(IOMT, "a unit that is not named", NO_UNIT, "error", &[])
}
