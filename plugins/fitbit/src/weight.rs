//! `weight`: the log of body weights. The unit is not in the payload: it follows the language header of the request.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{kinds, nothing_reasons};
use afferent_plugin_sdk::{Decimal, DecodeError, Decoded, Input, OnChange, Outcome, Reading, Timestamp, Value};

/// The device variable that names the unit system of the requests.
const VARIABLE: &str = "unit-system";

/// What the requests asked for in `Accept-Language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightUnit {
    /// Kilograms: any other language, or none.
    Metric,
    /// Pounds: `en_US`.
    Pound,
    /// Stone: `en_GB`.
    Stone,
}

impl WeightUnit {
    /// The unit that the device's variable `unit-system` names (`metric`, `en_US`, `en_GB`); metric without it.
    ///
    /// # Errors
    ///
    /// The variable names another system.
    pub fn told(input: &Input) -> Result<Self, DecodeError> {
        match input.variable(VARIABLE).unwrap_or("metric") {
            "metric" => Ok(Self::Metric),
            "en_US" => Ok(Self::Pound),
            "en_GB" => Ok(Self::Stone),
            _ => Err(DecodeError::unsupported("the variable `unit-system` is none of metric, en_US and en_GB")),
        }
    }

    fn quantity(self, weight: Decimal) -> Value {
        match self {
            Self::Metric => Value::decimal(weight, "kg"),
            Self::Pound => Value::decimal(weight, "[lb_av]"),
            // A stone is exactly 14 pounds.
            Self::Stone => Value::decimal(Decimal::new(weight.mantissa.saturating_mul(14), weight.exponent), "[lb_av]"),
        }
    }
}

/// Decodes an answer, or a single entry of the log.
pub(crate) fn answer(root: Json<'_>, unit: WeightUnit) -> Result<Outcome, DecodeError> {
    let mut decoded = Decoded::from(Vec::new());
    let weights = root.required("weight")?;
    if weights.is_list() {
        for item in weights.items()? {
            decoded.readings.extend(log_entry(item, unit)?);
        }
    } else {
        decoded.readings.extend(log_entry(root, unit)?);
    }
    Ok(decoded.or_nothing(nothing_reasons::NO_MEASUREMENT, "the log has no weight"))
}

/// Weight, body mass index and fat of one entry, in the person's own time without a zone.
///
/// # Errors
///
/// Id, date or weight are missing, or the weight cannot be in kilograms.
pub fn log_entry(item: Json<'_>, unit: WeightUnit) -> Result<Vec<Reading>, DecodeError> {
    let key = item.required("logId")?.identifier()?;
    let (date, time) = (item.required("date")?.text()?, item.required("time")?.text()?);
    let time = Timestamp::parse(&format!("{date}T{time}")).map_err(|error| error.at_path(item.path()))?;
    item.required("weight")?;
    let mut readings = Vec::with_capacity(3);
    let (weight, index) = (item.measured("weight", 4)?, item.measured("bmi", 4)?);
    if let Some(weight) = weight {
        if let (Some(index), WeightUnit::Metric) = (index, unit)
            && !fits(weight, index)
        {
            let message = "weight and body mass index do not fit together in kilograms: set the variable `unit-system`";
            return Err(item.unsupported(message));
        }
        readings.push(Reading::new(kinds::BODY_WEIGHT, unit.quantity(weight)));
    }
    readings.extend(index.map(|index| Reading::new(kinds::BODY_MASS_INDEX, Value::decimal(index, "kg/m2"))));
    let fat = item.measured("fat", 4)?.map(|fat| Value::decimal(fat, "%"));
    readings.extend(fat.map(|fat| Reading::new(kinds::BODY_FAT_PERCENTAGE, fat)));
    let around = |reading: Reading| reading.at(time.device_time()).record_key(Some(key.to_owned()), OnChange::Replace);
    Ok(readings.into_iter().map(around).collect())
}

/// Whether somebody of 0.4 to 2.3 m can have both: kilograms ÷ index is the square of the height. Pounds that are taken
/// for kilograms make most people larger than that.
fn fits(weight: Decimal, index: Decimal) -> bool {
    let shift = |number: Decimal| {
        i128::from(number.mantissa) * 10_i128.pow(u32::try_from(number.exponent + 8).unwrap_or(0).min(16))
    };
    let (weight, index) = (shift(weight) * 100, shift(index));
    weight >= index * 16 && weight <= index * 529
}
