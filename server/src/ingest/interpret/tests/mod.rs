//! Golden Observations of the characteristic types, and the rules one by one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod golden;
mod identity;
mod time;
mod values;
mod waveforms;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use plugin_host::{Component, Decimal, DeviceTime, OnChange, Quantity, Reading, Value};

use super::{InterpretContext, Interpreted, Tables, interpret};

const BERLIN: Tz = chrono_tz::Europe::Berlin;

fn tables() -> Tables {
    Tables::load().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Received on 22 November 2026 at noon, from a device in Berlin.
fn context() -> InterpretContext {
    InterpretContext::new(instant("2026-11-22T11:00:00Z"), BERLIN)
}

fn quantity(text: &str, unit: &str) -> Value {
    let decimal: fhir_model::decimal::Decimal = text.parse().unwrap();
    let value = Decimal { mantissa: decimal.mantissa(), exponent: decimal.exponent() };
    Value::Quantity(Quantity { value, unit: unit.to_owned(), comparator: None })
}

fn absent(reason: &str) -> Value {
    Value::Absent(reason.to_owned())
}

/// A reading of that kind, measured this morning by the device's wall clock.
fn reading(kind: &str, value: Value) -> Reading {
    Reading {
        kind: kind.to_owned(),
        codings: Vec::new(),
        value,
        components: Vec::new(),
        time: DeviceTime::Local("2026-11-22T08:30:00".to_owned()),
        time_end: DeviceTime::None,
        clock_state: "unknown".to_owned(),
        body_site: None,
        method: None,
        context: Vec::new(),
        flags: Vec::new(),
        user_slot: None,
        device_identity: Vec::new(),
        record_key: Some("2026-11-22T08:30:00".to_owned()),
        on_change: OnChange::Distinct,
        extra: Vec::new(),
    }
}

fn component(kind: &str, value: Value) -> Component {
    Component { kind: kind.to_owned(), codings: Vec::new(), value, extra: Vec::new() }
}

fn blood_pressure(systolic: Value, diastolic: Value, mean: Value) -> Reading {
    let components = vec![
        component("blood-pressure-systolic", systolic),
        component("blood-pressure-diastolic", diastolic),
        component("blood-pressure-mean", mean),
    ];
    Reading { components, ..reading("blood-pressure", Value::None) }
}

fn mmhg(text: &str) -> Value {
    quantity(text, "mm[Hg]")
}

fn flagged(mut reading: Reading, flags: &[&str]) -> Reading {
    reading.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    reading
}

fn meaning(reading: &Reading) -> Interpreted {
    interpret(reading, &context(), &tables())
}
