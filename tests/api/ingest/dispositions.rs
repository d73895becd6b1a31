//! Every row of `fhir-profiles/dispositions.json` that a payload can bring about, from the payload to what a client sees:
//! stored or not, held, status, value, interpretation, notes, labels, warnings, counted, forwarded.

use serde_json::{Value, json};

use crate::support::{Actor, Clinic, Stage, connect};

/// Rows that no payload brings about: the host refuses such words before (`unknown-kind`, `unlisted-flag`,
/// `unit-not-listed`), or says the same in another way (`conflicting-record` is held as `record-changed`).
const UNREACHABLE: [&str; 4] = ["unknown-kind", "unlisted-flag", "unit-not-listed", "conflicting-record"];

/// A heart rate that nothing is odd about.
const PLAIN: &str = "kind=heart-rate\nvalue=72 /min\ntime=2025-06-01T08:00:00\nkey=1";

/// A payload that brings about what the host notices.
fn payload(condition: &str) -> Option<String> {
    let plain = |from: &str, to: &str| Some(PLAIN.replace(from, to));
    match condition {
        "nothing-derived" => plain("heart-rate\nvalue=72 /min", "body-mass-index\nabsent=error"),
        "all-absent" => plain("value=72 /min", "absent=not-a-number"),
        "unexpected-value" => plain("value=72 /min", "text=high"),
        "part-alone" => plain("heart-rate\nvalue=72 /min", "blood-pressure-systolic\nvalue=120 mm[Hg]"),
        "unit-not-convertible" => plain("/min", "kg"),
        "identity-mismatch" => Some(format!("{PLAIN}\nserial=SOMEBODY-ELSES")),
        "outside-hard-range" => plain("72", "900"),
        "outside-soft-range" => plain("72", "260"),
        "contradictory-parts" => Some(pressure(90, 120)),
        "doubtful-parts" => Some(format!("{}\npart=blood-pressure-mean 130 mm[Hg]", pressure(120, 80))),
        "stored-without-clock" => Some("kind=heart-rate\nvalue=72 /min\nflags=from-storage".to_owned()),
        "device-time-in-future" => plain("2025", "2035"),
        "device-time-untrusted" => Some(format!("{PLAIN}\nclock=not-set")),
        "time-from-receipt" => Some(format!("{PLAIN}\nclock=fault")),
        "time-repeated-hour" => plain("2025-06-01T08", "2025-10-26T02"),
        "time-skipped-hour" => plain("2025-06-01T08", "2025-03-30T02"),
        "unassigned" | "probable-duplicate" => Some(PLAIN.to_owned()),
        _ => None,
    }
}

fn pressure(systolic: u32, diastolic: u32) -> String {
    format!(
        "kind=blood-pressure\npart=blood-pressure-systolic {systolic} mm[Hg]\npart=blood-pressure-diastolic {diastolic} mm[Hg]\n\
         time=2025-06-01T08:00:00\nkey=1"
    )
}

fn is(row: &Value, column: &str, otherwise: bool) -> bool {
    row[column].as_bool().unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_enforced_from_payload_to_client() {
    let stage = Stage::start().await;
    let clinic = &stage.clinic;
    let wish = json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": "http://127.0.0.1:9/fhir",
        "active": false, "auth": { "kind": "none" } });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    let table: Value = serde_json::from_str(include_str!("../../../fhir-profiles/dispositions.json")).unwrap();
    let mut checked = 0;
    for (number, row) in table["conditions"].as_array().unwrap().iter().enumerate() {
        let condition = row["condition"].as_str().unwrap();
        if UNREACHABLE.contains(&condition) {
            continue;
        }
        let script = match row["by"].as_str() {
            Some("flag") => format!("{PLAIN}\nflags={condition}"),
            _ => payload(condition).unwrap_or_else(|| panic!("how does a payload bring about {condition}?")),
        };
        // A patient of its own, so that no row meets another.
        let patient = clinic.patient(&format!("row{number}")).await;
        let (device, sender) = clinic.device("scripted", &format!("row{number}")).await;
        if condition != "unassigned" {
            clinic.assign(&device, &patient, "2020-01-01T00:00:00Z", None).await;
        }
        if condition == "probable-duplicate" {
            let (other, first) = clinic.device("scripted", "first").await;
            clinic.assign(&other, &patient, "2020-01-01T00:00:00Z", None).await;
            first.script(PLAIN).await.expect(201);
        }
        check(&stage, clinic, &sender, row, condition, &script).await;
        checked += 1;
    }
    assert!(checked > 60, "the table lost its rows: {checked}");
}

async fn check(stage: &Stage, clinic: &Clinic, sender: &Actor, row: &Value, condition: &str, script: &str) {
    let answer = sender.script(script).await;
    let receipt = answer.json();
    let context = format!("{condition}: {receipt}");
    if let Some(warning) = row["warning"].as_str() {
        assert!(receipt["warnings"].as_array().is_some_and(|all| all.contains(&json!(warning))), "{context}");
    }
    if !is(row, "stored", true) {
        assert_eq!((answer.status.as_u16(), &receipt["outcome"]), (201, &json!("nothing")), "{context}");
        assert_eq!((&receipt["reason"], &receipt["observations"]), (&json!(condition), &json!([])), "{context}");
        return;
    }
    if is(row, "held", false) || condition == "unassigned" {
        let outcome = if condition == "unassigned" { "unassigned" } else { "held" };
        assert_eq!((answer.status.as_u16(), &receipt["outcome"]), (202, &json!(outcome)), "{context}");
        assert_eq!((&receipt["reason"], &receipt["observations"]), (&json!(condition), &json!([])), "{context}");
        return;
    }
    assert_eq!(answer.status.as_u16(), 201, "{context}");
    let id = receipt["observations"][0].as_str().unwrap();
    let stored = clinic.observation(id).await;
    let context = format!("{condition}: {stored}");
    assert_eq!(stored["status"], row["status"].as_str().unwrap_or("final"), "{context}");
    if let Some(absent) = row["absent"].as_str() {
        assert_eq!(stored["dataAbsentReason"]["coding"][0]["code"], absent, "{context}");
        assert!(!stored.to_string().contains("\"value\":72"), "a withdrawn value is no number: {context}");
    }
    for column in ["interpretation", "remark"] {
        if let Some(code) = row[column]["code"].as_str() {
            let all = stored["interpretation"].as_array().cloned().unwrap_or_default();
            assert!(all.iter().any(|concept| concept["coding"][0]["code"] == code), "{context}");
        }
    }
    if let Some(note) = row["note"].as_str() {
        assert!(stored["note"].as_array().is_some_and(|all| all.iter().any(|one| one["text"] == note)), "{context}");
    }
    if let Some(label) = row["security"].as_str() {
        assert_eq!(stored["meta"]["security"][0]["code"], label, "{context}");
    }
    let deliveries = clinic.admin.get("/api/v1/deliveries?state=pending&limit=500").await.expect(200);
    let travels = deliveries["items"].as_array().unwrap().iter().any(|delivery| delivery["resourceId"] == id);
    assert_eq!(travels, is(row, "forwarded", true), "{context}");
    assert_eq!(is_counted(stage, id).await, row["counts"]["lastn"].as_bool().unwrap_or(true), "{context}");
}

async fn is_counted(stage: &Stage, id: &str) -> bool {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        counted: bool,
    }
    let mut conn = connect(&stage.app.database.superuser_url).await;
    let query = diesel::sql_query("SELECT counted FROM observation WHERE id = $1");
    let row: Row =
        diesel_async::RunQueryDsl::get_result(query.bind::<diesel::sql_types::Text, _>(id), &mut conn).await.unwrap();
    row.counted
}
