//! Rows of sessions: who holds which until when, and how they are doing. The lease shares work among processes; that a
//! session is used by one at a time is seen to by the broker, which knows it by its client id.

use chrono::{DateTime, Utc};
use db::schema::{mqtt_process, mqtt_session};
use db::{MqttConnectionId, TenantId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// A session: whose, of which connection, which one.
pub type SessionKey = (TenantId, MqttConnectionId, i16);

/// Seconds that a lease holds, and that a process counts as living without a sign. The database's clock decides.
pub const LEASE_SECONDS: i64 = 5;

/// Who holds a session.
#[derive(Debug, Clone, QueryableByName)]
pub struct SessionRow {
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    /// Of which connection.
    #[diesel(sql_type = SqlUuid)]
    pub connection_id: MqttConnectionId,
    /// Which one.
    #[diesel(sql_type = SmallInt)]
    pub number: i16,
    /// What it is subscribed to.
    #[diesel(sql_type = Array<Text>)]
    pub filters: Vec<String>,
    /// This process holds it.
    #[diesel(sql_type = Bool)]
    pub mine: bool,
    /// Nobody does.
    #[diesel(sql_type = Bool)]
    pub free: bool,
}

/// How a session is doing, as operators see it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = mqtt_session, check_for_backend(diesel::pg::Pg))]
pub struct StatusRow {
    /// Which one.
    pub number: i16,
    /// The process.
    pub holder: Option<Uuid>,
    /// Until when it holds it.
    pub leased_until: Option<DateTime<Utc>>,
    /// `idle`, `connecting`, `connected`.
    pub state: String,
    /// Since when.
    pub connected_since: Option<DateTime<Utc>>,
    /// Why it was not connected last.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Why a message was refused last.
    pub last_refusal: Option<String>,
    /// When.
    pub last_refusal_at: Option<DateTime<Utc>>,
    /// Messages that came.
    pub received: i64,
    /// Messages that were acknowledged.
    pub acknowledged: i64,
    /// Those of them that were refused.
    pub refused: i64,
}

/// What a process knows of a session that it holds.
#[derive(Debug, Clone)]
pub struct Report {
    /// The session.
    pub key: SessionKey,
    /// `connecting` or `connected`.
    pub state: &'static str,
    /// Since when it is connected.
    pub connected_since: Option<DateTime<Utc>>,
    /// The last failure, and when; none leaves what is there.
    pub last_error: Option<(String, DateTime<Utc>)>,
    /// The last refusal, and when; none leaves what is there.
    pub last_refusal: Option<(String, DateTime<Utc>)>,
    /// Messages since the last report: received, acknowledged, refused.
    pub counted: [i64; 3],
}

/// Says that a process lives, and how many do.
pub async fn count_processes(conn: &mut AsyncPgConnection, process: Uuid) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Living {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    diesel::sql_query(
        "INSERT INTO mqtt_process (id, seen_at) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind::<SqlUuid, _>(process)
    .execute(conn)
    .await?;
    diesel::sql_query("DELETE FROM mqtt_process WHERE seen_at < now() - interval '1 hour'").execute(conn).await?;
    let living: Living = diesel::sql_query(
        "SELECT count(*) AS count FROM mqtt_process WHERE seen_at > now() - make_interval(secs => $1)",
    )
    .bind::<BigInt, _>(LEASE_SECONDS)
    .get_result(conn)
    .await?;
    Ok(living.count)
}

/// The sessions of these connections.
pub async fn look(
    conn: &mut AsyncPgConnection,
    process: Uuid,
    connections: &[MqttConnectionId],
) -> QueryResult<Vec<SessionRow>> {
    diesel::sql_query(
        "SELECT tenant_id, connection_id, number, filters, coalesce(holder = $1, false) AS mine, \
         holder IS NULL OR leased_until < now() AS free FROM mqtt_session WHERE connection_id = ANY($2) ORDER BY connection_id, number",
    )
    .bind::<SqlUuid, _>(process)
    .bind::<Array<SqlUuid>, _>(connections)
    .load(conn)
    .await
}

/// Takes a session that nobody holds; false when somebody was faster.
pub async fn claim(conn: &mut AsyncPgConnection, process: Uuid, key: SessionKey) -> QueryResult<bool> {
    let taken = diesel::sql_query(
        "UPDATE mqtt_session SET holder = $1, leased_until = now() + make_interval(secs => $2), state = 'connecting', connected_since = NULL \
         WHERE tenant_id = $3 AND connection_id = $4 AND number = $5 AND (holder IS NULL OR holder = $1 OR leased_until < now())",
    )
    .bind::<SqlUuid, _>(process)
    .bind::<BigInt, _>(LEASE_SECONDS)
    .bind::<SqlUuid, _>(key.0)
    .bind::<SqlUuid, _>(key.1)
    .bind::<SmallInt, _>(key.2)
    .execute(conn)
    .await?;
    Ok(taken == 1)
}

/// Holds a session for longer, and writes down how it is doing; false when another process has it by now.
pub async fn renew(conn: &mut AsyncPgConnection, process: Uuid, report: &Report) -> QueryResult<bool> {
    let (error, error_at) = report.last_error.clone().unzip();
    let (refusal, refusal_at) = report.last_refusal.clone().unzip();
    let [received, acknowledged, refused] = report.counted;
    let renewed = diesel::sql_query(
        "UPDATE mqtt_session SET leased_until = now() + make_interval(secs => $2), state = $6, connected_since = $7, \
         last_error = coalesce($8, last_error), last_error_at = coalesce($9, last_error_at), \
         last_refusal = coalesce($10, last_refusal), last_refusal_at = coalesce($11, last_refusal_at), \
         received = received + $12, acknowledged = acknowledged + $13, refused = refused + $14 \
         WHERE holder = $1 AND tenant_id = $3 AND connection_id = $4 AND number = $5",
    )
    .bind::<SqlUuid, _>(process)
    .bind::<BigInt, _>(LEASE_SECONDS)
    .bind::<SqlUuid, _>(report.key.0)
    .bind::<SqlUuid, _>(report.key.1)
    .bind::<SmallInt, _>(report.key.2)
    .bind::<Text, _>(report.state)
    .bind::<Nullable<Timestamptz>, _>(report.connected_since)
    .bind::<Nullable<Text>, _>(error)
    .bind::<Nullable<Timestamptz>, _>(error_at)
    .bind::<Nullable<Text>, _>(refusal)
    .bind::<Nullable<Timestamptz>, _>(refusal_at)
    .bind::<BigInt, _>(received)
    .bind::<BigInt, _>(acknowledged)
    .bind::<BigInt, _>(refused)
    .execute(conn)
    .await?;
    Ok(renewed == 1)
}

/// Gives a session back, with a last report.
pub async fn release(conn: &mut AsyncPgConnection, process: Uuid, report: &Report) -> QueryResult<()> {
    if renew(conn, process, report).await? {
        diesel::update(mqtt_session::table)
            .filter(mqtt_session::tenant_id.eq(report.key.0))
            .filter(mqtt_session::connection_id.eq(report.key.1))
            .filter(mqtt_session::number.eq(report.key.2))
            .filter(mqtt_session::holder.eq(process))
            .set((
                mqtt_session::holder.eq(None::<Uuid>),
                mqtt_session::leased_until.eq(None::<DateTime<Utc>>),
                mqtt_session::state.eq("idle"),
                mqtt_session::connected_since.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Says that a process has ended, so that the others take its share at once.
pub async fn forget_process(conn: &mut AsyncPgConnection, process: Uuid) -> QueryResult<()> {
    diesel::delete(mqtt_process::table.find(process)).execute(conn).await?;
    Ok(())
}

/// Writes down what a session is subscribed to at the broker.
pub async fn note_filters(conn: &mut AsyncPgConnection, key: SessionKey, filters: &[String]) -> QueryResult<()> {
    diesel::update(mqtt_session::table)
        .filter(mqtt_session::tenant_id.eq(key.0))
        .filter(mqtt_session::connection_id.eq(key.1))
        .filter(mqtt_session::number.eq(key.2))
        .set(mqtt_session::filters.eq(filters))
        .execute(conn)
        .await?;
    Ok(())
}

/// How the sessions of a connection are doing.
pub async fn status(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    connection: MqttConnectionId,
) -> QueryResult<Vec<StatusRow>> {
    mqtt_session::table
        .filter(mqtt_session::tenant_id.eq(tenant))
        .filter(mqtt_session::connection_id.eq(connection))
        .order(mqtt_session::number)
        .select(StatusRow::as_select())
        .load(conn)
        .await
}
