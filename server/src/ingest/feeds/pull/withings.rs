//! The Withings Health Data API, as far as pulls need it: measurements, days of activity, and the next pair of tokens.
//! Its answers are HTTP 200 with a `status` inside: 0 is success, 601 too many requests, 401 and 100 to 102 a token that does
//! not hold (<https://developer.withings.com/api-reference>, "Response status").

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::notification::FORM;
use super::store::Pull;
use crate::fleet::{FeedClient, OAuthTokens};
use crate::platform::outbound::{Outbound, OutboundRequest};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Members of a day that the decoder reads.
const ACTIVITY_FIELDS: &str = "steps,distance,elevation,soft,moderate,intense,calories,totalcalories,hr_average";

/// Why there is no data, or no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The access token, or of a refresh the refresh token, does not hold.
    Unauthorized,
    /// Too many requests: slower.
    TooMany,
    /// Try again later; a sentence without anybody's data.
    Later(String),
}

/// A page of data.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The whole answer, as it came.
    pub text: Vec<u8>,
    /// Where the next page begins, when there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: i64,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    more: Option<serde_json::Value>,
    #[serde(default)]
    offset: Option<u64>,
}

#[derive(Deserialize)]
struct NewTokens {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// Fetches a page of what was announced.
pub async fn fetch(
    outbound: &Outbound,
    client: &FeedClient,
    pull: &Pull,
    access_token: &str,
    offset: Option<u64>,
) -> Result<Page, Trouble> {
    let is_activity = pull.kind == "activity";
    let (path, mut form) = if is_activity {
        let form = vec![
            ("action", "getactivity".to_owned()),
            ("startdateymd", pull.range_from.clone()),
            ("enddateymd", pull.range_until.clone()),
            ("data_fields", ACTIVITY_FIELDS.to_owned()),
        ];
        ("v2/measure", form)
    } else {
        let form = vec![
            ("action", "getmeas".to_owned()),
            ("category", "1".to_owned()),
            ("startdate", pull.range_from.clone()),
            ("enddate", pull.range_until.clone()),
        ];
        ("measure", form)
    };
    form.extend(offset.map(|offset| ("offset", offset.to_string())));
    let mut bearer = HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(|_not_a_header| {
        Trouble::Later("the access token has characters that no header can have".to_owned())
    })?;
    bearer.set_sensitive(true);
    let text = call(outbound, client, path, &form, Some(bearer)).await?;
    let paging: Option<Paging> = answer(&text)?.body.and_then(|body| serde_json::from_str(body.get()).ok());
    let next = paging.filter(|paging| is_more(paging.more.as_ref())).and_then(|paging| paging.offset);
    Ok(Page { text, next })
}

/// `more` is 1 in one service and true in the other.
fn is_more(more: Option<&serde_json::Value>) -> bool {
    more.is_some_and(|more| more.as_bool().unwrap_or_else(|| more.as_i64().is_some_and(|more| more != 0)))
}

/// Asks for the next pair of tokens.
pub async fn refresh(
    outbound: &Outbound,
    client: &FeedClient,
    secret: &str,
    refresh_token: &str,
    now: DateTime<Utc>,
) -> Result<OAuthTokens, Trouble> {
    let form = vec![
        ("action", "requesttoken".to_owned()),
        ("grant_type", "refresh_token".to_owned()),
        ("client_id", client.client_id.clone()),
        ("client_secret", secret.to_owned()),
        ("refresh_token", refresh_token.to_owned()),
    ];
    let text = call(outbound, client, "v2/oauth2", &form, None).await?;
    let tokens = answer(&text)?.body.and_then(|body| serde_json::from_str::<NewTokens>(body.get()).ok());
    let tokens = tokens.ok_or_else(|| Trouble::Later("the answer to a refresh has no tokens".to_owned()))?;
    Ok(OAuthTokens {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expires_at: Some(now + TimeDelta::seconds(tokens.expires_in.clamp(0, 31_536_000))),
    })
}

async fn call(
    outbound: &Outbound,
    client: &FeedClient,
    path: &str,
    form: &[(&str, String)],
    bearer: Option<HeaderValue>,
) -> Result<Vec<u8>, Trouble> {
    let url = format!("{}/{path}", client.api_url.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|_bad| Trouble::Later("the feed's API address cannot be read".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    if let Some(bearer) = bearer {
        headers.insert(AUTHORIZATION, bearer);
    }
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = OutboundRequest { method: Method::POST, url, headers, body: Some(body), timeout: TIMEOUT };
    let response = outbound.send(request).await.map_err(|error| Trouble::Later(error.to_string()))?;
    match response.status {
        200 => Ok(response.body),
        401 => Err(Trouble::Unauthorized),
        429 => Err(Trouble::TooMany),
        other => Err(Trouble::Later(format!("the API answered with HTTP {other}"))),
    }
}

fn answer(text: &[u8]) -> Result<Answer<'_>, Trouble> {
    let answer: Answer<'_> =
        serde_json::from_slice(text).map_err(|_not_json| Trouble::Later("the API answered without JSON".to_owned()))?;
    match answer.status {
        0 => Ok(answer),
        100..=102 | 200 | 401 => Err(Trouble::Unauthorized),
        601 => Err(Trouble::TooMany),
        other => Err(Trouble::Later(format!("the API answered with status {other}"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn the_status_inside_decides() {
        assert!(answer(br#"{"status":0,"body":{}}"#).is_ok());
        let trouble = |text: &str| answer(text.as_bytes()).err().unwrap();
        assert_eq!(trouble(r#"{"status":401,"error":"XRequestID: invalid_token"}"#), Trouble::Unauthorized);
        assert_eq!(trouble(r#"{"status":601,"body":{"wait_seconds":12}}"#), Trouble::TooMany);
        assert_eq!(trouble(r#"{"status":2555}"#), Trouble::Later("the API answered with status 2555".to_owned()));
        assert!(matches!(trouble("<html>"), Trouble::Later(_)));
        assert!(is_more(Some(&1.into())) && is_more(Some(&true.into())) && !is_more(Some(&0.into())) && !is_more(None));
    }
}
