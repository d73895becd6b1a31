//! Every combination of flags of every characteristic with random bytes behind it: the decoder never panics, says only what
//! its manifest declares, and every number it says is one that the host will judge: its unit is of its kind, so that what
//! lies outside the hard range of `vitals.json` is held, and nothing switches that judgement off without a flag that does.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use afferent_plugin_sdk::{
    Component, Decimal, Decoder, Frame, Input, NameValue, Outcome, Quantity, Reading, Value, violations,
};
use bluetooth_sig::BluetoothSig;
use serde_json::Value as Json;

const CHANNELS: [&str; 14] =
    ["2A08", "2A18", "2A1C", "2A2B", "2A34", "2A35", "2A36", "2A37", "2A5E", "2A5F", "2A9C", "2A9D", "2AA7", "2AAA"];

/// Numbers that look random and are the same in every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// Random bytes, many of them of the sort that fields break on.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        const EDGES: [u8; 8] = [0x00, 0xFF, 0x7F, 0x80, 0x07, 0x08, 0x01, 0xFE];
        let byte = |noise: &mut Self| match noise.below(4) {
            0 => EDGES[usize::try_from(noise.below(8)).unwrap()],
            _ => u8::try_from(noise.below(256)).unwrap(),
        };
        (0..length).map(|_| byte(self)).collect()
    }
}

/// What the host judges by: kinds and units as they are in the tables.
struct Tables {
    kinds: BTreeMap<String, Json>,
    conversions: Vec<Json>,
    unjudged: Vec<String>,
}

impl Tables {
    fn load() -> Self {
        let read = |name: &str| -> Json {
            let path = format!("{}/../../fhir-profiles/{name}.json", env!("CARGO_MANIFEST_DIR"));
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let list = |table: &Json, name: &str| table[name].as_array().unwrap().clone();
        let kinds = list(&read("vitals"), "kinds");
        let off = |row: &&Json| row["judged"] == false;
        Self {
            kinds: kinds.into_iter().map(|kind| (kind["name"].as_str().unwrap().to_owned(), kind)).collect(),
            conversions: list(&read("units"), "conversions"),
            unjudged: list(&read("dispositions"), "conditions")
                .iter()
                .filter(off)
                .map(|row| row["condition"].as_str().unwrap().to_owned())
                .collect(),
        }
    }

    /// The number in the canonical unit, as a fraction, if the host can have it there.
    fn canonical(&self, kind: &Json, quantity: &Quantity) -> Option<(i128, i128)> {
        let canonical = kind["canonicalUnit"].as_str()?;
        // A FLOAT's exponent reaches 64: beyond 18 the number is as far outside every range, or as near to 0, as at 18.
        let mantissa =
            if quantity.value.exponent < -18 { quantity.value.mantissa.signum() } else { quantity.value.mantissa };
        let exponent = quantity.value.exponent.clamp(-18, 18);
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        let (number, scale) =
            if exponent < 0 { (i128::from(mantissa), power) } else { (i128::from(mantissa).checked_mul(power)?, 1) };
        if quantity.unit == canonical {
            return Some((number, scale));
        }
        let own = kind["conversions"].as_array().into_iter().flatten();
        let row = own.chain(&self.conversions).find(|row| row["from"] == quantity.unit && row["to"] == canonical)?;
        let part = |name: &str, otherwise: i64| i128::from(row[name].as_i64().unwrap_or(otherwise));
        Some((number * part("multiply", 1) + part("add", 0) * scale, scale * part("divide", 1)))
    }

    /// Is the number inside the hard range? None where the kind has no range, or the host cannot compare.
    fn is_inside(&self, kind: &Json, quantity: &Quantity) -> Option<bool> {
        let (number, scale) = self.canonical(kind, quantity)?;
        let limit = |name: &str| {
            let limit = Decimal::parse(kind["hard"][name].as_str()?).ok()?;
            let power = 10_i128.pow(limit.exponent.unsigned_abs());
            Some((i128::from(limit.mantissa), power))
        };
        let (low, high) = (limit("low")?, limit("high")?);
        Some(number * low.1 >= low.0 * scale && number * high.1 <= high.0 * scale)
    }
}

/// What was seen of one kind.
#[derive(Default)]
struct Seen {
    inside: usize,
    outside: usize,
}

fn judge(tables: &Tables, reading: &Reading, seen: &mut BTreeMap<String, Seen>) {
    let main = (!matches!(reading.value, Value::None)).then_some((&reading.kind, &reading.value));
    let parts = reading.components.iter().map(|Component { kind, value, .. }| (kind, value));
    for (name, value) in main.into_iter().chain(parts) {
        let quantity = match value {
            Value::Quantity(quantity) => quantity,
            Value::Absent(_) => continue,
            other => panic!("{name} is {other:?}"),
        };
        let kind = tables.kinds.get(name).unwrap_or_else(|| panic!("{name} is no kind of the table"));
        if kind.get("hard").is_none() {
            assert_eq!(name, "basal-metabolism", "a kind without a hard range");
            let units = kind["units"].as_array().unwrap();
            assert!(units.contains(&Json::from(quantity.unit.as_str())), "{name} in {}", quantity.unit);
            continue;
        }
        let inside = tables.is_inside(kind, quantity);
        let inside =
            inside.unwrap_or_else(|| panic!("the host cannot judge {name} {} {}", quantity.value, quantity.unit));
        let counts = seen.entry(name.clone()).or_default();
        *(if inside { &mut counts.inside } else { &mut counts.outside }) += 1;
        // Outside, it is held: unless a flag says that it is not to be judged, which is then what people see of it.
        let unjudged = reading.flags.iter().filter(|flag| tables.unjudged.contains(flag));
        assert!(unjudged.clone().count() == 0 || name == "heart-rate", "{name}: {:?}", reading.flags);
    }
}

fn run(tables: &Tables, input: &Input, seen: &mut BTreeMap<String, Seen>) -> Outcome {
    let outcome = BluetoothSig::decode(input).unwrap_or_else(Outcome::Error);
    let found = MANIFEST.with(|manifest| violations(manifest, &outcome));
    assert!(found.is_empty(), "{found:?} of {:?}", input.frames);
    if let Outcome::Readings(decoded) = &outcome {
        decoded.readings.iter().for_each(|reading| judge(tables, reading, seen));
    }
    outcome
}

thread_local! {
    static MANIFEST: afferent_plugin_sdk::Manifest = BluetoothSig::describe();
}

fn frame(channel: &str, data: Vec<u8>) -> Frame {
    Frame { channel: channel.to_owned(), data, captured_at_ms: None, extra: Vec::new() }
}

/// How long the payload with these flags is, or near it: most random lengths would only meet the length check.
fn length(channel: &str, flags: u16) -> usize {
    let has = |bit: u32, size: usize| if flags >> bit & 1 == 1 { size } else { 0 };
    match channel {
        "2A08" => 7,
        "2A2B" => 10,
        "2A18" => 10 + has(0, 2) + has(1, 3) + has(3, 2),
        "2A1C" => 5 + has(1, 7) + has(2, 1),
        "2A34" => 3 + has(7, 1) + has(0, 3) + has(1, 1) + has(2, 1) + has(3, 3) + has(4, 3) + has(6, 2),
        "2A35" | "2A36" => 7 + has(1, 7) + has(2, 2) + has(3, 1) + has(4, 2),
        "2A37" => 2 + has(0, 1) + has(3, 2) + has(4, 4),
        "2A5E" => 5 + has(0, 7) + has(1, 2) + has(2, 3) + has(3, 2),
        "2A5F" => 5 + has(0, 4) + has(1, 4) + has(2, 2) + has(3, 3) + has(4, 2),
        "2A9C" => 4 + has(1, 7) + has(2, 1) + (3..12).map(|bit| has(bit, 2)).sum::<usize>(),
        "2A9D" => 3 + has(1, 7) + has(2, 1) + has(3, 4),
        "2AA7" => 6 + has(0, 2) + has(1, 2) + has(5, 1) + has(6, 1) + has(7, 1),
        _ => 9,
    }
}

/// A payload with these flags: mostly of the right length, sometimes shorter or longer.
fn payload(noise: &mut Noise, channel: &str, flags: u16) -> Vec<u8> {
    let fitting = length(channel, flags);
    let length = match noise.below(8) {
        0 => usize::try_from(noise.below(40)).unwrap(),
        1 => fitting + 1,
        2 => fitting - 1,
        _ => fitting,
    };
    let mut data = noise.bytes(length);
    let [low, high] = flags.to_le_bytes();
    let head: &[u8] = match channel {
        "2A9C" => &[low, high],
        "2AA7" => &[u8::try_from(fitting).unwrap(), low],
        "2A08" | "2A2B" | "2AAA" => &[],
        _ => &[low],
    };
    for (byte, flag) in data.iter_mut().zip(head) {
        *byte = *flag;
    }
    if ["2A08", "2A2B"].contains(&channel) {
        // Random bytes are hardly ever a time: near one, on both sides of what exists.
        let near = [
            0xE0 + noise.below(16),
            7,
            noise.below(14),
            noise.below(33),
            noise.below(25),
            noise.below(61),
            0,
            noise.below(9),
        ];
        for (byte, near) in data.iter_mut().zip(near) {
            *byte = u8::try_from(near).unwrap();
        }
    }
    data
}

#[test]
fn no_flags_and_no_bytes_make_a_number_that_nobody_judges() {
    let tables = Tables::load();
    let mut noise = Noise(0x1234_5678_9ABC_DEF1);
    let mut seen = BTreeMap::new();
    let mut decoded: BTreeMap<&str, usize> = BTreeMap::new();
    for channel in CHANNELS {
        // Of the 16 flags of 2A9C three are reserved: each of those once beside every other.
        let (all, rounds) = if channel == "2A9C" { (1 << 13, 5) } else { (1 << 8, 100) };
        for flags in 0..all {
            for round in 0..rounds {
                let reserved = if channel == "2A9C" && round < 3 { 0x2000 << round } else { 0 };
                let data = payload(&mut noise, channel, flags | reserved);
                let mut input = Input::new("bluetooth-sig", channel, data);
                if let ("2A34", [_, low, high, ..]) = (channel, input.frames[0].data.as_slice()) {
                    let record = [&[0x12, *low, *high][..], &support::bytes("ea07 03 0a 07 0f 00 64b0 11")].concat();
                    input.frames.insert(0, frame("2A18", record));
                }
                let outcome = run(&tables, &input, &mut seen);
                *decoded.entry(channel).or_default() += usize::from(!matches!(outcome, Outcome::Error(_)));
            }
        }
    }
    for channel in CHANNELS {
        assert!(
            decoded.get(channel).is_some_and(|decoded| *decoded >= 20),
            "{channel} was hardly reached: {decoded:?}"
        );
    }
    for kind in BluetoothSig::describe()
        .kinds
        .iter()
        .filter(|kind| !["blood-pressure", "basal-metabolism"].contains(&kind.as_str()))
    {
        let counts = seen.get(kind).unwrap_or_else(|| panic!("{kind} was never said"));
        assert!(counts.inside > 0, "{kind} was never inside its range");
        let bounded = kind.ends_with("-percentage") || kind.ends_with("-mass") || kind == "body-impedance";
        assert!(counts.outside > 0 || bounded, "{kind} was never outside its range: the test tests too little");
    }
}

#[test]
fn no_mixture_of_frames_is_more_than_its_frames() {
    let tables = Tables::load();
    let mut noise = Noise(0xFEED_F00D_0000_0001);
    let mut seen = BTreeMap::new();
    let mut joined = 0;
    for _ in 0..15_000 {
        let count = 2 + noise.below(5);
        let mut input = Input::new("bluetooth-sig", "", []);
        input.frames = (0..count)
            .map(|_| {
                let channel = CHANNELS[usize::try_from(noise.below(14)).unwrap()];
                let known: u16 = match channel {
                    "2A9C" => 0x1FFF,
                    "2AA7" => 0xE3,
                    "2A34" => 0xFF,
                    "2A9D" => 0x0F,
                    "2A1C" => 0x07,
                    _ => 0x1F,
                };
                let flags = u16::try_from(noise.below(1 << 16)).unwrap() & known;
                let mut data = payload(&mut noise, channel, flags);
                data.truncate(length(channel, flags));
                // Few numbers and no zones, so that records and contexts, weights and compositions meet.
                if ["2A18", "2A34"].contains(&channel) && data.len() > 2 {
                    (data[1], data[2]) = (u8::try_from(noise.below(2)).unwrap(), 0);
                }
                frame(channel, data)
            })
            .collect();
        if noise.below(2) == 0 {
            input.variables =
                vec![NameValue { name: "session_start_local".into(), value: "2026-01-15T08:00:00".into() }];
        }
        let alone: usize = input
            .frames
            .iter()
            .map(|frame| match BluetoothSig::decode(&Input::new("bluetooth-sig", &frame.channel, frame.data.clone())) {
                Ok(Outcome::Readings(decoded)) => decoded.readings.len(),
                _ => 0,
            })
            .sum();
        let outcome = run(&tables, &input, &mut seen);
        let again = BluetoothSig::decode(&input).unwrap_or_else(Outcome::Error);
        assert_eq!(outcome, again, "a second run gives another outcome");
        if let Outcome::Readings(decoded) = outcome {
            joined += 1;
            // A context adds its HbA1c, and a second packet what the first had not; a weight said twice is told once.
            let added = input.frames.iter().filter(|frame| ["2A34", "2A9C"].contains(&frame.channel.as_str())).count();
            assert!(decoded.readings.len() <= alone + added * 10, "{:?}", input.frames);
            for reading in &decoded.readings {
                let frame: usize = support::frame_of(reading).parse().expect("a number");
                assert!(frame < input.frames.len());
            }
        }
    }
    assert!(joined > 200, "only {joined} mixtures came to readings");
}
