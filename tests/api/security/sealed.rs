//! Sealed at rest: raw bytes and secrets cannot be read from the database's files, and their keys can be changed while
//! servers run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use afferent::app::App;
use afferent::config::Config;
use afferent::platform::seal::Sealer;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bytea, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::json;

use crate::support::{Actor, ServerProcess, TempDir, TestApp, TestDatabase, blood_pressure, connect};

/// The key of the tests' servers, and the next two.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEXT: &str = "bmV4dC1uZXh0LW5leHQtbmV4dC1uZXh0LW5leHQtISE=";
const WRONG: &str = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I=";

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(conn: &mut AsyncPgConnection, what: &str) -> i64 {
    let row: Counted = diesel::sql_query(format!("SELECT {what} AS count")).get_result(conn).await.unwrap();
    row.count
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

async fn text(conn: &mut AsyncPgConnection, what: &str) -> String {
    let row: Named = diesel::sql_query(format!("SELECT {what} AS name")).get_result(conn).await.unwrap();
    row.name
}

/// Files below a folder that hold some bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        // Others work in the same cluster: a file may go while we look.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if let Ok(content) = std::fs::read(&path)
                && content.windows(bytes.len()).any(|window| window == bytes)
            {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_and_secrets_are_in_no_file_of_the_database() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    // Recognisable: ASCII that nobody else has.
    let payload = format!("raw-payload-{}", uuid::Uuid::new_v4());
    let variable = format!("bind-key-{}", uuid::Uuid::new_v4());
    let token = format!("ehr-token-{}", uuid::Uuid::new_v4());
    clinic.cuff.uplink("2A35", payload.as_bytes()).await.expect(202);
    // Long enough to lie outside its row.
    let long = payload.repeat(400);
    clinic.cuff.uplink("2A35", long.as_bytes()).await.expect(202);
    let change = json!({ "variables": { "bindKey": variable } });
    clinic.admin.patch(&format!("/api/v1/devices/{}", clinic.device), change).await.expect(200);
    let wish = json!({ "tenant": clinic.tenant, "name": "visible-name-of-the-endpoint", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "bearer", "token": token } });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    let refresh = format!("refresh-token-{}", uuid::Uuid::new_v4());
    let client = format!("client-secret-{}", uuid::Uuid::new_v4());
    let wish = json!({ "tenant": clinic.tenant, "name": "f", "format": "withings", "active": false, "authentication": { "kind": "query", "parameter": "key" },
        "client": { "clientId": "us", "clientSecret": client, "apiUrl": "http://127.0.0.1:9" } });
    let feed = clinic.admin.post("/api/v1/feeds", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let wish = json!({ "externalId": "29", "device": clinic.device, "tokens": { "accessToken": refresh, "refreshToken": refresh } });
    clinic.admin.post(&format!("/api/v1/feeds/{feed}/accounts"), wish).await.expect(201);

    let mut conn = connect(&app.database.superuser_url).await;
    conn.batch_execute("CHECKPOINT").await.unwrap();
    let folder = text(&mut conn, "current_setting('data_directory')").await;
    let database = text(&mut conn, "oid::text AS name FROM pg_database WHERE datname = current_database() --").await;
    let tables = Path::new(&folder).join("base").join(database);
    let wal = Path::new(&folder).join("pg_wal");
    // The search finds what is there in the clear.
    assert!(!files_with(&tables, b"visible-name-of-the-endpoint").is_empty(), "the search itself is wrong");
    assert!(!files_with(&wal, b"visible-name-of-the-endpoint").is_empty(), "the search itself is wrong");
    for secret in [&payload, &variable, &token, &refresh, &client] {
        for bytes in [secret.as_bytes().to_vec(), hex::encode(secret).into_bytes()] {
            assert_eq!(files_with(&tables, &bytes), Vec::<PathBuf>::new());
            assert_eq!(files_with(&wal, &bytes), Vec::<PathBuf>::new());
        }
    }
}

async fn afferent(database: &TestDatabase, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(arguments).env("DATABASE_URL", &database.superuser_url).env("AFFERENT_DATA_DIR", "/nonexistent");
    command.env("AFFERENT_LOG", "warn").envs(environment.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A server's start, which may fail: the words of its error.
async fn try_start(database: &TestDatabase, environment: &[(&str, &str)]) -> Result<App, String> {
    let folder = TempDir::new();
    let mut variables: Vec<(String, String)> = vec![("AFFERENT_DATA_DIR".into(), folder.path().display().to_string())];
    variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let config = Config::load(variables, None).unwrap();
    App::build(config, &database.server_url, "127.0.0.1:0".parse().unwrap()).await.map_err(|error| format!("{error:#}"))
}

/// A device with a variable, and an EHR with a credential, as the version before sealed them: without a key's id.
async fn as_before(app: &TestApp, tenant: &str) {
    use chacha20poly1305::aead::{Aead, KeyInit, Payload};
    #[derive(QueryableByName)]
    struct Sealed {
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = Bytea)]
        sealed: Vec<u8>,
    }
    let mut conn = connect(&app.database.superuser_url).await;
    for (table, column, place) in
        [("device", "variables_sealed", "device.variables"), ("endpoint", "auth_sealed", "endpoint.auth")]
    {
        let rows: Vec<Sealed> = diesel::sql_query(format!(
            "SELECT id::text AS id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL"
        ))
        .load(&mut conn)
        .await
        .unwrap();
        assert!(!rows.is_empty());
        for row in rows {
            let place = format!("{place}/{tenant}/{}", row.id);
            let plain = app.app.sealer.open(&place, &row.sealed).unwrap();
            let cipher = chacha20poly1305::XChaCha20Poly1305::new(b"0123456789abcdef0123456789abcdef".into());
            let boxed = cipher.encrypt(&[5; 24].into(), Payload { msg: &plain, aad: place.as_bytes() }).unwrap();
            let old = hex::encode([&[1][..], &[5; 24], &boxed].concat());
            conn.batch_execute(&format!("UPDATE {table} SET {column} = '\\x{old}' WHERE id = '{}'", row.id))
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_while_a_server_runs_and_takes_uplinks() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let uplink =
        clinic.cuff.uplink("FFFF", &blood_pressure(1)).await.expect(202)["uplink"].as_str().unwrap().to_owned();
    let change = json!({ "variables": { "bindKey": "0011" } });
    clinic.admin.patch(&format!("/api/v1/devices/{}", clinic.device), change).await.expect(200);
    let wish = json!({ "tenant": clinic.tenant, "name": "e", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "bearer", "token": "secret-of-the-ehr" } });
    clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    as_before(&app, &clinic.tenant).await;

    // A wrong key is an error at the start that says what is wrong; so is the new key alone.
    for key in [WRONG, NEXT] {
        let error = try_start(&app.database, &[("AFFERENT_SECRET_KEY", key)]).await.err().unwrap();
        assert!(error.contains("sealed with another key") && error.contains("secret_keys_previous"), "{error}");
        assert!(!error.contains(key));
    }

    // The new key with the old one beside it: a server that takes uplinks all the while.
    let both = [("AFFERENT_SECRET_KEY", NEXT), ("AFFERENT_SECRET_KEYS_PREVIOUS", KEY)];
    let server = ServerProcess::start(&app.database, None, &both).await;
    let cuff = Actor::new(format!("http://{}", server.address), clinic.cuff.token.clone());
    let (sent, stop) = (Arc::new(AtomicU32::new(0)), tokio_util::sync::CancellationToken::new());
    let load = tokio::spawn({
        let (cuff, sent, stop) = (cuff.clone(), Arc::clone(&sent), stop.clone());
        async move {
            while !stop.is_cancelled() {
                let number = sent.fetch_add(1, Ordering::SeqCst);
                cuff.uplink("2A35", &blood_pressure(100 + number)).await.expect(201);
            }
        }
    });
    let check = afferent(&app.database, &["rotate-keys", "--check"], &both).await;
    assert_eq!(check.status.code(), Some(1), "{}", said(&check));
    assert!(said(&check).contains("still needed") && said(&check).contains("1 device variables"), "{}", said(&check));
    // The old key does not do it: it would have to open what is sealed with the new one, too.
    let rotated = afferent(&app.database, &["rotate-keys", "--master"], &both).await;
    assert!(rotated.status.success(), "{}", said(&rotated));
    assert!(said(&rotated).contains("No other key is needed"), "{}", said(&rotated));
    // Again is nothing.
    let again = afferent(&app.database, &["rotate-keys", "--master"], &both).await;
    assert!(said(&again).contains("device variables: 0 sealed anew"), "{}", said(&again));
    // A new data key on top; the server uses it within a minute, and opens both.
    let made = afferent(&app.database, &["rotate-keys"], &both).await;
    assert!(said(&made).contains("Made the data key 2"), "{}", said(&made));
    stop.cancel();
    load.await.unwrap();
    assert!(AtomicU32::load(&sent, Ordering::SeqCst) > 3, "the load was too small to show anything");
    assert_eq!(server.terminate().await, Some(0));

    // The new key alone: everything opens.
    let only = [("AFFERENT_SECRET_KEY", NEXT)];
    assert!(afferent(&app.database, &["rotate-keys", "--check"], &only).await.status.success());
    let after = TestApp::on(app.database.clone(), &only).await;
    let admin = Actor::new(after.url(""), clinic.admin.token.clone());
    // 201: its variables were opened, which every uplink of the device needs.
    Actor::new(after.url(""), clinic.cuff.token.clone()).uplink("2A35", &blood_pressure(9_000)).await.expect(201);
    let again = admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(200);
    assert_eq!(again["outcome"], "undecodable");
    let mut conn = connect(&app.database.superuser_url).await;
    assert_eq!(count(&mut conn, "(SELECT count(DISTINCT key_id) FROM uplink_body)").await, 2);
    credential_opens(&mut conn, &after).await;
    // The old key alone: refused at the start.
    let error = try_start(&app.database, &[("AFFERENT_SECRET_KEY", KEY)]).await.err().unwrap();
    assert!(error.contains(&after.app.sealer.key().to_string()), "{error}");
}

async fn credential_opens(conn: &mut AsyncPgConnection, after: &TestApp) {
    #[derive(QueryableByName)]
    struct Credential {
        #[diesel(sql_type = Text)]
        place: String,
        #[diesel(sql_type = Bytea)]
        sealed: Vec<u8>,
    }
    let row: Credential = diesel::sql_query(
        "SELECT format('endpoint.auth/%s/%s', tenant_id, id) AS place, auth_sealed AS sealed FROM endpoint",
    )
    .get_result(conn)
    .await
    .unwrap();
    assert_eq!(after.app.sealer.open(&row.place, &row.sealed).unwrap(), b"secret-of-the-ehr");
    assert!(Sealer::new(b"0123456789abcdef0123456789abcdef").open(&row.place, &row.sealed).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_made_by_one_server_is_found_by_the_other() {
    let app = TestApp::start().await;
    let second = TestApp::on(app.database.clone(), &[]).await;
    let clinic = app.clinic("north").await;
    // One key for both at first: the second found the first's.
    let mut conn = connect(&app.database.superuser_url).await;
    assert_eq!(count(&mut conn, "(SELECT count(*) FROM data_key)").await, 1);
    let made = second.app.data_keys.rotate(&second.app.db, &second.app.sealer, None).await.unwrap();
    assert_eq!(made, Some(2));
    let cuff = Actor::new(second.url(""), clinic.cuff.token.clone());
    let uplink = cuff.uplink("FFFF", &blood_pressure(1)).await.expect(202)["uplink"].as_str().unwrap().to_owned();
    assert_eq!(count(&mut conn, "(SELECT count(*) FROM uplink_body WHERE key_id = 2)").await, 1);
    // The first server has not heard of key 2: it looks.
    let answer = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await.expect(200);
    assert_eq!(answer["outcome"], "undecodable");
    clinic.cuff.uplink("FFFF", &blood_pressure(2)).await.expect(202);
    assert_eq!(count(&mut conn, "(SELECT count(*) FROM uplink_body WHERE key_id = 2)").await, 2);
    // By age: a young key stays, an old one is followed by one, also when two servers notice at once.
    conn.batch_execute("UPDATE data_key SET created_at = created_at - interval '31 days'").await.unwrap();
    app.app.data_keys.refresh(&app.app.db, &app.app.sealer).await.unwrap();
    second.app.data_keys.refresh(&second.app.db, &second.app.sealer).await.unwrap();
    tokio::join!(
        afferent::commands::serve::maintenance::once(&app.app),
        afferent::commands::serve::maintenance::once(&second.app)
    );
    afferent::commands::serve::maintenance::once(&app.app).await;
    assert_eq!(count(&mut conn, "(SELECT count(*) FROM data_key)").await, 3);
    assert_eq!(count(&mut conn, "(SELECT count(*) FROM data_key WHERE retired_at IS NULL)").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_moved_to_another_row_do_not_open() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let uplink =
        clinic.cuff.uplink("FFFF", &blood_pressure(1)).await.expect(202)["uplink"].as_str().unwrap().to_owned();
    let other = clinic.cuff.uplink("FFFF", &blood_pressure(2)).await.expect(202)["uplink"].as_str().unwrap().to_owned();
    let mut conn = connect(&app.database.superuser_url).await;
    conn.batch_execute(&format!(
        "UPDATE uplink_body SET body = (SELECT body FROM uplink_body WHERE uplink_id = '{other}') WHERE uplink_id = '{uplink}'"
    ))
    .await
    .unwrap();
    let answer = clinic.admin.post(&format!("/api/v1/quarantine/{uplink}/replay"), json!({})).await;
    assert_eq!(answer.status, 500, "a body under another uplink's name must not be read: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_whose_key_is_lost_goes_on_without_what_it_sealed() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    clinic.cuff.uplink("FFFF", &blood_pressure(2)).await.expect(202);
    let change = json!({ "variables": { "bindKey": "0011" } });
    clinic.admin.patch(&format!("/api/v1/devices/{}", clinic.device), change).await.expect(200);
    let wish = json!({ "tenant": clinic.tenant, "name": "e", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "bearer", "token": "secret-of-the-ehr" } });
    let endpoint = clinic.admin.post("/api/v1/endpoints", wish).await.expect(201)["id"].as_str().unwrap().to_owned();
    let lost = app.app.sealer.key().to_string();
    // A key that is there is not given up.
    let refused = afferent(&app.database, &["rotate-keys", "--abandon", &lost], &[("AFFERENT_SECRET_KEY", KEY)]).await;
    assert!(!refused.status.success() && said(&refused).contains("is known here"), "{}", said(&refused));

    let only = [("AFFERENT_SECRET_KEY", NEXT)];
    assert!(try_start(&app.database, &only).await.is_err());
    let done = afferent(&app.database, &["rotate-keys", "--abandon", &lost], &only).await;
    assert!(done.status.success(), "{}", said(&done));
    for words in [
        "device variables: 1 given up",
        "endpoint credentials: 1 given up",
        "data keys: 1 given up",
        "1 closed as expired",
    ] {
        assert!(said(&done).contains(words), "{words} is not in {}", said(&done));
    }
    let after = TestApp::on(app.database.clone(), &only).await;
    let admin = Actor::new(after.url(""), clinic.admin.token.clone());
    assert_eq!(admin.get("/api/v1/quarantine?state=expired").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let endpoint = admin.get(&format!("/api/v1/endpoints/{endpoint}")).await.expect(200);
    assert_eq!(endpoint["active"], false, "nothing is sent without the credential");
    Actor::new(after.url(""), clinic.cuff.token.clone()).uplink("2A35", &blood_pressure(3)).await.expect(201);
    assert_eq!(clinic.count("").await, 4, "what was stored is all there");
}
