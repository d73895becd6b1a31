//! A source that is revoked or deactivated stops within a second, in every process; what was on its way is refused inside
//! the commit.

use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use super::{Plug, queued};
use crate::support::{Actor, ServerProcess, TestApp, blood_pressure, connect};

/// Both processes know the source when it is stopped; a second later neither takes anything.
async fn stops(
    servers: &[ServerProcess; 2],
    token: &Actor,
    status: u16,
    numbers: u32,
    stop: impl AsyncFnOnce(),
) -> u32 {
    let actors = servers.each_ref().map(|server| Actor::new(format!("http://{}", server.address), token.token.clone()));
    let mut stored = 0;
    for (place, actor) in actors.iter().enumerate() {
        actor.uplink("2A35", &blood_pressure(numbers + u32::try_from(place).unwrap())).await.expect(201);
        stored += 1;
    }
    stop().await;
    let stopped = Instant::now();
    let mut next = numbers + 2;
    let mut asked_late = 0;
    while stopped.elapsed() < Duration::from_millis(1600) {
        for actor in &actors {
            let asked = stopped.elapsed();
            let answer = actor.uplink("2A35", &blood_pressure(next)).await;
            next += 1;
            if answer.status == 201 {
                assert!(asked < Duration::from_secs(1), "took a reading {asked:?} after the source was stopped");
                stored += 1;
            } else {
                assert_eq!(answer.status, status, "{}", answer.text);
            }
            asked_late += u32::from(asked >= Duration::from_secs(1));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(asked_late >= 4, "both were asked after the second was over");
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_second_in_every_process() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let servers =
        [ServerProcess::start(&app.database, None, &[]).await, ServerProcess::start(&app.database, None, &[]).await];
    let mut stored = 0;

    let token = clinic.admin.post(&format!("/api/v1/devices/{}/tokens", clinic.device), json!({})).await.expect(201);
    let second = clinic.admin.with_token(token["token"].as_str().unwrap());
    let path = format!("/api/v1/devices/{}/tokens/{}", clinic.device, token["id"].as_str().unwrap());
    stored += stops(&servers, &second, 401, 0, async || {
        let answer = clinic.admin.delete(&path).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    })
    .await;
    let (path, cuff) = (format!("/api/v1/devices/{}/deactivate", clinic.device), &clinic.cuff);
    stored += stops(&servers, cuff, 403, 1000, async || {
        clinic.admin.post(&path, json!({})).await.expect(200);
    })
    .await;
    clinic.admin.post(&path.replace("deactivate", "activate"), json!({})).await.expect(200);
    stored += stops(&servers, cuff, 403, 2000, async || {
        let mut behind = connect(&app.database.superuser_url).await;
        let tenant = &clinic.tenant;
        behind.batch_execute(&format!("UPDATE tenant SET active = false WHERE id = '{tenant}'")).await.unwrap();
    })
    .await;
    let mut behind = connect(&app.database.superuser_url).await;
    behind.batch_execute("UPDATE tenant SET active = true").await.unwrap();
    assert_eq!(clinic.count("").await, u64::from(2 * stored));
}

#[tokio::test(flavor = "multi_thread")]
async fn also_for_what_waits_for_its_commit() {
    let app = TestApp::start_with(&[("AFFERENT_INGEST_QUEUE_WAIT", "20s")]).await;
    let clinic = app.clinic("north").await;
    let (other, plugged) = clinic.device("gatt-2A35", "OTHER").await;
    clinic.assign(&other, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
    let plug = Plug::insert(&app.database.superuser_url).await;
    let mut posts = Vec::new();
    for number in 0..2 {
        let plugged = plugged.clone();
        posts.push(tokio::spawn(async move { plugged.uplink("2A35", &blood_pressure(number)).await }));
        queued(&app, posts.len()).await;
        super::moment().await;
    }
    let cuff = clinic.cuff.clone();
    let post = tokio::spawn(async move { cuff.uplink("2A35", &blood_pressure(7)).await });
    queued(&app, 3).await;
    clinic.admin.post(&format!("/api/v1/devices/{}/deactivate", clinic.device), json!({})).await.expect(200);
    plug.release().await;
    assert_eq!(post.await.unwrap().expect(403)["code"], "source.deactivated");
    for post in posts {
        post.await.unwrap().expect(201);
    }
    assert_eq!(clinic.count("").await, 4);
}
