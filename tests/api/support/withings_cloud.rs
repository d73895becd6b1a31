//! A simulator of Withings' API: consent with codes that are used once, the token endpoint with rotation and expiry, `getmeas`
//! and `getactivity` with pages, subscriptions that probe their address, errors on demand, and counts of what it was asked.
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
    /// Kinds of data that are announced, and where.
    pub subscriptions: Vec<(u32, String)>,
    /// Measure groups, each with its `date`, and `modified` where that is later.
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
    /// Codes that were given: whose, and for which address.
    codes: HashMap<String, (String, String)>,
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
                .route("/notify", web::post().to(notify))
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

    /// The owner follows a link in a browser, signs in and consents: the path and query that the browser is sent back to.
    pub fn follow(&self, user: &str, link: &str) -> String {
        let link = url::Url::parse(link).unwrap();
        let query: HashMap<String, String> = link.query_pairs().into_owned().collect();
        assert!(link.as_str().starts_with(&format!("{}/oauth2_user/authorize2?", self.url())), "{link}");
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", "us"));
        assert_eq!(query["scope"], "user.metrics,user.activity,user.info");
        let mut state = self.state();
        state.made += 1;
        let code = format!("code-{}", state.made);
        state.accounts.entry(user.to_owned()).or_default();
        state.codes.insert(code.clone(), (user.to_owned(), query["redirect_uri"].clone()));
        let back = url::Url::parse_with_params(&query["redirect_uri"], [("code", &code), ("state", &query["state"])]);
        let back = back.unwrap();
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    /// The owner takes the consent back.
    pub fn revoke(&self, user: &str) {
        let mut state = self.state();
        let account = state.accounts.get_mut(user).unwrap();
        (account.access, account.refresh) = ("revoked".to_owned(), Vec::new());
        account.subscriptions.clear();
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
        let is_ours = form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET)
            && form.get("client_id").is_some_and(|id| id == "us")
            && form.get("action").is_some_and(|action| action == "requesttoken");
        let given = match form.get("grant_type").map(String::as_str) {
            _ if !is_ours => None,
            Some("refresh_token") => {
                let shown = form.get("refresh_token").cloned().unwrap_or_default();
                let found = state.accounts.iter().find(|(_, account)| account.refresh.contains(&shown));
                // The former one holds until the new access token is used.
                found.map(|(user, _)| (user.clone(), vec![shown]))
            }
            Some("authorization_code") => {
                let code = form.get("code").and_then(|code| state.codes.remove(code));
                let code = code.filter(|(_, redirect)| form.get("redirect_uri") == Some(redirect));
                code.map(|(user, _)| (user, Vec::new()))
            }
            _ => None,
        };
        match given {
            None => json!({ "status": 503, "body": {}, "error": "Invalid Params: invalid refresh_token" }),
            Some((user, former)) => {
                state.refreshed += usize::from(!former.is_empty());
                let account = state.accounts.get_mut(&user).unwrap();
                account.access = format!("access-{user}-{made}");
                let refresh = format!("refresh-{user}-{made}");
                account.refresh = former;
                account.refresh.push(refresh.clone());
                let body = json!({ "userid": user, "access_token": account.access, "refresh_token": refresh, "expires_in": expires_in, "scope": "user.metrics", "token_type": "Bearer" });
                json!({ "status": 0, "body": body })
            }
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
        let number = |name: &str| form.get(name).and_then(|text| text.parse::<i64>().ok());
        let body = if form.get("action").is_some_and(|action| action == "getactivity") {
            let within = |day: &&Value| match number("lastupdate") {
                Some(since) => day["modified"].as_i64().unwrap() >= since,
                None => (form["startdateymd"].as_str()..=form["enddateymd"].as_str())
                    .contains(&day["date"].as_str().unwrap()),
            };
            json!({ "activities": account.activities.iter().filter(within).collect::<Vec<_>>(), "more": false, "offset": 0 })
        } else {
            let within = |group: &&Value| {
                let date = group["date"].as_i64().unwrap();
                match number("lastupdate") {
                    Some(since) => group["modified"].as_i64().unwrap_or(date) >= since,
                    None => (number("startdate").unwrap()..=number("enddate").unwrap()).contains(&date),
                }
            };
            let found: Vec<&Value> = account.groups.iter().filter(within).collect();
            let offset = usize::try_from(number("offset").unwrap_or_default()).unwrap();
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

async fn notify(request: HttpRequest, body: Bytes, state: Data<Mutex<CloudState>>) -> HttpResponse {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.strip_prefix("Bearer ").unwrap_or_default().to_owned();
    let known = |state: &CloudState| {
        let found = state.accounts.iter().find(|(_, account)| account.access == token);
        found.map(|(user, _)| user.clone())
    };
    let user = known(&state.lock().unwrap());
    let Some(user) = user else {
        return HttpResponse::Ok().json(json!({ "status": 401, "error": "invalid_token" }));
    };
    let wanted = form.get("appli").map(|appli| (appli.parse::<u32>().unwrap(), form["callbackurl"].clone()));
    if form["action"] == "subscribe" {
        // The address is probed before anything is announced there; only 200 is good.
        let probe =
            reqwest::Client::builder().no_proxy().build().unwrap().head(&wanted.as_ref().unwrap().1).send().await;
        if !probe.is_ok_and(|answer| answer.status().as_u16() == 200) {
            return HttpResponse::Ok().json(json!({ "status": 2554, "error": "callback" }));
        }
    }
    let mut state = state.lock().unwrap();
    let account = state.accounts.get_mut(&user).unwrap();
    if account.refresh.len() > 1 {
        account.refresh.remove(0);
    }
    let mut answer = json!({ "status": 0, "body": {} });
    match form["action"].as_str() {
        "subscribe" => account.subscriptions.push(wanted.unwrap()),
        "revoke" => account.subscriptions.retain(|known| Some(known) != wanted.as_ref()),
        _ => {
            let profile = |(appli, url): &(u32, String)| json!({ "appli": appli, "callbackurl": url, "comment": "" });
            answer["body"] = json!({ "profiles": account.subscriptions.iter().map(profile).collect::<Vec<_>>() });
        }
    }
    HttpResponse::Ok().json(answer)
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
