//! A data point: type, start, end and values, which are IEEE single floats that were printed as decimals.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::context_values::{arm, meal, posture};
use afferent_plugin_sdk::registry::{body_sites, contexts, flags, kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Reading, Timestamp, Value};

/// Significant digits that a single float carries.
const DIGITS: u8 = 7;

/// Types of one number: name, kind, UCUM unit.
const SINGLE: &[(&str, &str, &str)] = &[
    ("com.google.heart_rate.bpm", kinds::HEART_RATE, "/min"),
    ("com.google.weight", kinds::BODY_WEIGHT, "kg"),
    ("com.google.height", kinds::BODY_HEIGHT, "m"),
    ("com.google.body.fat.percentage", kinds::BODY_FAT_PERCENTAGE, "%"),
    ("com.google.oxygen_saturation", kinds::OXYGEN_SATURATION, "%"),
    ("com.google.body.temperature", kinds::BODY_TEMPERATURE, "Cel"),
    ("com.google.step_count.delta", kinds::STEPS, "{steps}"),
];

/// Adds what a point says.
///
/// # Errors
///
/// Type, times or values are missing or no such thing.
pub fn point(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let name = item.required("dataTypeName")?.text()?;
    let values = Values(item.required("value")?);
    let reading = match name {
        "com.google.blood_pressure" => blood_pressure(&values)?,
        "com.google.blood_glucose" => glucose(&values)?,
        _ => match SINGLE.iter().find(|(known, _, _)| *known == name) {
            Some((_, kind, unit)) => values.number(0)?.map(|value| Reading::new(kind, Value::decimal(value, unit))),
            None => {
                decoded.warn_of_metric(name);
                return Ok(());
            }
        },
    };
    let Some(mut reading) = reading else { return Ok(()) };
    let start = time(item.required("startTimeNanos")?)?;
    let end = time(item.required("endTimeNanos")?)?;
    let origin = item.get("originDataSourceId")?.map_or(Ok(""), Json::text)?;
    reading = reading.at(start.device_time());
    if end != start {
        reading = reading.until(end.device_time());
    }
    if reading.kind == kinds::STEPS {
        reading = reading.method(methods::PEDOMETER);
    }
    if origin.ends_with(":user_input") {
        reading = reading.flags(&[flags::MANUAL_ENTRY]);
    }
    // Points of one origin do not overlap, and one that was modified comes again with the same times.
    let shown: String = origin.chars().filter(|letter| !letter.is_control()).take(200).collect();
    decoded.readings.push(reading.record_key(Some(format!("{name}/{start}/{end}/{shown}")), OnChange::Replace));
    Ok(())
}

fn time(nanoseconds: Json<'_>) -> Result<Timestamp, DecodeError> {
    Timestamp::from_epoch_nanoseconds(nanoseconds.integer()?).map_err(|error| error.at_path(nanoseconds.path()))
}

/// The values of a point, by the places that the type gives them.
struct Values<'d>(Json<'d>);

impl<'d> Values<'d> {
    /// The value at this place; none where the list is shorter, or its `fpVal` and `intVal` are missing.
    fn at(&self, place: usize) -> Result<Option<Json<'d>>, DecodeError> {
        let Some(value) = self.0.items()?.nth(place) else { return Ok(None) };
        Ok(match value.get("fpVal")? {
            Some(number) => Some(number),
            None => value.get("intVal")?,
        })
    }

    /// A number without the noise of single floats; none where it is not above zero.
    fn number(&self, place: usize) -> Result<Option<Decimal>, DecodeError> {
        let Some(value) = self.at(place)? else { return Ok(None) };
        let before_the_point =
            value.rounded(0)?.mantissa.unsigned_abs().checked_ilog10().map_or(0, |digits| digits + 1);
        let places = DIGITS.saturating_sub(u8::try_from(before_the_point).unwrap_or(DIGITS));
        Ok(Some(value.rounded(places)?).filter(|number| number.compare(0).is_gt()))
    }

    /// A code; 0 where there is none.
    fn code(&self, place: usize) -> Result<i64, DecodeError> {
        self.at(place)?.map_or(Ok(0), Json::integer)
    }
}

/// Systolic, diastolic, posture, and where the cuff sat.
fn blood_pressure(values: &Values<'_>) -> Result<Option<Reading>, DecodeError> {
    let (Some(systolic), Some(diastolic)) = (values.number(0)?, values.number(1)?) else { return Ok(None) };
    let pressure = |value| Value::decimal(value, "mm[Hg]");
    let reading = Reading::blood_pressure(pressure(systolic), pressure(diastolic));
    let reading = match values.code(2)? {
        1 => reading.context(contexts::POSTURE, posture::STANDING),
        2 => reading.context(contexts::POSTURE, posture::SITTING),
        3 => reading.context(contexts::POSTURE, posture::LYING),
        _ => reading,
    };
    Ok(Some(match values.code(3)? {
        1 => reading.body_site(body_sites::WRIST).context(contexts::ARM, arm::LEFT),
        2 => reading.body_site(body_sites::WRIST).context(contexts::ARM, arm::RIGHT),
        3 => reading.body_site(body_sites::UPPER_ARM).context(contexts::ARM, arm::LEFT),
        4 => reading.body_site(body_sites::UPPER_ARM).context(contexts::ARM, arm::RIGHT),
        _ => reading,
    }))
}

/// mmol/L, relation to a meal, kind of meal, relation to sleep, specimen.
fn glucose(values: &Values<'_>) -> Result<Option<Reading>, DecodeError> {
    let Some(glucose) = values.number(0)? else { return Ok(None) };
    let kind = match values.code(4)? {
        0 | 2 => kinds::GLUCOSE_CAPILLARY,
        1 => kinds::GLUCOSE_INTERSTITIAL,
        3 | 4 => kinds::GLUCOSE_PLASMA,
        6 => kinds::GLUCOSE_WHOLE_BLOOD,
        _ => return Err(values.0.unsupported("a specimen in which glucose has no kind")),
    };
    let reading = Reading::new(kind, Value::decimal(glucose, "mmol/L"));
    Ok(Some(match values.code(1)? {
        1 => reading.context(contexts::MEAL, meal::CASUAL),
        2 => reading.context(contexts::MEAL, meal::FASTING),
        3 => reading.context(contexts::MEAL, meal::PRE_PRANDIAL),
        4 => reading.context(contexts::MEAL, meal::POST_PRANDIAL),
        _ => reading,
    }))
}
