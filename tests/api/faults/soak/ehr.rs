//! An EHR that counts: conditional creates are atomic, and every Observation it was sent is remembered by its identifier.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};

/// What it has: identifier value → subject, of Observations. A create of what is there is not one.
pub type Shelf = HashMap<String, String>;

#[derive(Default)]
struct State {
    shelf: Shelf,
    /// Creates without a condition that would have made twins.
    twins: usize,
}

pub struct Ehr {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    server: ServerHandle,
}

impl Ehr {
    pub fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let data = Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(16 << 20))
                .route("/fhir", web::post().to(transaction))
                .route("/fhir/Observation", web::get().to(search))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { state, address, server: handle }
    }

    pub fn url(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().shelf.len()
    }

    /// Everything it has, and how many twins it was sent.
    pub fn contents(&self) -> (Shelf, usize) {
        let state = self.state.lock().unwrap();
        (state.shelf.clone(), state.twins)
    }

    pub async fn stop(&self) {
        self.server.stop(false).await;
    }
}

async fn transaction(body: Bytes, state: Data<Mutex<State>>) -> HttpResponse {
    let bundle: Value = serde_json::from_slice(&body).unwrap();
    let mut state = state.lock().unwrap();
    let mut answers = Vec::new();
    for entry in bundle["entry"].as_array().unwrap() {
        let resource = &entry["resource"];
        assert_eq!((&resource["resourceType"], &entry["request"]["method"]), (&json!("Observation"), &json!("POST")));
        let identifier = resource["identifier"][0]["value"].as_str().unwrap().to_owned();
        let subject = resource["subject"]["reference"].as_str().unwrap().to_owned();
        let conditional =
            entry["request"]["ifNoneExist"].as_str().is_some_and(|condition| condition.contains(&identifier));
        let place = format!("Observation/{identifier}");
        let status = if let Some(before) = state.shelf.get(&identifier) {
            let twin = !conditional || *before != subject;
            state.twins += usize::from(twin);
            "200"
        } else {
            state.shelf.insert(identifier, subject);
            "201 Created"
        };
        answers.push(json!({ "response": { "status": status, "location": place } }));
    }
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": answers });
    HttpResponse::Ok().content_type("application/fhir+json").body(bundle.to_string())
}

async fn search(request: HttpRequest, state: Data<Mutex<State>>) -> HttpResponse {
    let state = state.lock().unwrap();
    let query = request.query_string().to_owned();
    let wanted = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "identifier").unwrap().1;
    let (system, value) = wanted.split_once('|').unwrap();
    let entries: Vec<Value> = state
        .shelf
        .get(value)
        .map(|_| json!({ "resource": { "resourceType": "Observation", "id": value, "identifier": [{ "system": system, "value": value }] } }))
        .into_iter()
        .collect();
    let bundle = json!({ "resourceType": "Bundle", "type": "searchset", "total": entries.len(), "entry": entries });
    HttpResponse::Ok().content_type("application/fhir+json").body(bundle.to_string())
}
