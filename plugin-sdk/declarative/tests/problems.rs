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
fn what_follows_from_a_mistake_is_not_told() {
    let told = compile(&GOOD.replacen("type = \"u16\"", "type = \"u17\"", 1)).unwrap_err();
    assert_eq!(told.len(), 1, "{told:#?}");
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
        ("unit = \"kg\"\n", "", "line 25: format.weight.reading[1]: a quantity needs a `unit`"),
        (
            "type = \"u16\"",
            "type = \"u17\"",
            "line 22: format.weight.field[2].type: `u17` is no type of a field of bytes; did you mean `u16`? There are u8, u16, u24, u32,",
        ),
        ("scale = \"0.01\"", "scale = 0.01", "write numbers with a point as text"),
        (
            "scale = \"0.01\"",
            "scle = \"0.01\"",
            "line 23: format.weight.field[2].scle: `scle` is no property that can stand here; did you mean `scale`?",
        ),
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
        ("name = \"weight\"\ntype", "type", "line 20: format.weight.field[2]: a field needs a `name`"),
        ("version = \"1.0.0\"\n", "", "line 1: decoder: `version` is missing"),
        ("payload = \"bytes\"", "payload = \"bits\"", "line 13: format.weight.payload: `bits` is no payload"),
        (
            "scale = \"0.01\"",
            "scale = \"0.01\"\nwhen = true",
            "line 24: format.weight.field[2].when: a text in quotes is expected here, and not `true`",
        ),
        (
            "name = \"acme-scale\"\ntitle",
            "name = 7\ntitle",
            "line 7: model[1].name: a text in quotes is expected here, and not the number `7`",
        ),
        (
            "bits = { pounds = 0 }",
            "bits = [0]",
            "line 18: format.weight.field[1].bits: a table is expected here, and not a list",
        ),
        (
            "type = \"u16\"",
            "type = \"const\"",
            "line 22: format.weight.field[2].type: `const` is no type of a field of bytes; did you mean `u8` with `equals` or \
             `one-of`? There are u8, u16, u24, u32, u64, i8, i16, i24, i32, i64, sfloat, float, bcd, text, hex, skip, date-time, \
             epoch-seconds, epoch-milliseconds, checksum, variable, time-of, later, at-offset, before-capture, first-of, block",
        ),
        (
            "type = \"u16\"\nscale = \"0.01\"",
            "type = \"time-of\"",
            "line 20: format.weight.field[2]: a field of the type time-of needs `year`",
        ),
        (
            "[[format.weight.reading]]",
            "[format.weight.reading]",
            "line 25: format.weight.reading: there may be several of it: write [[format.weight.reading]]",
        ),
        (
            "kind = \"body-weight\"",
            "kind = \"blood-pressure\"",
            "line 27: format.weight.reading[1].value: blood-pressure is made of parts: write [[….reading.component]]",
        ),
        (
            "kind = \"body-weight\"",
            "kind = \"ecg-lead-i\"",
            "line 26: format.weight.reading[1].kind: ecg-lead-i is a waveform, which no table can say",
        ),
        (
            "unit = \"kg\"",
            "as = \"integer\"",
            "line 28: format.weight.reading[1].as: body-weight is a quantity: leave `as` out, and say its `unit`",
        ),
        (
            "type = \"u16\"\nscale = \"0.01\"",
            "type = \"text\"\nlength = 2",
            "line 27: format.weight.reading[1].value: body-weight is a quantity, and `weight` a text",
        ),
        (
            "type = \"u16\"\nscale = \"0.01\"",
            "type = \"epoch-seconds\"\nepoch = \"the year 2000\"",
            "line 23: format.weight.field[2].epoch: `the year 2000` is no date and time: write \"2000-01-01\"",
        ),
        (
            "type = \"u16\"\nscale = \"0.01\"",
            "type = \"epoch-seconds\"\nlocal = true\nepoch = \"2000-01-01T00:00:00Z\"",
            "line 24: format.weight.field[2].epoch: with `local = true` the epoch is of the wall clock too",
        ),
        (
            "kind = \"body-weight\"",
            "kind = \"pef\"",
            "line 26: format.weight.reading[1].kind: `pef` is no registered kind; did you mean `peak-expiratory-flow`? `afferent \
             plugin words` lists all",
        ),
        (
            "unit = \"kg\"",
            "unit = \"kilo\"",
            "line 28: format.weight.reading[1].unit: `kilo` is no unit of the platform's list; did you mean `kg`?",
        ),
        (
            "unit = \"kg\"",
            "unit = \"L\"",
            "line 28: format.weight.reading[1].unit: `L` is no unit of body-weight, which is in kg, g or [lb_av]",
        ),
        (
            "unit = \"kg\"",
            "unit = [\n  { when = \"flags.pounds\", is = \"lb\" },\n  { is = \"kg\" },\n]",
            "line 29: format.weight.reading[1].unit[1].is: `lb` is no unit of the platform's list; did you mean `[lb_av]`?",
        ),
        (
            "unit = \"kg\"",
            "unit = \"kg\"\ncontext = { meal = \"hungry\" }",
            "line 29: format.weight.reading[1].context.meal: `hungry` is no value of the context meal",
        ),
        (
            "unit = \"kg\"",
            "unit = \"kg\"\nflags = [\"doubtful\"]",
            "line 29: format.weight.reading[1].flags[1]: `doubtful` is no registered flag; did you mean `questionable`?",
        ),
    ] {
        let told = problem(from, to);
        assert!(told.contains(expected), "{from} → {to}:\n  {told}\n  {expected}");
    }
}

#[test]
fn what_all_readings_have_is_told_once_where_it_stands() {
    let every = "[format.weight.every-reading]\ntime = \"tiem\"\nclock-state = \"unset\"\nflags = [\"doubtful\"]\nunit = \"kg\"\n\n";
    let reading = "[[format.weight.reading]]\nkind = \"body-weight\"\nvalue = \"weight\"\nunit = \"kg\"\n\n";
    let text =
        GOOD.replacen("[[format.weight.reading]]", &format!("{every}{reading}{reading}[[format.weight.reading]]"), 1);
    let told: Vec<String> = compile(&text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 26: format.weight.every-reading.time: `tiem` is no field that stands before this; there are flags, \
             flags.pounds, weight",
            "line 27: format.weight.every-reading.clock-state: `unset` is no registered clock state; did you mean `not-set`? \
             `afferent plugin words` lists all",
            "line 28: format.weight.every-reading.flags[1]: `doubtful` is no registered flag; did you mean `questionable`? \
             `afferent plugin words` lists all",
            "line 29: format.weight.every-reading.unit: `unit` belongs to each reading, and not to every-reading",
        ]
    );
}
