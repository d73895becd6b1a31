//! One metric: `name`, `units` and its data points.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::context_values::meal;
use afferent_plugin_sdk::registry::{contexts, kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Reading, Timestamp, Value};

use crate::units::ucum;

/// Decimal places of what HealthKit converted between units: the rest is the noise of doubles.
const PLACES: u8 = 4;

/// Metrics of one number: name, kind, the units in which they may come.
const SINGLE: &[(&str, &str, &[&str])] = &[
    ("resting_heart_rate", kinds::HEART_RATE_RESTING, &["/min"]),
    ("heart_rate_variability", kinds::HEART_RATE_VARIABILITY, &["ms"]),
    ("respiratory_rate", kinds::RESPIRATORY_RATE, &["/min"]),
    ("blood_oxygen_saturation", kinds::OXYGEN_SATURATION, &["%"]),
    ("oxygen_saturation", kinds::OXYGEN_SATURATION, &["%"]),
    ("body_temperature", kinds::BODY_TEMPERATURE, &["Cel", "[degF]"]),
    ("weight_body_mass", kinds::BODY_WEIGHT, &["kg", "g", "[lb_av]"]),
    ("body_mass", kinds::BODY_WEIGHT, &["kg", "g", "[lb_av]"]),
    ("height", kinds::BODY_HEIGHT, &["cm", "m", "[in_i]"]),
    ("body_fat_percentage", kinds::BODY_FAT_PERCENTAGE, &["%"]),
    ("waist_circumference", kinds::WAIST_CIRCUMFERENCE, &["cm", "[in_i]"]),
    ("peak_expiratory_flow_rate", kinds::PEAK_EXPIRATORY_FLOW, &["L/min"]),
    ("forced_expiratory_volume_1", kinds::FORCED_EXPIRATORY_VOLUME_1S, &["L"]),
    ("active_energy", kinds::ACTIVE_ENERGY, &["kcal", "kJ"]),
];

/// Adds the data points of one metric.
///
/// # Errors
///
/// Name, units or a point's date are missing or no such thing, or the metric does not come in these units.
pub fn metric(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let name = item.required("name")?.text()?;
    let points = item.required("data")?;
    let unit = |allowed: &[&'static str]| ucum(item.required("units")?, allowed);
    let read: &dyn Fn(Json<'_>) -> Result<Option<Reading>, DecodeError> = match name {
        "blood_pressure" => {
            let unit = unit(&["mm[Hg]", "kPa"])?;
            &move |point| blood_pressure(point, unit)
        }
        "heart_rate" => {
            let unit = unit(&["/min"])?;
            &move |point| heart_rate(point, unit)
        }
        "blood_glucose" => {
            let unit = unit(&["mg/dL", "mmol/L"])?;
            &move |point| glucose(point, unit)
        }
        "step_count" => {
            unit(&["{steps}"])?;
            &steps
        }
        // Its unit is a mere count.
        "body_mass_index" => &|point| single(point, kinds::BODY_MASS_INDEX, "kg/m2"),
        _ => match SINGLE.iter().find(|(known, _, _)| *known == name) {
            Some((_, kind, allowed)) => {
                let unit = unit(allowed)?;
                &move |point| single(point, kind, unit)
            }
            None => {
                decoded.warn_of_metric(name);
                return Ok(());
            }
        },
    };
    for point in points.items()? {
        if let Some(reading) = read(point)? {
            decoded.readings.push(timed(name, point, reading)?);
        }
    }
    Ok(())
}

/// Puts time and key around a reading. Totals of a stretch grow, and their sources are joined as more report; a vital
/// sign belongs to the source that measured it.
fn timed(name: &str, point: Json<'_>, reading: Reading) -> Result<Reading, DecodeError> {
    let written = match point.get("date")? {
        Some(date) => date,
        None => point.required("startDate")?,
    };
    let time = Timestamp::parse(written.text()?).map_err(|error| error.at_path(written.path()))?;
    let mut key = format!("{name}/{time}");
    if ![kinds::STEPS, kinds::ACTIVE_ENERGY].contains(&reading.kind.as_str()) {
        let source = point.get("source")?.map_or(Ok(""), Json::text)?;
        key.push('/');
        key.extend(source.chars().filter(|letter| !letter.is_control()).take(60));
    }
    Ok(reading.at(time.device_time()).record_key(Some(key), OnChange::Replace))
}

fn single(point: Json<'_>, kind: &str, unit: &str) -> Result<Option<Reading>, DecodeError> {
    let written = point.required("qty")?;
    let Some(number) = point.measured("qty", PLACES)? else { return Ok(None) };
    if unit == "%" && number.compare(1).is_le() {
        return Err(written.unsupported("a percentage is expected, and this is a share of 1"));
    }
    Ok(Some(Reading::new(kind, Value::decimal(number, unit))))
}

/// Steps of a stretch: whole ones, as HealthKit shares them out between sources.
fn steps(point: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    point.required("qty")?;
    let steps: Option<Decimal> = point.measured("qty", 0)?;
    Ok(steps.map(|steps| Reading::new(kinds::STEPS, Value::decimal(steps, "{steps}")).method(methods::PEDOMETER)))
}

/// `Min`, `Avg` and `Max` of the stretch that the export sums up; a single sample has all three the same.
fn heart_rate(point: Json<'_>, unit: &str) -> Result<Option<Reading>, DecodeError> {
    let name = if point.get("Avg")?.is_some() { "Avg" } else { "qty" };
    point.required(name)?;
    Ok(point.measured(name, PLACES)?.map(|rate| Reading::new(kinds::HEART_RATE, Value::decimal(rate, unit))))
}

fn blood_pressure(point: Json<'_>, unit: &str) -> Result<Option<Reading>, DecodeError> {
    point.required("systolic")?;
    point.required("diastolic")?;
    let (Some(systolic), Some(diastolic)) = (point.measured("systolic", 2)?, point.measured("diastolic", 2)?) else {
        return Ok(None);
    };
    Ok(Some(Reading::blood_pressure(Value::decimal(systolic, unit), Value::decimal(diastolic, unit))))
}

/// A meter's glucose, or a sensor's where the source is one.
fn glucose(point: Json<'_>, unit: &str) -> Result<Option<Reading>, DecodeError> {
    let source = point.get("source")?.map_or(Ok(""), Json::text)?.to_ascii_lowercase();
    let of_sensor = ["dexcom", "libre", "guardian", "eversense"].iter().any(|sensor| source.contains(sensor));
    let kind = if of_sensor { kinds::GLUCOSE_INTERSTITIAL } else { kinds::GLUCOSE_CAPILLARY };
    let Some(reading) = single(point, kind, unit)? else { return Ok(None) };
    Ok(Some(match point.get("mealTime")?.map_or(Ok(""), Json::text)? {
        "Before Meal" => reading.context(contexts::MEAL, meal::PRE_PRANDIAL),
        "After Meal" => reading.context(contexts::MEAL, meal::POST_PRANDIAL),
        _ => reading,
    }))
}
