//! A version of a hub's decoder beside the one that serves: what it would make of the payloads that are kept.

use serde_json::{Value, json};

use crate::support::{Actor, Clinic, Hub, TestApp, eventually, versioned, versioned_frame, versioned_hub};

const SCALE: [u8; 6] = [0xD6, 0x16, 0xF9, 0x64, 0x16, 0x01];
const DECODED: [u8; 6] = [0xD6, 0x16, 0xF9, 0x64, 0x16, 0x02];

/// A hub with two scales: one whose frames go on, and one that the hub decodes itself.
struct Gateway {
    app: TestApp,
    platform: Actor,
    clinic: Clinic,
    hub: Hub,
}

fn item(address: [u8; 6], kind: u8, weight: u16, sequence: u8, flags: u8) -> Vec<u8> {
    [&address[..], &[kind], &weight.to_le_bytes()[..], &[sequence, flags]].concat()
}

/// Both scales' weights, as the payload's only two items; flags on the second.
fn both(sequence: u8, flags: u8) -> Vec<u8> {
    [item(SCALE, 0, 14_000 + u16::from(sequence), sequence, 0), item(DECODED, 1, 7_000, sequence, flags)].concat()
}

fn spelled(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02X}")).join(":")
}

async fn upload(platform: &Actor, version: &str, behaviour: char) {
    let request = platform.request(reqwest::Method::POST, "/api/v1/plugins");
    let request = request.header("Content-Type", "application/wasm").body(versioned_hub(version, behaviour));
    platform.send(request).await.expect(201);
}

async fn activate(platform: &Actor, version: &str) -> crate::support::Answer {
    let path = format!("/api/v1/plugins/versioned-hub/versions/{version}/activate");
    platform.post(&path, json!({ "reason": "the next" })).await
}

impl Gateway {
    async fn start() -> Self {
        Self::with('R').await
    }

    /// Version 1.0.0 serves, and behaves so.
    async fn with(behaviour: char) -> Self {
        let app = TestApp::start().await;
        let platform = app.platform_admin().await;
        upload(&platform, "1.0.0", behaviour).await;
        // No hub uses it: nothing is to be compared.
        activate(&platform, "1.0.0").await.expect(200);
        let clinic = app.clinic("north").await;
        let hub = clinic.hub("versioned-hub", "H1").await;
        for (serial, address) in [("FRAMES", SCALE), ("DECODED", DECODED)] {
            let (device, _) = clinic.device("gatt-2A9D", serial).await;
            clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
            hub.pair(&device, &spelled(address)).await;
        }
        Self { app, platform, clinic, hub }
    }

    /// Uploads a version and lets it serve.
    async fn replaced(&self, version: &str, behaviour: char) {
        upload(&self.platform, version, behaviour).await;
        self.report(version).await;
        activate(&self.platform, version).await.expect(200);
    }

    /// What a replay counted.
    async fn replay(&self, scope: Value, dry_run: bool) -> Value {
        let wish = json!({ "scope": scope, "dryRun": dry_run, "reason": "the hub's decoder was wrong" });
        let begun = self.clinic.admin.post("/api/v1/replays", wish).await.expect(202);
        let path = format!("/api/v1/replays/{}", begun["id"].as_str().unwrap());
        eventually("the replay to be done", || async {
            let replay = self.clinic.admin.get(&path).await.expect(200);
            (replay["state"] == "done").then(|| replay["counts"].clone())
        })
        .await
    }

    /// Value, version and status of an Observation.
    async fn value(&self, id: &Value) -> [String; 3] {
        let one = self.clinic.observation(id.as_str().unwrap()).await;
        [&one["valueQuantity"]["value"], &one["meta"]["versionId"], &one["status"]]
            .map(|value| value.to_string().trim_matches('"').to_owned())
    }

    /// The report of a shadow replay of a version, when it is done.
    async fn report(&self, version: &str) -> Value {
        let wish = json!({ "decoder": { "name": "versioned-hub", "version": version } });
        let begun = self.platform.post("/api/v1/shadow-replays", wish).await.expect(202);
        let path = format!("/api/v1/shadow-replays/{}/report", begun["id"].as_str().unwrap());
        eventually("the shadow replay to be done", || async {
            let report = self.platform.get(&path).await.expect(200);
            (report["shadow"]["state"] == "done").then_some(report)
        })
        .await
    }
}

fn counts(report: &Value) -> [u64; 5] {
    ["same", "changed", "newlyDecoded", "newlyFailing", "bothRefuse"].map(|name| report[name].as_u64().unwrap())
}

/// How often fields differ: kind, field and count, in the order of their names.
fn fields(report: &Value) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = report["fields"].as_array().unwrap().iter();
    let mut fields: Vec<_> =
        fields.map(|one| (text(&one["kind"]), text(&one["field"]), one["count"].as_u64().unwrap())).collect();
    fields.sort_unstable();
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hubs_decoder_is_compared_item_by_item() {
    let gateway = Gateway::start().await;
    for sequence in 1..4 {
        let answer = gateway.hub.bytes(both(sequence, u8::from(sequence == 3))).await.expect(201);
        assert_eq!(answer["items"].as_array().unwrap().len(), 2, "{answer}");
    }
    gateway.hub.bytes(vec![7; 5]).await.expect(202);
    // What a device sent itself, and what is carried in an envelope, are none of the hub's words.
    gateway.clinic.cuff.uplink("2A35", &crate::support::blood_pressure(1)).await.expect(201);
    let frame = json!({ "device": spelled(SCALE), "channel": "2A9D", "hex": "00581b" });
    gateway.hub.send(json!([frame])).await.expect(201);
    let stored = gateway.clinic.count("").await;
    for (version, behaviour) in
        [("1.1.0", 'R'), ("1.2.0", 'W'), ("1.3.0", 'A'), ("1.4.0", 'F'), ("1.5.0", 'L'), ("1.6.0", 'D')]
    {
        upload(&gateway.platform, version, behaviour).await;
    }
    let named = |kind: &str, field: &str, count| (kind.to_owned(), field.to_owned(), count);

    let same = gateway.report("1.1.0").await;
    assert_eq!(counts(&same), [3, 0, 0, 0, 1], "{same}");
    assert_eq!((&same["verdict"], &same["shadow"]["total"], &same["skipped"]), (&json!("same"), &json!(4), &json!({})));
    assert_eq!(same["active"]["fuelMedian"], same["version"]["fuelMedian"], "fuel is the same for the same work");

    let wrong = gateway.report("1.2.0").await;
    assert_eq!(counts(&wrong), [0, 3, 0, 0, 1], "{wrong}");
    assert_eq!(fields(&wrong), [named("", "bytes", 3), named("body-weight", "value", 3)]);
    let changes: Vec<&Value> = wrong["examples"].as_array().unwrap().iter().map(|one| &one["changes"][0]).collect();
    let bytes = json!({ "field": "bytes", "before": "3 bytes, at 2: 36", "after": "3 bytes, at 2: 37" });
    assert!(changes.contains(&&bytes), "{wrong}");
    assert!(changes.contains(&&json!({ "field": "value", "before": "70.00", "after": "700.0" })), "{wrong}");

    let elsewhere = gateway.report("1.3.0").await;
    assert_eq!((counts(&elsewhere), fields(&elsewhere)), ([0, 3, 0, 0, 1], vec![named("", "device", 3)]));
    assert!(!elsewhere.to_string().contains("D6:16"), "a report leads to no device: {elsewhere}");

    let refusing = gateway.report("1.4.0").await;
    assert_eq!(counts(&refusing), [2, 0, 0, 1, 1], "one item is enough for the quarantine: {refusing}");
    assert_eq!(refusing["failures"], json!({ "unsupported": 1 }));

    let shorter = gateway.report("1.5.0").await;
    assert_eq!((counts(&shorter), fields(&shorter)), ([0, 3, 0, 0, 1], vec![named("", "item", 3)]));

    let dumb = gateway.report("1.6.0").await;
    assert_eq!((counts(&dumb), &dumb["failures"]), ([0, 0, 0, 3, 1], &json!({ "unsupported": 3 })));
    assert_eq!(gateway.clinic.count("").await, stored, "nothing is stored");

    // One that is worse is known before it serves; one that is better shows what it saves.
    activate(&gateway.platform, "1.6.0").await.expect(200);
    let saved = gateway.report("1.0.0").await;
    assert_eq!(counts(&saved), [0, 0, 3, 0, 1], "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hubs_use_is_replaced_when_it_was_compared_and_its_keys_are_decided() {
    let gateway = Gateway::start().await;
    let stored = gateway.hub.bytes(both(1, 0)).await.expect(201);
    upload(&gateway.platform, "2.0.0", 'K').await;
    let refused = activate(&gateway.platform, "2.0.0").await.expect(409);
    assert_eq!(refused["code"], "plugin.not-compared");
    assert!(refused["detail"].as_str().unwrap().starts_with("1 hubs use versioned-hub 1.0.0"), "{refused}");
    let live = json!({ "decoder": { "name": "versioned-hub", "version": "2.0.0" }, "scope": { "share": 10 } });
    let refused = gateway.platform.post("/api/v1/shadow-replays", live).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/scope/share");

    let keys = gateway.report("2.0.0").await;
    assert_eq!((&keys["verdict"], &keys["recordKeysChanged"]), (&json!("blocked"), &json!(1)), "{keys}");
    assert_eq!(activate(&gateway.platform, "2.0.0").await.expect(409)["code"], "record-keys-changed");
    let path = format!("/api/v1/shadow-replays/{}/record-keys", keys["shadow"]["id"].as_str().unwrap());
    let wish = json!({ "recordKeys": "remap", "reason": "keys have a prefix now" });
    assert_eq!(gateway.platform.post(&path, wish).await.expect(200)["mapped"], 1);
    activate(&gateway.platform, "2.0.0").await.expect(200);

    // The record is known under its new key, in a payload that is not the same as before.
    let payload = [item(DECODED, 1, 7_000, 1, 0), item(DECODED, 1, 7_100, 2, 0)].concat();
    let again = gateway.hub.bytes(payload).await.expect(201);
    assert_eq!(again["items"][0]["outcome"], "duplicate", "{again}");
    assert_eq!(again["items"][0]["observations"], stored["items"][1]["observations"]);
    assert_eq!(again["items"][1]["outcome"], "stored");
    assert_eq!(gateway.clinic.count("").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hubs_carry_is_in_live_shadows() {
    let app = TestApp::start().await;
    let platform = app.platform_admin().await;
    for (version, behaviour) in [("1.0.0", 'R'), ("1.1.0", 'W')] {
        let request = platform.request(reqwest::Method::POST, "/api/v1/plugins");
        let request = request.header("Content-Type", "application/wasm").body(versioned(version, behaviour));
        platform.send(request).await.expect(201);
    }
    let path = "/api/v1/plugins/versioned-scale/versions/1.0.0/activate";
    platform.post(path, json!({ "reason": "the first" })).await.expect(200);
    let clinic = app.clinic("north").await;
    let (device, _) = clinic.device("versioned-scale", "S1").await;
    clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let hub = clinic.hub("ava4-hub", "H1").await;
    hub.pair(&device, &spelled(SCALE)).await;
    let wish = json!({ "decoder": { "name": "versioned-scale", "version": "1.1.0" }, "scope": { "share": 100 } });
    let begun = platform.post("/api/v1/shadow-replays", wish).await.expect(202);
    let path = format!("/api/v1/shadow-replays/{}/report", begun["id"].as_str().unwrap());
    let mut sent = 0;
    let report = eventually("what a hub carried to be compared", || {
        sent += 1;
        let bytes = versioned_frame(7_025, sent, 0);
        let frames = json!([crate::hubs::frame(&spelled(SCALE), "", &bytes)]);
        let (hub, platform, path) = (&hub, &platform, &path);
        async move {
            hub.send(frames).await.expect(201);
            let report = platform.get(path).await.expect(200);
            (report["changed"].as_u64() >= Some(2)).then_some(report)
        }
    })
    .await;
    assert_eq!(fields(&report)[0].1, "value", "{report}");
    // What is stored is what the one that serves says.
    let weights = clinic.admin.get(&format!("{}/Observation?code=29463-7", clinic.fhir)).await.expect(200);
    let value = &weights["entry"][0]["resource"]["valueQuantity"]["value"];
    assert_eq!(value.to_string(), "70.25");
}

fn by(version: &str) -> Value {
    json!({ "decodedBy": { "name": "versioned-hub", "version": version } })
}

fn read_by(version: &str) -> Value {
    json!({ "models": ["gatt-2A9D"], "decoder": { "name": "versioned-hub", "version": version } })
}

fn some(counts: &Value, names: [&str; 4]) -> [u64; 4] {
    names.map(|name| counts[name].as_u64().unwrap())
}

const NAMES: [&str; 4] = ["corrected", "same", "withdrawn", "skipped"];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_decoded_wrongly_is_corrected_from_its_payload() {
    let gateway = Gateway::with('W').await;
    // Two weights of one device, and those of a device that is worn by nobody: all in one payload.
    let (alone, _) = gateway.clinic.device("gatt-2A9D", "NOBODYS").await;
    let nobodys = [0xD6, 0x16, 0xF9, 0x64, 0x16, 0x03];
    gateway.hub.pair(&alone, &spelled(nobodys)).await;
    let payload = [
        item(SCALE, 0, 14_000, 9, 0),
        item(DECODED, 1, 700, 1, 0),
        item(DECODED, 1, 710, 2, 0),
        // The same weight under the same number, of another device.
        item(nobodys, 1, 700, 1, 0),
    ]
    .concat();
    let answer = gateway.hub.bytes(payload.clone()).await.expect(202);
    let outcomes: Vec<&Value> = answer["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["stored", "stored", "stored", "unassigned"], "{answer}");
    let (first, second) = (&answer["items"][1]["observations"][0], &answer["items"][2]["observations"][0]);
    assert_eq!(gateway.value(first).await, ["70.0", "1", "final"], "ten times too much");

    gateway.replaced("2.0.0", 'R').await;
    let tried = gateway.replay(by("1.0.0"), true).await;
    assert_eq!((some(&tried, NAMES), &tried["held"]), ([2, 0, 0, 1], &json!(1)), "{tried}");
    assert_eq!(tried["reasons"], json!({ "hub-payload": 1 }), "its items are what is replayed");
    assert_eq!(gateway.value(first).await, ["70.0", "1", "final"]);
    let done = gateway.replay(by("1.0.0"), false).await;
    assert_eq!((some(&done, NAMES), &done["fields"]["valueQuantity.value"]), ([2, 0, 0, 1], &json!(2)), "{done}");
    assert_eq!(gateway.value(first).await, ["7.00", "2", "corrected"]);
    assert_eq!(gateway.value(second).await, ["7.10", "2", "corrected"]);
    assert_eq!(
        gateway.replay(by("1.0.0"), false).await["uplinks"],
        1,
        "nothing is of version 1 any more but the payload"
    );
    let again = gateway.replay(read_by("2.0.0"), false).await;
    assert_eq!(some(&again, ["corrected", "created", "withdrawn", "failed"])[..], [0, 0, 0, 1], "{again}");
    assert_eq!(again["reasons"], json!({ "model-without-decoder": 1 }), "the frame is its device's: {again}");

    // What waited for a person waits with the right number.
    let held = gateway.clinic.admin.get("/api/v1/held-readings?state=open").await.expect(200);
    assert_eq!(held["items"].as_array().unwrap().len(), 1, "{held}");
    let path = format!("/api/v1/held-readings/{}/claim", held["items"][0]["id"].as_str().unwrap());
    let wish = json!({ "patient": gateway.clinic.patient, "reason": "she stood on it" });
    let claimed = gateway.clinic.admin.post(&path, wish).await.expect(200);
    assert_eq!(gateway.value(&claimed["observation"]).await, ["7.00", "1", "final"]);

    // The hub sends what it decoded again: all of it is known.
    let answer = gateway.hub.bytes(payload[11..].to_vec()).await.expect(200);
    assert!(answer["items"].as_array().unwrap().iter().all(|item| item["outcome"] == "duplicate"), "{answer}");
    assert_eq!(gateway.clinic.count("code=29463-7").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_had_claimed_is_read_by_the_version_that_serves_then() {
    let gateway = Gateway::with('W').await;
    let strangers = [0xD6, 0x16, 0xF9, 0x64, 0x16, 0x04];
    let answer = gateway.hub.bytes(item(strangers, 1, 700, 1, 0)).await.expect(202);
    assert_eq!(answer["items"][0]["outcome"], "unclaimed");
    gateway.replaced("2.0.0", 'R').await;
    let (device, _) = gateway.clinic.device("gatt-2A9D", "FOUND").await;
    gateway.clinic.assign(&device, &gateway.clinic.patient, "2020-01-01T00:00:00Z", None).await;
    gateway.hub.pair(&device, &spelled(strangers)).await;
    let search = format!("{}/Observation?code=29463-7", gateway.clinic.fhir);
    let found = eventually("the claimed weight", || async {
        let bundle = gateway.clinic.admin.get(&search).await.expect(200);
        bundle["entry"][0]["resource"].is_object().then(|| bundle["entry"][0]["resource"].clone())
    })
    .await;
    assert_eq!(found["valueQuantity"]["value"].to_string(), "7.00");
    assert!(found["meta"]["source"].as_str().unwrap().contains("#decoder=versioned-hub@2.0.0"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_withdrawn_and_what_cannot_be_told_is_left() {
    let gateway = Gateway::start().await;
    let answer = gateway.hub.bytes([item(DECODED, 1, 7_000, 1, 0), item(DECODED, 1, 7_100, 2, 1)].concat()).await;
    let answer = answer.expect(201);
    let (first, last) = (&answer["items"][0]["observations"][0], &answer["items"][1]["observations"][0]);
    for (version, behaviour) in [("2.0.0", 'F'), ("3.0.0", 'D'), ("4.0.0", 'L'), ("5.0.0", 'R')] {
        upload(&gateway.platform, version, behaviour).await;
    }
    // Refused, one of them or all: what is stored stays.
    let refused = gateway.replay(read_by("2.0.0"), false).await;
    assert_eq!((&refused["failed"], &refused["same"]), (&json!(1), &json!(1)), "{refused}");
    let refused = gateway.replay(read_by("3.0.0"), false).await;
    assert_eq!((&refused["failed"], &refused["reasons"]), (&json!(2), &json!({ "unsupported": 2 })), "{refused}");
    assert_eq!(gateway.value(last).await, ["71.00", "1", "final"]);
    // The last item is none.
    let gone = gateway.replay(read_by("4.0.0"), false).await;
    assert_eq!(some(&gone, NAMES), [0, 1, 1, 0], "{gone}");
    assert_eq!(gateway.value(last).await[2], "entered-in-error");
    assert_eq!(gateway.value(first).await, ["70.00", "1", "final"]);

    // A version of a device's decoder reads no hub's payload; nor does any where the payload is gone.
    let other = json!({ "models": ["gatt-2A9D"], "decoder": { "name": "bluetooth-sig", "version": "0.1.0" } });
    assert_eq!(gateway.replay(other, false).await["reasons"], json!({ "decoded-by-hub": 2 }));
    let mut conn = crate::support::connect(&gateway.app.database.superuser_url).await;
    let lost = "DELETE FROM uplink_body b USING uplink u WHERE u.id = b.uplink_id AND u.outcome = 'split'";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, lost).await.unwrap();
    assert_eq!(gateway.replay(read_by("5.0.0"), false).await["reasons"], json!({ "payload-gone": 2 }));
}
