//! How a vendor's cloud says who it is, and what it wants to hear before it sends. Types and rules; no I/O, no clock.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::formats::FeedFormat;
use crate::app::App;
use crate::error::{Error, FieldError};
use crate::platform::sealed_column::SealedColumn;

/// Characters of a name of a header, parameter or user at most.
const MAX_NAME: usize = 100;
/// Bytes of a secret: a short one could be guessed.
const SECRET: std::ops::RangeInclusive<usize> = 8..=500;

/// How a feed's posts are authenticated. The secret itself is kept apart, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Authentication {
    /// A header has the secret, alone or after `Bearer `.
    Header {
        /// Name of the header, such as `Authorization` or `X-Api-Key`.
        name: String,
    },
    /// HTTP basic authentication (RFC 7617) with the secret as password.
    Basic {
        /// The user name.
        user: String,
    },
    /// A header has an HMAC of the raw body, keyed with the secret.
    Hmac {
        /// Name of the header, such as `X-Fitbit-Signature`.
        header: String,
        /// The hash.
        algorithm: HmacAlgorithm,
        /// How the header is written.
        encoding: SignatureEncoding,
        /// What stands in front of the signature in the header, such as `sha256=`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
        /// What is put behind the secret to make the key: `&` for Fitbit.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        key_suffix: String,
        /// Against replay: the header with the time of signing, in seconds or milliseconds since 1970, which may differ from
        /// ours by five minutes. What is signed is then that text, a full stop and the body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp_header: Option<String>,
    },
    /// A query parameter has the secret. For vendors that can do nothing else (Withings, Garmin): the address is the secret
    /// then, and stands in the logs of proxies.
    Query {
        /// Name of the parameter, such as `key`.
        parameter: String,
    },
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HmacAlgorithm {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-1, which Fitbit signs with.
    Sha1,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureEncoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// What a GET or HEAD of the vendor is answered with, before it sends anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Challenge {
    /// 405.
    #[default]
    None,
    /// 200, to see that somebody is there (Withings).
    Probe,
    /// 204 when a parameter has the code that the vendor shows its customer, else 404 (Fitbit's `verify`).
    Verify {
        /// Name of the parameter.
        parameter: String,
        /// The code.
        code: String,
    },
    /// 200 with the parameter's text, as plain text.
    Echo {
        /// Name of the parameter, such as `challenge`.
        parameter: String,
    },
}

/// How a vendor's API is called, where it notifies and lets the data be fetched (Withings).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedClient {
    /// Our client id there.
    pub client_id: String,
    /// The address of the API: `https://wbsapi.withings.net` when absent.
    #[serde(default = "withings_api")]
    pub api_url: String,
    /// Where owners consent: `https://account.withings.com/oauth2_user/authorize2` when absent.
    #[serde(default = "withings_authorize")]
    pub authorize_url: String,
}

/// Where Withings' API is.
pub fn withings_api() -> String {
    "https://wbsapi.withings.net".to_owned()
}

/// Where owners of Withings' accounts consent.
pub fn withings_authorize() -> String {
    "https://account.withings.com/oauth2_user/authorize2".to_owned()
}

/// A feed's secrets, inside their seal.
#[derive(Clone, Serialize, Deserialize)]
pub struct FeedSecrets {
    /// What the vendor shows or signs with.
    pub current: String,
    /// The one before it, and until when that still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<(String, DateTime<Utc>)>,
    /// Our client secret at the vendor's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

impl FeedSecrets {
    /// The secrets that hold now.
    pub fn holding(&self, now: DateTime<Utc>) -> impl Iterator<Item = &str> {
        let previous = self.previous.iter().filter(move |(_, until)| *until > now).map(|(secret, _)| secret.as_str());
        std::iter::once(self.current.as_str()).chain(previous)
    }
}

/// Where a feed's secrets are sealed for.
pub fn secrets_place(tenant: db::TenantId, feed: db::FeedId) -> String {
    format!("feed.secrets/{tenant}/{feed}")
}

/// Where the secrets of feeds are, for changing the key.
pub const SEALED_FEED_SECRETS: SealedColumn = SealedColumn {
    title: "feed secrets",
    table: "feed",
    column: "secrets_sealed",
    // Nobody is let in without a secret: a person sets a new one.
    emptied: "secrets_sealed = NULL",
    place: |tenant, feed| secrets_place(tenant, db::FeedId(feed)),
};

impl Authentication {
    /// Collects what is wrong with it.
    pub fn check(&self, wrong: &mut Vec<FieldError>) {
        let mut header = |pointer: &str, name: &str| {
            let good = (1..=MAX_NAME).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !good {
                wrong.push(problem(pointer, "the name of a header: letters, digits, `-` and `_`"));
            }
        };
        match self {
            Self::Header { name } => header("/authentication/name", name),
            Self::Hmac { header: name, timestamp_header, prefix, key_suffix, .. } => {
                header("/authentication/header", name);
                if let Some(name) = timestamp_header {
                    header("/authentication/timestampHeader", name);
                }
                if prefix.len() > MAX_NAME || key_suffix.len() > MAX_NAME {
                    wrong.push(problem("/authentication", "prefix and keySuffix have at most 100 characters"));
                }
            }
            Self::Basic { user } if !is_plain(user) || user.contains(':') => {
                wrong.push(problem("/authentication/user", "1 to 100 printable characters without `:`"));
            }
            Self::Query { parameter } if !is_plain(parameter) => {
                wrong.push(problem("/authentication/parameter", "1 to 100 printable characters"));
            }
            Self::Basic { .. } | Self::Query { .. } => {}
        }
    }
}

impl Challenge {
    /// Collects what is wrong with it.
    pub fn check(&self, wrong: &mut Vec<FieldError>) {
        let good = match self {
            Self::None | Self::Probe => true,
            Self::Echo { parameter } => is_plain(parameter),
            Self::Verify { parameter, code } => is_plain(parameter) && is_plain(code),
        };
        if !good {
            wrong.push(problem("/challenge", "parameter and code have 1 to 100 printable characters"));
        }
    }
}

impl FeedClient {
    /// Collects what is wrong with it; its address is one that may be called.
    pub async fn check(&self, app: &App, format: Option<&FeedFormat>, wrong: &mut Vec<FieldError>) {
        if format.is_some_and(|format| format.api.is_none()) {
            wrong.push(problem("/client", "nothing is fetched in this format, so that it has no client"));
        }
        if !is_web_address(&self.authorize_url) {
            wrong.push(problem("/client/authorizeUrl", "the address where owners consent, with http or https"));
        }
        if !is_plain(&self.client_id) {
            wrong.push(problem("/client/clientId", "1 to 100 printable characters"));
        }
        let url = Url::parse(&self.api_url).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
        let Some(url) = url else {
            wrong.push(problem(
                "/client/apiUrl",
                "the address of the vendor's API, such as https://wbsapi.withings.net",
            ));
            return;
        };
        if let Err(rule) = app.outbound.check(&url).await {
            let detail = format!(
                "this is {rule}, which is not reached from here unless the operator lists its network in outbound_allow (AFFERENT_OUTBOUND_ALLOW)"
            );
            wrong.push(problem("/client/apiUrl", &detail));
        }
    }
}

/// A secret that a vendor chose.
///
/// # Errors
/// 422; the secret is not repeated.
pub fn check_secret(secret: &str) -> Result<(), Error> {
    if SECRET.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::field("/secret", "a secret has 8 to 500 visible ASCII characters, without spaces"))
}

/// The same of our client secret at a vendor's API.
pub fn check_client_secret(secret: &str, wrong: &mut Vec<FieldError>) {
    if check_secret(secret).is_err() {
        wrong.push(problem("/client/clientSecret", "8 to 500 visible ASCII characters, without spaces"));
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none())
}

fn is_plain(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

fn problem(pointer: &str, detail: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() }
}
