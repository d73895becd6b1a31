//! TLS with the operator's own authority, user and password.

use serde_json::{Value, json};

use super::publisher::Publisher;
use super::{acknowledged, connected, create, device_topic, sessions};
use crate::support::{BrokerWish, Mosquitto, TestApp, blood_pressure, eventually};

fn authority(name: &str) -> String {
    let path = format!("{}/../tests/fixtures/mqtt/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

async fn broker() -> Mosquitto {
    let login = Some(("afferent".to_owned(), "correct horse".to_owned()));
    Mosquitto::with(BrokerWish { login, tls: true, ..BrokerWish::default() }).await
}

fn wish(broker: &Mosquitto, authority: &str, password: &str) -> Value {
    json!({
        "url": format!("mqtts://localhost:{}", broker.tls_address.port()), "caCertificates": authority,
        "userName": "afferent", "password": password,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_an_authority_of_ones_own_and_a_password() {
    let (app, broker) =
        (TestApp::start_with(&[("AFFERENT_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128")]).await, broker().await);
    let clinic = app.clinic("north").await;
    for (number, protocol) in ["3.1.1", "5"].iter().enumerate() {
        let mut more = wish(&broker, &authority("ca.pem"), "correct horse");
        more["protocol"] = json!(protocol);
        let id = create(&app, &clinic, &broker, more).await;
        connected(&app, &id).await;
        let mut device = Publisher::v5(broker.address, Some(("afferent", "correct horse")));
        device.publish(&device_topic(&clinic.device, "2A35"), &blood_pressure(u32::try_from(number).unwrap())).await;
        acknowledged(&app, &id, 1).await;
        let shown = app.platform_admin().await.get(&format!("/api/v1/mqtt-connections/{id}")).await.expect(200);
        assert_eq!((&shown["hasPassword"], shown.get("password")), (&json!(true), None));
        assert!(!shown.to_string().contains("correct horse"));
    }
    assert_eq!(clinic.count("").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_cannot_show_who_it_is_is_not_spoken_to_and_a_wrong_password_is_said() {
    let (app, broker) =
        (TestApp::start_with(&[("AFFERENT_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128")]).await, broker().await);
    let clinic = app.clinic("north").await;
    for (more, said) in [
        (wish(&broker, &authority("other-ca.pem"), "correct horse"), "TLS"),
        (wish(&broker, &authority("ca.pem"), "wrong"), "authorise"),
    ] {
        let id = create(&app, &clinic, &broker, more).await;
        let error = eventually("the failure to be shown", || async {
            let sessions = sessions(&app, &id).await;
            assert!(sessions.iter().all(|session| session["state"] != "connected"), "{sessions:?}");
            sessions[0]["lastError"].as_str().map(str::to_owned)
        })
        .await;
        assert!(error.contains(said) || (said == "authorise" && error.contains("password")), "{error}");
    }
    let problem = {
        let more =
            json!({ "tenant": clinic.tenant, "name": "b", "url": "mqtts://localhost", "caCertificates": "not PEM" });
        app.platform_admin().await.post("/api/v1/mqtt-connections", more).await.expect(422)
    };
    assert_eq!(problem["errors"][0]["pointer"], "/caCertificates");
}
