//! Formats that are shipped as Rust, redone as tables: on every vector, and on every payload that is cut short or has a flipped
//! bit, the table answers what the Rust decoder answers.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use afferent_plugin_sdk::vectors::Vector;
use afferent_plugin_sdk::{Decoder, Input, Outcome, outcome_name, value_lines};
use bluetooth_sig::BluetoothSig;
use declarative_decoder::{run, source, table::Table};
use tellihealth::Tellihealth;

fn table(name: &str) -> Table {
    let text = fs::read_to_string(format!("tables/{name}.toml")).unwrap();
    source::compile(&text).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
}

fn vectors(path: &str) -> Vec<Vector> {
    let text = fs::read_to_string(format!("../../plugins/{path}.jsonl")).unwrap();
    text.lines().map(|line| Vector::parse(line).unwrap()).collect()
}

fn answer(table: &Table, input: &Input) -> Outcome {
    run::decode(table, input).unwrap_or_else(Outcome::Error)
}

fn of<D: Decoder>(input: &Input) -> Outcome {
    D::decode(input).unwrap_or_else(Outcome::Error)
}

/// Everything but the words of a refusal, and the order of flags.
fn comparable(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Error(mut error) => {
            error.message.clear();
            (error.offset, error.path) = (None, None);
            Outcome::Error(error)
        }
        Outcome::Readings(mut decoded) => {
            decoded.readings.iter_mut().for_each(|reading| reading.flags.sort());
            Outcome::Readings(decoded)
        }
        other => other,
    }
}

/// Compares table and decoder on an input and on what becomes of it on the way; gives how many were compared.
fn compare<D: Decoder>(table: &Table, input: &Input) -> usize {
    let same = |input: &Input| {
        let (ours, theirs) = (comparable(answer(table, input)), comparable(of::<D>(input)));
        assert_eq!(ours, theirs, "{:02x?}", input.frames);
    };
    same(input);
    let data = input.frames[0].data.clone();
    let mut compared = 1;
    let mut with = |data: Vec<u8>| {
        let mut changed = input.clone();
        changed.frames[0].data = data;
        same(&changed);
        compared += 1;
    };
    for length in 0..data.len() {
        with(data[..length].to_vec());
    }
    for bit in 0..data.len() * 8 {
        let mut flipped = data.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        with(flipped);
    }
    if input.content_type != "application/json" {
        for first in 0..=255 {
            for length in 0..data.len() + 12 {
                let rest = data.iter().skip(1).copied().cycle().take(length);
                with(std::iter::once(first).chain(rest).collect());
            }
        }
    }
    compared
}

fn compare_format<D: Decoder>(name: &str, path: &str) -> usize {
    let table = table(name);
    let mut compared = 0;
    for vector in vectors(path) {
        compared += compare::<D>(&table, &vector.input(&vector.format, ""));
    }
    compared
}

#[test]
fn the_table_of_blood_pressure_is_the_decoder() {
    let compared = compare_format::<BluetoothSig>("blood-pressure", "bluetooth-sig/vectors/gatt-2A35");
    assert!(compared > 50_000, "{compared}");
}

#[test]
fn the_table_of_the_thermometer_is_the_decoder() {
    let compared = compare_format::<BluetoothSig>("thermometer", "bluetooth-sig/vectors/gatt-2A1C");
    assert!(compared > 30_000, "{compared}");
}

#[test]
fn the_table_of_telli_is_the_decoder() {
    let table = table("telli-v1");
    for vector in vectors("tellihealth/vectors/telli-v1") {
        let input = vector.input(&vector.format, "");
        assert_eq!(comparable(answer(&table, &input)), comparable(of::<Tellihealth>(&input)), "{}", vector.id);
    }
}

#[test]
fn examples_of_tables_come_to_what_they_say() {
    for name in ["blood-pressure", "thermometer", "telli-v1"] {
        let table = table(name);
        for example in table.examples().unwrap() {
            let outcome = answer(&table, &example.input);
            assert_eq!(outcome_name(&outcome), example.outcome, "{name}: {}", example.name);
            assert_eq!(value_lines(&outcome), example.values, "{name}: {}", example.name);
        }
    }
}

#[test]
fn a_table_survives_the_way_into_a_component() {
    let table = table("telli-v1");
    let bytes = table.to_bytes().expect("a table has bytes");
    assert_eq!(Table::from_bytes(&bytes).unwrap(), table);
    assert!(bytes.len() < 6_000, "{}", bytes.len());
}
