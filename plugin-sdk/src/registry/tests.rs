//! The constants are the registry's words, in its order.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use serde_json::Value;

fn names(set: &Value) -> Vec<&str> {
    set.as_array().expect("a list").iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

fn registry() -> Value {
    serde_json::from_str(include_str!("../../../fhir-profiles/registry.json")).unwrap()
}

#[test]
fn the_constants_are_the_registry() {
    let registry = registry();
    for (set, constants) in [
        ("flags", super::flags::ALL),
        ("warnings", super::warnings::ALL),
        ("clockStates", super::clock_states::ALL),
        ("bodySites", super::body_sites::ALL),
        ("methods", super::methods::ALL),
        ("contexts", super::contexts::ALL),
        ("nothingReasons", super::nothing_reasons::ALL),
        ("factKinds", super::fact_kinds::ALL),
        ("deviceIdentity", super::device_identity::ALL),
    ] {
        assert_eq!(names(&registry[set]), constants, "{set}");
    }
}

#[test]
fn the_values_of_contexts_are_the_registrys() {
    use super::context_values as values;
    let constants = [
        ("meal", values::meal::ALL),
        ("carbohydrate", values::carbohydrate::ALL),
        ("tester", values::tester::ALL),
        ("health", values::health::ALL),
        ("exercise", values::exercise::ALL),
        ("medication", values::medication::ALL),
        ("posture", values::posture::ALL),
        ("arm", values::arm::ALL),
        ("activity", values::activity::ALL),
    ];
    for context in registry()["contexts"].as_array().unwrap() {
        let name = context["name"].as_str().unwrap();
        let expected = constants.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, words)| words);
        let registered = context.get("values").map(names).unwrap_or_default();
        assert_eq!(registered, expected, "values of {name}");
    }
}

#[test]
fn the_kinds_are_the_table_of_vitals() {
    let vitals: Value = serde_json::from_str(include_str!("../../../fhir-profiles/vitals.json")).unwrap();
    assert_eq!(
        names(&vitals["kinds"]),
        super::kinds::ALL,
        "plugin-sdk/src/registry/kind.rs repeats the names of vitals.json"
    );
}
