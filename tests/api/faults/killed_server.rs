//! `kill -9` of the server under load, several times: every acknowledged uplink is there with its Observations and gets
//! delivered; nothing twice on either side. The client, not the server, says what was acknowledged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::{Actor, ServerProcess, TestApp, blood_pressure, eventually, free_address};

const KILLS: usize = 4;
const SENDERS: usize = 8;

/// What was acknowledged: number of the payload → ids of its Observations.
type Acknowledged = Arc<Mutex<HashMap<u32, Vec<String>>>>;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_and_is_delivered_once() {
    // This process' own server prepares the data and serves the EHR side; the one that is killed is a process of its own.
    let ehr = TestApp::start().await;
    let clinic = ehr.clinic("clinic").await;
    let hospital = ehr.clinic("hospital").await;
    let same_person = json!({
        "resourceType": "Patient",
        "identifier": [{ "system": clinic.record_number.0, "value": clinic.record_number.1 }],
        "name": [{ "family": "Tester" }],
    });
    hospital.admin.post(&format!("{}/Patient", hospital.fhir), same_person).await.expect(201);

    let address = free_address();
    let mut server = ServerProcess::start(&ehr.database, Some(address), &[]).await;
    let wish = json!({
        "tenant": clinic.tenant, "name": "hospital", "kind": "fhir",
        "url": format!("http://{}{}", ehr.address, hospital.fhir),
        "auth": { "kind": "bearer", "token": hospital.admin.token },
        "patientIdentifierSystem": clinic.record_number.0,
    });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);

    let acknowledged: Acknowledged = Arc::default();
    let next = Arc::new(AtomicU32::new(0));
    let stop = tokio_util::sync::CancellationToken::new();
    let cuff = Actor::new(format!("http://{address}"), clinic.cuff.token.clone());
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| tokio::spawn(send(cuff.clone(), Arc::clone(&next), Arc::clone(&acknowledged), stop.clone())))
        .collect();
    for kill in 0..KILLS {
        // Not at the same point of the cycle each time.
        tokio::time::sleep(Duration::from_millis(700 + 330 * u64::try_from(kill).unwrap())).await;
        server.kill();
        server = ServerProcess::start(&ehr.database, Some(address), &[]).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.cancel();
    for sender in senders {
        sender.await.unwrap();
    }

    let acknowledged = acknowledged.lock().await.clone();
    assert!(acknowledged.len() > 50, "the load was too small to show anything: {}", acknowledged.len());
    for ids in acknowledged.values() {
        assert_eq!(ids.len(), 2);
        for id in ids {
            clinic.observation(id).await;
        }
    }
    let sent = u64::from(next.load(Ordering::SeqCst));
    let stored = clinic.count("").await;
    assert!(stored >= 2 * u64::try_from(acknowledged.len()).unwrap(), "something acknowledged is lost");
    assert!(stored <= 2 * sent, "something is there twice");
    no_identifier_twice(&ehr, &clinic.tenant).await;

    // Everything arrives, each once, under the right person.
    eventually("all readings to be delivered", || async {
        let pending = clinic.admin.get("/api/v1/deliveries?state=pending").await.expect(200);
        let arrived = hospital.count("").await;
        (pending["items"] == json!([]) && arrived >= stored).then_some(())
    })
    .await;
    assert_eq!(hospital.count("").await, stored);
    no_identifier_twice(&ehr, &hospital.tenant).await;
    let dead = clinic.admin.get("/api/v1/deliveries?state=dead").await.expect(200);
    assert_eq!(dead["items"], json!([]));
    assert_eq!(server.terminate().await, Some(0), "SIGTERM ends it cleanly");
}

/// Sends payload after payload, each until it is acknowledged, as a device with a memory does.
async fn send(
    cuff: Actor,
    next: Arc<AtomicU32>,
    acknowledged: Acknowledged,
    stop: tokio_util::sync::CancellationToken,
) {
    while !stop.is_cancelled() {
        let number = next.fetch_add(1, Ordering::SeqCst);
        loop {
            if let Ok(answer) = cuff.try_uplink("2A35", &blood_pressure(number)).await
                && matches!(answer.status.as_u16(), 200 | 201)
            {
                let ids = answer.json()["observations"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect();
                acknowledged.lock().await.insert(number, ids);
                break;
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn no_identifier_twice(app: &TestApp, tenant: &str) {
    use diesel_async::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let mut conn = crate::support::connect(&app.database.superuser_url).await;
    let row: Row = diesel::sql_query(format!(
        "SELECT count(*) AS count FROM (SELECT body::jsonb -> 'identifier' FROM observation WHERE tenant_id = '{tenant}' GROUP BY 1 HAVING count(*) > 1) AS twice"
    ))
    .get_result(&mut conn)
    .await
    .unwrap();
    assert_eq!(row.count, 0, "an identifier is there twice");
}
