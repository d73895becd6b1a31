//! The decoder against its vectors, cut short and with flipped bits; its examples; and that nothing of the person leaves.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::registry::warnings;
use afferent_plugin_sdk::vectors::{HubRunner, hub_example_problems};
use afferent_plugin_sdk::{HubDecoder, HubOutcome, Input};
use ava4_qube_vital::Ava4QubeVital;

fn split(model: &str, payload: &str) -> HubOutcome {
    Ava4QubeVital::split(&Input::new(model, "", payload.as_bytes())).unwrap_or_else(HubOutcome::Error)
}

#[test]
fn every_vector_passes() {
    for (format, at_least) in [("ava4-hub", 5), ("qube-vital", 3)] {
        let runner = HubRunner::<Ava4QubeVital>::new()
            .file(format!("vectors/{format}.jsonl"))
            // Hubs whose clock is in 2028: only the host knows what time it is.
            .host_warnings(&[warnings::DEVICE_TIME_UNTRUSTED]);
        assert!(runner.len() >= at_least, "{format}: vectors are missing");
        runner.assert_all();
    }
}

#[test]
fn the_manifest_keeps_its_own_examples() {
    let problems = hub_example_problems::<Ava4QubeVital>();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A kiosk's payload carries a national id, names and a birth date. Whatever becomes of it, they stay where they are.
#[test]
fn nothing_of_the_person_leaves() {
    let person = r#""citiz":"3570300400000","nameTH":"SECRETTH","nameEN":"SECRETEN","brith":"25220713","gender":"1""#;
    let secrets = ["3570300400000", "SECRETTH", "SECRETEN", "25220713"];
    let payloads = [
        r#"{"time":1739360702,"type":"reportAttribute",PERSON,"data":{"attribute":"WBP_JUMPER","ble_mac":"FF:22:09:08:31:31","value":{"bp_high":120,"bp_low":78,"pr":71}}}"#,
        // Everything wrong that can be: the refusal must not repeat what it refuses.
        r#"{"time":"SECRETEN","type":"reportAttribute",PERSON,"data":{"attribute":"WBP_JUMPER","ble_mac":"FF:22:09:08:31:31","value":{"bp_high":120,"bp_low":78}}}"#,
        r#"{"time":1,"type":"SECRETEN",PERSON,"data":{}}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON,"data":{"attribute":"SECRETEN","ble_mac":"FF:22:09:08:31:31","value":{}}}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON,"data":{"attribute":"CONTOUR","ble_mac":"SECRETEN","value":{}}}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON,"data":{"attribute":"CONTOUR","ble_mac":"FF:22:09:08:31:31","value":{"blood_glucose":"SECRETEN"}}}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON,"data":{"attribute":"CONTOUR","ble_mac":"FF:22:09:08:31:31","value":{"blood_glucose":97,"marker":"SECRETEN"}}}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON,PERSON,"data":"SECRETEN"}"#,
        r#"{"time":1,"type":"reportAttribute",PERSON"#,
    ];
    for payload in payloads {
        let outcome = format!("{:?}", split("qube-vital", &payload.replace("PERSON", person)));
        for secret in secrets {
            assert!(!outcome.contains(secret), "{payload}: {outcome}");
        }
    }
}

/// The same record is the same again, whichever way the hub spells the address; another second is another record.
#[test]
fn records_are_known_by_device_attribute_and_second() {
    let key = |address: &str, time: &str| {
        let payload = format!(
            r#"{{"time":1,"type":"reportAttribute","data":{{"attribute":"BP_BIOLIGTH","value":{{"device_list":[{{"scan_time":{time},"ble_addr":"{address}","bp_high":120,"bp_low":80}}]}}}}}}"#
        );
        let HubOutcome::Items(items) = split("ava4-hub", &payload) else { panic!("{payload}") };
        let afferent_plugin_sdk::HubContent::Readings(decoded) = items[0].content.clone() else { panic!("{payload}") };
        decoded.readings[0].record_key.clone()
    };
    let first = key("d616f9641622", "1773337380");
    assert_eq!(first, key("D6:16:F9:64:16:22", "1773337380"));
    assert_ne!(first, key("d616f9641622", "1773337381"));
    assert_ne!(first, key("d616f9641623", "1773337380"));
}
