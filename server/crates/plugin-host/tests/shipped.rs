//! Shipped decoders in the sandbox. The promise of the contract (docs/decoder-contract.md): what was frozen does not change, and
//! decoders that were compiled against a version that this server hosts load and decode as the present ones do. And the
//! largest answer that there is: half a minute of an electrocardiogram.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests have folders of their own, and tell what things cost"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use plugin_host::{Decoder, Frame, HubOutcome, Input, Limits, Outcome, PluginHost, Registry, Surface, Value};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// Each version of the contract: its file, and the hash of what it says, comments apart.
const CONTRACTS: [(&str, &str); 2] = [
    ("plugin-sdk/wit/0.1.0/decoder.wit", "a9fa23d990a0992cad728d978234566154d0eea837eb4d13ae2352a3e758eab4"),
    ("plugin-sdk/wit/decoder.wit", "67e48da987ecf0952f05ab1a0197b25235cee61052eec51350bfcbe66a35a533"),
];

/// A decoder as it was compiled once; `tests/fixtures/old-decoders/README.md` says when, and from what.
struct Fixture {
    file: &'static str,
    sha256: &'static str,
    /// What its exports say.
    exports: &'static str,
    /// The decoder under `plugins/` as it is now.
    plugin: &'static str,
}

const FIXTURES: [Fixture; 4] = [
    Fixture {
        file: "bluetooth-sig-contract-0.1.0.wasm",
        sha256: "5c5e6a9501bb6a8c8ff2e028a3ab4bcffa0d0e977812a84a5e6f6a37bbb20eb9",
        exports: "afferent:decoder/device@0.1.0",
        plugin: "bluetooth-sig",
    },
    Fixture {
        file: "cassia-contract-0.1.0.wasm",
        sha256: "854896776aa3884d531bc11be3f81fece5d458320746183c3714b0329ea10b3b",
        exports: "afferent:decoder/hub@0.1.0",
        plugin: "cassia",
    },
    Fixture {
        file: "bluetooth-sig-contract-1.0.0.wasm",
        sha256: "c4321e9a650d97120b9e7beac00d59eb4ff6c3f28df75000559460896e8d97b9",
        exports: "afferent:decoder/device@1.0.0",
        plugin: "bluetooth-sig",
    },
    Fixture {
        file: "cassia-contract-1.0.0.wasm",
        sha256: "58d3a75a35c4a87d8cc9d6c1147fb7044cba3fcf161e17a6f270ec9e356daaaf",
        exports: "afferent:decoder/hub@1.0.0",
        plugin: "cassia",
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn the_contracts_are_frozen() {
    for (file, frozen) in CONTRACTS {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        let said = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        assert_eq!(
            hash(said.as_bytes()),
            frozen,
            "{file} is frozen, and compiled decoders rest on it: what it lacks travels in `extra` lists and registered \
             words, or waits for the next major version (docs/decoder-contract.md)"
        );
    }
}

#[test]
fn old_decoders_decode_as_the_present_ones_do() {
    let host = PluginHost::new(Limits::default(), registry(), None).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("decoders");
    for fixture in FIXTURES {
        let bytes = std::fs::read(root().join("tests/fixtures/old-decoders").join(fixture.file)).unwrap();
        assert_eq!(hash(&bytes), fixture.sha256, "{} is a witness: it is never built anew", fixture.file);
        let exports = fixture.exports.as_bytes();
        assert!(bytes.windows(exports.len()).any(|window| window == exports), "{}", fixture.file);
        let plugin = root().join("plugins").join(fixture.plugin);
        let old = host.load(&bytes).unwrap();
        let present = host.load(&std::fs::read(componentize::build(&plugin, &target).unwrap()).unwrap()).unwrap();
        assert_eq!(old.manifest().name, present.manifest().name);
        assert!(fixture.exports.ends_with(&format!("@{}", old.contract())));
        assert_eq!(present.contract(), "1.0.0", "what is compiled today is of the current contract");
        let inputs = inputs(&plugin.join("vectors"));
        let mut positive = 0;
        for (id, input) in &inputs {
            let (was, is) = (told(&old, input), told(&present, input));
            assert_eq!(was, is, "{}: {id}", fixture.file);
            positive += usize::from(was.starts_with("Readings") || was.starts_with("Items"));
        }
        assert!(positive > 0, "{}: none of {} vectors decodes", fixture.file, inputs.len());
    }
}

#[test]
fn both_generations_are_kept_compiled_side_by_side() {
    let cache = std::env::temp_dir().join(format!("afferent-generations-{}", std::process::id()));
    let fixture = &FIXTURES[0];
    let old = std::fs::read(root().join("tests/fixtures/old-decoders").join(fixture.file)).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("decoders");
    let present =
        std::fs::read(componentize::build(&root().join("plugins").join(fixture.plugin), &target).unwrap()).unwrap();
    let inputs = inputs(&root().join("plugins").join(fixture.plugin).join("vectors"));
    // The second host finds both compiled, each under its own hash: neither is called by the other's types.
    for _ in 0..2 {
        let host = PluginHost::new(Limits::default(), registry(), Some(cache.clone())).unwrap();
        let (old, present) = (host.load(&old).unwrap(), host.load(&present).unwrap());
        assert_ne!(old.content_hash(), present.content_hash());
        assert!(inputs.iter().all(|(_, input)| told(&old, input) == told(&present, input)));
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 2);
    std::fs::remove_dir_all(&cache).unwrap();
}

/// Twelve leads at 500 Hz, half a minute of them as a compact frame and five seconds as JSON: within the limits of any decoder.
#[test]
fn the_longest_electrocardiogram_stays_within_the_limits() {
    let host = PluginHost::new(Limits::default(), registry(), None).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("decoders");
    let plugin = root().join("plugins/afferent-waveform");
    let decoder = host.load(&std::fs::read(componentize::build(&plugin, &target).unwrap()).unwrap()).unwrap();
    let samples: Vec<i16> = (0..15_000_i32).map(|at| i16::try_from(at * 37 % 2_401 - 1_200).unwrap()).collect();
    let (half_a_minute, five_seconds) = (&samples[..], &samples[..2_500]);
    let both = [
        ("afferent-waveform", words(half_a_minute), half_a_minute.len()),
        ("afferent-waveform-json", document(five_seconds), five_seconds.len()),
    ];
    for (model, data, count) in both {
        let bytes = data.len();
        let run = decoder.run(&input(model, data));
        let Outcome::Readings(decoded) = run.result.unwrap() else { panic!("{model}") };
        let leads = decoded.readings[0].components.iter().map(|lead| match &lead.value {
            Value::Sampled(sampled) => sampled.samples.len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(leads.collect::<Vec<_>>(), [count; 12]);
        println!("{model}: {bytes} bytes, {:?}", run.stats);
        assert!(run.stats.fuel_used < Limits::default().fuel * 3 / 4, "{model}: {:?}", run.stats);
        assert!(run.stats.memory_bytes < Limits::default().memory_bytes / 2, "{model}: {:?}", run.stats);
    }
}

/// The leads' codes and names in the format of `plugins/afferent-waveform`.
const LEADS: [(u8, &str); 12] = [
    (1, "I"),
    (2, "II"),
    (61, "III"),
    (62, "aVR"),
    (63, "aVL"),
    (64, "aVF"),
    (3, "V1"),
    (4, "V2"),
    (5, "V3"),
    (6, "V4"),
    (7, "V5"),
    (8, "V6"),
];

/// A compact frame with the same samples for every lead.
fn words(samples: &[i16]) -> Vec<u8> {
    let mut frame = b"AFWF\x01\x01\x00\x0C".to_vec();
    frame.extend(1_773_144_000_000_u64.to_le_bytes());
    frame.extend([7_u8, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend(
        [2_000, 4_880, u32::try_from(samples.len()).unwrap()].iter().flat_map(|number: &u32| number.to_le_bytes()),
    );
    frame.extend(LEADS.map(|(code, _)| code));
    for _ in LEADS {
        frame.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }
    let crc = !frame.iter().fold(u32::MAX, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| (register >> 1) ^ (0xEDB8_8320 * (register & 1)))
    });
    frame.extend(crc.to_le_bytes());
    frame
}

/// The same as JSON.
fn document(samples: &[i16]) -> Vec<u8> {
    let data = samples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let leads = LEADS.map(|(_, lead)| serde_json::json!({ "lead": lead, "data": data }));
    let document = serde_json::json!({
        "format": "afferent-waveform/1", "wave": "ecg", "recording": 7, "piece": 0, "periodMs": 2, "unit": "uV", "origin": 0,
        "factor": 1, "leads": leads,
    });
    document.to_string().into_bytes()
}

fn input(model: &str, data: Vec<u8>) -> Input {
    Input {
        model: model.to_owned(),
        frames: vec![Frame { channel: String::new(), data, captured_at_ms: None, extra: Vec::new() }],
        content_type: "application/octet-stream".to_owned(),
        received_at_ms: 1_773_144_060_000,
        time_zone: None,
        variables: Vec::new(),
        extra: Vec::new(),
    }
}

/// Everything that a decoder says of an input.
fn told(decoder: &Decoder, input: &Input) -> String {
    match decoder.surface() {
        Surface::Device => decoder.decode(input).map(|outcome: Outcome| format!("{outcome:?}")),
        Surface::Hub => decoder.split(input).map(|outcome: HubOutcome| format!("{outcome:?}")),
    }
    .unwrap()
}

/// The payloads of a plugin's vectors, as the runner gives them to a decoder.
fn inputs(vectors: &Path) -> Vec<(String, Input)> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(vectors).unwrap() {
        for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines().filter(|line| !line.is_empty()) {
            let vector: Json = serde_json::from_str(line).unwrap();
            let bytes = |digits: &Json| hex::decode(digits.as_str().unwrap()).unwrap();
            let frames: Vec<Vec<u8>> = match (&vector["payload_hex"], &vector["payload_json"]) {
                (Json::String(_), _) => vec![bytes(&vector["payload_hex"])],
                (Json::Object(frames), _) => frames["frames_hex"].as_array().unwrap().iter().map(bytes).collect(),
                (_, json) if json.get("frames_hex").is_some() => {
                    json["frames_hex"].as_array().unwrap().iter().map(bytes).collect()
                }
                (_, Json::String(text)) => vec![text.clone().into_bytes()],
                (_, json) => vec![json.to_string().into_bytes()],
            };
            let format = vector["format"].as_str().unwrap();
            let channel = format.strip_prefix("gatt-").unwrap_or_default().to_owned();
            let frame = |data| Frame { channel: channel.clone(), data, captured_at_ms: Some(0), extra: Vec::new() };
            let input = Input {
                model: format.to_owned(),
                frames: frames.into_iter().map(frame).collect(),
                content_type: "application/octet-stream".to_owned(),
                received_at_ms: 1_767_225_600_000,
                time_zone: None,
                variables: Vec::new(),
                extra: Vec::new(),
            };
            inputs.push((vector["id"].as_str().unwrap().to_owned(), input));
        }
    }
    inputs
}

/// Every registered word, as the server reads them.
fn registry() -> Registry {
    let table = |name: &str| -> Json {
        serde_json::from_str(&std::fs::read_to_string(root().join("fhir-profiles").join(name)).unwrap()).unwrap()
    };
    let words = |rows: &Json, member: &str| -> HashSet<String> {
        rows.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
    };
    let registry = table("registry.json");
    let contexts = registry["contexts"].as_array().unwrap().iter().map(|context| {
        let values = context.get("values").map(|values| words(values, "name")).unwrap_or_default();
        (context["name"].as_str().unwrap().to_owned(), values)
    });
    Registry {
        kinds: words(&table("vitals.json")["kinds"], "name"),
        units: words(&table("units.json")["units"], "code"),
        flags: words(&registry["flags"], "name"),
        warnings: words(&registry["warnings"], "name"),
        reasons: words(&registry["nothingReasons"], "name"),
        clock_states: words(&registry["clockStates"], "name"),
        body_sites: words(&registry["bodySites"], "name"),
        methods: words(&registry["methods"], "name"),
        contexts: contexts.collect::<HashMap<_, _>>(),
        facts: words(&registry["factKinds"], "name"),
        identities: words(&registry["deviceIdentity"], "name"),
    }
}
