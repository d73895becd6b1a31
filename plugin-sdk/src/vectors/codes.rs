//! The codes by which vectors name registered kinds.

use crate::registry::kinds;
use crate::{Coding, Value};

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
    (kinds::ECG, "11524-6"),
];

/// The LOINC code where the unit decides: amounts of substance have codes of their own.
const LOINC_IN_MOLES: &[(&str, &str)] =
    &[("41653-7", "14743-9"), ("2339-0", "15074-8"), ("2345-7", "14749-6"), ("99504-3", "105272-9")];

/// The LOINC code of a value of this kind in its unit.
pub(super) fn loinc_of_value<'a>(kind: &str, codings: &'a [Coding], value: &Value) -> &'a str {
    let code = loinc(kind, codings);
    match value {
        Value::Quantity(quantity) if quantity.unit == "mmol/L" => {
            LOINC_IN_MOLES.iter().find(|(mass, _)| *mass == code).map_or(code, |(_, moles)| moles)
        }
        _ => code,
    }
}

/// The LOINC code of a kind, or of the coding that stands for one; empty where there is none.
fn loinc<'a>(kind: &str, codings: &'a [Coding]) -> &'a str {
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
    fn the_codes_in_moles_are_those_of_the_table_of_vitals() {
        let vitals: Value = serde_json::from_str(include_str!("../../../fhir-profiles/vitals.json")).unwrap();
        for kind in vitals["kinds"].as_array().unwrap() {
            let Some(in_moles) = kind["codingsByUnit"].get("mmol/L") else { continue };
            let value = crate::Value::decimal(crate::Decimal::new(55, -1), "mmol/L");
            assert_eq!(super::loinc_of_value(kind["name"].as_str().unwrap(), &[], &value), in_moles[0]["code"]);
        }
    }

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
