//! Which bytes of a payload became which field: found from outside, without help of the decoder. Every byte (of JSON: every
//! value) is changed in several ways, the payload is decoded again, and what the answer says otherwise came from there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use plugin_host::{Decoded, Decoder, DeviceTime, HubContent, HubItem, HubOutcome, Input, Outcome, Surface, Value};
use serde::Serialize;
use utoipa::ToSchema;
use vendor_tools::checksum::{self, Checksum};

use super::json_spans;

/// Calls of the decoder for one map, and the time that they may take together.
const MOST_CALLS: usize = 4_096;
const MOST_TIME: Duration = Duration::from_secs(2);

/// What a byte is changed by: its lowest and highest bits, and all of it.
const MASKS: [u8; 5] = [0x01, 0x02, 0x10, 0x80, 0xFF];

/// A stretch of a payload, and what depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MappedBytes {
    /// Which frame, from 0.
    pub frame: usize,
    /// The first byte, from 0.
    pub from: usize,
    /// The byte behind the last.
    pub to: usize,
    /// The JSON path, where the payload is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The fields of the answer that changed with it: `readings[0] body-weight`, `readings[0] time`, `facts[0] battery`.
    /// `checksum` where it is the frame's own.
    pub fields: Vec<String>,
    /// Whether some change of it was refused: the decoder checks it. Where the frame has a checksum: refused although the
    /// checksum was made right again.
    pub checked: bool,
}

/// The map of a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByteMap {
    /// In the order of the payload; neighbours with the same fields are one stretch.
    pub bytes: Vec<MappedBytes>,
    /// Whether all of the payload was tried: the number of calls and their time are bounded.
    pub complete: bool,
    /// How often the decoder was called.
    pub calls: usize,
    /// The checksums of the frames, each once: `sum8 of bytes 0 to 15`. They were found from outside, as the map is, and made right
    /// again after every change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<String>,
}

/// Maps a payload. An empty map where the decoder has no readings and no facts to say.
#[must_use]
pub fn byte_map(decoder: &Decoder, input: &Input) -> ByteMap {
    let Some(told) = said(decoder, input) else { return ByteMap::default() };
    let started = Instant::now();
    let mut map = ByteMap { complete: true, ..ByteMap::default() };
    for (index, frame) in input.frames.iter().enumerate() {
        let json = input.content_type == "application/json";
        let places = if json {
            json_spans::spans(&frame.data)
        } else {
            (0..frame.data.len()).map(|at| (at, at + 1, None)).collect()
        };
        let checksum = if json { None } else { map.checksum(decoder, input, index) };
        let own = checksum.and_then(|checksum| checksum.place(frame.data.len())).unwrap_or_default();
        for (from, to, path) in places {
            let part = frame.data.get(from..to).unwrap_or_default();
            let mut stretch = MappedBytes { frame: index, from, to, path, fields: Vec::new(), checked: false };
            if own.contains(&from) {
                stretch.fields.push("checksum".to_owned());
                stretch.checked = true;
                map.add(stretch);
                continue;
            }
            let mut changed_fields = BTreeSet::new();
            for changed in changes(part, stretch.path.is_some()) {
                if map.calls >= MOST_CALLS || started.elapsed() > MOST_TIME {
                    map.complete = false;
                    return map;
                }
                map.calls += 1;
                let mut data = frame.data.clone();
                data.splice(from..to, changed);
                let data = checksum.and_then(|checksum| checksum.repaired(&data)).unwrap_or(data);
                match said(decoder, &with_frame(input, index, data)) {
                    None => stretch.checked = true,
                    Some(answer) => changed_fields.extend(differences(&told, &answer)),
                }
            }
            stretch.fields = changed_fields.into_iter().collect();
            map.add(stretch);
        }
    }
    map
}

/// The input with other bytes in one frame.
fn with_frame(input: &Input, index: usize, data: Vec<u8>) -> Input {
    let mut other = input.clone();
    if let Some(frame) = other.frames.get_mut(index) {
        frame.data = data;
    }
    other
}

impl ByteMap {
    /// The checksum of a frame, which the decoder's own examples of the model confirm.
    fn checksum(&mut self, decoder: &Decoder, input: &Input, index: usize) -> Option<Checksum> {
        let data = &input.frames.get(index)?.data;
        let examples = decoder.manifest().examples.iter().map(|example| &example.input);
        let others: Vec<&[u8]> = examples
            .filter(|other| other.model == input.model)
            .filter_map(|other| Some(other.frames.get(index)?.data.as_slice()))
            .collect();
        let checksum = checksum::find(data, &others, |changed| {
            self.calls += 1;
            said(decoder, &with_frame(input, index, changed.to_vec())).is_some()
        })?;
        let words = checksum.described(data.len());
        if !self.checksums.contains(&words) {
            self.checksums.push(words);
        }
        Some(checksum)
    }

    /// Adds a stretch, to its neighbour where both say the same.
    fn add(&mut self, stretch: MappedBytes) {
        match self.bytes.last_mut() {
            Some(last)
                if last.frame == stretch.frame
                    && last.to == stretch.from
                    && last.path.is_none()
                    && last.fields == stretch.fields
                    && last.checked == stretch.checked =>
            {
                last.to = stretch.to;
            }
            _ => self.bytes.push(stretch),
        }
    }
}

/// Other bytes for these: of the same form where they are a value of JSON.
fn changes(part: &[u8], json: bool) -> Vec<Vec<u8>> {
    if !json {
        return MASKS.iter().map(|mask| part.iter().map(|byte| byte ^ mask).collect()).collect();
    }
    match part {
        b"true" => vec![b"false".to_vec()],
        b"false" => vec![b"true".to_vec()],
        b"null" => vec![b"1".to_vec(), b"\"1\"".to_vec()],
        _ => {
            // Another digit in front, in the middle and at the end keeps a number a number and, mostly, a time a time.
            let digits: Vec<usize> =
                (0..part.len()).filter(|at| part.get(*at).is_some_and(u8::is_ascii_digit)).collect();
            let chosen = [digits.first(), digits.get(digits.len() / 2), digits.last()];
            let chosen: BTreeSet<usize> = chosen.into_iter().flatten().copied().collect();
            let mut changes: Vec<Vec<u8>> = chosen.into_iter().map(|at| with(part, at, other_digit)).collect();
            let letter = (0..part.len()).rev().find(|at| part.get(*at).is_some_and(u8::is_ascii_alphabetic));
            changes.extend(letter.map(|at| with(part, at, |byte| if byte == b'x' { b'y' } else { b'x' })));
            changes
        }
    }
}

fn other_digit(digit: u8) -> u8 {
    if digit == b'1' { b'2' } else { b'1' }
}

fn with(part: &[u8], at: usize, change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut changed = part.to_vec();
    changed.get_mut(at).into_iter().for_each(|byte| *byte = change(*byte));
    changed
}

/// The names of fields that differ. Where the number of readings differs, the bytes decide what is there.
fn differences(told: &BTreeMap<String, String>, answer: &BTreeMap<String, String>) -> BTreeSet<String> {
    let names = told.keys().chain(answer.keys());
    names.filter(|name| told.get(*name) != answer.get(*name)).filter(|name| told.contains_key(*name)).cloned().collect()
}

/// What the decoder says of a payload, field by field; nothing where it refuses it.
fn said(decoder: &Decoder, input: &Input) -> Option<BTreeMap<String, String>> {
    match decoder.surface() {
        Surface::Device => decoder.decode(input).ok().as_ref().and_then(fields),
        Surface::Hub => decoder.split(input).ok().as_ref().and_then(hub_fields),
    }
}

/// The same of what a hub carries: each item by its place.
fn hub_fields(outcome: &HubOutcome) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    match outcome {
        HubOutcome::Items(items) => {
            items.iter().enumerate().for_each(|(index, item)| add_item(&mut fields, index, item));
        }
        HubOutcome::Nothing(nothing) => {
            fields.insert("nothing".to_owned(), nothing.reason.clone());
            add_facts(&mut fields, &nothing.facts);
        }
        HubOutcome::Incomplete(_) | HubOutcome::Error(_) => return None,
    }
    Some(fields)
}

fn add_item(fields: &mut BTreeMap<String, String>, index: usize, item: &HubItem) {
    let name = format!("items[{index}]");
    fields.insert(format!("{name} device"), item.device.clone());
    item.item_id.clone().map(|id| fields.insert(format!("{name} id"), id));
    for pair in &item.extra {
        fields.insert(format!("{name} {}", pair.name), pair.value.clone());
    }
    match &item.content {
        HubContent::Frame(frame) => {
            fields.insert(format!("{name} channel"), frame.channel.clone());
            fields.insert(format!("{name} bytes"), hex::encode(&frame.data));
            frame.captured_at_ms.map(|ms| fields.insert(format!("{name} captured-at"), ms.to_string()));
        }
        HubContent::Readings(decoded) => {
            let mut of_item = BTreeMap::new();
            add_readings(&mut of_item, decoded);
            fields.extend(of_item.into_iter().map(|(field, value)| (format!("{name} {field}"), value)));
        }
        HubContent::Nothing(nothing) => {
            fields.insert(format!("{name} nothing"), nothing.reason.clone());
        }
        HubContent::Error(error) => {
            fields.insert(format!("{name} error"), error.kind.as_str().to_owned());
        }
    }
}

/// What an answer says, field by field; nothing for one without readings and facts.
fn fields(outcome: &Outcome) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    match outcome {
        Outcome::Readings(decoded) => add_readings(&mut fields, decoded),
        Outcome::Nothing(nothing) => {
            fields.insert("nothing".to_owned(), nothing.reason.clone());
            add_facts(&mut fields, &nothing.facts);
        }
        Outcome::Incomplete(_) | Outcome::Error(_) => return None,
    }
    Some(fields)
}

fn add_facts(fields: &mut BTreeMap<String, String>, facts: &[plugin_host::DeviceFact]) {
    for (index, fact) in facts.iter().enumerate() {
        fields.insert(format!("facts[{index}] {}", fact.kind), value(&fact.value).0);
    }
}

fn add_readings(fields: &mut BTreeMap<String, String>, decoded: &Decoded) {
    for (index, reading) in decoded.readings.iter().enumerate() {
        let name = format!("readings[{index}]");
        let values = reading.components.iter().map(|part| (format!("{}/{}", reading.kind, part.kind), &part.value));
        for (of, told) in std::iter::once((reading.kind.clone(), &reading.value)).chain(values) {
            if matches!(told, Value::None) {
                continue;
            }
            let (number, unit) = value(told);
            fields.insert(format!("{name} {of}"), number);
            unit.map(|unit| fields.insert(format!("{name} {of} unit"), unit));
        }
        for (of, told) in [("time", &reading.time), ("time-end", &reading.time_end)] {
            time(told).map(|time| fields.insert(format!("{name} {of}"), time));
        }
        let words = [
            ("body-site", reading.body_site.clone()),
            ("method", reading.method.clone()),
            ("user-slot", reading.user_slot.clone()),
            ("record-key", reading.record_key.clone()),
            ("flags", Some(reading.flags.join(", "))),
            ("clock-state", Some(reading.clock_state.clone())),
        ];
        for (of, word) in words {
            word.map(|word| fields.insert(format!("{name} {of}"), word));
        }
        for pair in reading.context.iter().chain(&reading.device_identity) {
            fields.insert(format!("{name} {}", pair.name), pair.value.clone());
        }
    }
    add_facts(fields, &decoded.facts);
    for (index, warning) in decoded.warnings.iter().enumerate() {
        fields.insert(format!("warnings[{index}]"), warning.code.clone());
    }
}

fn time(time: &DeviceTime) -> Option<String> {
    match time {
        DeviceTime::None => None,
        DeviceTime::Local(text) | DeviceTime::Zoned(text) => Some(text.clone()),
        DeviceTime::BeforeCapture(ms) => Some(format!("{ms} ms before the capture")),
    }
}

/// The value as text, and its unit where it has one.
fn value(value: &Value) -> (String, Option<String>) {
    match value {
        Value::Quantity(quantity) => {
            let comparator = quantity.comparator.as_deref().unwrap_or_default();
            (format!("{comparator}{}", quantity.value), Some(quantity.unit.clone()))
        }
        other => (format!("{other:?}"), None),
    }
}
