//! Weight Measurement (0x2A9D), Weight Scale Service 1.0.

use afferent_plugin_sdk::registry::{kinds, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Nothing, Outcome, Reader, Reading};

use crate::origin::Origin;
use crate::scale::{Units, tenths};

/// The weight that means "measurement unsuccessful".
const UNSUCCESSFUL: u16 = 0xFFFF;

/// The fields as they are on the wire. Body mass index and height are 0 on a scale that was never told how tall its user
/// is: there is nothing to report then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub units: Units,
    pub weight: u16,
    pub origin: Origin,
    pub body_mass_index: Option<u16>,
    pub height: Option<u16>,
}

impl Weight {
    /// Reads the whole payload.
    ///
    /// # Errors
    ///
    /// It is truncated, has trailing bytes, or sets a flag that would shift the fields.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u8(0b0000_1111)?;
        let units = Units::of(flags.has(0));
        let weight = reader.u16_le()?;
        let origin = Origin::read(&mut reader, flags.has(1), flags.has(2))?;
        let known = |raw: u16| (raw != 0).then_some(raw);
        let (body_mass_index, height) =
            if flags.has(3) { (known(reader.u16_le()?), known(reader.u16_le()?)) } else { (None, None) };
        reader.finish()?;
        Ok(Self { units, weight, origin, body_mass_index, height })
    }

    /// Did the scale measure a weight?
    pub const fn succeeded(&self) -> bool {
        self.weight != UNSUCCESSFUL
    }

    /// The weight, and body mass index and height as readings of their own where the scale knows them.
    pub fn readings(&self) -> Vec<Reading> {
        let around = |kind, value| self.origin.stamp(Reading::new(kind, value));
        let mut readings = Vec::with_capacity(3);
        readings.push(around(kinds::BODY_WEIGHT, self.units.mass(self.weight)));
        if let Some(index) = self.body_mass_index {
            readings.push(around(kinds::BODY_MASS_INDEX, tenths(index, "kg/m2")));
        }
        if let Some(height) = self.height {
            readings.push(around(kinds::BODY_HEIGHT, self.units.height(height)));
        }
        readings
    }

    /// What one weight by itself comes to.
    pub fn outcome(&self) -> Outcome {
        if self.succeeded() { self.readings().into() } else { unsuccessful().into() }
    }
}

/// The scale's own word that it did not succeed.
pub fn unsuccessful() -> Nothing {
    Nothing::because(nothing_reasons::FAILED_MEASUREMENT, "the scale says that the measurement was unsuccessful")
}
