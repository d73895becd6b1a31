//! The same measurement by two routes is stored twice, shown as what it probably is, and counts and travels once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Actor, Stage};

const EXTENSION: &str = "https://afferent.dev/fhir/StructureDefinition/probable-duplicate-of";

fn beat(value: &str, time: &str, key: &str) -> String {
    format!("kind=heart-rate\nvalue={value} /min\ntime=2025-06-01T{time}\nkey={key}")
}

/// The Observation that this one probably repeats.
fn repeats(observation: &Value) -> Option<String> {
    let all = observation["extension"].as_array()?;
    let mark = all.iter().find(|extension| extension["url"] == EXTENSION)?;
    Some(mark["valueReference"]["reference"].as_str().unwrap().to_owned())
}

async fn pending(stage: &Stage) -> usize {
    let answer = stage.clinic.admin.get("/api/v1/deliveries?state=pending&limit=500").await.expect(200);
    answer["items"].as_array().unwrap().len()
}

async fn first(actor: &Actor, script: &str) -> String {
    actor.script(script).await.expect(201)["observations"][0].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_route_is_flagged_and_a_person_can_undo_it() {
    let stage = Stage::start().await;
    let clinic = &stage.clinic;
    let wish = json!({ "tenant": clinic.tenant, "name": "EHR", "kind": "fhir", "url": "http://127.0.0.1:9/fhir",
        "active": false, "auth": { "kind": "none" } });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    let ((_, app), (_, hub)) = (stage.device("app").await, stage.device("hub").await);
    let by_app = first(&app, &beat("72", "08:00:00", "a1")).await;
    let by_hub = first(&hub, &beat("72.0", "08:00:40", "h1")).await;
    let flagged = clinic.observation(&by_hub).await;
    assert_eq!(repeats(&flagged), Some(format!("Observation/{by_app}")));
    assert_eq!(flagged["status"], "final");
    assert_eq!(flagged["interpretation"][0]["coding"][0]["code"], "probable-duplicate");
    assert_eq!(repeats(&clinic.observation(&by_app).await), None);
    assert_eq!(pending(&stage).await, 1, "an EHR has each measurement once");
    // Sent again, nothing changes.
    hub.script(&beat("72.0", "08:00:40", "h1")).await.expect(200);
    app.script(&beat("72", "08:00:00", "a1")).await.expect(200);

    // Another value, another time, or another patient is another measurement; so is the same device's.
    for (actor, script) in [
        (&hub, beat("73", "08:00:00", "h2")),
        (&hub, beat("72", "08:02:30", "h3")),
        (&app, beat("72", "08:00:30", "a2")),
    ] {
        let id = first(actor, &script).await;
        let stored = clinic.observation(&id).await;
        // The last one is near `h1`, which does not count, and near `a1`, which is its own device's.
        assert_eq!(repeats(&stored), None, "{stored}");
    }
    let stranger = clinic.patient("stranger").await;
    let (device, other) = clinic.device("scripted", "other").await;
    clinic.assign(&device, &stranger, "2020-01-01T00:00:00Z", None).await;
    assert_eq!(repeats(&clinic.observation(&first(&other, &beat("72", "08:00:00", "o1")).await).await), None);
    let before = pending(&stage).await;

    // A clinician says that it is a measurement of its own: it counts, and travels.
    let mut cleared = flagged.clone();
    cleared["extension"].as_array_mut().unwrap().retain(|extension| extension["url"] != EXTENSION);
    cleared.as_object_mut().unwrap().remove("interpretation");
    let path = format!("{}/Observation/{by_hub}", clinic.fhir);
    assert_eq!(clinic.admin.put(&path, cleared).await.expect(200)["meta"]["versionId"], "2");
    assert_eq!(pending(&stage).await, before + 1);
    // Its device sends it once more: the decision stands.
    hub.script(&beat("72.0", "08:00:40", "h1")).await.expect(200);
    assert_eq!(repeats(&clinic.observation(&by_hub).await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_routes_at_the_same_moment_on_two_servers_count_once() {
    let stage = Stage::start().await;
    let second = stage.second().await;
    let ((_, app), (_, hub)) = (stage.device("app").await, stage.device("hub").await);
    let there = Actor::new(second.url(""), hub.token.clone());
    for round in 0..6u32 {
        let script = beat("72", &format!("0{round}:00:00"), &format!("r{round}"));
        // Half of the rounds on one server, where both may come into one batch.
        let other = if round % 2 == 0 { &hub } else { &there };
        let answers = join_all([app.script(&script), other.script(&script)]).await;
        let mut marks = 0;
        for answer in answers {
            let receipt = answer.expect(201);
            let stored = stage.clinic.observation(receipt["observations"][0].as_str().unwrap()).await;
            if let Some(reference) = repeats(&stored) {
                marks += 1;
                stage.clinic.admin.get(&format!("{}/{reference}", stage.clinic.fhir)).await.expect(200);
            }
        }
        assert_eq!(marks, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_compared_one_by_one() {
    let stage = Stage::start().await;
    let ((_, app), (_, hub)) = (stage.device("app").await, stage.device("hub").await);
    let pressure = |systolic: u32, key: &str| {
        format!(
            "kind=blood-pressure\npart=blood-pressure-systolic {systolic} mm[Hg]\npart=blood-pressure-diastolic 80 mm[Hg]\n\
             time=2025-06-01T08:00:00\nkey={key}"
        )
    };
    let original = first(&app, &pressure(120, "a")).await;
    let other = first(&hub, &pressure(121, "h1")).await;
    assert_eq!(repeats(&stage.clinic.observation(&other).await), None);
    let same = first(&hub, &pressure(120, "h2")).await;
    assert_eq!(repeats(&stage.clinic.observation(&same).await), Some(format!("Observation/{original}")));
}
