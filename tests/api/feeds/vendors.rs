//! A real payload of each vendor, through its feed, to the FHIR Observation of who wears the device or has the account.

use serde_json::{Value, json};

use super::{Feed, outcomes, vector, worn};
use crate::support::{Clinic, TestApp};

struct Vendor {
    format: &'static str,
    model: &'static str,
    lines: &'static str,
    vector: &'static str,
    /// Serial of the device, and identifiers.
    serial: &'static str,
    identifiers: Value,
    /// How the vendor's payload, or the address, names it.
    external: &'static str,
    query: &'static str,
}

macro_rules! lines {
    ($plugin:literal, $format:literal) => {
        include_str!(concat!("../../../plugins/", $plugin, "/vectors/", $format, ".jsonl"))
    };
}

fn vendors() -> Vec<Vendor> {
    let imei = |value: &str| json!([{ "system": "urn:gsma:imei", "value": value }]);
    let of = |format, model, lines, vector, serial, identifiers, external, query| Vendor {
        format,
        model,
        lines,
        vector,
        serial,
        identifiers,
        external,
        query,
    };
    let tenovi = "3f0a1c2e-0000-4000-8000-000000000001";
    vec![
        of("tenovi", "tenovi", lines!("tenovi", "tenovi"), "tenovi-01", tenovi, json!([]), tenovi, ""),
        of(
            "tellihealth",
            "telli-v1",
            lines!("tellihealth", "telli-v1"),
            "telli-v1-02",
            "T1",
            imei("864351055723276"),
            "864351055723276",
            "",
        ),
        of(
            "ihealth",
            "ihealth",
            lines!("ihealth", "ihealth"),
            "ihealth-01",
            "ih-7",
            json!([]),
            "ih-7",
            "?account=ih-7",
        ),
        of(
            "garmin-health",
            "garmin-health",
            lines!("garmin-health", "garmin-health"),
            "garmin-health-03",
            "g-1",
            json!([]),
            "g-1",
            "?account=g-1",
        ),
        of(
            "fitbit",
            "fitbit",
            lines!("fitbit", "fitbit-weight"),
            "fitbit-weight-02",
            "228S74",
            json!([]),
            "228S74",
            "?account=228S74",
        ),
        of(
            "dexcom",
            "dexcom-v3-egv",
            lines!("dexcom-cloud", "dexcom-v3-egv"),
            "dexcom-v3-egv-02",
            "u",
            json!([]),
            "u",
            "",
        ),
        of(
            "withings",
            "withings",
            lines!("withings", "withings-measure"),
            "withings-measure-02",
            "29",
            json!([]),
            "29",
            "?account=29",
        ),
        of(
            "nightscout",
            "nightscout-sgv",
            lines!("nightscout", "nightscout-sgv"),
            "nightscout-sgv-02",
            "ns",
            json!([]),
            "ns",
            "?account=ns",
        ),
        of(
            "kati",
            "kati-watch",
            lines!("kati", "kati-watch"),
            "kati-watch-02",
            "865067123456789",
            json!([]),
            "865067123456789",
            "",
        ),
    ]
}

async fn stored(clinic: &Clinic, answer: &Value, codes: &[String], vendor: &str) {
    assert_eq!(outcomes(answer), ["stored"], "{vendor}: {answer}");
    let ids = answer["items"][0]["observations"].as_array().unwrap();
    let mut found = Vec::new();
    for id in ids {
        let observation = clinic.observation(id.as_str().unwrap()).await;
        assert_eq!(observation["subject"]["reference"], format!("Patient/{}", clinic.patient), "{vendor}");
        found.push(observation["code"]["coding"].to_string());
    }
    for code in codes {
        assert!(found.iter().any(|coding| coding.contains(code.as_str())), "{vendor}: no {code} in {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_vendors_payload_becomes_observations_of_its_patient() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    for vendor in vendors() {
        let name = vendor.format;
        let feed = Feed::with_header(&clinic, name).await;
        let device = worn(&clinic, vendor.model, vendor.serial, vendor.identifiers.clone()).await;
        let (payload, codes) = vector(vendor.lines, vendor.vector);
        // A device that is known by its serial or identifier is linked by itself.
        let answer = feed.post(vendor.query, &payload).await.expect(200);
        stored(&clinic, &answer, &codes, name).await;
        let accounts = feed.admin.get(&format!("{}/accounts", feed.path)).await.expect(200);
        assert_eq!(accounts["items"][0]["device"], device, "{name}");
        assert_eq!(accounts["items"][0]["externalId"], vendor.external, "{name}");
        // Vendors deliver at least once.
        let again = feed.post(vendor.query, &payload).await.expect(200);
        assert_eq!(outcomes(&again), ["duplicate"], "{name}: {again}");
        assert_eq!(again["items"][0]["observations"], answer["items"][0]["observations"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodytrace_names_its_scale_by_an_imei_without_its_ends() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed =
        Feed::create(&clinic, "bodytrace", json!({ "kind": "basic", "user": "bodytrace" }), json!({ "kind": "none" }))
            .await;
    worn(&clinic, "bodytrace", "BT003", json!([{ "system": "urn:gsma:imei", "value": "148000000000003" }])).await;
    // The vendor drops leading zeros and the check digit, which the server works out again.
    let (mut payload, codes) = vector(lines!("bodytrace", "bodytrace"), "bodytrace-01");
    payload["deviceId"] = json!(14_800_000_000_000_u64);
    let post = async |payload: &Value| {
        let request = feed.request("").basic_auth("bodytrace", Some(&feed.secret));
        feed.vendor.send(request.header("Content-Type", "application/json").body(payload.to_string())).await
    };
    let answer = post(&payload).await.expect(200);
    let id = answer["items"][0]["observations"][0].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    assert!(clinic.observation(&id).await["code"].to_string().contains(&codes[0]));
    payload["deviceId"] = json!(14_800_000_000_001_u64);
    assert_eq!(outcomes(&post(&payload).await.expect(200)), ["unclaimed"], "another scale");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_push_of_many_people_reaches_each_and_keeps_strangers() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed = Feed::with_header(&clinic, "garmin-health").await;
    worn(&clinic, "garmin-health", "user-a", json!([])).await;
    let device = worn(&clinic, "garmin-health", "virtual-b", json!([])).await;
    feed.link("user-b", &device).await.expect(201);
    let pressure = |user: &str, systolic: u16| {
        json!({ "userId": user, "summaryId": format!("s-{user}"), "systolic": systolic, "diastolic": 80, "pulse": 60,
            "sourceType": "DEVICE", "measurementTimeInSeconds": 1_663_776_000, "measurementTimeOffsetInSeconds": 0 })
    };
    let payload = json!({ "bloodPressures": [
        pressure("user-a", 121), pressure("stranger", 133), pressure("user-b", 122),
        { "summaryId": "nobodys", "systolic": 140, "diastolic": 90, "measurementTimeInSeconds": 1_663_776_000 },
    ] });
    let answer = feed.post("", &payload).await.expect(200);
    assert_eq!(outcomes(&answer), ["stored", "unclaimed", "stored", "undecodable"], "{answer}");
    for (item, systolic) in [(0, 121), (2, 122)] {
        let id = answer["items"][item]["observations"][0].as_str().unwrap();
        let text = clinic.observation(id).await.to_string();
        assert!(text.contains(&format!("\"value\":{systolic}")), "{text}");
    }
    // What named nobody is kept with its payload, and said where.
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    assert_eq!(quarantine["items"][0]["reason"], "no-account");
    assert!(quarantine["items"][0]["detail"].as_str().unwrap().contains("/bloodPressures/3"), "{quarantine}");
    assert_eq!(feed.unclaimed().await[0]["externalId"], "stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_and_answered_so_that_it_is_not_sent_for_ever() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let feed = Feed::with_header(&clinic, "fitbit").await;
    let post = async |media_type: &str, body: &str| {
        let request = feed.request("").header("X-Api-Key", &feed.secret).header("Content-Type", media_type);
        feed.vendor.send(request.body(body.to_owned())).await
    };
    assert_eq!(post("application/json", "{\"weight\":").await.expect(200)["outcome"], "undecodable");
    let announced =
        r#"[{"collectionType":"body","date":"2020-06-01","ownerId":"228S74","ownerType":"user","subscriptionId":"1"}]"#;
    assert_eq!(outcomes(&post("application/json", announced).await.expect(200)), ["undecodable"]);
    post("application/json", "").await.expect(400);
    post("multipart/form-data; boundary=x", "x").await.expect(415);
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let reasons: Vec<&str> =
        quarantine["items"].as_array().unwrap().iter().map(|item| item["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["malformed", "announcement"]);
}
