//! Decoder for blood pressure cuffs that do not speak the Bluetooth SIG's profile but a protocol of their own: Yonker
//! YK-IBPA1 and Microlife. The model decides which one it is, and each refuses the other's frames.

mod manifest;
mod microlife;
mod yonker;

use afferent_plugin_sdk::registry::{kinds, methods};
use afferent_plugin_sdk::{
    DateTime, Decimal, DecodeError, Decoder, Input, Manifest, OnChange, Outcome, Reading, Value, each_frame, record_key,
};

/// The decoder; a pure function over the frames of one uplink.
pub struct VendorCuffs;

afferent_plugin_sdk::export_decoder!(VendorCuffs);

impl Decoder for VendorCuffs {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        match input.model.as_str() {
            "yonker-ykbpa1" => each_frame(input, |frame| yonker::decode(&frame.data)),
            "microlife-a6" | "microlife-bp3gy1-2n" => each_frame(input, |frame| microlife::decode(&frame.data)),
            _ => Err(DecodeError::not_for_me("the model is none of this decoder's")),
        }
    }
}

/// What a cuff measured, in mm\[Hg\] and beats a minute, and when its own clock says that it was.
struct Measured {
    systolic: u8,
    diastolic: u8,
    pulse: u8,
    time: DateTime,
}

impl Measured {
    /// The blood pressure, and the pulse as a reading of its own where the cuff counted one.
    fn readings(&self, flags: &[&str]) -> Vec<Reading> {
        let clock = self.time.wall_clock();
        let key = record_key(&clock, None);
        let around =
            |reading: Reading| reading.at_wall_clock(&clock).flags(flags).record_key(key.clone(), OnChange::Distinct);
        let number = |value: u8, unit: &str| Value::decimal(Decimal::new(i64::from(value), 0), unit);
        let pressure = Reading::new(kinds::BLOOD_PRESSURE, Value::None)
            .component(kinds::BLOOD_PRESSURE_SYSTOLIC, number(self.systolic, "mm[Hg]"))
            .component(kinds::BLOOD_PRESSURE_DIASTOLIC, number(self.diastolic, "mm[Hg]"))
            .method(methods::OSCILLOMETRIC);
        let mut readings = vec![around(pressure)];
        if self.pulse != 0 {
            readings.push(around(Reading::new(kinds::PULSE_RATE, number(self.pulse, "/min"))));
        }
        readings
    }

    /// No pressure at all: an empty slot, or a measurement that did not succeed.
    const fn is_empty(&self) -> bool {
        self.systolic == 0 && self.diastolic == 0
    }

    /// One pressure without the other is no blood pressure.
    const fn is_half(&self) -> bool {
        !self.is_empty() && (self.systolic == 0 || self.diastolic == 0)
    }
}
