//! What the tests of several files share: payloads as hexadecimal, and what a decode comes to.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Frame, Input, Nothing, Outcome, Reading, value_lines};
use bluetooth_sig::BluetoothSig;

/// Bytes written as hexadecimal, with blanks anywhere.
pub fn bytes(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// One frame of the model that is named after the characteristic.
pub fn decode(characteristic: &str, hex: &str) -> Result<Outcome, DecodeError> {
    BluetoothSig::decode(&Input::new(&format!("gatt-{characteristic}"), "", bytes(hex)))
}

pub fn decoded(characteristic: &str, hex: &str) -> Decoded {
    expect_readings(decode(characteristic, hex).unwrap())
}

pub fn readings(characteristic: &str, hex: &str) -> Vec<Reading> {
    decoded(characteristic, hex).readings
}

pub fn nothing(characteristic: &str, hex: &str) -> Nothing {
    match decode(characteristic, hex).unwrap() {
        Outcome::Nothing(nothing) => nothing,
        other => panic!("{other:?}"),
    }
}

pub fn refusal(characteristic: &str, hex: &str) -> DecodeError {
    decode(characteristic, hex).unwrap_err()
}

pub fn lines(characteristic: &str, hex: &str) -> Vec<String> {
    value_lines(&decode(characteristic, hex).unwrap())
}

/// Several frames of the generic model: channel and payload each.
pub fn together(frames: &[(&str, &str)]) -> Result<Outcome, DecodeError> {
    BluetoothSig::decode(&several(frames))
}

pub fn several(frames: &[(&str, &str)]) -> Input {
    let frame = |(channel, hex): &(&str, &str)| Frame {
        channel: (*channel).to_owned(),
        data: bytes(hex),
        captured_at_ms: None,
        extra: Vec::new(),
    };
    let mut input = Input::new("bluetooth-sig", "", []);
    input.frames = frames.iter().map(frame).collect();
    input
}

pub fn expect_readings(outcome: Outcome) -> Decoded {
    match outcome {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

/// Which frame a reading says that it came from.
pub fn frame_of(reading: &Reading) -> &str {
    &reading.extra.iter().find(|extra| extra.name == "frame").unwrap().value
}
