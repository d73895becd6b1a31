//! A measurement whose parts are joined, big-endian: `seconds u32 | weight u16, 0.05 kg | impedance u16, ohms | fat u16, 0.1 %
//! | water u16, 0.1 % | muscle u16, 0.1 % | bone u16, 0.05 kg | …`.
//!
//! The seconds count from 1970; the phone sets the clock to UTC whenever it connects. The rest (basal and active metabolism,
//! body mass index) is the scale's estimate from the user's data, and is no reading; nor is the mass of the bones, which no
//! scale of this kind measures, and whose published values are beyond what a person has.

use afferent_plugin_sdk::registry::{clock_states, kinds, methods};
use afferent_plugin_sdk::{Decimal, DecodeError, OnChange, Reader, Reading, Timestamp, Value};

/// 2001-01-01T00:00:00Z: clocks before it were never set.
const FIRST_SECOND: u32 = 978_307_200;
const WHOLE: u16 = 1000;

/// The fields that become readings; 0 stands for none.
pub struct Measurement {
    seconds: u32,
    weight: u16,
    impedance: u16,
    fat: u16,
    muscle: u16,
}

impl Measurement {
    /// # Errors
    ///
    /// The parts are too short, or the fields cannot be what they are taken for.
    pub fn read(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let seconds = reader.u32_be()?;
        let (weight, impedance, fat) = (reader.u16_be()?, reader.u16_be()?, reader.u16_be()?);
        let (water, muscle) = (reader.u16_be()?, reader.u16_be()?);
        reader.u16_be()?;
        if weight > super::HEAVIEST || [fat, water, muscle].iter().any(|share| *share > WHOLE) {
            return Err(DecodeError::malformed("a weight of more than 300 kg or a share of more than 100 %"));
        }
        Ok(Self { seconds, weight, impedance, fat, muscle })
    }

    /// None where there is no weight.
    ///
    /// # Errors
    ///
    /// The time cannot be said.
    pub fn readings(&self, user: Option<u64>, flags: &[&str]) -> Result<Vec<Reading>, DecodeError> {
        if self.weight == 0 {
            return Ok(Vec::new());
        }
        let time = Timestamp::from_epoch_seconds(i64::from(self.seconds))?.device_time();
        let slot = user.map(|user| user.to_string());
        let is_set = self.seconds >= FIRST_SECOND;
        let key = is_set.then(|| self.seconds.to_string());
        let around = |kind: &str, mantissa: i64, exponent: i32, unit: &str| {
            let reading = Reading::new(kind, Value::decimal(Decimal::new(mantissa, exponent), unit))
                .at(time.clone())
                .flags(flags)
                .user_slot(slot.as_deref())
                .record_key(key.clone(), OnChange::Distinct);
            if is_set { reading } else { reading.clock_state(clock_states::NOT_SET) }
        };
        let mut readings = vec![around(kinds::BODY_WEIGHT, i64::from(self.weight) * 5, -2, "kg")];
        for (kind, raw, exponent, unit) in [
            (kinds::BODY_IMPEDANCE, self.impedance, 0, "Ohm"),
            (kinds::BODY_FAT_PERCENTAGE, self.fat, -1, "%"),
            (kinds::BODY_MUSCLE_PERCENTAGE, self.muscle, -1, "%"),
        ] {
            if raw != 0 {
                readings.push(around(kind, i64::from(raw), exponent, unit).method(methods::BIOIMPEDANCE));
            }
        }
        Ok(readings)
    }
}
