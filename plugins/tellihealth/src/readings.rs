//! The readings by `readingType`, after Telli Health's OpenAPI document.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::context_values::meal;
use afferent_plugin_sdk::registry::{contexts, fact_kinds, flags, kinds, methods};
use afferent_plugin_sdk::{DecodeError, Decoded, Reading, Value};

use crate::message::{Envelope, Webhook, percent};

/// Decimal places that a float may have: a hundredth of a pound, of a degree, of a litre.
const PLACES: u8 = 2;

/// Adds the readings of `data`, and warns of members that the type does not have.
pub(crate) fn read(
    webhook: Webhook,
    reading_type: Json<'_>,
    data: Json<'_>,
    envelope: &Envelope<'_>,
    decoded: &mut Decoded,
) -> Result<(), DecodeError> {
    let known: &[&str] = match reading_type.text()? {
        "BloodPressure" => {
            decoded.readings.extend(blood_pressure(data)?);
            &["systolic", "diastolic", "pulse", "arrhythmia"]
        }
        "BloodGlucose" => {
            decoded.readings.extend(glucose(webhook, data)?);
            &["glucose", "readingPeriod", "unit"]
        }
        "Weight" => {
            let unit = unit(data, &[("lb", "[lb_av]"), ("kg", "kg")])?;
            decoded.readings.extend(value(data, "weight", kinds::BODY_WEIGHT, unit)?);
            &["weight", "unit"]
        }
        "SpO2" => {
            decoded.readings.extend(oximetry(data)?);
            if let Some(battery) = data.get("battery")? {
                decoded.add_fact(fact_kinds::BATTERY, percent(battery.decimal()?));
            }
            // The scale of `pi` is not specified (20 stands for 2.0 % on one device, for 20 on another): no reading.
            &["spo2", "pulse", "battery", "rsrp", "pi"]
        }
        "Temperature" => {
            let unit = unit(data, &[("F", "[degF]"), ("C", "Cel")])?;
            decoded.readings.extend(value(data, "temperature", kinds::BODY_TEMPERATURE, unit)?);
            &["temperature", "unit"]
        }
        "PeakFlow" => {
            decoded.readings.extend(value(data, "pef", kinds::PEAK_EXPIRATORY_FLOW, "L/min")?);
            decoded.readings.extend(value(data, "fev1", kinds::FORCED_EXPIRATORY_VOLUME_1S, "L")?);
            &["pef", "fev1"]
        }
        "SleepingMatActivity" | "SleepingMatDuration" => {
            decoded.readings.extend(value(data, "pulse", kinds::HEART_RATE, "/min")?.map(asleep));
            decoded.readings.extend(value(data, "respiration", kinds::RESPIRATORY_RATE, "/min")?.map(asleep));
            // Times in bed and stages of sleep have no kind.
            &[
                "pulse",
                "respiration",
                "bodyTurnOver",
                "bedTime",
                "getUpTime",
                "duration",
                "deepSleep",
                "lightSleep",
                "rem",
            ]
        }
        _ => return Err(reading_type.unsupported("a type of reading that Telli's specification does not have")),
    };
    decoded.readings =
        core::mem::take(&mut decoded.readings).into_iter().map(|reading| envelope.around(reading)).collect();
    for (name, member) in data.members()? {
        if !known.contains(&name) && !member.is_null() {
            decoded.warn_of_metric(name);
        }
    }
    Ok(())
}

/// One number with its unit; none where it is not above zero.
fn value(data: Json<'_>, name: &str, kind: &str, unit: &str) -> Result<Option<Reading>, DecodeError> {
    data.required(name)?;
    Ok(data.measured(name, PLACES)?.map(|number| Reading::new(kind, Value::decimal(number, unit))))
}

/// The UCUM unit that stands for the unit in the payload.
fn unit(data: Json<'_>, units: &[(&str, &'static str)]) -> Result<&'static str, DecodeError> {
    let unit = data.required("unit")?;
    let word = unit.text()?;
    let known = units.iter().find(|(name, _)| *name == word);
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" nor ");
    known.map(|(_, ucum)| *ucum).ok_or_else(|| unit.unsupported(format!("the unit is neither {}", names())))
}

fn asleep(reading: Reading) -> Reading {
    reading.context(contexts::ACTIVITY, afferent_plugin_sdk::registry::context_values::activity::SLEEPING)
}

/// Systolic and diastolic in mm[Hg], and the pulse of the cuff.
fn blood_pressure(data: Json<'_>) -> Result<Vec<Reading>, DecodeError> {
    data.required("systolic")?;
    data.required("diastolic")?;
    let arrhythmia = match data.get("arrhythmia")? {
        Some(bit) => match bit.integer()? {
            0 => false,
            1 => true,
            _ => return Err(bit.unsupported("`arrhythmia` is neither 0 nor 1")),
        },
        None => false,
    };
    let mut readings = Vec::with_capacity(2);
    if let (Some(systolic), Some(diastolic)) = (data.measured("systolic", 1)?, data.measured("diastolic", 1)?) {
        let pressure = |value| Value::decimal(value, "mm[Hg]");
        let reading = Reading::blood_pressure(pressure(systolic), pressure(diastolic));
        readings.push(reading.method(methods::OSCILLOMETRIC));
        let pulse = data.measured("pulse", 1)?;
        readings.extend(pulse.map(|pulse| Reading::new(kinds::PULSE_RATE, Value::decimal(pulse, "/min"))));
    }
    if arrhythmia {
        readings = readings.into_iter().map(|reading| reading.flags(&[flags::IRREGULAR_PULSE])).collect();
    }
    Ok(readings)
}

/// Capillary glucose. Version 1 has no unit and means mg/dL; version 2 must say one.
fn glucose(webhook: Webhook, data: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let unit = match (webhook, data.get("unit")?) {
        (Webhook::V1, None) => "mg/dL",
        _ => unit(data, &[("mg/dL", "mg/dL"), ("mmol/L", "mmol/L")])?,
    };
    let Some(reading) = value(data, "glucose", kinds::GLUCOSE_CAPILLARY, unit)? else { return Ok(None) };
    let reading = reading.method(methods::GLUCOMETER);
    let Some(period) = data.get("readingPeriod")? else { return Ok(Some(reading)) };
    match period.text()? {
        "before" => Ok(Some(reading.context(contexts::MEAL, meal::PRE_PRANDIAL))),
        "after" => Ok(Some(reading.context(contexts::MEAL, meal::POST_PRANDIAL))),
        "" => Ok(Some(reading)),
        _ => Err(period.unsupported("the period is neither before nor after a meal")),
    }
}

/// Saturation and the pulse of the oximeter.
fn oximetry(data: Json<'_>) -> Result<Vec<Reading>, DecodeError> {
    data.required("spo2")?;
    let mut readings = Vec::with_capacity(2);
    let saturation = data.measured("spo2", 1)?.map(|value| Value::decimal(value, "%"));
    readings.extend(saturation.map(|value| Reading::new(kinds::OXYGEN_SATURATION, value).method(methods::SPOT_CHECK)));
    let pulse = data.measured("pulse", 1)?.map(|value| Value::decimal(value, "/min"));
    readings.extend(pulse.map(|value| Reading::new(kinds::PULSE_RATE_OXIMETER, value)));
    Ok(readings)
}
