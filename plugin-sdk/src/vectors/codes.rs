//! The codes by which vectors name registered kinds.

use crate::Coding;
use crate::registry::kinds;

/// The first LOINC code of each kind in `fhir-profiles/vitals.json`.
const LOINC: &[(&str, &str)] = &[
    (kinds::BLOOD_PRESSURE, "85354-9"),
    (kinds::BLOOD_PRESSURE_SYSTOLIC, "8480-6"),
    (kinds::BLOOD_PRESSURE_DIASTOLIC, "8462-4"),
    (kinds::BLOOD_PRESSURE_MEAN, "8478-0"),
    (kinds::PULSE_RATE, "8867-4"),
    (kinds::PULSE_RATE_OXIMETER, "8867-4"),
    (kinds::HEART_RATE, "8867-4"),
    (kinds::HEART_RATE_RESTING, "40443-4"),
    (kinds::HEART_RATE_VARIABILITY, "80404-7"),
    (kinds::OXYGEN_SATURATION, "2708-6"),
    (kinds::PERFUSION_INDEX, "61006-3"),
    (kinds::BODY_TEMPERATURE, "8310-5"),
    (kinds::BODY_WEIGHT, "29463-7"),
    (kinds::BODY_HEIGHT, "8302-2"),
    (kinds::BODY_MASS_INDEX, "39156-5"),
    (kinds::RESPIRATORY_RATE, "9279-1"),
    (kinds::BODY_FAT_PERCENTAGE, "41982-0"),
    (kinds::BODY_MUSCLE_MASS, "73964-9"),
    (kinds::WAIST_CIRCUMFERENCE, "8280-0"),
    (kinds::GLUCOSE_CAPILLARY, "41653-7"),
    (kinds::GLUCOSE_CAPILLARY_WHOLE_BLOOD, "41653-7"),
    (kinds::GLUCOSE_CAPILLARY_PLASMA, "41653-7"),
    (kinds::GLUCOSE_VENOUS_WHOLE_BLOOD, "2339-0"),
    (kinds::GLUCOSE_VENOUS_PLASMA, "2345-7"),
    (kinds::GLUCOSE_ARTERIAL_WHOLE_BLOOD, "2339-0"),
    (kinds::GLUCOSE_ARTERIAL_PLASMA, "2345-7"),
    (kinds::GLUCOSE_WHOLE_BLOOD, "2339-0"),
    (kinds::GLUCOSE_PLASMA, "2345-7"),
    (kinds::GLUCOSE_INTERSTITIAL, "99504-3"),
    (kinds::HBA1C, "4548-4"),
    (kinds::STEPS, "55423-8"),
    (kinds::STEPS_DAY, "41950-7"),
    (kinds::ACTIVE_ENERGY, "41981-2"),
    (kinds::PEAK_EXPIRATORY_FLOW, "19935-6"),
    (kinds::FORCED_EXPIRATORY_VOLUME_1S, "20150-9"),
];

/// The LOINC code of a kind, or of the coding that stands for one; empty where there is none.
pub(super) fn loinc<'a>(kind: &str, codings: &'a [Coding]) -> &'a str {
    match LOINC.iter().find(|(known, _)| *known == kind) {
        Some((_, code)) => code,
        None => codings.iter().find(|coding| coding.system == "http://loinc.org").map_or("", |coding| &coding.code),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::Value;

    #[test]
    fn the_codes_are_those_of_the_table_of_vitals() {
        let vitals: Value = serde_json::from_str(include_str!("../../../fhir-profiles/vitals.json")).unwrap();
        for kind in vitals["kinds"].as_array().unwrap() {
            let codings = kind["codings"].as_array().unwrap();
            let loinc: Vec<_> = codings
                .iter()
                .filter(|coding| coding["system"] == "http://loinc.org")
                .map(|coding| &coding["code"])
                .collect();
            // Vectors name the most telling code; the profile may demand a more general one in front of it.
            let code = super::loinc(kind["name"].as_str().unwrap(), &[]);
            assert!(
                loinc.iter().any(|known| *known == code) || loinc.is_empty() && code.is_empty(),
                "{}",
                kind["name"]
            );
        }
    }
}
