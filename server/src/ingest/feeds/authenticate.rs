//! Whether a post is the vendor's. Compared in constant time; pure but for the clock that is handed in.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;

use crate::fleet::{Authentication, FeedSecrets, HmacAlgorithm, SignatureEncoding};

/// By how many milliseconds the time of signing may differ from ours.
const TOLERANCE_MS: u64 = 300_000;

/// What of a request tells who sent it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The query, as it stands in the address.
    pub query: &'a str,
}

/// Whether the body has to be there for the decision.
pub fn needs_body(authentication: &Authentication) -> bool {
    matches!(authentication, Authentication::Hmac { .. })
}

/// Whether the request is the vendor's, by one of the secrets that hold now.
pub fn is_authentic(
    authentication: &Authentication,
    secrets: &FeedSecrets,
    shown: Shown<'_>,
    body: &[u8],
    now: DateTime<Utc>,
) -> bool {
    // Every secret is tried, so that the time tells nothing of which one it was.
    secrets.holding(now).fold(false, |known, secret| known | shows(authentication, secret, shown, body, now))
}

fn shows(authentication: &Authentication, secret: &str, shown: Shown<'_>, body: &[u8], now: DateTime<Utc>) -> bool {
    match authentication {
        Authentication::Header { name } => {
            let value = header(shown.headers, name);
            value.is_some_and(|value| is_same(value, secret) | is_same(without_scheme(value, "bearer"), secret))
        }
        Authentication::Basic { user } => {
            let value = header(shown.headers, AUTHORIZATION.as_str()).map(|value| without_scheme(value, "basic"));
            let decoded = value.and_then(|value| STANDARD.decode(value).ok());
            decoded.is_some_and(|decoded| bool::from(decoded.ct_eq(format!("{user}:{secret}").as_bytes())))
        }
        Authentication::Query { parameter } => url::form_urlencoded::parse(shown.query.as_bytes())
            .filter(|(name, _)| name == parameter)
            .fold(false, |known, (_, value)| known | is_same(&value, secret)),
        Authentication::Hmac { header: name, algorithm, encoding, prefix, key_suffix, timestamp_header } => {
            let signature =
                header(shown.headers, name).and_then(|value| value.strip_prefix(prefix.as_str())).and_then(|value| {
                    match encoding {
                        SignatureEncoding::Hex => hex::decode(value).ok(),
                        SignatureEncoding::Base64 => STANDARD.decode(value).ok(),
                    }
                });
            let Some(signature) = signature else { return false };
            let timestamp = match timestamp_header {
                None => None,
                Some(name) => match header(shown.headers, name).filter(|text| is_recent(text, now)) {
                    Some(text) => Some(text),
                    None => return false,
                },
            };
            let key = format!("{secret}{key_suffix}");
            is_signed(*algorithm, key.as_bytes(), timestamp, body, &signature)
        }
    }
}

fn is_signed(algorithm: HmacAlgorithm, key: &[u8], timestamp: Option<&str>, body: &[u8], signature: &[u8]) -> bool {
    let algorithm = match algorithm {
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    if let Some(timestamp) = timestamp {
        context.update(timestamp.as_bytes());
        context.update(b".");
    }
    context.update(body);
    bool::from(context.sign().as_ref().ct_eq(signature))
}

/// Whether a time of signing, in seconds or milliseconds since 1970, is near enough to ours.
fn is_recent(text: &str, now: DateTime<Utc>) -> bool {
    let Ok(number) = text.parse::<i64>() else { return false };
    // Seconds have ten digits until 2286, milliseconds thirteen since 2001.
    let milliseconds = if text.len() > 11 { Some(number) } else { number.checked_mul(1000) };
    milliseconds.is_some_and(|at| now.timestamp_millis().abs_diff(at) <= TOLERANCE_MS)
}

/// The one value of a header; none where it is there twice, of which the vendor's could be either.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

fn without_scheme<'a>(value: &'a str, scheme: &str) -> &'a str {
    match value.split_once(' ') {
        Some((said, rest)) if said.eq_ignore_ascii_case(scheme) => rest.trim(),
        _ => value,
    }
}

fn is_same(shown: &str, secret: &str) -> bool {
    shown.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn secrets() -> FeedSecrets {
        let until = "2026-01-01T12:00:00Z".parse().unwrap();
        FeedSecrets {
            current: "123ab4567c123d123e4567f123g456h7".to_owned(),
            previous: Some(("before-it".to_owned(), until)),
            client: None,
        }
    }

    fn headers(values: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn decide(authentication: &Authentication, values: &[(&str, &str)], query: &str, body: &[u8], now: &str) -> bool {
        let headers = headers(values);
        is_authentic(authentication, &secrets(), Shown { headers: &headers, query }, body, now.parse().unwrap())
    }

    const EARLY: &str = "2026-01-01T11:59:59Z";
    const LATE: &str = "2026-01-01T12:00:00Z";

    #[test]
    fn a_header_has_the_secret_alone_or_as_bearer() {
        let header = Authentication::Header { name: "Authorization".to_owned() };
        let current = "123ab4567c123d123e4567f123g456h7";
        assert!(decide(&header, &[("authorization", current)], "", b"", LATE));
        assert!(decide(&header, &[("authorization", &format!("Bearer {current}"))], "", b"", LATE));
        assert!(decide(&header, &[("authorization", "before-it")], "", b"", EARLY), "the one before, while it holds");
        assert!(!decide(&header, &[("authorization", "before-it")], "", b"", LATE));
        assert!(!decide(&header, &[("authorization", ""), ("x", current)], "", b"", LATE));
        assert!(!decide(&header, &[("authorization", current), ("authorization", "x")], "", b"", LATE), "two of them");
        assert!(!decide(&header, &[], "", b"", LATE));
    }

    #[test]
    fn basic_and_query() {
        let basic = Authentication::Basic { user: "bodytrace".to_owned() };
        let value = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let good = value("bodytrace:123ab4567c123d123e4567f123g456h7");
        assert!(decide(&basic, &[("authorization", &good)], "", b"", LATE));
        assert!(!decide(&basic, &[("authorization", &value("other:123ab4567c123d123e4567f123g456h7"))], "", b"", LATE));
        assert!(!decide(&basic, &[("authorization", "Basic ***")], "", b"", LATE));
        let query = Authentication::Query { parameter: "key".to_owned() };
        assert!(decide(&query, &[], "a=1&key=123ab4567c123d123e4567f123g456h7", b"", LATE));
        assert!(!decide(&query, &[], "key=&k=123ab4567c123d123e4567f123g456h7", b"", LATE));
    }

    fn fitbit(timestamp_header: Option<&str>) -> Authentication {
        Authentication::Hmac {
            header: "X-Fitbit-Signature".to_owned(),
            algorithm: HmacAlgorithm::Sha1,
            encoding: SignatureEncoding::Base64,
            prefix: String::new(),
            key_suffix: "&".to_owned(),
            timestamp_header: timestamp_header.map(str::to_owned),
        }
    }

    #[test]
    fn fitbits_signature_is_over_the_raw_body_with_the_secret_and_an_ampersand() {
        let body = br#"[{"collectionType":"foods","date":"2020-06-01","ownerId":"228S74","ownerType":"user","subscriptionId":"1234"}]"#;
        // Computed with `openssl dgst -sha1 -hmac '123ab4567c123d123e4567f123g456h7&' -binary | base64`.
        let signature = "zW5IsS7DJghXO6WZxnTwBY3OOJY=";
        assert!(decide(&fitbit(None), &[("x-fitbit-signature", signature)], "", body, LATE));
        let mut other = body.to_vec();
        other[3] ^= 1;
        assert!(!decide(&fitbit(None), &[("x-fitbit-signature", signature)], "", &other, LATE));
        assert!(!decide(&fitbit(None), &[("x-fitbit-signature", "AAAA")], "", body, LATE));
    }

    #[test]
    fn a_signed_time_bounds_a_replay() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"before-it");
        let method = Authentication::Hmac {
            header: "X-Signature".to_owned(),
            algorithm: HmacAlgorithm::Sha256,
            encoding: SignatureEncoding::Hex,
            prefix: "sha256=".to_owned(),
            key_suffix: String::new(),
            timestamp_header: Some("X-Timestamp".to_owned()),
        };
        let at = EARLY.parse::<DateTime<Utc>>().unwrap().timestamp();
        let sign = |text: &str| format!("sha256={}", hex::encode(hmac::sign(&key, format!("{text}.body").as_bytes())));
        let try_at = |text: &str, signed: &str| {
            decide(&method, &[("x-signature", &sign(signed)), ("x-timestamp", text)], "", b"body", EARLY)
        };
        for good in [at.to_string(), (at - 300).to_string(), format!("{at}000")] {
            assert!(try_at(&good, &good), "{good}");
        }
        assert!(!try_at(&(at - 301).to_string(), &(at - 301).to_string()), "too old");
        assert!(!try_at(&(at + 301).to_string(), &(at + 301).to_string()), "from the future");
        assert!(!try_at(&at.to_string(), &(at - 1).to_string()), "the time is signed too");
        assert!(!try_at("now", "now"));
    }
}
