//! Raw bytes of uplinks: sealed where they are written, found where they are by now, and moved out of the column where an
//! older server wrote them unsealed.

use chrono::{DateTime, Utc};
use db::{TenantId, UplinkId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::UplinkFate;
use crate::error::{Error, Kind};
use crate::ingest::commit::Failure;
use crate::ingest::model::Received;
use crate::platform::data_keys::{BatchSealer, DataKeys};

/// Seals and stores the raw bytes of new uplinks, in the transaction that stores their passports.
///
/// A row whose receipt time is more than ten minutes away from the database's clock is not written, and that fails the
/// batch: retention goes by receipt time, so a server whose clock is wrong must not acknowledge anything.
///
/// # Errors
/// The database's error; 503 when the two clocks are apart.
pub async fn insert_bodies(conn: &AsyncPgConnection, keys: &DataKeys, fates: &[UplinkFate<'_>]) -> Result<(), Failure> {
    let received: Vec<_> = fates.iter().map(|fate| (fate.submission.tenant(), &fate.submission.received)).collect();
    insert_received(conn, keys, &received).await
}

/// The same for what was received and is no submission: a hub's own payload, and what nobody has claimed.
///
/// # Errors
/// As [`insert_bodies`].
pub async fn insert_received(
    mut conn: &AsyncPgConnection,
    keys: &DataKeys,
    rows: &[(TenantId, &Received)],
) -> Result<(), Failure> {
    let received = || rows.iter().map(|(_, received)| received);
    let mut sealer = keys.batch().map_err(Error::internal)?;
    let sealed =
        seal_all(&mut sealer, rows.iter().map(|(tenant, received)| (*tenant, received.id, received.body.as_slice())))?;
    let written = diesel::sql_query(
        "INSERT INTO uplink_body (tenant_id, uplink_id, received_at, key_id, body) \
         SELECT t, u, r, $5, b FROM unnest($1, $2, $3, $4) AS x(t, u, r, b) \
         WHERE r BETWEEN now() - interval '10 minutes' AND now() + interval '10 minutes'",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(received().map(|r| r.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(received().map(|r| r.received_at).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(sealed)
    .bind::<Integer, _>(sealer.key())
    .execute(&mut conn)
    .await?;
    if written == rows.len() { Ok(()) } else { Err(clocks_apart().into()) }
}

fn seal_all<'a>(
    sealer: &mut BatchSealer,
    bodies: impl Iterator<Item = (TenantId, UplinkId, &'a [u8])>,
) -> Result<Vec<Vec<u8>>, Error> {
    bodies.map(|(tenant, uplink, body)| sealer.seal(tenant, uplink, body).map_err(Error::internal)).collect()
}

fn clocks_apart() -> Error {
    Error::new(
        Kind::Unavailable(60),
        "clock.wrong",
        "The clocks of the server and of its database are more than ten minutes apart; nothing was stored. Send it again when the operator has set them.",
    )
    .because(anyhow::anyhow!("the server's clock and the database's are more than ten minutes apart: set them (NTP)"))
}

/// Raw bytes as they are stored.
pub enum StoredBody {
    /// Under a data key.
    Sealed {
        /// Its number.
        key: i32,
        /// The box.
        bytes: Vec<u8>,
    },
    /// As an older server left them.
    Unsealed(Vec<u8>),
}

/// The raw bytes of an uplink: in their partition, among those kept for a person, or where an older server wrote them.
///
/// # Errors
/// The database's error.
pub async fn find_body(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    uplink: UplinkId,
    received_at: DateTime<Utc>,
) -> QueryResult<Option<StoredBody>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Integer>)]
        key_id: Option<i32>,
        #[diesel(sql_type = Bytea)]
        body: Vec<u8>,
    }
    let row: Option<Row> = diesel::sql_query(
        "SELECT key_id, body FROM uplink_body WHERE received_at = $3 AND tenant_id = $1 AND uplink_id = $2 \
         UNION ALL SELECT key_id, body FROM uplink_body_kept WHERE tenant_id = $1 AND uplink_id = $2 \
         UNION ALL SELECT NULL, body FROM uplink WHERE tenant_id = $1 AND id = $2 AND received_at = $3 AND body IS NOT NULL \
         LIMIT 1",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<SqlUuid, _>(uplink)
    .bind::<Timestamptz, _>(received_at)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| match row.key_id {
        Some(key) => StoredBody::Sealed { key, bytes: row.body },
        None => StoredBody::Unsealed(row.body),
    }))
}

/// Raw bytes that an older server wrote unsealed.
#[derive(QueryableByName)]
pub struct UnsealedRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Bytea)]
    body: Vec<u8>,
}

/// Some of them, oldest first, locked: nobody else moves them.
///
/// # Errors
/// The database's error.
pub async fn unsealed(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<UnsealedRow>> {
    diesel::sql_query(
        "SELECT tenant_id, id, received_at, body FROM uplink WHERE body IS NOT NULL ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// Moves them to where raw bytes are now, sealed.
///
/// # Errors
/// The database's error.
pub async fn seal_in_place(conn: &mut AsyncPgConnection, keys: &DataKeys, rows: &[UnsealedRow]) -> Result<(), Error> {
    let mut sealer = keys.batch().map_err(Error::internal)?;
    let sealed = seal_all(&mut sealer, rows.iter().map(|row| (row.tenant_id, row.id, row.body.as_slice())))?;
    let tenants: Vec<TenantId> = rows.iter().map(|row| row.tenant_id).collect();
    let ids: Vec<UplinkId> = rows.iter().map(|row| row.id).collect();
    let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.received_at).collect();
    diesel::sql_query(
        "INSERT INTO uplink_body (tenant_id, uplink_id, received_at, key_id, body) \
         SELECT t, u, r, $5, b FROM unnest($1, $2, $3, $4) AS x(t, u, r, b)",
    )
    .bind::<Array<SqlUuid>, _>(&tenants)
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<Timestamptz>, _>(&times)
    .bind::<Array<Bytea>, _>(sealed)
    .bind::<Integer, _>(sealer.key())
    .execute(conn)
    .await?;
    diesel::sql_query(
        "UPDATE uplink u SET body = NULL FROM unnest($1, $2, $3) AS x(t, i, r) \
         WHERE u.tenant_id = x.t AND u.id = x.i AND u.received_at = x.r",
    )
    .bind::<Array<SqlUuid>, _>(&tenants)
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<Timestamptz>, _>(&times)
    .execute(conn)
    .await?;
    Ok(())
}
