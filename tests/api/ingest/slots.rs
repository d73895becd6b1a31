//! Shared devices: a slot is a person, and one that nobody was given is nobody's.

use serde_json::{Value, json};

use crate::support::Stage;

fn weighed(slot: &str, minute: u32) -> String {
    let slot = if slot.is_empty() { String::new() } else { format!("slot={slot}\n") };
    format!("kind=body-weight\nvalue=70.5 kg\n{slot}time=2025-06-01T08:{minute:02}:00\nkey={minute}#{slot}")
}

async fn assign(stage: &Stage, device: &str, patient: &str, slot: &str, more: Value) -> crate::support::Answer {
    let mut wish = json!({ "patient": patient, "from": "2025-01-01T00:00:00Z", "slot": slot });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stage.clinic.admin.post(&format!("/api/v1/devices/{device}/assignments"), wish).await
}

async fn subject(stage: &Stage, receipt: &Value) -> String {
    let observation = stage.clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
    observation["subject"]["reference"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_two_slots_never_mix_and_a_third_is_nobody() {
    let stage = Stage::start().await;
    let (one, two) = (stage.clinic.patient.clone(), stage.clinic.patient("Other").await);
    let (device, scale) = stage.clinic.device("scripted", "SCALE").await;
    assign(&stage, &device, &one, "1", json!({})).await.expect(201);
    assign(&stage, &device, &two, "2", json!({})).await.expect(201);
    for minute in 0..4 {
        for (slot, patient) in [("1", &one), ("2", &two)] {
            let receipt = scale.script(&weighed(slot, minute)).await.expect(201);
            assert_eq!(subject(&stage, &receipt).await, format!("Patient/{patient}"));
        }
    }
    // Slot 3 was given to nobody; a device that does not know who it was names no slot (255 in the Bluetooth profiles).
    for slot in ["3", ""] {
        let receipt = scale.script(&weighed(slot, 30)).await.expect(202);
        assert_eq!(receipt["outcome"], "unassigned");
    }
    // Nor can the whole device be somebody's at the same time: slot 3 would be taken for that person's.
    let refused = assign(&stage, &device, &one, "", json!({})).await.expect(409);
    assert_eq!(refused["code"], "assignment.shared");
    let (whole, _) = stage.device("WHOLE").await;
    let refused = assign(&stage, &whole, &two, "2", json!({})).await.expect(409);
    assert_eq!(refused["code"], "assignment.shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_given_later_offers_or_takes_what_waited() {
    let stage = Stage::start().await;
    let (one, two) = (stage.clinic.patient.clone(), stage.clinic.patient("Other").await);
    let (device, scale) = stage.clinic.device("scripted", "SCALE").await;
    for (slot, minute) in [("1", 0), ("1", 1), ("2", 2), ("2", 3), ("", 4)] {
        scale.script(&weighed(slot, minute)).await.expect(202);
    }
    assign(&stage, &device, &one, "1", json!({})).await.expect(201);
    let open = stage.clinic.admin.get("/api/v1/held-readings").await.expect(200);
    let offered: Vec<&str> =
        open["items"].as_array().unwrap().iter().filter_map(|item| item["suggestedPatient"].as_str()).collect();
    assert_eq!(offered, [one.as_str(), one.as_str()], "offered, and not taken: {open}");
    assert_eq!(stage.clinic.count("code=29463-7").await, 0);

    assign(&stage, &device, &two, "2", json!({ "takeUnassigned": true })).await.expect(201);
    assert_eq!(stage.clinic.count(&format!("patient={two}")).await, 2);
    assert_eq!(stage.clinic.count(&format!("patient={one}")).await, 0, "nobody asked for these");
    // They are known when they come again.
    let again = scale.script(&weighed("2", 3)).await.expect(200);
    assert_eq!(again["outcome"], "duplicate");
    assert_eq!(subject(&stage, &again).await, format!("Patient/{two}"));
    let record = stage.clinic.admin.get(&format!("/api/v1/reading-corrections?device={device}")).await.expect(200);
    let actions: Vec<&Value> = record["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["take", "take"]);
    // Logistics may record who wears what, and not whose readings are whose.
    let logistics = stage.app.platform_admin().await;
    let wish = json!({ "patient": one, "from": "2025-01-01T00:00:00Z", "slot": "9", "takeUnassigned": true });
    logistics.post(&format!("/api/v1/devices/{device}/assignments"), wish).await.expect(403);
}
