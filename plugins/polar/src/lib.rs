//! Decoder for what is Polar's own of a Polar H10: the heart rate in its advertisements, and the electrocardiogram that it
//! streams. Over a connection it also speaks Heart Rate Measurement (0x2A37), which `bluetooth-sig` serves.

mod ecg;

use afferent_plugin_sdk::registry::{flags, kinds, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Decoded, Decoder, Flags, Input, Manifest, Nothing, Outcome, Reader, Reading, Value,
    each_frame,
};

/// The decoder; a pure function over the frames of one uplink.
pub struct Polar;

afferent_plugin_sdk::export_decoder!(Polar);

/// The number of Polar Electro among the Bluetooth SIG's companies.
const POLAR: u16 = 0x006B;

/// Bits of the first byte behind the company: the battery is good, the sensor touches the skin, the data are not a heart rate.
const BATTERY_GOOD: u32 = 0;
const CONTACT: u32 = 1;
const OTHER_DATA: u32 = 6;

const MODEL: &str = "polar-h10-adv";
const ECG_MODEL: &str = "polar-h10-ecg";

impl Decoder for Polar {
    fn describe() -> Manifest {
        Manifest::new("polar", "Afferent", env!("CARGO_PKG_VERSION"))
            .license("Apache-2.0")
            .description("A Polar H10: the heart rate that it advertises, and the electrocardiogram that it streams.")
            .model(MODEL, "Polar H10, heart rate in its advertisements (manufacturer data)", &[])
            .model(ECG_MODEL, "Polar H10, electrocardiogram (Polar Measurement Data)", &[])
            .kinds(&[kinds::HEART_RATE, kinds::ECG, kinds::ECG_LEAD_UNSPECIFIED])
            .flags(&[flags::NO_CONTACT, flags::BATTERY_LOW])
            .warnings(&[warnings::NO_SENSOR_CONTACT])
            .example(
                "a heart rate",
                Input::new(MODEL, "", [0x6B, 0, 0x3B, 0x16, 0x44, 0x46]),
                "readings",
                &["heart-rate 70 /min"],
            )
            .example("no beats yet", Input::new(MODEL, "", [0x6B, 0, 0x3B, 0x16, 0, 0]), "nothing", &[])
            .example("another maker", Input::new(MODEL, "", [0x6C, 0, 0x3B, 0x16, 0x44, 0x46]), "error", &[])
            .example("truncated", Input::new(MODEL, "", [0x6B, 0, 0x3B, 0x16, 0x44]), "error", &[])
            .example(
                "half a second of an electrocardiogram",
                Input::new(ECG_MODEL, "", ecg::notification(599_616_000_000_000_000, &[-12, 840])),
                "readings",
                &["ecg/ecg-lead-unspecified sampled 73 uV"],
            )
            .example("acceleration", Input::new(ECG_MODEL, "", [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "error", &[])
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        match input.model.as_str() {
            MODEL => each_frame(input, |frame| decode(&frame.data)),
            ECG_MODEL => ecg::decode(&input.frames),
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}

/// `company u16 | flags u8 | code u8 | fast average u8 | slow average u8`. The slow average is the heart rate that Polar shows.
fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    if reader.u16_le()? != POLAR {
        return Err(DecodeError::not_for_me("the advertisement is not of Polar").at(0));
    }
    let state = Flags::any(u32::from(reader.u8()?));
    if state.has(OTHER_DATA) {
        return Err(DecodeError::unsupported("the advertisement holds other data than a heart rate").at(2));
    }
    reader.bytes(2)?;
    let rate = reader.u8()?;
    reader.finish()?;
    if rate == 0 {
        return Ok(Nothing::because(nothing_reasons::NO_MEASUREMENT, "the sensor has counted no beats").into());
    }
    let mut reading = Reading::new(kinds::HEART_RATE, Value::decimal(Decimal::new(rate.into(), 0), "/min"));
    if !state.has(BATTERY_GOOD) {
        reading = reading.flags(&[flags::BATTERY_LOW]);
    }
    if state.has(CONTACT) {
        return Ok(reading.into());
    }
    let decoded = Decoded::from(vec![reading.flags(&[flags::NO_CONTACT])]);
    Ok(decoded
        .warning(warnings::NO_SENSOR_CONTACT, "the sensor detects contact with the skin, and detected none")
        .into())
}
