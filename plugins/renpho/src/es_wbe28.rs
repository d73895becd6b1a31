//! Renpho ES-WBE28 (Elis 1): the layouts of the Bluetooth SIG with other steps and a vendor's bit in the flags.

use afferent_plugin_sdk::registry::{kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Nothing, OnChange, Outcome, Reader, Reading, Value, WallClock, record_key,
};

/// The flags of a weight that mark the scale as one of these: bits that the service reserves, one of which is always set.
const VENDOR: u32 = 0b0110_0000;

/// A value that means "unsuccessful".
const UNSUCCESSFUL: u16 = 0xFFFF;

/// What a 2A9D frame of this scale says.
pub struct Weight {
    /// Steps of 0.05 kg, ten times those of the service.
    raw: u16,
    clock: Option<WallClock>,
    user: Option<String>,
}

impl Weight {
    /// Reads the whole payload. Body mass index and height, if there, were only seen as 0; their steps are not known.
    ///
    /// # Errors
    ///
    /// It has the flags of another scale (`not-for-me`) or says pounds, whose steps are not known, or its length is not that
    /// of its fields.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let flags = reader.flags_u8(0b0110_1111)?;
        if !flags.has_any(VENDOR) {
            return Err(DecodeError::not_for_me("the flags are those of a scale that keeps to the service").at(0));
        }
        if flags.has(0) {
            return Err(DecodeError::unsupported("the steps of this scale in pounds are not known").at(0));
        }
        let raw = reader.u16_le()?;
        let clock = if flags.has(1) { Some(reader.date_time()?.wall_clock()) } else { None };
        let user = if flags.has(2) { Some(reader.u8()?).filter(|user| *user != 255) } else { None };
        if flags.has(3) {
            reader.bytes(4)?;
        }
        reader.finish()?;
        Ok(Self { raw, clock, user: user.map(|user| user.to_string()) })
    }

    /// The weight, unless nobody was weighed.
    pub fn outcome(&self) -> Outcome {
        match self.raw {
            UNSUCCESSFUL => {
                let message = "the scale says that the measurement was unsuccessful";
                Nothing::because(nothing_reasons::FAILED_MEASUREMENT, message).into()
            }
            0 => Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale").into(),
            raw => {
                let kilograms = Value::decimal(Decimal::new(i64::from(raw) * 5, -2), "kg");
                self.stamp(Reading::new(kinds::BODY_WEIGHT, kilograms)).into()
            }
        }
    }

    fn stamp(&self, mut reading: Reading) -> Reading {
        if let Some(clock) = &self.clock {
            reading =
                reading.at_wall_clock(clock).record_key(record_key(clock, self.user.as_deref()), OnChange::Distinct);
        }
        reading.user_slot(self.user.as_deref())
    }
}

/// What can be trusted of a 2A9C frame of this scale: its other values are computed for one registered profile, and its
/// flags announce more fields than a packet holds.
pub struct Impedance(Option<u16>);

impl Impedance {
    /// Reads the fields in the order of the service up to the impedance; what follows is the vendor's.
    ///
    /// # Errors
    ///
    /// A flag is set that would shift the fields, or the payload ends before the impedance that it announces.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        const IMPEDANCE: u32 = 9;
        let mut reader = Reader::new(data);
        let flags = reader.flags_u16_le(0b0001_1111_1111_1111)?;
        reader.u16_le()?;
        if !flags.has(IMPEDANCE) {
            return Ok(Self(None));
        }
        let sizes = [(1, 7), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2)];
        for (_, size) in sizes.iter().filter(|(bit, _)| flags.has(*bit)) {
            reader.bytes(*size)?;
        }
        let raw = reader.u16_le()?;
        Ok(Self(Some(raw).filter(|raw| ![0, UNSUCCESSFUL].contains(raw))))
    }

    /// The impedance, as part of the weight that was sent before it.
    pub fn outcome(&self, before: Option<&Weight>) -> Outcome {
        let Some(raw) = self.0 else {
            let message = "a packet of the scale's body composition without an impedance";
            return Nothing::because(nothing_reasons::NO_MEASUREMENT, message).into();
        };
        let ohms = Value::decimal(Decimal::new(i64::from(raw), -1), "Ohm");
        let reading = Reading::new(kinds::BODY_IMPEDANCE, ohms).method(methods::BIOIMPEDANCE);
        match before {
            Some(weight) => weight.stamp(reading).into(),
            None => reading.into(),
        }
    }
}
