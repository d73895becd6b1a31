//! One MQTT message of the watch. What it is shows in its members; the topic is not needed.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{
    body_sites, clock_states, device_identity, fact_kinds, kinds, methods, nothing_reasons,
};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, DeviceTime, OnChange, Outcome, Reading, Timestamp, Value};

/// Members around the vital signs. `num_datas` is not what `data` holds: the maker's own example says 12 and has one.
const ENVELOPE: &[&str] = &[
    "IMEI",
    "signalGSM",
    "battery",
    "satellites",
    "workingMode",
    "timeStamps",
    "timestamp",
    "location",
    "num_datas",
    "data",
    "status",
];

/// Decodes one message.
///
/// # Errors
///
/// The device is not named, or a member is of another kind than the maker's.
pub fn message(root: Json<'_>) -> Result<Outcome, DecodeError> {
    let imei = root.required("IMEI")?.identifier()?;
    let mut decoded = Decoded::from(Vec::new());
    if let Some(battery) = root.get("battery")? {
        decoded.add_fact(fact_kinds::BATTERY, Value::decimal(battery.decimal()?, "%"));
    }
    if let Some(signal) = root.get("signalGSM")? {
        decoded.add_fact(fact_kinds::SIGNAL_STRENGTH, Value::Text(signal.decimal()?.to_string()));
    }
    if let Some(items) = root.get("data")? {
        // Each has a time of its own, which may be months older than that of the message.
        for item in items.items()? {
            let time = Timestamp::from_epoch_seconds(item.required("timestamp")?.integer()?)?;
            vital_signs(item, Moment::Known(time), &mut decoded)?;
        }
    } else {
        vital_signs(root, Moment::read(root)?, &mut decoded)?;
    }
    let readings = core::mem::take(&mut decoded.readings).into_iter();
    decoded.readings = readings.map(|reading| reading.device_identity(device_identity::IMEI, imei)).collect();
    nothing_else(root, decoded)
}

/// What a message without readings is. An alarm is no measurement: it is told as a warning, so that it is seen.
fn nothing_else(root: Json<'_>, mut decoded: Decoded) -> Result<Outcome, DecodeError> {
    let (reason, text) = match root.get("status")?.map_or(Ok(""), Json::text)? {
        "" if root.get("battery")?.is_some() => (nothing_reasons::HEARTBEAT, "a heartbeat"),
        "" => (nothing_reasons::NO_MEASUREMENT, "the message has no vital sign"),
        "online" | "offline" => (nothing_reasons::STATUS, "the watch connected or disconnected"),
        alarm => {
            decoded.warn_of_metric(alarm);
            (nothing_reasons::STATUS, "an alarm of the watch, which is no measurement")
        }
    };
    Ok(decoded.or_nothing(reason, text))
}

/// The time of a message: the watch's wall clock, `16/06/2025 12:30:45` with the day first, in no named zone.
enum Moment {
    Known(Timestamp),
    /// The watch said a time that does not exist.
    Fault,
    Untold,
}

impl Moment {
    fn read(root: Json<'_>) -> Result<Self, DecodeError> {
        let Some(written) = root.get("timeStamps")? else { return Ok(Self::Untold) };
        Ok(wall_clock(written.text()?).map_or(Self::Fault, Self::Known))
    }

    fn around(&self, reading: Reading) -> Reading {
        match self {
            Self::Known(time) => {
                let reading = reading.at(time.device_time());
                // The steps of a day are one record that grows; all else is measured once.
                if reading.kind == kinds::STEPS {
                    return reading.record_key(Some(format!("steps/{}", time.date_text())), OnChange::Replace);
                }
                reading.record_key(Some(time.to_string()), OnChange::Distinct)
            }
            Self::Fault => reading.at(DeviceTime::None).clock_state(clock_states::FAULT),
            Self::Untold => reading,
        }
    }
}

fn wall_clock(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(' ')?;
    let [day, month, year] = three(date, '/')?;
    Timestamp::from_wall_clock([year, month, day], three(time, ':')?).ok()
}

fn three(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// The vital signs of one moment: the pressure first, the others in the order of the message. 0 means that the watch was
/// not worn, or could not measure.
fn vital_signs(item: Json<'_>, moment: Moment, decoded: &mut Decoded) -> Result<(), DecodeError> {
    if let Some(pressures) = item.get("bloodPressure")? {
        let pair = (pressures.measured("bp_sys", 1)?, pressures.measured("bp_dia", 1)?);
        if let (Some(systolic), Some(diastolic)) = pair {
            let pressure = |value| Value::decimal(value, "mm[Hg]");
            let reading = Reading::blood_pressure(pressure(systolic), pressure(diastolic));
            let reading = reading.method(methods::PHOTOPLETHYSMOGRAPHY).body_site(body_sites::WRIST);
            decoded.readings.push(moment.around(reading));
        }
    }
    for (name, _) in item.members()? {
        let (kind, unit, places) = match name {
            "heartRate" => (kinds::HEART_RATE, "/min", 1),
            "spO2" => (kinds::OXYGEN_SATURATION, "%", 1),
            "bodyTemperature" => (kinds::BODY_TEMPERATURE, "Cel", 2),
            "step" => {
                let Some(steps) = item.get(name)? else { continue };
                let steps = Value::decimal(Decimal::new(steps.integer()?, 0), "{steps}");
                decoded.readings.push(moment.around(Reading::new(kinds::STEPS, steps).method(methods::PEDOMETER)));
                continue;
            }
            "bloodPressure" => continue,
            other => {
                if !ENVELOPE.contains(&other) {
                    decoded.warn_of_metric(other);
                }
                continue;
            }
        };
        let value = item.measured(name, places)?.map(|value| Value::decimal(value, unit));
        decoded.readings.extend(value.map(|value| moment.around(Reading::new(kind, value))));
    }
    Ok(())
}
