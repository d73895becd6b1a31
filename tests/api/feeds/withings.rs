//! Withings: consent, notification, pull, against a simulator of its API: expired and rotating tokens, lost answers, consents
//! that are taken back, a cloud that is away or asks for slower, bursts, and servers that die in between.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Feed, worn};
use crate::support::{
    Actor, Answer, CLIENT_SECRET, Clinic, CloudFault, ServerProcess, TestApp, WithingsCloud, connect, eventually,
};

const USER: &str = "29";
const ENDED: &str = "2020-01-01T00:00:00Z";

struct Bed {
    clinic: Clinic,
    feed: Feed,
    cloud: WithingsCloud,
    device: String,
}

impl Bed {
    /// A feed of the simulator, and a virtual device that a patient wears; nobody has consented.
    async fn strangers(app: &TestApp) -> Self {
        let clinic = app.clinic("north").await;
        let cloud = WithingsCloud::start().await;
        let wish = json!({
            "tenant": clinic.tenant, "name": "Withings", "format": "withings", "active": true,
            "authentication": { "kind": "query", "parameter": "key" }, "challenge": { "kind": "probe" },
            "client": {
                "clientId": "us", "clientSecret": CLIENT_SECRET, "apiUrl": cloud.url(),
                "authorizeUrl": format!("{}/oauth2_user/authorize2", cloud.url()),
            },
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
        Self { clinic, feed, cloud, device }
    }

    /// The same with an account that was let in with tokens, which `prepare` changes, beside the cloud.
    async fn new(app: &TestApp, prepare: impl FnOnce(&WithingsCloud, &mut Value)) -> Self {
        let bed = Self::strangers(app).await;
        let mut granted = bed.cloud.consent(USER);
        prepare(&bed.cloud, &mut granted);
        bed.cloud.state().accounts.get_mut(USER).unwrap().groups = (0..5).map(group).collect();
        let wish = json!({ "externalId": USER, "device": bed.device, "tokens": granted });
        let linked = bed.clinic.admin.post(&format!("{}/accounts", bed.feed.path), wish).await.expect(201);
        assert!(!linked.to_string().contains("access-"), "tokens are not shown");
        bed
    }

    /// Staff ask for a link, and the owner of an account follows it: the page at the end.
    async fn consent(&self, user: &str) -> Answer {
        let wish = json!({ "device": self.device });
        let link = self.clinic.admin.post(&format!("{}/consents", self.feed.path), wish).await.expect(201);
        let back = self.cloud.follow(user, link["url"].as_str().unwrap());
        self.feed.vendor.get(&back).await
    }

    async fn notify(&self, range: (i64, i64)) -> Answer {
        let (from, until) = range;
        self.post_form(&self.feed.vendor, &format!("userid={USER}&startdate={from}&enddate={until}&appli=1")).await
    }

    async fn post_form(&self, vendor: &Actor, form: &str) -> Answer {
        let path = format!("/ingest/v1/feeds/{}?key={}", self.feed.id, self.feed.secret);
        let request = vendor.request(Method::POST, &path);
        vendor.send(request.header("Content-Type", "application/x-www-form-urlencoded").body(form.to_owned())).await
    }

    async fn pulls(&self) -> Vec<Value> {
        self.pulls_as(&self.clinic.admin).await
    }

    async fn pulls_as(&self, admin: &Actor) -> Vec<Value> {
        let list = admin.get(&format!("{}/pulls?limit=500", self.feed.path)).await.expect(200);
        list["items"].as_array().unwrap().clone()
    }

    async fn all_is_fetched(&self, observations: u64) {
        eventually("everything to be fetched", || async { self.pulls().await.is_empty().then_some(()) }).await;
        assert_eq!(self.clinic.count("").await, observations);
    }

    /// The same, asked of another server.
    async fn all_is_fetched_by(&self, app: &TestApp, observations: u64) {
        let admin = Actor::new(app.url(""), self.clinic.admin.token.clone());
        eventually("everything", || async { self.pulls_as(&admin).await.is_empty().then_some(()) }).await;
        let bundle = admin.get(&format!("{}/Observation?_summary=count", self.clinic.fhir)).await.expect(200);
        assert_eq!(bundle["total"], observations);
    }

    /// The pull of measurements that did not succeed with these words.
    async fn waits_because(&self, words: &str) -> Value {
        eventually(words, || async {
            let pulls = self.pulls().await;
            pulls.into_iter().find(|pull| {
                pull["kind"] == "measurements" && pull["lastError"].as_str().is_some_and(|error| error.contains(words))
            })
        })
        .await
    }

    async fn account(&self) -> Value {
        let accounts = self.clinic.admin.get(&format!("{}/accounts", self.feed.path)).await.expect(200);
        accounts["items"][0].clone()
    }

    fn subscriptions(&self) -> Vec<(u32, String)> {
        let mut found = self.cloud.state().accounts[USER].subscriptions.clone();
        found.sort_unstable();
        found
    }
}

/// One weight of each day.
fn group(day: i64) -> Value {
    json!({ "grpid": 1000 + day, "attrib": 0, "category": 1, "date": at(day), "measures": [{ "type": 1, "unit": -3, "value": 74_128 + day }] })
}

fn at(day: i64) -> i64 {
    1_730_000_000 + day * 86_400
}

const ALL: (i64, i64) = (1_729_000_000, 1_731_000_000);

/// What is waiting is due at once, and the like.
async fn alter(app: &TestApp, sql: &str) {
    let mut conn = connect(&app.database.superuser_url).await;
    diesel::sql_query(sql).execute(&mut conn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_consents_the_vendor_announces_and_the_measurement_is_an_observation() {
    let app = TestApp::start().await;
    let bed = Bed::strangers(&app).await;
    let shown = bed.clinic.admin.get(&bed.feed.path).await.expect(200);
    let callback = format!("/ingest/v1/feeds/{}/callback", bed.feed.id);
    assert!(shown["redirectUrl"].as_str().unwrap().ends_with(&callback), "{shown}");
    let request = bed.feed.vendor.request(Method::HEAD, &callback);
    assert_eq!(bed.feed.vendor.send(request).await.status, 200, "vendors try whether the address is there");

    let wish = json!({ "device": bed.device });
    let link = bed.clinic.admin.post(&format!("{}/consents", bed.feed.path), wish).await.expect(201);
    let back = bed.cloud.follow(USER, link["url"].as_str().unwrap());
    // The owner hesitates: a refusal uses up nothing.
    let refused =
        back.split("code=").next().unwrap().to_owned() + back.split_once('&').unwrap().1 + "&error=access_denied";
    assert!(bed.feed.vendor.get(&refused).await.text.contains("no consent"));
    let page = bed.feed.vendor.get(&back).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("is connected") && page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(page.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    // A state is used once, and another one is nobody's.
    assert_eq!(bed.feed.vendor.get(&back).await.status, 401);
    assert_eq!(bed.feed.vendor.get(&format!("{callback}?code=x&state=afs_guessed")).await.status, 401);

    let account = bed.account().await;
    assert_eq!((&account["externalId"], &account["device"]), (&json!(USER), &json!(bed.device)));
    assert_eq!(account["authorization"]["state"], "granted");
    // The vendor announces at our address, with the secret in it.
    bed.all_is_fetched(0).await;
    let subscriptions = bed.subscriptions();
    assert_eq!(subscriptions.iter().map(|(appli, _)| *appli).collect::<Vec<_>>(), [1, 2, 4, 16, 46]);
    bed.cloud.state().accounts.get_mut(USER).unwrap().groups.push(group(0));
    let address = url::Url::parse(&subscriptions[0].1).unwrap();
    let request = bed.feed.vendor.request(Method::POST, &format!("{}?{}", address.path(), address.query().unwrap()));
    let form = format!("userid={USER}&startdate={}&enddate={}&appli=1", ALL.0, ALL.1);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
    bed.feed.vendor.send(request).await.expect(200);
    bed.all_is_fetched(1).await;
    let bundle = bed.clinic.admin.get(&format!("{}/Observation?code=29463-7", bed.clinic.fhir)).await.expect(200);
    let observation = &bundle["entry"][0]["resource"];
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", bed.clinic.patient));
    assert!(observation["valueQuantity"].to_string().contains("74.128"), "{observation}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_never_given_another_accounts_readings_by_a_consent() {
    let app = TestApp::start().await;
    let bed = Bed::strangers(&app).await;
    assert_eq!(bed.consent(USER).await.status, 200);
    // Another person's account, for the same device; and this account, for another device.
    let page = bed.consent("30").await;
    assert!(page.status == 409 && page.text.contains("another account"), "{}", page.text);
    let other = worn(&bed.clinic, "withings", "virtual-other", json!([])).await;
    let link =
        bed.clinic.admin.post(&format!("{}/consents", bed.feed.path), json!({ "device": other })).await.expect(201);
    let page = bed.feed.vendor.get(&bed.cloud.follow(USER, link["url"].as_str().unwrap())).await;
    assert!(page.status == 409 && page.text.contains("another device"), "{}", page.text);
    assert_eq!(bed.account().await["externalId"], USER);
    // A code of another client or time, a link that ended, a device that cannot be an account.
    let link = bed
        .clinic
        .admin
        .post(&format!("{}/consents", bed.feed.path), json!({ "device": bed.device }))
        .await
        .expect(201);
    let back = bed.cloud.follow(USER, link["url"].as_str().unwrap());
    assert_eq!(bed.feed.vendor.get(&back.replace("code=code-", "code=other-")).await.status, 409);
    let link = bed
        .clinic
        .admin
        .post(&format!("{}/consents", bed.feed.path), json!({ "device": bed.device }))
        .await
        .expect(201);
    alter(&app, "UPDATE feed_consent SET expires_at = now() - interval '1 second'").await;
    assert_eq!(bed.feed.vendor.get(&bed.cloud.follow(USER, link["url"].as_str().unwrap())).await.status, 401);
    let cuff = json!({ "device": bed.clinic.device });
    bed.clinic.admin.post(&format!("{}/consents", bed.feed.path), cuff).await.expect(422);

    // Nothing of it is anybody else's.
    let south = app.clinic("south").await;
    south.admin.post(&format!("{}/consents", bed.feed.path), json!({ "device": bed.device })).await.expect(404);
    bed.post_form(&bed.feed.vendor, "userid=77&startdate=1&enddate=2&appli=1").await.expect(200);
    let pull = bed.pulls().await.into_iter().find(|pull| pull["externalId"] == "77").unwrap();
    let path = format!("{}/pulls", bed.feed.path);
    let of_it = format!("{path}/{}", pull["id"].as_str().unwrap());
    south.admin.get(&path).await.expect(404);
    south.admin.post(&format!("{of_it}/retry"), json!({})).await.expect(404);
    south.admin.delete(&of_it).await.expect(404);
    bed.clinic.admin.delete(&of_it).await.expect(204);
    assert!(bed.pulls().await.iter().all(|pull| pull["externalId"] != "77"));

    // Parted: the tokens are forgotten, and the account may be another one's.
    bed.clinic.admin.delete(&format!("{}/accounts/{}", bed.feed.path, bed.device)).await.expect(204);
    bed.notify(ALL).await.expect(200);
    assert_eq!(bed.waits_because("nobody has authorized").await["state"], "unauthorized");
    assert_eq!(bed.consent("30").await.status, 200);
    assert_eq!(bed.account().await["externalId"], "30");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_twice_is_a_measurement_once_and_pages_are_followed() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |cloud, _| cloud.state().page = 2).await;
    for _ in 0..2 {
        assert_eq!(bed.notify(ALL).await.expect(200)["outcome"], "notified");
    }
    // One that overlaps.
    bed.notify((at(2), at(2) + 5)).await.expect(200);
    bed.all_is_fetched(5).await;
    let bundle = bed.clinic.admin.get(&format!("{}/Observation?code=29463-7", bed.clinic.fhir)).await.expect(200);
    let text = bundle.to_string();
    assert!(text.contains("74.128") && text.contains("74.132") && text.contains(&bed.clinic.patient), "{text}");
    assert_eq!(bed.cloud.state().served, 3, "three pages, once");
    // It is announced again later: fetched again, and known.
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert_eq!(bed.cloud.state().served, 6);
    assert_eq!(bed.cloud.state().refreshed, 0);

    // Without the secret nothing is believed, and what nobody reads is not fetched.
    let request = bed.feed.vendor.request(Method::POST, &format!("/ingest/v1/feeds/{}", bed.feed.id));
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    bed.feed.vendor.send(request.body("userid=29&startdate=1&enddate=2&appli=1")).await.expect(401);
    bed.post_form(&bed.feed.vendor, "userid=29&startdate=x").await.expect(422);
    let sleep = bed.post_form(&bed.feed.vendor, "userid=29&startdate=1&enddate=2&appli=44").await.expect(200);
    assert!(sleep["reason"].as_str().unwrap().contains("not fetched"));
    assert!(bed.pulls().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_activity_come_by_their_dates() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_, _| {}).await;
    let day = |date: &str, steps: u32| json!({ "date": date, "timezone": "Europe/Berlin", "steps": steps });
    bed.cloud.state().accounts.get_mut(USER).unwrap().activities = vec![day("2025-02-20", 5), day("2025-02-21", 1798)];
    bed.post_form(&bed.feed.vendor, "userid=29&date=2025-02-21&appli=16").await.expect(200);
    bed.all_is_fetched(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_comes_in_windows_and_a_burst_in_few_requests() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_, _| {}).await;
    bed.cloud.state().accounts.get_mut(USER).unwrap().groups = (0..365).map(group).collect();
    bed.notify((at(0), at(365))).await.expect(200);
    bed.all_is_fetched(365).await;
    assert_eq!(bed.cloud.state().served, 12);
    // Two hundred notifications of one evening.
    for second in 0..200 {
        bed.notify((at(3) + second, at(3) + second + 10)).await.expect(200);
    }
    bed.all_is_fetched(365).await;
    let served = bed.cloud.state().served - 12;
    assert!((1..=20).contains(&served), "{served}");
    // And of somebody whom nobody authorized: bounded, and shown.
    for month in 0..60 {
        let from = at(month * 30);
        let form = format!("userid=77&startdate={from}&enddate={}&appli=4", from + 5);
        bed.post_form(&bed.feed.vendor, &form).await.expect(200);
    }
    let pulls = bed.pulls().await;
    assert!((1..=40).contains(&pulls.len()), "{}", pulls.len());
    let last = pulls.iter().filter_map(|pull| pull["until"].as_str()).max().unwrap();
    let end: DateTime<Utc> = last.parse().unwrap();
    assert_eq!(end.timestamp(), at(59 * 30) + 5, "what is merged is covered");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_ended_are_refreshed_by_our_clock_or_by_the_vendors_word() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_, tokens| tokens["expiresAt"] = json!(ENDED)).await;
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
    assert_eq!(rows.len(), 1);
    assert!(rows.iter().all(|row| !row.tokens_sealed.windows(7).any(|part| part == b"refresh")));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_refresh_once() {
    let app = TestApp::start().await;
    let second = TestApp::on(app.database.clone(), &[]).await;
    let bed = Bed::new(&app, |_, tokens| tokens["expiresAt"] = json!(ENDED)).await;
    // Both processes ask for the token at the same time, past the queue that would keep them apart.
    let feed = afferent::fleet::load_feed(&app.app, bed.feed.id.parse().unwrap()).await.unwrap();
    let ask = |app: &TestApp| {
        let (app, feed) = (std::sync::Arc::clone(&app.app), feed.clone());
        tokio::spawn(async move {
            let token = afferent::fleet::authorizations::access_token(&app, &feed, USER, None).await;
            token.map(|token| token.token).map_err(|trouble| format!("{trouble:?}"))
        })
    };
    let asked: Vec<_> = (0..8).map(|turn| ask(if turn % 2 == 0 { &app } else { &second })).collect();
    for answer in asked {
        match answer.await.unwrap() {
            Ok(token) => assert!(token.starts_with("access-29-"), "{token}"),
            Err(trouble) => assert!(trouble.contains("refreshed"), "{trouble}"),
        }
    }
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert_eq!(bed.cloud.state().refreshed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_costs_nothing() {
    let app = TestApp::start().await;
    // The cloud has rotated, and we never hear of it: the old token is tried again.
    let bed = Bed::new(&app, |cloud, tokens| {
        tokens["expiresAt"] = json!(ENDED);
        cloud.state().token_faults.push_back(CloudFault::DoAndFail(502));
    })
    .await;
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;
    assert_eq!(bed.cloud.state().refreshed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_between_refresh_and_store_is_followed_by_one_that_goes_on() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |cloud, tokens| {
        tokens["expiresAt"] = json!(ENDED);
        cloud.state().token_faults.push_back(CloudFault::DoAndHang);
    })
    .await;
    bed.notify(ALL).await.expect(200);
    eventually("the refresh", || async { (bed.cloud.state().refreshed == 1).then_some(()) }).await;
    let database = app.database.clone();
    drop(app);
    let next = TestApp::on(database, &[]).await;
    // The leases of the dead end by themselves; here, at once.
    alter(&next, "UPDATE feed_authorization SET refreshing_until = now() - interval '1 second'").await;
    alter(&next, "UPDATE feed_pull SET next_at = now()").await;
    bed.all_is_fetched_by(&next, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_to_a_server_that_was_killed_is_fetched_by_the_next() {
    let app = TestApp::start().await;
    let mut bed = Bed::new(&app, |_, _| {}).await;
    bed.all_is_fetched(0).await;
    let database = app.database.clone();
    drop(app);
    bed.cloud.stop().await;
    let mut process = ServerProcess::start(&database, None, &[]).await;
    let vendor = Actor::new(format!("http://{}", process.address), None);
    bed.post_form(&vendor, &format!("userid={USER}&startdate={}&enddate={}&appli=1", ALL.0, ALL.1)).await.expect(200);
    process.kill();
    bed.cloud = bed.cloud.restart();
    // Whether the dead had begun is not known; its lease ends by itself.
    let (first, second) = (TestApp::on(database.clone(), &[]).await, TestApp::on(database, &[]).await);
    alter(&first, "UPDATE feed_pull SET next_at = now()").await;
    bed.all_is_fetched_by(&first, 5).await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_asks_for_slower_is_given_a_minute_and_errors_are_tried_again() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |cloud, _| {
        cloud.state().data_faults.extend([CloudFault::Status(2555), CloudFault::Http(500), CloudFault::Status(601)]);
    })
    .await;
    bed.notify(ALL).await.expect(200);
    let waiting = bed.waits_because("fewer requests").await;
    let next_at: DateTime<Utc> = waiting["nextAt"].as_str().unwrap().parse().unwrap();
    assert!(next_at > Utc::now() + TimeDelta::seconds(45), "{waiting}");
    assert_eq!((&waiting["attempts"], &waiting["state"]), (&json!(3), &json!("waiting")));
    // Tries are bounded: then it is shown as given up, and is tried again at request.
    bed.cloud.state().data_faults.push_back(CloudFault::Http(429));
    alter(&app, "UPDATE feed_pull SET next_at = now(), attempts = 47").await;
    let dead =
        eventually("the last try", || async { bed.pulls().await.into_iter().find(|pull| pull["state"] == "dead") })
            .await;
    assert_eq!((&dead["attempts"], &dead["lastError"]), (&json!(48), &json!("the vendor asks for fewer requests")));
    let path = format!("{}/pulls/{}/retry", bed.feed.path, dead["id"].as_str().unwrap());
    bed.clinic.admin.post(&path, json!({})).await.expect(204);
    bed.all_is_fetched(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_took_the_consent_back_is_asked_again_and_what_was_missed_is_fetched() {
    let app = TestApp::start().await;
    let bed = Bed::new(&app, |_, _| {}).await;
    bed.all_is_fetched(0).await;
    bed.cloud.revoke(USER);
    bed.notify(ALL).await.expect(200);
    let waiting = bed.waits_because("has to consent again").await;
    assert_eq!(waiting["state"], "unauthorized");
    let authorization = bed.account().await["authorization"].clone();
    assert_eq!(authorization["state"], "refused");
    assert!(authorization["reason"].as_str().unwrap().contains("does not take the refresh token"), "{authorization}");
    // Measured meanwhile, and announced by nobody.
    let mut missed = group(9);
    missed["modified"] = json!(Utc::now().timestamp());
    bed.cloud.state().accounts.get_mut(USER).unwrap().groups.push(missed);
    // Deactivated, nothing is fetched, and what was announced stays.
    bed.feed.admin.post(&format!("{}/deactivate", bed.feed.path), json!({})).await.expect(200);
    assert_eq!(bed.consent(USER).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(!bed.pulls().await.is_empty());
    assert_eq!(bed.clinic.count("").await, 0);
    bed.feed.admin.post(&format!("{}/activate", bed.feed.path), json!({})).await.expect(200);
    bed.all_is_fetched(6).await;
    assert_eq!(bed.account().await["authorization"]["state"], "granted");
    assert_eq!(bed.subscriptions().len(), 5, "announced again");

    // The vendor tells that the owner left.
    let left = bed.post_form(&bed.feed.vendor, "userid=29&appli=46&action=unlink").await.expect(200);
    assert_eq!(left["outcome"], "notified");
    assert!(bed.account().await["authorization"]["reason"].as_str().unwrap().contains("took the consent back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_is_told_to_the_vendor_and_another_client_tries_refused_tokens_again() {
    let app = TestApp::start().await;
    let mut bed = Bed::new(&app, |_, _| {}).await;
    bed.all_is_fetched(0).await;
    let before = bed.subscriptions();
    let rotated = bed.feed.admin.post(&format!("{}/secret", bed.feed.path), json!({ "overlapSeconds": 600 })).await;
    bed.feed.secret = rotated.expect(200)["secret"].as_str().unwrap().to_owned();
    bed.all_is_fetched(0).await;
    let after = bed.subscriptions();
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|(_, url)| url.ends_with(&format!("key={}", bed.feed.secret))), "{after:?}");
    bed.notify(ALL).await.expect(200);
    bed.all_is_fetched(5).await;

    // A wrong client looks like tokens that are not taken; the right one has them tried again, without the owners.
    let client = |secret: &str| {
        json!({ "client": { "clientId": "us", "clientSecret": secret, "apiUrl": bed.cloud.url(),
            "authorizeUrl": format!("{}/oauth2_user/authorize2", bed.cloud.url()) } })
    };
    let answer = bed.feed.admin.patch(&bed.feed.path, client("not-the-clients-secret")).await.expect(200);
    assert!(!answer.to_string().contains("not-the-clients"));
    bed.cloud.state().accounts.get_mut(USER).unwrap().access = "ended".to_owned();
    bed.cloud.state().accounts.get_mut(USER).unwrap().groups.push(group(7));
    bed.notify(ALL).await.expect(200);
    bed.waits_because("has to consent again").await;
    bed.feed.admin.patch(&bed.feed.path, client(CLIENT_SECRET)).await.expect(200);
    bed.all_is_fetched(6).await;

    // A client is for formats that have an API, and reached where the operator allows it.
    let wish = json!({ "name": "f", "format": "fitbit", "active": true, "authentication": { "kind": "header", "name": "a" },
        "client": { "clientId": "us", "clientSecret": CLIENT_SECRET, "apiUrl": "http://169.254.169.254/" } });
    let refused = bed.clinic.admin.post("/api/v1/feeds", wish).await.expect(422).to_string();
    assert!(refused.contains("/client/apiUrl") && refused.contains("no client"), "{refused}");
}
