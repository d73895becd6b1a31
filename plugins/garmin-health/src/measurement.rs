//! Single measurements: body composition and blood pressure.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{flags, kinds, methods};
use afferent_plugin_sdk::{DecodeError, Decoded, Reading, Value};

use crate::summary::Summary;

/// Weight, fat, body mass index and muscle. Masses come in grams. Bone mass and the share of water have no kind.
pub(crate) fn body_composition(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    for (name, kind, unit) in [
        ("weightInGrams", kinds::BODY_WEIGHT, "kg"),
        ("bodyFatInPercent", kinds::BODY_FAT_PERCENTAGE, "%"),
        ("bodyMassIndex", kinds::BODY_MASS_INDEX, "kg/m2"),
        ("muscleMassInGrams", kinds::BODY_MUSCLE_MASS, "kg"),
    ] {
        let Some(number) = item.measured(name, 3)? else { continue };
        let number = if unit == "kg" { number.shifted(-3) } else { number };
        decoded.readings.push(summary.around(Reading::new(kind, Value::decimal(number, unit))));
    }
    Ok(())
}

/// Pressures in mm[Hg] and the pulse of the cuff; `MANUAL` were typed in.
pub(crate) fn blood_pressure(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let summary = Summary::read(item, decoded)?;
    item.required("systolic")?;
    item.required("diastolic")?;
    let manual = item.get("sourceType")?.map_or(Ok(""), Json::text)?.eq_ignore_ascii_case("manual");
    let flags = if manual { &[flags::MANUAL_ENTRY][..] } else { &[] };
    let (Some(systolic), Some(diastolic)) = (item.measured("systolic", 1)?, item.measured("diastolic", 1)?) else {
        return Ok(());
    };
    let pressure = |value| Value::decimal(value, "mm[Hg]");
    let reading = Reading::blood_pressure(pressure(systolic), pressure(diastolic)).method(methods::OSCILLOMETRIC);
    decoded.readings.push(summary.around(reading.flags(flags)));
    if let Some(pulse) = item.measured("pulse", 1)? {
        let reading = Reading::new(kinds::PULSE_RATE, Value::decimal(pulse, "/min"));
        decoded.readings.push(summary.around(reading.flags(flags)));
    }
    Ok(())
}
