//! The closed list of UCUM units, and the exact conversions between them: `fhir-profiles/units.json` as a typed table.

use serde::Deserialize;

use crate::decimal::{Decimal, DecimalError};

/// UCUM's code system URI in FHIR.
pub const UCUM: &str = "http://unitsofmeasure.org";

const SOURCE: &str = include_str!("../../../../fhir-profiles/units.json");

/// A unit that a decoder may use.
#[derive(Debug, Clone, Deserialize)]
pub struct Unit {
    /// UCUM code, case-sensitive.
    pub code: String,
    /// What people read, FHIR's `Quantity.unit`.
    pub display: String,
}

/// `to = (from × multiply + add) ÷ divide`, as exact integers.
#[derive(Debug, Clone, Deserialize)]
pub struct Conversion {
    /// UCUM code of what goes in.
    pub from: String,
    /// UCUM code of what comes out.
    pub to: String,
    /// Factor.
    pub multiply: i64,
    /// Offset, added after multiplying (temperatures).
    #[serde(default)]
    pub add: i64,
    /// Divisor, positive.
    pub divide: i64,
    /// Places to round to, half to even; nothing where the factor is a power of ten and no digit is lost.
    pub decimals: Option<u32>,
    /// Where the factor stands.
    pub source: String,
}

impl Conversion {
    /// What a device's number is in the other unit, rounded as the table says.
    pub fn apply(&self, value: Decimal) -> Result<Decimal, DecimalError> {
        match (self.decimals, self.power_of_ten()) {
            (None, Some(powers)) => value.shifted(powers),
            (decimals, _) => value.affine(self.multiply, self.add, self.divide, decimals.unwrap_or(0)),
        }
    }

    /// The same with six places, for comparing with limits: a rounded number could fall on the other side.
    pub fn apply_finely(&self, value: Decimal) -> Result<Decimal, DecimalError> {
        value.affine(self.multiply, self.add, self.divide, 6)
    }

    /// The shift that this conversion is, when it is nothing else.
    fn power_of_ten(&self) -> Option<i32> {
        let power = |number: i64| {
            let exponent = u64::try_from(number).ok()?.checked_ilog10()?;
            (10i64.checked_pow(exponent)? == number).then(|| i32::try_from(exponent).ok())?
        };
        (self.add == 0).then_some(())?;
        Some(power(self.multiply)? - power(self.divide)?)
    }

    /// Whether the table's row can be used: a positive divisor, and either places or a power of ten.
    pub(crate) fn is_sound(&self) -> bool {
        self.divide > 0 && (self.decimals.is_some() || self.power_of_ten().is_some())
    }
}

/// Why the table cannot be used. Only a wrong edit of the data leads here: tests load every table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is not what the types expect.
    #[error("{table}: {source}")]
    Json {
        /// The file's name.
        table: &'static str,
        /// What the reader found.
        source: serde_json::Error,
    },
    /// The file contradicts itself or another one.
    #[error("{table}: {problem}")]
    Content {
        /// The file's name.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// The units and conversions of `units.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Units {
    units: Vec<Unit>,
    conversions: Vec<Conversion>,
}

impl Units {
    /// Reads the table that is built into the binary.
    pub fn load() -> Result<Self, TableError> {
        let table: Self =
            serde_json::from_str(SOURCE).map_err(|source| TableError::Json { table: "units.json", source })?;
        for conversion in &table.conversions {
            let known = table.unit(&conversion.from).is_some() && table.unit(&conversion.to).is_some();
            if !known || !conversion.is_sound() {
                let problem = format!("the conversion from {} to {} is not usable", conversion.from, conversion.to);
                return Err(TableError::Content { table: "units.json", problem });
            }
        }
        Ok(table)
    }

    /// Every unit, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter()
    }

    /// The unit with this UCUM code.
    pub fn unit(&self, code: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.code == code)
    }

    /// The conversion between two units, if the table has it.
    pub fn conversion(&self, from: &str, to: &str) -> Option<&Conversion> {
        self.conversions.iter().find(|conversion| conversion.from == from && conversion.to == to)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn convert(value: &str, from: &str, to: &str) -> String {
        let units = Units::load().unwrap();
        units.conversion(from, to).unwrap().apply(value.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn pressures_become_tenths_of_ucum_millimetres_of_mercury() {
        for (kilopascal, expected) in
            [("18.9", "141.8"), ("11.0", "82.5"), ("15.9", "119.3"), ("16", "120.0"), ("0", "0.0")]
        {
            assert_eq!(convert(kilopascal, "kPa", "mm[Hg]"), expected);
        }
        assert_eq!(convert("16000", "Pa", "mm[Hg]"), "120.0");
    }

    #[test]
    fn a_half_goes_to_the_even_tenth() {
        // 66661 × 25e-6 kPa is exactly 12.5 tenths of a millimetre, 66661 × 35e-6 kPa exactly 17.5.
        assert_eq!(convert("0.1666525", "kPa", "mm[Hg]"), "1.2");
        assert_eq!(convert("0.2333135", "kPa", "mm[Hg]"), "1.8");
    }

    #[test]
    fn powers_of_ten_keep_every_digit() {
        assert_eq!(convert("1.750", "m", "cm"), "175.0");
        assert_eq!(convert("70250", "g", "kg"), "70.250");
        assert_eq!(convert("0.00112", "kg/L", "mg/dL"), "112");
        assert_eq!(convert("0.0055", "mol/L", "mmol/L"), "5.5");
    }

    #[test]
    fn pounds_inches_and_fahrenheit_are_exact() {
        assert_eq!(convert("180.60", "[lb_av]", "kg"), "81.919");
        assert_eq!(convert("69.5", "[in_i]", "cm"), "176.53");
        assert_eq!(convert("98.6", "[degF]", "Cel"), "37.00");
        assert_eq!(convert("32", "[degF]", "Cel"), "0.00");
        assert_eq!(convert("-40", "[degF]", "Cel"), "-40.00");
    }
}
