//! Row-level security alone: with the application's own conditions left out, no foreign row is seen, changed or written.

use afferent::identity::Role;
use db::{TenantId, TenantScope};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde_json::json;

use crate::support::{TestApp, blood_pressure, connect, eventually, weight};

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    forced: bool,
    #[diesel(sql_type = Bool)]
    partition: bool,
    #[diesel(sql_type = BigInt)]
    policies: i64,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Tables that have a tenant_id and lie outside tenant security on purpose (docs/decisions/0002).
const OUTSIDE: [&str; 2] = ["api_token", "source_credential"];

async fn tenant_tables(url: &str) -> Vec<Table> {
    diesel::sql_query(
        "SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced, c.relispartition AS partition, \
                (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_scope') AS policies \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1",
    )
    .load(&mut connect(url).await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_table_has_forced_row_level_security() {
    let app = TestApp::start().await;
    let tables = tenant_tables(&app.database.superuser_url).await;
    assert!(tables.len() > 20, "the question itself is wrong");
    for table in tables.iter().filter(|table| !OUTSIDE.contains(&table.name.as_str())) {
        assert!(
            table.forced,
            "{} has a tenant_id and no forced row-level security: add it to the migration's list, or to OUTSIDE with a decision",
            table.name
        );
        // Partitions are reached through their parent; with security on and no policy, directly they show nothing.
        assert!(table.partition || table.policies == 1, "{} has no policy tenant_scope", table.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_sees_nothing_of_another_tenant_in_any_table() {
    let app = TestApp::start().await;
    let (north, south) = (app.clinic("north").await, app.clinic("south").await);
    fill(&app, &north).await;

    let tables = tenant_tables(&app.database.superuser_url).await;
    let scope = TenantScope::one(south.tenant.parse::<TenantId>().unwrap());
    for table in tables.iter().filter(|table| !OUTSIDE.contains(&table.name.as_str()) && !table.partition) {
        let name = &table.name;
        let count = format!("SELECT count(*) AS count FROM {name} WHERE tenant_id = '{}'", north.tenant);
        let there: Counted =
            diesel::sql_query(&count).get_result(&mut connect(&app.database.superuser_url).await).await.unwrap();
        assert!(there.count > 0, "{name} is empty for the tenant: the test shows nothing there; fill it");

        // No condition on the tenant: everything that the policy lets through.
        let mut transaction = scope.begin(&app.app.db).await.unwrap();
        let foreign: Counted =
            diesel::sql_query(format!("SELECT count(*) AS count FROM {name} WHERE tenant_id <> '{}'", south.tenant))
                .get_result(&mut *transaction)
                .await
                .unwrap();
        assert_eq!(foreign.count, 0, "{name} shows foreign rows");
        let deleted = diesel::sql_query(format!("DELETE FROM {name} WHERE tenant_id = '{}'", north.tenant))
            .execute(&mut *transaction)
            .await;
        // Append-only tables may not be deleted from at all; the refusal ends the transaction.
        if deleted.is_err() {
            transaction.rollback().await.unwrap();
            transaction = scope.begin(&app.app.db).await.unwrap();
        }
        assert!(deleted.is_err() || deleted == Ok(0), "{name} lets foreign rows be deleted");
        let moved = diesel::sql_query(format!("UPDATE {name} SET tenant_id = '{}'", north.tenant))
            .execute(&mut *transaction)
            .await;
        assert!(moved.is_err() || moved == Ok(0), "{name} lets rows be moved to another tenant");
        transaction.rollback().await.unwrap();

        // Without any scope: nothing at all.
        let mut transaction = app.app.db.begin_platform().await.unwrap();
        let any: Counted = diesel::sql_query(format!("SELECT count(*) AS count FROM {name}"))
            .get_result(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(any.count, 0, "{name} shows rows without a scope");
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_a_transaction_the_login_reads_nothing() {
    let app = TestApp::start().await;
    let mut conn = connect(&app.database.server_url).await;
    for table in ["observation", "tenant", "api_token", "uplink"] {
        let refused = conn.batch_execute(&format!("SELECT 1 FROM {table}")).await;
        assert!(refused.unwrap_err().to_string().contains("permission denied"), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_voids_the_policies_is_refused_at_start() {
    let app = TestApp::start().await;
    // Roles belong to the whole cluster, which other tests use: ownership of a table belongs to this database alone.
    let mut conn = connect(&app.database.superuser_url).await;
    conn.batch_execute("ALTER TABLE endpoint_patient OWNER TO afferent_app").await.unwrap();
    let refused = app.app.db.check_roles().await.unwrap_err();
    assert!(refused.to_string().contains("owns tenant tables: true"), "{refused}");
}

/// At least one row of the tenant in every table.
async fn fill(app: &TestApp, clinic: &crate::support::Clinic) {
    let platform = app.platform_admin().await;
    platform.get("/api/v1/tenants").await.expect(200);
    clinic.cuff.uplink("2A35", &blood_pressure(1)).await.expect(201);
    clinic.cuff.uplink("2A35", &[1]).await.expect(202);
    let (scale, sender) = clinic.device("gatt-2A9D", "SCALE").await;
    sender.uplink("2A9D", &weight(14_000)).await.expect(202);
    let hub = clinic
        .admin
        .post(
            "/api/v1/hubs",
            json!({ "tenant": clinic.tenant, "model": "any-hub", "serial": "H1", "name": "ward", "active": true }),
        )
        .await
        .expect(201);
    let answer =
        clinic.admin.put(&format!("/api/v1/hubs/{}/devices/{scale}", hub["id"].as_str().unwrap()), json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    crate::apps::Phone::pair(clinic).await;
    // A vendor that notifies: a link for an owner, an account with tokens, and its subscription, which nobody answers.
    let feed = json!({ "tenant": clinic.tenant, "name": "cloud", "format": "withings", "authentication": { "kind": "query", "parameter": "key" },
        "client": { "clientId": "us", "clientSecret": "secret-of-ours", "apiUrl": "http://127.0.0.1:9" }, "active": true });
    let feed = clinic.admin.post("/api/v1/feeds", feed).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (account, _) = clinic.device("withings", "ACCOUNT").await;
    clinic.admin.post(&format!("/api/v1/feeds/{feed}/consents"), json!({ "device": account })).await.expect(201);
    let tokens = json!({ "accessToken": "access", "refreshToken": "refresh", "expiresAt": "2099-01-01T00:00:00Z" });
    let wish = json!({ "externalId": "29", "device": account, "tokens": tokens });
    clinic.admin.post(&format!("/api/v1/feeds/{feed}/accounts"), wish).await.expect(201);
    // What a device sent that is not paired with its hub.
    let gateway = clinic.hub("any-hub", "H2").await;
    gateway.send(json!([{ "device": "AA:BB:CC:DD:EE:FF", "channel": "2A9D", "hex": "00b036" }])).await.expect(202);
    // An EHR that nobody answers for: deliveries wait, a lane is leased.
    let wish = json!({ "tenant": clinic.tenant, "name": "away", "kind": "fhir", "url": "http://127.0.0.1:9/fhir", "auth": { "kind": "bearer", "token": "secret-of-the-ehr" } });
    let endpoint = clinic.admin.post("/api/v1/endpoints", wish).await.expect(201);
    let endpoint = endpoint["id"].as_str().unwrap();
    let mapping = json!({ "system": "urn:example:ehr", "value": "E-1" });
    let answer = clinic.admin.put(&format!("/api/v1/endpoints/{endpoint}/patients/{}", clinic.patient), mapping).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    clinic.cuff.uplink("2A35", &blood_pressure(2)).await.expect(201);
    // A patient with another name, date and managing organisation: every kind of index, and a superseded version.
    let patient = json!({
        "resourceType": "Patient", "id": clinic.patient,
        "identifier": [{ "system": clinic.record_number.0, "value": clinic.record_number.1 }],
        "name": [{ "family": "Changed" }], "birthDate": "1960-05-18",
        "generalPractitioner": [{ "reference": "Practitioner/p1" }],
    });
    clinic.admin.put(&format!("{}/Patient/{}", clinic.fhir, clinic.patient), patient).await.expect(200);
    let observation = json!({
        "resourceType": "Observation", "status": "final", "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }] },
        "identifier": [{ "system": "urn:a", "value": "1" }, { "system": "urn:b", "value": "2" }],
        "subject": { "reference": format!("Patient/{}", clinic.patient) }, "effectiveDateTime": "2025-01-01",
        "valueQuantity": { "value": 70.50, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" },
    });
    clinic.admin.post(&format!("{}/Observation", clinic.fhir), observation).await.expect(201);
    let user = app.member(Role::CustomerUser, &clinic.tenant).await;
    user.get(&format!("{}/Patient", clinic.fhir)).await.expect(200);
    let wish = json!({ "tenant": clinic.tenant, "name": "b", "url": "mqtt://127.0.0.1:9", "active": false });
    platform.post("/api/v1/mqtt-connections", wish).await.expect(201);
    // What takes a while on its own, or has no way in yet.
    let mut conn = connect(&app.database.superuser_url).await;
    conn.batch_execute(&format!(
        "INSERT INTO delivery_log (tenant_id, id, finished_at, endpoint_id, resource_type, resource_id, version, attempts, created_at, outcome) \
         VALUES ('{tenant}', gen_random_uuid(), now(), '{endpoint}', 'Observation', 'x', 1, 1, now(), 'delivered'); \
         INSERT INTO resource_reference (tenant_id, type, parameter, target_type, target_id, id) \
         VALUES ('{tenant}', 'Patient', 'general-practitioner', 'Practitioner', 'p1', '{patient}') ON CONFLICT DO NOTHING; \
         INSERT INTO uplink_body_kept (tenant_id, uplink_id, received_at, key_id, body) \
         SELECT tenant_id, uplink_id, received_at, key_id, body FROM uplink_body WHERE tenant_id = '{tenant}' LIMIT 1",
        tenant = clinic.tenant, patient = clinic.patient,
    ))
    .await
    .unwrap();
    // The record of a held reading, a correction under way, and what is known of a clock.
    let held = clinic.admin.get("/api/v1/held-readings").await.expect(200)["items"][0]["id"].clone();
    let discard = json!({ "reason": "a test weight" });
    clinic.admin.post(&format!("/api/v1/held-readings/{}/discard", held.as_str().unwrap()), discard).await.expect(200);
    conn.batch_execute(&format!(
        "INSERT INTO reassignment (tenant_id, id, device_id, slot, patient_id, period_from, reason, token_id, take_unassigned, state, created_at, updated_at) \
         VALUES ('{tenant}', '{job}', '{device}', '', '{patient}', now(), 'x', gen_random_uuid(), false, 'done', now(), now()); \
         INSERT INTO reassignment_item (tenant_id, reassignment_id, observation_id, assignment_id) \
         VALUES ('{tenant}', '{job}', 'x', gen_random_uuid()); \
         INSERT INTO assignment_history (tenant_id, id, assignment_id, device_id, slot, patient_id, worn_from, reassignment_id, replaced_at) \
         VALUES ('{tenant}', gen_random_uuid(), gen_random_uuid(), '{device}', '', '{patient}', now(), '{job}', now()); \
         INSERT INTO waiting_frames (tenant_id, device_id, uplink_id, received_at, expires_at) \
         VALUES ('{tenant}', '{device}', gen_random_uuid(), now(), now() + interval '1 hour'); \
         INSERT INTO device_clock (tenant_id, device_id, offset_ms, spread_ms, samples, state, measured_at, updated_at) \
         VALUES ('{tenant}', '{device}', 0, 0, 1, 'settling', now(), now()) ON CONFLICT DO NOTHING; \
         INSERT INTO replay (tenant_id, id, scope, dry_run, reason, token_id, state, created_at, updated_at) \
         VALUES ('{tenant}', '{job}', '{{}}', true, 'x', gen_random_uuid(), 'done', now(), now()); \
         INSERT INTO replay_item (tenant_id, replay_id, id, uplink_id, action) \
         VALUES ('{tenant}', '{job}', gen_random_uuid(), gen_random_uuid(), 'skipped'); \
         INSERT INTO shadow_key (tenant_id, shadow_id, device_id, new_key, old_key, uplink_id, received_at, kind, measured_at) \
         VALUES ('{tenant}', '{job}', '{device}', 'a', 'b', gen_random_uuid(), now(), 'body-weight', now())",
        tenant = clinic.tenant, device = clinic.device, patient = clinic.patient, job = uuid::Uuid::now_v7(),
    ))
    .await
    .unwrap();
    eventually("a lane to be leased", || async {
        let leased: Counted = diesel::sql_query("SELECT count(*) AS count FROM lane_lease")
            .get_result(&mut connect(&app.database.superuser_url).await)
            .await
            .unwrap();
        (leased.count > 0).then_some(())
    })
    .await;
}
