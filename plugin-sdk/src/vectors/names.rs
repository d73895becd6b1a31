//! The names by which vectors call kinds: the registered ones, and older names in vectors that were collected.

use crate::registry::kinds;

/// Older names, and the kinds that each may mean. Any other kind may be written with `_` in place of `-`.
const OLDER: &[(&str, &[&str])] = &[
    ("bp", &[kinds::BLOOD_PRESSURE]),
    ("systolic", &[kinds::BLOOD_PRESSURE_SYSTOLIC]),
    ("diastolic", &[kinds::BLOOD_PRESSURE_DIASTOLIC]),
    ("mean", &[kinds::BLOOD_PRESSURE_MEAN]),
    ("heart_rate", &[kinds::HEART_RATE, kinds::PULSE_RATE, kinds::PULSE_RATE_OXIMETER, kinds::HEART_RATE_RESTING]),
    ("spo2", &[kinds::OXYGEN_SATURATION]),
    ("bmi", &[kinds::BODY_MASS_INDEX]),
    ("body_fat_percent", &[kinds::BODY_FAT_PERCENTAGE]),
    ("muscle_percent", &[kinds::BODY_MUSCLE_PERCENTAGE]),
    ("muscle_mass", &[kinds::BODY_MUSCLE_MASS]),
    ("steps_24h", &[kinds::STEPS_DAY]),
    ("pef", &[kinds::PEAK_EXPIRATORY_FLOW]),
    ("fev1", &[kinds::FORCED_EXPIRATORY_VOLUME_1S]),
    (
        "glucose_capillary",
        &[kinds::GLUCOSE_CAPILLARY, kinds::GLUCOSE_CAPILLARY_WHOLE_BLOOD, kinds::GLUCOSE_CAPILLARY_PLASMA],
    ),
];

/// The kinds that a name in a vector may mean; none for an unknown one.
pub(super) fn meant(name: &str) -> Vec<&'static str> {
    if let Some((_, meant)) = OLDER.iter().find(|(older, _)| *older == name) {
        return meant.to_vec();
    }
    kinds::ALL.iter().copied().filter(|kind| *kind == name || *kind == name.replace('_', "-")).collect()
}
