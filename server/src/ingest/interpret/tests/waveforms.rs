//! Waveforms: what is written, and by which limits they are judged.

use fhir_model::observation::Value as Written;
use plugin_host::SampledData;

use super::*;

/// A lead in the device's unit: counts of 0.01, 4 ms apart.
fn lead(unit: &str, samples: Vec<i32>) -> Value {
    Value::Sampled(SampledData {
        origin: Decimal { mantissa: 0, exponent: 0 },
        period_ms: Decimal { mantissa: 4, exponent: 0 },
        factor: Decimal { mantissa: 1, exponent: -2 },
        unit: unit.to_owned(),
        lower_limit: Some(Decimal { mantissa: -500, exponent: 0 }),
        upper_limit: Some(Decimal { mantissa: 500, exponent: 0 }),
        dimensions: 1,
        samples,
    })
}

fn ecg(parts: Vec<(&str, Value)>) -> Reading {
    let components = parts.into_iter().map(|(kind, value)| component(kind, value)).collect();
    Reading { components, ..reading("ecg", Value::None) }
}

#[test]
fn what_is_no_number_is_a_letter() {
    let samples = vec![-120, SampledData::MISSING, SampledData::BELOW_LIMIT, SampledData::ABOVE_LIMIT, 7];
    let interpreted = meaning(&ecg(vec![("ecg-lead-i", lead("mV", samples))]));
    assert!(interpreted.disposition.forwarded && !interpreted.disposition.held);
    let Written::Samples(written) = &interpreted.draft.components[0].value else { panic!("no samples") };
    assert_eq!(written.data, "-120 E L U 7");
    assert_eq!((written.factor.to_string(), written.origin.unit.as_str()), ("0.01".to_owned(), "mV"));
    assert_eq!(interpreted.draft.components[0].code.codings[0].code, "131329");
}

#[test]
fn leads_stand_in_the_order_of_the_table_and_one_that_was_off_says_why() {
    let off = absent("error");
    let interpreted = meaning(&ecg(vec![("ecg-lead-v1", off), ("ecg-lead-ii", lead("uV", vec![1, 2]))]));
    let codes: Vec<&str> = interpreted.draft.components.iter().map(|part| part.code.codings[0].code.as_str()).collect();
    assert_eq!(codes, ["131330", "131331"]);
    assert_eq!(interpreted.draft.components[1].value, Written::Absent("error".to_owned()));
    assert!(!interpreted.conditions.iter().any(|met| met == "all-absent"));
    let nothing = meaning(&ecg(vec![("ecg-lead-i", absent("error"))]));
    assert!(nothing.conditions.iter().any(|met| met == "all-absent") && !nothing.disposition.forwarded);
}

#[test]
fn the_greatest_and_the_least_sample_are_judged_in_the_unit_of_the_table() {
    let held = |unit: &str, samples| {
        let interpreted = meaning(&ecg(vec![("ecg-lead-i", lead(unit, samples))]));
        interpreted.conditions.iter().any(|met| met == "outside-hard-range")
    };
    // 400 mV is the limit.
    assert!(!held("mV", vec![-40_000, 0, 40_000]));
    assert!(held("mV", vec![0, 40_001, 5]) && held("mV", vec![0, -40_001]));
    assert!(!held("uV", vec![0, 40_001]), "a thousandth of it");
    assert!(!held("mV", vec![1, SampledData::ABOVE_LIMIT]), "a letter is no number");
}

#[test]
fn a_waveform_in_the_wrong_place_or_unit_is_held() {
    for (reading, condition) in [
        (reading("body-weight", lead("kg", vec![7_000])), "unexpected-value"),
        (reading("plethysmogram", quantity("7", "1")), "unexpected-value"),
        (reading("plethysmogram", lead("mV", vec![7])), "unit-not-convertible"),
        (reading("ecg-lead-i", lead("mV", vec![7])), "part-alone"),
    ] {
        let interpreted = meaning(&reading);
        assert!(interpreted.disposition.held, "{condition}");
        assert!(interpreted.conditions.iter().any(|met| met == condition), "{:?}", interpreted.conditions);
    }
    assert!(meaning(&reading("plethysmogram", lead("1", vec![7]))).disposition.forwarded);
}

#[test]
fn another_sample_is_another_content() {
    let hash = |samples| meaning(&ecg(vec![("ecg-lead-i", lead("mV", samples))])).identity.content_hash;
    assert_eq!(hash(vec![1, 2, 3]), hash(vec![1, 2, 3]));
    assert_ne!(hash(vec![1, 2, 3]), hash(vec![1, 2, 4]));
    assert_ne!(hash(vec![1, 2, 3]), hash(vec![1, 2, SampledData::MISSING]));
}
