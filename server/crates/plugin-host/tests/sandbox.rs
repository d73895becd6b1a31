//! The sandbox against a decoder that misbehaves on demand (`tests/fixtures/hostile-decoder`), through the public interface.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use plugin_host::{
    DecodeFailure, Decoder, ErrorKind, FailureKind, Frame, Input, Limits, LoadError, Outcome, PluginHost, Registry,
    Surface, Value, value_lines,
};

/// The component, built once for all tests.
static HOSTILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/hostile-decoder");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("decoders");
    std::fs::read(componentize::build(&fixture, &target).unwrap()).unwrap()
});

fn set(words: &[&str]) -> HashSet<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Every flag of the platform's registry: the fixture declares them all.
fn registered_flags() -> HashSet<String> {
    let text = include_str!("../../../../fhir-profiles/registry.json");
    let flags =
        text.split_once("\"flags\"").and_then(|(_, rest)| rest.split_once("\"warnings\"")).expect("both lists").0;
    let names = flags.split("\"name\": \"").skip(1).filter_map(|rest| rest.split_once('"'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn registry() -> Registry {
    Registry {
        kinds: set(&[
            "blood-pressure",
            "blood-pressure-diastolic",
            "blood-pressure-mean",
            "blood-pressure-systolic",
            "body-mass-index",
            "body-temperature",
            "body-weight",
            "heart-rate",
            "oxygen-saturation",
            "steps",
            "steps-day",
        ]),
        units: set(&["kg", "mV"]),
        flags: registered_flags(),
        clock_states: set(&["unknown"]),
        contexts: HashMap::new(),
        ..Registry::default()
    }
}

fn host(limits: Limits) -> PluginHost {
    PluginHost::new(limits, registry(), None).unwrap()
}

fn hostile(limits: Limits) -> Arc<Decoder> {
    host(limits).load(&HOSTILE).unwrap()
}

fn input(model: &str) -> Input {
    let frame =
        Frame { channel: "2A9D".to_owned(), data: vec![0x71, 0x1b], captured_at_ms: Some(0), extra: Vec::new() };
    Input {
        model: model.to_owned(),
        frames: vec![frame],
        content_type: "application/octet-stream".to_owned(),
        received_at_ms: 1_767_225_600_000,
        time_zone: Some("Europe/Lisbon".to_owned()),
        variables: Vec::new(),
        extra: Vec::new(),
    }
}

fn failure(decoder: &Decoder, model: &str) -> DecodeFailure {
    decoder.decode(&input(model)).expect_err(model)
}

#[track_caller]
fn assert_weighs(decoder: &Decoder) {
    let outcome = decoder.decode(&input("hostile-well-behaved")).unwrap();
    assert_eq!(value_lines(&outcome), ["body-weight 70.25 kg"]);
}

/// Every misbehaviour and what it is called.
const MISBEHAVIOURS: [(&str, FailureKind); 11] = [
    ("hostile-loop", FailureKind::OutOfFuel),
    ("hostile-allocate", FailureKind::Memory),
    ("hostile-recurse", FailureKind::Trap),
    ("hostile-trap", FailureKind::Trap),
    ("hostile-lie", FailureKind::InvalidOutput),
    ("hostile-lie-text", FailureKind::InvalidOutput),
    ("hostile-huge", FailureKind::OutputTooLarge),
    ("hostile-many", FailureKind::OutputTooLarge),
    ("hostile-samples", FailureKind::OutputTooLarge),
    ("hostile-word", FailureKind::InvalidOutput),
    ("hostile-nul", FailureKind::InvalidOutput),
];

#[test]
fn a_good_decoder_loads_describes_itself_and_decodes() {
    let decoder = hostile(Limits::default());
    assert_eq!(decoder.manifest().name, "hostile-decoder");
    assert_eq!(decoder.content_hash().len(), 64);

    let run = decoder.run(&input("hostile-well-behaved"));
    assert_eq!(value_lines(&run.result.unwrap()), ["body-weight 70.25 kg"]);
    assert!((1_000..1_000_000).contains(&run.stats.fuel_used), "{:?}", run.stats);
    assert!((64 << 10..=2 << 20).contains(&run.stats.memory_bytes), "{:?}", run.stats);

    let mut cut = input("hostile-well-behaved");
    cut.frames.clear();
    let Ok(Outcome::Error(refusal)) = decoder.decode(&cut) else { panic!("half a weight is malformed") };
    assert_eq!((refusal.kind, refusal.offset), (ErrorKind::Malformed, Some(0)));
}

#[test]
fn every_misbehaviour_is_named_and_harms_nobody_else() {
    let decoder = hostile(Limits::default());
    for (model, kind) in MISBEHAVIOURS {
        let failure = failure(&decoder, model);
        assert_eq!(failure.kind, kind, "{model}: {failure}");
        assert!(failure.fuel_used > 0, "{model}");
        assert_weighs(&decoder);
    }
}

#[test]
fn fuel_is_the_same_every_time() {
    let decoder = hostile(Limits::default());
    let fuel = |model: &str| decoder.run(&input(model)).stats.fuel_used;
    for model in ["hostile-well-behaved", "hostile-trap", "hostile-allocate"] {
        assert_eq!(fuel(model), fuel(model), "{model}");
    }
}

#[test]
fn nothing_is_remembered_from_call_to_call() {
    let decoder = hostile(Limits::default());
    for _ in 0..5 {
        let outcome = decoder.decode(&input("hostile-remember")).unwrap();
        assert_eq!(value_lines(&outcome), ["body-weight 1 kg"]);
    }
}

/// What the benchmark measures under "used again" is that, and therefore nothing for patients.
#[test]
fn only_the_benchmarks_instance_remembers() {
    let decoder = hostile(Limits::default());
    let mut instance = decoder.reused().unwrap();
    for calls in 1..=3 {
        let outcome = instance.decode(&input("hostile-remember")).unwrap();
        assert_eq!(value_lines(&outcome), [format!("body-weight {calls} kg")]);
    }
    assert_eq!(value_lines(&decoder.decode(&input("hostile-remember")).unwrap()), ["body-weight 1 kg"]);
}

#[test]
fn the_deadline_stops_what_fuel_does_not() {
    let limits = Limits { fuel: u64::MAX / 2, deadline: Duration::from_secs(1), ..Limits::default() };
    let decoder = hostile(limits);
    let run = decoder.run(&input("hostile-loop"));
    assert_eq!(run.result.unwrap_err().kind, FailureKind::Deadline);
    assert!(run.stats.elapsed >= Duration::from_secs(1), "{:?}", run.stats);
    assert_weighs(&decoder);
}

#[test]
fn more_callers_than_places_wait_their_turn() {
    let decoder = hostile(Limits { concurrent_calls: 2, ..Limits::default() });
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let decoder = &decoder;
            scope.spawn(move || {
                for call in 0..20 {
                    if (thread + call) % 7 == 0 {
                        assert_eq!(failure(decoder, "hostile-trap").kind, FailureKind::Trap);
                    } else {
                        assert_weighs(decoder);
                    }
                }
            });
        }
    });
}

#[test]
fn a_payload_beyond_the_limit_is_not_given_to_a_decoder() {
    let decoder = hostile(Limits::default());
    let mut large = input("hostile-well-behaved");
    large.frames[0].data = vec![0; (1 << 20) + 1];
    assert_eq!(decoder.decode(&large).unwrap_err().kind, FailureKind::InputTooLarge);
    let mut many = input("hostile-well-behaved");
    many.frames = vec![many.frames[0].clone(); 4_097];
    assert_eq!(decoder.decode(&many).unwrap_err().kind, FailureKind::InputTooLarge);
}

#[test]
fn a_device_decoder_is_not_called_for_a_hub() {
    let decoder = hostile(Limits::default());
    assert_eq!(decoder.surface(), Surface::Device);
    assert_eq!(decoder.split(&input("hostile-well-behaved")).unwrap_err().kind, FailureKind::WrongSurface);
}

#[test]
fn the_largest_payload_that_is_allowed_gets_through() {
    let decoder = hostile(Limits::default());
    let mut large = input("hostile-well-behaved");
    large.frames.push(Frame { data: vec![7; 1_000_000], ..large.frames[0].clone() });
    assert_eq!(value_lines(&decoder.decode(&large).unwrap()), ["body-weight 70.25 kg"]);
}

#[cfg(target_os = "linux")]
#[test]
fn misbehaviour_leaves_no_memory_behind() {
    fn resident_bytes() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    let decoder = hostile(Limits::default());
    let all = || {
        for (model, kind) in MISBEHAVIOURS {
            assert_eq!(failure(&decoder, model).kind, kind, "{model}");
        }
    };
    all();
    let before = resident_bytes();
    // Left behind, this would be more than 300 MiB. The room is for the tests that run beside this one.
    (0..12).for_each(|_| all());
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "grew by {} MiB", grown >> 20);
    assert_weighs(&decoder);
}

#[test]
fn unregistered_words_are_refused_with_their_names() {
    let mut registry = registry();
    registry.kinds.remove("body-weight");
    registry.kinds.insert("body-weights".to_owned());
    let host = PluginHost::new(Limits::default(), registry, None).unwrap();
    let error = host.load(&HOSTILE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the decoder's manifest is refused: the kind \"body-weight\" is not registered (did you mean `body-weights`?)"
    );
}

#[test]
fn a_decoder_that_fails_its_own_example_is_refused_with_expected_and_got() {
    // The declared example says 70.25; the same bytes with another number are a decoder that is wrong about itself.
    let wrong = replaced(&HOSTILE, b"body-weight 70.25 kg", b"body-weight 70.26 kg");
    let error = host(Limits::default()).load(&wrong).unwrap_err();
    assert!(matches!(error, LoadError::Example { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "example `a weight` fails: expected readings: body-weight 70.26 kg, got readings: body-weight 70.25 kg"
    );
}

#[test]
fn a_component_for_another_generation_is_refused_before_it_runs() {
    let later = replaced(&HOSTILE, b"afferent:decoder/device@1.0.0", b"afferent:decoder/device@2.0.0");
    let error = host(Limits::default()).load(&later).unwrap_err();
    assert_eq!(error.to_string(), "built for decoder 2.0.0, this server hosts 0.1 and 1.0");
}

#[test]
fn compiled_decoders_are_kept_and_taken_only_when_sound() {
    use std::os::unix::fs::PermissionsExt;
    let directory = scratch("cache");
    let start = || PluginHost::new(Limits::default(), registry(), Some(directory.clone())).unwrap();
    let files =
        || -> Vec<PathBuf> { std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect() };

    assert_weighs(&start().load(&HOSTILE).unwrap());
    let [file] = &files()[..] else { panic!("one artefact, no rests: {:?}", files()) };
    let artefact = std::fs::read(file).unwrap();
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let written = || std::fs::metadata(file).unwrap().modified().unwrap();

    let first = written();
    assert_weighs(&start().load(&HOSTILE).unwrap());
    assert_eq!(written(), first, "taken from the cache, not compiled again");

    let mut spoilt = artefact.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    for bad in [&spoilt[..], &artefact[..100], &[]] {
        std::fs::write(file, bad).unwrap();
        assert_weighs(&start().load(&HOSTILE).unwrap());
        assert_eq!(std::fs::read(file).unwrap().len(), artefact.len(), "compiled again and replaced");
    }

    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = PluginHost::new(Limits::default(), registry(), Some(directory.clone())).unwrap_err();
    assert!(error.to_string().contains("0700"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// The component with one text in place of another of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "{} is not there", String::from_utf8_lossy(from));
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// A path of this process's own in the build's scratch directory.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plugin-host-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

#[test]
fn a_value_type_is_what_the_decoder_said() {
    let decoder = hostile(Limits::default());
    let Ok(Outcome::Readings(decoded)) = decoder.decode(&input("hostile-well-behaved")) else { panic!("readings") };
    let Value::Quantity(quantity) = &decoded.readings[0].value else { panic!("a quantity") };
    assert_eq!((quantity.value.mantissa, quantity.value.exponent, quantity.unit.as_str()), (7025, -2, "kg"));
}

#[test]
fn a_brief_run_answers_as_a_full_one_or_not_at_all() {
    let decoder = hostile(Limits::default());
    let weighs = input("hostile-well-behaved");
    let brief = decoder.run_briefly(&weighs, 1_000_000).expect("a place is free, and the fuel is ample");
    let full = decoder.run(&weighs);
    assert_eq!((brief.result, brief.stats.fuel_used), (full.result, full.stats.fuel_used));
    // Starved is no verdict on the decoder; what it does wrong within the fuel is.
    assert!(decoder.run_briefly(&weighs, full.stats.fuel_used / 2).is_none());
    assert!(decoder.run_briefly(&input("hostile-loop"), 1_000_000).is_none());
    let trap = decoder.run_briefly(&input("hostile-trap"), 1_000_000).expect("it traps at once");
    assert_eq!(trap.result.unwrap_err().kind, FailureKind::Trap);
}
