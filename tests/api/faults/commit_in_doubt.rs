//! The connection is cut exactly at COMMIT: the answer is what Postgres says afterwards, when it has decided.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::metric;
use crate::support::{Answer, Clinic, Cut, PostgresProxy, TestApp, blood_pressure, fresh_database, weight};

struct Bench {
    app: TestApp,
    proxy: PostgresProxy,
    clinic: Clinic,
}

impl Bench {
    async fn set_up() -> Self {
        let proxy = PostgresProxy::start(&fresh_database().await).await;
        let app = TestApp::on(proxy.database.clone(), &[("AFFERENT_INGEST_QUEUE_WAIT", "20s")]).await;
        let clinic = app.clinic("north").await;
        Self { app, proxy, clinic }
    }

    fn fates(&self) -> [u64; 3] {
        ["committed", "rolled-back", "unknown"]
            .map(|fate| metric(&self.app, &format!("afferent_ingest_in_doubt_total{{fate=\"{fate}\"}}")))
    }

    async fn with_key(&self, key: &str, frame: Vec<u8>) -> Answer {
        let cuff = &self.clinic.cuff;
        let request = cuff.request(Method::POST, "/ingest/v1/uplinks?channel=2A35").header("Idempotency-Key", key);
        cuff.send(request.body(frame)).await
    }
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["observations"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_done_again() {
    let bench = Bench::set_up().await;
    bench.proxy.arm(Cut::Before);
    let answer = bench.clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    assert_eq!((bench.proxy.cuts(), bench.fates()), (1, [0, 1, 0]));
    for id in ids(&answer) {
        bench.clinic.observation(id).await;
    }
    assert_eq!(bench.clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_counts() {
    let bench = Bench::set_up().await;
    bench.proxy.arm(Cut::After);
    let answer = bench.clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    assert_eq!((bench.proxy.cuts(), bench.fates()), (1, [1, 0, 0]));
    for id in ids(&answer) {
        bench.clinic.observation(id).await;
    }
    assert_eq!(bench.clinic.count("").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_still_on_its_way_is_waited_for() {
    let bench = Bench::set_up().await;
    let (device, scale) = bench.clinic.device("gatt-2A9D", "SCALE").await;
    bench.clinic.assign(&device, &bench.clinic.patient, "2020-01-01T00:00:00Z", None).await;
    // Without time and number: nothing would recognise a second try as the same.
    let late = Duration::from_secs(2);
    bench.proxy.arm(Cut::Late(late));
    let started = Instant::now();
    let answer = scale.uplink("2A9D", &weight(14_000)).await.expect(201);
    assert!(started.elapsed() >= late, "answered before Postgres had decided");
    assert_eq!((bench.proxy.cuts(), bench.fates()), (1, [1, 0, 0]));
    bench.clinic.observation(ids(&answer)[0]).await;
    assert_eq!(bench.clinic.count("code=29463-7").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_before_needs_no_row_of_its_own() {
    let bench = Bench::set_up().await;
    let first = bench.with_key("key-1", blood_pressure(1)).await.expect(201);
    for (number, cut) in [Cut::Before, Cut::After, Cut::Late(Duration::from_secs(1))].iter().enumerate() {
        bench.proxy.arm(*cut);
        let again = bench.with_key("key-1", blood_pressure(1)).await.expect(200);
        assert_eq!((&again["uplink"], ids(&again)), (&first["uplink"], ids(&first)), "{cut:?}");
        assert_eq!(bench.proxy.cuts(), number + 1);
    }
    assert_eq!(bench.clinic.count("").await, 2);
}
