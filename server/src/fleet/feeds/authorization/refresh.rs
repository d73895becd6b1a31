//! An access token that holds: the stored one, or the next, which one process at a time asks for.

use chrono::{DateTime, TimeDelta, Utc};
use db::{FeedId, TenantScope};

use super::store::{self, AuthorizationRow, Refreshed};
use super::{Account, open, seal};
use crate::app::App;
use crate::error::Error;
use crate::fleet::feeds::FeedSnapshot;
use crate::fleet::feeds::withings::{self, Trouble};

/// A turn at refreshing ends by itself after this: a request's timeout and the store, with room to spare.
const TURN: TimeDelta = TimeDelta::seconds(60);
/// An access token that ends within this is refreshed before it is used.
const EARLY: TimeDelta = TimeDelta::seconds(60);
const NOT_TAKEN: &str = "the vendor does not take the refresh token any more";

/// What the API is called with.
pub struct AccessToken {
    /// The token itself.
    pub token: String,
    version: i32,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Later(error.public().to_owned())
    }
}

/// An account's access token; refreshed first where it is about to end, or where the vendor has just refused it (`refused`).
///
/// # Errors
/// [`Trouble::Consent`] when only the account's owner can mend it.
pub async fn access_token(
    app: &App,
    feed: &FeedSnapshot,
    external: &str,
    refused: Option<&AccessToken>,
) -> Result<AccessToken, Trouble> {
    let of = Account { tenant: feed.carrier.tenant, feed: FeedId(feed.carrier.id.0), external };
    let row = stored(app, of).await?.ok_or_else(|| {
        Trouble::Consent("nobody has authorized this account: let its owner consent, or give its tokens".to_owned())
    })?;
    let sealed = row.tokens_sealed.as_deref().filter(|_| row.state == "granted").ok_or_else(|| {
        let why = row.reason.as_deref().unwrap_or("the tokens are not there any more");
        Trouble::Consent(format!("{why}: the owner has to consent again"))
    })?;
    let tokens = open(app, row.tenant_id, row.id, sealed)?;
    let holds = tokens.expires_at.is_some_and(|end| end > app.clock.now() + EARLY);
    // Refused, and another one has refreshed since: then the next pair is there already.
    if holds && refused.is_none_or(|refused| refused.version < row.version) {
        return Ok(AccessToken { token: tokens.access_token, version: row.version });
    }
    refresh(app, feed, &row, &tokens.refresh_token).await
}

async fn refresh(
    app: &App,
    feed: &FeedSnapshot,
    row: &AuthorizationRow,
    refresh_token: &str,
) -> Result<AccessToken, Trouble> {
    let (client, secret) = feed.api()?;
    let Some(turn) = begin(app, row).await? else {
        return Err(Trouble::Later("the account's tokens are being refreshed".to_owned()));
    };
    let next = withings::refresh(&app.outbound, client, secret, refresh_token, app.clock.now()).await;
    let became = match &next {
        Ok(next) => Refreshed::Next(seal(app, row.tenant_id, row.id, next)?),
        Err(Trouble::NotTaken) => Refreshed::Refused(NOT_TAKEN),
        Err(_) => Refreshed::Unknown,
    };
    // Stored before it is used: the vendor forgets the old pair at the first use of the new one.
    let is_ours = end(app, row, turn, became).await?;
    match next {
        Ok(next) if is_ours => Ok(AccessToken { token: next.access_token, version: row.version + 1 }),
        // Another one's pair is stored: to use this one could end that.
        Ok(_) => Err(Trouble::Later("the account's tokens were changed meanwhile".to_owned())),
        Err(Trouble::NotTaken) => Err(Trouble::Consent(format!("{NOT_TAKEN}: the owner has to consent again"))),
        Err(trouble) => Err(trouble),
    }
}

async fn stored(app: &App, of: Account<'_>) -> Result<Option<AuthorizationRow>, Error> {
    let mut transaction = TenantScope::one(of.tenant).begin(&app.db).await?;
    let row = store::find(&mut transaction, of).await?;
    transaction.commit().await?;
    Ok(row)
}

async fn begin(app: &App, row: &AuthorizationRow) -> Result<Option<DateTime<Utc>>, Error> {
    let mut transaction = TenantScope::one(row.tenant_id).begin(&app.db).await?;
    let turn = store::begin_refresh(&mut transaction, row, app.clock.now(), TURN).await?;
    transaction.commit().await?;
    Ok(turn)
}

async fn end(app: &App, row: &AuthorizationRow, turn: DateTime<Utc>, became: Refreshed<'_>) -> Result<bool, Error> {
    let mut transaction = TenantScope::one(row.tenant_id).begin(&app.db).await?;
    let is_ours = store::end_refresh(&mut transaction, row, turn, became, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(is_ours)
}
