//! What holds for payloads that no vector shows: units, bits, sentinels, clocks, keys, packets, wrong devices.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::{clock_states, fact_kinds, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DecodeError, Decoded, Decoder, DeviceTime, ErrorKind, Input, OnChange, Outcome, value_lines,
};
use xiaomi::Xiaomi;

const V1: &str = "xiaomi-miscale-v1";
const V2: &str = "xiaomi-miscale-v2";
const S400: [&str; 2] = ["0728974d657a4b60964c1b1677f35f7c", "8C:D0:B2:F6:BE:EF"];
const FIRST: &str = "4859d53b0abc078ff2348c844138e930220000009e538599";
const SECOND: &str = "4859d53b0bd6ef0b25db72785e7e2f46d6000000d8642df6";

fn decode(model: &str, hex: &str) -> Result<Outcome, DecodeError> {
    Xiaomi::decode(&Input::hex(model, "", hex))
}

fn sealed(hex: &str, key: &str, address: &str) -> Result<Outcome, DecodeError> {
    let input = Input::hex("xiaomi-mibeacon", "", hex);
    Xiaomi::decode(&input.with_variable("bindkey", key).with_variable("mac", address))
}

fn readings(outcome: Outcome) -> Decoded {
    match outcome {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Nothing(nothing) => nothing.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mi_scale_has_three_units() {
    for (model, hex, line) in [
        (V1, "22 3e30 e607020e10293a", "body-weight 61.750 kg"),
        (V1, "32 3e30 e607020e10293a", "body-weight 61.750 kg"),
        (V1, "23 7233 e607020e10293a", "body-weight 131.70 [lb_av]"),
        (V2, "0224 e607020e10293a 0000 9a38", "body-weight 72.450 kg"),
        (V2, "0264 e607020e10293a 0000 9a38", "body-weight 72.450 kg"),
        (V2, "0324 e607020e10293a 0000 f136", "body-weight 140.65 [lb_av]"),
    ] {
        assert_eq!(value_lines(&decode(model, hex).unwrap()), [line], "{hex}");
    }
    assert_eq!(decode(V1, "33 3e30 e607020e10293a").unwrap_err().offset, Some(0), "pounds and jin");
    assert_eq!(decode(V2, "0364 e607020e10293a 0000 9a38").unwrap_err().kind, ErrorKind::Malformed);
}

#[test]
fn what_is_no_result_of_a_person_gives_nothing() {
    for (model, hex, expected) in [
        (V1, "02 6c02 b207010c171e2d", nothing_reasons::NOT_FINAL),
        (V1, "82 1400 e507040b101708", nothing_reasons::NO_MEASUREMENT),
        (V1, "e2 7607 e607020e10293a", nothing_reasons::NOT_A_PERSON),
        (V1, "22 0000 e607020e10293a", nothing_reasons::NO_MEASUREMENT),
        (V1, "22 f0ff e607020e10293a", nothing_reasons::FAILED_MEASUREMENT),
        (V2, "02a6 e607020e10293a f701 9a38", nothing_reasons::NO_MEASUREMENT),
        (V2, "07a4 e607020e10293a 0000 ce04", nothing_reasons::NOT_A_PERSON),
        (V2, "0204 b207010112101a 0000 a852", nothing_reasons::NOT_FINAL),
    ] {
        assert_eq!(reason(decode(model, hex).unwrap()), expected, "{hex}");
    }
}

#[test]
fn an_impedance_that_failed_has_no_number() {
    for raw in ["0000", "fdff", "feff", "f0ff"] {
        let outcome = decode(V2, &format!("0226 b20705040f0201 {raw} 8642")).unwrap();
        assert_eq!(value_lines(&outcome), ["body-weight 85.150 kg", "body-impedance absent error"], "{raw}");
    }
    let measured = decode(V2, "0226 b20705040f0201 ac01 8642").unwrap();
    assert_eq!(value_lines(&measured), ["body-weight 85.150 kg", "body-impedance 428 Ohm"]);
    let not_yet = decode(V2, "0224 b20705040f0201 fdff 8642").unwrap();
    assert_eq!(value_lines(&not_yet), ["body-weight 85.150 kg"]);
}

#[test]
fn a_clock_that_was_never_set_makes_no_key() {
    let unset = readings(decode(V1, "22 3a2f b207010c171d1a").unwrap());
    assert_eq!(unset.warnings[0].code, warnings::DEVICE_TIME_UNTRUSTED);
    assert_eq!(
        (unset.readings[0].record_key.clone(), unset.readings[0].clock_state.as_str()),
        (None, clock_states::NOT_SET)
    );
    assert_eq!(unset.readings[0].time, DeviceTime::Local("1970-01-12T23:29:26".into()));
    let set = readings(decode(V1, "22 3a2f e607020e10293a").unwrap());
    assert_eq!(set.readings[0].record_key.as_deref(), Some("2022-02-14T16:41:58"));
    let impossible = readings(decode(V1, "22 3a2f e6070d0e10293a").unwrap());
    assert_eq!(impossible.readings[0].clock_state, clock_states::FAULT);
}

#[test]
fn bits_that_would_shift_the_fields_are_refused() {
    for bit in [2_u8, 3] {
        assert!(decode(V1, &format!("{:02x} 9e43 e507040b101301", 0x22 | 1 << bit)).is_err());
    }
    assert!(decode(V1, "20 9e43 e507040b101301").is_err(), "no time");
    for bit in 3..8_u8 {
        assert!(decode(V2, &format!("{:02x}26 b20705040f0201 ac01 8642", 2 | 1 << bit)).is_err());
    }
    for bit in [0_u8, 3, 4] {
        assert!(decode(V2, &format!("02{:02x} b20705040f0201 ac01 8642", 0x26 | 1 << bit)).is_err());
    }
    assert!(decode(V1, "22 9e43 e507040b101301 00").is_err());
    assert!(decode(V2, "22 9e43 e507040b101301").is_err(), "the other scale's record");
}

#[test]
fn the_packets_of_one_weighing_share_their_second_and_are_told_apart() {
    let [first, second] = [FIRST, SECOND].map(|hex| readings(sealed(hex, S400[0], S400[1]).unwrap()).readings);
    let keys: Vec<_> = first.iter().chain(&second).map(|reading| reading.record_key.clone().unwrap()).collect();
    assert_eq!(keys, ["1744250605#1", "1744250605#1/low", "1744250605#1", "1744250605#1/high"]);
    assert!(first.iter().chain(&second).all(|reading| reading.user_slot.as_deref() == Some("1")));
    assert_eq!(first[0].time, DeviceTime::Zoned("2025-04-10T02:03:25Z".into()));
    assert_eq!(first[0].on_change, OnChange::Distinct);
    // The same packet heard twice, and in one uplink with the other: the same readings with the same keys.
    let mut both =
        Input::hex("xiaomi-s400", "", SECOND).with_variable("bindkey", S400[0]).with_variable("mac", S400[1]);
    both.frames.extend(Input::hex("", "", FIRST).frames);
    both.frames.extend(Input::hex("", "", FIRST).frames);
    let together = readings(Xiaomi::decode(&both).unwrap()).readings;
    assert_eq!(together.len(), 7);
    assert_eq!(together[1].record_key, together[4].record_key, "a replayed counter is the same record");
}

#[test]
fn weight_with_socks_and_stepping_off() {
    let (key, address) = ("02d2900363ef629c736a4549677acbee", "04:AE:47:67:C6:7C");
    let socks = sealed("4859d53b71530438b5894b242c209908da000000479ecda3", key, address).unwrap();
    assert_eq!(value_lines(&socks), ["body-weight 74.7 kg"]);
    let off = sealed("4859d53b72036c6794355a19dbc864bfb3000000e4151dc8", key, address).unwrap();
    assert_eq!(reason(off), nothing_reasons::NO_MEASUREMENT);
    let s200 =
        sealed("4859044c019a80a275939010f0abc4fadc0600003d29c044", "653b1b10e1cb35e4ac5e60fa45f3bf29", "D07B6F27D729");
    assert_eq!(value_lines(&s200.unwrap()), ["body-weight 62.25 kg"]);
}

#[test]
fn a_key_that_is_missing_wrong_or_none_is_named_and_never_shown() {
    let secret = "0728974d657a4b60964c1b1677f35f7d";
    for (key, address, named) in [
        ("", S400[1], "`bindkey` is missing"),
        (secret, S400[1], "`bindkey` and `mac` do not open"),
        (&secret[..31], S400[1], "`bindkey` is no key"),
        ("0728974d657a4b60964c1b1677f35f7g", S400[1], "`bindkey` is no key"),
        (S400[0], "", "`mac` is missing"),
        (S400[0], "8C:D0:B2:F6:BE", "`mac` is no Bluetooth address"),
        (S400[0], "8C:D0:B2:F6:BE:EE", "do not open"),
    ] {
        let error = sealed(FIRST, key, address).unwrap_err();
        assert!(error.message.contains(named), "{named}: {}", error.message);
        assert!(!error.message.contains(&secret[..8]), "{}", error.message);
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_frame_is_noticed() {
    let data = Input::hex("", "", FIRST).frames.remove(0).data;
    for position in 0..data.len() {
        for bit in 0..8 {
            let mut changed = Input::hex("xiaomi-s400", "", FIRST);
            changed.frames[0].data[position] ^= 1 << bit;
            let changed = changed.with_variable("bindkey", S400[0]).with_variable("mac", S400[1]);
            if let Ok(outcome) = Xiaomi::decode(&changed) {
                // Bits of the frame control that take no part in the tag say nothing about the measurement.
                let whole = value_lines(&sealed(FIRST, S400[0], S400[1]).unwrap());
                assert!(value_lines(&outcome).iter().all(|line| whole.contains(line)), "{position}.{bit}");
            }
        }
    }
}

#[test]
fn mibeacon_frames_of_other_kinds_are_refused_or_say_nothing() {
    let thermometer = "7022 9103 0f dbab531824d0 09 0a00 02 750d 07";
    assert_eq!(decode("xiaomi-s400", thermometer).unwrap_err().kind, ErrorKind::NotForMe);
    assert_eq!(
        decode("xiaomi-mmc-w505", &thermometer.replace("9103", "0304")).unwrap_err().kind,
        ErrorKind::Unsupported
    );
    assert!(decode("xiaomi-mmc-w505", &thermometer.replace("7022", "f022")).is_err(), "mesh");
    assert!(decode("xiaomi-mmc-w505", &thermometer.replace("7022", "7012")).is_err(), "version 1");
    assert!(decode("xiaomi-mmc-w505", &thermometer.replace("7022", "7422")).is_err(), "a reserved bit");
    assert!(
        decode("xiaomi-mmc-w505", &thermometer.replace("7022", "7822"))
            .unwrap_err()
            .message
            .contains("cannot be checked")
    );
    assert_eq!(reason(decode("xiaomi-mmc-w505", "3022 9103 0f dbab531824d0 09").unwrap()), nothing_reasons::HEARTBEAT);
    let other = Input::hex("xiaomi-mmc-w505", "", thermometer).with_variable("mac", "D0:24:18:53:AB:DC");
    assert_eq!(Xiaomi::decode(&other).unwrap_err().kind, ErrorKind::NotForMe);
    let warm_up = decode("xiaomi-mmc-w505", &thermometer.replace("750d 07", "0000 07")).unwrap();
    assert_eq!(reason(warm_up), nothing_reasons::NO_MEASUREMENT);
    let claimed = &readings(decode("xiaomi-mmc-w505", thermometer).unwrap()).readings[0].device_identity[0];
    assert_eq!(claimed.value, "D0:24:18:53:AB:DB");
}

#[test]
fn a_battery_and_an_unknown_object_shift_nothing() {
    let frame = "7022 9103 0f dbab531824d0 09 0a10 01 5d 0352 02 ffff 0a00 02 750d";
    let decoded = readings(decode("xiaomi-mibeacon", frame).unwrap());
    assert_eq!(decoded.readings.len(), 1);
    assert_eq!(decoded.facts[0].kind, fact_kinds::BATTERY);
    let only_battery = decode("xiaomi-mibeacon", "7022 9103 0f dbab531824d0 09 0a10 01 5d").unwrap();
    assert_eq!(reason(only_battery), nothing_reasons::STATUS);
    assert!(decode("xiaomi-mibeacon", "7022 9103 0f dbab531824d0 09 0a00 03 750d07").is_err(), "a length that is none");
}

#[test]
fn a_band_says_its_steps_in_three_ways() {
    let band = "5701 02 0202 7d ffffffffffffffffffffffffff 02 aabbccddeeff";
    let with = Input::hex("miband-adv", "", band).with_variable("service_data_fee0", "8d230000");
    let lines = ["heart-rate 125 /min", "steps 9101 {steps}"];
    assert_eq!(value_lines(&Xiaomi::decode(&with).unwrap()), lines);
    let mut frames = Input::hex("miband-adv", "", band);
    frames.frames.extend(Input::hex("", "FEE0", "8d230000").frames);
    assert_eq!(value_lines(&Xiaomi::decode(&frames).unwrap()), lines);
    let wrong = Input::hex("miband-adv", "", band).with_variable("service_data_fee0", "8d2300");
    assert!(Xiaomi::decode(&wrong).unwrap_err().message.contains("service_data_fee0"));
    let still = "5701 02 ffff ff ffffffffffffffffffffffffff 02 aabbccddeeff";
    let steps = Input::hex("miband-adv", "", still).with_variable("service_data_fee0", "ac1e0000");
    assert_eq!(value_lines(&Xiaomi::decode(&steps).unwrap()), ["steps 7852 {steps}"]);
}

#[test]
fn an_unknown_model_is_refused() {
    assert_eq!(decode("xiaomi-s800", FIRST).unwrap_err().kind, ErrorKind::NotForMe);
}
