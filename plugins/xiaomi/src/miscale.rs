//! The records of the Mi scales, which they send as service data and in their history.
//!
//! Mi Smart Scale (v1, service 0x181D), 10 bytes: `control u8 | weight u16 | time 7`.
//! Mi Body Composition Scale (v2, service 0x181B), 13 bytes: `control 2 | time 7 | impedance u16 | weight u16`.
//! Both resemble the Bluetooth SIG's layout without being it: bits that the SIG reserves say whether the scale has come
//! to rest, whether the person has stepped off, and whether an object was weighed.

use afferent_plugin_sdk::registry::{clock_states, kinds, methods, nothing_reasons, warnings};
use afferent_plugin_sdk::{
    DateTime, Decimal, DecodeError, Decoded, Flags, Nothing, OnChange, Outcome, Reader, Reading, Value, WallClock,
    record_key,
};

/// From here on a field holds a sentinel: overload, no contact, interrupted.
const SENTINELS: u16 = 0xFFF0;

/// A clock that was never set counts from 1970.
const FIRST_YEAR: u16 = 2001;

/// What a record says, whichever scale it is from.
struct Weighing {
    pounds: bool,
    jin: bool,
    stable: bool,
    removed: bool,
    object: bool,
    /// Steps of 0.005 kg, 0.01 lb or 0.01 jin.
    weight: u16,
    time: DateTime,
    /// In ohms, where the scale says that it has measured it.
    impedance: Option<u16>,
}

/// A body weight of the Mi Smart Scale.
///
/// # Errors
///
/// The record is truncated, has trailing bytes, or sets a bit of the control byte that is not known.
pub fn decode_v1(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let control = reader.flags_u8(0b1111_0011)?;
    let (weight, time) = (reader.u16_le()?, reader.date_time()?);
    reader.finish()?;
    has_layout(control, 1)?;
    Weighing {
        pounds: control.has(0),
        jin: control.has(4),
        stable: control.has(5),
        removed: control.has(7),
        object: control.has(6),
        weight,
        time,
        impedance: None,
    }
    .outcome()
}

/// A body weight of the Mi Body Composition Scale, with the impedance where it has measured it.
///
/// # Errors
///
/// As [`decode_v1`].
pub fn decode_v2(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let (unit, state) = (reader.flags_u8(0b0000_0111)?, reader.flags_u8(0b1110_0110)?);
    let (time, impedance, weight) = (reader.date_time()?, reader.u16_le()?, reader.u16_le()?);
    reader.finish()?;
    has_layout(unit, 1)?;
    has_layout(state, 2)?;
    Weighing {
        pounds: unit.has(0),
        jin: state.has(6),
        stable: state.has(5),
        removed: state.has(7),
        object: unit.has(2),
        weight,
        time,
        impedance: state.has(1).then_some(impedance),
    }
    .outcome()
}

/// The bits for the time and the weight are set in every record: without them the fields would lie elsewhere.
fn has_layout(control: Flags, bit: u32) -> Result<(), DecodeError> {
    if control.has(bit) {
        Ok(())
    } else {
        Err(DecodeError::malformed("the record says that it has no time or no weight"))
    }
}

impl Weighing {
    fn outcome(&self) -> Result<Outcome, DecodeError> {
        if self.pounds && self.jin {
            return Err(DecodeError::malformed("the record says pounds and jin at once").at(0));
        }
        let nothing = |reason: &str, message: &str| Nothing::because(reason, message);
        let why_not = if self.object {
            Some(nothing(nothing_reasons::NOT_A_PERSON, "the scale weighed an object"))
        } else if self.removed {
            // The same weight was sent before without this bit; what the scale sends from now on repeats it under a
            // clock that need not be right. One public decoder takes it for the result all the same.
            let message = "the person has stepped off: the result was sent before";
            let disagree = "some public decoders take this record for a result";
            Some(nothing(nothing_reasons::NO_MEASUREMENT, message).warning(warnings::SOURCES_DISAGREE, disagree))
        } else if !self.stable {
            Some(nothing(nothing_reasons::NOT_FINAL, "the scale has not come to rest"))
        } else if self.weight == 0 {
            Some(nothing(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale"))
        } else if self.weight >= SENTINELS {
            Some(nothing(nothing_reasons::FAILED_MEASUREMENT, "the scale is overloaded"))
        } else {
            None
        };
        Ok(why_not.map_or_else(|| self.decoded().into(), Outcome::from))
    }

    fn decoded(&self) -> Decoded {
        let clock = self.time.wall_clock();
        let is_set = self.time.year >= FIRST_YEAR;
        // A clock that was never set starts again with every battery: its times identify nothing.
        let key = record_key(&clock, None).filter(|_| is_set);
        let around = |kind: &str, value: Value| {
            let reading = Reading::new(kind, value).at_wall_clock(&clock).record_key(key.clone(), OnChange::Distinct);
            if is_set { reading } else { reading.clock_state(clock_states::NOT_SET) }
        };
        let mut readings = vec![around(kinds::BODY_WEIGHT, self.weight())];
        if let Some(impedance) = self.impedance {
            let value = match impedance {
                0 | SENTINELS.. => Value::absent("error"),
                ohms => Value::decimal(Decimal::new(i64::from(ohms), 0), "Ohm"),
            };
            readings.push(around(kinds::BODY_IMPEDANCE, value).method(methods::BIOIMPEDANCE));
        }
        let decoded = Decoded::from(readings);
        if !is_set && matches!(clock, WallClock::Local(_)) {
            return decoded.warning(warnings::DEVICE_TIME_UNTRUSTED, "the scale's clock was never set");
        }
        decoded
    }

    /// A jin is half a kilogram, so that its hundredths are the same number as the kilogram's two-hundredths.
    fn weight(&self) -> Value {
        if self.pounds {
            return Value::decimal(Decimal::new(i64::from(self.weight), -2), "[lb_av]");
        }
        Value::decimal(Decimal::new(i64::from(self.weight) * 5, -3), "kg")
    }
}
