//! A new connection: its wish is checked, its password sealed, its sessions made.

use db::{MqttConnectionId, TenantId, TenantScope};

use super::model::{Address, MAX_IN_FLIGHT, MAX_SESSIONS, password_place};
use super::packet::Version;
use super::store::connections::{self, ConnectionRow};
use super::topics::{TopicTemplate, Topics};
use crate::app::App;
use crate::error::{Error, FieldError};
use crate::platform::outbound::TlsTrust;
use crate::tenancy::{self, TenantKind};

/// A new connection.
#[derive(Debug)]
pub struct ConnectionWish {
    pub name: String,
    pub url: String,
    pub version: Version,
    pub ca_certificates: Option<String>,
    pub client_id: Option<String>,
    pub share_group: Option<String>,
    pub user_name: Option<String>,
    pub password: Option<String>,
    pub topics: Vec<TopicTemplate>,
    pub sessions: i16,
    pub in_flight: i32,
    pub include_customers: bool,
    pub active: bool,
}

/// Creates a connection in the tenant of `scope`.
///
/// # Errors
/// 422 with the fields that cannot be accepted.
pub async fn create(
    app: &App,
    scope: &TenantScope,
    tenant: TenantId,
    wish: ConnectionWish,
) -> Result<ConnectionRow, Error> {
    let (id, now) = (MqttConnectionId::generate(), app.clock.now());
    let client_id = wish.client_id.unwrap_or_else(|| format!("afferent-{}", id.0.simple()));
    let share_group = wish.share_group.unwrap_or_else(|| format!("afferent-{}", id.0.simple()));
    let mut wrong = check_name(&wish.name);
    wrong.extend(check_word("/clientId", &client_id, 60));
    wrong.extend(check_word("/shareGroup", &share_group, 60));
    wrong.extend(check_login(wish.user_name.as_deref(), wish.password.as_deref()));
    wrong.extend(check_topics(&wish.topics));
    wrong.extend(check_numbers(wish.sessions, wish.in_flight));
    let url = check_url(app, &wish.url).await.map_err(|field| wrong.push(field)).ok();
    wrong.extend(check_authorities(wish.ca_certificates.as_deref(), url.as_ref()));
    if wish.include_customers && !is_distributor(app, tenant).await? {
        wrong.push(field(
            "/includeCustomers",
            "only a distributor has customers; a customer's connection carries its own sources",
        ));
    }
    let Some(url) = url.filter(|_| wrong.is_empty()) else { return Err(Error::fields(wrong)) };
    let row = ConnectionRow {
        tenant_id: tenant,
        id,
        name: wish.name,
        url: url.to_string(),
        protocol: wish.version.as_str().to_owned(),
        ca_certificates: wish.ca_certificates,
        client_id,
        share_group,
        user_name: wish.user_name,
        password_sealed: seal(app, tenant, id, wish.password.as_deref())?,
        topics: serde_json::to_value(&wish.topics).map_err(Error::internal)?,
        sessions: wish.sessions,
        in_flight: wish.in_flight,
        include_customers: wish.include_customers,
        active: wish.active,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = scope.begin(&app.db).await?;
    connections::insert_connection(&mut transaction, &row).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %tenant, mqtt.connection = %id, "an MQTT connection was created");
    Ok(row)
}

async fn is_distributor(app: &App, tenant: TenantId) -> Result<bool, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let found = tenancy::find_tenant(&mut transaction, tenant).await?;
    transaction.commit().await?;
    Ok(found.is_some_and(|found| found.kind == TenantKind::Distributor))
}

/// Seals a password for its row.
pub(super) fn seal(
    app: &App,
    tenant: TenantId,
    id: MqttConnectionId,
    password: Option<&str>,
) -> Result<Option<Vec<u8>>, Error> {
    let place = password_place(tenant, id);
    password.map(|password| app.sealer.seal(&place, password.as_bytes())).transpose().map_err(Error::internal)
}

pub(super) fn field(pointer: &str, detail: impl Into<String>) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: detail.into() }
}

pub(super) fn check_name(name: &str) -> Vec<FieldError> {
    let right = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if right { Vec::new() } else { vec![field("/name", "a name has 1 to 200 printable characters")] }
}

/// A client id or group: characters that every broker takes, and that have no meaning in a topic.
fn check_word(pointer: &str, word: &str, longest: usize) -> Option<FieldError> {
    let right = (1..=longest).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
    (!right).then(|| field(pointer, format!("1 to {longest} letters, digits and -_.: are taken")))
}

pub(super) fn check_login(user_name: Option<&str>, password: Option<&str>) -> Vec<FieldError> {
    let right = |text: &str| (1..=8192).contains(&text.len()) && !text.contains('\0');
    let mut wrong = Vec::new();
    for (pointer, text) in [("/userName", user_name), ("/password", password)] {
        if text.is_some_and(|text| !right(text)) {
            wrong.push(field(pointer, "1 to 8192 bytes without a zero character"));
        }
    }
    wrong
}

pub(super) fn check_topics(topics: &[TopicTemplate]) -> Option<FieldError> {
    Topics::parse(topics).err().map(|(place, wrong)| field(&format!("/topics/{place}"), wrong))
}

pub(super) fn check_numbers(sessions: i16, in_flight: i32) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if !(1..=MAX_SESSIONS).contains(&sessions) {
        wrong.push(field("/sessions", format!("a connection has 1 to {MAX_SESSIONS} sessions")));
    }
    if !(1..=MAX_IN_FLIGHT).contains(&in_flight) {
        wrong.push(field("/inFlight", format!("1 to {MAX_IN_FLIGHT} messages of a session may wait for their commit")));
    }
    wrong
}

/// The broker's address, which the guard lets through.
pub(super) async fn check_url(app: &App, text: &str) -> Result<Address, FieldError> {
    let address = Address::parse(text).map_err(|wrong| field("/url", wrong))?;
    app.outbound.check_host(&address.host).await.map_err(|rule| {
        let why = format!("it leads to {rule}; AFFERENT_OUTBOUND_ALLOW names private networks that may be reached");
        field("/url", why)
    })?;
    Ok(address)
}

pub(super) fn check_authorities(pem: Option<&str>, url: Option<&Address>) -> Option<FieldError> {
    let pem = pem?;
    if url.is_some_and(|url| !url.tls) {
        return Some(field("/caCertificates", "only mqtts:// has certificates to check"));
    }
    if pem.len() > 65_536 {
        return Some(field("/caCertificates", "65536 bytes at most"));
    }
    TlsTrust::new(Some(pem)).err().map(|wrong| field("/caCertificates", wrong))
}
