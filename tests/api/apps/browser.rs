//! The reference app in a real browser: real server, real database, real FHIR; only the radio is simulated, by a
//! `navigator.bluetooth` whose characteristics fire a vector's bytes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Chromium, Clinic, Page, TcpProxy, TestApp, eventually, weight};

const RADIO: &str = include_str!("../../fixtures/apps/bluetooth.js");
/// As Chromium names a device to a page: 16 random bytes in base 64.
const SCALE: &str = "c2NhbGUtb2YtdGhlLWhhbA==";

/// A phone with the app open, behind a network that can be cut.
struct Handset {
    app: TestApp,
    clinic: Clinic,
    network: TcpProxy,
    browser: Arc<Chromium>,
    page: Page,
}

impl Handset {
    async fn new(devices: Value) -> Self {
        let app = TestApp::start().await;
        let clinic = app.clinic("North Clinic").await;
        let network = TcpProxy::start(app.address).await;
        let browser = Chromium::start().await;
        let page = page(&browser, &devices).await;
        Self { app, clinic, network, browser, page }
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/app/{rest}", self.network.address)
    }

    /// Staff make a code; the person opens its link and presses the button. Answers the installation's place in the API.
    async fn pair(&self) -> String {
        let wish = json!({ "name": "Tessa's phone", "patient": self.clinic.patient });
        let pairing = self.clinic.admin.post("/api/v1/app-pairings", wish).await.expect(201);
        let code = pairing["code"].as_str().unwrap();
        // Another document first, so that the link is opened and not only its fragment changed.
        self.page.open("about:blank").await;
        self.page.open(&self.url(&format!("#code={code}"))).await;
        self.page.until(&format!("document.querySelector('#code').value === '{code}'")).await;
        assert_eq!(self.page.value("location.hash").await, "", "the code does not stay in the address");
        self.page.click("#pair button").await;
        self.page.shows("#clinic", "North Clinic · Tessa's phone").await;
        let path = format!("/api/v1/app-pairings/{}", pairing["id"].as_str().unwrap());
        let pairing = self.clinic.admin.get(&path).await.expect(200);
        format!("/api/v1/apps/{}", pairing["app"].as_str().unwrap())
    }

    /// A scale that the patient wears and the phone may speak for, connected and listened to. Answers installation and scale.
    async fn with_scale() -> (Self, String, String) {
        let handset = Self::new(json!([{ "id": SCALE, "name": "UC-352BLE", "services": { "6173": [0x2a9d] } }])).await;
        let phone = handset.pair().await;
        let (scale, _) = handset.clinic.device("gatt-2A9D", "SCALE").await;
        handset.clinic.assign(&scale, &handset.clinic.patient, "2020-01-01T00:00:00Z", None).await;
        handset.clinic.admin.put(&format!("{phone}/devices/{scale}"), json!({})).await.expect(200);
        handset.connect("UC-352BLE", 0).await;
        (handset, phone, scale)
    }

    /// Connects a device, and says which of the clinic's it is, by its place in the list.
    async fn connect(&self, called: &str, place: usize) {
        self.page.click("#connect").await;
        self.page.shows("#which-found", called).await;
        if let Some(folder) = pictures() {
            self.page.picture(&folder.join("which.png")).await;
        }
        self.page.click(&format!("#which input[value='{place}']")).await;
        self.page.click("#which button[value='choose']").await;
        self.page.shows("#device-list", "Connected. Measure now.").await;
    }

    /// The device sends; answers between which instants.
    async fn measure(&self, device: &str, number: u16, bytes: &[u8]) -> (DateTime<Utc>, DateTime<Utc>) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let before = Utc::now();
        let heard = self.page.value(&format!("radio.notify('{device}', {number}, '{hex}')")).await;
        assert_eq!(heard, true, "nobody is subscribed to {number:04x}");
        (before - chrono::TimeDelta::milliseconds(1), Utc::now())
    }

    /// The scale's serial number, by which a person knows it.
    fn serial(&self) -> String {
        format!("SCALE-{}", self.clinic.tenant)
    }

    async fn waiting(&self, count: usize) {
        self.page.until(&format!("document.querySelector('#waiting-count').textContent === '{count}'")).await;
    }

    /// The scale's weights in FHIR.
    async fn weights(&self) -> Vec<Value> {
        let path = format!("{}/Observation?code=29463-7", self.clinic.fhir);
        let bundle = self.clinic.admin.get(&path).await.expect(200);
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        entries.into_iter().map(|entry| entry["resource"].clone()).collect()
    }
}

async fn page(browser: &Arc<Chromium>, devices: &Value) -> Page {
    let page = browser.page().await;
    // A phone, held upright.
    let size = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    page.call("Emulation.setDeviceMetricsOverride", size).await;
    page.before_each_document(&format!("window.devices = {devices}; {RADIO}")).await;
    page
}

/// Whether an Observation says that it was measured between two instants.
fn was_measured(observation: &Value, (from, until): (DateTime<Utc>, DateTime<Utc>)) -> bool {
    let at = observation["effectiveDateTime"].as_str().unwrap();
    let at = DateTime::parse_from_rfc3339(at).unwrap();
    from <= at && at <= until
}

/// The vector `gatt-2A9D-01`: 70 kg, no time of its own.
fn seventy_kilograms() -> Vec<u8> {
    let vectors = include_str!("../../../plugins/bluetooth-sig/vectors/gatt-2A9D.jsonl");
    let first: Value = serde_json::from_str(vectors.lines().next().unwrap()).unwrap();
    assert_eq!((&first["id"], &first["expected"]["fields"]["weight"]), (&json!("gatt-2A9D-01"), &json!(70)));
    let hex = first["payload_hex"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_captured_offline_survives_reload_and_closing_and_arrives_once_with_its_time() {
    let (mut handset, _, _) = Handset::with_scale().await;
    handset.page.value("navigator.serviceWorker.ready.then(() => true)").await;
    handset.network.down(true);
    let first = handset.measure(SCALE, 0x2a9d, &seventy_kilograms()).await;
    handset.waiting(1).await;
    handset.page.shows("#status", "1 reading is kept on this phone").await;
    let shown = handset.page.text("body").await.replace(&handset.serial(), "…");
    assert!(shown.contains("Weight") && shown.contains("…"), "{shown}");
    assert!(!shown.contains("70") && !shown.contains("kg"), "no number is shown that no server has read: {shown}");

    // Without network the app opens, and what it had is there; the device is connected again by itself.
    handset.page.reload().await;
    handset.waiting(1).await;
    handset.page.shows("#device-list", "Connected. Measure now.").await;
    let second = handset.measure(SCALE, 0x2a9d, &weight(14_100)).await;
    handset.waiting(2).await;
    handset.page.clone().close().await;
    let devices = json!([{ "id": SCALE, "name": "UC-352BLE", "services": { "6173": [0x2a9d] } }]);
    handset.page = page(&handset.browser, &devices).await;
    handset.page.open(&handset.url("")).await;
    handset.waiting(2).await;
    assert!(handset.weights().await.is_empty());
    if let Some(folder) = pictures() {
        handset.page.picture(&folder.join("offline.png")).await;
    }

    handset.network.down(false);
    handset.waiting(0).await;
    handset.page.shows("#arrived-list", "Arrived.").await;
    let weights = handset.weights().await;
    assert_eq!(weights.len(), 2);
    for (kilograms, period) in [("70", first), ("70.5", second)] {
        let found = weights.iter().find(|weight| {
            weight["valueQuantity"]["value"].to_string().trim_end_matches('0').trim_end_matches('.') == kilograms
        });
        let found = found.unwrap_or_else(|| panic!("no {kilograms} kg in {weights:?}"));
        assert!(was_measured(found, period), "{found}");
        assert_eq!(found["subject"]["reference"], format!("Patient/{}", handset.clinic.patient));
    }
    if let Some(folder) = pictures() {
        handset.page.picture(&folder.join("arrived.png")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_answer_is_lost_it_is_sent_again_and_there_is_one_observation() {
    let (handset, _, _) = Handset::with_scale().await;
    // The request arrives and is committed; its answer does not.
    let pattern = json!({ "patterns": [{ "urlPattern": "*/ingest/v1/hubs/uplinks", "requestStage": "Response" }] });
    handset.page.call("Fetch.enable", pattern).await;
    let mut events = handset.page.events();
    handset.measure(SCALE, 0x2a9d, &seventy_kilograms()).await;
    for _ in 0..2 {
        let paused = events.next("Fetch.requestPaused").await;
        assert!(matches!(paused["responseStatusCode"].as_u64(), Some(200 | 201)), "{paused}");
        assert_eq!(handset.weights().await.len(), 1, "it is committed");
        let lost = json!({ "requestId": paused["requestId"], "errorReason": "ConnectionReset" });
        handset.page.call("Fetch.failRequest", lost).await;
        handset.waiting(1).await;
        handset.page.shows("#status", "could not be reached").await;
    }
    handset.page.call("Fetch.disable", json!({})).await;
    handset.waiting(0).await;
    handset.page.shows("#arrived-list", "The clinic had it already.").await;
    assert_eq!(handset.weights().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_it_keeps_its_queue_says_why_and_goes_on_when_it_is_paired_anew() {
    let (handset, phone, scale) = Handset::with_scale().await;
    handset.clinic.admin.post(&format!("{phone}/revoke"), json!({})).await.expect(200);
    let taken = handset.measure(SCALE, 0x2a9d, &seventy_kilograms()).await;
    let told = handset.page.shows("#status", "This phone is no longer paired").await;
    assert!(told.contains("This token is not known, or was revoked") && told.contains("1 reading is kept"), "{told}");
    handset.page.reload().await;
    handset.page.shows("#status", "1 reading is kept on this phone").await;
    handset.page.shows("#pairing", "Pair this phone").await;
    assert!(handset.weights().await.is_empty());
    if let Some(folder) = pictures() {
        handset.page.picture(&folder.join("revoked.png")).await;
    }
    let again = handset.pair().await;
    // The new installation is not paired with the scale yet: the reading waits at the clinic until it is.
    handset.page.shows("#arrived-list", "has not paired this device with your phone yet").await;
    let claimed = handset.clinic.admin.put(&format!("{again}/devices/{scale}"), json!({})).await.expect(200);
    assert_eq!(claimed["claimed"], 1);
    let weights =
        eventually("the claimed weight", || async { Some(handset.weights().await).filter(|found| !found.is_empty()) })
            .await;
    assert!(was_measured(&weights[0], taken), "{weights:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_clinic_refuses_stays_visible_with_its_reason() {
    let (handset, phone, scale) = Handset::with_scale().await;
    let admin = &handset.clinic.admin;
    admin.post(&format!("/api/v1/devices/{scale}/deactivate"), json!({})).await.expect(200);
    handset.measure(SCALE, 0x2a9d, &seventy_kilograms()).await;
    let refused = handset.page.shows("#refused-list", "This device is deactivated").await;
    assert!(refused.contains("Weight"), "{refused}");
    handset.waiting(0).await;
    if let Some(folder) = pictures() {
        handset.page.picture(&folder.join("refused.png")).await;
    }
    admin.post(&format!("/api/v1/devices/{scale}/activate"), json!({})).await.expect(200);
    handset.page.click("#again").await;
    handset.page.shows("#arrived-list", "Arrived.").await;
    assert_eq!(handset.page.text("#refused").await, "");

    // The whole app is deactivated: all of it waits, and says so.
    admin.post(&format!("{phone}/deactivate"), json!({})).await.expect(200);
    handset.measure(SCALE, 0x2a9d, &weight(14_200)).await;
    let told = handset.page.shows("#status", "deactivated by the clinic").await;
    assert!(told.contains("1 reading is kept"), "{told}");
    handset.waiting(1).await;
    admin.post(&format!("{phone}/activate"), json!({})).await.expect(200);
    handset.page.click("#send").await;
    handset.waiting(0).await;
    assert_eq!(handset.weights().await.len(), 2);
    assert_eq!(handset.page.text("#status").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_glucose_meter_is_asked_for_its_records_and_a_stranger_is_claimed_by_its_name() {
    const METER: &str = "bWV0ZXItb2YtYS1mcmllbg==";
    let handset = Handset::new(json!([{ "id": METER, "name": "Contour7830", "services": { "6152": [0x2a18, 0x2a34, 0x2a52], "6154": [0x2a29] } }])).await;
    let phone = handset.pair().await;
    handset.connect("Contour7830", 0).await;
    handset.page.until("radio.log.some((entry) => entry[0] === 'written')").await;
    let log = handset.page.value("radio.log").await;
    let expected =
        json!([["subscribed", "2a34"], ["subscribed", "2a18"], ["subscribed", "2a52"], ["written", "2a52", [1, 1]]]);
    assert_eq!(log, expected, "first the ears, then the question");
    // Sequence 1, 2026-03-01 08:00:00, offset absent, 5.5 mmol/L (SFLOAT 55 × 10^-4 mol/L), capillary whole blood, finger.
    let measurement = [0x06, 0x01, 0x00, 0xEA, 0x07, 0x03, 0x01, 0x08, 0x00, 0x00, 0x37, 0xC0, 0x11];
    handset.measure(METER, 0x2a18, &measurement).await;
    handset.page.shows("#arrived-list", "has not paired this device with your phone yet").await;
    let unclaimed = handset.clinic.admin.get(&format!("{phone}/unclaimed")).await.expect(200);
    let address = unclaimed["items"][0]["address"].as_str().unwrap();
    assert_eq!((address, &unclaimed["items"][0]["channels"]), ("Contour7830 #bWV0ZXItb2", &json!(["2A18"])));
    handset.page.shows("#device-list", address).await;
    let model = unclaimed["items"][0]["models"][0].as_str().unwrap();
    let (meter, _) = handset.clinic.device(model, "METER").await;
    handset.clinic.assign(&meter, &handset.clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let paired = handset.clinic.admin.put(&format!("{phone}/devices/{meter}"), json!({ "address": address })).await;
    assert_eq!(paired.expect(200)["claimed"], 1);
    eventually("the claimed glucose", || async { (handset.clinic.count("").await >= 1).then_some(()) }).await;
    // From now on the app knows it as the clinic does.
    handset.page.reload().await;
    handset.page.shows("#device-list", "METER").await;
    // Switched off after each measurement, and listened to again when it is on.
    handset.page.value(&format!("radio.power('{METER}', false)")).await;
    handset.page.shows("#device-list", "Not connected").await;
    handset.page.value(&format!("radio.power('{METER}', true)")).await;
    handset.page.shows("#device-list", "Connected. Measure now.").await;
    let mut next = measurement;
    (next[1], next[7]) = (2, 9);
    handset.measure(METER, 0x2a18, &next).await;
    handset.page.shows("#arrived-list", "Arrived.").await;
    let record = handset.page.value("document.querySelectorAll('#arrived-list li').length").await;
    assert_eq!(record, 2, "a value is kept once, however often it was connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_for_one_clinic_is_not_sent_to_another() {
    let (handset, phone, scale) = Handset::with_scale().await;
    handset.clinic.admin.post(&format!("{phone}/revoke"), json!({})).await.expect(200);
    let taken = handset.measure(SCALE, 0x2a9d, &seventy_kilograms()).await;
    handset.page.shows("#status", "no longer paired").await;
    // The phone goes to somebody of another clinic.
    let other = handset.app.clinic("South Clinic").await;
    let pairing = other.admin.post("/api/v1/app-pairings", json!({ "name": "Phone 2" })).await.expect(201);
    handset
        .page
        .value(&format!("document.querySelector('#code').value = '{}'", pairing["code"].as_str().unwrap()))
        .await;
    handset.page.click("#pair button").await;
    handset.page.shows("#clinic", "South Clinic · Phone 2").await;
    handset.page.shows("#waiting-list", "Measured for another clinic").await;
    assert_eq!(handset.page.text("#device-list").await, "", "the scale is not the other clinic's");
    // What is measured from now on is; what was before stays.
    handset.connect("UC-352BLE", 0).await;
    handset.measure(SCALE, 0x2a9d, &weight(14_500)).await;
    handset.page.shows("#arrived-list", "has not paired this device").await;
    handset.waiting(1).await;
    let path = format!(
        "/api/v1/apps/{}/unclaimed",
        other.admin.get("/api/v1/apps").await.expect(200)["items"][0]["id"].as_str().unwrap()
    );
    let unclaimed = other.admin.get(&path).await.expect(200);
    assert_eq!((unclaimed["items"].as_array().unwrap().len(), &unclaimed["items"][0]["items"]), (1, &json!(1)));
    assert!(handset.weights().await.is_empty());
    // Back at the first clinic it is sent there.
    handset.page.value("window.confirm = () => true; true").await;
    handset.page.click("#unpair").await;
    handset.page.shows("#pairing", "Pair this phone").await;
    let again = handset.pair().await;
    handset.waiting(0).await;
    handset.clinic.admin.put(&format!("{again}/devices/{scale}"), json!({})).await.expect(200);
    let weights =
        eventually("the first weight", || async { Some(handset.weights().await).filter(|found| !found.is_empty()) })
            .await;
    assert!(weights.len() == 1 && was_measured(&weights[0], taken), "{weights:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_installs_names_its_controls_and_obeys_its_policy() {
    let (handset, _, _) = Handset::with_scale().await;
    let page = &handset.page;
    let problems = page.call("Page.getInstallabilityErrors", json!({})).await;
    assert_eq!(problems["installabilityErrors"], json!([]), "a phone can install it");
    let manifest = page.call("Page.getAppManifest", json!({})).await;
    assert_eq!(manifest["errors"], json!([]), "{manifest}");
    // Whatever can be operated has a name that a screen reader says.
    page.call("Accessibility.enable", json!({})).await;
    let tree = page.call("Accessibility.getFullAXTree", json!({})).await;
    let controls: Vec<&Value> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| {
            matches!(node["role"]["value"].as_str(), Some("button" | "textbox" | "radio" | "link" | "image"))
        })
        .filter(|node| node["ignored"] == false)
        .collect();
    assert!(controls.len() >= 4, "the question itself is wrong: {}", controls.len());
    for control in controls {
        assert!(!control["name"]["value"].as_str().unwrap_or_default().is_empty(), "{control}");
    }
    if let Some(folder) = pictures() {
        let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
        page.call("Emulation.setEmulatedMedia", dark).await;
        page.picture(&folder.join("dark.png")).await;
    }
    // Nothing is cut off on a narrow screen.
    let narrow = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true });
    page.call("Emulation.setDeviceMetricsOverride", narrow).await;
    assert_eq!(page.value("document.documentElement.scrollWidth <= 320").await, true);
    // Script that somebody slips in does not run.
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.slipped = true\">'); const tag = document.createElement('script'); tag.textContent = 'window.slipped = true'; document.body.append(tag); new Promise((resolve) => setTimeout(resolve, 300))").await;
    assert_eq!(page.value("window.slipped === undefined").await, true);
    let head = handset.app.anonymous().send(handset.app.anonymous().request(reqwest::Method::HEAD, "/app/")).await;
    assert!(head.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(head.header("access-control-allow-origin").is_none());
    // No other origin is let in.
    let elsewhere = handset.app.anonymous();
    for method in [reqwest::Method::OPTIONS, reqwest::Method::POST] {
        let request =
            elsewhere.request(method, "/ingest/v1/hubs/uplinks").header("Origin", "https://elsewhere.example");
        let answer = elsewhere.send(request.header("Access-Control-Request-Method", "POST")).await;
        assert!(answer.header("access-control-allow-origin").is_none() && !answer.status.is_success(), "{answer:?}");
    }
    assert!(
        elsewhere.get("/app/sw.js").await.text.contains("const VERSION = \"")
            && !elsewhere.get("/app/sw.js").await.text.contains("development")
    );
    let tag = head.header("etag").unwrap().to_owned();
    let known = handset.app.anonymous().request(reqwest::Method::GET, "/app/").header("If-None-Match", tag);
    assert_eq!(handset.app.anonymous().send(known).await.status, 304);
}

/// Where pictures go, for who wants to look: `AFFERENT_TEST_PICTURES=folder`.
fn pictures() -> Option<std::path::PathBuf> {
    std::env::var_os("AFFERENT_TEST_PICTURES").map(Into::into)
}
