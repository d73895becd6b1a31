//! What holds for messages that no vector shows: states, codes, bounds, checksums, missing frames, time, keys.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{flags, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoder, DeviceTime, Input, OnChange, Outcome, Reading, value_lines};
use dexcom_transmitter::DexcomTransmitter;

const ANSWER: &str = "51000100b7ff52006604530032000000e6cb9805";
const FRAMES: [&str; 3] =
    ["0100bc460000b7ff52008b0006eee30053008500", "020006eb0f025300800006ee3a0353007e0006f5", "030066045300790006f8"];

/// A message with its checksum.
fn sealed(hex: &str) -> Vec<u8> {
    let mut data = Input::hex("", "", hex).frames.remove(0).data;
    let crc = data.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    data.extend(crc.to_le_bytes());
    data
}

fn live(hex: &str) -> Result<Outcome, DecodeError> {
    DexcomTransmitter::decode(&Input::new("dexcom-g5-rx", "", sealed(hex)))
}

fn glucose(value: u16, state: u8) -> Result<Outcome, DecodeError> {
    let [low, high] = value.to_le_bytes();
    live(&format!("3100 680a0000 8a715700 {low:02x}{high:02x} {state:02x} ff"))
}

fn backfill(frames: &[&str]) -> Input {
    let mut input = Input::hex("dexcom-backfill", "", "");
    input.frames = frames.iter().flat_map(|frame| Input::hex("", "", frame).frames).collect();
    input
}

fn readings(outcome: Result<Outcome, DecodeError>) -> Vec<Reading> {
    match outcome.unwrap() {
        Outcome::Readings(decoded) => decoded.readings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn codes_bounds_and_values() {
    for (value, line) in [
        (39, "glucose-interstitial < 40 mg/dL"),
        (40, "glucose-interstitial 40 mg/dL"),
        (204, "glucose-interstitial 204 mg/dL"),
        (400, "glucose-interstitial 400 mg/dL"),
        (401, "glucose-interstitial > 400 mg/dL"),
    ] {
        assert_eq!(value_lines(&glucose(value, 6).unwrap()), [line]);
    }
    for code in [0, 1, 5, 12, 38] {
        match glucose(code, 6).unwrap() {
            Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::ERROR_CODE),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn only_a_reliable_state_gives_a_value() {
    for state in 0..=u8::MAX {
        let given = matches!(glucose(120, state).unwrap(), Outcome::Readings(_));
        assert_eq!(given, [6, 7, 14].contains(&state), "{state}");
    }
    assert_eq!(readings(glucose(120, 7))[0].flags, [flags::CALIBRATION_REQUIRED]);
    assert_eq!(readings(glucose(0x1078, 6))[0].flags, [flags::DISPLAY_ONLY], "never a final result");
}

#[test]
fn a_message_is_whole_or_refused() {
    assert_eq!(readings(live("3181 680a0000 8a715700 cc00 06 ff"))[0].flags, [flags::BATTERY_LOW]);
    assert_eq!(value_lines(&live("4f00 680a0000 8a715700 cc00 06 ff c8 00").unwrap()).len(), 1, "a G6 says more");
    assert!(live("3100 680a0000 8a715700 cc00 06 ff c8 00").is_err(), "a G5 does not");
    assert!(live("3300 680a0000 8a715700 cc00 06 ff").is_err());
    let mut wrong = sealed("3100 680a0000 8a715700 cc00 06 ff");
    for position in 0..wrong.len() {
        for bit in 0..8 {
            wrong[position] ^= 1 << bit;
            assert!(DexcomTransmitter::decode(&Input::new("dexcom-g5-rx", "", wrong.clone())).is_err());
            wrong[position] ^= 1 << bit;
        }
    }
}

#[test]
fn live_and_filled_in_readings_have_one_key() {
    let filled = readings(DexcomTransmitter::decode(&backfill(&[ANSWER, FRAMES[0], FRAMES[1], FRAMES[2]])));
    let heard = readings(live("3100 680a0000 b7ff5200 8b00 06 ee"));
    assert_eq!(filled[0].record_key.as_deref(), Some("5439415:139:6:-18"));
    assert_eq!(heard[0].record_key, filled[0].record_key);
    assert_eq!(heard[0].on_change, OnChange::Replace);
}

#[test]
fn with_the_activation_every_reading_has_its_moment() {
    let input = |input: Input| input.with_variable("transmitter-activation", "2026-01-01T00:00:00+01:00");
    let filled = readings(DexcomTransmitter::decode(&input(backfill(&[ANSWER, FRAMES[0], FRAMES[1], FRAMES[2]]))));
    let heard = sealed("3100 680a0000 b7ff5200 8b00 06 ee");
    let heard = readings(DexcomTransmitter::decode(&input(Input::new("dexcom-g5-rx", "", heard))));
    assert_eq!(filled[0].time, DeviceTime::Zoned("2026-03-04T22:56:55+01:00".into()));
    assert_eq!(heard[0], filled[0], "the same reading in every respect");
    for wrong in ["yesterday", "2026-01-01T00:00:00"] {
        let wrong = backfill(&[ANSWER]).with_variable("transmitter-activation", wrong);
        assert!(DexcomTransmitter::decode(&wrong).unwrap_err().message.contains("transmitter-activation"));
    }
}

#[test]
fn without_it_the_newest_is_of_the_capture_and_all_are_estimates() {
    let filled = readings(DexcomTransmitter::decode(&backfill(&FRAMES)));
    assert_eq!(filled[0].time, DeviceTime::BeforeCapture(1_199_000));
    assert_eq!(filled[4].time, DeviceTime::BeforeCapture(0));
    assert!(filled.iter().all(|reading| reading.flags == [flags::ESTIMATED_TIME]));
}

#[test]
fn frames_come_in_any_order_and_missing_ones_are_waited_for() {
    let whole = value_lines(&DexcomTransmitter::decode(&backfill(&FRAMES)).unwrap());
    for frames in [&[FRAMES[2], FRAMES[0], FRAMES[1]][..], &[ANSWER, FRAMES[1], FRAMES[2], FRAMES[0], FRAMES[0]]] {
        assert_eq!(value_lines(&DexcomTransmitter::decode(&backfill(frames)).unwrap()), whole);
    }
    for frames in [&[ANSWER][..], &[ANSWER, FRAMES[0], FRAMES[1]], &[FRAMES[1], FRAMES[2]], &[FRAMES[0], FRAMES[2]]] {
        assert!(matches!(DexcomTransmitter::decode(&backfill(frames)), Ok(Outcome::Incomplete(_))), "{frames:?}");
    }
}

#[test]
fn a_second_public_backfill() {
    let frames = [
        "51000103eaee4600c6f446003a0000004f3ac9e6",
        "01c06e3c0000eaee4600920007fd16f046009500",
        "02c0070042f14600960007026ef2460099000704",
        "03c09af3460093000700c6f44600900007fc",
    ];
    let found = readings(DexcomTransmitter::decode(&backfill(&frames)));
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|reading| reading.flags.contains(&flags::CALIBRATION_REQUIRED.to_owned())));
}

#[test]
fn what_cannot_be_a_backfill_is_refused() {
    let damaged = FRAMES[1].replace("5300800006ee", "5300810006ee");
    assert!(DexcomTransmitter::decode(&backfill(&[ANSWER, FRAMES[0], &damaged, FRAMES[2]])).is_err());
    assert!(
        DexcomTransmitter::decode(&backfill(&[FRAMES[0], &damaged, FRAMES[2]])).is_ok(),
        "without the answer only times and states tell"
    );
    // A public capture of an encrypted one: its checksum is right, its times are not.
    let encrypted = [
        "51000102b1aa0e00e5b20e00a000000020a39b7e",
        "0180cde3fd48248e37a7bf6c2d9d78d4bfef6d5b",
        "02809f074c9039b6d3b841f422cf36398338f98c",
        "038004160a5a1ad37c382f3ca23ea215c644f7b6",
        "04802ed7376fa7c83c3ecf0b645233f9b3c80238",
        "05805692724e630a703f01b0a942250f725553d2",
        "06804ca2727a4051033a550da80905caf77c735d",
        "07808f937b4b9602c5dd6fa13ae983e00783b28e",
        "088069846e672c106b339159ead9ee1c08e1a159",
    ];
    assert!(DexcomTransmitter::decode(&backfill(&encrypted)).unwrap_err().message.contains("encrypts"));
    assert!(DexcomTransmitter::decode(&backfill(&encrypted[1..])).is_err());
    let wrong_identifier = FRAMES[1].replacen("0200", "0240", 1);
    assert!(DexcomTransmitter::decode(&backfill(&[FRAMES[0], &wrong_identifier, FRAMES[2]])).is_err());
}
