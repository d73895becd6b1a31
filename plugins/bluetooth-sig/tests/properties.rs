//! What holds for payloads that no vector shows: times, keys, slots, states, several frames, wrong models.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use afferent_plugin_sdk::registry::{clock_states, flags, nothing_reasons, warnings};
use afferent_plugin_sdk::{Decoder, DeviceTime, ErrorKind, Frame, Input, OnChange, Outcome, value_lines};
use bluetooth_sig::BluetoothSig;
use support::{bytes, decode, decoded, readings, refusal};

#[test]
fn a_clock_that_is_wrong_does_not_spoil_the_value() {
    for (date, state) in [
        ("0000 04 11 14293b", clock_states::NOT_SET),
        ("e907 00 11 14293b", clock_states::NOT_SET),
        ("e907 04 00 14293b", clock_states::NOT_SET),
        ("e907 0d 01 000000", clock_states::FAULT),
        ("e907 02 1d 000000", clock_states::FAULT),
        ("e907 04 11 180000", clock_states::FAULT),
        ("ffff ff ff ffffff", clock_states::FAULT),
    ] {
        for reading in readings("2A35", &format!("06 7800 5000 5d00 {date} 4800")) {
            assert_eq!(reading.time, DeviceTime::None, "{date}");
            assert_eq!(reading.clock_state, state, "{date}");
            assert_eq!(reading.record_key, None, "{date}");
        }
    }
}

#[test]
fn a_time_makes_a_key_with_the_slot_and_no_time_makes_none() {
    let timed = readings("2A35", "0e 7800 5000 5d00 e807060f11111b 4800 02");
    for reading in &timed {
        assert_eq!(reading.time, DeviceTime::Local("2024-06-15T17:17:27".into()));
        assert_eq!(reading.record_key.as_deref(), Some("2024-06-15T17:17:27#2"));
        assert_eq!(reading.user_slot.as_deref(), Some("2"));
        assert_eq!(reading.on_change, OnChange::Distinct);
    }
    assert_eq!(timed.len(), 2);
    let unknown_user = &readings("2A35", "0a 7800 5000 5d00 e807060f11111b ff")[0];
    assert_eq!(unknown_user.record_key.as_deref(), Some("2024-06-15T17:17:27"));
    assert_eq!(unknown_user.user_slot, None);
    let first_slot = &readings("2A9D", "04 b036 00")[0];
    assert_eq!((first_slot.user_slot.as_deref(), &first_slot.record_key), (Some("0"), &None));
}

#[test]
fn an_oximeter_whose_clock_is_not_set_says_so_and_makes_no_key() {
    let untrusted = decoded("2A5E", "11 6100 6000 e1070101012213");
    assert_eq!(untrusted.warnings[0].code, warnings::DEVICE_TIME_UNTRUSTED);
    for reading in &untrusted.readings {
        assert_eq!(reading.time, DeviceTime::Local("2017-01-01T01:34:19".into()));
        assert_eq!((reading.clock_state.as_str(), &reading.record_key), (clock_states::NOT_SET, &None));
    }
    let trusted = decoded("2A5E", "01 6100 6000 e1070101012213");
    assert!(trusted.warnings.is_empty());
    assert_eq!(trusted.readings[0].record_key.as_deref(), Some("2017-01-01T01:34:19"));
    let timeless = decoded("2A5E", "10 6100 6000");
    assert!(timeless.warnings.is_empty(), "there is no time to distrust");
    assert_eq!(timeless.readings[0].clock_state, clock_states::NOT_SET);
}

#[test]
fn what_an_oximeter_doubts_is_flagged_and_what_it_declares_void_is_absent() {
    for (status, expected) in [
        ("2000", flags::ONGOING),
        ("4000", flags::EARLY_ESTIMATE),
        ("8000", flags::VALIDATED),
        ("0001", flags::FULLY_QUALIFIED),
        ("0002", flags::FROM_STORAGE),
        ("0010", flags::CALIBRATION_ONGOING),
        ("0040", flags::QUESTIONABLE),
    ] {
        for reading in readings("2A5E", &format!("02 6100 6000 {status}")) {
            assert_eq!(reading.flags, [expected]);
        }
    }
    assert_eq!(
        value_lines(&decode("2A5E", "0a 6100 6000 0080 2df0").unwrap()),
        ["oxygen-saturation absent error", "pulse-rate-oximeter absent error", "perfusion-index absent error"]
    );
    assert_eq!(
        value_lines(&decode("2A5E", "02 6100 6000 0020").unwrap()),
        ["oxygen-saturation absent not-performed", "pulse-rate-oximeter absent not-performed"]
    );
    for (status, reason) in [("0004", nothing_reasons::DEMO), ("0008", nothing_reasons::TEST)] {
        match decode("2A5E", &format!("02 6100 6000 {status}")).unwrap() {
            Outcome::Nothing(nothing) => assert_eq!(nothing.reason, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_bit_of_the_sensor_status_is_its_own_word() {
    let mut words = Vec::new();
    for bit in 0..16_u32 {
        let [low, middle, high, _] = (1_u32 << bit).to_le_bytes();
        let reading = &readings("2A5E", &format!("04 6100 6000 {low:02x}{middle:02x}{high:02x}"))[0];
        assert_eq!(reading.flags.len(), 1, "bit {bit}");
        words.extend(reading.flags.clone());
    }
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 16);
    assert!(readings("2A5E", "04 6100 6000 0000ff")[0].flags.is_empty(), "reserved bits say nothing");
}

#[test]
fn the_status_of_a_cuff_becomes_flags() {
    for (status, expected) in [
        ("0000", &[][..]),
        ("0100", &[flags::BODY_MOVEMENT]),
        ("0200", &[flags::CUFF_TOO_LOOSE]),
        ("0400", &[flags::IRREGULAR_PULSE]),
        ("0800", &[flags::PULSE_EXCEEDS_UPPER]),
        ("1000", &[flags::PULSE_BELOW_LOWER]),
        ("1800", &[]),
        ("2000", &[flags::IMPROPER_POSITION]),
        ("c0ff", &[]),
    ] {
        assert_eq!(readings("2A35", &format!("10 7800 5000 5d00 {status}"))[0].flags, expected, "{status}");
    }
}

#[test]
fn a_cuff_that_failed_has_no_number() {
    assert_eq!(
        value_lines(&decode("2A35", "04 ff07 ff07 ff07 ff07").unwrap()),
        [
            "blood-pressure/blood-pressure-systolic absent not-a-number",
            "blood-pressure/blood-pressure-diastolic absent not-a-number",
            "blood-pressure/blood-pressure-mean absent not-a-number",
            "pulse-rate absent not-a-number",
        ]
    );
}

#[test]
fn an_intermediate_cuff_pressure_is_never_a_blood_pressure() {
    for data in ["00 9600 ff07 ff07", "00 9600 5000 5d00"] {
        match BluetoothSig::decode(&Input::new("bluetooth-sig", "2A36", bytes(data))).unwrap() {
            Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::INTERMEDIATE),
            other => panic!("{other:?}"),
        }
    }
    // A model of one characteristic serves that one alone.
    for model in ["gatt-2A35", "gatt-2A5E"] {
        let elsewhere = BluetoothSig::decode(&Input::new(model, "2A36", bytes("00 9600 ff07 ff07"))).unwrap_err();
        assert_eq!(elsewhere.kind, ErrorKind::Unsupported, "{model}");
    }
}

#[test]
fn weights_keep_the_resolution_of_the_scale() {
    for (hex, lines) in [
        ("00 0100", &["body-weight 0.005 kg"][..]),
        ("00 feff", &["body-weight 327.670 kg"]),
        ("01 feff", &["body-weight 655.34 [lb_av]"]),
        ("08 b036 f500 d606", &["body-weight 70.000 kg", "body-mass-index 24.5 kg/m2", "body-height 1.750 m"]),
        ("09 5046 0001 b702", &["body-weight 180.00 [lb_av]", "body-mass-index 25.6 kg/m2", "body-height 69.5 [in_i]"]),
        ("08 b036 0000 0000", &["body-weight 70.000 kg"]),
    ] {
        assert_eq!(value_lines(&decode("2A9D", hex).unwrap()), lines);
    }
    for failed in ["00 ffff", "01 ffff", "06 ffff e907041114293b 01"] {
        match decode("2A9D", failed).unwrap() {
            Outcome::Nothing(nothing) => assert_eq!(nothing.reason, nothing_reasons::FAILED_MEASUREMENT),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_site_is_named_only_where_the_code_is_known() {
    let sites =
        (0..=u8::MAX).filter_map(|code| readings("2A1C", &format!("04 680100ff {code:02x}"))[0].body_site.clone());
    assert_eq!(
        sites.collect::<Vec<_>>(),
        ["armpit", "body", "ear", "finger", "gastrointestinal-tract", "mouth", "rectum", "toe", "tympanum"]
    );
}

#[test]
fn what_would_shift_the_fields_is_refused() {
    for (characteristic, known, rest) in [
        ("2A35", 0x1F, "7800 5000 5d00"),
        ("2A9D", 0x0F, "b036"),
        ("2A1C", 0x07, "680100ff"),
        ("2A5E", 0x1F, "6100 6000"),
    ] {
        for bit in (0..8).map(|bit| 1_u8 << bit).filter(|bit| bit & known == 0) {
            let error = refusal(characteristic, &format!("{bit:02x} {rest}"));
            assert_eq!((error.kind, error.offset), (ErrorKind::Malformed, Some(0)), "{characteristic} {bit:#x}");
        }
        let trailing = refusal(characteristic, &format!("00 {rest} 00"));
        assert_eq!(trailing.kind, ErrorKind::Malformed);
        assert_eq!(usize::try_from(trailing.offset.unwrap()).unwrap(), bytes(rest).len() + 1);
    }
}

#[test]
fn several_frames_are_several_measurements_and_one_bad_frame_refuses_all() {
    let frame = |channel: &str, hex: &str| Frame {
        channel: channel.to_owned(),
        data: bytes(hex),
        captured_at_ms: None,
        extra: Vec::new(),
    };
    let input = |frames: Vec<Frame>| {
        let mut input = Input::new("bluetooth-sig", "", []);
        input.frames = frames;
        input
    };
    let both = input(vec![
        frame("2A36", "00 9600 ff07 ff07"),
        frame("2A35", "00 7800 5000 5d00"),
        frame("2A9D", "00 b036"),
        frame("2A9D", "00 ffff"),
    ]);
    assert_eq!(value_lines(&BluetoothSig::decode(&both).unwrap()).last().unwrap(), "body-weight 70.000 kg");
    assert_eq!(value_lines(&BluetoothSig::decode(&both).unwrap()).len(), 4);
    let broken = input(vec![frame("2A9D", "00 b036"), frame("2A9D", "00 b0")]);
    let error = BluetoothSig::decode(&broken).unwrap_err();
    assert!(error.message.starts_with("frame 2: "), "{}", error.message);
    assert_eq!(BluetoothSig::decode(&input(Vec::new())).unwrap_err().kind, ErrorKind::Malformed);
}

#[test]
fn another_devices_model_or_channel_is_refused() {
    let refused = |model: &str, channel: &str| {
        BluetoothSig::decode(&Input::new(model, channel, bytes("00 7800 5000 5d00"))).unwrap_err().kind
    };
    assert_eq!(refused("beurer-bm85-2A35", "2A35"), ErrorKind::NotForMe);
    assert_eq!(refused("", "2A35"), ErrorKind::NotForMe);
    assert_eq!(refused("gatt-2A35", "2A9D"), ErrorKind::Unsupported);
    assert_eq!(refused("gatt-2A35", "cuff"), ErrorKind::Unsupported);
    assert_eq!(refused("bluetooth-sig", ""), ErrorKind::Unsupported);
    assert_eq!(refused("bluetooth-sig", "2A38"), ErrorKind::Unsupported);
}
