//! Rows of `feed_authorization`.

use chrono::{DateTime, TimeDelta, Utc};
use db::schema::feed_authorization as t;
use db::{FeedId, TenantId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Account, OAuthTokens, seal};
use crate::app::App;
use crate::error::Error;

/// An account's authorization as people see it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = db::schema::feed_authorization, check_for_backend(diesel::pg::Pg))]
pub struct AccountRow {
    /// The vendor's id of the account.
    pub external_id: String,
    /// `granted` or `refused`.
    pub state: String,
    /// Why the vendor does not take the tokens.
    pub reason: Option<String>,
    /// When the vendor took the tokens last.
    pub valid_at: DateTime<Utc>,
}

/// An account's authorization, still sealed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = db::schema::feed_authorization, check_for_backend(diesel::pg::Pg))]
pub(super) struct AuthorizationRow {
    pub tenant_id: TenantId,
    pub id: Uuid,
    pub state: String,
    pub reason: Option<String>,
    pub tokens_sealed: Option<Vec<u8>>,
    pub version: i32,
}

/// Stores what an owner granted, in place of what was there. Answers since when nothing was fetched, where the vendor had
/// not taken the tokens that were there before.
///
/// # Errors
/// The database's error.
pub async fn grant(
    app: &App,
    conn: &mut AsyncPgConnection,
    of: Account<'_>,
    tokens: &OAuthTokens,
) -> Result<Option<DateTime<Utc>>, Error> {
    let known: Option<(Uuid, String, DateTime<Utc>)> = t::table
        .filter(t::tenant_id.eq(of.tenant))
        .filter(t::feed_id.eq(of.feed))
        .filter(t::external_id.eq(of.external))
        .select((t::id, t::state, t::valid_at))
        .for_update()
        .first(conn)
        .await
        .optional()?;
    let now = app.clock.now();
    let id = known.as_ref().map_or_else(Uuid::now_v7, |(id, ..)| *id);
    let sealed = seal(app, of.tenant, id, tokens)?;
    let Some((_, state, valid_at)) = known else {
        diesel::insert_into(t::table)
            .values((
                t::tenant_id.eq(of.tenant),
                t::id.eq(id),
                t::feed_id.eq(of.feed),
                t::external_id.eq(of.external),
                t::tokens_sealed.eq(sealed),
                t::valid_at.eq(now),
                t::updated_at.eq(now),
            ))
            .execute(conn)
            .await?;
        return Ok(None);
    };
    diesel::update(t::table.filter(t::tenant_id.eq(of.tenant)).filter(t::id.eq(id)))
        .set((
            t::tokens_sealed.eq(sealed),
            t::state.eq("granted"),
            t::reason.eq(None::<String>),
            t::version.eq(t::version + 1),
            t::refreshing_until.eq(None::<DateTime<Utc>>),
            t::valid_at.eq(now),
            t::updated_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok((state == "refused").then_some(valid_at))
}

/// Forgets an account's tokens.
///
/// # Errors
/// The database's error.
pub async fn forget(conn: &mut AsyncPgConnection, of: Account<'_>) -> QueryResult<usize> {
    diesel::delete(
        t::table
            .filter(t::tenant_id.eq(of.tenant))
            .filter(t::feed_id.eq(of.feed))
            .filter(t::external_id.eq(of.external)),
    )
    .execute(conn)
    .await
}

/// The owner took the consent back, as the vendor says.
///
/// # Errors
/// The database's error.
pub async fn ended_by_owner(conn: &mut AsyncPgConnection, of: Account<'_>, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::update(
        t::table
            .filter(t::tenant_id.eq(of.tenant))
            .filter(t::feed_id.eq(of.feed))
            .filter(t::external_id.eq(of.external)),
    )
    .set((
        t::state.eq("refused"),
        t::reason.eq("the account's owner took the consent back"),
        t::version.eq(t::version + 1),
        t::refreshing_until.eq(None::<DateTime<Utc>>),
        t::updated_at.eq(now),
    ))
    .execute(conn)
    .await
}

/// Our client at the vendor has changed: tokens that were refused may have been so because of it. Answers the accounts.
///
/// # Errors
/// The database's error.
pub async fn try_refused_again(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    now: DateTime<Utc>,
) -> QueryResult<Vec<String>> {
    diesel::update(
        t::table
            .filter(t::tenant_id.eq(tenant))
            .filter(t::feed_id.eq(feed))
            .filter(t::state.eq("refused"))
            .filter(t::tokens_sealed.is_not_null()),
    )
    .set((t::state.eq("granted"), t::reason.eq(None::<String>), t::updated_at.eq(now)))
    .returning(t::external_id)
    .get_results(conn)
    .await
}

/// The vendor took an account's tokens at that time, and everything that it announced before was asked for.
///
/// # Errors
/// The database's error.
pub async fn was_taken(conn: &mut AsyncPgConnection, of: Account<'_>, at: DateTime<Utc>) -> QueryResult<usize> {
    diesel::update(
        t::table
            .filter(t::tenant_id.eq(of.tenant))
            .filter(t::feed_id.eq(of.feed))
            .filter(t::external_id.eq(of.external))
            .filter(t::valid_at.lt(at)),
    )
    .set(t::valid_at.eq(at))
    .execute(conn)
    .await
}

/// Authorizations of these accounts.
///
/// # Errors
/// The database's error.
pub async fn list_accounts(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    feed: FeedId,
    externals: &[String],
) -> QueryResult<Vec<AccountRow>> {
    t::table
        .filter(t::tenant_id.eq(tenant))
        .filter(t::feed_id.eq(feed))
        .filter(t::external_id.eq_any(externals))
        .select(AccountRow::as_select())
        .load(conn)
        .await
}

/// Accounts whose tokens hold, as far as is known.
///
/// # Errors
/// The database's error.
pub async fn list_granted(conn: &mut AsyncPgConnection, tenant: TenantId, feed: FeedId) -> QueryResult<Vec<String>> {
    t::table
        .filter(t::tenant_id.eq(tenant))
        .filter(t::feed_id.eq(feed))
        .filter(t::state.eq("granted"))
        .select(t::external_id)
        .load(conn)
        .await
}

pub(super) async fn find(conn: &mut AsyncPgConnection, of: Account<'_>) -> QueryResult<Option<AuthorizationRow>> {
    t::table
        .filter(t::tenant_id.eq(of.tenant))
        .filter(t::feed_id.eq(of.feed))
        .filter(t::external_id.eq(of.external))
        .select(AuthorizationRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// Takes the turn at refreshing; none when another one refreshes, or has done so already. The answer is when it ends.
pub(super) async fn begin_refresh(
    conn: &mut AsyncPgConnection,
    row: &AuthorizationRow,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> QueryResult<Option<DateTime<Utc>>> {
    diesel::update(
        t::table
            .filter(t::tenant_id.eq(row.tenant_id))
            .filter(t::id.eq(row.id))
            .filter(t::version.eq(row.version))
            .filter(t::refreshing_until.is_null().or(t::refreshing_until.lt(now))),
    )
    .set(t::refreshing_until.eq(now + lease))
    .returning(t::refreshing_until.assume_not_null())
    .get_result(conn)
    .await
    .optional()
}

/// What became of a refresh.
pub(super) enum Refreshed<'a> {
    /// The next pair, sealed.
    Next(Vec<u8>),
    /// The vendor does not take the refresh token any more: why.
    Refused(&'a str),
    /// No answer that says either.
    Unknown,
}

/// Ends the turn that lasts until `turn`; false when it was another's by then, and nothing was changed.
pub(super) async fn end_refresh(
    conn: &mut AsyncPgConnection,
    row: &AuthorizationRow,
    turn: DateTime<Utc>,
    became: Refreshed<'_>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let mine = t::table
        .filter(t::tenant_id.eq(row.tenant_id))
        .filter(t::id.eq(row.id))
        .filter(t::version.eq(row.version))
        .filter(t::refreshing_until.eq(turn));
    let free = t::refreshing_until.eq(None::<DateTime<Utc>>);
    let changed = match became {
        Refreshed::Next(sealed) => {
            let next = (t::tokens_sealed.eq(sealed), t::version.eq(t::version + 1), free, t::updated_at.eq(now));
            diesel::update(mine).set(next).execute(conn).await?
        }
        Refreshed::Refused(reason) => {
            let refused = (t::state.eq("refused"), t::reason.eq(reason), free, t::updated_at.eq(now));
            diesel::update(mine).set(refused).execute(conn).await?
        }
        Refreshed::Unknown => diesel::update(mine).set(free).execute(conn).await?,
    };
    Ok(changed > 0)
}
