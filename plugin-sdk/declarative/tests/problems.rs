//! What is wrong with a table is said with its line and with what would be right.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use declarative_decoder::source::compile;

const GOOD: &str = r#"[decoder]
name = "acme-scale"
vendor = "ACME"
version = "1.0.0"

[[model]]
name = "acme-scale"
title = "ACME scale"
channels = ["FFB2"]
format = "weight"

[format.weight]
payload = "bytes"

[[format.weight.field]]
name = "flags"
type = "u8"
bits = { pounds = 0 }

[[format.weight.field]]
name = "weight"
type = "u16"
scale = "0.01"

[[format.weight.reading]]
kind = "body-weight"
value = "weight"
unit = "kg"
"#;

/// The line and sentence for the table with one text replaced.
fn problem(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    compile(&GOOD.replacen(from, to, 1)).unwrap_err().first().unwrap().to_string()
}

#[test]
fn a_good_table_is_compiled() {
    assert!(compile(GOOD).is_ok(), "{:?}", compile(GOOD));
}

#[test]
fn every_mistake_is_named_with_its_line() {
    for (from, to, expected) in [
        (
            "value = \"weight\"",
            "value = \"wieght\"",
            "line 27: format.weight.reading[1].value: `wieght` is no field that stands before this; did you mean `weight`?",
        ),
        (
            "kind = \"body-weight\"",
            "kind = \"body-wight\"",
            "line 26: format.weight.reading[1].kind: `body-wight` is no registered kind; did you mean `body-weight`?",
        ),
        ("unit = \"kg\"\n", "", "line 25: format.weight.reading[1]: a quantity has a `unit`"),
        (
            "type = \"u16\"",
            "type = \"u17\"",
            "line 22: format.weight.field[2].type: `u17` is no type of a field of bytes; did you mean `u16`?",
        ),
        ("scale = \"0.01\"", "scale = 0.01", "write numbers with a point as text"),
        ("scale = \"0.01\"", "scle = \"0.01\"", "line 23: unknown field `scle`"),
        (
            "scale = \"0.01\"",
            "path = \"$.x\"",
            "line 23: format.weight.field[2].path: a field of the type u16 has no `path`",
        ),
        (
            "format = \"weight\"",
            "format = \"weigth\"",
            "line 10: model[1].format: `weigth` is no format; did you mean `weight`?",
        ),
        (
            "scale = \"0.01\"",
            "when = \"flags.pound\"",
            "line 23: format.weight.field[2].when: `flags.pound` is no field that stands before this; did you mean `flags.pounds`?",
        ),
        (
            "scale = \"0.01\"",
            "when = \"flags.pounds = 1\"",
            "line 23: format.weight.field[2].when: write == for `is equal to`",
        ),
        (
            "bits = { pounds = 0 }",
            "bits = { pounds = 8 }",
            "line 18: format.weight.field[1].bits.pounds: a bit is a number from 0 to 7",
        ),
        ("name = \"weight\"\ntype", "type", "line 20: format.weight.field[2]: a field has a `name`"),
        ("version = \"1.0.0\"\n", "", "missing field `version`"),
        ("payload = \"bytes\"", "payload = \"bits\"", "line 13: format.weight.payload: `bits` is no payload"),
    ] {
        let told = problem(from, to);
        assert!(told.contains(expected), "{from} → {to}:\n  {told}\n  {expected}");
    }
}
