//! `afferent provision`, as scripts call it: the last word of its output is a token that works.

use std::process::{Command, Output};

use crate::support::{TestApp, TestDatabase};

async fn provision(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
    command.args(["provision", "token"]).args(arguments).env("DATABASE_URL", &database.superuser_url);
    command.env("AFFERENT_DATA_DIR", "/nonexistent");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn last_word(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().last().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provisioned_token_works_while_the_server_runs() {
    let app = TestApp::start().await;
    let clinic = app.clinic("north").await;
    let admin = last_word(&provision(&app.database, &["--role", "platform-admin"]).await);
    app.anonymous().with_token(&admin).get("/api/v1/tenants").await.expect(200);
    let own = last_word(&provision(&app.database, &["--role", "customer-user", "--tenant", &clinic.tenant]).await);
    let user = app.anonymous().with_token(&own);
    user.get(&format!("/api/v1/devices/{}", clinic.device)).await.expect(200);
    user.get(&format!("{}/Patient/{}", clinic.fhir, clinic.patient)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_a_tenant_that_do_not_fit_are_refused_with_the_reason() {
    let app = TestApp::start().await;
    let unknown = uuid::Uuid::now_v7().to_string();
    for (arguments, said) in [
        (vec!["--role", "customer-admin"], "needs a tenant"),
        (vec!["--role", "customer-admin", "--tenant", &unknown], "no such tenant"),
        (vec!["--role", "emperor"], "is not a role"),
    ] {
        let output = provision(&app.database, &arguments).await;
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}
