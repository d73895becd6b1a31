//! A bare number of IEEE 11073-20601, the form in which devices say all others: for trying a device's arithmetic.

use afferent_plugin_sdk::registry::flags;
use afferent_plugin_sdk::{Coding, DecodeError, Number, Outcome, Reader, Reading};

/// The code system of the formats.
const SYSTEM: &str = "https://afferent.dev/fhir/CodeSystem/number-format";

/// Every flag that a number carries: without a quantity it is a measurement of nobody.
pub const FLAGS: &[&str] = &[flags::TEST];

/// SFLOAT, 2 bytes, little-endian.
///
/// # Errors
///
/// The payload has another length.
pub fn decode_sfloat(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let number = reader.sfloat()?;
    reader.finish()?;
    Ok(reading("ieee11073-sfloat", "IEEE 11073 SFLOAT", number))
}

/// FLOAT, 4 bytes, little-endian.
///
/// # Errors
///
/// The payload has another length, or an exponent outside -64 to 64.
pub fn decode_float(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let number = reader.float()?;
    reader.finish()?;
    Ok(reading("ieee11073-float", "IEEE 11073 FLOAT", number))
}

fn reading(code: &str, display: &str, number: Number) -> Outcome {
    let mut reading = Reading::new("", number.in_unit("1")).flags(FLAGS);
    reading.codings = vec![Coding::new(SYSTEM, code, display)];
    reading.into()
}
