//! Every vector of every shipped decoder, through the real server: payload in over HTTP, Observations out over FHIR. What
//! comes out is what `afferent plugin vectors` says of the same line, which in turn is checked against what is expected.
//! The command takes payloads as received in July 2027, the server now: times that rest on the receipt are not compared.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Actor, Answer, Clinic, TestApp, tests_data_dir};

/// Formats of hubs, which name their devices themselves.
const HUBS: [&str; 3] = ["ava4-hub", "qube-vital", "cassia-sse"];

/// The lines of all vector files.
fn vectors() -> Vec<Value> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins");
    let folders = std::fs::read_dir(plugins).unwrap().flatten().map(|plugin| plugin.path().join("vectors"));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let texts = files.map(|file| std::fs::read_to_string(file.path()).unwrap());
    texts.flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()).collect()
}

/// What the command says of each line.
fn said(vectors: &[Value]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_afferent"))
        .args(["plugin", "vectors", "-", "--json"])
        .env("AFFERENT_DATA_DIR", tests_data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = vectors.iter().map(|line| format!("{line}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A payload as its source would send it: a raw frame, several frames in an envelope, or JSON.
enum Payload {
    Frame(Vec<u8>),
    Frames(Vec<String>),
    Json(String),
}

fn payload(vector: &Value) -> Payload {
    let several = ["payload_hex", "payload_json"].iter().find_map(|name| vector[name]["frames_hex"].as_array());
    if let Some(frames) = several {
        let answer = vector["payload_json"].get("response_hex");
        return Payload::Frames(answer.into_iter().chain(frames).map(digits).collect());
    }
    match (&vector["payload_hex"], &vector["payload_json"]) {
        (Value::String(_), _) => Payload::Frame(hex::decode(digits(&vector["payload_hex"])).unwrap()),
        (_, Value::String(text)) => Payload::Json(text.clone()),
        (_, json) => Payload::Json(json.to_string()),
    }
}

fn digits(hex: &Value) -> String {
    hex.as_str().unwrap().chars().filter(|character| !character.is_whitespace()).collect()
}

/// The characteristic that the format's name ends in.
fn channel(format: &str) -> &str {
    let last = format.rsplit('-').next().unwrap_or_default();
    if last.len() == 4 && last.starts_with("2A") { last } else { "" }
}

/// What the decoder has to be told besides.
fn variables(vector: &Value) -> Value {
    let told = vector["context"].as_object().into_iter().flatten();
    let told = told.filter(|(_, value)| !value.is_null() && *value != "");
    told.map(|(name, value)| (name.clone(), json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A device of a model with a patient of its own, who always wore it.
async fn worn(clinic: &Clinic, model: &str, serial: &str, variables: &Value) -> (String, Actor) {
    let (device, actor) = clinic.device(model, serial).await;
    let path = format!("/api/v1/devices/{device}");
    clinic.admin.patch(&path, json!({ "variables": variables })).await.expect(200);
    let patient = clinic.patient(serial).await;
    clinic.assign(&device, &patient, "1990-01-01T00:00:00Z", None).await;
    (device, actor)
}

async fn send(source: &Actor, path: &str, vector: &Value) -> Answer {
    let (body, media_type) = match payload(vector) {
        Payload::Frame(bytes) => (bytes, "application/octet-stream"),
        Payload::Json(text) => (text.into_bytes(), "application/json"),
        Payload::Frames(frames) => {
            let channel = channel(vector["format"].as_str().unwrap());
            let frames: Vec<Value> = frames.iter().map(|hex| json!({ "channel": channel, "hex": hex })).collect();
            (json!({ "frames": frames }).to_string().into_bytes(), "application/vnd.afferent.uplink+json")
        }
    };
    let request = source.request(reqwest::Method::POST, path).header("Content-Type", media_type);
    source.send(request.body(body)).await
}

/// Sends a device's payload; the receipts that it leads to.
async fn by_device(clinic: &Clinic, vector: &Value) -> Vec<Value> {
    let (format, id) = (vector["format"].as_str().unwrap(), vector["id"].as_str().unwrap());
    let (_, source) = worn(clinic, format, id, &variables(vector)).await;
    let answer = send(&source, &format!("/ingest/v1/uplinks?channel={}", channel(format)), vector).await;
    let status = answer.status;
    let receipt = answer.json();
    assert!([201, 202].contains(&status.as_u16()), "{id}: {status} {receipt}");
    vec![receipt]
}

/// Sends a hub's payload, with its devices paired; a receipt for each item, or for the whole.
async fn by_hub(clinic: &Clinic, vector: &Value, devices: &[Value]) -> Vec<Value> {
    let (format, id) = (vector["format"].as_str().unwrap(), vector["id"].as_str().unwrap());
    let hub = clinic.hub(format, id).await;
    clinic.admin.patch(&hub.path, json!({ "variables": variables(vector) })).await.expect(200);
    let mut paired: Vec<&str> = Vec::new();
    for address in devices.iter().map(|device| device.as_str().unwrap()) {
        if !paired.contains(&address) {
            let model = if format == "cassia-sse" { "gatt-2A37" } else { format };
            let (device, _) = worn(clinic, model, &format!("{id}-{}", paired.len()), &json!({})).await;
            hub.pair(&device, address).await;
            paired.push(address);
        }
    }
    let answer = send(&hub.actor, "/ingest/v1/hubs/uplinks", vector).await;
    let status = answer.status;
    let answer = answer.json();
    assert!([201, 202].contains(&status.as_u16()), "{id}: {status} {answer}");
    match answer["items"].as_array().filter(|items| !items.is_empty()) {
        Some(items) => items.clone(),
        None => vec![answer],
    }
}

/// What an Observation means, without whose it is, its id and its origin; without its time where that rests on the receipt.
fn meaning(observation: &Value, rests_on_receipt: bool) -> Value {
    let mut meaning = observation.clone();
    let fields = meaning.as_object_mut().unwrap();
    for field in ["id", "meta", "identifier", "subject", "device", "issued", "extension", "text"] {
        fields.remove(field);
    }
    if rests_on_receipt {
        fields.retain(|name, _| !name.starts_with("effective") && !name.starts_with("_effective") && name != "note");
    }
    meaning
}

/// Whether an Observation's time is the receipt's, an age before it, or one that for the server is still to come.
fn rests_on_receipt(preview: &Value, outlook: &str) -> bool {
    let time = preview["effectiveDateTime"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let notes = preview["note"].as_array().into_iter().flatten();
    outlook.contains("time: receipt")
        || time.is_some_and(|time| time > Utc::now())
        || notes.filter_map(|note| note["text"].as_str()).any(|note| note.contains("that of receipt"))
}

/// Holds what the server made of a line against what the command says of it.
async fn compare(clinic: &Clinic, said: &Value, receipts: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    let outlooks: Vec<&str> = said["outlook"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let empty = Vec::new();
    let previews = said["observations"].as_array().unwrap_or(&empty);
    let pairs = || previews.iter().zip(&outlooks);
    let held = pairs().filter(|(_, outlook)| outlook.contains("held for a person")).count();
    let stored: Vec<_> = pairs()
        .filter(|(_, outlook)| !outlook.contains("held for a person") && !outlook.contains("not stored"))
        .collect();
    let outcomes: Vec<&str> = receipts.iter().map(|receipt| receipt["outcome"].as_str().unwrap()).collect();
    let expected: &[&str] = match said["outcome"].as_str().unwrap() {
        "decoded" if previews.is_empty() => &["nothing", "stored", "incomplete"],
        "decoded" if held > 0 => &["held", "stored"],
        "decoded" => &["stored", "nothing", "undecodable"],
        "no-observation" => &["nothing"],
        "incomplete" => &["incomplete"],
        "reject" => &["undecodable", "stored", "nothing"],
        other => panic!("an outcome that the test does not know: {other}"),
    };
    if !outcomes.iter().all(|outcome| expected.contains(outcome)) {
        problems.push(format!("the server says {outcomes:?}, the command {}", said["outcome"]));
    }
    if said["outcome"] == "reject" && !outcomes.contains(&"undecodable") {
        problems.push("what the decoder refuses is not in quarantine".to_owned());
    }
    let list = |name: &'static str| receipts.iter().filter_map(move |receipt| receipt[name].as_array()).flatten();
    if list("held").count() != held {
        problems.push(format!("{} readings are held, expected {held}", list("held").count()));
    }
    let ids: Vec<&str> = list("observations").map(|id| id.as_str().unwrap()).collect();
    if ids.len() != stored.len() {
        problems.push(format!("{} Observations, expected {}", ids.len(), stored.len()));
    }
    for (id, (preview, outlook)) in ids.iter().zip(stored) {
        let observation = clinic.observation(id).await;
        let rests = rests_on_receipt(preview, outlook);
        let (found, expected) = (meaning(&observation, rests), meaning(preview, rests));
        if found != expected {
            problems.push(format!("Observation\n  {found}\nexpected\n  {expected}"));
        }
    }
    problems
}

#[tokio::test(flavor = "multi_thread")]
async fn every_vector_comes_in_over_http_and_goes_out_as_fhir() {
    let vectors = vectors();
    assert!(vectors.len() >= 246, "{} vectors: the shipped decoders lost some", vectors.len());
    let said = said(&vectors);
    assert_eq!(said.len(), vectors.len());
    let app = TestApp::start().await;
    let clinic = app.clinic("clinic").await;
    let admin = app.platform_admin().await;
    admin.patch(&format!("/api/v1/tenants/{}", clinic.tenant), json!({ "timeZone": "UTC" })).await.expect(200);
    let mut wrong = Vec::new();
    let mut observations = 0;
    for (vector, said) in vectors.iter().zip(&said) {
        assert_eq!(said["problems"], json!([]), "{}", said["id"]);
        let receipts = match HUBS.contains(&vector["format"].as_str().unwrap()) {
            true => by_hub(&clinic, vector, said["devices"].as_array().unwrap_or(&Vec::new())).await,
            false => by_device(&clinic, vector).await,
        };
        observations += receipts.iter().filter_map(|receipt| receipt["observations"].as_array()).flatten().count();
        let problems = compare(&clinic, said, &receipts).await;
        if !problems.is_empty() {
            wrong.push(format!("{}: {}", said["id"], problems.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} lines:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    assert!(observations > 250, "only {observations} Observations");
}
