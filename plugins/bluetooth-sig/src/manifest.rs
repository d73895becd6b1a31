//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{kinds, warnings};
use afferent_plugin_sdk::{Input, Manifest};

use crate::{blood_pressure, oximeter};

/// Name, title and channels of each model.
pub const MODELS: &[(&str, &str, &[&str])] = &[
    (
        "bluetooth-sig",
        "Bluetooth device that keeps to the SIG's health profiles",
        &["2A1C", "2A35", "2A36", "2A5E", "2A9D"],
    ),
    ("gatt-2A1C", "Health thermometer, Temperature Measurement (0x2A1C)", &["2A1C"]),
    ("gatt-2A35", "Blood pressure monitor, Blood Pressure Measurement (0x2A35)", &["2A35"]),
    ("gatt-2A5E", "Pulse oximeter, PLX Spot-Check Measurement (0x2A5E)", &["2A5E"]),
    ("gatt-2A9D", "Weight scale, Weight Measurement (0x2A9D)", &["2A9D"]),
];

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::BLOOD_PRESSURE_MEAN,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::OXYGEN_SATURATION,
    kinds::PERFUSION_INDEX,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::BODY_HEIGHT,
    kinds::BODY_MASS_INDEX,
];

/// An example: model, channel, what it shows, the payload, its outcome and its values.
type Shown = (&'static str, &'static str, &'static str, &'static [u8], &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("gatt-2A35", "", "time, pulse, user and status",
        &[0x1E, 0x8A, 0, 0x58, 0, 0x78, 0, 0xE9, 0x07, 4, 0x11, 0x14, 0x29, 0x3B, 0x3C, 0, 1, 0x27, 0],
        "readings", &[
            "blood-pressure/blood-pressure-systolic 138 mm[Hg]",
            "blood-pressure/blood-pressure-diastolic 88 mm[Hg]",
            "blood-pressure/blood-pressure-mean 120 mm[Hg]",
            "pulse-rate 60 /min",
        ]),
    ("gatt-2A35", "2A35", "kilopascal and no mean pressure", &[0x01, 0xBD, 0xF0, 0x0B, 0x00, 0xFF, 0x07],
        "readings", &[
            "blood-pressure/blood-pressure-systolic 18.9 kPa",
            "blood-pressure/blood-pressure-diastolic 11 kPa",
            "blood-pressure/blood-pressure-mean absent not-a-number",
        ]),
    ("gatt-2A35", "2A35", "truncated", &[0x1F, 0x00, 0x48], "error", &[]),
    ("gatt-2A9D", "", "time, user, body mass index and height",
        &[0x0E, 0x78, 0x3E, 0xEA, 0x07, 5, 0x0C, 0x12, 0x35, 0x36, 1, 0xEE, 0, 0x26, 0x07],
        "readings", &["body-weight 79.960 kg", "body-mass-index 23.8 kg/m2", "body-height 1.830 m"]),
    ("gatt-2A9D", "", "imperial, unknown user", &[0x05, 0x8C, 0x46, 0xFF], "readings", &["body-weight 180.60 [lb_av]"]),
    ("gatt-2A9D", "", "unsuccessful", &[0x00, 0xFF, 0xFF], "nothing", &[]),
    ("gatt-2A9D", "", "an unknown flag", &[0x10, 0xB0, 0x36], "error", &[]),
    ("gatt-2A1C", "", "time and site",
        &[0x06, 0x68, 0x01, 0, 0xFF, 0xE2, 0x07, 3, 0x0A, 0x15, 0x34, 0, 2], "readings", &["body-temperature 36.0 Cel"]),
    ("gatt-2A1C", "", "not at this resolution", &[0, 0, 0, 0x80, 0], "readings", &["body-temperature absent error"]),
    ("gatt-2A1C", "", "trailing bytes", &[0, 0x68, 0x01, 0, 0xFF, 0], "error", &[]),
    ("gatt-2A5E", "", "the amplitude of the pulse", &[0x08, 0xD3, 0xF3, 0x48, 0, 0x2D, 0xF0],
        "readings", &["oxygen-saturation 97.9 %", "pulse-rate-oximeter 72 /min", "perfusion-index 4.5 %"]),
    ("gatt-2A5E", "", "no measurement", &[0x02, 0xFF, 0x07, 0xFF, 0x07, 0, 0x20],
        "readings", &["oxygen-saturation absent not-performed", "pulse-rate-oximeter absent not-performed"]),
    ("gatt-2A5E", "", "demonstration", &[0x02, 0x61, 0, 0x47, 0, 0, 0x04], "nothing", &[]),
    ("gatt-2A5E", "", "empty", &[], "error", &[]),
    ("bluetooth-sig", "2A1C", "degrees Fahrenheit", &[1, 0xDA, 0x03, 0, 0xFF], "readings", &["body-temperature 98.6 [degF]"]),
    ("bluetooth-sig", "2A9D", "the channel decides", &[0, 0xB0, 0x36], "readings", &["body-weight 70.000 kg"]),
    ("bluetooth-sig", "2A5E", "not a number", &[0, 0xFF, 0x07, 0x48, 0],
        "readings", &["oxygen-saturation absent not-a-number", "pulse-rate-oximeter 72 /min"]),
    ("bluetooth-sig", "2A36", "intermediate cuff pressure", &[0, 0x96, 0, 0xFF, 0x07, 0xFF, 0x07], "nothing", &[]),
    ("bluetooth-sig", "", "no channel", &[0, 0xB0, 0x36], "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let flags: Vec<&str> = blood_pressure::FLAGS.iter().copied().chain(oximeter::flags()).collect();
    let mut manifest = Manifest::new("bluetooth-sig", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Blood pressure, weight, temperature and oximetry as the Bluetooth SIG specifies them.")
        .kinds(KINDS)
        .flags(&flags)
        .warnings(&[warnings::DEVICE_TIME_UNTRUSTED]);
    for (name, title, channels) in MODELS {
        manifest = manifest.model(name, title, channels);
    }
    for (model, channel, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::new(model, channel, *data), outcome, values);
    }
    manifest
}
