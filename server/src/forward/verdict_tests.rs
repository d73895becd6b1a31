//! The table of answers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reqwest::header::{HeaderMap, HeaderValue};

use super::*;
use crate::platform::outbound::guard::Rule;

const OUTCOME: &str = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing"}]}"#;

fn answer(status: u16, body: &str) -> OutboundResponse {
    OutboundResponse { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
}

fn judge(status: u16, body: &str) -> Verdict {
    of_response(&answer(status, body), 2, DateTime::UNIX_EPOCH)
}

/// One word for a verdict, so that the table below can be read.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Answered(_) => "answered",
        Verdict::Refused(_) => "refused",
        Verdict::Endpoint { .. } => "endpoint",
        Verdict::Retry(Retry { ambiguous: true, in_flight: true, .. }) => "ambiguous, in flight",
        Verdict::Retry(Retry { ambiguous: true, .. }) => "ambiguous",
        Verdict::Retry(_) => "retry",
    }
}

#[test]
fn statuses() {
    let html = "<html>sign in</html>";
    for (status, body, expected) in [
        (200, html, "ambiguous"),
        (200, "", "ambiguous"),
        (200, OUTCOME, "ambiguous"),
        (
            200,
            r#"{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201"}}]}"#,
            "ambiguous",
        ),
        (200, r#"{"resourceType":"Bundle","type":"searchset","entry":[{},{}]}"#, "ambiguous"),
        (
            200,
            r#"{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201"}},{}]}"#,
            "ambiguous",
        ),
        (302, "", "endpoint"),
        (400, OUTCOME, "refused"),
        (400, "", "refused"),
        (401, OUTCOME, "endpoint"),
        (403, OUTCOME, "endpoint"),
        (404, OUTCOME, "refused"),
        (404, html, "endpoint"),
        (404, "", "endpoint"),
        (405, "", "endpoint"),
        (408, "", "ambiguous, in flight"),
        (409, OUTCOME, "refused"),
        (412, "", "refused"),
        (413, "", "refused"),
        (415, "", "endpoint"),
        (422, "", "refused"),
        (428, OUTCOME, "refused"),
        (428, "", "endpoint"),
        (429, "", "retry"),
        (500, OUTCOME, "ambiguous"),
        (502, html, "ambiguous, in flight"),
        (503, "", "ambiguous"),
        (504, "", "ambiguous, in flight"),
        (101, "", "endpoint"),
    ] {
        assert_eq!(word(&judge(status, body)), expected, "{status} {body}");
    }
}

#[test]
fn entries_are_judged_one_by_one() {
    let body = r#"{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201 Created","location":"Observation/1/_history/1"}},{"response":{"status":"422","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}}}]}"#;
    let Verdict::Answered(answers) = judge(200, body) else { panic!("{:?}", judge(200, body)) };
    let [EntryVerdict::Done(Some(location)), EntryVerdict::Refused(refusal)] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert_eq!(location, "Observation/1/_history/1");
    assert_eq!(
        (refusal.status, refusal.outcome.as_deref()),
        (422, Some(r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}"#))
    );
}

#[test]
fn the_breaker_counts_servers_not_contents() {
    let counts = |status, body| match judge(status, body) {
        Verdict::Retry(retry) => retry.endpoint_at_fault,
        other => panic!("{other:?}"),
    };
    assert!(!counts(500, OUTCOME));
    assert!(counts(500, ""));
    assert!(counts(503, OUTCOME));
    assert!(counts(200, "junk"));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = DateTime::parse_from_rfc3339("2026-11-22T10:00:00Z").unwrap().with_timezone(&Utc);
    let after = |status, text: &'static str| {
        let mut response = answer(status, "");
        response.headers.insert("retry-after", HeaderValue::from_static(text));
        match of_response(&response, 2, now) {
            Verdict::Retry(retry) => retry.after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(after(429, "7"), Some(Duration::from_secs(7)));
    assert_eq!(after(503, "Sun, 22 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(after(503, "Sun, 22 Nov 2026 09:00:00 GMT"), None);
    assert_eq!(after(429, "soon"), None);
    assert_eq!(after(500, "7"), None);
}

#[test]
fn certain_failures_are_not_ambiguous() {
    for (error, expected) in [
        (OutboundError::Connect, "retry"),
        (OutboundError::Dns, "retry"),
        (OutboundError::Tls, "retry"),
        (OutboundError::Timeout, "ambiguous, in flight"),
        (OutboundError::Broken, "ambiguous, in flight"),
        (OutboundError::TooLarge { limit_bytes: 1 }, "ambiguous, in flight"),
        (OutboundError::Refused(Rule::Loopback), "endpoint"),
    ] {
        assert_eq!(word(&of_error(&error)), expected, "{error}");
    }
}

#[test]
fn pages_for_browsers_are_not_kept_and_words_are_bounded() {
    let Verdict::Retry(retry) = judge(500, "<html>") else { panic!() };
    assert_eq!(retry.outcome, None);
    let Verdict::Refused(refusal) = judge(422, &format!("{}{}", OUTCOME, " ".repeat(20) + &"x".repeat(20_000))) else {
        panic!()
    };
    assert_eq!(refusal.outcome.map(|text| text.len()), Some(8 * 1024));
}
