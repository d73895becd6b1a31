//! What is taken and what is refused, with the reason.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{states, upload};
use crate::support::{TempDir, TestApp, versioned};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_becomes_a_draft_and_its_bytes_never_change() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let component = versioned("1.0.0", 'R');
    let stored = upload(&admin, component.clone()).await;
    assert_eq!(stored.header("Location"), Some("/api/v1/plugins/versioned-scale/versions/1.0.0"));
    let stored = stored.expect(201);
    assert_eq!((&stored["state"], &stored["origin"]), (&json!("draft"), &json!("registry")));
    assert_eq!(stored["models"], json!(["versioned-scale", "versioned-scale-plus"]));
    assert_eq!(stored["size"], component.len());
    assert!(stored["examination"]["mostFuel"].as_u64().unwrap() > 0);
    assert_eq!(stored["author"], "test");

    // The same bytes again are the same version; other bytes under its number are refused.
    let again = upload(&admin, component.clone()).await.expect(200);
    assert_eq!(again["id"], stored["id"]);
    let other = upload(&admin, versioned("1.0.0", 'W')).await.expect(409);
    assert_eq!(other["code"], "plugin.version");
    let there = admin.get("/api/v1/plugins/versioned-scale/versions/1.0.0/component").await;
    assert_eq!((there.status.as_u16(), there.header("Content-Type")), (200, Some("application/wasm")));
    assert_eq!(states(&admin).await, [("1.0.0".to_owned(), "draft".to_owned())]);

    // A draft decodes nothing: no device can be of its model.
    let clinic = app.clinic("north").await;
    let wish = json!({ "tenant": clinic.tenant, "model": "versioned-scale", "serial": "1", "active": true });
    let refused = clinic.admin.post("/api/v1/devices", wish).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/model");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_refused_with_the_reason_and_where() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    for (component, code, words) in [
        (b"no component".to_vec(), "plugin.refused", "This component is not taken"),
        (Vec::new(), "plugin.empty", "the bytes of the .wasm file"),
        (versioned("1.0.0", 'X'), "plugin.refused", "a weight"),
        (versioned("one", 'R'), "plugin.refused", "the version is no semantic version"),
        (of_another_world(), "plugin.refused", "exports no `afferent:decoder` interface"),
    ] {
        let problem = upload(&admin, component).await.expect(422);
        assert_eq!(problem["code"], code, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let plugins = admin.get("/api/v1/plugins").await.expect(200);
    assert!(plugins["items"].as_array().unwrap().iter().all(|plugin| plugin["name"] != "versioned-scale"));
    // A shipped decoder's models are its own, and so is its name.
    let hostile = std::fs::read(env!("HOSTILE_DECODER")).unwrap();
    upload(&admin, hostile).await.expect(201);
}

/// A component that asks for a clock and offers no decoder, written byte by byte. (What a decoder may import, which is
/// nothing, is tried in the sandbox's own tests.)
fn of_another_world() -> Vec<u8> {
    let name = b"wasi:clocks/wall-clock@0.2.0";
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // Type section: one instance type without members.
    component.extend([7, 3, 1, 0x42, 0]);
    let mut import = vec![1, 0, u8::try_from(name.len()).unwrap()];
    import.extend(name);
    import.extend([5, 0]);
    component.extend([10, u8::try_from(import.len()).unwrap()]);
    component.extend(import);
    component
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_uploads_and_signs() {
    let app = TestApp::start().await;
    let admin = app.platform_admin().await;
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap().public_key().as_ref().to_vec();
    let wish = json!({ "name": "Scales Ltd", "publicKey": STANDARD.encode(public) });
    let vendor = admin.post("/api/v1/vendors", wish).await.expect(201);
    let tokens = format!("/api/v1/vendors/{}/tokens", vendor["id"].as_str().unwrap());
    let token = admin.post(&tokens, json!({})).await.expect(201)["token"].as_str().unwrap().to_owned();

    let folder = TempDir::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8.as_ref()));
    let (component, token, key) = (
        file("scale.wasm", &versioned("1.0.0", 'R')),
        file("token", token.as_bytes()),
        file("key.pem", pem.as_bytes()),
    );
    let server = app.url("");
    let run = async |more: Vec<std::ffi::OsString>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_afferent"));
        command.args(["plugin", "upload"]).arg(&component).arg("--server").arg(&server).arg("--token-file").arg(&token);
        command.args(more).env("AFFERENT_DATA_DIR", "/nonexistent");
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let unsigned = run(Vec::new()).await;
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unsigned.stderr).contains("sign the component"), "{unsigned:?}");
    let signed = run(vec!["--signing-key".into(), key.into()]).await;
    assert!(signed.status.success(), "{signed:?}");
    let told = String::from_utf8_lossy(&signed.stdout).into_owned();
    assert!(told.starts_with("uploaded: versioned-scale 1.0.0, a draft"), "{told}");
    assert_eq!(states(&admin).await, [("1.0.0".to_owned(), "draft".to_owned())]);
}
