//! A device whose payload says which readings come out: the model `scripted` of the tests' own decoder.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Actor, Answer, Clinic, TempDir, TestApp, TestDatabase};

/// A server that knows the model `scripted`.
pub struct Stage {
    pub app: TestApp,
    pub clinic: Clinic,
    decoders: TempDir,
}

impl Stage {
    pub async fn start() -> Self {
        let decoders = TempDir::new();
        std::fs::copy(env!("HOSTILE_DECODER"), decoders.path().join("hostile.wasm")).unwrap();
        let app = TestApp::start_with(&[("AFFERENT_DECODER_DIR", decoders.path().to_str().unwrap())]).await;
        let clinic = app.clinic("north").await;
        Self { app, clinic, decoders }
    }

    /// Another server on the same database.
    pub async fn second(&self) -> TestApp {
        let database: TestDatabase = self.app.database.clone();
        TestApp::on(database, &[("AFFERENT_DECODER_DIR", self.decoders.path().to_str().unwrap())]).await
    }

    /// A scripted device that the clinic's patient wears since 2020: its id, and as it sends.
    pub async fn device(&self, serial: &str) -> (String, Actor) {
        let (device, actor) = self.clinic.device("scripted", serial).await;
        self.clinic.assign(&device, &self.clinic.patient, "2020-01-01T00:00:00Z", None).await;
        (device, actor)
    }
}

impl Actor {
    /// Posts one frame of a script.
    pub async fn script(&self, lines: &str) -> Answer {
        self.uplink("", lines.as_bytes()).await
    }

    /// The same, with the time at which the phone or hub got it.
    pub async fn script_captured(&self, lines: &str, captured_at: &str) -> Answer {
        let request = self
            .request(Method::POST, "/ingest/v1/uplinks")
            .header("Content-Type", "application/octet-stream")
            .header("Afferent-Captured-At", captured_at);
        self.send(request.body(lines.to_owned())).await
    }

    /// Posts an envelope of frames: script, and when it was captured.
    pub async fn script_envelope(&self, frames: &[(&str, Option<&str>)]) -> Answer {
        let frames: Vec<Value> = frames
            .iter()
            .map(|(lines, captured)| {
                let mut frame = json!({ "hex": hex::encode(lines) });
                if let Some(captured) = captured {
                    frame["capturedAt"] = json!(captured);
                }
                frame
            })
            .collect();
        let request = self
            .request(Method::POST, "/ingest/v1/uplinks")
            .header("Content-Type", "application/vnd.afferent.uplink+json");
        self.send(request.body(json!({ "frames": frames }).to_string())).await
    }
}
