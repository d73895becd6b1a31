//! Decoder for scales of one family (Icomon, sold with the Fitdays app and others) that share services and habits and
//! none of which has the other's frames: Taylor 5331891, Vitafit VT701, MGB streaming (Dr Trust 505 and others), Robi S9.
//!
//! The model decides. Each reads frames of its own form only, and a weight only when its scale says that it is final.

mod manifest;
mod mgb;
mod robi;
mod taylor;
mod vitafit;

use afferent_plugin_sdk::registry::{kinds, methods, nothing_reasons};
use afferent_plugin_sdk::{
    Decimal, DecodeError, Decoder, Input, Manifest, Nothing, Outcome, Reading, Value, each_frame,
};

/// The decoder; a pure function over the frames of one uplink.
pub struct FitdaysScales;

afferent_plugin_sdk::export_decoder!(FitdaysScales);

impl Decoder for FitdaysScales {
    fn describe() -> Manifest {
        manifest::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let decode = match input.model.as_str() {
            "taylor-bia" => taylor::decode,
            "vitafit-vt701" => vitafit::decode,
            "mgb-streaming" => mgb::decode,
            "robi-s9" => robi::decode,
            _ => return Err(DecodeError::not_for_me("the model is none of this decoder's")),
        };
        each_frame(input, |frame| decode(&frame.data))
    }
}

/// A final weight, `raw × 10^exponent` kilograms; nothing where nobody is on the scale.
fn final_weight(raw: u32, exponent: i32) -> Outcome {
    if raw == 0 {
        return nobody();
    }
    Reading::new(kinds::BODY_WEIGHT, Value::decimal(Decimal::new(i64::from(raw), exponent), "kg")).into()
}

/// The impedance of the whole body in ohms.
fn impedance(ohms: u16) -> Reading {
    let value = Value::decimal(Decimal::new(i64::from(ohms), 0), "Ohm");
    Reading::new(kinds::BODY_IMPEDANCE, value).method(methods::BIOIMPEDANCE)
}

fn nobody() -> Outcome {
    Nothing::because(nothing_reasons::NO_MEASUREMENT, "nobody is on the scale").into()
}

fn not_final() -> Outcome {
    Nothing::because(nothing_reasons::NOT_FINAL, "the scale has not come to rest").into()
}

fn status(message: &str) -> Outcome {
    Nothing::because(nothing_reasons::STATUS, message).into()
}
