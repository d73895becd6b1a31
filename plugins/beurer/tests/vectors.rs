//! The decoder against its vectors and manifest, and what no vector shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::flags;
use afferent_plugin_sdk::vectors::{Runner, example_problems};
use afferent_plugin_sdk::{
    DecodeError, Decoder, DeviceTime, ErrorKind, Input, OnChange, Outcome, Reading, value_lines,
};
use beurer::Beurer;

const MODELS: [&str; 2] = ["beurer-bm85", "beurer-bm85-2A35"];

#[test]
fn every_vector_passes() {
    for model in MODELS {
        for channel in ["", "2A35", "00002a35-0000-1000-8000-00805f9b34fb"] {
            let runner: Runner<Beurer> = Runner::new().file("vectors/beurer-bm85-2A35.jsonl");
            assert!(runner.len() >= 3, "vectors are missing");
            runner.model(model).channel(channel).assert_all();
        }
    }
    let problems = example_problems::<Beurer>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The recorded measurement with some bytes replaced.
fn frame(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut data = vec![0x56, 0x76, 0, 0x50, 0, 0, 0, 0xEA, 0x07, 8, 0x0B, 0x14, 0x1B, 0, 0, 0x3C, 0, 0, 4];
    for (at, byte) in changes {
        data[*at] = *byte;
    }
    data
}

fn decode(data: Vec<u8>) -> Result<Outcome, DecodeError> {
    Beurer::decode(&Input::new("beurer-bm85", "2A35", data))
}

fn readings(changes: &[(usize, u8)]) -> Vec<Reading> {
    match decode(frame(changes)).unwrap() {
        Outcome::Readings(decoded) => decoded.readings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pulse_and_status_are_big_endian() {
    let lines = |changes: &[(usize, u8)]| value_lines(&decode(frame(changes)).unwrap());
    assert_eq!(lines(&[(14, 0), (15, 0x9C)]).last().unwrap(), "pulse-rate 156 /min");
    assert_eq!(lines(&[(14, 0xF3), (15, 0x0C)]).last().unwrap(), "pulse-rate 78.0 /min");
    assert_eq!(lines(&[(14, 0), (15, 0)]).last().unwrap(), "pulse-rate absent not-a-number");
    assert_eq!(lines(&[(14, 0x07), (15, 0xFF)]).last().unwrap(), "pulse-rate absent not-a-number");
    for (low, words) in [
        (0x00, &[][..]),
        (0x01, &[flags::BODY_MOVEMENT]),
        (0x02, &[flags::CUFF_TOO_LOOSE]),
        (0x04, &[flags::IRREGULAR_PULSE]),
        (0x08, &[flags::PULSE_EXCEEDS_UPPER]),
        (0x10, &[flags::PULSE_BELOW_LOWER]),
        (0x18, &[]),
        (0x20, &[flags::IMPROPER_POSITION]),
        (0xC0, &[]),
    ] {
        for reading in readings(&[(17, 0xFF), (18, low)]) {
            assert_eq!(reading.flags, words, "{low:#x}");
        }
    }
}

#[test]
fn zero_is_no_pressure_and_a_mean_is_told_where_there_is_one() {
    let lines = |changes: &[(usize, u8)]| value_lines(&decode(frame(changes)).unwrap());
    assert_eq!(lines(&[(1, 0)])[0], "blood-pressure/blood-pressure-systolic absent not-a-number");
    assert_eq!(lines(&[(3, 0)])[1], "blood-pressure/blood-pressure-diastolic absent not-a-number");
    assert_eq!(lines(&[])[2], "pulse-rate 60 /min", "a mean of 0 is none");
    assert_eq!(lines(&[(5, 93)])[2], "blood-pressure/blood-pressure-mean 93 mm[Hg]");
}

#[test]
fn the_slot_and_the_time_make_the_key() {
    for reading in readings(&[(16, 1)]) {
        assert_eq!(reading.user_slot.as_deref(), Some("1"));
        assert_eq!(reading.record_key.as_deref(), Some("2026-08-11T20:27:00#1"));
        assert_eq!(reading.on_change, OnChange::Distinct);
    }
    for reading in readings(&[(9, 13)]) {
        assert_eq!((reading.time, reading.record_key), (DeviceTime::None, None));
    }
}

#[test]
fn only_its_own_frames_are_taken() {
    for flags in (0..=u8::MAX).filter(|flags| *flags != 0x56) {
        let error = decode(frame(&[(0, flags)])).unwrap_err();
        assert_eq!((error.kind, error.offset), (ErrorKind::NotForMe, Some(0)), "{flags:#x}");
    }
    let elsewhere =
        |model: &str, channel: &str| Beurer::decode(&Input::new(model, channel, frame(&[]))).unwrap_err().kind;
    assert_eq!(elsewhere("gatt-2A35", "2A35"), ErrorKind::NotForMe);
    assert_eq!(elsewhere("beurer-bm85", "2A36"), ErrorKind::Unsupported);
    assert_eq!(elsewhere("beurer-bm85", "cuff"), ErrorKind::Unsupported);
    assert_eq!(decode([frame(&[]), vec![0]].concat()).unwrap_err().offset, Some(19));
}
