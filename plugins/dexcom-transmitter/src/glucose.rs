//! One value of the transmitter: `seconds u32 | glucose u16 | state u8 | trend i8`, little-endian.
//!
//! The seconds count from the activation of the transmitter. The lower 12 bits of the glucose are mg/dL: 39 stands for
//! "below 40", anything above 400 for "above 400", less than 39 is an error code. Its upper 4 bits say that the value is
//! for display only. The trend is tenths of mg/dL a minute, 127 for none; there is no kind of reading for it.

use afferent_plugin_sdk::registry::{flags, kinds};
use afferent_plugin_sdk::{
    Decimal, DecodeError, DeviceTime, Input, OnChange, Quantity, Reader, Reading, Timestamp, Value,
};

/// The variable with the moment of the transmitter's activation.
pub const ACTIVATION_VARIABLE: &str = "transmitter-activation";

const LOWEST: u16 = 40;
const HIGHEST: u16 = 400;
/// Codes below this one are errors.
const FIRST_VALUE: u16 = 39;

/// States of the sensor, by number: 6 is fine, 7 and 14 ask for a calibration and the value holds until then.
const RELIABLE: [u8; 3] = [6, 7, 14];
const LAST_STATE: u8 = 18;

/// A value with the state of the sensor that measured it.
pub struct Glucose {
    /// Since the activation of the transmitter.
    pub seconds: u32,
    value: u16,
    is_for_display: bool,
    state: u8,
    trend: i8,
}

impl Glucose {
    /// # Errors
    ///
    /// The message ends.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let seconds = reader.u32_le()?;
        let glucose = reader.u16_le()?;
        let (state, trend) = (reader.u8()?, reader.i8()?);
        Ok(Self { seconds, value: glucose & 0x0FFF, is_for_display: glucose & 0xF000 != 0, state, trend })
    }

    /// Whether this can be a value at all: the states have numbers from 1 to 18.
    pub const fn is_plausible(&self) -> bool {
        self.state >= 1 && self.state <= LAST_STATE
    }

    /// The reading; none where the sensor or the code says that there is no value, with the reason as text.
    pub fn reading(&self, time: DeviceTime, more_flags: &[&str]) -> Result<Reading, String> {
        if !RELIABLE.contains(&self.state) {
            return Err(format!("the sensor gives no value: its state is {} ({})", self.state, name_of(self.state)));
        }
        if self.value < FIRST_VALUE {
            return Err(format!("the code {} in place of a value", self.value));
        }
        let (value, comparator) = match self.value {
            FIRST_VALUE => (LOWEST, Some("<")),
            value if value > HIGHEST => (HIGHEST, Some(">")),
            value => (value, None),
        };
        let quantity = Quantity::new(Decimal::new(i64::from(value), 0), "mg/dL").compared(comparator);
        let mut reading =
            Reading::new(kinds::GLUCOSE_INTERSTITIAL, Value::Quantity(quantity)).at(time).flags(more_flags);
        if self.is_for_display {
            reading = reading.flags(&[flags::DISPLAY_ONLY]);
        }
        if self.state != 6 {
            reading = reading.flags(&[flags::CALIBRATION_REQUIRED]);
        }
        // Another transmitter counts from 0 again. With the value in the key, only a reading of the same second, value,
        // state and trend is taken for the same one.
        let key = format!("{}:{}:{}:{}", self.seconds, self.value, self.state, self.trend);
        Ok(reading.record_key(Some(key), OnChange::Replace))
    }

    /// The moment of the value, where the activation is known.
    ///
    /// # Errors
    ///
    /// It is beyond the year 9999.
    pub fn moment(&self, activated: Option<Timestamp>) -> Result<Option<DeviceTime>, DecodeError> {
        let moment = activated.map(|activated| activated.plus_ms(i64::from(self.seconds) * 1000));
        Ok(moment.transpose()?.map(Timestamp::device_time))
    }
}

const fn name_of(state: u8) -> &'static str {
    match state {
        1 => "stopped",
        2 => "warming up",
        4 | 5 => "waits for its first calibrations",
        8..=10 | 13 => "calibration error",
        11 | 12 => "sensor failure",
        15..=17 => "session failure",
        18 => "three question marks",
        _ => "unknown",
    }
}

/// When the transmitter was activated, where the platform knows.
///
/// # Errors
///
/// The variable is no point in time.
pub fn activated(input: &Input) -> Result<Option<Timestamp>, DecodeError> {
    let Some(text) = input.variable(ACTIVATION_VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    match Timestamp::parse(text) {
        Ok(moment) if moment.epoch_ms().is_some() => Ok(Some(moment)),
        _ => Err(DecodeError::unsupported(format!(
            "the variable `{ACTIVATION_VARIABLE}` is no point in time such as 2026-01-31T12:00:00Z"
        ))),
    }
}
