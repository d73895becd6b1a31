//! What the devices of both hubs measure: one family of values for each attribute, in the units that their market uses.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{body_sites, context_values, contexts, kinds, nothing_reasons};
use afferent_plugin_sdk::{
    BluetoothAddress, Decimal, DecodeError, Decoded, HubContent, Nothing, OnChange, Reading, Timestamp, Value,
};

/// Meters of both hubs show 10 to 600 mg/dL; a smaller number was measured in mmol/L.
const LEAST_GLUCOSE_MG_DL: i64 = 10;
/// More degrees than that were not measured in Celsius.
const MOST_CELSIUS: i64 = 50;
/// What Jumper oximeters say instead of a saturation and a pulse when no finger is in them.
const NO_SATURATION: i64 = 127;
const NO_PULSE: i64 = 255;

/// Which device, and when: what a record is known by.
pub struct Record {
    /// The device's address.
    pub address: BluetoothAddress,
    /// Seconds since 1970 by the hub's clock; none where it does not say.
    pub at: Option<(i64, Timestamp)>,
}

/// What an attribute's values mean.
pub struct Family<'d> {
    /// The attribute as the hub writes it.
    pub name: &'d str,
    values: Values,
}

enum Values {
    BloodPressure,
    Oximeter,
    Temperature,
    Scale,
    Glucose,
    /// Uric acid and cholesterol: their unit is said nowhere.
    Unitless,
}

impl<'d> Family<'d> {
    /// The family of an attribute. Makers spell them with spaces and underscores alike (`Oximeter JUMPER`).
    ///
    /// # Errors
    ///
    /// It is not known. The attribute is not repeated: the payload beside it holds names.
    pub fn of(attribute: Json<'d>) -> Result<Self, DecodeError> {
        let name = attribute.text()?;
        let plain = name.to_ascii_uppercase().replace([' ', '-'], "_");
        let is_one_of = |words: &[&str]| words.iter().any(|word| plain.split('_').any(|part| part == *word));
        let values = if is_one_of(&["BP", "WBP", "BPG", "BPS"]) {
            Values::BloodPressure
        } else if is_one_of(&["OXIMETER", "OXYMETER", "SPO2"]) {
            Values::Oximeter
        } else if is_one_of(&["TEMO", "TEMP", "THERMOMETER"]) {
            Values::Temperature
        } else if is_one_of(&["BODYSCALE", "SCALE"]) {
            Values::Scale
        } else if is_one_of(&["CONTOUR", "ACCUCHEK", "SUGA"]) {
            Values::Glucose
        } else if is_one_of(&["UA", "CHOL"]) {
            Values::Unitless
        } else {
            return Err(attribute.unsupported("an attribute that is not known"));
        };
        Ok(Self { name, values })
    }

    /// The readings of one entry.
    ///
    /// # Errors
    ///
    /// A value is missing, is no number, or cannot be in the unit that is implied.
    pub fn decode(&self, values: Json<'_>, record: &Record) -> Result<HubContent, DecodeError> {
        let readings = match self.values {
            Values::BloodPressure => blood_pressure(values)?,
            Values::Oximeter => oximeter(values)?,
            Values::Temperature => temperature(values)?,
            Values::Scale => scale(values)?,
            Values::Glucose => glucose(values)?,
            Values::Unitless => {
                return Err(values.unsupported(
                    "neither the payload nor its description says in which unit this is (mg/dL or mmol/L)",
                ));
            }
        };
        Ok(match readings {
            Ok(readings) => {
                Decoded::from(readings.into_iter().map(|reading| self.placed(reading, record)).collect::<Vec<_>>())
                    .into()
            }
            Err(nothing) => nothing.into(),
        })
    }

    /// Time and key: address, attribute and second, for a hub sends a record again until it is acknowledged.
    fn placed(&self, reading: Reading, record: &Record) -> Reading {
        let Some((epoch, at)) = record.at else { return reading };
        let key = format!("{}|{}|{epoch}", record.address, self.name);
        reading.at(at.device_time()).record_key(Some(key), OnChange::Distinct)
    }
}

/// Readings, or why there are none.
type Found = Result<Vec<Reading>, Nothing>;

fn failed(message: &str) -> Found {
    Err(Nothing::because(nothing_reasons::FAILED_MEASUREMENT, message))
}

/// A member that the two hubs write in another case.
fn either<'d>(values: Json<'d>, names: [&str; 2]) -> Result<Option<Json<'d>>, DecodeError> {
    let [first, second] = names;
    Ok(match values.get(first)? {
        Some(found) => Some(found),
        None => values.get(second)?,
    })
}

fn quantity(value: i64, unit: &str) -> Value {
    Value::decimal(Decimal::new(value, 0), unit)
}

/// `bp_high`, `bp_low` in mm[Hg], `PR` or `pr` a minute. A cuff that failed says 0.
fn blood_pressure(values: Json<'_>) -> Result<Found, DecodeError> {
    let (high, low) = (values.required("bp_high")?.integer()?, values.required("bp_low")?.integer()?);
    if high == 0 || low == 0 {
        return Ok(failed("the cuff measured no pressure"));
    }
    let mut readings = vec![
        Reading::new(kinds::BLOOD_PRESSURE, Value::None)
            .component(kinds::BLOOD_PRESSURE_SYSTOLIC, quantity(high, "mm[Hg]"))
            .component(kinds::BLOOD_PRESSURE_DIASTOLIC, quantity(low, "mm[Hg]")),
    ];
    let pulse = either(values, ["PR", "pr"])?.map(Json::integer).transpose()?;
    if let Some(pulse) = pulse.filter(|pulse| *pulse != 0) {
        readings.push(Reading::new(kinds::PULSE_RATE, quantity(pulse, "/min")));
    }
    Ok(Ok(readings))
}

/// `spo2` in percent, `pulse` a minute. `pi` is left out: whether 43 is 4.3 or 43 percent is said nowhere.
fn oximeter(values: Json<'_>) -> Result<Found, DecodeError> {
    let saturation = values.required("spo2")?.integer()?;
    if saturation == 0 || saturation == NO_SATURATION {
        return Ok(failed("no finger is in the oximeter"));
    }
    let mut readings = vec![Reading::new(kinds::OXYGEN_SATURATION, quantity(saturation, "%"))];
    let pulse = values.get("pulse")?.map(Json::integer).transpose()?;
    if let Some(pulse) = pulse.filter(|pulse| *pulse != 0 && *pulse != NO_PULSE) {
        readings.push(Reading::new(kinds::PULSE_RATE_OXIMETER, quantity(pulse, "/min")));
    }
    Ok(Ok(readings))
}

/// `temp` or `Temp` in degrees Celsius, and what was measured: a person, or a bottle of milk.
fn temperature(values: Json<'_>) -> Result<Found, DecodeError> {
    let member = either(values, ["temp", "Temp"])?.ok_or_else(|| values.malformed("`temp` is missing"))?;
    let celsius = member.rounded(2)?;
    if celsius.compare(MOST_CELSIUS).is_gt() {
        return Err(member.unsupported("this is no temperature in degrees Celsius, and the unit is not said"));
    }
    let mode = values.get("mode")?;
    let site = match mode.map(Json::text).transpose()?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "body" | "adult" | "child") => None,
        Some("head" | "forehead") => Some(body_sites::FOREHEAD),
        Some("ear") => Some(body_sites::EAR),
        Some("object" | "surface" | "room" | "ambient" | "water" | "bath" | "bottle" | "milk") => {
            return Ok(Err(Nothing::because(nothing_reasons::NOT_A_PERSON, "the temperature of a thing")));
        }
        Some(_) => {
            return Err(mode
                .unwrap_or(values)
                .unsupported("a mode that is not known: it may be a thing's temperature"));
        }
    };
    let reading = Reading::new(kinds::BODY_TEMPERATURE, Value::decimal(celsius, "Cel"));
    Ok(Ok(vec![match site {
        Some(site) => reading.body_site(site),
        None => reading,
    }]))
}

/// `weight` in kilograms to 10 g, `resistance` or `Resistance` in ohm to a tenth: both went through binary floats.
fn scale(values: Json<'_>) -> Result<Found, DecodeError> {
    let weight = values.required("weight")?.rounded(2)?;
    if weight.compare(0).is_eq() {
        return Ok(Err(Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale")));
    }
    let mut readings = vec![Reading::new(kinds::BODY_WEIGHT, Value::decimal(weight, "kg"))];
    let resistance = either(values, ["resistance", "Resistance"])?;
    let resistance = resistance.map(|resistance| resistance.rounded(1)).transpose()?;
    // A scale that is stood on with shoes on measures no resistance.
    if let Some(resistance) = resistance.filter(|resistance| resistance.compare(0).is_gt()) {
        readings.push(Reading::new(kinds::BODY_IMPEDANCE, Value::decimal(resistance, "Ohm")));
    }
    Ok(Ok(readings))
}

/// `blood_glucose` in mg/dL, as a number or a text, and the `marker` of the meal.
fn glucose(values: Json<'_>) -> Result<Found, DecodeError> {
    let member = values.required("blood_glucose")?;
    let marker = values.get("marker")?;
    let meal = match marker.map(Json::text).transpose()?.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "none" | "no mark" | "no marker" | "not marked" | "normal" | "unmarked") => None,
        Some("before meal" | "pre meal" | "pre-meal") => Some(context_values::meal::PRE_PRANDIAL),
        Some("after meal" | "post meal" | "post-meal") => Some(context_values::meal::POST_PRANDIAL),
        Some("fasting") => Some(context_values::meal::FASTING),
        Some("bedtime") => Some(context_values::meal::BEDTIME),
        Some("casual" | "other") => Some(context_values::meal::CASUAL),
        Some("control" | "control solution" | "control test" | "ctrl" | "qc") => {
            return Ok(Err(Nothing::because(nothing_reasons::CONTROL_SOLUTION, "a control solution")));
        }
        Some(_) => {
            return Err(marker
                .unwrap_or(values)
                .unsupported("a marker that is not known: it may be a control solution"));
        }
    };
    let amount = member.decimal()?.to_integer().filter(|amount| *amount >= LEAST_GLUCOSE_MG_DL);
    let amount = amount.ok_or_else(|| {
        member.unsupported(
            "meters of this hub measure whole mg/dL from 10 on: this may be mmol/L, and the unit is not said",
        )
    })?;
    let reading = Reading::new(kinds::GLUCOSE_CAPILLARY, quantity(amount, "mg/dL"));
    Ok(Ok(vec![match meal {
        Some(meal) => reading.context(contexts::MEAL, meal),
        None => reading,
    }]))
}
