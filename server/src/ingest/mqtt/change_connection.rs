//! A change of a connection: its sessions are opened anew with it, in every process within seconds.

use db::{MqttConnectionId, TenantScope};

use super::create_connection::{
    check_authorities, check_login, check_name, check_numbers, check_topics, check_url, field, seal,
};
use super::model::Address;
use super::packet::Version;
use super::store::connections::{self, ConnectionChanges, ConnectionRow};
use super::topics::TopicTemplate;
use crate::app::App;
use crate::error::Error;

/// What is to change; `None` leaves it as it is.
#[derive(Debug)]
pub struct ChangeWish {
    pub name: Option<String>,
    pub url: Option<String>,
    pub version: Option<Version>,
    pub ca_certificates: Option<Option<String>>,
    pub user_name: Option<Option<String>>,
    pub password: Option<Option<String>>,
    pub topics: Option<Vec<TopicTemplate>>,
    pub sessions: Option<i16>,
    pub in_flight: Option<i32>,
    pub active: Option<bool>,
}

/// Changes a connection.
///
/// # Errors
/// 404; 422 with the fields that cannot be accepted.
pub async fn change(
    app: &App,
    scope: &TenantScope,
    id: MqttConnectionId,
    wish: ChangeWish,
) -> Result<ConnectionRow, Error> {
    let mut wrong = wish.name.as_deref().map(check_name).unwrap_or_default();
    let mut url = None;
    if let Some(text) = &wish.url {
        match check_url(app, text).await {
            Ok(address) => url = Some(address),
            Err(field) => wrong.push(field),
        }
    }
    wrong.extend(check_login(
        wish.user_name.as_ref().and_then(Option::as_deref),
        wish.password.as_ref().and_then(Option::as_deref),
    ));
    wrong.extend(wish.topics.as_deref().and_then(check_topics));
    let mut transaction = scope.begin(&app.db).await?;
    let found = connections::find_connection(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("MQTT connection"))?;
    wrong.extend(check_numbers(wish.sessions.unwrap_or(found.sessions), wish.in_flight.unwrap_or(found.in_flight)));
    if wish.sessions.is_some_and(|sessions| sessions < found.sessions) {
        let why = format!(
            "there are {} sessions, and what the broker holds for one of them is delivered to it alone: there can only be more",
            found.sessions
        );
        wrong.push(field("/sessions", why));
    }
    let present = Address::parse(&found.url).ok();
    let authorities = wish.ca_certificates.as_ref().map_or(found.ca_certificates.as_deref(), Option::as_deref);
    wrong.extend(check_authorities(authorities, url.as_ref().or(present.as_ref())));
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let password = wish.password.map(|password| seal(app, found.tenant_id, id, password.as_deref())).transpose()?;
    let changes = ConnectionChanges {
        name: wish.name,
        url: url.map(|url| url.to_string()),
        protocol: wish.version.map(|version| version.as_str().to_owned()),
        ca_certificates: wish.ca_certificates,
        user_name: wish.user_name,
        password_sealed: password,
        topics: wish.topics.map(serde_json::to_value).transpose().map_err(Error::internal)?,
        sessions: wish.sessions,
        in_flight: wish.in_flight,
        active: wish.active,
        updated_at: Some(app.clock.now()),
    };
    let row = connections::update_connection(&mut transaction, found.tenant_id, id, &changes).await?;
    connections::insert_sessions(&mut transaction, &row).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %row.tenant_id, mqtt.connection = %id, active = row.active, "an MQTT connection was changed");
    Ok(row)
}
