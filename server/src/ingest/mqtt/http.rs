//! REST of connections to brokers: made and changed by platform admins, seen by whoever sees the tenant's operations.

use actix_web::http::StatusCode;
use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use db::{MqttConnectionId, TenantId, TenantScope};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::change_connection::{ChangeWish, change};
use super::create_connection::{ConnectionWish, create};
use super::packet::Version;
use super::store::connections::{self, ConnectionRow};
use super::store::sessions::{self, StatusRow};
use super::topics::{TopicTemplate, standard};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::identity::{Caller, Role};
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_mqtt_connection)
        .service(list_mqtt_connections)
        .service(find_mqtt_connection)
        .service(change_mqtt_connection)
        .service(find_mqtt_connection_status);
}

/// Which version of MQTT.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
enum Protocol {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V3,
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

impl From<Protocol> for Version {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V3 => Self::V3,
            Protocol::V5 => Self::V5,
        }
    }
}

/// A broker that Afferent subscribes at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MqttConnection {
    /// Its id.
    id: MqttConnectionId,
    /// Whose devices and hubs it carries; a topic that names another tenant's is refused.
    tenant: TenantId,
    /// Its name.
    name: String,
    /// The broker.
    url: String,
    /// Which version is spoken.
    protocol: Protocol,
    /// Authorities that TLS trusts, as PEM; absent: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificates: Option<String>,
    /// The sessions are named `<clientId>-<number>` at the broker.
    client_id: String,
    /// Group of the shared subscriptions, when there are several sessions.
    share_group: String,
    /// User name at the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// Whether there is a password. It is never shown.
    has_password: bool,
    /// What topics mean.
    topics: Vec<TopicTemplate>,
    /// Persistent sessions; several have shared subscriptions.
    sessions: i16,
    /// Messages of a session that wait for their commit, at most.
    in_flight: i32,
    /// Whether it carries the devices and hubs of a distributor's customers too.
    include_customers: bool,
    /// False: nobody connects; the broker keeps what comes, within its own limits.
    active: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// A new connection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMqttConnection {
    /// Whose devices and hubs it carries.
    tenant: Option<TenantId>,
    /// 1 to 200 characters.
    name: String,
    /// The broker: `mqtts://host:8883` or `mqtt://host:1883`. Private and loopback addresses only where the operator allows
    /// them (`AFFERENT_OUTBOUND_ALLOW`).
    url: String,
    /// Which version is spoken; 5 when absent.
    protocol: Option<Protocol>,
    /// Authorities that TLS trusts, as PEM, and no others; absent: the system's.
    ca_certificates: Option<String>,
    /// What the sessions are named after; absent: made from the id.
    client_id: Option<String>,
    /// Group of the shared subscriptions; absent: made from the id.
    share_group: Option<String>,
    /// User name at the broker.
    user_name: Option<String>,
    /// Password at the broker; sealed, and never shown again.
    password: Option<String>,
    /// First levels of the standard topics, `<prefix>/devices/{device}/{channel}` and `<prefix>/hubs/{hub}/{channel}`;
    /// `afferent` when absent.
    prefix: Option<String>,
    /// Other topics than the standard ones, such as `device/{hub-serial}/up`.
    topics: Option<Vec<TopicTemplate>>,
    /// Persistent sessions; 1 when absent. One session has a subscription of its own, is held by one server process, and taken
    /// over by another when that ends. Several have shared subscriptions, and the processes share them: only for brokers that
    /// keep shared subscriptions when they restart (Mosquitto 2.0 does not).
    sessions: Option<i16>,
    /// Messages of a session that wait for their commit, at most; 100 when absent.
    in_flight: Option<i32>,
    /// A distributor's connection: whether it carries its customers' devices and hubs too.
    #[serde(default)]
    include_customers: bool,
    /// False: nobody connects yet.
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

/// What may change; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MqttConnectionChange {
    /// Another name.
    name: Option<String>,
    /// Another address of the same broker. At another broker the sessions begin anew: what the old one holds stays there.
    url: Option<String>,
    /// Another version.
    protocol: Option<Protocol>,
    /// Other authorities; null for the system's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    ca_certificates: Option<Option<String>>,
    /// Another user name; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    user_name: Option<Option<String>>,
    /// Another password; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    password: Option<Option<String>>,
    /// Other topics, as a whole.
    topics: Option<Vec<TopicTemplate>>,
    /// More sessions.
    sessions: Option<i16>,
    /// Another limit.
    in_flight: Option<i32>,
    /// False: everybody disconnects. True: connects again.
    active: Option<bool>,
}

/// Tells `null` (inner none) from an absent field (outer none).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How a session is doing. Counts are those of all processes that held it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MqttSession {
    /// Which one.
    number: i16,
    /// `connected`, `connecting`, or `idle`: no process holds it.
    state: String,
    /// The server process that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Uuid>,
    /// Since when it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_since: Option<DateTime<Utc>>,
    /// Why it was not connected last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_at: Option<DateTime<Utc>>,
    /// Why a message was refused last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refusal: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refusal_at: Option<DateTime<Utc>>,
    /// Messages that came.
    received: i64,
    /// Messages that were acknowledged: stored, known, in quarantine, or refused.
    acknowledged: i64,
    /// Messages of which nothing was kept: the topic names no active source of the tenant, or they are no uplink.
    refused: i64,
}

/// How a connection is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MqttConnectionStatus {
    /// Its sessions.
    sessions: Vec<MqttSession>,
}

/// Which connections.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MqttConnectionQuery {
    /// Of one tenant only.
    tenant: Option<TenantId>,
}

fn view(row: ConnectionRow) -> Result<MqttConnection, Error> {
    Ok(MqttConnection {
        id: row.id,
        tenant: row.tenant_id,
        name: row.name,
        url: row.url,
        protocol: if row.protocol == Version::V3.as_str() { Protocol::V3 } else { Protocol::V5 },
        ca_certificates: row.ca_certificates,
        client_id: row.client_id,
        share_group: row.share_group,
        user_name: row.user_name,
        has_password: row.password_sealed.is_some(),
        topics: serde_json::from_value(row.topics).map_err(Error::internal)?,
        sessions: row.sessions,
        in_flight: row.in_flight,
        include_customers: row.include_customers,
        active: row.active,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn session_view(row: StatusRow, now: DateTime<Utc>) -> MqttSession {
    // A process that was killed could not say that it left.
    let held = row.leased_until.is_some_and(|until| until > now);
    MqttSession {
        number: row.number,
        state: if held { row.state } else { "idle".to_owned() },
        process: row.holder.filter(|_| held),
        connected_since: row.connected_since.filter(|_| held),
        last_error: row.last_error,
        last_error_at: row.last_error_at,
        last_refusal: row.last_refusal,
        last_refusal_at: row.last_refusal_at,
        received: row.received,
        acknowledged: row.acknowledged,
        refused: row.refused,
    }
}

async fn find(caller: &Caller, app: &AppData, id: MqttConnectionId) -> Result<(TenantScope, ConnectionRow), Error> {
    let missing = || Error::not_found("MQTT connection");
    let scope = caller.operations(app, None).await?.ok_or_else(missing)?;
    let mut transaction = scope.begin(&app.db).await?;
    let row = connections::find_connection(&mut transaction, &scope.tenants(), id).await?;
    transaction.commit().await?;
    let row = row.ok_or_else(missing)?;
    Ok((TenantScope::one(row.tenant_id), row))
}

/// Create a connection to an MQTT broker
///
/// Within seconds the server processes subscribe there, and take what its topics bring for devices and hubs of the tenant.
/// A message is acknowledged to the broker after it was committed. Platform admins only.
#[utoipa::path(tag = "mqtt", request_body = NewMqttConnection, responses((status = 201, body = MqttConnection), Problems))]
#[post("/mqtt-connections")]
async fn create_mqtt_connection(
    caller: Caller,
    app: AppData,
    body: Json<NewMqttConnection>,
) -> ApiResult<HttpResponse> {
    caller.require(caller.role() == Role::PlatformAdmin, "create MQTT connections")?;
    let wish = body.into_inner();
    let (tenant, scope) = caller.creation(&app, wish.tenant).await?;
    if wish.prefix.is_some() && wish.topics.is_some() {
        return Err(
            Error::field("/prefix", "the prefix is that of the standard topics; `topics` says all of them").into()
        );
    }
    let prefix = wish.prefix.as_deref().unwrap_or("afferent").trim_matches('/');
    let wish = ConnectionWish {
        name: wish.name,
        url: wish.url,
        version: wish.protocol.map_or(Version::V5, Version::from),
        ca_certificates: wish.ca_certificates,
        client_id: wish.client_id,
        share_group: wish.share_group,
        user_name: wish.user_name,
        password: wish.password,
        topics: wish.topics.unwrap_or_else(|| standard(prefix)),
        sessions: wish.sessions.unwrap_or(1),
        in_flight: wish.in_flight.unwrap_or(100),
        include_customers: wish.include_customers,
        active: wish.active,
    };
    let row = create(&app, &scope, tenant, wish).await?;
    Ok(HttpResponse::build(StatusCode::CREATED)
        .insert_header(("Location", format!("/api/v1/mqtt-connections/{}", row.id)))
        .json(view(row)?))
}

/// List connections to MQTT brokers
#[utoipa::path(tag = "mqtt", params(MqttConnectionQuery, PageQuery), responses((status = 200, body = Page<MqttConnection>), Problems))]
#[get("/mqtt-connections")]
async fn list_mqtt_connections(
    caller: Caller,
    app: AppData,
    query: Query<MqttConnectionQuery>,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<MqttConnection>>> {
    caller.require(caller.role().manages_tenant(), "see MQTT connections")?;
    let limit = page.limit()?;
    let mut rows = Vec::new();
    if let Some(scope) = caller.operations(&app, query.tenant).await? {
        let mut transaction = scope.begin(&app.db).await?;
        rows = connections::list_connections(&mut transaction, &scope.tenants(), page.after(), limit + 1).await?;
        transaction.commit().await?;
    }
    let views = rows.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(Page::from_rows(views, limit, |connection: &MqttConnection| connection.id.0)))
}

/// Read a connection to an MQTT broker
#[utoipa::path(tag = "mqtt", params(("id" = MqttConnectionId, Path)), responses((status = 200, body = MqttConnection), Problems))]
#[get("/mqtt-connections/{id}")]
async fn find_mqtt_connection(
    caller: Caller,
    app: AppData,
    id: Path<MqttConnectionId>,
) -> ApiResult<Json<MqttConnection>> {
    let (_scope, row) = find(&caller, &app, *id).await?;
    caller.require(caller.role().manages_tenant(), "see MQTT connections")?;
    Ok(Json(view(row)?))
}

/// Change a connection to an MQTT broker
///
/// Its sessions are opened anew within seconds; what the broker holds for them stays. Platform admins only.
#[utoipa::path(tag = "mqtt", params(("id" = MqttConnectionId, Path)), request_body = MqttConnectionChange, responses((status = 200, body = MqttConnection), Problems))]
#[patch("/mqtt-connections/{id}")]
async fn change_mqtt_connection(
    caller: Caller,
    app: AppData,
    id: Path<MqttConnectionId>,
    body: Json<MqttConnectionChange>,
) -> ApiResult<Json<MqttConnection>> {
    let (scope, _row) = find(&caller, &app, *id).await?;
    caller.require(caller.role() == Role::PlatformAdmin, "change MQTT connections")?;
    let body = body.into_inner();
    let wish = ChangeWish {
        name: body.name,
        url: body.url,
        version: body.protocol.map(Version::from),
        ca_certificates: body.ca_certificates,
        user_name: body.user_name,
        password: body.password,
        topics: body.topics,
        sessions: body.sessions,
        in_flight: body.in_flight,
        active: body.active,
    };
    Ok(Json(view(change(&app, &scope, *id, wish).await?)?))
}

/// Read how a connection to an MQTT broker is doing
#[utoipa::path(tag = "mqtt", params(("id" = MqttConnectionId, Path)), responses((status = 200, body = MqttConnectionStatus), Problems))]
#[get("/mqtt-connections/{id}/status")]
async fn find_mqtt_connection_status(
    caller: Caller,
    app: AppData,
    id: Path<MqttConnectionId>,
) -> ApiResult<Json<MqttConnectionStatus>> {
    let (scope, row) = find(&caller, &app, *id).await?;
    caller.require(caller.role().manages_tenant(), "see MQTT connections")?;
    let mut transaction = scope.begin(&app.db).await?;
    let rows = sessions::status(&mut transaction, row.tenant_id, row.id).await?;
    transaction.commit().await?;
    let now = app.clock.now();
    Ok(Json(MqttConnectionStatus { sessions: rows.into_iter().map(|row| session_view(row, now)).collect() }))
}
