//! What a decode says, in one form for all ways: compared before anything is timed, so that they do the same work.

use anyhow::{Result, bail};
use plugin_host::{DeviceTime, OnChange, Outcome};
use serde::Deserialize;

/// A number with its unit, or why there is none.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    /// Mantissa × 10^exponent.
    Number { mantissa: i64, exponent: i32, unit: String },
    /// A data-absent-reason.
    Absent { absent: String },
}

/// A part of a reading.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    kind: String,
    value: Option<Value>,
}

/// A reading.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reading {
    kind: String,
    value: Option<Value>,
    method: Option<String>,
    components: Vec<Component>,
    time: Option<String>,
    clock_state: String,
    flags: Vec<String>,
    user_slot: Option<String>,
    record_key: Option<String>,
    on_change: String,
}

/// A decode.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    readings: Vec<Reading>,
}

/// The host's own types in that form.
pub(super) fn show(outcome: Outcome) -> Result<Shown> {
    let Outcome::Readings(decoded) = outcome else { bail!("no readings: {outcome:?}") };
    let mut readings = Vec::new();
    for reading in decoded.readings {
        let mut components = Vec::new();
        for component in reading.components {
            components.push(Component { kind: component.kind, value: value(component.value)? });
        }
        readings.push(Reading {
            kind: reading.kind,
            value: value(reading.value)?,
            method: reading.method,
            components,
            time: match reading.time {
                DeviceTime::None => None,
                DeviceTime::Local(text) => Some(text),
                other => bail!("a time that the comparison does not know: {other:?}"),
            },
            clock_state: reading.clock_state,
            flags: reading.flags,
            user_slot: reading.user_slot,
            record_key: reading.record_key,
            on_change: match reading.on_change {
                OnChange::Replace => "replace",
                OnChange::Distinct => "distinct",
                OnChange::Conflict => "conflict",
            }
            .to_owned(),
        });
    }
    Ok(Shown { readings })
}

fn value(value: plugin_host::Value) -> Result<Option<Value>> {
    Ok(match value {
        plugin_host::Value::None => None,
        plugin_host::Value::Absent(absent) => Some(Value::Absent { absent }),
        plugin_host::Value::Quantity(quantity) if quantity.comparator.is_none() => {
            let plugin_host::Decimal { mantissa, exponent } = quantity.value;
            Some(Value::Number { mantissa, exponent, unit: quantity.unit })
        }
        other => bail!("a value that the comparison does not know: {other:?}"),
    })
}
