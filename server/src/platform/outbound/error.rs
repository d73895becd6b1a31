//! Why an outbound call failed, and whether the other side may have acted on it nevertheless.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::guard::Rule;
use super::resolve::{Refused, Unresolved};

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundError {
    /// The guard does not let the call go there.
    Refused(Rule),
    /// The name cannot be resolved.
    Dns,
    /// No connection: refused, unreachable, or not within the connect timeout.
    Connect,
    /// No secured connection: an unknown issuer, a wrong name, an expired certificate, or no TLS at all.
    Tls,
    /// The request may have arrived; there was no answer in time.
    Timeout,
    /// The connection broke after the request may have been sent.
    Broken,
    /// A success whose body is over the limit.
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The request cannot be written as HTTP.
    Request,
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rule) => write!(f, "the server's address is refused: {rule}; see outbound_allow (AFFERENT_OUTBOUND_ALLOW)"),
            Self::Dns => f.write_str("the server's name cannot be resolved"),
            Self::Connect => f.write_str("no connection to the server"),
            Self::Tls => f.write_str("no secure connection to the server: is its certificate valid for this name, and its issuer trusted here?"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Broken => f.write_str("the connection broke before the answer was complete"),
            Self::TooLarge { limit_bytes } => write!(f, "the answer is larger than {limit_bytes} bytes"),
            Self::Request => f.write_str("the request cannot be written as HTTP"),
        }
    }
}

impl StdError for OutboundError {}

impl OutboundError {
    /// True when the other side has certainly not seen the request: it may be repeated without a thought.
    #[must_use]
    pub fn is_certainly_not_processed(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Dns | Self::Connect | Self::Tls | Self::Request => true,
            Self::Timeout | Self::Broken | Self::TooLarge { .. } => false,
        }
    }

    /// The client's error, by what is known of the phase it happened in.
    pub(super) fn from_client(error: &reqwest::Error) -> Self {
        if let Some(Refused(rule)) = find::<Refused>(error) {
            return Self::Refused(*rule);
        }
        if find::<Unresolved>(error).is_some() {
            return Self::Dns;
        }
        if error.is_builder() {
            return Self::Request;
        }
        if error.is_connect() {
            return if is_tls(error) { Self::Tls } else { Self::Connect };
        }
        if error.is_timeout() { Self::Timeout } else { Self::Broken }
    }
}

/// rustls reports its failures to the connector as [`io::ErrorKind::InvalidData`], a peer that hangs up in the handshake
/// as `UnexpectedEof`.
fn is_tls(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof))
    })
}

/// Our own error inside the client's chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// The error and what lies below it. An [`io::Error`] around another error names that one's source as its own, so the one
/// inside has to be asked for.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause| below(*cause))
}

fn below<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inside.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| cause.source())
}
