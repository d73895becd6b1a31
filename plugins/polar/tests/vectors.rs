//! The decoder against its vectors and manifest, and what no vector shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{flags, nothing_reasons, warnings};
use afferent_plugin_sdk::vectors::{Runner, example_problems};
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, ErrorKind, Input, Outcome, value_lines};
use polar::Polar;

#[test]
fn every_vector_passes() {
    let runner: Runner<Polar> = Runner::new().file("vectors/polar-h10-adv.jsonl").file("vectors/polar-h10-ecg.jsonl");
    assert!(!runner.is_empty(), "vectors are missing");
    runner.assert_all();
    let problems = example_problems::<Polar>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    Polar::decode(&Input::new("polar-h10-adv", "", data))
}

fn decoded(data: &[u8]) -> Decoded {
    match decode(data).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_slow_average_is_the_heart_rate() {
    assert_eq!(value_lines(&decode(&[0x6B, 0, 0x2F, 0x16, 0x6B, 0x68]).unwrap()), ["heart-rate 104 /min"]);
    assert_eq!(value_lines(&decode(&[0x6B, 0, 0x2F, 0x16, 0, 255]).unwrap()), ["heart-rate 255 /min"]);
    match decode(&[0x6B, 0, 0x2F, 0x16, 70, 0]).unwrap() {
        Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::NO_MEASUREMENT),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_bit_of_the_state_is_told() {
    for state in (0..=u8::MAX).filter(|state| state & 0x40 == 0) {
        let decoded = decoded(&[0x6B, 0, state, 0x16, 0x44, 0x46]);
        let words = &decoded.readings[0].flags;
        assert_eq!(words.iter().any(|word| word == flags::BATTERY_LOW), state & 1 == 0, "{state:#x}");
        assert_eq!(words.iter().any(|word| word == flags::NO_CONTACT), state & 2 == 0, "{state:#x}");
        let warned = decoded.warnings.iter().any(|warning| warning.code == warnings::NO_SENSOR_CONTACT);
        assert_eq!(warned, state & 2 == 0, "{state:#x}");
    }
    assert_eq!(decode(&[0x6B, 0, 0x7B, 0x16, 0x44, 0x46]).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn others_are_refused() {
    assert_eq!(decode(&[0, 0x6B, 0x3B, 0x16, 0x44, 0x46]).unwrap_err().kind, ErrorKind::NotForMe);
    assert_eq!(decode(&[0x6B, 0, 0x3B, 0x16, 0x46]).unwrap_err().kind, ErrorKind::Malformed);
    assert_eq!(decode(&[0x6B, 0, 0x3B, 0x16, 0x44, 0x46, 0]).unwrap_err().offset, Some(6));
    let other = Polar::decode(&Input::new("gatt-2A37", "", [0x6B, 0, 0x3B, 0x16, 0x44, 0x46])).unwrap_err();
    assert_eq!(other.kind, ErrorKind::NotForMe);
}
