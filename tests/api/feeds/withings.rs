//! Withings: a notification, then the pull, against a simulator of its API: expired and rotating tokens, lost answers, a
//! cloud that is away or asks for slower, and a server that dies in between.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use super::{Feed, worn};
use crate::support::{Actor, Answer, CLIENT_SECRET, Clinic, CloudFault, TestApp, WithingsCloud, connect, eventually};

const USER: &str = "29";

struct Bed {
    clinic: Clinic,
    feed: Feed,
    cloud: WithingsCloud,
    device: String,
}

impl Bed {
    /// A feed of the simulator, and an account that a patient's virtual device stands for; `tokens` changes what it is let in with.
    async fn new(app: &TestApp, tokens: impl FnOnce(&mut Value)) -> Self {
        let clinic = app.clinic("north").await;
        let cloud = WithingsCloud::start().await;
        let wish = json!({
            "tenant": clinic.tenant, "name": "Withings", "format": "withings", "active": true,
            "authentication": { "kind": "query", "parameter": "key" }, "challenge": { "kind": "probe" },
            "client": { "clientId": "us", "clientSecret": CLIENT_SECRET, "apiUrl": cloud.url() },
        });
        let made = clinic.admin.post("/api/v1/feeds", wish).await.expect(201);
        assert!(!made.to_string().contains(CLIENT_SECRET));
        let id = made["id"].as_str().unwrap().to_owned();
        let feed = Feed {
            path: format!("/api/v1/feeds/{id}"),
            id,
            secret: made["secret"].as_str().unwrap().to_owned(),
            admin: clinic.admin.clone(),
            vendor: clinic.admin.anonymous(),
        };
        let device = worn(&clinic, "withings", "virtual-29", json!([])).await;
        let mut granted = cloud.consent(USER);
        tokens(&mut granted);
        cloud.state().accounts.get_mut(USER).unwrap().groups = (0..5).map(group).collect();
        let wish = json!({ "externalId": USER, "device": device, "tokens": granted });
        let linked = clinic.admin.post(&format!("{}/accounts", feed.path), wish).await.expect(201);
        assert!(!linked.to_string().contains("access-"), "tokens are not shown");
        Self { clinic, feed, cloud, device }
    }

    async fn notify(&self, range: (i64, i64)) -> Answer {
        self.notify_with(&self.feed.vendor, range).await
    }

    async fn notify_with(&self, vendor: &Actor, (from, until): (i64, i64)) -> Answer {
        let path = format!("/ingest/v1/feeds/{}?key={}", self.feed.id, self.feed.secret);
        let body = format!("userid={USER}&startdate={from}&enddate={until}&appli=1");
        let request = vendor.request(reqwest::Method::POST, &path);
        vendor.send(request.header("Content-Type", "application/x-www-form-urlencoded").body(body)).await
    }

    async fn pulls(&self) -> Vec<Value> {
        self.pulls_as(&self.clinic.admin).await
    }

    async fn pulls_as(&self, admin: &Actor) -> Vec<Value> {
        let list = admin.get(&format!("{}/pulls", self.feed.path)).await.expect(200);
        list["items"].as_array().unwrap().clone()
    }

    async fn all_is_fetched(&self, observations: u64) {
        eventually("everything to be fetched", || async { self.pulls().await.is_empty().then_some(()) }).await;
        assert_eq!(self.clinic.count("").await, observations);
    }

    async fn waits_because(&self, words: &str) -> Value {
        eventually(words, || async {
            let pulls = self.pulls().await;
            pulls.into_iter().find(|pull| pull["lastError"].as_str().is_some_and(|error| error.contains(words)))
        })
        .await
    }
}

/// One weight of each day.
fn group(day: i64) -> Value {
    json!({ "grpid": 1000 + day, "attrib": 0, "category": 1, "date": at(day), "measures": [{ "type": 1, "unit": -3, "value": 74_128 + day }] })
}

fn at(day: i64) -> i64 {
    1_730_000_000 + day * 86_400
}

const ALL: (i64, i64) = (1_729_000_000, 1_740_000_000);

/// What is waiting is due at once.
async fn hurry(app: &TestApp, sql: &str) {
    let mut conn = connect(&app.database.superuser_url).await;
    diesel::sql_query(sql).execute(&mut conn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_twice_is_a_measurement_once_and_pages_are_followed() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_| {}).await;
    bed.cloud.state().page = 2;
    for _ in 0..2 {
        assert_eq!(bed.notify(ALL).await.expect(200)["outcome"], "notified");
    }
    bed.all_is_fetched(5).await;
    let bundle = bed.clinic.admin.get(&format!("{}/Observation?code=29463-7", bed.clinic.fhir)).await.expect(200);
    let text = bundle.to_string();
    assert!(text.contains("74.128") && text.contains("74.132") && text.contains(&bed.clinic.patient), "{text}");
    // It is announced again later: fetched again, and known.
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert!(bed.cloud.state().served >= 6, "three pages each time");
    assert_eq!(bed.cloud.state().refreshed, 0);

    // Without the secret nothing is believed, and what nobody reads is not fetched.
    let path = format!("/ingest/v1/feeds/{}", bed.feed.id);
    let request = bed.feed.vendor.request(reqwest::Method::POST, &path);
    let request = request
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("userid=29&startdate=1&enddate=2&appli=1");
    bed.feed.vendor.send(request).await.expect(401);
    let request = bed.feed.request(&format!("?key={}", bed.feed.secret));
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").body("userid=29&startdate=x");
    bed.feed.vendor.send(request).await.expect(422);
    assert!(bed.pulls().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_activity_come_by_their_dates() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_| {}).await;
    let day = |date: &str, steps: u32| json!({ "date": date, "timezone": "Europe/Berlin", "steps": steps });
    bed.cloud.state().accounts.get_mut(USER).unwrap().activities = vec![day("2025-02-20", 5), day("2025-02-21", 1798)];
    let request = bed.feed.request(&format!("?key={}", bed.feed.secret));
    let request =
        request.header("Content-Type", "application/x-www-form-urlencoded").body("userid=29&date=2025-02-21&appli=16");
    bed.feed.vendor.send(request).await.expect(200);
    bed.all_is_fetched(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_ended_are_refreshed_by_our_clock_or_by_the_vendors_word() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |tokens| tokens["expiresAt"] = json!("2020-01-01T00:00:00Z")).await;
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert_eq!(bed.cloud.state().refreshed, 1);
    // The vendor ends the token early: our clock says that it holds.
    bed.cloud.state().accounts.get_mut(USER).unwrap().access = "ended".to_owned();
    bed.cloud.state().accounts.get_mut(USER).unwrap().groups.push(group(7));
    bed.notify((ALL.0, ALL.1 + 1)).await.expect(200);
    bed.all_is_fetched(6).await;
    assert_eq!(bed.cloud.state().refreshed, 2);
    // Nothing of it is readable in the database.
    let mut conn = connect(&app.database.superuser_url).await;
    #[derive(diesel::QueryableByName)]
    struct Sealed {
        #[diesel(sql_type = diesel::sql_types::Bytea)]
        tokens_sealed: Vec<u8>,
    }
    let rows: Vec<Sealed> =
        diesel::sql_query("SELECT tokens_sealed FROM feed_authorization").load(&mut conn).await.unwrap();
    assert!(rows.iter().all(|row| !row.tokens_sealed.windows(7).any(|part| part == b"refresh")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_costs_nothing() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |tokens| tokens["expiresAt"] = json!("2020-01-01T00:00:00Z")).await;
    // The cloud has rotated, and we never hear of it: the old token is tried again.
    bed.cloud.state().token_faults.push_back(CloudFault::DoAndFail(502));
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert_eq!(bed.cloud.state().refreshed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_between_refresh_and_store_is_followed_by_one_that_goes_on() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |tokens| tokens["expiresAt"] = json!("2020-01-01T00:00:00Z")).await;
    bed.cloud.state().token_faults.push_back(CloudFault::DoAndHang);
    bed.notify(ALL).await.expect(200);
    eventually("the refresh", || async { (bed.cloud.state().refreshed == 1).then_some(()) }).await;
    let database = app.database.clone();
    drop(app);
    let next = TestApp::on(database, &[]).await;
    // The leases of the dead end by themselves; here, at once.
    hurry(&next, "UPDATE feed_authorization SET refreshing_until = now() - interval '1 second'").await;
    hurry(&next, "UPDATE feed_pull SET next_at = now()").await;
    let admin = Actor::new(next.url(""), bed.clinic.admin.token.clone());
    eventually("everything", || async { bed.pulls_as(&admin).await.is_empty().then_some(()) }).await;
    let bundle = admin.get(&format!("{}/Observation?_summary=count", bed.clinic.fhir)).await.expect(200);
    assert_eq!(bundle["total"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_survives_the_server_and_a_cloud_that_is_away() {
    let app = TestApp::start().await;
    let mut bed = Bed::new(&app, |_| {}).await;
    bed.cloud.stop().await;
    bed.notify(ALL).await.expect(200);
    bed.waits_because("no connection").await;
    let database = app.database.clone();
    drop(app);
    let (first, second) = (TestApp::on(database.clone(), &[]).await, TestApp::on(database, &[]).await);
    bed.cloud = bed.cloud.restart();
    let admin = Actor::new(first.url(""), bed.clinic.admin.token.clone());
    eventually("everything", || async { bed.pulls_as(&admin).await.is_empty().then_some(()) }).await;
    let bundle = admin.get(&format!("{}/Observation?_summary=count", bed.clinic.fhir)).await.expect(200);
    assert_eq!(bundle["total"], 5);
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_asks_for_slower_is_given_a_minute_and_errors_are_tried_again() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_| {}).await;
    bed.cloud.state().data_faults.extend([CloudFault::Status(2555), CloudFault::Http(500), CloudFault::Status(601)]);
    bed.notify(ALL).await.expect(200);
    let waiting = bed.waits_because("fewer requests").await;
    let next_at: DateTime<Utc> = waiting["nextAt"].as_str().unwrap().parse().unwrap();
    assert!(next_at > Utc::now() + TimeDelta::seconds(45), "{waiting}");
    assert_eq!((&waiting["attempts"], &waiting["state"]), (&json!(3), &json!("waiting")));
    hurry(&app, "UPDATE feed_pull SET next_at = now()").await;
    bed.all_is_fetched(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_has_to_consent_again_waits_and_is_fetched_when_it_has() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |tokens| {
        tokens["expiresAt"] = json!("2020-01-01T00:00:00Z");
        tokens["refreshToken"] = json!("of-last-year");
    })
    .await;
    bed.notify(ALL).await.expect(200);
    bed.waits_because("does not take the account's tokens").await;
    assert_eq!(bed.clinic.count("").await, 0);
    // Deactivated, nothing is fetched, and what was announced stays.
    bed.feed.admin.post(&format!("{}/deactivate", bed.feed.path), json!({})).await.expect(200);
    let wish = json!({ "externalId": USER, "device": bed.device, "tokens": bed.cloud.consent(USER) });
    bed.clinic.admin.post(&format!("{}/accounts", bed.feed.path), wish).await.expect(201);
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(bed.pulls().await.len(), 1);
    bed.feed.admin.post(&format!("{}/activate", bed.feed.path), json!({})).await.expect(200);
    bed.all_is_fetched(5).await;
}
