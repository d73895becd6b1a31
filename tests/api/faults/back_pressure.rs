//! Full means 503 with Retry-After, at once and without a trace; what waited too long is not stored; nothing is both.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;

use super::{Plug, metric, moment, queued};
use crate::support::{Answer, TestApp, blood_pressure};

fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.json()["code"], code);
    let seconds: u64 = answer.header("Retry-After").expect("Retry-After").parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_time() {
    let app = TestApp::start_with(&[
        ("AFFERENT_INGEST_BATCH_ROWS", "2"),
        ("AFFERENT_INGEST_QUEUE_ROWS", "10"),
        ("AFFERENT_INGEST_QUEUE_WAIT", "1s"),
    ])
    .await;
    let clinic = app.clinic("north").await;
    let plug = Plug::insert(&app.database.superuser_url).await;
    let mut posts = Vec::new();
    for number in 0..10 {
        let cuff = clinic.cuff.clone();
        posts.push(tokio::spawn(async move { cuff.uplink("2A35", &blood_pressure(number)).await }));
        queued(&app, posts.len()).await;
    }
    // Ten are in; for the eleventh there is no room, and it is told so at once.
    let started = Instant::now();
    refused(&clinic.cuff.uplink("2A35", &blood_pressure(50)).await, "ingest.full");
    assert!(started.elapsed() < Duration::from_millis(500));
    assert_eq!(metric(&app, "afferent_ingest_refusals_total{bound=\"rows\"}"), 1);
    // Those that no commit took are out after a second, although the commits hang.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    plug.release().await;
    let answers: Vec<Answer> = join_all(posts).await.into_iter().map(Result::unwrap).collect();
    let (stored, out): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    let taken = stored.len();
    assert!((2..=4).contains(&taken), "two commits of at most two each stored {taken}");
    out.iter().for_each(|answer| refused(answer, "ingest.waited"));
    assert_eq!(metric(&app, "afferent_ingest_refusals_total{bound=\"wait\"}"), u64::try_from(out.len()).unwrap());
    moment().await;
    assert_eq!(clinic.count("").await, 2 * u64::try_from(taken).unwrap(), "what was refused was not stored");
    assert_eq!(app.app.intake.waiting(), 0);
    assert_eq!(app.app.intake.waiting_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes() {
    let app = TestApp::start_with(&[
        ("AFFERENT_MAX_BODY_BYTES", "64 KiB"),
        ("AFFERENT_INGEST_QUEUE_BYTES", "256 KiB"),
        ("AFFERENT_INGEST_QUEUE_WAIT", "20s"),
    ])
    .await;
    let clinic = app.clinic("north").await;
    let plug = Plug::insert(&app.database.superuser_url).await;
    let body = vec![b'x'; 60 * 1024];
    let post = |number: u8| {
        let (cuff, mut body) = (clinic.cuff.clone(), body.clone());
        body[0] = number;
        let request = cuff.request(Method::POST, "/ingest/v1/uplinks?channel=2A35").body(body);
        async move { cuff.send(request).await }
    };
    let mut posts = Vec::new();
    for number in 0..2 {
        posts.push(tokio::spawn(post(number)));
        queued(&app, posts.len()).await;
    }
    moment().await;
    assert!(app.app.intake.waiting_bytes() > 2 * 2 * body.len(), "what the statement copies is counted");
    refused(&post(2).await, "ingest.full");
    assert_eq!(metric(&app, "afferent_ingest_refusals_total{bound=\"bytes\"}"), 1);
    // A small one still has room.
    let cuff = clinic.cuff.clone();
    let small = tokio::spawn(async move { cuff.uplink("2A35", &blood_pressure(1)).await });
    queued(&app, 3).await;
    plug.release().await;
    small.await.unwrap().expect(201);
    for post in posts {
        assert_eq!(post.await.unwrap().expect(202)["outcome"], "undecodable");
    }
    let large = clinic.cuff.request(Method::POST, "/ingest/v1/uplinks?channel=2A35").body(vec![0; 65 * 1024]);
    assert_eq!(clinic.cuff.send(large).await.expect(413)["code"], "body.too-large");
    assert_eq!(app.app.intake.waiting_bytes(), 0);
}
