//! The rules of one reading and of what it holds.

use super::{Check, Checked, invalid, shown, time, too_large};
use crate::registry::{COMPARATORS, DATA_ABSENT_REASONS};
use crate::{Coding, Component, Decimal, DeviceTime, NameValue, Quantity, Reading, Value};

/// Powers of ten that the contract allows.
const EXPONENTS: std::ops::RangeInclusive<i32> = -64..=64;

/// The longest memory that a device can claim, in milliseconds: 100 years. More cannot be subtracted from a time.
const MAXIMUM_AGE_MS: u64 = 100 * 366 * 86_400_000;

/// Bytes that a number counts for.
const NUMBER_BYTES: usize = 12;

impl Check<'_> {
    pub(super) fn reading(&mut self, place: &str, reading: &Reading) -> Checked {
        self.kind(place, &reading.kind, &reading.codings)?;
        self.value(&format!("{place}value"), &reading.value)?;
        self.list(&format!("{place}components"), &reading.components)?;
        for (index, component) in reading.components.iter().enumerate() {
            self.component(&format!("{place}components[{index}]."), component)?;
        }
        if reading.value == Value::None && reading.components.is_empty() {
            return Err(invalid(&format!("{place}value"), "no value and no components"));
        }
        self.time(&format!("{place}time"), &reading.time)?;
        self.time(&format!("{place}time-end"), &reading.time_end)?;
        self.circumstances(place, reading)?;
        self.list(&format!("{place}device-identity"), &reading.device_identity)?;
        for identity in &reading.device_identity {
            let place = format!("{place}device-identity");
            self.word(&place, &self.registry.identities, &identity.name, "is no registered identity")?;
            self.key(&place, &identity.value)?;
        }
        if let Some(slot) = &reading.user_slot {
            self.key(&format!("{place}user-slot"), slot)?;
        }
        if let Some(key) = &reading.record_key {
            self.key(&format!("{place}record-key"), key)?;
        }
        self.extra(place, &reading.extra)
    }

    fn component(&mut self, place: &str, component: &Component) -> Checked {
        self.kind(place, &component.kind, &component.codings)?;
        if component.value == Value::None {
            return Err(invalid(&format!("{place}value"), "a component has a value, or `absent` with the reason"));
        }
        self.value(&format!("{place}value"), &component.value)?;
        self.extra(place, &component.extra)
    }

    /// A declared kind, or codings in its place.
    fn kind(&mut self, place: &str, kind: &str, codings: &[Coding]) -> Checked {
        if !kind.is_empty() {
            let place = format!("{place}kind");
            self.word(&place, &self.declared.kinds, kind, "is no kind that the manifest declares")?;
        } else if codings.is_empty() {
            return Err(invalid(&format!("{place}kind"), "neither a kind nor a coding"));
        }
        let place = format!("{place}codings");
        self.list(&place, codings)?;
        codings.iter().try_for_each(|coding| self.coding(&place, coding))
    }

    /// Body site, method, clock, context and flags: registered words.
    fn circumstances(&mut self, place: &str, reading: &Reading) -> Checked {
        let registry = self.registry;
        let clock = &reading.clock_state;
        self.word(&format!("{place}clock-state"), &registry.clock_states, clock, "is no registered state of a clock")?;
        if let Some(site) = &reading.body_site {
            self.word(&format!("{place}body-site"), &registry.body_sites, site, "is no registered body site")?;
        }
        if let Some(method) = &reading.method {
            self.word(&format!("{place}method"), &registry.methods, method, "is no registered method")?;
        }
        self.list(&format!("{place}flags"), &reading.flags)?;
        for flag in &reading.flags {
            let place = format!("{place}flags");
            self.word(&place, &self.declared.flags, flag, "is no flag that the manifest declares")?;
        }
        self.list(&format!("{place}context"), &reading.context)?;
        reading.context.iter().try_for_each(|context| self.context(&format!("{place}context"), context))
    }

    /// A registered context with one of its values; a context without a list of values takes any text.
    fn context(&mut self, place: &str, NameValue { name, value }: &NameValue) -> Checked {
        match self.registry.contexts.get(name) {
            None => Err(invalid(place, format!("{} is no registered context", shown(name)))),
            Some(values) if values.is_empty() => self.key(place, value),
            Some(values) if values.contains(value) => self.count(place, name.len() + value.len()),
            Some(_) => Err(invalid(place, format!("{} is no value of the context {}", shown(value), shown(name)))),
        }
    }

    pub(super) fn value(&mut self, place: &str, value: &Value) -> Checked {
        match value {
            Value::None => Ok(()),
            Value::Quantity(quantity) => self.quantity(place, quantity),
            Value::Coded(coding) => self.coding(place, coding),
            Value::Text(text) => self.text(place, text),
            Value::Boolean(_) | Value::Integer(_) => self.count(place, NUMBER_BYTES),
            Value::Sampled(sampled) => self.sampled(place, sampled),
            Value::Absent(reason) if DATA_ABSENT_REASONS.contains(&reason.as_str()) => self.count(place, reason.len()),
            Value::Absent(reason) => {
                Err(invalid(place, format!("{} is no code of FHIR's data-absent-reason", shown(reason))))
            }
        }
    }

    fn quantity(&mut self, place: &str, quantity: &Quantity) -> Checked {
        self.decimal(place, quantity.value)?;
        self.unit(place, &quantity.unit)?;
        match quantity.comparator.as_deref() {
            Some(other) if !COMPARATORS.contains(&other) => {
                Err(invalid(place, "the comparator is none of <, <=, >= and >"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn decimal(&mut self, place: &str, decimal: Decimal) -> Checked {
        if !EXPONENTS.contains(&decimal.exponent) {
            return Err(invalid(place, format!("the exponent {} is outside -64 to 64", decimal.exponent)));
        }
        self.count(place, NUMBER_BYTES)
    }

    pub(super) fn unit(&mut self, place: &str, unit: &str) -> Checked {
        if unit.is_empty() {
            return Err(invalid(place, "a number without a unit (a pure number has the unit 1)"));
        }
        self.word(place, &self.registry.units, unit, "is no unit of the host's list")
    }

    fn coding(&mut self, place: &str, coding: &Coding) -> Checked {
        self.key(&format!("{place}.system"), &coding.system)?;
        self.key(&format!("{place}.code"), &coding.code)?;
        coding.display.as_deref().map_or(Ok(()), |display| self.text(&format!("{place}.display"), display))
    }

    fn time(&mut self, place: &str, time: &DeviceTime) -> Checked {
        match time {
            DeviceTime::None => Ok(()),
            DeviceTime::Local(text) if time::is_local(text) => self.count(place, text.len()),
            DeviceTime::Local(_) => Err(invalid(place, "a local time is written YYYY-MM-DDThh:mm:ss[.fff]")),
            DeviceTime::Zoned(text) if time::is_zoned(text) => self.count(place, text.len()),
            DeviceTime::Zoned(_) => Err(invalid(place, "a time with an offset is written as in RFC 3339")),
            DeviceTime::BeforeCapture(age) if *age > MAXIMUM_AGE_MS => {
                Err(too_large(place, "more than 100 years before the capture"))
            }
            DeviceTime::BeforeCapture(_) => self.count(place, NUMBER_BYTES),
        }
    }
}
