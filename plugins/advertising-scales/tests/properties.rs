//! What holds for payloads that no vector shows: units, decimals, settling, addresses, wrong scales.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use advertising_scales::AdvertisingScales;
use afferent_plugin_sdk::registry::{flags, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoder, ErrorKind, Input, Outcome, Reading, value_lines};

const XIAOGUI: &str = "043e1d0201030094e0e5295a5f1110ffc0a30276138b0002215f5a29e5e094bd";
const LAICA: &str = "043e2b02010300a02bbe5e91a01f0201040303b0ff0fffaca0a02bbe5e91a0a02c92140dbf0709414141303032d9";
const SENSSUN: &str = "043e2b0201030033b3c1937a181f020106060949465f423714ff0001020311187a93c1b333021a4500b4a1ab61c5";
const AMAZFIT: &str = "043e390d011300000ea4309e87700100ff7fb10000000000000000001f0201050302e0fe1716e0feba82e6c7fc3414a442bf46ec68000462bba30100";

fn decode(hex: &str) -> Result<Outcome, DecodeError> {
    AdvertisingScales::decode(&Input::hex("hci-adv-scale", "", hex))
}

fn readings(hex: &str) -> Vec<Reading> {
    match decode(hex).unwrap() {
        Outcome::Readings(decoded) => decoded.readings,
        other => panic!("{other:?}"),
    }
}

fn reason(hex: &str) -> String {
    match decode(hex).unwrap() {
        Outcome::Nothing(nothing) => nothing.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bits_of_a_chipsea_broadcast() {
    for (state, line) in [
        ("21", "body-weight 63.0 kg"),
        ("23", "body-weight 630 kg"),
        ("25", "body-weight 6.30 kg"),
        ("29", "body-weight 31.50 kg"),
        ("31", "body-weight 63.0 [lb_av]"),
        ("39", "body-weight 39.8 [lb_av]"),
    ] {
        let changed = XIAOGUI.replace("0002215f", &format!("0002{state}5f"));
        assert_eq!(value_lines(&decode(&changed).unwrap())[0], line, "{state}");
    }
    for state in ["27", "61", "a1", "01"] {
        assert!(decode(&XIAOGUI.replace("0002215f", &format!("0002{state}5f"))).is_err(), "{state}");
    }
    assert_eq!(reason(&XIAOGUI.replace("0002215f", "0002205f")), nothing_reasons::NOT_FINAL);
    assert_eq!(reason(&XIAOGUI.replace("0276138b", "00000000")), nothing_reasons::NO_MEASUREMENT);
    assert_eq!(readings(XIAOGUI)[0].record_key.as_deref(), Some("163:630:5003"));
    let next = readings(&XIAOGUI.replace("c0a3", "c0a4"));
    assert_ne!(next[0].record_key, readings(XIAOGUI)[0].record_key, "the next weighing");
    let bare = readings(&XIAOGUI.replace("0276138b", "02760000"));
    assert_eq!(bare.len(), 1, "no impedance without bare feet");
}

#[test]
fn how_loud_it_was_heard_does_not_make_another_weighing() {
    assert_eq!(readings(&XIAOGUI.replace("e094bd", "e094c1")), readings(XIAOGUI));
    let data_alone = readings("10ffc0a30276138b0002215f5a29e5e094");
    assert_eq!(data_alone[0].record_key, readings(XIAOGUI)[0].record_key);
}

#[test]
fn an_address_in_the_data_must_be_the_senders() {
    for (hex, from, to) in [
        (XIAOGUI, "215f5a29e5e094", "215f5a29e5e095"),
        (SENSSUN, "11187a93c1b333", "11187a93c1b334"),
        (LAICA, "aca0a02bbe5e91a0", "aca0a12bbe5e91a0"),
    ] {
        assert!(hex.contains(from));
        assert_eq!(decode(&hex.replace(from, to)).unwrap_err().kind, ErrorKind::Malformed, "{from}");
    }
    let other = Input::hex("hci-adv-scale", "", AMAZFIT).with_variable("mac", "70879E30A40F");
    assert_eq!(AdvertisingScales::decode(&other).unwrap_err().kind, ErrorKind::NotForMe);
    let named = readings(AMAZFIT);
    assert_eq!(named[0].device_identity[0].value, "70:87:9E:30:A4:0E");
}

#[test]
fn a_senssun_weight_is_final_and_in_kilograms() {
    assert_eq!(value_lines(&decode(SENSSUN).unwrap()), ["body-weight 67.25 kg", "body-impedance 180 Ohm"]);
    for state in ["01", "21", "81"] {
        assert_eq!(reason(&SENSSUN.replace("00b4a1", &format!("00b4{state}"))), nothing_reasons::NOT_FINAL, "{state}");
    }
    for state in ["a0", "a3", "b1"] {
        assert!(decode(&SENSSUN.replace("00b4a1", &format!("00b4{state}"))).is_err(), "{state}");
    }
    assert!(decode(&SENSSUN.replace("33021a45", "33011a45")).is_err(), "another division");
}

#[test]
fn an_amazfit_that_settles_gives_nothing() {
    assert_eq!(reason(&AMAZFIT.replace("bf46ec68", "00000068")), nothing_reasons::NOT_FINAL);
    let alone = decode(&AMAZFIT.replace("fc3414a442bf46ec68", "fc0000a442bf46ec00")).unwrap();
    assert_eq!(value_lines(&alone), ["body-weight 85.300 kg"]);
}

#[test]
fn a_laica_weight_is_preliminary_until_it_has_settled() {
    assert_eq!(readings(LAICA)[0].flags, [flags::UNSTABLE]);
    // The bit for "settled" adds 0x80 to the sum, which its low five bits do not see.
    let settled = readings(&LAICA.replace("a02c92140dbf", "202c92140dbf"));
    assert!(settled[0].flags.is_empty());
    assert!(decode(&LAICA.replace("140dbf", "140dbe")).unwrap_err().message.contains("checksum"));
    assert!(decode(&LAICA.replace("a02c92140dbf", "a02c92150dbf")).unwrap_err().message.contains("checksum"));
    let display = readings(&LAICA.replace("140dbf", "140d9f"));
    assert_eq!(display[0].value, readings(LAICA)[0].value, "the unit of the display changes no weight");
    assert_eq!(reason(&LAICA.replace("a02c92140dbf", "a2aea0a206b8")), nothing_reasons::STATUS);
}

#[test]
fn a_vendor_model_refuses_the_others() {
    let owners = [
        ("amazfit-smart-scale", AMAZFIT),
        ("senssun-if-b7", SENSSUN),
        ("xiaogui-tzc4", XIAOGUI),
        ("laica-smart-scale", LAICA),
    ];
    for (model, _) in owners {
        for (owner, hex) in owners {
            let outcome = AdvertisingScales::decode(&Input::hex(model, "", hex));
            assert_eq!(outcome.is_ok(), model == owner, "{model} {owner}");
        }
    }
}
