//! The objects of a MiBeacon frame, in the clear: `type u16 | length u8 | value` each.

use afferent_plugin_sdk::registry::{body_sites, clock_states, fact_kinds, kinds, methods, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Decoded, DeviceFact, Nothing, OnChange, Outcome, Reader, Reading, Timestamp, Value, Warning,
};

use super::{Product, skin};

const BODY_TEMPERATURE: u16 = 0x000A;
const BATTERY: u16 = 0x100A;
const TWO_SKIN_TEMPERATURES: u16 = 0x2000;
const S200_WEIGHT: u16 = 0x4E16;
const S400_WEIGHT: u16 = 0x6E16;

/// 2001-01-01T00:00:00Z: clocks before it were never set.
const FIRST_SECOND: u32 = 978_307_200;

/// What the objects say together. Objects that this product is not known to send are passed over: each says how long
/// it is, so that nothing shifts.
///
/// # Errors
///
/// An object is truncated, or of another length than its type has.
pub fn read(objects: &[u8], product: Product) -> Result<Outcome, DecodeError> {
    let mut all = Decoded::from(Vec::new());
    let mut why = Nothing::because(nothing_reasons::STATUS, "no object with a measurement");
    let mut reader = Reader::new(objects);
    while reader.remaining() > 0 {
        // The body thermometer has one more byte behind its object, which no source explains.
        if product == Product::BodyThermometer && reader.remaining() == 1 && reader.position() > 0 {
            break;
        }
        let at = reader.position();
        let (kind, length) = (reader.u16_le()?, usize::from(reader.u8()?));
        let mut value = Reader::new(reader.bytes(length)?);
        let found = match (product, kind) {
            (Product::BodyThermometer, BODY_TEMPERATURE) => body_temperature(&mut value),
            (Product::BabyThermometer, TWO_SKIN_TEMPERATURES) => two_skin_temperatures(&mut value),
            (Product::S200, S200_WEIGHT) => s200(&mut value),
            (Product::S400, S400_WEIGHT) => s400(&mut value),
            (_, BATTERY) => battery(&mut value).map(|battery| Found { facts: vec![battery], ..Found::default() }),
            _ => continue,
        };
        let found = found
            .and_then(|found| value.finish().map(|()| found))
            .map_err(|error| DecodeError::malformed(format!("object {kind:#06x}: {}", error.message)).at(at))?;
        all.readings.extend(found.readings);
        all.facts.extend(found.facts);
        all.warnings.extend(found.warnings);
        why = found.nothing.unwrap_or(why);
    }
    if all.readings.is_empty() {
        why.facts = all.facts;
        return Ok(why.into());
    }
    Ok(all.into())
}

/// What one object says.
#[derive(Default)]
struct Found {
    readings: Vec<Reading>,
    facts: Vec<DeviceFact>,
    warnings: Vec<Warning>,
    nothing: Option<Nothing>,
}

impl Found {
    fn readings(readings: Vec<Reading>) -> Self {
        Self { readings, ..Self::default() }
    }

    fn nothing(reason: &str, message: &str) -> Self {
        Self { nothing: Some(Nothing::because(reason, message)), ..Self::default() }
    }
}

fn battery(value: &mut Reader<'_>) -> Result<DeviceFact, DecodeError> {
    let percent = Decimal::new(i64::from(value.u8()?), 0);
    Ok(DeviceFact { kind: fact_kinds::BATTERY.to_owned(), value: Value::decimal(percent, "%"), extra: Vec::new() })
}

/// MMC-W505: hundredths of a degree; 0 while it has none.
fn body_temperature(value: &mut Reader<'_>) -> Result<Found, DecodeError> {
    match value.i16_le()? {
        0 => Ok(Found::nothing(nothing_reasons::NO_MEASUREMENT, "the thermometer has no temperature yet")),
        hundredths => {
            let temperature = Value::decimal(Decimal::new(i64::from(hundredths), -2), "Cel");
            Ok(Found::readings(vec![armpit(temperature)]))
        }
    }
}

/// MMC-T201-1: two skin temperatures in hundredths of a degree, and the battery.
fn two_skin_temperatures(value: &mut Reader<'_>) -> Result<Found, DecodeError> {
    let (first, second) = (value.i16_le()?, value.i16_le()?);
    let temperature = match skin::body_temperature(first, second) {
        Some(thousandths) => Value::decimal(Decimal::new(thousandths, -3), "Cel"),
        None => Value::absent("unsupported"),
    };
    Ok(Found { facts: vec![battery(value)?], ..Found::readings(vec![armpit(temperature)]) })
}

fn armpit(temperature: Value) -> Reading {
    Reading::new(kinds::BODY_TEMPERATURE, temperature).body_site(body_sites::ARMPIT)
}

/// When a scale says that it weighed, and whom: seconds since 1970, and one of the profiles kept in its app.
struct Weighed {
    seconds: u32,
    profile: u8,
}

impl Weighed {
    /// Puts time, key and profile on a reading. `part` tells readings of one kind apart.
    fn on(&self, reading: Reading, part: &str) -> Result<Reading, DecodeError> {
        let profile = (self.profile != 0).then(|| self.profile.to_string());
        let time = Timestamp::from_epoch_seconds(i64::from(self.seconds))?.device_time();
        let reading = reading.at(time).user_slot(profile.as_deref());
        if self.seconds < FIRST_SECOND {
            return Ok(reading.clock_state(clock_states::NOT_SET));
        }
        let key = format!("{}#{}{part}", self.seconds, self.profile);
        Ok(reading.record_key(Some(key), OnChange::Distinct))
    }

    fn found(&self, readings: Vec<Reading>) -> Found {
        let mut found = Found::readings(readings);
        if self.seconds < FIRST_SECOND {
            found.warnings.push(Warning::new(warnings::DEVICE_TIME_UNTRUSTED, "the scale's clock was never set"));
        }
        found
    }
}

/// S200: `profile u8 | weight u32, 0.01 kg | seconds u32`.
fn s200(value: &mut Reader<'_>) -> Result<Found, DecodeError> {
    let (profile, weight, seconds) = (value.u8()?, value.u32_le()?, value.u32_le()?);
    if weight == 0 {
        return Ok(Found::nothing(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale"));
    }
    let weighed = Weighed { seconds, profile };
    let weight = Value::decimal(Decimal::new(i64::from(weight), -2), "kg");
    Ok(weighed.found(vec![weighed.on(Reading::new(kinds::BODY_WEIGHT, weight), "")?]))
}

/// S400: `profile u8 | packed u32 | seconds u32`, packed from its lowest bit: weight 11 bits, 0.1 kg; heart rate 7 bits,
/// less 50, 0 and 127 for none; impedance 14 bits, 0.1 Ω.
///
/// One weighing is two packets with the same second. The first has weight, heart rate and the impedance at the low
/// frequency; the second the impedance at the high frequency alone, which is the smaller one of a body. A third, all
/// zero, says that the person has stepped off.
fn s400(value: &mut Reader<'_>) -> Result<Found, DecodeError> {
    let (profile, packed, seconds) = (value.u8()?, value.u32_le()?, value.u32_le()?);
    let (weight, rate, impedance) = (packed & 0x7FF, packed >> 11 & 0x7F, packed >> 18);
    if packed == 0 {
        return Ok(Found::nothing(nothing_reasons::NO_MEASUREMENT, "the person has stepped off"));
    }
    let weighed = Weighed { seconds, profile };
    let tenths = |raw: u32, unit: &str| Value::decimal(Decimal::new(i64::from(raw), -1), unit);
    let mut readings = Vec::with_capacity(3);
    if weight != 0 {
        readings.push(weighed.on(Reading::new(kinds::BODY_WEIGHT, tenths(weight, "kg")), "")?);
    }
    if impedance != 0 {
        let frequency = if weight == 0 && rate == 0 { "/high" } else { "/low" };
        let reading = Reading::new(kinds::BODY_IMPEDANCE, tenths(impedance, "Ohm")).method(methods::BIOIMPEDANCE);
        readings.push(weighed.on(reading, frequency)?);
    }
    if (1..127).contains(&rate) {
        let rate = Value::decimal(Decimal::new(i64::from(rate) + 50, 0), "/min");
        readings.push(weighed.on(Reading::new(kinds::HEART_RATE, rate), "")?);
    }
    if readings.is_empty() {
        return Ok(Found::nothing(nothing_reasons::NO_MEASUREMENT, "the packet has no measurement"));
    }
    Ok(weighed.found(readings))
}
