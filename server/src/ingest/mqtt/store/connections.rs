//! Rows of connections, for the REST interface and for whoever opens them.

use chrono::{DateTime, Utc};
use db::schema::{mqtt_connection, mqtt_session, tenant};
use db::{MqttConnectionId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

/// A connection's row.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = mqtt_connection, check_for_backend(diesel::pg::Pg))]
pub struct ConnectionRow {
    /// Whose.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: MqttConnectionId,
    /// What people call it.
    pub name: String,
    /// The broker.
    pub url: String,
    /// `3.1.1` or `5`.
    pub protocol: String,
    /// Authorities that TLS trusts, as PEM; the system's when none.
    pub ca_certificates: Option<String>,
    /// What the sessions are named after.
    pub client_id: String,
    /// Group of the shared subscriptions.
    pub share_group: String,
    /// User name.
    pub user_name: Option<String>,
    /// Password, sealed.
    pub password_sealed: Option<Vec<u8>>,
    /// A list of `TopicTemplate`.
    pub topics: Value,
    /// Sessions that processes share.
    pub sessions: i16,
    /// Messages of a session that wait for their commit, at most.
    pub in_flight: i32,
    /// Whether it carries a distributor's customers too.
    pub include_customers: bool,
    /// False: nobody connects.
    pub active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed: sessions are opened anew then.
    pub updated_at: DateTime<Utc>,
}

/// What changes; `None` leaves a column as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = mqtt_connection)]
pub struct ConnectionChanges {
    /// Another name.
    pub name: Option<String>,
    /// Another broker.
    pub url: Option<String>,
    /// Another version.
    pub protocol: Option<String>,
    /// Other authorities; the inner `None` for the system's.
    pub ca_certificates: Option<Option<String>>,
    /// Another user name.
    pub user_name: Option<Option<String>>,
    /// Another password.
    pub password_sealed: Option<Option<Vec<u8>>>,
    /// Other topics.
    pub topics: Option<Value>,
    /// More sessions.
    pub sessions: Option<i16>,
    /// Another limit.
    pub in_flight: Option<i32>,
    /// Active or not.
    pub active: Option<bool>,
    /// When.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Stores a new connection with its sessions.
pub async fn insert_connection(conn: &mut AsyncPgConnection, row: &ConnectionRow) -> QueryResult<()> {
    diesel::insert_into(mqtt_connection::table).values(row).execute(conn).await?;
    insert_sessions(conn, row).await
}

/// Makes the sessions of a connection that are not there yet.
pub async fn insert_sessions(conn: &mut AsyncPgConnection, row: &ConnectionRow) -> QueryResult<()> {
    let numbers: Vec<_> = (0..row.sessions)
        .map(|number| {
            (
                mqtt_session::tenant_id.eq(row.tenant_id),
                mqtt_session::connection_id.eq(row.id),
                mqtt_session::number.eq(number),
            )
        })
        .collect();
    diesel::insert_into(mqtt_session::table).values(numbers).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// A connection of one of the tenants.
pub async fn find_connection(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    id: MqttConnectionId,
) -> QueryResult<Option<ConnectionRow>> {
    mqtt_connection::table
        .filter(mqtt_connection::tenant_id.eq_any(among))
        .filter(mqtt_connection::id.eq(id))
        .select(ConnectionRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// Connections of the tenants after an id, in order of creation.
pub async fn list_connections(
    conn: &mut AsyncPgConnection,
    among: &[TenantId],
    after: Uuid,
    limit: i64,
) -> QueryResult<Vec<ConnectionRow>> {
    mqtt_connection::table
        .filter(mqtt_connection::tenant_id.eq_any(among))
        .filter(mqtt_connection::id.gt(MqttConnectionId(after)))
        .order(mqtt_connection::id)
        .limit(limit)
        .select(ConnectionRow::as_select())
        .load(conn)
        .await
}

/// Changes a connection.
pub async fn update_connection(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MqttConnectionId,
    changes: &ConnectionChanges,
) -> QueryResult<ConnectionRow> {
    diesel::update(mqtt_connection::table)
        .filter(mqtt_connection::tenant_id.eq(tenant))
        .filter(mqtt_connection::id.eq(id))
        .set(changes)
        .returning(ConnectionRow::as_returning())
        .get_result(conn)
        .await
}

/// Every connection that somebody should hold, of active tenants: for the worker.
pub async fn active_connections(conn: &mut AsyncPgConnection) -> QueryResult<Vec<ConnectionRow>> {
    mqtt_connection::table
        .inner_join(tenant::table.on(tenant::id.eq(mqtt_connection::tenant_id)))
        .filter(mqtt_connection::active.and(tenant::active))
        .select(ConnectionRow::as_select())
        .load(conn)
        .await
}
