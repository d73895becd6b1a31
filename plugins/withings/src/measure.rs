//! `getmeas`: groups of measures, each `value × 10^unit` in the unit of its type.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{device_identity, flags, kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, OnChange, Outcome, Reading, Timestamp, Value};

const DIASTOLIC: i64 = 9;
const SYSTOLIC: i64 = 10;
const PULSE: i64 = 11;

/// Types that have a kind here: number, kind, UCUM unit. All units are Withings' SI units.
const TYPES: &[(i64, &str, &str)] = &[
    (1, kinds::BODY_WEIGHT, "kg"),
    (4, kinds::BODY_HEIGHT, "m"),
    (5, kinds::FAT_FREE_MASS, "kg"),
    (6, kinds::BODY_FAT_PERCENTAGE, "%"),
    (54, kinds::OXYGEN_SATURATION, "%"),
    (71, kinds::BODY_TEMPERATURE, "Cel"),
    (76, kinds::BODY_MUSCLE_MASS, "kg"),
    (77, kinds::BODY_WATER_MASS, "kg"),
    (226, kinds::BASAL_METABOLISM, "kcal/d"),
];

/// Types that are no result of a person: 18 comes with scales and is always -1.
const MEANINGLESS: &[i64] = &[18];

/// `category` 1 is a measurement; 2 is an objective that the person set.
const REAL: i64 = 1;

/// Decodes the body of an answer, or a single group.
pub(crate) fn answer(body: Json<'_>) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    if body.get("measures")?.is_some() {
        measure_group(body, &mut decoded)?;
    } else {
        for group in body.required("measuregrps")?.items()? {
            measure_group(group, &mut decoded)?;
        }
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "no group has a measurement with a kind"))
}

/// Adds the readings of one group. The group's id is the record key: what comes later under it is the corrected truth.
///
/// # Errors
///
/// The group's id, time or measures are missing or no such thing.
pub fn measure_group(group: Json<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    if group.get("category")?.map_or(Ok(REAL), Json::integer)? != REAL {
        return Ok(());
    }
    let key = group.required("grpid")?.identifier()?;
    let date = group.required("date")?;
    let time = Timestamp::from_epoch_seconds(date.integer()?).map_err(|error| error.at_path(date.path()))?;
    let flags = attribution(group)?;
    let device = group.get("deviceid")?.map(Json::identifier).transpose()?;
    let mut readings = measures(group.required("measures")?, decoded)?;
    for index in 0..readings.len() {
        // A kind that a group has twice keeps its place as part of the key.
        let (before, rest) = readings.split_at_mut(index);
        let Some(reading) = rest.first_mut() else { break };
        let twins = before.iter().filter(|earlier| earlier.kind == reading.kind).count();
        reading.record_key = Some(if twins == 0 { key.to_owned() } else { format!("{key}/{twins}") });
    }
    decoded.readings.extend(readings.into_iter().map(|mut reading| {
        reading.on_change = OnChange::Replace;
        let reading = reading.at(time.device_time()).flags(flags);
        match device {
            Some(device) => reading.device_identity(device_identity::VENDOR_DEVICE_ID, device),
            None => reading,
        }
    }));
    Ok(())
}

/// Who the measures belong to, and whether a device took them (`attrib`). A code that is not in the documentation is
/// taken for ambiguous, so that a person looks.
fn attribution(group: Json<'_>) -> Result<&'static [&'static str], DecodeError> {
    Ok(match group.get("attrib")?.map_or(Ok(0), Json::integer)? {
        // By a device: of this user, an average of automatic measures, confirmed, or like 0.
        0 | 5 | 7 | 8 => &[],
        // By hand, also while the account was made.
        2 | 4 => &[flags::MANUAL_ENTRY],
        _ => &[flags::AMBIGUOUS_USER],
    })
}

/// The pressures together, then the other types in the order of the group.
fn measures(list: Json<'_>, decoded: &mut Decoded) -> Result<Vec<Reading>, DecodeError> {
    let mut readings = Vec::new();
    let (mut systolic, mut diastolic) = (None, None);
    let has_pressure = contains(list, SYSTOLIC)? || contains(list, DIASTOLIC)?;
    for measure in list.items()? {
        let number = measure.required("type")?.integer()?;
        let Some(value) = value(measure)? else { continue };
        match number {
            SYSTOLIC => systolic = Some(value),
            DIASTOLIC => diastolic = Some(value),
            PULSE => {
                let kind = if has_pressure { kinds::PULSE_RATE } else { kinds::HEART_RATE };
                readings.push(Reading::new(kind, Value::decimal(value, "/min")));
            }
            _ => match TYPES.iter().find(|(known, _, _)| *known == number) {
                Some((_, kind, unit)) => readings.push(Reading::new(kind, Value::decimal(value, unit))),
                None if MEANINGLESS.contains(&number) => {}
                None => decoded.warn_of_metric(&format!("meastype {number}")),
            },
        }
    }
    if has_pressure {
        let part =
            |value: Option<Decimal>| value.map_or_else(|| Value::absent("unknown"), |v| Value::decimal(v, "mm[Hg]"));
        let pressure = Reading::blood_pressure(part(systolic), part(diastolic)).method(methods::OSCILLOMETRIC);
        if systolic.is_some() || diastolic.is_some() {
            readings.insert(0, pressure);
        }
    }
    Ok(readings)
}

fn contains(list: Json<'_>, number: i64) -> Result<bool, DecodeError> {
    for measure in list.items()? {
        if measure.required("type")?.integer()? == number {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `value × 10^unit`, exactly; none where it is not above zero.
fn value(measure: Json<'_>) -> Result<Option<Decimal>, DecodeError> {
    let unit = measure.required("unit")?;
    let power = i32::try_from(unit.integer()?).ok().filter(|power| (-12..=12).contains(power));
    let power = power.ok_or_else(|| unit.malformed("not a power of ten that a measure can have"))?;
    let value = Decimal::new(measure.required("value")?.integer()?, power);
    Ok(Some(value).filter(|value| value.compare(0).is_gt()))
}
