//! What an EHR's answer to a transaction means for the deliveries in it. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fhir_model::bundle::{Answer, EntryAnswer, read_answer};
use fhir_model::outcome::OperationOutcome;
use fhir_model::parse::Limits;

use super::model;
use crate::platform::outbound::{OutboundError, OutboundResponse};

/// What became of the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every entry has its own answer, in order.
    Answered(Vec<EntryVerdict>),
    /// The content is refused: bisect, until the entry that is at fault stands alone.
    Refused(Refusal),
    /// Not now.
    Retry(Retry),
    /// Nothing will go through until somebody mends the endpoint: its credential or its URL.
    Endpoint {
        /// Status, if there was an answer.
        status: Option<u16>,
        /// For people.
        reason: String,
    },
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryVerdict {
    /// It is there; where, when the server says so.
    Done(Option<String>),
    /// Refused, while others of the same answer may be done.
    Refused(Refusal),
    /// Failed for a time.
    Retry(Retry),
}

/// Content that a server does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// For people, without the server's words.
    pub(super) reason: String,
    /// The server's words, bounded: an `OperationOutcome` when it sent one.
    pub(super) outcome: Option<String>,
}

/// A failure that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Retry {
    /// HTTP status, if there was an answer.
    pub(super) status: Option<u16>,
    /// For people, without the server's words.
    pub(super) reason: String,
    /// The server's words, bounded.
    pub(super) outcome: Option<String>,
    /// It may have been stored nevertheless: search before the next create.
    pub(super) ambiguous: bool,
    /// The server may still be at it: nothing is sent again before its time is over.
    pub(super) in_flight: bool,
    /// The server named a time.
    pub(super) after: Option<Duration>,
    /// It says something about the server, not about this content: the circuit breaker counts it.
    pub(super) endpoint_at_fault: bool,
}

/// Judges a call that brought no answer.
pub(super) fn of_error(error: &OutboundError) -> Verdict {
    let processed = !error.is_certainly_not_processed();
    match error {
        OutboundError::Refused(_) | OutboundError::Request => {
            Verdict::Endpoint { status: None, reason: error.to_string() }
        }
        _ => Verdict::Retry(Retry {
            status: None,
            reason: error.to_string(),
            outcome: None,
            ambiguous: processed,
            in_flight: processed,
            after: None,
            endpoint_at_fault: true,
        }),
    }
}

/// Judges an answer to a transaction of `entries` entries.
pub(super) fn of_response(response: &OutboundResponse, entries: usize, now: DateTime<Utc>) -> Verdict {
    let status = response.status;
    let answer = read_answer(&response.body, &Limits::default());
    let outcome = matches!(answer, Answer::Outcome(_));
    let endpoint =
        |reason: &str| Verdict::Endpoint { status: Some(status), reason: format!("HTTP {status}: {reason}") };
    match status {
        200..=299 => match transaction_response(answer, entries) {
            Some(answers) => Verdict::Answered(answers),
            None => Verdict::Retry(Retry {
                ambiguous: true,
                outcome: words(&response.body, outcome),
                ..retry(
                    status,
                    "a success that is not the answer to the transaction: is this a FHIR R4 server's base URL?",
                    true,
                )
            }),
        },
        300..=399 => endpoint("redirected; configure the URL that it leads to"),
        401 => endpoint("the credential is not accepted"),
        403 => endpoint("the credential does not allow this"),
        407 => endpoint("a proxy asks for a credential"),
        404 | 410 if !outcome => endpoint("nothing answers at this URL; is it the FHIR base?"),
        405 | 406 | 415 | 501 => endpoint("no transactions here; is this a FHIR R4 server's base URL?"),
        408 | 423 | 424 | 425 | 429 => {
            let ambiguous = status == 408;
            Verdict::Retry(Retry {
                ambiguous,
                in_flight: ambiguous,
                after: retry_after(response, now),
                outcome: words(&response.body, outcome),
                ..retry(status, "the server asks to come again", status == 429)
            })
        }
        500..=599 => Verdict::Retry(Retry {
            ambiguous: true,
            // A gateway gives up on a server that may still be at work.
            in_flight: matches!(status, 502 | 504),
            after: if status == 503 { retry_after(response, now) } else { None },
            outcome: words(&response.body, outcome),
            // With an OperationOutcome a FHIR server speaks, and perhaps about this content only.
            ..retry(status, "the server failed", !outcome || matches!(status, 502..=504))
        }),
        400 | 404 | 409 | 410 | 412 | 413 | 422 => Verdict::Refused(refusal(status, &response.body)),
        400..=499 if outcome => Verdict::Refused(refusal(status, &response.body)),
        _ => endpoint("not an answer of a FHIR server"),
    }
}

fn retry(status: u16, reason: &str, endpoint_at_fault: bool) -> Retry {
    Retry {
        status: Some(status),
        reason: format!("HTTP {status}: {reason}"),
        outcome: None,
        ambiguous: false,
        in_flight: false,
        after: None,
        endpoint_at_fault,
    }
}

fn refusal(status: u16, body: &[u8]) -> Refusal {
    let reason = match status {
        404 => "what it refers to does not exist there; is the patient known there under this identifier?",
        409 => "it conflicts with what is there",
        412 => {
            "several resources match where one is expected: the patient's or the Observation's identifier is not unique there"
        }
        413 => "it is too large",
        _ => "the server refuses the content",
    };
    Refusal { status, reason: format!("HTTP {status}: {reason}"), outcome: words(body, true) }
}

/// A server's words, bounded. Pages for browsers are of no use.
fn words(body: &[u8], structured: bool) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    (!text.is_empty() && (structured || !text.starts_with('<'))).then(|| model::bounded(text))
}

/// The entries' answers; `None` unless there are exactly as many as were sent, each with a status.
fn transaction_response(answer: Answer, entries: usize) -> Option<Vec<EntryVerdict>> {
    match answer {
        Answer::Entries(answers) if answers.len() == entries => answers.into_iter().map(entry_verdict).collect(),
        _ => None,
    }
}

/// A transaction succeeds as a whole, but servers exist that treat it like a batch.
fn entry_verdict(answer: EntryAnswer) -> Option<EntryVerdict> {
    let status = answer.status?;
    let outcome = if answer.issues.is_empty() { None } else { Some(OperationOutcome::new(answer.issues).to_text()) };
    let outcome = outcome.map(|text| model::bounded(&text));
    Some(match status {
        200..=299 | 304 => EntryVerdict::Done(answer.location),
        408 | 423..=425 | 429 | 500..=599 => EntryVerdict::Retry(Retry {
            ambiguous: status >= 500,
            outcome,
            ..retry(status, "the server failed with this entry", false)
        }),
        _ => EntryVerdict::Refused(Refusal { outcome, ..refusal(status, &[]) }),
    })
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(response: &OutboundResponse, now: DateTime<Utc>) -> Option<Duration> {
    let text = response.headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    (date.with_timezone(&Utc) - now).to_std().ok()
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
