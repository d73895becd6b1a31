//! Decoding again: replays that correct what is stored, and decoder versions that run beside the one that serves.

mod corrections;
mod hubs;
mod jobs;
mod people;
mod shadow;

use afferent::identity::Role;
use serde_json::{Value, json};

use crate::support::{Actor, Clinic, TempDir, TestApp, eventually};

/// The tests' decoder in another version: the version stands in its data.
pub fn versioned(version: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(env!("VERSIONED_DECODER")).unwrap();
    let mark = b"versioned-decoder=1.0.0";
    let places: Vec<usize> = (0..bytes.len() - mark.len()).filter(|at| bytes[*at..].starts_with(mark)).collect();
    let [place] = places[..] else { panic!("the version stands in the data once, not {} times", places.len()) };
    let wanted = format!("versioned-decoder={version}");
    assert_eq!(wanted.len(), mark.len());
    bytes[place..place + mark.len()].copy_from_slice(wanted.as_bytes());
    bytes
}

/// A server with some versions of the tests' decoder, and a clinic whose patient wears a scale of the model `versioned`.
pub struct Ward {
    pub app: TestApp,
    pub clinic: Clinic,
    pub device: String,
    pub scale: Actor,
    decoders: TempDir,
}

fn folder(versions: &[&str]) -> TempDir {
    let decoders = TempDir::new();
    for version in versions {
        std::fs::write(decoders.path().join(format!("versioned-{version}.wasm")), versioned(version)).unwrap();
    }
    decoders
}

impl Ward {
    /// With version 1, which is wrong.
    pub async fn start() -> Self {
        let decoders = folder(&["1.0.0"]);
        let app = TestApp::start_with(&[("AFFERENT_DECODER_DIR", decoders.path().to_str().unwrap())]).await;
        let clinic = app.clinic("north").await;
        let (device, scale) = clinic.device("versioned", "SCALE").await;
        clinic.assign(&device, &clinic.patient, "2020-01-01T00:00:00Z", None).await;
        Self { app, clinic, device, scale, decoders }
    }

    /// The same database behind a server with these versions; the newest serves.
    pub async fn with(self, versions: &[&str]) -> Self {
        let decoders = folder(versions);
        let database = self.app.database.clone();
        let app = TestApp::on(database, &[("AFFERENT_DECODER_DIR", decoders.path().to_str().unwrap())]).await;
        let here = |actor: &Actor| Actor::new(app.url(""), actor.token.clone());
        let clinic = Clinic { admin: here(&self.clinic.admin), cuff: here(&self.clinic.cuff), ..self.clinic };
        let scale = here(&self.scale);
        Self { app, clinic, device: self.device, scale, decoders }
    }

    /// Another server like this one, on the same database.
    pub async fn with_second(&self) -> TestApp {
        let folder = self.decoders.path().to_str().unwrap().to_owned();
        TestApp::on(self.app.database.clone(), &[("AFFERENT_DECODER_DIR", &folder)]).await
    }

    /// Sends records; the answer, whatever its status.
    pub async fn send(&self, lines: &str) -> Value {
        self.scale.uplink("", lines.as_bytes()).await.json()
    }

    /// A replay, when it is done.
    pub async fn replay(&self, scope: Value, dry_run: bool) -> Value {
        let wish = json!({ "scope": scope, "dryRun": dry_run, "reason": "version 1 was wrong" });
        let begun = self.clinic.admin.post("/api/v1/replays", wish).await.expect(202);
        self.done(&begun).await
    }

    pub async fn done(&self, replay: &Value) -> Value {
        let path = format!("/api/v1/replays/{}", replay["id"].as_str().unwrap());
        eventually("the replay to be done", || async {
            let replay = self.clinic.admin.get(&path).await.expect(200);
            (replay["state"] == "done").then_some(replay)
        })
        .await
    }

    pub async fn items(&self, actor: &Actor, replay: &Value) -> Vec<Value> {
        let path = format!("/api/v1/replays/{}/items?limit=500", replay["id"].as_str().unwrap());
        actor.get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }

    /// The value of an Observation, as it was written.
    pub async fn value(&self, id: &str) -> (String, String, String) {
        let one = self.clinic.observation(id).await;
        let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
        (text(&one["valueQuantity"]["value"]), text(&one["status"]), text(&one["meta"]["versionId"]))
    }

    pub async fn member(&self, role: Role) -> Actor {
        self.app.member(role, &self.clinic.tenant).await
    }
}

/// The first Observation of a receipt.
pub fn observation(receipt: &Value) -> String {
    receipt["observations"][0].as_str().unwrap_or_else(|| panic!("no Observation in {receipt}")).to_owned()
}

/// Everything of the model, with the version that is right.
pub fn all() -> Value {
    json!({ "models": ["versioned"], "decoder": { "name": "versioned-decoder", "version": "2.0.0" } })
}
