//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::Manifest;
use afferent_plugin_sdk::registry::{flags, kinds, warnings};

/// Devices that report through the webhook's version 1.
pub const V1: &str = "telli-v1";

/// Devices that report through the webhook's version 2.
pub const V2: &str = "telli-v2";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::HEART_RATE,
    kinds::RESPIRATORY_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::GLUCOSE_CAPILLARY,
    kinds::PEAK_EXPIRATORY_FLOW,
    kinds::FORCED_EXPIRATORY_VOLUME_1S,
];

/// An example: model, what it shows, the payload, its outcome and its values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    (V1, "a glucose without a unit is mg/dL",
        r#"{"data":{"glucose":110,"readingPeriod":"before"},"deviceId":"864351055723276","readingType":"BloodGlucose","time":"1721386225000"}"#,
        "readings", &["glucose-capillary 110 mg/dL"]),
    (V1, "a scale in pounds",
        r#"{"data":{"unit":"lb","weight":135.2},"deviceId":"864200059066903","readingType":"Weight","time":"1721400730106"}"#,
        "readings", &["body-weight 135.2 [lb_av]"]),
    (V1, "an unknown unit",
        r#"{"data":{"unit":"st","weight":9.6},"deviceId":"864200059066903","readingType":"Weight","time":"1721400730106"}"#,
        "error", &[]),
    (V1, "cut short", r#"{"data":{"unit":"lb","wei"#, "error", &[]),
    (V2, "a cuff",
        r#"{"data":{"arrhythmia":1,"diastolic":98,"pulse":62,"systolic":122},"deviceId":"864593054464085","readingType":"BloodPressure","time":"1721382524000","mem":"0","tzOffsetMinutes":"-200","genVer":"2","devdata":{"r":"1","batt":"9","cycles":"0"}}"#,
        "readings", &[
            "blood-pressure/blood-pressure-systolic 122 mm[Hg]",
            "blood-pressure/blood-pressure-diastolic 98 mm[Hg]",
            "pulse-rate 62 /min",
        ]),
    (V2, "a heartbeat",
        r#"{"type":"Heartbeat","deviceId":"864581069137614","time":"1721400730106","tzOffsetMinutes":"-200","genVer":"2","devdata":{"r":null,"batt":"pwr","cycles":"0"}}"#,
        "nothing", &[]),
    (V2, "a message of version 1",
        r#"{"data":{"unit":"lb","weight":135.2},"deviceId":"864200059066903","readingType":"Weight","time":"1721400730106"}"#,
        "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("tellihealth", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Telli Health's cellular cuffs, scales, glucose meters, oximeters, thermometers and spirometers.")
        .model(V1, "Telli Health cellular device, webhook V1", &[])
        .model(V2, "Telli Health cellular device, webhook V2", &[])
        .kinds(KINDS)
        .flags(&[flags::IRREGULAR_PULSE])
        .warnings(&[warnings::UNSUPPORTED_METRIC]);
    for (model, shows, json, outcome, values) in EXAMPLES {
        manifest = manifest.json_example(model, shows, json, outcome, values);
    }
    manifest
}
