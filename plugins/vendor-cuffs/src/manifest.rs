//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::{flags, kinds, warnings};
use afferent_plugin_sdk::{Input, Manifest};

/// Name and title of each model.
const MODELS: &[(&str, &str)] = &[
    ("yonker-ykbpa1", "Yonker YK-IBPA1 blood pressure monitor"),
    ("microlife-a6", "Microlife blood pressure monitor with Bluetooth (memory dump)"),
    ("microlife-bp3gy1-2n", "Microlife BP3GY1-2N blood pressure monitor"),
];

/// Model, what it shows, payload, outcome, values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("yonker-ykbpa1", "a result", "81 83 67 51 0000 19 0b 18 13 12 00000000", "readings", &[
        "blood-pressure/blood-pressure-systolic 131 mm[Hg]", "blood-pressure/blood-pressure-diastolic 103 mm[Hg]",
        "pulse-rate 81 /min",
    ]),
    ("yonker-ykbpa1", "no pressure", "81 00 00 00 0000 19 0b 18 13 12 00000000", "nothing", &[]),
    ("yonker-ykbpa1", "short", "81 83 67 51 0000 19 0b 18 13", "error", &[]),
    ("microlife-a6", "a reading and an empty slot",
        "00000000000000000000000000000000000000000000000000000000000000000000000000007850 3c18060f0e1e0000 00000000000000000000",
        "readings", &[
            "blood-pressure/blood-pressure-systolic 120 mm[Hg]", "blood-pressure/blood-pressure-diastolic 80 mm[Hg]",
            "pulse-rate 60 /min",
        ]),
    ("microlife-a6", "an empty memory", "0000000000000000000000000000000000000000000000000000000000000000000000000000", "nothing", &[]),
    ("microlife-a6", "a frame with a wrong sum", "4d3a 0002 81 0b", "error", &[]),
    ("microlife-bp3gy1-2n", "a reading",
        "00000000000000000000000000000000000000000000000000000000000000000000000000008255 4619010203040000",
        "readings", &[
            "blood-pressure/blood-pressure-systolic 130 mm[Hg]", "blood-pressure/blood-pressure-diastolic 85 mm[Hg]",
            "pulse-rate 70 /min",
        ]),
    ("microlife-bp3gy1-2n", "a header cut short", "0000", "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("vendor-cuffs", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Blood pressure and pulse of Yonker and Microlife cuffs.")
        .kinds(&[
            kinds::BLOOD_PRESSURE,
            kinds::BLOOD_PRESSURE_SYSTOLIC,
            kinds::BLOOD_PRESSURE_DIASTOLIC,
            kinds::PULSE_RATE,
        ])
        .flags(&[flags::FROM_STORAGE])
        .warnings(&[warnings::DEVICE_TIME_UNTRUSTED]);
    for (name, title) in MODELS {
        manifest = manifest.model(name, title, &[]);
    }
    for (model, shows, data, outcome, values) in EXAMPLES {
        manifest = manifest.example(&format!("{model}: {shows}"), Input::hex(model, "", data), outcome, values);
    }
    manifest
}
