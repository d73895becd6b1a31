//! Payloads in a hub's own words: split by its model's decoder, each device's part under who wore that device.

use serde_json::{Value, json};

use super::outcomes;
use crate::support::{Clinic, TestApp, connect, eventually};

fn ava4(attribute: &str, list: Value) -> Value {
    json!({ "from": "BLE", "to": "CLOUD", "time": 1_773_337_400, "mac": "DC:DA:0C:5A:80:33", "type": "reportAttribute",
        "data": { "attribute": attribute, "value": { "device_list": list } } })
}

/// A device behind a hub, worn by a patient.
async fn worn(clinic: &Clinic, model: &str, serial: &str, patient: &str) -> String {
    let (device, _) = clinic.device(model, serial).await;
    clinic.assign(&device, patient, "2020-01-01T00:00:00Z", None).await;
    device
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cuffs_of_one_payload_are_two_peoples() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("ava4-hub", "H1").await;
    let other = clinic.patient("Other").await;
    let first = worn(&clinic, "ava4-hub", "CUFF-A", &clinic.patient).await;
    let second = worn(&clinic, "gatt-2A35", "CUFF-B", &other).await;
    hub.pair(&first, "D6:16:F9:64:16:22").await;
    hub.pair(&second, "d616f9641699").await;
    let payload = ava4(
        "BP_BIOLIGTH",
        json!([
            { "scan_time": 1_773_337_380, "ble_addr": "d616f9641622", "bp_high": 137, "bp_low": 95, "PR": 74 },
            { "scan_time": 1_773_337_320, "ble_addr": "d616f9641699", "bp_high": 118, "bp_low": 76, "PR": 66 },
            { "scan_time": 1_773_337_320, "ble_addr": "d616f9641700", "bp_high": 119, "bp_low": 77 },
            { "scan_time": 1_773_337_310, "ble_addr": "d616f9641622", "bp_high": 0, "bp_low": 0 },
            { "scan_time": 1_773_337_300, "ble_addr": "d616f9641622", "bp_high": "high", "bp_low": 80 },
        ]),
    );
    let answer = hub.payload(&payload).await.expect(202);
    let expected = [("stored", 201), ("stored", 201), ("unclaimed", 202), ("nothing", 201), ("undecodable", 202)];
    assert_eq!(outcomes(&answer), expected.map(|(outcome, status)| (outcome.to_owned(), status)), "{answer}");
    for (item, patient) in [(0, &clinic.patient), (1, &other)] {
        let id = answer["items"][item]["observations"][0].as_str().unwrap();
        let observation = clinic.observation(id).await;
        assert_eq!(observation["subject"]["reference"], format!("Patient/{patient}"));
    }
    assert_eq!(clinic.count("").await, 4);
    let unclaimed = hub.unclaimed().await;
    assert_eq!((&unclaimed[0]["deviceType"], &unclaimed[0]["models"]), (&json!("BP_BIOLIGTH"), &json!(["ava4-hub"])));

    // The hub sends until it is acknowledged: everything is known.
    let again = hub.payload(&payload).await.expect(202);
    assert_eq!(outcomes(&again)[0], ("duplicate".to_owned(), 200));
    assert_eq!(clinic.count("").await, 4);

    // Claimed: the readings that were kept as the hub decoded them.
    let third = worn(&clinic, "ava4-hub", "CUFF-C", &other).await;
    hub.pair(&third, "D6:16:F9:64:17:00").await;
    eventually("the kept reading", || async { (clinic.count("").await == 5).then_some(()) }).await;

    // The payload itself is kept, and in quarantine for its one bad item; a replay stores nothing twice.
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let item = &quarantine["items"][0];
    assert_eq!(item["uplink"], again["uplink"].clone().take_or(&answer["uplink"], &quarantine));
    assert!(item["detail"].as_str().unwrap().starts_with("item 4: "), "{item}");
    let replayed =
        clinic.admin.post(&format!("/api/v1/quarantine/{}/replay", item["uplink"].as_str().unwrap()), json!({})).await;
    assert_eq!(replayed.expect(200)["outcome"], "undecodable");
    assert_eq!(clinic.count("").await, 5);
}

/// Which of two uplinks a list of quarantined ones begins with.
trait TakeOr {
    fn take_or(self, other: &Value, list: &Value) -> Value;
}

impl TakeOr for Value {
    fn take_or(self, other: &Value, list: &Value) -> Value {
        if list["items"][0]["uplink"] == self { self } else { other.clone() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosks_person_is_kept_nowhere_in_the_clear() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("qube-vital", "H1").await;
    let device = worn(&clinic, "qube-vital", "KIOSK-CUFF", &clinic.patient).await;
    hub.pair(&device, "FF:22:09:08:31:31").await;
    let payload = |attribute: &str| {
        json!({ "from": "PI", "to": "CLOUD", "time": 1_739_360_702, "mac": "e4:5f:01:ed:82:59", "type": "reportAttribute",
            "citiz": "3570300400000", "nameTH": "SECRETNAME", "nameEN": "Mr.#SECRETNAME", "brith": "25220713", "gender": "1",
            "data": { "attribute": attribute, "ble_mac": "FF:22:09:08:31:31", "value": { "bp_high": 120, "bp_low": 78, "pr": 71 } } })
    };
    let answer = hub.payload(&payload("WBP_JUMPER")).await.expect(201);
    assert_eq!(clinic.count("").await, 2);
    // An attribute that nobody knows: the refusal is kept and shown, and repeats nothing.
    let refused = hub.payload(&payload("SECRETNAME")).await.expect(202);
    assert_eq!(refused["outcome"], "undecodable");
    let quarantine = clinic.admin.get("/api/v1/quarantine").await.expect(200);
    let observation = clinic.observation(answer["items"][0]["observations"][0].as_str().unwrap()).await;
    for shown in [&answer, &refused, &quarantine, &observation] {
        assert!(!shown.to_string().contains("SECRETNAME") && !shown.to_string().contains("3570300400000"), "{shown}");
    }
    let mut conn = connect(&app.database.superuser_url).await;
    for table in ["uplink", "uplink_body", "quarantine", "observation", "resource", "unclaimed_item", "ingest_key"] {
        let there = in_the_clear(&mut conn, table).await;
        assert_eq!(there, 0, "{table} holds the person's name");
    }
}

async fn in_the_clear(conn: &mut diesel_async::AsyncPgConnection, table: &str) -> i64 {
    use diesel_async::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    // As text, and as the bytes of the text.
    let hex: String = "SECRETNAME".bytes().map(|byte| format!("{byte:02x}")).collect();
    let row: Row = diesel::sql_query(format!(
        "SELECT count(*) AS count FROM {table} t WHERE t::text LIKE '%SECRETNAME%' OR t::text LIKE '%{hex}%'"
    ))
    .get_result(conn)
    .await
    .unwrap();
    row.count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_notifications_go_to_the_devices_own_decoders() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let hub = clinic.hub("cassia-sse", "H1").await;
    hub.admin.patch(&hub.path, json!({ "variables": { "handle_map": "{\"16\": \"2A35\"}" } })).await.expect(200);
    let cuff = worn(&clinic, "gatt-2A35", "CUFF", &clinic.patient).await;
    let scale = worn(&clinic, "gatt-2A9D", "SCALE", &clinic.patient).await;
    hub.pair(&cuff, "63:B4:C5:46:5C:A2").await;
    hub.pair(&scale, "CA:79:F5:B6:1F:04").await;
    let bytes = super::hex(&crate::support::blood_pressure(1));
    let stream = format!(
        ":keep-alive\n\ndata: {{\"dataType\":\"notification\",\"handle\":16,\"value\":\"{bytes}\",\"device\":\"63:B4:C5:46:5C:A2\"}}\n\n\
         data: {{\"dataType\":\"notification\",\"handle\":52,\"value\":\"00b036\",\"device\":\"CA:79:F5:B6:1F:04\"}}\n\n"
    );
    let answer = hub.post("text/event-stream", stream).await.expect(202);
    assert_eq!(outcomes(&answer), [("stored".to_owned(), 201), ("undecodable".to_owned(), 202)]);
    assert!(answer["items"][1]["reason"].as_str().unwrap().starts_with("channel-unknown"), "{answer}");

    // The handle is the scale's own: once its map says so, what was kept is read.
    let variables = json!({ "variables": { "handle_map": "{\"52\": \"2A9D\"}" } });
    clinic.admin.patch(&format!("/api/v1/devices/{scale}"), variables).await.expect(200);
    let uplink = answer["items"][1]["uplink"].as_str().unwrap();
    let replayed = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(200);
    assert_eq!(replayed["outcome"], "stored", "{replayed}");
    assert_eq!(clinic.count("code=29463-7").await, 1);

    let scan = json!({ "dataType": "scan", "bdaddrs": [{ "bdad": "CC:1B:E0:E0:98:16" }], "adData": "020106" });
    let quiet = hub.payload(&scan).await.expect(201);
    assert_eq!((&quiet["outcome"], &quiet["items"]), (&json!("nothing"), &json!([])));
}
