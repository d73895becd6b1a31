//! The calls to an endpoint: the transaction, and the question whether an Observation is there.

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;

use crate::app::App;
use crate::forward::bundle::{self, Entry, Found};
use crate::forward::create_endpoint;
use crate::forward::receiver_view::Identified;
use crate::forward::store::endpoints::EndpointRow;
use crate::forward::verdict::{self, Verdict};
use crate::platform::outbound::OutboundRequest;

/// The media type of FHIR's JSON.
const FHIR_JSON: &str = "application/fhir+json";

/// An endpoint that can be called.
pub(super) struct Peer<'a> {
    app: &'a App,
    base: Url,
    headers: HeaderMap,
}

/// Whether an Observation is there.
pub(super) enum Presence {
    /// It is; where, if that was said.
    There(Option<String>),
    /// It is not, or the server cannot tell: the conditional create decides.
    Unknown,
    /// The server did not answer: nothing may be created now.
    NoAnswer(Verdict),
}

impl<'a> Peer<'a> {
    /// Opens the endpoint's credential.
    ///
    /// # Errors
    /// Why it cannot be called at all, as a verdict on the endpoint.
    pub(super) fn new(app: &'a App, endpoint: &EndpointRow) -> Result<Self, Verdict> {
        let unusable = |reason: &str| Verdict::Endpoint { status: None, reason: reason.to_owned() };
        let base = Url::parse(&endpoint.url).map_err(|_error| unusable("the URL cannot be read"))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(FHIR_JSON));
        if let Some(sealed) = &endpoint.auth_sealed {
            let place = create_endpoint::auth_place(endpoint.tenant_id, endpoint.id);
            let token = app.sealer.open(&place, sealed).map_err(|error| {
                tracing::error!(endpoint.id = %endpoint.id, %error, "an endpoint's credential cannot be opened");
                unusable("its credential cannot be opened; set it again")
            })?;
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat())
                .map_err(|_error| unusable("its credential has characters that a header cannot carry"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { app, base, headers })
    }

    /// Sends a transaction and judges the answer; of one that was answered, the entries' verdicts.
    pub(super) async fn transact(&self, entries: &[&Entry]) -> Verdict {
        let transaction = bundle::transaction(entries);
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        // Statuses and locations are all that is read.
        headers.insert("prefer", HeaderValue::from_static("return=minimal"));
        let request = OutboundRequest {
            method: Method::POST,
            url: self.base.clone(),
            headers,
            body: Some(transaction.text),
            timeout: self.app.config.forward.request_timeout,
        };
        match self.app.outbound.send(request).await {
            Err(error) => verdict::of_error(&error),
            Ok(response) => {
                match verdict::of_response(&response, transaction.patients + entries.len(), self.app.clock.now()) {
                    Verdict::Answered(mut answers) => {
                        Verdict::Answered(answers.split_off(transaction.patients.min(answers.len())))
                    }
                    other => other,
                }
            }
        }
    }

    /// Asks for an Observation by its identifier.
    pub(super) async fn presence(&self, identifier: &Identified) -> Presence {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("Observation");
        }
        // In a real URL `|` is no legal character.
        let query = identifier.query().replace('|', "%7C");
        url.set_query(Some(&format!("{query}&_elements=identifier&_count=5")));
        let request = OutboundRequest {
            method: Method::GET,
            url,
            headers: self.headers.clone(),
            body: None,
            timeout: self.app.config.forward.request_timeout,
        };
        let response = match self.app.outbound.send(request).await {
            Ok(response) => response,
            Err(error) => return Presence::NoAnswer(verdict::of_error(&error)),
        };
        match response.status {
            200..=299 => match bundle::found(&response.body, identifier) {
                Found::Yes(location) => Presence::There(location),
                Found::No | Found::NotAnAnswer => Presence::Unknown,
            },
            429 | 500..=599 => Presence::NoAnswer(verdict::of_response(&response, 1, self.app.clock.now())),
            // Search is not offered, or this credential may only write.
            _ => Presence::Unknown,
        }
    }
}
