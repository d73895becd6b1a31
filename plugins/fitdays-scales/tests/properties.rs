//! What holds for payloads that no vector shows: boundaries, checksums, live frames, joined frames, wrong scales.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Decoder, ErrorKind, Input, Outcome, value_lines};
use fitdays_scales::FitdaysScales;

fn decode(model: &str, hex: &str) -> Result<Outcome, DecodeError> {
    FitdaysScales::decode(&Input::hex(model, "", hex))
}

fn lines(model: &str, hex: &str) -> Vec<String> {
    value_lines(&decode(model, hex).unwrap())
}

fn reason(model: &str, hex: &str) -> String {
    match decode(model, hex).unwrap() {
        Outcome::Nothing(nothing) => nothing.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_taylor_weight_has_seventeen_bits() {
    assert_eq!(lines("taylor-bia", "ac27 80 8c 9c40"), ["body-weight 40.000 kg"]);
    assert_eq!(lines("taylor-bia", "ac27 80 8c ffff"), ["body-weight 65.535 kg"]);
    assert_eq!(lines("taylor-bia", "ac27 80 8d 0000"), ["body-weight 65.536 kg"]);
    assert_eq!(lines("taylor-bia", "ac27 01 00 0203 01 80 8d 2f52 000000000000000000"), ["body-weight 77.650 kg"]);
    assert_eq!(reason("taylor-bia", "ac27 00 8d 2f52"), nothing_reasons::NOT_FINAL);
    for wrong in ["ac27 80 8e 2f52", "ac27 40 8d 2f52", "ac27 80 8d 2f5200", "ac27 01 00 0203", "ac28 80 8d 2f52"] {
        assert!(decode("taylor-bia", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_vitafit_frame_is_whole_or_refused() {
    assert_eq!(lines("vitafit-vt701", "5a0b26 11 0000000000 0185 b8 aa"), ["body-impedance 389 Ohm"]);
    assert_eq!(reason("vitafit-vt701", "5a0b26 11 0000000000 0000 3c aa"), nothing_reasons::FAILED_MEASUREMENT);
    assert_eq!(reason("vitafit-vt701", "5a0526 33 00 10 aa"), nothing_reasons::STATUS);
    for wrong in [
        "5a0a26 10 02000021 2134 0a ab",
        "5a0b26 10 02000021 2134 0a aa",
        "a50a26 10 02000021 2134 0a aa",
        "5a0a27 10 02000021 2134 0b aa",
        "5a0a26 10 02010021 2134 0b aa",
        "5a0a26 10 03000021 2134 0b aa",
    ] {
        assert!(decode("vitafit-vt701", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn weight_and_impedance_of_a_weighing_come_together() {
    let mut both = Input::hex("mgb-streaming", "", "ac02 26b6 0000 ce aa");
    for frame in ["ac02 26b6 0000 ca a6", "ac02 fd00 0000 cb c8", "ac02 fd01 0258 cb 23"] {
        both.frames.extend(Input::hex("", "", frame).frames);
    }
    assert_eq!(value_lines(&FitdaysScales::decode(&both).unwrap()), ["body-weight 99.10 kg", "body-impedance 600 Ohm"]);
    both.frames.extend(Input::hex("", "", "ac02 fd01 0258 cb 24").frames);
    assert!(FitdaysScales::decode(&both).unwrap_err().message.starts_with("frame 5: "));
}

#[test]
fn mgb_frames_that_are_no_values() {
    assert_eq!(reason("mgb-streaming", "ac02 fd00 0000 cb c8"), nothing_reasons::STATUS);
    assert_eq!(reason("mgb-streaming", "ac02 fdff 0000 cb c7"), nothing_reasons::FAILED_MEASUREMENT);
    assert_eq!(reason("mgb-streaming", "ac02 0000 0000 ca ca"), nothing_reasons::NO_MEASUREMENT);
    assert!(decode("mgb-streaming", "ac02 26b6 0100 ca a7").is_err(), "a byte that is always 0");
    assert!(decode("mgb-streaming", "ac02ff000221180101010101024400c8010e0000").is_err(), "the other variant");
}

#[test]
fn a_robi_result_may_have_heart_rate_and_impedance() {
    let full = "0308 00 a3 00012dc2 48 01f4 0000000000000000";
    let sum = [0xA3_u32, 0x01, 0x2D, 0xC2, 0x48, 0x01, 0xF4].iter().sum::<u32>() & 0x1F;
    let full = format!("{full}{sum:02x}");
    assert_eq!(lines("robi-s9", &full), ["body-weight 77.250 kg", "heart-rate 72 /min", "body-impedance 500 Ohm"]);
    assert_eq!(reason("robi-s9", "1d07 00 a2 0400012c 000000 0000000000000000 13"), nothing_reasons::NOT_FINAL);
    assert!(decode("robi-s9", "0307 00 a3 00012dc2 00 0000 0000000000000000 13").is_err(), "too short a result");
    for bit in 0..5 {
        let wrong = format!("0308 00 a3 00012dc2 00 0000 0000000000000000 {:02x}", 0x13 ^ (1 << bit));
        assert!(decode("robi-s9", &wrong).unwrap_err().message.contains("checksum"));
    }
}

#[test]
fn none_takes_anothers_frames() {
    let frames = [
        ("taylor-bia", "ac27 80 8d2f52"),
        ("vitafit-vt701", "5a0a26 10 02000021 2134 0a aa"),
        ("mgb-streaming", "ac02 26b6 0000 ca a6"),
        ("robi-s9", "0308 00 a3 00012dc2 00 0000 0000000000000000 13"),
    ];
    for (model, _) in frames {
        for (owner, hex) in frames {
            assert_eq!(decode(model, hex).is_ok(), model == owner, "{model} {owner}");
        }
    }
    assert_eq!(decode("mgb", frames[2].1).unwrap_err().kind, ErrorKind::NotForMe);
}
