//! The Withings Health Data API: how a service is called, tokens, and subscriptions. What is measured is fetched by `ingest`.
//!
//! Its answers are HTTP 200 with a `status` inside: 0 is success, 601 too many requests, 100 to 102, 200 and 401 a token that
//! does not hold (<https://developer.withings.com/api-reference>, "Response status"). Its OAuth 2.0 is not that of RFC 6749
//! enough for a general client: scopes are parted by commas, the token endpoint wants `action=requesttoken` and answers in
//! the same envelope, errors have numbers, and there is no PKCE (decision 0020).

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::authorization::OAuthTokens;
use super::model::FeedClient;
use crate::platform::outbound::{Outbound, OutboundError, OutboundRequest};

const FORM: &str = "application/x-www-form-urlencoded";
const TIMEOUT: Duration = Duration::from_secs(20);
/// What an owner is asked for: measurements, days of activity, and to hear when the account leaves.
const SCOPE: &str = "user.metrics,user.activity,user.info";
/// Kinds of data that are subscribed to: weight, temperature, pressure and saturation, activity, and the account's leaving.
pub const SUBSCRIBED: [u32; 5] = [1, 2, 4, 16, 46];

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The token, or of a request for tokens the code or refresh token, is not taken.
    NotTaken,
    /// Only the account's owner can mend it: a sentence that says so.
    Consent(String),
    /// Too many requests: slower.
    TooMany,
    /// The answer is larger than is read.
    TooLarge,
    /// Another status inside than success.
    Status(i64),
    /// Another HTTP status than success.
    Http(u16),
    /// Try again later; a sentence without anybody's data.
    Later(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken => f.write_str("the vendor does not take the account's tokens"),
            Self::TooMany => f.write_str("the vendor asks for fewer requests"),
            Self::TooLarge => f.write_str("the vendor's answer is larger than is read"),
            Self::Status(status) => write!(f, "the vendor's API answered with status {status}"),
            Self::Http(status) => write!(f, "the vendor's API answered with HTTP {status}"),
            Self::Consent(reason) | Self::Later(reason) => f.write_str(reason),
        }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: i64,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct NewTokens {
    #[serde(default)]
    userid: Value,
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// A subscription as the vendor lists it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Subscription {
    /// Which kind of data.
    pub appli: u32,
    /// Where it is announced.
    pub callbackurl: String,
}

/// Calls a service; the whole answer, whose status is success.
///
/// # Errors
/// [`Trouble`].
pub async fn call(
    outbound: &Outbound,
    client: &FeedClient,
    path: &str,
    form: &[(&str, String)],
    bearer: Option<&str>,
) -> Result<Vec<u8>, Trouble> {
    let url = format!("{}/{path}", client.api_url.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|_bad| Trouble::Later("the feed's API address cannot be read".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    if let Some(token) = bearer {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_not_a_header| {
            Trouble::Later("the access token has characters that no header can have".to_owned())
        })?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = OutboundRequest { method: Method::POST, url, headers, body: Some(body), timeout: TIMEOUT };
    let response = outbound.send(request).await.map_err(|error| match error {
        OutboundError::TooLarge { .. } => Trouble::TooLarge,
        error => Trouble::Later(error.to_string()),
    })?;
    match response.status {
        200 => body_of(&response.body).map(|_body| ())?,
        401 => return Err(Trouble::NotTaken),
        429 => return Err(Trouble::TooMany),
        other => return Err(Trouble::Http(other)),
    }
    Ok(response.body)
}

/// What is inside an answer.
///
/// # Errors
/// What its status says.
pub fn body_of(text: &[u8]) -> Result<Option<&RawValue>, Trouble> {
    let answer: Answer<'_> =
        serde_json::from_slice(text).map_err(|_not_json| Trouble::Later("the API answered without JSON".to_owned()))?;
    match answer.status {
        0 => Ok(answer.body),
        100..=102 | 200 | 401 => Err(Trouble::NotTaken),
        601 => Err(Trouble::TooMany),
        other => Err(Trouble::Status(other)),
    }
}

/// Where an owner's browser is sent to consent.
///
/// # Errors
/// When the client's address cannot be read.
pub fn authorization_url(client: &FeedClient, redirect: &str, state: &str) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(&client.authorize_url)?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.client_id)
        .append_pair("scope", SCOPE)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state);
    Ok(url)
}

/// Exchanges a code, which holds for 30 seconds, for the account's id and tokens.
///
/// # Errors
/// [`Trouble::NotTaken`] for a code that does not hold.
pub async fn exchange(
    outbound: &Outbound,
    client: &FeedClient,
    secret: &str,
    code: &str,
    redirect: &str,
    now: DateTime<Utc>,
) -> Result<(String, OAuthTokens), Trouble> {
    let grant = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect)];
    let tokens = request_tokens(outbound, client, secret, &grant).await?;
    let user = match &tokens.userid {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(Trouble::Later("the answer does not name the account".to_owned())),
    };
    Ok((user, made(tokens, now)))
}

/// Asks for the next pair of tokens.
///
/// # Errors
/// [`Trouble::NotTaken`] when the refresh token does not hold.
pub async fn refresh(
    outbound: &Outbound,
    client: &FeedClient,
    secret: &str,
    refresh_token: &str,
    now: DateTime<Utc>,
) -> Result<OAuthTokens, Trouble> {
    let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    Ok(made(request_tokens(outbound, client, secret, &grant).await?, now))
}

fn made(tokens: NewTokens, now: DateTime<Utc>) -> OAuthTokens {
    OAuthTokens {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_at: Some(now + TimeDelta::seconds(tokens.expires_in.clamp(0, 31_536_000))),
    }
}

async fn request_tokens(
    outbound: &Outbound,
    client: &FeedClient,
    secret: &str,
    grant: &[(&str, &str)],
) -> Result<NewTokens, Trouble> {
    let mut form = vec![
        ("action", "requesttoken".to_owned()),
        ("client_id", client.client_id.clone()),
        ("client_secret", secret.to_owned()),
    ];
    form.extend(grant.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let text = call(outbound, client, "v2/oauth2", &form, None).await.map_err(|trouble| match trouble {
        // "Invalid params": of a form that is right otherwise, the code or refresh token.
        Trouble::Status(503) | Trouble::Http(400) => Trouble::NotTaken,
        other => other,
    })?;
    let tokens = body_of(&text)?.and_then(|body| serde_json::from_str::<NewTokens>(body.get()).ok());
    let tokens = tokens.ok_or_else(|| Trouble::Later("the answer to a request for tokens has none".to_owned()))?;
    let both = [tokens.access_token.as_str(), tokens.refresh_token.as_str()];
    if both.iter().all(|token| OAuthTokens::is_token(token)) {
        Ok(tokens)
    } else {
        Err(Trouble::Later("the answer to a request for tokens has what cannot be one".to_owned()))
    }
}

/// Subscriptions of an account.
///
/// # Errors
/// [`Trouble`].
pub async fn subscriptions(
    outbound: &Outbound,
    client: &FeedClient,
    token: &str,
) -> Result<Vec<Subscription>, Trouble> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        profiles: Vec<Subscription>,
    }
    let text = call(outbound, client, "notify", &[("action", "list".to_owned())], Some(token)).await?;
    let list = body_of(&text)?.and_then(|body| serde_json::from_str::<List>(body.get()).ok());
    Ok(list.map(|list| list.profiles).unwrap_or_default())
}

/// Has a kind of data announced at an address, or not any more.
///
/// # Errors
/// [`Trouble`].
pub async fn change_subscription(
    outbound: &Outbound,
    client: &FeedClient,
    token: &str,
    action: &str,
    subscription: &Subscription,
) -> Result<(), Trouble> {
    let form = [
        ("action", action.to_owned()),
        ("callbackurl", subscription.callbackurl.clone()),
        ("appli", subscription.appli.to_string()),
    ];
    call(outbound, client, "notify", &form, Some(token)).await.map(|_done| ())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn the_status_inside_decides() {
        assert!(body_of(br#"{"status":0,"body":{}}"#).unwrap().is_some());
        let trouble = |text: &str| body_of(text.as_bytes()).err().unwrap();
        assert_eq!(trouble(r#"{"status":401,"error":"XRequestID: invalid_token"}"#), Trouble::NotTaken);
        assert_eq!(trouble(r#"{"status":601,"body":{"wait_seconds":12}}"#), Trouble::TooMany);
        assert_eq!(trouble(r#"{"status":2555}"#), Trouble::Status(2555));
        assert!(matches!(trouble("<html>"), Trouble::Later(_)));
    }

    #[test]
    fn the_owner_is_sent_with_scopes_parted_by_commas() {
        let client: FeedClient = serde_json::from_str(r#"{"clientId":"us"}"#).unwrap();
        let url = authorization_url(&client, "https://rpm.example.org/cb", "s").unwrap();
        assert_eq!(
            url.as_str(),
            "https://account.withings.com/oauth2_user/authorize2?response_type=code&client_id=us&scope=user.metrics%2Cuser.activity%2Cuser.info&redirect_uri=https%3A%2F%2Frpm.example.org%2Fcb&state=s"
        );
    }
}
