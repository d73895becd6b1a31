//! What an account's owner let us fetch: OAuth tokens, sealed, and refreshed by one process at a time.
//!
//! A refresh token rotates: the answer to a refresh carries the next one. Whoever refreshes takes the row's turn first
//! (`refreshing_until`, a lease, because no row is locked during HTTP), and stores the answer before the new access token is
//! used, in the one statement that ends the turn and replaces the pair that was used (`version`). A process that dies in
//! between leaves the old pair, which Withings takes until the new access token is used, or for eight hours.

mod refresh;
mod store;

use chrono::{DateTime, Utc};
use db::{FeedId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Error, FieldError};
use crate::platform::sealed_column::SealedColumn;

pub use refresh::{AccessToken, access_token};
pub use store::{AccountRow, ended_by_owner, forget, grant, list_accounts, list_granted, try_refused_again, was_taken};

/// A pair of tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OAuthTokens {
    /// What the API is called with.
    pub access_token: String,
    /// What the next pair is asked for with.
    pub refresh_token: String,
    /// When the access token ends; it is refreshed at its first use when this is absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

impl OAuthTokens {
    /// Whether a text can be a token.
    #[must_use]
    pub fn is_token(text: &str) -> bool {
        (1..=2048).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Collects what is wrong with tokens that somebody gave; they are not repeated.
    pub fn check(&self, wrong: &mut Vec<FieldError>) {
        if !Self::is_token(&self.access_token) || !Self::is_token(&self.refresh_token) {
            wrong.push(FieldError {
                pointer: "/tokens".to_owned(),
                detail: "tokens have 1 to 2048 visible ASCII characters".to_owned(),
            });
        }
    }
}

/// An account of a feed.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Whose feed.
    pub tenant: TenantId,
    /// The feed.
    pub feed: FeedId,
    /// The vendor's id of the account.
    pub external: &'a str,
}

fn place(tenant: TenantId, id: Uuid) -> String {
    format!("feed_authorization.tokens/{tenant}/{id}")
}

/// Where the tokens are, for changing the key.
pub const SEALED_TOKENS: SealedColumn = SealedColumn {
    title: "accounts' tokens",
    table: "feed_authorization",
    column: "tokens_sealed",
    // The owner consents again.
    emptied: "tokens_sealed = NULL, state = 'refused', reason = 'the key that sealed the tokens is lost', version = version + 1, updated_at = now()",
    place,
};

fn seal(app: &App, tenant: TenantId, id: Uuid, tokens: &OAuthTokens) -> Result<Vec<u8>, Error> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(tokens).map_err(Error::internal)?);
    app.sealer.seal(&place(tenant, id), &plain).map_err(Error::internal)
}

fn open(app: &App, tenant: TenantId, id: Uuid, sealed: &[u8]) -> Result<OAuthTokens, Error> {
    let opened = app.sealer.open(&place(tenant, id), sealed).map_err(Error::internal)?;
    serde_json::from_slice(&opened)
        .map_err(|_no_detail| Error::internal(anyhow::anyhow!("an account's tokens are not what was sealed")))
}
