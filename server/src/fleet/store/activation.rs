//! Periods of activity of devices and hubs: billing rests on them, so that a row is closed and never removed.

use chrono::{DateTime, Utc};
use db::schema::activation;
use db::{ActivationId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::identity::SourceKind;

/// A period.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = activation, check_for_backend(diesel::pg::Pg))]
pub struct ActivationRow {
    /// Its id.
    pub id: ActivationId,
    /// When it began.
    pub active_from: DateTime<Utc>,
    /// When it ended; none while it lasts.
    pub active_until: Option<DateTime<Utc>>,
}

/// Begins a period. It starts no earlier than the last one ended, whatever the clock of this process says.
pub async fn open_activation(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    kind: SourceKind,
    source: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let last: Option<Option<DateTime<Utc>>> = activation::table
        .filter(activation::tenant_id.eq(tenant))
        .filter(activation::source_id.eq(source))
        .order(activation::active_from.desc())
        .select(activation::active_until)
        .first(conn)
        .await
        .optional()?;
    let from = last.flatten().map_or(now, |ended| ended.max(now));
    diesel::insert_into(activation::table)
        .values((
            activation::tenant_id.eq(tenant),
            activation::id.eq(ActivationId::generate()),
            activation::source_kind.eq(kind.as_str()),
            activation::source_id.eq(source),
            activation::active_from.eq(from),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the period that lasts, if there is one; no earlier than it began.
pub async fn close_activation(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    source: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let open: Option<(ActivationId, DateTime<Utc>)> = activation::table
        .filter(activation::tenant_id.eq(tenant))
        .filter(activation::source_id.eq(source))
        .filter(activation::active_until.is_null())
        .select((activation::id, activation::active_from))
        .first(conn)
        .await
        .optional()?;
    let Some((id, from)) = open else { return Ok(()) };
    diesel::update(activation::table)
        .filter(activation::tenant_id.eq(tenant))
        .filter(activation::id.eq(id))
        .set(activation::active_until.eq(now.max(from)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Periods of a source after an id, oldest first.
pub async fn list_activations(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    source: Uuid,
    after: ActivationId,
    limit: i64,
) -> QueryResult<Vec<ActivationRow>> {
    activation::table
        .filter(activation::tenant_id.eq(tenant))
        .filter(activation::source_id.eq(source))
        .filter(activation::id.gt(after))
        .order(activation::id)
        .limit(limit)
        .select(ActivationRow::as_select())
        .load(conn)
        .await
}
