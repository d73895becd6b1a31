//! What the decoder says about itself: its models and the words that it uses. Its examples are in `examples`.

use afferent_plugin_sdk::registry::{kinds, warnings};
use afferent_plugin_sdk::{Input, Manifest};

use crate::examples::EXAMPLES;
use crate::parts::Format;
use crate::{blood_pressure, cgm, glucose, heart_rate, number, oximeter};

/// A device model.
#[derive(Debug)]
pub struct Model {
    pub name: &'static str,
    pub title: &'static str,
    /// Its characteristics. The first is meant where a frame does not say, but for a generic model.
    pub channels: &'static [&'static str],
    /// Does the channel alone decide?
    pub is_generic: bool,
    /// What a frame is, for models without characteristics.
    pub format: Option<Format>,
    /// Names of the settings that it can use.
    pub variables: &'static [&'static str],
}

impl Model {
    const fn of(name: &'static str, title: &'static str, channels: &'static [&'static str]) -> Self {
        Self { name, title, channels, is_generic: false, format: None, variables: &[] }
    }
}

const CGM_VARIABLES: &[&str] = &[cgm::SESSION_START_LOCAL];

const MODELS: &[Model] = &[
    Model {
        is_generic: true,
        variables: CGM_VARIABLES,
        ..Model::of(
            "bluetooth-sig",
            "Bluetooth device that keeps to the SIG's health profiles",
            &[
                "2A08", "2A18", "2A1C", "2A2B", "2A34", "2A35", "2A36", "2A37", "2A5E", "2A5F", "2A9C", "2A9D", "2AA7",
                "2AAA",
            ],
        )
    },
    Model::of("gatt-2A08", "Clock of a device, Date Time (0x2A08)", &["2A08"]),
    Model::of("gatt-2A18", "Glucose meter, Glucose Measurement (0x2A18)", &["2A18", "2A34"]),
    Model::of("gatt-2A1C", "Health thermometer, Temperature Measurement (0x2A1C)", &["2A1C"]),
    Model::of("gatt-2A2B", "Clock of a device, Current Time (0x2A2B)", &["2A2B"]),
    Model::of("gatt-2A34", "Glucose meter, Glucose Measurement Context (0x2A34)", &["2A34", "2A18"]),
    Model::of("gatt-2A35", "Blood pressure monitor, Blood Pressure Measurement (0x2A35)", &["2A35"]),
    Model::of("gatt-2A37", "Heart rate strap, Heart Rate Measurement (0x2A37)", &["2A37"]),
    Model::of("gatt-2A5E", "Pulse oximeter, PLX Spot-Check Measurement (0x2A5E)", &["2A5E"]),
    Model::of("gatt-2A5F", "Pulse oximeter, PLX Continuous Measurement (0x2A5F)", &["2A5F"]),
    Model::of("gatt-2A9C", "Body composition scale, Body Composition Measurement (0x2A9C)", &["2A9C", "2A9D"]),
    Model::of("gatt-2A9D", "Weight scale, Weight Measurement (0x2A9D)", &["2A9D"]),
    Model {
        variables: CGM_VARIABLES,
        ..Model::of("gatt-2AA7", "Continuous glucose monitor, CGM Measurement (0x2AA7)", &["2AA7", "2AAA"])
    },
    Model {
        format: Some(Format::Sfloat),
        ..Model::of("ieee11073-sfloat", "A number, IEEE 11073-20601 SFLOAT (conformance test)", &[])
    },
    Model {
        format: Some(Format::Float),
        ..Model::of("ieee11073-float", "A number, IEEE 11073-20601 FLOAT (conformance test)", &[])
    },
];

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::BLOOD_PRESSURE_MEAN,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::HEART_RATE,
    kinds::OXYGEN_SATURATION,
    kinds::PERFUSION_INDEX,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::BODY_HEIGHT,
    kinds::BODY_MASS_INDEX,
    kinds::BODY_FAT_PERCENTAGE,
    kinds::BODY_MUSCLE_PERCENTAGE,
    kinds::BODY_MUSCLE_MASS,
    kinds::FAT_FREE_MASS,
    kinds::SOFT_LEAN_MASS,
    kinds::BODY_WATER_MASS,
    kinds::BODY_IMPEDANCE,
    kinds::BASAL_METABOLISM,
    kinds::GLUCOSE_CAPILLARY_WHOLE_BLOOD,
    kinds::GLUCOSE_CAPILLARY_PLASMA,
    kinds::GLUCOSE_VENOUS_WHOLE_BLOOD,
    kinds::GLUCOSE_VENOUS_PLASMA,
    kinds::GLUCOSE_ARTERIAL_WHOLE_BLOOD,
    kinds::GLUCOSE_ARTERIAL_PLASMA,
    kinds::GLUCOSE_WHOLE_BLOOD,
    kinds::GLUCOSE_PLASMA,
    kinds::GLUCOSE_INTERSTITIAL,
    kinds::HBA1C,
];

/// The model of this name.
pub fn model(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut flags: Vec<&str> = Vec::new();
    let of_files = [blood_pressure::FLAGS, heart_rate::FLAGS, number::FLAGS].concat();
    for flag in of_files.into_iter().chain(oximeter::flags()).chain(glucose::flags()).chain(cgm::flags()) {
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    let mut manifest = Manifest::new("bluetooth-sig", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("The health characteristics as the Bluetooth SIG specifies them.")
        .kinds(KINDS)
        .flags(&flags)
        .warnings(&[warnings::DEVICE_TIME_UNTRUSTED, warnings::NO_SENSOR_CONTACT, warnings::TIMESTAMP_FIELDS_DISAGREE]);
    for model in MODELS {
        manifest = manifest.model(model.name, model.title, model.channels).model_variables(model.variables);
    }
    for (model, channel, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::new(model, channel, *data), outcome, values);
    }
    manifest
}
