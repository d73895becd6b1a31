//! Decoder for Beurer devices that deviate from the Bluetooth SIG's characteristics. Those that keep to them (BF720, BM57)
//! are served by `bluetooth-sig`.

mod bm85;

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{DecodeError, Decoder, Input, Manifest, Outcome, bluetooth_characteristic, each_frame};

/// The decoder; a pure function over the frames of one uplink.
pub struct Beurer;

afferent_plugin_sdk::export_decoder!(Beurer);

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("beurer-bm85", "Beurer BM 85, blood pressure monitor"),
    ("beurer-bm85-2A35", "Beurer BM 85, its variant of Blood Pressure Measurement (0x2A35)"),
];

const MEASUREMENT: u16 = 0x2A35;

#[rustfmt::skip]
const MEASURED: &[u8] = &[
    0x56, 0x76, 0, 0x50, 0, 0, 0, 0xEA, 0x07, 8, 0x0B, 0x14, 0x1B, 0, 0, 0x3C, 0, 0, 4,
];

impl Decoder for Beurer {
    fn describe() -> Manifest {
        let mut manifest = Manifest::new("beurer", "Afferent", env!("CARGO_PKG_VERSION"))
            .license("Apache-2.0")
            .description("Blood pressure of the Beurer BM 85, which deviates from the Bluetooth SIG's layout.")
            .kinds(&[
                kinds::BLOOD_PRESSURE,
                kinds::BLOOD_PRESSURE_SYSTOLIC,
                kinds::BLOOD_PRESSURE_DIASTOLIC,
                kinds::BLOOD_PRESSURE_MEAN,
                kinds::PULSE_RATE,
            ])
            .flags(bm85::FLAGS);
        for (name, title) in MODELS {
            let values = [
                "blood-pressure/blood-pressure-systolic 118 mm[Hg]",
                "blood-pressure/blood-pressure-diastolic 80 mm[Hg]",
                "pulse-rate 60 /min",
            ];
            let standard =
                [0x1E, 0x8A, 0, 0x58, 0, 0x78, 0, 0xE9, 0x07, 4, 0x11, 0x14, 0x29, 0x3B, 0x3C, 0, 1, 0x27, 0];
            manifest = manifest
                .model(name, title, &["2A35"])
                .example(&format!("{name}: a measurement"), Input::new(name, "2A35", MEASURED), "readings", &values)
                .example(&format!("{name}: the layout of others"), Input::new(name, "2A35", standard), "error", &[])
                .example(&format!("{name}: truncated"), Input::new(name, "2A35", &MEASURED[..18]), "error", &[]);
        }
        manifest
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if !MODELS.iter().any(|(name, _)| *name == input.model) {
            return Err(DecodeError::not_for_me("the model is none of this decoder's"));
        }
        each_frame(input, |frame| match bluetooth_characteristic(&frame.channel) {
            Some(MEASUREMENT) => bm85::decode(&frame.data),
            None if frame.channel.is_empty() => bm85::decode(&frame.data),
            _ => Err(DecodeError::unsupported("this cuff measures under 2A35 only")),
        })
    }
}
