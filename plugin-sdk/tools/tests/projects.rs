//! What `new` makes, `pack` builds and `test` passes; and what each of them refuses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plugin_host::{Decoder, Limits, PluginHost, Registry};
use vendor_tools::{pack, project, trial};

/// A directory that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vendor-tools-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn host() -> PluginHost {
    PluginHost::new(Limits::default(), registry(), None).unwrap()
}

fn registry() -> Registry {
    use afferent_plugin_sdk::registry;
    Registry {
        kinds: words(registry::kinds::ALL).into_iter().collect(),
        units: words(&["kg", "[lb_av]", "%", "mm[Hg]", "kPa", "/min", "Cel", "[degF]", "L/min", "L", "mL"])
            .into_iter()
            .collect(),
        flags: words(registry::flags::ALL).into_iter().collect(),
        warnings: words(registry::warnings::ALL).into_iter().collect(),
        reasons: words(registry::nothing_reasons::ALL).into_iter().collect(),
        clock_states: words(registry::clock_states::ALL).into_iter().collect(),
        body_sites: words(registry::body_sites::ALL).into_iter().collect(),
        methods: words(registry::methods::ALL).into_iter().collect(),
        contexts: [].into_iter().collect(),
        facts: words(registry::fact_kinds::ALL).into_iter().collect(),
        identities: words(registry::device_identity::ALL).into_iter().collect(),
    }
}

fn load(component: &[u8]) -> Arc<Decoder> {
    host().load(component).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn vectors(directory: &Path, name: &str) -> Vec<(String, String)> {
    let path = format!("vectors/{name}.jsonl");
    vec![(path.clone(), std::fs::read_to_string(directory.join(path)).unwrap())]
}

/// Packs and tries a project; an interpreted one takes its time for every call, and is given so many seconds.
fn passes(directory: &Path, name: &str, seconds: u64) -> trial::Report {
    let packed = pack::pack(directory).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(packed.path, directory.join(format!("{name}.wasm")));
    let decoder = load(&packed.component);
    assert_eq!(decoder.manifest().name, name);
    let report =
        trial::test(&decoder, &Limits::default(), &vectors(directory, name), Duration::from_secs(seconds), |_| {});
    assert!(report.passed(), "{:#?}", report.problems);
    assert_eq!(report.vectors, 4);
    assert_eq!((report.notices.as_slice(), report.repaired.is_none()), ([].as_slice(), true));
    assert!(report.changes.flipped_bits >= 100 && report.changes.flags > 1_000, "{:?}", report.changes);
    report
}

#[test]
fn a_table_is_made_packed_and_passes() {
    let scratch = Scratch::new("table");
    project::create("acme-scale", pack::Language::Declarative, &scratch.0).unwrap();
    let report = passes(&scratch.0, "acme-scale", 120);
    assert_eq!(report.not_fully_tried, 0);
    assert!(report.cost.fuel < 400_000, "{:?}", report.cost);
    // What docs/vendor-guide.md says that a weight costs.
    let decoder = load(&std::fs::read(scratch.0.join("acme-scale.wasm")).unwrap());
    let weight = decoder.manifest().examples.first().unwrap().input.clone();
    let run = decoder.run(&weight);
    assert!(run.result.is_ok() && run.stats.fuel_used < 35_000, "{:?}", run.stats);
}

#[test]
fn a_rust_project_is_made_packed_and_passes() {
    let scratch = Scratch::new("rust");
    project::create("acme-scale", pack::Language::Rust, &scratch.0).unwrap();
    let report = passes(&scratch.0, "acme-scale", 120);
    assert_eq!(report.not_fully_tried, 0);

    // What is handed in holds neither names nor lines, and is the same but for them.
    let packed = pack::pack(&scratch.0).unwrap();
    let located = packed.located.as_deref().unwrap();
    assert!(packed.component.len() < located.len() && !contains(&packed.component, b".debug_line"));
    let fuel = |component: &[u8]| {
        let decoder = load(component);
        decoder.manifest().examples.iter().map(|example| decoder.run(&example.input).stats.fuel_used).sum::<u64>()
    };
    assert_eq!(fuel(&packed.component), fuel(located));
}

/// The author is told the line and why; of what is handed in, no line is known.
#[test]
fn a_rust_project_that_stops_is_told_where() {
    let scratch = Scratch::new("rust-stops");
    project::create("acme-scale", pack::Language::Rust, &scratch.0).unwrap();
    let path = scratch.0.join("src/lib.rs");
    let right = std::fs::read_to_string(&path).unwrap();
    let line = "        let mut reader = Reader::new(input.only_frame()?);\n";
    let at = right.lines().position(|own| own == line.trim_end()).unwrap() + 1;
    let host = PluginHost::for_development(Limits::default(), registry()).unwrap();
    for (wrong, told) in [
        (
            "        let sum: u8 = (0..9).map(|index| input.frames[0].data[index]).sum();\n        assert!(sum > 0);\n",
            "out of bounds",
        ),
        (
            "        let now = std::time::SystemTime::now();\n        assert!(now.elapsed().is_ok());\n",
            "there is no clock",
        ),
        (
            "        let mut odd = 1_u64;\n        while odd % 2 == 1 { odd = core::hint::black_box(odd.wrapping_add(2)); }\n",
            "longer than its fuel",
        ),
    ] {
        std::fs::write(&path, right.replace(line, &format!("{wrong}{line}"))).unwrap();
        let packed = pack::pack(&scratch.0).unwrap_or_else(|error| panic!("{error:#}"));
        let refusal = host.load(packed.for_trials()).unwrap_err().to_string();
        assert!(refusal.contains("example `a weight`") && refusal.contains(told), "{refusal}");
        // A loop is found at its function.
        let place = [at - 1, at, at + 1].map(|line| format!("src/lib.rs:{line} in "));
        assert!(place.iter().any(|place| refusal.contains(place)), "{refusal}\nnot {place:?}");
        let refusal = host.load(&packed.component).unwrap_err().to_string();
        assert!(!refusal.contains("src/lib.rs"), "{refusal}");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Where npm is missing, or its registry cannot be reached, that is said, and nothing is proved.
#[test]
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn a_javascript_project_is_made_packed_and_passes() {
    let scratch = Scratch::new("javascript");
    project::create("acme-scale", pack::Language::JavaScript, &scratch.0).unwrap();
    if let Err(error) = pack::pack(&scratch.0) {
        let told = format!("{error:#}");
        let unreachable = ["cannot start npm", "ENOTFOUND", "EAI_AGAIN", "ECONN", "ETIMEDOUT", "E404", "ENETUNREACH"];
        assert!(unreachable.iter().any(|word| told.contains(word)), "{told}");
        eprintln!("SKIPPED: {told}");
        return;
    }
    passes(&scratch.0, "acme-scale", 15);
    let wrong = ("const weight = reader.u16le();", "const weight = reader.u16le(); null.kilograms;");
    is_told_the_exception(&scratch.0, "decoder.js", wrong, "`TypeError` at decoder.js:");
}

/// An exception in the decoder's own code is told with its name and place.
fn is_told_the_exception(directory: &Path, file: &str, (right, wrong): (&str, &str), told: &str) {
    let path = directory.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(right));
    std::fs::write(&path, text.replacen(right, wrong, 1)).unwrap();
    let packed = pack::pack(directory).unwrap_or_else(|error| panic!("{error:#}"));
    let host = PluginHost::for_development(Limits::default(), registry()).unwrap();
    let refusal = host.load(packed.for_trials()).unwrap_err().to_string();
    let line = text.lines().position(|line| line.contains(right)).unwrap() + 1;
    assert!(refusal.contains(&format!("an exception, {told}{line}")), "{refusal}");
}

/// Where clang or its linker is missing that is said, and nothing is proved.
#[test]
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn a_c_project_is_made_packed_and_passes() {
    let scratch = Scratch::new("c");
    project::create("acme-scale", pack::Language::C, &scratch.0).unwrap();
    if let Err(error) = pack::pack(&scratch.0) {
        let told = format!("{error:#}");
        assert!(told.contains("cannot start"), "{told}");
        eprintln!("SKIPPED: {told}");
        return;
    }
    let report = passes(&scratch.0, "acme-scale", 120);
    assert_eq!(report.not_fully_tried, 0);
    assert!(report.cost.fuel < 20_000, "{:?}", report.cost);

    // A reader that is not ended, and arithmetic that loses digits, come to no number.
    let path = scratch.0.join("decoder.c");
    let text = std::fs::read_to_string(&path).unwrap();
    for (right, wrong, told) in [
        ("afferent_finish(&reader);", "", "example `a weight`"),
        ("uint16_t weight =", "uint8_t weight =", "example `a weight`"),
    ] {
        assert!(text.contains(right));
        std::fs::write(&path, text.replace(right, wrong)).unwrap();
        let packed = pack::pack(&scratch.0).unwrap();
        let refusal = host().load(&packed.component).unwrap_err().to_string();
        assert!(refusal.contains(told), "{refusal}");
    }

    // The check value of Modbus in the catalogues, and another.
    let own =
        "struct afferent_crc modbus = { .bits = 16, .polynomial = 0x8005, .start = 0xFFFF, .lowest_first = true };";
    for (wanted, agrees) in [("0x4B37", true), ("0x4B38", false)] {
        let check = format!(
            "{own}\n    if (afferent_crc_over(modbus, (const uint8_t *)\"123456789\", 9) != {wanted}) afferent_refuse_here(&reader, \"a CRC\");\n"
        );
        std::fs::write(
            &path,
            text.replace("afferent_finish(&reader);", &format!("{check}    afferent_finish(&reader);")),
        )
        .unwrap();
        let packed = pack::pack(&scratch.0).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(host().load(&packed.component).is_ok(), agrees, "{wanted}");
    }

    // What there is not is told when it is packed, with the line.
    let read = "afferent_u16_le(&reader);";
    for (wrong, told) in [
        (text.replace("#include \"afferent.h\"", "#include \"afferent.h\"\n#include <time.h>"), "decoder.c:6:10"),
        (text.replace(read, "0; long time(long *); weight = (uint16_t)time(0);"), "undefined symbol: time"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        let refusal = format!("{:#}", pack::pack(&scratch.0).unwrap_err());
        assert!(refusal.contains(told), "{refusal}");
    }
}

/// Where Python or its index is missing that is said, and nothing is proved.
#[test]
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn a_python_project_is_made_packed_and_passes() {
    let scratch = Scratch::new("python");
    project::create("acme-scale", pack::Language::Python, &scratch.0).unwrap();
    if let Err(error) = pack::pack(&scratch.0) {
        let told = format!("{error:#}");
        let unreachable = [
            "cannot start",
            "ensurepip is not",
            "No matching distribution",
            "Connection",
            "Max retries",
            "Temporary failure",
        ];
        assert!(unreachable.iter().any(|word| told.contains(word)), "{told}");
        eprintln!("SKIPPED: {told}");
        return;
    }
    let report = passes(&scratch.0, "acme-scale", 10);
    assert!(report.cost.fuel < 2_000_000, "{:?}", report.cost);
    // The interpreter has its place under the platform's own limits; this is how near it is.
    assert!(report.cost.memory_bytes < 15 << 20, "{:?}", report.cost);
    let wrong = ("weight = reader.u16_le()", "weight = reader.u16_le().kilograms");
    is_told_the_exception(&scratch.0, "decoder.py", wrong, "`AttributeError` at decoder.py:");
}

/// Runs the tests of an interpreted SDK outside the sandbox: those of Python with bindings as the tool makes them.
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn passes_its_own_tests(sdk: &str, command: &str, arguments: &[&str]) {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(sdk);
    let Ok(run) = std::process::Command::new(command).args(arguments).current_dir(sdk).output() else {
        eprintln!("SKIPPED: there is no {command}");
        return;
    };
    let said = |output: &[u8]| String::from_utf8_lossy(output).into_owned();
    assert!(run.status.success(), "{}{}", said(&run.stdout), said(&run.stderr));
}

#[test]
fn the_python_sdk_refuses_what_it_does_not_know() {
    passes_its_own_tests("python", "python3", &["-B", "tests.py"]);
}

#[test]
fn the_javascript_sdk_refuses_what_it_does_not_know() {
    passes_its_own_tests("javascript", "node", &["--test", "tests.mjs"]);
}

#[test]
fn nothing_is_overwritten_and_names_are_names() {
    let scratch = Scratch::new("refused");
    for (name, meant) in [
        ("Acme Scale", "`acme-scale`"),
        ("9lives", "lower-case"),
        ("a--b", "`a-b`"),
        ("", "lower-case"),
        ("core", "taken"),
    ] {
        let refusal = project::create(name, pack::Language::Declarative, &scratch.0).unwrap_err().to_string();
        assert!(refusal.contains(meant), "{refusal}");
    }
    std::fs::create_dir_all(&scratch.0).unwrap();
    std::fs::write(scratch.0.join("mine"), "mine").unwrap();
    let refusal = project::create("acme", pack::Language::Rust, &scratch.0).unwrap_err().to_string();
    assert!(refusal.contains("nothing was changed"), "{refusal}");
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1);
    let refusal = pack::pack(&scratch.0).unwrap_err().to_string();
    assert!(refusal.contains("afferent plugin new"), "{refusal}");
}

#[test]
fn a_mistake_in_a_table_is_told_with_its_line() {
    let scratch = Scratch::new("mistake");
    project::create("acme-scale", pack::Language::Declarative, &scratch.0).unwrap();
    let path = scratch.0.join("decoder.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().position(|line| line.contains("kind = \"body-weight\"")).unwrap() + 1;
    std::fs::write(&path, text.replace("kind = \"body-weight\"", "kind = \"body-weigth\"")).unwrap();
    let refusal = pack::pack(&scratch.0).unwrap_err().to_string();
    assert!(refusal.contains(&format!("decoder.toml: line {line}: ")), "{refusal}");
    assert!(refusal.contains("did you mean `body-weight`?"), "{refusal}");
}

/// A table that takes a flag for granted passes its vectors, and is caught by what the tools try.
#[test]
fn a_wrong_expectation_and_a_table_that_overlooks_bytes_are_caught() {
    let scratch = Scratch::new("wrong");
    project::create("acme-scale", pack::Language::Declarative, &scratch.0).unwrap();
    let packed = pack::pack(&scratch.0).unwrap();
    let decoder = load(&packed.component);
    let wrong = r#"{"id": "wrong-01", "format": "acme-scale", "payload_hex": "00581b55", "expected": {"outcome": "decoded", "observations": [{"loinc": "29463-7", "value": 71, "unit": "kg"}]}}"#;
    let files = [("wrong.jsonl".to_owned(), wrong.to_owned())];
    let report = trial::test(&decoder, &Limits::default(), &files, Duration::ZERO, |_| {});
    assert!(!report.passed());
    assert!(
        report.problems.iter().any(|problem| problem.starts_with("wrong-01: ") && problem.contains("71")),
        "{:?}",
        report.problems
    );
}

/// A peak flow meter whose payload ends in a sum, as a table.
const METER: &str = r#"
[decoder]
name = "meter"
vendor = "Example"
version = "1.0.0"
description = "Peak flow and FEV1 of an example meter."

[[model]]
name = "meter"
title = "Example meter"
channels = ["app"]
format = "blow"

[format.blow]
payload = "bytes"
endian = "little"

[[format.blow.field]]
name = "flags"
type = "u8"
bits = { doubtful = 0 }

[[format.blow.field]]
name = "flow"
type = "u16"

[[format.blow.field]]
name = "volume"
type = "u16"
scale = "0.01"

[[format.blow.field]]
name = "reserved"
type = "skip"
length = 1

[[format.blow.field]]
name = "sum"
type = "checksum"
algorithm = "sum8"

[format.blow.every-reading]
flags = [{ when = "flags.doubtful", is = "questionable" }]

[[format.blow.reading]]
kind = "peak-expiratory-flow"
value = "flow"
unit = "L/min"

[[format.blow.reading]]
kind = "forced-expiratory-volume-1s"
value = "volume"
unit = "L"

[[example]]
name = "a blow"
model = "meter"
channel = "app"
hex = "00 9c01 1f01 00 bd"
outcome = "readings"
values = ["peak-expiratory-flow 412 L/min", "forced-expiratory-volume-1s 2.87 L"]

[[example]]
name = "wrong sum"
model = "meter"
channel = "app"
hex = "00 9c01 1f01 00 be"
outcome = "error"
"#;

/// A meter's table, packed and loaded.
fn meter(name: &str, table: &str) -> Arc<Decoder> {
    let scratch = Scratch::new(name);
    std::fs::create_dir_all(&scratch.0).unwrap();
    std::fs::write(scratch.0.join("decoder.toml"), table).unwrap();
    load(&pack::pack(&scratch.0).unwrap_or_else(|error| panic!("{error:#}")).component)
}

fn tried(decoder: &Arc<Decoder>, lines: &str) -> trial::Report {
    let files = [("meter.jsonl".to_owned(), lines.to_owned())];
    trial::test(decoder, &Limits::default(), &files, Duration::from_secs(5), |_| {})
}

const BLOW: &str = r#"{"id": "blow", "format": "meter", "payload_hex": "01 9c01 1f01 00 be", "expected": {"outcome": "decoded", "observations": [{"kind": "peak-expiratory-flow", "value": 412, "unit": "L/min", "flags": ["questionable"]}, {"kind": "forced-expiratory-volume-1s", "value": 2.87, "unit": "L"}]}}"#;

#[test]
fn what_lies_behind_a_checksum_is_tried_too() {
    let report = tried(&meter("checksum", METER), BLOW);
    assert!(report.passed() && report.notices.is_empty(), "{report:#?}");
    let repaired = report.repaired.unwrap();
    assert_eq!(repaired.checksums, ["sum8 of bytes 0 to 5"]);
    // As they are nearly all are refused; with the sum made right most are judged by what they say.
    assert!(report.answers.plausible * 20 < report.answers.refused, "{:?}", report.answers);
    assert!(repaired.answers.plausible > 1_000 && repaired.answers.held > 1_000, "{repaired:?}");
    assert!(repaired.changes.flipped_bits > 100 && repaired.changes.random > 100, "{repaired:?}");
}

#[test]
fn litres_that_are_called_millilitres_are_a_notice_and_nothing_plausible() {
    let (from, to) = ("unit = \"L\"", "unit = \"mL\"");
    assert!(METER.contains(from));
    let table = METER.replace(from, to).replace("2.87 L", "2.87 mL");
    let report = tried(&meter("litres", &table), &BLOW.replace("\"L\"}", "\"mL\"}"));
    assert!(report.passed(), "{:#?}", report.problems);
    let told = "forced-expiratory-volume-1s 2.87 mL is implausible: usual is 0.2 to 8 L; is the unit right?";
    assert_eq!(report.notices, [format!("example `a blow`: {told}"), format!("blow: {told}")]);
    let meant = BLOW.replace("\"L\"}", "\"mL\"}").replace("]}}", "], \"warnings\": [\"implausible\"]}}");
    let report = tried(&meter("meant", &table), &meant);
    assert_eq!(report.notices, [format!("example `a blow`: {told}")], "a line that says so means it");
}

#[test]
fn what_a_vector_says_wrongly_is_told_with_its_line_and_in_peoples_words() {
    let decoder = meter("slips", METER);
    for (from, to, told) in [
        (
            "questionable",
            "poor-signal",
            "blow: peak-expiratory-flow: expected the flags poor-signal, and got questionable",
        ),
        ("412", "411", "blow: peak-expiratory-flow: expected 411 L/min, and got 412 L/min"),
        (
            "\"flags\"",
            "\"flag\"",
            "meter.jsonl, line 2: `expected.observations[0].flag` is no member that is known; did you mean `flags`?",
        ),
        (
            "\"meter\"",
            "\"meters\"",
            "meter.jsonl, line 2: `format`: `meters` is no model of this decoder; did you mean `meter`?; its models are: meter",
        ),
        (
            "\"decoded\"",
            "\"rejected\"",
            "meter.jsonl, line 2: `expected.outcome`: `rejected` is not known; did you mean `reject`?; known are: decoded, no-observation, reject, incomplete",
        ),
        ("01 9c01", "01 9c0", "meter.jsonl, line 2: `payload_hex` has an odd number of hexadecimal digits, 13"),
    ] {
        assert!(BLOW.contains(from));
        let files = [("meter.jsonl".to_owned(), format!("\n{}", BLOW.replace(from, to)))];
        let report = trial::test(&decoder, &Limits::default(), &files, Duration::ZERO, |_| {});
        assert!(report.problems.iter().any(|problem| problem == told), "{told}\n{:#?}", report.problems);
    }
}
