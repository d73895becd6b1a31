//! What the decoder says about itself: models, words, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Input, Manifest};

/// The AVA4 hub.
pub const AVA4: &str = "ava4-hub";
/// The Qube-Vital kiosk.
pub const QUBE_VITAL: &str = "qube-vital";

const KINDS: &[&str] = &[
    kinds::BLOOD_PRESSURE,
    kinds::BLOOD_PRESSURE_SYSTOLIC,
    kinds::BLOOD_PRESSURE_DIASTOLIC,
    kinds::PULSE_RATE,
    kinds::PULSE_RATE_OXIMETER,
    kinds::OXYGEN_SATURATION,
    kinds::BODY_TEMPERATURE,
    kinds::BODY_WEIGHT,
    kinds::BODY_IMPEDANCE,
    kinds::GLUCOSE_CAPILLARY,
];

/// An example: model, what it shows, the payload, its outcome and its values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    (AVA4, "two cuffs and one that failed", r#"{"time":1773337400,"type":"reportAttribute","data":{"attribute":"BP_BIOLIGTH","value":{"device_list":[
        {"scan_time":1773337380,"ble_addr":"d616f9641622","bp_high":137,"bp_low":95,"PR":74},
        {"scan_time":1773337320,"ble_addr":"d616f9641699","bp_high":118,"bp_low":76},
        {"scan_time":1773337310,"ble_addr":"d616f96416aa","bp_high":0,"bp_low":0,"PR":0}]}}}"#, "items", &[
            "d616f9641622 blood-pressure/blood-pressure-systolic 137 mm[Hg]",
            "d616f9641622 blood-pressure/blood-pressure-diastolic 95 mm[Hg]",
            "d616f9641622 pulse-rate 74 /min",
            "d616f9641699 blood-pressure/blood-pressure-systolic 118 mm[Hg]",
            "d616f9641699 blood-pressure/blood-pressure-diastolic 76 mm[Hg]",
            "d616f96416aa nothing failed-measurement",
        ]),
    (AVA4, "one entry that is garbage costs no other", r#"{"time":1773337400,"type":"reportAttribute","data":{"attribute":"BodyScale_JUMPER","value":{"device_list":[
        {"ble_addr":"A0779E1C14D8","weight":"heavy"}, {"ble_addr":"A0779E1C14D9","weight":79.30000305,"resistance":605.9000244}, {"weight":70}]}}}"#, "items", &[
            "A0779E1C14D8 error malformed",
            "A0779E1C14D9 body-weight 79.3 kg",
            "A0779E1C14D9 body-impedance 605.9 Ohm",
            "unnamed error malformed",
        ]),
    (AVA4, "glucose as a text, and one in mmol/L", r#"{"time":1773337400,"type":"reportAttribute","data":{"attribute":"Contour_Elite","value":{"device_list":[
        {"ble_addr":"806fb0750c88","blood_glucose":"108","marker":"After Meal"}, {"ble_addr":"806fb0750c88","blood_glucose":"6.1","marker":"Before Meal"}]}}}"#, "items", &[
            "806fb0750c88 glucose-capillary 108 mg/dL",
            "806fb0750c88 error unsupported",
        ]),
    (AVA4, "heartbeat", r#"{"from":"ESP32_GW","time":1743963911,"type":"HB_Msg","data":{"msg":"Online"}}"#, "nothing", &[]),
    (AVA4, "truncated", r#"{"time":1773337400,"type":"reportAttribute","data":{"#, "error", &[]),
    (QUBE_VITAL, "oximeter; the person is not read", r#"{"time":1714819151,"type":"reportAttribute","citiz":"0","nameEN":"N","data":{"attribute":"Oximeter_JUMPER",
        "ble_mac":"40:2E:71:4A:38:84","value":{"pulse":70,"spo2":97,"pi":70}}}"#, "items", &[
            "40:2E:71:4A:38:84 oxygen-saturation 97 %",
            "40:2E:71:4A:38:84 pulse-rate-oximeter 70 /min",
        ]),
    (QUBE_VITAL, "the temperature of a thing", r#"{"time":1714819151,"type":"reportAttribute","data":{"attribute":"TEMO_Jumper",
        "ble_mac":"FF:23:01:28:10:39","value":{"mode":"Object","Temp":36.88}}}"#, "items", &["FF:23:01:28:10:39 nothing not-a-person"]),
    (QUBE_VITAL, "an unknown attribute", r#"{"time":1,"type":"reportAttribute","data":{"attribute":"ECG","ble_mac":"FF:23:01:28:10:39","value":{}}}"#, "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("ava4-qube-vital", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description(
            "Splits the payloads of AVA4 Bluetooth hubs and Qube-Vital kiosks, which decode their devices themselves.",
        )
        .model(AVA4, "AVA4 Bluetooth hub", &[])
        .model(QUBE_VITAL, "Qube-Vital kiosk", &[])
        .kinds(KINDS);
    for (model, shows, payload, outcome, values) in EXAMPLES {
        let input = Input::new(model, "", payload.as_bytes());
        manifest = manifest.example(&format!("{model}: {shows}"), input, outcome, values);
    }
    manifest
}
