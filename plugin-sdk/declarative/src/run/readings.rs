//! What fields come to: readings, their parts, and facts about the device.

use afferent_plugin_sdk::{DecodeError, DeviceFact, DeviceTime, OnChange, Reading, Value};

use super::Run;
use super::datum::{Datum, Moment};
use crate::table::{As, Condition, Fact, OnChange as Declared, Part, Rule, ValueRule};

impl Run<'_, '_> {
    fn applies(&self, when: Option<&Condition>) -> bool {
        when.is_none_or(|when| self.holds(when))
    }

    /// A value as the rule shows it; none where the field is missing.
    fn value(&self, rule: &ValueRule) -> Result<Option<Value>, DecodeError> {
        if let Some((_, reason)) = rule.absent.iter().find(|(when, _)| self.holds(when)) {
            return Ok(Some(Value::absent(reason)));
        }
        let datum = self.slot(rule.slot);
        if let Datum::Absent(reason) = datum {
            return Ok(Some(Value::absent(reason)));
        }
        let value = match (rule.shown_as, datum) {
            (_, Datum::Missing) => return Ok(None),
            (As::Quantity, Datum::Number(number)) => {
                let unit = rule.unit.as_ref().map_or(Ok(None), |unit| self.word(unit))?;
                let Some(unit) = unit else { return Err(DecodeError::unsupported("a number without a unit")) };
                let comparator = rule.comparator.as_ref().map_or(Ok(None), |word| self.word(word))?;
                let mut value = Value::decimal(*number, unit);
                if let (Value::Quantity(quantity), Some(comparator)) = (&mut value, comparator) {
                    quantity.comparator = Some(comparator.to_owned());
                }
                value
            }
            (As::Integer, datum) => match datum.integer() {
                Some(integer) => Value::Integer(integer),
                None => return Err(self.named(rule.slot, DecodeError::malformed("not a whole number"))),
            },
            (As::Boolean, Datum::Boolean(boolean)) => Value::Boolean(*boolean),
            (As::Boolean, Datum::Number(number)) => Value::Boolean(number.mantissa != 0),
            (As::Text, datum) => match datum.shown() {
                Some(text) => Value::Text(text.into_owned()),
                None => return Ok(None),
            },
            _ => return Err(DecodeError::malformed("a field that is not of the type that its reading has")),
        };
        Ok(Some(value))
    }

    /// A fact about the device, where its field is there.
    pub(super) fn fact(&mut self, fact: &Fact) -> Result<(), DecodeError> {
        if !self.applies(fact.when.as_ref()) {
            return Ok(());
        }
        if let Some(value) = self.value(&fact.value)? {
            self.decoded.facts.push(DeviceFact { kind: fact.kind.clone(), value, extra: Vec::new() });
        }
        Ok(())
    }

    /// A reading, where its condition holds and its fields are there.
    pub(super) fn reading(&mut self, rule: &Rule) -> Result<(), DecodeError> {
        if !self.applies(rule.when.as_ref()) {
            return Ok(());
        }
        let value = match &rule.value {
            None => Value::None,
            Some(of) => match self.value(of)? {
                Some(value) => value,
                None => return Ok(()),
            },
        };
        let Some(kind) = self.word(&rule.kind)? else { return Ok(()) };
        let mut reading = Reading::new(kind, value);
        if let Some((system, code, display)) = &rule.coding {
            reading.codings.push(afferent_plugin_sdk::Coding {
                system: system.clone(),
                code: code.clone(),
                display: Some(display.clone()).filter(|display| !display.is_empty()),
                extra: Vec::new(),
            });
        }
        for Part { kind, value, optional } in &rule.parts {
            match self.value(value)? {
                Some(value) => reading = reading.component(kind, value),
                None if *optional => {}
                None => return Ok(()),
            }
        }
        let reading = self.circumstances(rule, self.timed(rule, reading)?)?;
        self.decoded.readings.push(reading);
        Ok(())
    }

    fn timed(&self, rule: &Rule, mut reading: Reading) -> Result<Reading, DecodeError> {
        if let Some(Datum::Time(moment)) = rule.time.map(|slot| self.slot(slot)) {
            reading = match moment {
                Moment::Clock(clock) => reading.at_wall_clock(clock),
                moment => reading.at(moment.device_time()),
            };
        }
        if let Some(Datum::Time(moment)) = rule.time_end.map(|slot| self.slot(slot)) {
            reading = reading.until(moment.device_time());
        }
        if let Some(state) = rule.clock_state.as_ref().map_or(Ok(None), |word| self.word(word))? {
            reading = reading.clock_state(state);
        }
        // A zone is that of a wall clock; a time with an offset needs none.
        if let (DeviceTime::Local(_), Some(zone)) = (&reading.time, rule.zone.as_ref().and_then(|zone| self.text(zone)))
        {
            reading = reading.in_zone(&zone);
        }
        Ok(reading)
    }

    fn circumstances(&self, rule: &Rule, mut reading: Reading) -> Result<Reading, DecodeError> {
        if let Some(site) = rule.body_site.as_ref().map_or(Ok(None), |word| self.word(word))? {
            reading = reading.body_site(site);
        }
        if let Some(method) = rule.method.as_ref().map_or(Ok(None), |word| self.word(word))? {
            reading = reading.method(method);
        }
        for (name, word) in &rule.context {
            if let Some(value) = self.word(word)? {
                reading = reading.context(name, value);
            }
        }
        for (when, flag) in &rule.flags {
            if self.applies(when.as_ref()) {
                reading = reading.flags(&[flag]);
            }
        }
        for (name, text, when) in &rule.identity {
            if let Some(text) = self.text(text).filter(|text| !text.is_empty() && self.applies(when.as_ref())) {
                reading = reading.device_identity(name, text);
            }
        }
        let slot = rule.user_slot.as_ref().and_then(|text| self.text(text)).filter(|slot| !slot.is_empty());
        let key = rule.record_key.as_ref().and_then(|text| self.text(text)).filter(|key| !key.is_empty());
        let on_change = match rule.on_change {
            Declared::Replace => OnChange::Replace,
            Declared::Distinct => OnChange::Distinct,
            Declared::Conflict => OnChange::Conflict,
        };
        Ok(reading.user_slot(slot.as_deref()).record_key(key, on_change))
    }
}
