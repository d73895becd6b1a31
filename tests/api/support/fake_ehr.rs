//! An EHR that fails on demand: takes FHIR transactions with conditional creates and updates, answers searches by
//! identifier, and keeps what it took, so that a test can count.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};

/// What happens to the next transaction.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is not looked at; the answer has this status and no body.
    Status(u16),
    /// The same, with `Retry-After` in seconds.
    RetryAfter(u16, u32),
    /// It is stored, and no answer comes.
    StoreAndHang,
    /// It is stored, and the answer has this status.
    StoreAndFail(u16),
    /// It is stored, and the answer is a success with a web page.
    StoreAndJunk,
    /// It is stored, and the answer is a success without its last entry.
    StoreAndShorten,
}

/// What an EHR has, and how it behaves.
#[derive(Debug, Default)]
pub struct State {
    /// The Observations it took, with ids of its own.
    pub observations: Vec<Value>,
    /// The Patients it created.
    pub patients: Vec<Value>,
    /// One for each of the next transactions.
    pub faults: VecDeque<Fault>,
    /// Transactions with an Observation of this value are refused with 422.
    pub refused_value: Option<i64>,
    /// Every conditional create creates.
    pub ignores_conditions: bool,
    /// What `Authorization` has to be; anything when `None`.
    pub token: Option<String>,
    /// Identifier values of Patients it knows; everybody when `None`.
    pub knows: Option<Vec<String>>,
    /// Every transaction it was sent, and when.
    pub transactions: Vec<(std::time::Instant, Value)>,
    /// Searches it answered.
    pub searches: usize,
}

/// A running EHR.
pub struct FakeEhr {
    state: Arc<Mutex<State>>,
    pub address: SocketAddr,
    server: ServerHandle,
}

impl FakeEhr {
    pub async fn start() -> Self {
        Self::run(Arc::default(), TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn run(state: Arc<Mutex<State>>, listener: TcpListener) -> Self {
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

    /// Its FHIR base.
    pub fn url(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Stops listening; what it has is kept.
    pub async fn stop(&self) {
        self.server.stop(false).await;
    }

    /// Listens again at the same address.
    pub fn restart(self) -> Self {
        Self::run(self.state, TcpListener::bind(self.address).unwrap())
    }

    /// How many Observations it has, and how many different identifiers they have.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let identifiers: std::collections::HashSet<String> =
            state.observations.iter().map(|one| one["identifier"].to_string()).collect();
        (state.observations.len(), identifiers.len())
    }
}

async fn transaction(request: HttpRequest, body: Bytes, state: Data<Mutex<State>>) -> HttpResponse {
    let bundle: Value = serde_json::from_slice(&body).unwrap();
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let (fault, answer) = {
        let mut state = state.lock().unwrap();
        state.transactions.push((std::time::Instant::now(), bundle.clone()));
        if state.token.is_some() && state.token != authorization {
            return outcome(401, "login", "who are you?");
        }
        let fault = state.faults.pop_front();
        if let Some(Fault::Status(status) | Fault::RetryAfter(status, _)) = fault {
            let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
            if let Some(Fault::RetryAfter(_, seconds)) = fault {
                response.insert_header(("Retry-After", seconds.to_string()));
            }
            return response.finish();
        }
        (fault, state.take(&bundle))
    };
    let mut answers = match answer {
        Ok(answers) => answers,
        Err(refusal) => return refusal,
    };
    match fault {
        Some(Fault::StoreAndHang) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            HttpResponse::Ok().finish()
        }
        Some(Fault::StoreAndFail(status)) => HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        Some(Fault::StoreAndJunk) => HttpResponse::Ok().content_type("text/html").body("<html>Welcome</html>"),
        other => {
            if matches!(other, Some(Fault::StoreAndShorten)) {
                answers.pop();
            }
            let bundle = json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": answers });
            HttpResponse::Ok().content_type("application/fhir+json").body(bundle.to_string())
        }
    }
}

impl State {
    /// Takes a transaction as a whole, or refuses it as a whole.
    #[expect(clippy::result_large_err, reason = "an answer is an answer; nothing here is fast")]
    fn take(&mut self, bundle: &Value) -> Result<Vec<Value>, HttpResponse> {
        let entries = bundle["entry"].as_array().unwrap();
        for entry in entries {
            let resource = &entry["resource"];
            assert_eq!(resource["id"], Value::Null, "ids are the receiver's to give");
            let systolic = resource["component"][0]["valueQuantity"]["value"].as_i64();
            if self.refused_value.is_some() && systolic == self.refused_value {
                return Err(outcome(422, "business-rule", "this value is not plausible for Tessa Tester"));
            }
            let subject = resource["subject"]["reference"].as_str().unwrap_or_default();
            if let (Some(known), Some(query)) = (&self.knows, subject.strip_prefix("Patient?")) {
                let (_system, value) = identifier(query);
                if !known.contains(&value) {
                    return Err(outcome(404, "not-found", "no Patient matches"));
                }
            }
        }
        Ok(entries.iter().map(|entry| self.take_entry(entry)).collect())
    }

    fn take_entry(&mut self, entry: &Value) -> Value {
        let (request, mut resource) = (&entry["request"], entry["resource"].clone());
        let ignores = self.ignores_conditions;
        let shelf = if resource["resourceType"] == "Patient" { &mut self.patients } else { &mut self.observations };
        let kind = resource["resourceType"].as_str().unwrap().to_owned();
        let (condition, update) = match request["method"].as_str().unwrap() {
            "POST" => (request["ifNoneExist"].as_str().unwrap().to_owned(), false),
            "PUT" => (request["url"].as_str().unwrap().split_once('?').unwrap().1.to_owned(), true),
            other => panic!("{other} is not used"),
        };
        let wanted = identifier(&condition);
        let present = shelf.iter().position(|one| has(one, &wanted));
        match present {
            Some(at) if update => {
                let id = shelf[at]["id"].clone();
                resource["id"] = id.clone();
                shelf[at] = resource;
                json!({ "response": { "status": "200 OK", "location": format!("{kind}/{}", id.as_str().unwrap()) } })
            }
            Some(at) if !ignores => {
                json!({ "response": { "status": "200", "location": format!("{kind}/{}", shelf[at]["id"].as_str().unwrap()) } })
            }
            _ => {
                let id = format!("ehr-{}", shelf.len() + 1);
                resource["id"] = json!(id);
                shelf.push(resource);
                json!({ "response": { "status": "201 Created", "location": format!("{kind}/{id}/_history/1") } })
            }
        }
    }
}

async fn search(request: HttpRequest, state: Data<Mutex<State>>) -> HttpResponse {
    let mut state = state.lock().unwrap();
    state.searches += 1;
    let wanted = identifier(request.query_string());
    let entries: Vec<Value> =
        state.observations.iter().filter(|one| has(one, &wanted)).map(|one| json!({ "resource": one })).collect();
    let bundle = json!({ "resourceType": "Bundle", "type": "searchset", "total": entries.len(), "entry": entries });
    HttpResponse::Ok().content_type("application/fhir+json").body(bundle.to_string())
}

/// System and value of `identifier=system|value`.
fn identifier(query: &str) -> (String, String) {
    let token =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "identifier").unwrap().1.into_owned();
    let (system, value) = token.split_once('|').unwrap();
    (system.to_owned(), value.to_owned())
}

fn has(resource: &Value, (system, value): &(String, String)) -> bool {
    let identifiers = resource["identifier"].as_array().unwrap();
    identifiers.iter().any(|one| one["system"] == system.as_str() && one["value"] == value.as_str())
}

fn outcome(status: u16, code: &str, words: &str) -> HttpResponse {
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": code, "diagnostics": words }] });
    HttpResponse::build(StatusCode::from_u16(status).unwrap())
        .content_type("application/fhir+json")
        .body(outcome.to_string())
}
