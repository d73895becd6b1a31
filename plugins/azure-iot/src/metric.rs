//! The metrics that are known by name, and the units in which they may come.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, Reading, Value};

/// How a metric's unit is known.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// There is one in which it is measured.
    Fixed(&'static str),
    /// A percentage: at most 1 is a share, which no living body has in per cent.
    Percent,
    /// The object names it in `unit` or `units`: words and their UCUM unit.
    Named(&'static [(&'static str, &'static str)]),
    /// Named, or told by the number: no body is between 45 and 77 degrees in either unit.
    Temperature,
}

/// A metric: its names in lower case without punctuation, its kind, and its unit.
#[derive(Debug)]
pub(crate) struct Metric {
    names: &'static [&'static str],
    kind: &'static str,
    unit: Unit,
}

const LENGTHS: &[(&str, &str)] = &[
    ("in", "[in_i]"),
    ("inch", "[in_i]"),
    ("inches", "[in_i]"),
    ("m", "m"),
    ("meter", "m"),
    ("meters", "m"),
    ("metre", "m"),
    ("metres", "m"),
    ("cm", "cm"),
    ("centimeters", "cm"),
    ("centimetres", "cm"),
];

const MASSES: &[(&str, &str)] = &[
    ("kg", "kg"),
    ("kilogram", "kg"),
    ("kilograms", "kg"),
    ("g", "g"),
    ("lb", "[lb_av]"),
    ("lbs", "[lb_av]"),
    ("pound", "[lb_av]"),
    ("pounds", "[lb_av]"),
];

const CONCENTRATIONS: &[(&str, &str)] = &[("mgdl", "mg/dL"), ("mmoll", "mmol/L")];

const TEMPERATURES: &[(&str, &str)] = &[
    ("c", "Cel"),
    ("cel", "Cel"),
    ("degc", "Cel"),
    ("celsius", "Cel"),
    ("f", "[degF]"),
    ("degf", "[degF]"),
    ("fahrenheit", "[degF]"),
];

const METRICS: &[Metric] = &[
    Metric { names: &["heartrate", "hr", "pulse", "pulserate"], kind: kinds::HEART_RATE, unit: Unit::Fixed("/min") },
    Metric { names: &["restingheartrate"], kind: kinds::HEART_RATE_RESTING, unit: Unit::Fixed("/min") },
    Metric { names: &["heartratevariability", "hrv"], kind: kinds::HEART_RATE_VARIABILITY, unit: Unit::Fixed("ms") },
    Metric { names: &["respiratoryrate", "respirationrate"], kind: kinds::RESPIRATORY_RATE, unit: Unit::Fixed("/min") },
    Metric { names: &["steps", "stepcount"], kind: kinds::STEPS, unit: Unit::Fixed("{steps}") },
    Metric { names: &["spo2", "oxygensaturation"], kind: kinds::OXYGEN_SATURATION, unit: Unit::Percent },
    Metric { names: &["bodytemperature", "bodytemp"], kind: kinds::BODY_TEMPERATURE, unit: Unit::Temperature },
    Metric { names: &["height", "bodyheight"], kind: kinds::BODY_HEIGHT, unit: Unit::Named(LENGTHS) },
    Metric { names: &["weight", "bodyweight", "bodymass"], kind: kinds::BODY_WEIGHT, unit: Unit::Named(MASSES) },
    Metric { names: &["glucose", "bloodglucose"], kind: kinds::GLUCOSE_CAPILLARY, unit: Unit::Named(CONCENTRATIONS) },
];

/// A name in lower case, without what is neither a letter nor a digit: `Heart_Rate` is `heartrate`.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

impl Metric {
    /// The metric of this plain name.
    pub(crate) fn named(plain: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.names.contains(&plain))
    }

    /// The reading; none where the number is not above zero.
    pub(crate) fn read(&self, object: Json<'_>, name: &str, member: Json<'_>) -> Result<Option<Reading>, DecodeError> {
        if matches!(self.unit, Unit::Fixed("{steps}")) {
            let steps = Value::decimal(Decimal::new(member.integer()?, 0), "{steps}");
            return Ok(Some(Reading::new(self.kind, steps).method(methods::PEDOMETER)));
        }
        let Some(number) = object.measured(name, 4)? else { return Ok(None) };
        let unit = match self.unit {
            Unit::Fixed(unit) => unit,
            Unit::Percent if number.compare(1).is_le() => {
                return Err(member.unsupported("a percentage is expected, and this is a share of 1"));
            }
            Unit::Percent => "%",
            Unit::Named(words) => match named_unit(object, words)? {
                Some(unit) => unit,
                None => return Err(member.unsupported("a number whose unit is not named in `unit`")),
            },
            Unit::Temperature => match named_unit(object, TEMPERATURES)? {
                Some(unit) => unit,
                None if number.compare(77).is_ge() => "[degF]",
                None if number.compare(45).is_le() => "Cel",
                None => return Err(member.unsupported("a temperature that no body has in any unit")),
            },
        };
        Ok(Some(Reading::new(self.kind, Value::decimal(number, unit))))
    }
}

/// The UCUM unit of the word that the object names; none where it names none.
fn named_unit(object: Json<'_>, words: &[(&str, &'static str)]) -> Result<Option<&'static str>, DecodeError> {
    for name in ["unit", "units"] {
        let Some(written) = object.get(name)? else { continue };
        let word = plain(written.text()?);
        let found = words.iter().find(|(known, _)| *known == word);
        return match found {
            Some((_, unit)) => Ok(Some(unit)),
            None => Err(written.unsupported("a unit in which this is not measured")),
        };
    }
    Ok(None)
}
