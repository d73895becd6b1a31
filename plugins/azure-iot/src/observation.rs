//! FHIR R4 Observations that a device writes itself: their code, value, components and time are read; whom they are
//! about is not, because a device does not know whose it is.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Quantity, Reading, Value};

use crate::envelope::{Around, moment};

const LOINC: &str = "http://loinc.org";

/// LOINC codes that have a kind here.
const CODES: &[(&str, &str)] = &[
    ("85354-9", kinds::BLOOD_PRESSURE),
    ("55284-4", kinds::BLOOD_PRESSURE),
    ("8480-6", kinds::BLOOD_PRESSURE_SYSTOLIC),
    ("8462-4", kinds::BLOOD_PRESSURE_DIASTOLIC),
    ("8478-0", kinds::BLOOD_PRESSURE_MEAN),
    ("8867-4", kinds::HEART_RATE),
    ("40443-4", kinds::HEART_RATE_RESTING),
    ("80404-7", kinds::HEART_RATE_VARIABILITY),
    ("2708-6", kinds::OXYGEN_SATURATION),
    ("59408-5", kinds::OXYGEN_SATURATION),
    ("8310-5", kinds::BODY_TEMPERATURE),
    ("29463-7", kinds::BODY_WEIGHT),
    ("8302-2", kinds::BODY_HEIGHT),
    ("39156-5", kinds::BODY_MASS_INDEX),
    ("9279-1", kinds::RESPIRATORY_RATE),
    ("41982-0", kinds::BODY_FAT_PERCENTAGE),
    ("41653-7", kinds::GLUCOSE_CAPILLARY),
    ("14743-9", kinds::GLUCOSE_CAPILLARY),
    ("99504-3", kinds::GLUCOSE_INTERSTITIAL),
    ("105272-9", kinds::GLUCOSE_INTERSTITIAL),
    ("55423-8", kinds::STEPS),
    ("41950-7", kinds::STEPS_DAY),
];

/// UCUM units that kinds of this list come in.
const UNITS: &[&str] = &[
    "mm[Hg]",
    "kPa",
    "/min",
    "%",
    "Cel",
    "[degF]",
    "kg",
    "g",
    "[lb_av]",
    "cm",
    "m",
    "[in_i]",
    "kg/m2",
    "mg/dL",
    "mmol/L",
    "ms",
    "{steps}",
    "{steps}/(24.h)",
];

/// Adds an Observation, or those of a Bundle.
pub(crate) fn resource(item: Json<'_>, around: Around<'_>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    match item.required("resourceType")?.text()? {
        "Observation" => observation(item, decoded).map(|reading| {
            let claimed = reading.map(|reading| match around.device {
                Some(device) => {
                    let name = afferent_plugin_sdk::registry::device_identity::VENDOR_DEVICE_ID;
                    reading.device_identity(name, device)
                }
                None => reading,
            });
            decoded.readings.extend(claimed);
        }),
        "Bundle" => {
            for entry in item.required("entry")?.items()? {
                resource(entry.required("resource")?, around, decoded)?;
            }
            Ok(())
        }
        other => {
            decoded.warn_of_metric(other);
            Ok(())
        }
    }
}

/// One Observation; none where it is not yet or no longer true, or its code has no kind, which is told.
///
/// # Errors
///
/// Code, value or time are no such thing, or the unit is none in which such things come.
pub fn observation(item: Json<'_>, decoded: &mut Decoded) -> Result<Option<Reading>, DecodeError> {
    let status = item.required("status")?;
    match status.text()? {
        "final" | "amended" | "corrected" => {}
        "registered" | "preliminary" | "cancelled" | "entered-in-error" | "unknown" => return Ok(None),
        _ => return Err(status.unsupported("a status that FHIR does not have")),
    }
    let Some(kind) = kind(item.required("code")?)? else {
        decoded.warn_of_metric("an Observation whose code has no kind");
        return Ok(None);
    };
    let mut reading = Reading::new(kind, value(item)?);
    if let Some(components) = item.get("component")? {
        for component in components.items()? {
            match self::kind(component.required("code")?)? {
                Some(kind) => reading = reading.component(kind, value(component)?),
                None => decoded.warn_of_metric("a component whose code has no kind"),
            }
        }
    }
    if matches!(reading.value, Value::None) && reading.components.is_empty() {
        reading.value = Value::absent("unknown");
    }
    timed(item, reading).map(Some)
}

fn timed(item: Json<'_>, mut reading: Reading) -> Result<Reading, DecodeError> {
    if let Some(effective) = item.get("effectiveDateTime")? {
        reading = reading.at(moment(effective)?.device_time());
    } else if let Some(period) = item.get("effectivePeriod")? {
        reading = reading.at(moment(period.required("start")?)?.device_time());
        if let Some(end) = period.get("end")? {
            reading = reading.until(moment(end)?.device_time());
        }
    }
    let Some(identifiers) = item.get("identifier")? else { return Ok(reading) };
    let Some(first) = identifiers.items()?.next() else { return Ok(reading) };
    let key = first.required("value")?.identifier()?;
    Ok(reading.record_key(Some(key.to_owned()), OnChange::Replace))
}

fn kind(code: Json<'_>) -> Result<Option<&'static str>, DecodeError> {
    let Some(codings) = code.get("coding")? else { return Ok(None) };
    for coding in codings.items()? {
        let system = coding.get("system")?.map_or(Ok(""), Json::text)?;
        let code = coding.get("code")?.map_or(Ok(""), Json::text)?;
        if let Some((_, kind)) = CODES.iter().find(|(known, _)| system == LOINC && *known == code) {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// `valueQuantity` in UCUM, or why there is none.
fn value(item: Json<'_>) -> Result<Value, DecodeError> {
    if let Some(quantity) = item.get("valueQuantity")? {
        let unit = quantity.required("code")?;
        let Some(ucum) = UNITS.iter().find(|known| unit.text() == Ok(**known)) else {
            return Err(unit.unsupported("a unit in which none of these things come"));
        };
        let comparator = match quantity.get("comparator")? {
            None => None,
            Some(sign) if ["<", "<=", ">=", ">"].contains(&sign.text()?) => Some(sign.text()?),
            Some(sign) => return Err(sign.malformed("a comparator that FHIR does not have")),
        };
        let value = quantity.required("value")?.decimal()?;
        return Ok(Value::Quantity(Quantity::new(value, ucum).compared(comparator)));
    }
    Ok(if item.get("dataAbsentReason")?.is_some() { Value::absent("unknown") } else { Value::None })
}
