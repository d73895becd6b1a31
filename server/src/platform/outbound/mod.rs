//! The one way out: an HTTP client that cannot be talked into reaching the inside (server-side request forgery), and for
//! what is not HTTP, connections under the same rules ([`Outbound::stream`]).
//!
//! Only http and https; every resolved address and every address written in a URL is judged by [`guard`]; no redirects, no
//! proxy from the environment, bounded time, bounded answers. The operator's exceptions are `outbound_allow`.

mod error;
pub mod guard;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, Method};
use url::{Host, Url};

pub use error::OutboundError;
use guard::{Guard, Rule};
use resolve::{GuardedResolver, Lookup, ResolveError, system_lookup};
pub use stream::{Duplex, StreamError, TlsTrust};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a name may take when a URL is checked before use.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// What is read of an answer, at most.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// The guarded client. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    guard: Arc<Guard>,
    resolver: GuardedResolver,
}

/// One request.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// GET, POST …
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers; values of secrets marked sensitive.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<String>,
    /// From connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; of an error, no more than the limit.
    pub body: Vec<u8>,
}

impl Outbound {
    /// A client that reaches public addresses and `allow`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allow: Vec<IpNet>) -> anyhow::Result<Self> {
        Self::with_lookup(allow, system_lookup())
    }

    fn with_lookup(allow: Vec<IpNet>, lookup: Lookup) -> anyhow::Result<Self> {
        let guard = Arc::new(Guard::new(allow));
        let resolver = GuardedResolver::new(guard.clone(), lookup);
        let client = match builder(&resolver).build() {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(%error, "the system's root certificates cannot be read; https endpoints will be refused until they can (install ca-certificates)");
                builder(&resolver).tls_certs_only([]).build().context("the outbound HTTP client cannot be set up")?
            }
        };
        Ok(Self { client, guard, resolver })
    }

    /// Checks a URL before it is stored, resolving its name. A name that does not resolve now passes: every call checks
    /// again.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub async fn check(&self, url: &Url) -> Result<(), Rule> {
        self.guard.check_url(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        match tokio::time::timeout(LOOKUP_TIMEOUT, self.resolver.addresses(name)).await {
            Ok(Err(ResolveError::Refused(refused))) => Err(refused.0),
            Ok(Ok(_) | Err(ResolveError::Unresolved(_))) | Err(_) => Ok(()),
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// [`OutboundError`], which knows whether the request may have been acted on.
    pub async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.guard.check_url(&request.url).map_err(OutboundError::Refused)?;
        let mut call =
            self.client.request(request.method, request.url).headers(request.headers).timeout(request.timeout);
        if let Some(body) = request.body {
            call = call.body(body);
        }
        let mut response = call.send().await.map_err(|error| OutboundError::from_client(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // The status of an error says enough without its whole body.
                Err(_) if status.is_client_error() || status.is_redirection() => break,
                Err(error) => return Err(OutboundError::from_client(&error)),
            }
            if body.len() > BODY_LIMIT_BYTES {
                if status.is_success() {
                    return Err(OutboundError::TooLarge { limit_bytes: BODY_LIMIT_BYTES });
                }
                body.truncate(BODY_LIMIT_BYTES);
                break;
            }
        }
        Ok(OutboundResponse { status: status.as_u16(), headers, body })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one SSRF-guarded client")]
fn builder(resolver: &GuardedResolver) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("afferent/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(resolver.clone()))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        // Shorter than the idle timeouts of common servers: a request on a connection that they are closing breaks.
        .pool_idle_timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(8)
}
