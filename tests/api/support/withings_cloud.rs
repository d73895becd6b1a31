//! A simulator of Withings' API: the token endpoint with rotation and expiry, `getmeas` and `getactivity` with pages, errors
//! on demand, and counts of what it was asked.
//!
//! Tokens as Withings documents them: a refresh gives a new pair, and the former refresh token holds until the new access
//! token is used.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};

/// What happens to the next request of a service.
#[derive(Debug, Clone)]
pub enum CloudFault {
    /// HTTP 200 with this status inside.
    Status(i64),
    /// This HTTP status.
    Http(u16),
    /// It is done, and no answer comes.
    DoAndHang,
    /// It is done, and the answer is this HTTP status.
    DoAndFail(u16),
}

/// What the cloud knows of an account.
#[derive(Debug, Default)]
pub struct Account {
    /// The access token that holds; the one that will, once it is used.
    pub access: String,
    /// Refresh tokens that hold: of the pair in use, and of one that was given and not used.
    pub refresh: Vec<String>,
    /// Measure groups, each with its `date`.
    pub groups: Vec<Value>,
    /// Days of activity.
    pub activities: Vec<Value>,
}

/// What it has, and how it behaves.
#[derive(Debug, Default)]
pub struct CloudState {
    pub accounts: HashMap<String, Account>,
    /// For the next requests for tokens.
    pub token_faults: VecDeque<CloudFault>,
    /// For the next requests for data.
    pub data_faults: VecDeque<CloudFault>,
    /// Groups of a page; all when 0.
    pub page: usize,
    /// Requests for data that were answered with data, and for tokens with tokens.
    pub served: usize,
    pub refreshed: usize,
    /// Seconds that an access token holds, as it says.
    pub expires_in: i64,
    made: usize,
}

/// The running cloud.
pub struct WithingsCloud {
    state: Arc<Mutex<CloudState>>,
    pub address: SocketAddr,
    server: ServerHandle,
}

pub const CLIENT_SECRET: &str = "the-clients-secret";

impl WithingsCloud {
    pub async fn start() -> Self {
        let state = CloudState { expires_in: 10_800, ..CloudState::default() };
        Self::run(Arc::new(Mutex::new(state)), TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn run(state: Arc<Mutex<CloudState>>, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let data = Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/v2/oauth2", web::post().to(tokens))
                .route("/measure", web::post().to(measures))
                .route("/v2/measure", web::post().to(measures))
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
        format!("http://{}", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, CloudState> {
        self.state.lock().unwrap()
    }

    /// Lets somebody in, with tokens.
    pub fn consent(&self, user: &str) -> Value {
        let mut state = self.state();
        let account = state.accounts.entry(user.to_owned()).or_default();
        (account.access, account.refresh) = (format!("access-{user}-0"), vec![format!("refresh-{user}-0")]);
        json!({ "accessToken": account.access, "refreshToken": account.refresh[0], "expiresAt": "2099-01-01T00:00:00Z" })
    }

    /// Stops listening; what it has is kept.
    pub async fn stop(&self) {
        self.server.stop(false).await;
    }

    /// Listens again at the same address.
    pub fn restart(self) -> Self {
        Self::run(self.state, TcpListener::bind(self.address).unwrap())
    }
}

async fn tokens(body: Bytes, state: Data<Mutex<CloudState>>) -> HttpResponse {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fault = state.lock().unwrap().token_faults.pop_front();
    if let Some(refusal) = fault.as_ref().and_then(refusal) {
        return refusal;
    }
    let answer = {
        let mut state = state.lock().unwrap();
        state.made += 1;
        let (made, expires_in) = (state.made, state.expires_in);
        let shown = form.get("refresh_token").cloned().unwrap_or_default();
        let is_ours = form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET)
            && form.get("action").is_some_and(|action| action == "requesttoken");
        let found = state.accounts.iter_mut().find(|(_, account)| account.refresh.contains(&shown));
        match found {
            Some((user, account)) if is_ours => {
                // The former one holds until the new access token is used.
                account.refresh.retain(|token| *token == shown);
                account.access = format!("access-{user}-{made}");
                account.refresh.push(format!("refresh-{user}-{made}"));
                let body = json!({ "userid": user, "access_token": account.access, "refresh_token": account.refresh[1], "expires_in": expires_in, "token_type": "Bearer" });
                state.refreshed += 1;
                json!({ "status": 0, "body": body })
            }
            _ => json!({ "status": 401, "error": "invalid refresh_token" }),
        }
    };
    if matches!(fault, Some(CloudFault::DoAndHang)) {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    match fault {
        Some(CloudFault::DoAndFail(status)) => http(status),
        _ => HttpResponse::Ok().json(answer),
    }
}

async fn measures(request: HttpRequest, body: Bytes, state: Data<Mutex<CloudState>>) -> HttpResponse {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fault = state.lock().unwrap().data_faults.pop_front();
    if let Some(refusal) = fault.as_ref().and_then(refusal) {
        return refusal;
    }
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.strip_prefix("Bearer ").unwrap_or_default().to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        let page = state.page;
        let Some(account) = state.accounts.values_mut().find(|account| account.access == token) else {
            return HttpResponse::Ok().json(json!({ "status": 401, "error": "invalid_token" }));
        };
        // Used: the former refresh token is forgotten.
        if account.refresh.len() > 1 {
            account.refresh.remove(0);
        }
        let number = |name: &str| form.get(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
        let body = if form.get("action").is_some_and(|action| action == "getactivity") {
            let (from, until) = (&form["startdateymd"], &form["enddateymd"]);
            let within = |day: &&Value| (from.as_str()..=until.as_str()).contains(&day["date"].as_str().unwrap());
            json!({ "activities": account.activities.iter().filter(within).collect::<Vec<_>>(), "more": false, "offset": 0 })
        } else {
            let within =
                |group: &&Value| (number("startdate")..=number("enddate")).contains(&group["date"].as_i64().unwrap());
            let found: Vec<&Value> = account.groups.iter().filter(within).collect();
            let offset = usize::try_from(number("offset")).unwrap();
            let size = if page == 0 { found.len() } else { page };
            let more = found.len() > offset + size;
            let groups: Vec<&&Value> = found.iter().skip(offset).take(size).collect();
            json!({ "timezone": "Europe/Berlin", "updatetime": 1, "measuregrps": groups, "more": u8::from(more), "offset": offset + size })
        };
        state.served += 1;
        json!({ "status": 0, "body": body })
    };
    if matches!(fault, Some(CloudFault::DoAndHang)) {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    match fault {
        Some(CloudFault::DoAndFail(status)) => http(status),
        _ => HttpResponse::Ok().json(answer),
    }
}

fn refusal(fault: &CloudFault) -> Option<HttpResponse> {
    match fault {
        CloudFault::Status(status) => {
            Some(HttpResponse::Ok().json(json!({ "status": status, "error": "as scripted" })))
        }
        CloudFault::Http(status) => Some(http(*status)),
        CloudFault::DoAndHang | CloudFault::DoAndFail(_) => None,
    }
}

fn http(status: u16) -> HttpResponse {
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish()
}
