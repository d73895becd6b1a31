//! A page of the API: one list by its name, with the unit beside it. 0 means that a value was not measured.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::context_values::meal;
use afferent_plugin_sdk::registry::{contexts, flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Outcome, Reading, Timestamp, Value};

use crate::record::Record;

const DAY_MS: i64 = 86_400_000;

/// `IsArr` 2: arrhythmia. -1, 0 and 3 say nothing, 1 is a normal rhythm.
const ARRHYTHMIA: i64 = 2;

/// Lists of the API that have no kind here.
const UNTRANSLATED: &[&str] = &["SRDataList", "SPORTDataList", "FoodDataList", "TDataList"];

type Read = fn(Json<'_>, &Record<'_>, &'static str) -> Result<Vec<Reading>, DecodeError>;

/// Decodes one page.
///
/// # Errors
///
/// The page has none of the API's lists, or a unit that the API does not have.
pub fn page(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let lists: [(&str, &str, &[&'static str], Read); 5] = [
        ("BPDataList", "BPUnit", &["mm[Hg]", "kPa"], blood_pressure),
        ("BGDataList", "BGUnit", &["mg/dL", "mmol/L"], glucose),
        ("BODataList", "", &["%"], oximetry),
        ("WeightDataList", "WeightUnit", &["kg", "[lb_av]", STONE], weight),
        ("ARDataList", "", &["{steps}/(24.h)"], steps),
    ];
    let mut decoded = Decoded::from(Vec::new());
    let mut known = false;
    for (list, unit_name, units, read) in lists {
        let Some(items) = root.get(list)? else { continue };
        known = true;
        for item in items.items()? {
            let unit = if unit_name.is_empty() { units.first() } else { unit(root.required(unit_name)?, units)? };
            let record = Record::read(item)?;
            let readings = read(item, &record, unit.copied().unwrap_or_default())?;
            decoded.readings.extend(readings);
        }
    }
    for list in UNTRANSLATED {
        if root.get(list)?.is_some() {
            known = true;
            decoded.warn_of_metric(list);
        }
    }
    if !known {
        return Err(root.malformed("none of the lists of iHealth's API is here"));
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the page has no measured value"))
}

/// The unit that stands at the number's place.
fn unit<'u>(number: Json<'_>, units: &'u [&'static str]) -> Result<Option<&'u &'static str>, DecodeError> {
    let place = usize::try_from(number.integer()?).ok();
    let unit = place.and_then(|place| units.get(place));
    if unit.is_none() {
        return Err(number.unsupported("a unit that iHealth's documentation does not have"));
    }
    Ok(unit)
}

fn blood_pressure(item: Json<'_>, record: &Record<'_>, unit: &'static str) -> Result<Vec<Reading>, DecodeError> {
    let mut readings = Vec::with_capacity(2);
    if let (Some(systolic), Some(diastolic)) = (item.measured("HP", 2)?, item.measured("LP", 2)?) {
        let pressure = |value| Value::decimal(value, unit);
        let reading = Reading::blood_pressure(pressure(systolic), pressure(diastolic));
        readings.push(record.around(reading.method(methods::OSCILLOMETRIC)));
        let pulse = item.measured("HR", 1)?.map(|pulse| Value::decimal(pulse, "/min"));
        readings.extend(pulse.map(|pulse| record.around(Reading::new(kinds::PULSE_RATE, pulse))));
    }
    if item.get("IsArr")?.map_or(Ok(0), Json::integer)? == ARRHYTHMIA {
        readings = readings.into_iter().map(|reading| reading.flags(&[flags::IRREGULAR_PULSE])).collect();
    }
    Ok(readings)
}

fn glucose(item: Json<'_>, record: &Record<'_>, unit: &'static str) -> Result<Vec<Reading>, DecodeError> {
    let Some(glucose) = item.measured("BG", 2)? else { return Ok(Vec::new()) };
    let mut reading = Reading::new(kinds::GLUCOSE_CAPILLARY, Value::decimal(glucose, unit)).method(methods::GLUCOMETER);
    let situation = item.get("DinnerSituation")?.map_or(Ok(""), Json::text)?.to_ascii_lowercase();
    let is_meal = ["breakfast", "lunch", "dinner"].iter().any(|meal| situation.ends_with(meal));
    if is_meal && situation.starts_with("before") {
        reading = reading.context(contexts::MEAL, meal::PRE_PRANDIAL);
    } else if is_meal && situation.starts_with("after") {
        reading = reading.context(contexts::MEAL, meal::POST_PRANDIAL);
    } else if situation.contains("sleep") || situation.contains("bedtime") {
        reading = reading.context(contexts::MEAL, meal::BEDTIME);
    }
    Ok(vec![record.around(reading)])
}

fn oximetry(item: Json<'_>, record: &Record<'_>, unit: &'static str) -> Result<Vec<Reading>, DecodeError> {
    let mut readings = Vec::with_capacity(2);
    let saturation = item.measured("BO", 1)?.map(|value| Value::decimal(value, unit));
    let saturation = saturation.map(|value| Reading::new(kinds::OXYGEN_SATURATION, value).method(methods::SPOT_CHECK));
    readings.extend(saturation.map(|reading| record.around(reading)));
    let pulse = item.measured("HR", 1)?.map(|pulse| Value::decimal(pulse, "/min"));
    readings.extend(pulse.map(|pulse| record.around(Reading::new(kinds::PULSE_RATE_OXIMETER, pulse))));
    Ok(readings)
}

/// The British stone, which UCUM has and the host's list of units has not: exactly 14 pounds.
const STONE: &str = "[stone_av]";

/// Weight, body mass index and fat. The API converts what the scale measured (171.0 lb are 77.5643875134944 kg), so the
/// digits are kept to a tenth of a gram.
fn weight(item: Json<'_>, record: &Record<'_>, unit: &'static str) -> Result<Vec<Reading>, DecodeError> {
    let mut readings = Vec::with_capacity(3);
    if let Some(weight) = item.measured("WeightValue", 4)? {
        let value = match unit {
            STONE => Value::decimal(Decimal::new(weight.mantissa.saturating_mul(14), weight.exponent), "[lb_av]"),
            _ => Value::decimal(weight, unit),
        };
        readings.push(record.around(Reading::new(kinds::BODY_WEIGHT, value)));
    }
    for (name, places, kind, unit) in
        [("BMI", 5, kinds::BODY_MASS_INDEX, "kg/m2"), ("FatValue", 2, kinds::BODY_FAT_PERCENTAGE, "%")]
    {
        let value = item.measured(name, places)?.map(|value| Value::decimal(value, unit));
        readings.extend(value.map(|value| record.around(Reading::new(kind, value))));
    }
    Ok(readings)
}

/// The steps of the day in which the record's time lies. A day without steps was not worn.
fn steps(item: Json<'_>, record: &Record<'_>, unit: &'static str) -> Result<Vec<Reading>, DecodeError> {
    let Some(steps) = item.measured("Steps", 0)? else { return Ok(Vec::new()) };
    let midnight = Timestamp::parse_date(&record.time.date_text())?;
    let midnight = match record.time.offset_minutes() {
        Some(minutes) => midnight.with_wall_clock_offset(minutes),
        None => midnight,
    };
    let reading = record.around(Reading::new(kinds::STEPS_DAY, Value::decimal(steps, unit)).method(methods::PEDOMETER));
    Ok(vec![reading.at(midnight.device_time()).until(midnight.plus_ms(DAY_MS)?.device_time())])
}
