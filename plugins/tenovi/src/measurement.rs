//! One measurement: `metric`, `value_1`, `value_2`, and when and by which device it was measured. Units are not in the
//! payload; they are those of Tenovi's device overview.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::context_values::meal;
use afferent_plugin_sdk::registry::{body_sites, contexts, device_identity, fact_kinds, flags, kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Reading, Timestamp, Value};

/// Decimal places of the finest value: hundredths of a pound.
const PLACES: u8 = 2;

/// The cuff that is connected through the gateway.
const SENSOR_CUFF: &str = "10";

/// Oximeters: Tenovi's and Nonin's.
const SENSORS_OXIMETER: &[&str] = &["11", "24"];

/// Adds what one measurement says.
///
/// # Errors
///
/// Metric, device, time or value are missing or no such thing.
pub fn measurement(item: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let metric = item.required("metric")?.text()?;
    let device = item.required("hwi_device_id")?.identifier()?;
    let reading = match metric {
        "blood_pressure" => blood_pressure(item)?,
        "pulse" => number(item, pulse_kind(item)?, "/min")?,
        "spO2" | "spo2" => {
            number(item, kinds::OXYGEN_SATURATION, "%")?.map(|reading| reading.method(methods::SPOT_CHECK))
        }
        "perfusion_index" => number(item, kinds::PERFUSION_INDEX, "%")?,
        "weight" => number(item, kinds::BODY_WEIGHT, "[lb_av]")?,
        "temperature" => temperature(item)?,
        "glucose" | "blood_glucose" => glucose(item)?,
        "peak_expiratory_flow" => number(item, kinds::PEAK_EXPIRATORY_FLOW, "L/min")?,
        "forced_expiratory_volume" => number(item, kinds::FORCED_EXPIRATORY_VOLUME_1S, "L")?,
        "steps" => steps(item)?,
        "battery_percentage" => {
            decoded.add_fact(fact_kinds::BATTERY, Value::decimal(item.required("value_1")?.decimal()?, "%"));
            return Ok(());
        }
        // It has no value of its own: it flags the pressures of its moment.
        "irregular_heartbeat" => return Ok(()),
        other => {
            decoded.warn_of_metric(other);
            return Ok(());
        }
    };
    let Some(reading) = reading else { return Ok(()) };
    let time = time(item)?;
    let mut key = format!("{metric}/{time}");
    if let Some(index) = filter(item, "measurement_index")? {
        key.push('/');
        key.push_str(index.identifier()?);
    }
    let mut reading = reading
        .at(time.device_time())
        .record_key(Some(key), OnChange::Distinct)
        .device_identity(device_identity::VENDOR_DEVICE_ID, device);
    for (name, flag) in [("estimated_timestamp", flags::ESTIMATED_TIME), ("dummy_data", flags::TEST)] {
        if item.get(name)?.map_or(Ok(false), Json::boolean)? {
            reading = reading.flags(&[flag]);
        }
    }
    decoded.readings.push(reading);
    Ok(())
}

/// When the device measured; `created` is when Tenovi's server heard of it.
fn time(item: Json<'_>) -> Result<Timestamp, DecodeError> {
    let written = item.required("timestamp")?;
    Timestamp::parse(written.text()?).map_err(|error| error.at_path(written.path()))
}

fn filter<'d>(item: Json<'d>, name: &str) -> Result<Option<Json<'d>>, DecodeError> {
    item.get("filter_params")?.map_or(Ok(None), |filters| filters.get(name))
}

/// A value that is a text or a number; none where it is not above zero.
fn number(item: Json<'_>, kind: &str, unit: &str) -> Result<Option<Reading>, DecodeError> {
    item.required("value_1")?;
    Ok(item.measured("value_1", PLACES)?.map(|value| Reading::new(kind, Value::decimal(value, unit))))
}

fn steps(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let steps = Decimal::new(item.required("value_1")?.integer()?, 0);
    Ok(Some(Reading::new(kinds::STEPS, Value::decimal(steps, "{steps}")).method(methods::PEDOMETER)))
}

fn pulse_kind(item: Json<'_>) -> Result<&'static str, DecodeError> {
    let sensor = item.get("sensor_code")?.map_or(Ok(""), Json::identifier)?;
    Ok(match sensor {
        SENSOR_CUFF => kinds::PULSE_RATE,
        _ if SENSORS_OXIMETER.contains(&sensor) => kinds::PULSE_RATE_OXIMETER,
        _ => kinds::HEART_RATE,
    })
}

fn blood_pressure(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    item.required("value_1")?;
    item.required("value_2")?;
    let (Some(systolic), Some(diastolic)) = (item.measured("value_1", 1)?, item.measured("value_2", 1)?) else {
        return Ok(None);
    };
    let pressure = |value| Value::decimal(value, "mm[Hg]");
    Ok(Some(Reading::blood_pressure(pressure(systolic), pressure(diastolic)).method(methods::OSCILLOMETRIC)))
}

/// Degrees Fahrenheit. No document names the unit, so what no body has in that unit is refused.
fn temperature(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let Some(degrees) = item.measured("value_1", PLACES)? else { return Ok(None) };
    if degrees.compare(77).is_lt() {
        return Err(item
            .required("value_1")?
            .unsupported("degrees Fahrenheit are expected, and no body is as cold as this"));
    }
    Ok(Some(Reading::new(kinds::BODY_TEMPERATURE, Value::decimal(degrees, "[degF]"))))
}

/// mg/dL, with what the person and the meter said about the sample. A control solution is nobody's glucose.
fn glucose(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let Some(reading) = number(item, kinds::GLUCOSE_CAPILLARY, "mg/dL")? else { return Ok(None) };
    let mut reading = reading.method(methods::GLUCOMETER);
    if let Some(location) = filter(item, "measurement_location")? {
        reading = match location.text()?.to_ascii_lowercase().as_str() {
            "control solution" => return Ok(None),
            "finger" => reading.body_site(body_sites::FINGER),
            "alternative site" => reading.body_site(body_sites::ALTERNATE_SITE),
            "earlobe" => reading.body_site(body_sites::EARLOBE),
            _ => reading,
        };
    }
    if let Some(relation) = filter(item, "meal_context")? {
        reading = match relation.text()? {
            "pre-prandial" => reading.context(contexts::MEAL, meal::PRE_PRANDIAL),
            "post-prandial" => reading.context(contexts::MEAL, meal::POST_PRANDIAL),
            "fasting" => reading.context(contexts::MEAL, meal::FASTING),
            _ => reading,
        };
    }
    if filter(item, "alert")?.is_some_and(|alert| alert.text() == Ok("sensor_result_above_range")) {
        reading = reading.flags(&[flags::RESULT_TOO_HIGH]);
    }
    Ok(Some(reading))
}

/// Flags pressures and pulses of the moments at which the cuff detected an irregular heartbeat. What was detected
/// without a pressure beside it is told as a warning, as nothing else would carry it.
pub(crate) fn mark_irregular(list: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    for item in list.items()? {
        if item.required("metric")?.text()? != "irregular_heartbeat" {
            continue;
        }
        let moment = time(item)?.device_time();
        let of_cuff = |reading: &&mut Reading| {
            reading.time == moment && [kinds::BLOOD_PRESSURE, kinds::PULSE_RATE].contains(&reading.kind.as_str())
        };
        let mut found = false;
        for reading in decoded.readings.iter_mut().filter(of_cuff) {
            reading.flags.push(flags::IRREGULAR_PULSE.to_owned());
            found = true;
        }
        if !found {
            decoded.warn_of_metric("irregular_heartbeat");
        }
    }
    Ok(())
}
