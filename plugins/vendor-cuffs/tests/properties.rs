//! What holds for payloads that no vector shows: other records, sums, halves, clocks, wrong models.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{clock_states, flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, Outcome, value_lines};
use vendor_cuffs::VendorCuffs;

fn decode(model: &str, hex: &str) -> Result<Outcome, DecodeError> {
    VendorCuffs::decode(&Input::hex(model, "", hex))
}

fn decoded(model: &str, hex: &str) -> Decoded {
    match decode(model, hex).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn memory(records: &str) -> String {
    format!("{}{records}", "00".repeat(38))
}

/// A frame around a payload, with its length and sum.
fn framed(payload: &str) -> String {
    let payload = Input::hex("", "", payload).frames.remove(0).data;
    let mut frame = vec![0x4D, 0x3A];
    frame.extend(u16::try_from(payload.len() + 1).unwrap().to_be_bytes());
    frame.extend(payload);
    let sum = frame.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    frame.push(sum);
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_memory_gives_its_records_in_order_each_with_its_time() {
    let two = memory("78503c18060f0e1e0000 825546190102030400 00");
    let decoded = decoded("microlife-a6", &two);
    let times: Vec<_> = decoded.readings.iter().map(|reading| reading.time.clone()).collect();
    let local = |text: &str| DeviceTime::Local(text.to_owned());
    assert_eq!(times[0], local("2024-06-15T14:30:00"));
    assert_eq!(times[1], times[0]);
    assert_eq!(times[2], local("2025-01-02T03:04:00"));
    assert_eq!(decoded.readings[2].record_key.as_deref(), Some("2025-01-02T03:04:00"));
    assert!(decoded.readings.iter().all(|reading| reading.flags == [flags::FROM_STORAGE]));
}

#[test]
fn a_memory_comes_with_and_without_its_frame() {
    let payload = memory("78503c18060f0e1e");
    let bare = value_lines(&decode("microlife-a6", &payload).unwrap());
    assert_eq!(value_lines(&decode("microlife-a6", &framed(&payload)).unwrap()), bare);
    let mut wrong = framed(&payload);
    wrong.replace_range(8..10, "01");
    assert!(decode("microlife-a6", &wrong).unwrap_err().message.contains("sum"));
    let long = format!("{}00", framed(&payload));
    assert_eq!(decode("microlife-a6", &long).unwrap_err().kind, ErrorKind::Malformed);
}

#[test]
fn an_undated_record_is_left_out_and_said() {
    let mixed = memory("78503c18060f0e1e0000 6e464118000f0e1e0000 6e4641180d0f0e1e0000");
    let decoded = decoded("microlife-a6", &mixed);
    assert_eq!(decoded.readings.len(), 2);
    assert_eq!(decoded.warnings[0].code, warnings::DEVICE_TIME_UNTRUSTED);
    assert!(decoded.warnings[0].message.starts_with("2 records"));
}

#[test]
fn a_record_that_is_cut_short_refuses_the_memory() {
    for left in 1..10 {
        let cut = memory(&"78503c18060f0e1e0000"[..2 * left]);
        assert_eq!(decode("microlife-a6", &cut).is_ok(), left == 8, "{left}");
    }
}

#[test]
fn half_a_blood_pressure_is_refused_and_none_is_a_failure() {
    for (model, half) in [
        ("yonker-ykbpa1", "81 83 00 51 0000 19 0b 18 13 12 00000000".to_owned()),
        ("microlife-a6", memory("00503c18060f0e1e")),
    ] {
        assert_eq!(decode(model, &half).unwrap_err().kind, ErrorKind::Malformed, "{model}");
    }
    match decode("yonker-ykbpa1", "81 00 00 51 0000 19 0b 18 13 12 00000000").unwrap() {
        Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::FAILED_MEASUREMENT),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_yonker_clock_that_is_wrong_does_not_spoil_the_value() {
    let decoded = decoded("yonker-ykbpa1", "81 83 67 00 0000 1f 02 18 13 12 00000000");
    assert_eq!(decoded.readings.len(), 1, "a pulse of 0 is none");
    let reading = &decoded.readings[0];
    assert_eq!((&reading.time, &reading.record_key), (&DeviceTime::None, &None));
    assert_eq!(reading.clock_state, clock_states::FAULT);
}

#[test]
fn neither_takes_the_others_frames_nor_another_type() {
    assert_eq!(decode("yonker-ykbpa1", &memory("78503c18060f0e1e")).unwrap_err().kind, ErrorKind::Unsupported);
    assert!(decode("microlife-a6", "81 83 67 51 0000 19 0b 18 13 12 00000000").is_err());
    assert_eq!(decode("yonker-ykbpa1", "82 83 67 51 0000 19 0b 18 13 12 00000000").unwrap_err().offset, Some(0));
    assert!(decode("yonker-ykbpa1", "81 83 67 51 0000 19 0b 18 13 12 00000000 00").is_err());
    assert_eq!(decode("gatt-2A35", "00 7800 5000 5d00").unwrap_err().kind, ErrorKind::NotForMe);
}
