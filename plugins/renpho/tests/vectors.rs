//! The decoder against its vectors and manifest, and what no vector shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::vectors::{Runner, example_problems};
use afferent_plugin_sdk::{DecodeError, Decoder, DeviceTime, ErrorKind, Frame, Input, Outcome, value_lines};
use renpho::Renpho;

const WEIGHT: [u8; 15] = [0x4E, 0x6A, 0x07, 0xEA, 0x07, 7, 4, 0x0C, 0x1A, 6, 0xAA, 0, 0, 0, 0];
const IMPEDANCE: [u8; 19] = [0x0C, 2, 0xF9, 1, 0xF7, 1, 0x44, 0, 0x0D, 0xEC, 0, 0xA5, 0, 0x29, 0, 0x91, 2, 6, 0];

#[test]
fn every_vector_passes() {
    for characteristic in ["2A9D", "2A9C"] {
        let vectors =
            || -> Runner<Renpho> { Runner::new().file(format!("vectors/renpho-vendor-{characteristic}.jsonl")) };
        assert!(!vectors().is_empty(), "vectors are missing");
        vectors().assert_all();
        vectors().channel(characteristic).assert_all();
        vectors().model("renpho-es-wbe28").channel(characteristic).assert_all();
    }
    let problems = example_problems::<Renpho>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn weight(flags: u8, raw: u16, rest: &[u8]) -> Result<Outcome, DecodeError> {
    let data = [&[flags][..], &raw.to_le_bytes(), rest].concat();
    Renpho::decode(&Input::new("renpho-vendor-2A9D", "2A9D", data))
}

#[test]
fn weights_are_steps_of_fifty_grams_under_a_vendors_flag() {
    for flags in [0x40, 0x20, 0x60] {
        assert_eq!(value_lines(&weight(flags, 1, &[]).unwrap()), ["body-weight 0.05 kg"]);
        assert_eq!(value_lines(&weight(flags, 0xFFFE, &[]).unwrap()), ["body-weight 3276.70 kg"]);
    }
    assert_eq!(
        value_lines(&weight(0x48, 1400, &[0xF5, 0, 0xD6, 6]).unwrap()),
        ["body-weight 70.00 kg"],
        "no index, no height"
    );
    for (raw, reason) in [(0, nothing_reasons::NO_MEASUREMENT), (0xFFFF, nothing_reasons::FAILED_MEASUREMENT)] {
        match weight(0x40, raw, &[]).unwrap() {
            Outcome::Nothing(nothing) => assert_eq!(nothing.reason, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_scales_of_others_pounds_and_unknown_flags_are_refused() {
    for flags in 0..0x10_u8 {
        assert_eq!(weight(flags, 1400, &[0; 12]).unwrap_err().kind, ErrorKind::NotForMe, "{flags:#x}");
    }
    assert_eq!(weight(0x41, 1400, &[]).unwrap_err().kind, ErrorKind::Unsupported);
    for flags in [0x50, 0xC0] {
        assert_eq!(weight(flags, 1400, &[]).unwrap_err().offset, Some(0));
    }
    assert_eq!(weight(0x40, 1400, &[0]).unwrap_err().offset, Some(3));
}

#[test]
fn a_weight_and_the_impedance_after_it_are_one_measurement() {
    let frame = |channel: &str, data: &[u8]| Frame {
        channel: channel.to_owned(),
        data: data.to_vec(),
        captured_at_ms: None,
        extra: Vec::new(),
    };
    let mut input = Input::new("renpho-es-wbe28", "", []);
    input.frames = vec![frame("2A9D", &WEIGHT), frame("2A9C", &IMPEDANCE)];
    let outcome = Renpho::decode(&input).unwrap();
    assert_eq!(value_lines(&outcome), ["body-weight 94.90 kg", "body-impedance 332.8 Ohm"]);
    let Outcome::Readings(decoded) = outcome else { panic!("no readings") };
    for (reading, index) in decoded.readings.iter().zip(["0", "1"]) {
        assert_eq!(reading.record_key.as_deref(), Some("2026-07-04T12:26:06#170"));
        assert_eq!(reading.time, DeviceTime::Local("2026-07-04T12:26:06".into()));
        assert_eq!(reading.extra[0].value, index);
    }
    input.frames = vec![frame("2A9D", &WEIGHT), frame("2A9C", &IMPEDANCE[..8])];
    assert!(Renpho::decode(&input).unwrap_err().message.starts_with("frame 2: "));
}

#[test]
fn of_a_composition_only_the_impedance_is_told() {
    let composition = |data: &[u8]| Renpho::decode(&Input::new("renpho-vendor-2A9C", "", data));
    assert_eq!(value_lines(&composition(&[0, 2, 0, 0, 0x88, 0x13]).unwrap()), ["body-impedance 500.0 Ohm"]);
    let all = [&[0xFE, 3, 0, 0][..], &[0xEA, 7, 7, 4, 12, 26, 6, 1], &[9; 12], &[0x88, 0x13]].concat();
    assert_eq!(value_lines(&composition(&all).unwrap()), ["body-impedance 500.0 Ohm"]);
    for nothing in [&[0x0C, 0, 0xF9, 1, 0xF7, 1, 0x44][..], &[0, 2, 0, 0, 0, 0], &[0, 2, 0, 0, 0xFF, 0xFF]] {
        assert!(matches!(composition(nothing).unwrap(), Outcome::Nothing(_)), "{nothing:?}");
    }
    assert_eq!(composition(&[0, 0x22, 0, 0, 0x88, 0x13]).unwrap_err().offset, Some(0));
    assert!(composition(&[0, 2, 0, 0, 0x88]).is_err());
}

#[test]
fn other_models_and_channels_are_refused() {
    let refused = |model: &str, channel: &str| Renpho::decode(&Input::new(model, channel, WEIGHT)).unwrap_err().kind;
    assert_eq!(refused("gatt-2A9D", "2A9D"), ErrorKind::NotForMe);
    assert_eq!(refused("renpho-es-wbe28", "2A35"), ErrorKind::Unsupported);
    assert_eq!(refused("renpho-es-wbe28", "scale"), ErrorKind::Unsupported);
}
