//! Units, limits, parts and dispositions.

use fhir_model::observation::Value as Written;
use plugin_host::{Coding, Quantity};

use super::*;

fn number(interpreted: &Interpreted) -> String {
    match &interpreted.draft.value {
        Written::Quantity(quantity) => format!("{} {}", quantity.value, quantity.unit),
        other => format!("{other:?}"),
    }
}

#[test]
fn allowed_units_stay_and_others_are_converted() {
    for (kind, text, unit, expected) in [
        ("body-weight", "180.60", "[lb_av]", "180.60 [lb_av]"),
        ("body-weight", "70250", "g", "70250 g"),
        ("body-temperature", "98.6", "[degF]", "98.6 [degF]"),
        ("body-temperature", "36.60", "Cel", "36.60 Cel"),
        ("body-height", "1.750", "m", "175.0 cm"),
        ("body-height", "69.5", "[in_i]", "69.5 [in_i]"),
        ("glucose-capillary", "0.00112", "kg/L", "112 mg/dL"),
        ("glucose-capillary", "0.0055", "mol/L", "5.5 mmol/L"),
    ] {
        let interpreted = meaning(&reading(kind, quantity(text, unit)));
        assert_eq!(number(&interpreted), expected);
        assert!(interpreted.disposition.conditions.is_empty(), "{kind} {text} {unit}");
    }
}

#[test]
fn limits_and_thresholds_see_the_canonical_unit() {
    for (kind, text, unit, canonical, in_unit) in [
        ("body-weight", "180.60", "[lb_av]", 81.918_782, "kg"),
        ("body-temperature", "98.6", "[degF]", 37.0, "Cel"),
        ("glucose-capillary", "5.5", "mmol/L", 99.0858, "mg/dL"),
        ("glucose-capillary", "0.0055", "mol/L", 99.0858, "mg/dL"),
    ] {
        let measure = meaning(&reading(kind, quantity(text, unit))).measure.unwrap();
        assert!((measure.canonical_value - canonical).abs() < 1e-6, "{kind}: {}", measure.canonical_value);
        assert_eq!(measure.canonical_unit, in_unit);
    }
}

#[test]
fn a_unit_of_another_quantity_is_held() {
    let wrong = meaning(&reading("body-weight", quantity("70", "cm")));
    assert_eq!(wrong.disposition.absent.as_deref(), Some("error"));
    assert!(wrong.disposition.held && wrong.conditions.contains(&"unit-not-convertible".to_owned()));
    let unknown = meaning(&reading("body-weight", quantity("70", "stone")));
    assert!(unknown.disposition.held && unknown.conditions.contains(&"unit-not-listed".to_owned()));
}

#[test]
fn outside_the_hard_range_is_held_outside_the_soft_one_flagged() {
    for (kind, text, unit, condition) in [
        ("oxygen-saturation", "100.1", "%", "outside-hard-range"),
        ("oxygen-saturation", "69.9", "%", "outside-soft-range"),
        ("heart-rate", "257", "/min", "outside-soft-range"),
        ("body-weight", "3.2", "kg", "outside-soft-range"),
        ("glucose-interstitial", "12.34", "mg/dL", "outside-soft-range"),
        ("glucose-venous-plasma", "81000", "mmol/L", "outside-hard-range"),
        ("body-temperature", "212.0", "[degF]", "outside-hard-range"),
    ] {
        let interpreted = meaning(&reading(kind, quantity(text, unit)));
        assert_eq!(interpreted.disposition.conditions, [condition], "{kind} {text}");
        assert_eq!(interpreted.warnings(), ["implausible"]);
        assert_eq!(interpreted.disposition.held, condition == "outside-hard-range");
        assert_eq!(interpreted.disposition.forwarded, condition == "outside-soft-range");
    }
}

#[test]
fn a_value_without_contact_is_no_value_to_judge() {
    let reading = flagged(reading("heart-rate", quantity("255", "/min")), &["no-contact"]);
    let interpreted = meaning(&reading);
    assert!(interpreted.warnings().is_empty() && !interpreted.disposition.forwarded);
    assert_eq!(interpreted.disposition.status.code(), "preliminary");
}

#[test]
fn parts_must_fit_together() {
    for (systolic, diastolic, mean, conditions) in [
        ("120", "80", "93", vec![]),
        ("72", "81", "64", vec!["contradictory-parts", "doubtful-parts"]),
        ("48", "28.6", "12", vec!["outside-soft-range", "doubtful-parts"]),
        ("18.9", "11.0", "15.9", vec!["outside-soft-range"]),
        ("2047", "80", "93", vec!["outside-hard-range"]),
    ] {
        let interpreted = meaning(&blood_pressure(mmhg(systolic), mmhg(diastolic), mmhg(mean)));
        assert_eq!(interpreted.disposition.conditions, conditions, "{systolic}/{diastolic}");
        assert_eq!(interpreted.warnings().is_empty(), conditions.is_empty());
    }
}

#[test]
fn all_absent_is_kept_here() {
    let nothing = || absent("not-a-number");
    let interpreted = meaning(&blood_pressure(nothing(), nothing(), nothing()));
    assert!(interpreted.disposition.stored && !interpreted.disposition.forwarded && !interpreted.disposition.held);
    assert_eq!(interpreted.disposition.conditions, ["all-absent"]);
    let one = meaning(&blood_pressure(mmhg("120"), nothing(), nothing()));
    assert!(one.disposition.forwarded);
}

#[test]
fn an_invalid_measurement_loses_its_number_everywhere() {
    let interpreted = meaning(&flagged(blood_pressure(mmhg("120"), mmhg("80"), mmhg("93")), &["invalid"]));
    let json = super::super::preview(&interpreted, &context(), &tables()).unwrap();
    let resource: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(resource["status"], "entered-in-error");
    assert!(!json.contains("valueQuantity"));
    assert_eq!(resource["component"][0]["dataAbsentReason"]["coding"][0]["code"], "error");
}

#[test]
fn a_bound_of_the_meter_is_kept() {
    let Value::Quantity(bound) = quantity("600", "mg/dL") else { unreachable!() };
    let high = Value::Quantity(Quantity { comparator: Some(">".to_owned()), ..bound });
    let interpreted = meaning(&reading("glucose-capillary", high));
    let json = super::super::preview(&interpreted, &context(), &tables()).unwrap();
    assert!(json.contains(r#""valueQuantity":{"value":600,"comparator":">","unit":"mg/dL""#), "{json}");
}

#[test]
fn explicit_codings_name_what_the_table_does_not() {
    let coding = Coding { system: "http://loinc.org".to_owned(), code: "8280-0".to_owned(), display: None };
    let named = Reading { codings: vec![coding], ..reading("", quantity("90", "cm")) };
    let interpreted = meaning(&named);
    assert_eq!(interpreted.kind, "http://loinc.org|8280-0");
    assert!(interpreted.disposition.forwarded);
    assert!(meaning(&reading("a-kind-from-tomorrow", quantity("90", "cm"))).disposition.held);
}

#[test]
fn control_solution_never_becomes_an_observation() {
    let reading = flagged(reading("glucose-capillary", quantity("112", "mg/dL")), &["control-solution"]);
    assert!(!meaning(&reading).disposition.stored);
}

#[test]
fn nobody_wearing_it_is_found_out_in_the_transaction() {
    let interpreted = meaning(&reading("body-weight", quantity("70.250", "kg")));
    let binding = fhir_model::observation::Binding {
        id: "a",
        version: 1,
        last_updated: "2026-11-22T11:00:00Z",
        source: None,
        identifier_system: "urn:uuid:x",
        identifier_value: "y",
        subject: None,
        device: None,
        device_display: None,
        has_member: &[],
        derived_from: &[],
    };
    let tables = tables();
    let authored = super::super::author(&interpreted, &binding, &[], &tables).unwrap();
    assert!(!authored.disposition.forwarded && !authored.disposition.counts.lastn);
    assert!(!authored.json.contains("profile") && !authored.json.contains("subject"));
    let worn = fhir_model::observation::Binding { subject: Some("Patient/p"), ..binding };
    let authored = super::super::author(&interpreted, &worn, &[], &tables).unwrap();
    assert!(authored.disposition.forwarded && authored.json.contains("StructureDefinition/bodyweight"));
    assert_eq!(authored.index.value.unwrap().unit, "kg");
    assert_eq!(authored.index.effective.low, instant("2026-11-22T07:30:00Z"));
    assert_eq!(authored.index.effective.high, instant("2026-11-22T07:30:01Z"));
    let changed = super::super::author(&interpreted, &worn, &["conflicting-record"], &tables).unwrap();
    assert!(changed.disposition.held);
}

#[test]
fn a_number_beyond_conversion_is_beyond_the_limits() {
    for (mantissa, exponent) in [(1, 40), (7, -60)] {
        let value = plugin_host::Decimal { mantissa, exponent };
        let value = Value::Quantity(Quantity { value, unit: "[lb_av]".to_owned(), comparator: None });
        let interpreted = meaning(&reading("body-weight", value));
        assert_eq!(interpreted.disposition.conditions, ["outside-hard-range"]);
    }
}

#[test]
fn a_kind_has_its_type_and_its_place() {
    for (kind, value, condition) in [
        ("body-weight", Value::Integer(70), "unexpected-value"),
        ("body-weight", Value::Text("70 kg".to_owned()), "unexpected-value"),
        ("blood-pressure", mmhg("120"), "unexpected-value"),
        ("blood-pressure-systolic", mmhg("120"), "part-alone"),
    ] {
        let interpreted = meaning(&reading(kind, value));
        assert!(interpreted.disposition.held, "{kind}");
        assert!(interpreted.conditions.iter().any(|met| met == condition), "{kind}");
    }
}

#[test]
fn a_body_mass_index_without_a_value_is_none() {
    for nothing in [
        reading("body-mass-index", absent("not-a-number")),
        flagged(reading("body-mass-index", quantity("24.5", "kg/m2")), &["invalid"]),
    ] {
        assert!(!meaning(&nothing).disposition.stored);
    }
    assert!(meaning(&reading("body-mass-index", quantity("24.5", "kg/m2"))).disposition.forwarded);
}

#[test]
fn circumstances_of_a_vital_sign_are_extensions() {
    let mut reading = reading("body-weight", quantity("70", "kg"));
    let named = |name: &str, value: &str| plugin_host::NameValue { name: name.to_owned(), value: value.to_owned() };
    reading.context = vec![named("posture", "standing"), named("carbohydrate-grams", "20.0")];
    let draft = meaning(&reading).draft;
    assert!(draft.components.is_empty());
    let texts = draft.extensions.iter().filter_map(|(name, value)| match value {
        fhir_model::observation::ExtensionValue::Concept(concept) => Some((*name, concept.text.clone().unwrap())),
        _ => None,
    });
    let expected = ["Posture: Standing", "Carbohydrate amount: 20.0 g"];
    assert!(texts.eq(expected.map(|text| ("reading-context", text.to_owned()))));
}
