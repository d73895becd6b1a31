//! The app's words for units. Which one an export has follows the phone's settings.

use afferent_plugin_sdk::DecodeError;
use afferent_plugin_sdk::json::Json;

/// The UCUM unit of the word, among those in which the metric may come.
pub(crate) fn ucum(units: Json<'_>, allowed: &[&'static str]) -> Result<&'static str, DecodeError> {
    let word = units.text()?.trim();
    let unit = match word {
        "mmHg" => "mm[Hg]",
        "kPa" => "kPa",
        "bpm" | "count/min" | "breaths/min" => "/min",
        "%" => "%",
        "degC" | "°C" | "ºC" => "Cel",
        "degF" | "°F" | "ºF" => "[degF]",
        "kg" => "kg",
        "g" => "g",
        "lb" | "lbs" => "[lb_av]",
        "cm" => "cm",
        "m" => "m",
        "in" => "[in_i]",
        "mg/dL" => "mg/dL",
        // HealthKit writes the molar mass into the unit: `mmol<180.1558800000541>/L`.
        _ if word == "mmol/L" || word.starts_with("mmol<180.15") && word.ends_with(">/L") => "mmol/L",
        "ms" => "ms",
        "count" => "{steps}",
        "kcal" | "Cal" => "kcal",
        "kJ" => "kJ",
        "L/min" => "L/min",
        "L" => "L",
        _ => return Err(units.unsupported("a unit that this decoder does not know")),
    };
    match allowed.iter().find(|known| **known == unit) {
        Some(known) => Ok(known),
        None => Err(units.unsupported("a unit in which this metric does not come")),
    }
}
