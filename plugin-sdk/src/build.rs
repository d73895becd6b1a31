//! Builders: a reading and what surrounds it, in as few words as the payload needs.

use crate::registry::{clock_states, kinds, warnings};
use crate::{
    Coding, Component, Decimal, DecodeError, Decoded, DeviceFact, DeviceTime, Frame, HubContent, HubItem, HubOutcome,
    Incomplete, Input, NameValue, Nothing, OnChange, Outcome, Quantity, Reading, Value, WallClock, Warning,
};

/// A name and a value.
fn pair(name: &str, value: impl Into<String>) -> NameValue {
    NameValue { name: name.to_owned(), value: value.into() }
}

/// The key by which a record is known again within its device, whichever route it took: the device's own time as it
/// said it, and the user slot where there is one (`2024-06-15T17:17:27`, `2024-06-15T17:17:27#2`). None where the
/// clock gave no usable time. Bytes, channel and values take no part, so that a phone and a hub that read the same
/// memory give the same key. Changing a decoder's keys breaks its compatibility.
#[must_use]
pub fn record_key(clock: &WallClock, user_slot: Option<&str>) -> Option<String> {
    let WallClock::Local(text) = clock else { return None };
    let mut key = String::with_capacity(text.len() + 4);
    key.push_str(text);
    if let Some(slot) = user_slot {
        key.push('#');
        key.push_str(slot);
    }
    Some(key)
}

impl Quantity {
    /// A number in a unit of UCUM.
    #[must_use]
    pub fn new(value: Decimal, unit: &str) -> Self {
        Self { value, unit: unit.to_owned(), comparator: None, extra: Vec::new() }
    }

    /// Only a bound: `<`, `<=`, `>=` or `>`; none where the number is the value.
    #[must_use]
    pub fn compared(mut self, comparator: Option<&str>) -> Self {
        self.comparator = comparator.map(str::to_owned);
        self
    }
}

impl Coding {
    /// A code of a system, with the words by which the system displays it.
    #[must_use]
    pub fn new(system: &str, code: &str, display: &str) -> Self {
        let display = Some(display.to_owned());
        Self { system: system.to_owned(), code: code.to_owned(), display, extra: Vec::new() }
    }
}

impl Warning {
    /// A registered warning with a sentence.
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned(), extra: Vec::new() }
    }
}

impl Reading {
    /// A reading of a registered kind, without time or circumstances.
    #[must_use]
    pub fn new(kind: &str, value: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            codings: Vec::new(),
            value,
            components: Vec::new(),
            time: DeviceTime::None,
            time_end: DeviceTime::None,
            clock_state: clock_states::UNKNOWN.to_owned(),
            body_site: None,
            method: None,
            context: Vec::new(),
            flags: Vec::new(),
            user_slot: None,
            device_identity: Vec::new(),
            record_key: None,
            on_change: OnChange::Distinct,
            extra: Vec::new(),
        }
    }

    /// A blood pressure of both its parts, each in its unit or absent with the reason.
    #[must_use]
    pub fn blood_pressure(systolic: Value, diastolic: Value) -> Self {
        Self::new(kinds::BLOOD_PRESSURE, Value::None)
            .component(kinds::BLOOD_PRESSURE_SYSTOLIC, systolic)
            .component(kinds::BLOOD_PRESSURE_DIASTOLIC, diastolic)
    }

    /// Adds a part, such as the systolic pressure of a blood pressure.
    #[must_use]
    pub fn component(mut self, kind: &str, value: Value) -> Self {
        self.components.push(Component { kind: kind.to_owned(), codings: Vec::new(), value, extra: Vec::new() });
        self
    }

    /// The device's time and the state of its clock, as the payload's wall clock shows them.
    #[must_use]
    pub fn at_wall_clock(mut self, clock: &WallClock) -> Self {
        self.time = clock.device_time();
        self.clock_state = clock.clock_state().to_owned();
        self
    }

    /// The device's time.
    #[must_use]
    pub fn at(mut self, time: DeviceTime) -> Self {
        self.time = time;
        self
    }

    /// The end of a measured period.
    #[must_use]
    pub fn until(mut self, time: DeviceTime) -> Self {
        self.time_end = time;
        self
    }

    /// A registered state of the device's clock.
    #[must_use]
    pub fn clock_state(mut self, state: &str) -> Self {
        self.clock_state = state.to_owned();
        self
    }

    /// A registered body site.
    #[must_use]
    pub fn body_site(mut self, site: &str) -> Self {
        self.body_site = Some(site.to_owned());
        self
    }

    /// A registered method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Adds a registered context and its value.
    #[must_use]
    pub fn context(mut self, name: &str, value: impl Into<String>) -> Self {
        self.context.push(pair(name, value));
        self
    }

    /// Adds registered flags.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// The user slot of a shared device; none when the device does not say.
    #[must_use]
    pub fn user_slot(mut self, slot: Option<&str>) -> Self {
        self.user_slot = slot.map(str::to_owned);
        self
    }

    /// The IANA time zone in which the payload says that its wall clock stands (`America/Los_Angeles`): the host reads
    /// local times in it, and not in the zone that is configured for the device.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.extra.push(pair("time-zone", zone));
        self
    }

    /// What the payload claims about its device.
    #[must_use]
    pub fn device_identity(mut self, name: &str, value: impl Into<String>) -> Self {
        self.device_identity.push(pair(name, value));
        self
    }

    /// What identifies the record within its device ([`record_key`]), and what other content under that key means.
    #[must_use]
    pub fn record_key(mut self, key: Option<String>, on_change: OnChange) -> Self {
        self.record_key = key;
        self.on_change = on_change;
        self
    }
}

impl From<Reading> for Outcome {
    fn from(reading: Reading) -> Self {
        vec![reading].into()
    }
}

impl From<Vec<Reading>> for Outcome {
    fn from(readings: Vec<Reading>) -> Self {
        Self::Readings(readings.into())
    }
}

impl From<Decoded> for Outcome {
    fn from(decoded: Decoded) -> Self {
        Self::Readings(decoded)
    }
}

impl From<Nothing> for Outcome {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(nothing)
    }
}

impl HubItem {
    /// What a hub carried from the device that it names so, usually by its Bluetooth address.
    #[must_use]
    pub fn new(device: &str, content: HubContent) -> Self {
        Self { device: device.to_owned(), item_id: None, content, extra: Vec::new() }
    }

    /// Bytes for the device's own decoder, with the characteristic (`2A35`), port or topic that they came from. An
    /// attribute handle of which only the device's own `handle_map` knows the characteristic is `handle:52`.
    #[must_use]
    pub fn frame(device: &str, channel: &str, data: Vec<u8>, captured_at_ms: Option<i64>) -> Self {
        let frame = Frame { channel: channel.to_owned(), data, captured_at_ms, extra: Vec::new() };
        Self::new(device, HubContent::Frame(frame))
    }

    /// The hub's own id of the item: the same id is the same item again.
    #[must_use]
    pub fn item_id(mut self, id: &str) -> Self {
        self.item_id = Some(id.to_owned());
        self
    }

    /// What the hub calls the kind of device, for whoever pairs it.
    #[must_use]
    pub fn device_type(mut self, name: &str) -> Self {
        self.extra.push(pair("device-type", name));
        self
    }
}

impl From<Decoded> for HubContent {
    fn from(decoded: Decoded) -> Self {
        Self::Readings(decoded)
    }
}

impl From<Nothing> for HubContent {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(nothing)
    }
}

impl From<Result<HubContent, DecodeError>> for HubContent {
    fn from(result: Result<HubContent, DecodeError>) -> Self {
        result.unwrap_or_else(Self::Error)
    }
}

impl From<Nothing> for HubOutcome {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(nothing)
    }
}

impl From<Vec<HubItem>> for HubOutcome {
    fn from(items: Vec<HubItem>) -> Self {
        Self::Items(items)
    }
}

impl From<Vec<Reading>> for Decoded {
    fn from(readings: Vec<Reading>) -> Self {
        Self { readings, facts: Vec::new(), warnings: Vec::new(), extra: Vec::new() }
    }
}

impl Decoded {
    /// Says of all readings which of several frames they came from, counted from 0: their time is the capture of that
    /// frame where the payload has none, and equal readings of different frames are told apart.
    pub fn from_frame(&mut self, frame: usize) {
        for reading in &mut self.readings {
            reading.extra.push(NameValue { name: "frame".to_owned(), value: frame.to_string() });
        }
    }

    /// Adds a registered warning.
    #[must_use]
    pub fn warning(mut self, code: &str, message: &str) -> Self {
        self.warnings.push(Warning::new(code, message));
        self
    }

    /// Adds a registered fact about the device to what is there.
    pub fn add_fact(&mut self, kind: &str, value: Value) {
        self.facts.push(DeviceFact { kind: kind.to_owned(), value, extra: Vec::new() });
    }

    /// Adds a registered warning, unless it was added before.
    pub fn warn(&mut self, code: &str, message: &str) {
        if !self.warnings.iter().any(|warning| warning.code == code && warning.message == message) {
            self.warnings.push(Warning::new(code, message));
        }
    }

    /// Adds the warning that the payload has a measurement that the decoder does not translate. What is read beside it
    /// is not lost for it. `metric` is the sender's own name, which is shortened: it may be anything.
    pub fn warn_of_metric(&mut self, metric: &str) {
        let name: String = metric.chars().filter(|letter| !letter.is_control()).take(64).collect();
        self.warn(warnings::UNSUPPORTED_METRIC, &format!("the metric `{name}` is not translated"));
    }

    /// The outcome: the readings, or nothing for a registered reason where there are none. Facts and warnings stay.
    #[must_use]
    pub fn or_nothing(self, reason: &str, message: &str) -> Outcome {
        if !self.readings.is_empty() {
            return self.into();
        }
        Outcome::Nothing(Nothing { facts: self.facts, warnings: self.warnings, ..Nothing::because(reason, message) })
    }

    /// Adds a registered fact about the device.
    #[must_use]
    pub fn fact(mut self, kind: &str, value: Value) -> Self {
        self.facts.push(DeviceFact { kind: kind.to_owned(), value, extra: Vec::new() });
        self
    }
}

impl Incomplete {
    /// The name in `extra` under which a decoder says what the frames tell by themselves ([`Incomplete::decoded`]).
    pub const DECODED: &str = "decoded";

    /// More frames are needed; why, for the person who waits.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self { reason: reason.to_owned(), extra: Vec::new() }
    }

    /// Says that the frames are whole by themselves, and what they are: only that which they belong to is still to come
    /// (the context of a glucose measurement). Nothing of a half message.
    #[must_use]
    pub fn decoded(mut self, what: impl Into<String>) -> Self {
        self.extra.push(pair(Self::DECODED, what));
        self
    }

    /// Did the decoder say that the frames are whole by themselves?
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.extra.iter().any(|extra| extra.name == Self::DECODED)
    }
}

impl From<Incomplete> for Outcome {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

impl Nothing {
    /// Well formed, and nothing to store, for a registered reason.
    #[must_use]
    pub fn because(reason: &str, message: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.to_owned(),
            facts: Vec::new(),
            warnings: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Adds a registered fact about the device.
    #[must_use]
    pub fn fact(mut self, kind: &str, value: Value) -> Self {
        self.facts.push(DeviceFact { kind: kind.to_owned(), value, extra: Vec::new() });
        self
    }

    /// Adds a registered warning.
    #[must_use]
    pub fn warning(mut self, code: &str, message: &str) -> Self {
        self.warnings.push(Warning::new(code, message));
        self
    }
}

impl Input {
    /// An input with one frame, as tests and examples need it: no times, no zone, no variables.
    #[must_use]
    pub fn new(model: &str, channel: &str, data: impl Into<Vec<u8>>) -> Self {
        let frame = Frame { channel: channel.to_owned(), data: data.into(), captured_at_ms: None, extra: Vec::new() };
        Self {
            model: model.to_owned(),
            frames: vec![frame],
            content_type: "application/octet-stream".to_owned(),
            received_at_ms: 0,
            time_zone: None,
            variables: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// An input whose one frame is written in hexadecimal, with or without spaces: readable examples and tests. Digits
    /// that are none end the frame, so that such an example fails.
    #[must_use]
    pub fn hex(model: &str, channel: &str, digits: &str) -> Self {
        let nibbles = digits.chars().filter(|digit| !digit.is_whitespace()).map(|digit| digit.to_digit(16));
        let nibbles: Vec<u8> =
            nibbles.map_while(|nibble| nibble.and_then(|nibble| u8::try_from(nibble).ok())).collect();
        let bytes = nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble));
        Self::new(model, channel, bytes.collect::<Vec<u8>>())
    }

    /// Adds a variable that the platform keeps for the device.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push(pair(name, value));
        self
    }

    /// The bytes of the only frame, for devices whose record is always one frame.
    ///
    /// # Errors
    ///
    /// There is none, or more than one.
    pub fn only_frame(&self) -> Result<&[u8], DecodeError> {
        match self.frames.as_slice() {
            [frame] => Ok(&frame.data),
            [] => Err(DecodeError::malformed("there is no frame")),
            _ => Err(DecodeError::unsupported("a record of this device is one frame, and there are several")),
        }
    }

    /// The value of a variable that the platform keeps for this device.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|variable| variable.name == name).map(|variable| variable.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::record_key;
    use crate::WallClock;

    #[test]
    fn only_a_time_that_exists_makes_a_key() {
        let clock = WallClock::Local("2024-06-15T17:17:27".into());
        assert_eq!(record_key(&clock, None).as_deref(), Some("2024-06-15T17:17:27"));
        assert_eq!(record_key(&clock, Some("2")).as_deref(), Some("2024-06-15T17:17:27#2"));
        assert_eq!(record_key(&WallClock::Unknown, Some("2")), None);
        assert_eq!(record_key(&WallClock::Impossible, None), None);
    }
}
