//! Whole Observations, as text. The files are valid against R4 and its vital-signs profiles by the official validator.

use plugin_host::{DeviceTime, NameValue, Reading};

use super::super::{outlook, preview};
use super::*;

/// The preview equals the file in every digit and in the order of its elements.
#[track_caller]
fn check(reading: &Reading, golden: &str, expected_outlook: &str) {
    let interpreted = meaning(reading);
    let expected: serde_json::Value = serde_json::from_str(golden).unwrap();
    let actual = preview(&interpreted, &context(), &tables()).unwrap();
    assert_eq!(actual, expected.to_string());
    assert_eq!(outlook(&interpreted), expected_outlook);
}

const PLAIN: &str = "final; forwarded; counts for $lastn, alerts, billing; time: device-local";

#[test]
fn blood_pressure_in_millimetres_of_mercury() {
    let reading = blood_pressure(mmhg("120"), mmhg("80"), mmhg("93"));
    check(&reading, include_str!("golden/blood-pressure.json"), PLAIN);
}

#[test]
fn blood_pressure_in_kilopascal_keeps_the_original() {
    let kpa = |text| quantity(text, "kPa");
    let mut reading = blood_pressure(kpa("18.9"), kpa("11.0"), kpa("15.9"));
    reading.user_slot = Some("2".to_owned());
    check(&reading, include_str!("golden/blood-pressure-kpa.json"), PLAIN);
}

#[test]
fn half_a_blood_pressure_says_why() {
    let mut reading = blood_pressure(mmhg("130"), absent("not-a-number"), absent("not-a-number"));
    // Even when the decoder leaves the diastolic out, the profile's component is there.
    reading.components.remove(1);
    check(&reading, include_str!("golden/blood-pressure-half.json"), PLAIN);
}

#[test]
fn body_weight_keeps_its_digits() {
    let reading = reading("body-weight", quantity("70.250", "kg"));
    check(&reading, include_str!("golden/body-weight.json"), PLAIN);
}

#[test]
fn body_temperature_with_its_site() {
    let reading =
        Reading { body_site: Some("ear".to_owned()), ..reading("body-temperature", quantity("36.60", "Cel")) };
    check(&reading, include_str!("golden/body-temperature.json"), PLAIN);
}

#[test]
fn oxygen_saturation_that_was_not_final_by_a_clock_that_was_not_set() {
    let mut reading = flagged(reading("oxygen-saturation", quantity("97", "%")), &["ongoing", "poor-signal"]);
    reading.time = DeviceTime::Local("2017-01-01T01:34:19".to_owned());
    reading.clock_state = "not-set".to_owned();
    reading.method = Some("spot-check".to_owned());
    reading.record_key = None;
    let expected = "preliminary; not forwarded; counts for nothing; time: receipt; because: The measurement was still running: the value is not final.";
    check(&reading, include_str!("golden/oxygen-saturation-ongoing.json"), expected);
}

#[test]
fn demonstration_data_is_labelled() {
    let reading = flagged(reading("pulse-rate-oximeter", quantity("72", "/min")), &["demo"]);
    let expected = "final; not forwarded; counts for nothing; time: device-local; because: Demonstration data of the device, not a measurement of a person.";
    check(&reading, include_str!("golden/pulse-rate-demo.json"), expected);
}

#[test]
fn a_special_value_is_a_reason_and_no_number() {
    let reading = reading("body-temperature", absent("positive-infinity"));
    let expected =
        "final; not forwarded; counts for nothing; time: device-local; because: The payload carries no value.";
    check(&reading, include_str!("golden/body-temperature-absent.json"), expected);
}

#[test]
fn glucose_with_its_meal_by_hand() {
    let mut reading = flagged(reading("glucose-capillary-whole-blood", quantity("5.5", "mmol/L")), &["manual-entry"]);
    let named = |name: &str, value: &str| NameValue { name: name.to_owned(), value: value.to_owned() };
    reading.context = vec![named("meal", "pre-prandial"), named("carbohydrate-grams", "20.0")];
    let expected = "final; forwarded; counts for $lastn, alerts; time: device-local; because: A person typed the value in; no sensor measured it.";
    check(&reading, include_str!("golden/glucose-manual.json"), expected);
}

#[test]
fn a_day_of_steps_is_a_period() {
    let mut reading = reading("steps", quantity("2937", "{steps}"));
    reading.time = DeviceTime::Local("2026-11-21T00:00:00".to_owned());
    reading.time_end = DeviceTime::Local("2026-11-22T00:00:00".to_owned());
    let expected = "final; forwarded; counts for $lastn; time: device-local";
    check(&reading, include_str!("golden/steps.json"), expected);
}
