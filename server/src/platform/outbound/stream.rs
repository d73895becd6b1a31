//! Connections that are not HTTP, under the same rules: every address that a name resolves to is judged, and what is judged
//! is what is connected to. TLS by rustls, against the system's roots or the operator's own.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::resolve::{ResolveError, Unresolved};
use super::{CONNECT_TIMEOUT, LOOKUP_TIMEOUT, Outbound};
use crate::platform::outbound::guard::Rule;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Whom TLS trusts.
#[derive(Clone)]
pub struct TlsTrust(Arc<ClientConfig>);

impl fmt::Debug for TlsTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTrust")
    }
}

impl TlsTrust {
    /// The certificate authorities of `pem`, and no others; without it those of the system.
    ///
    /// # Errors
    /// What is wrong with the certificates.
    pub fn new(pem: Option<&str>) -> Result<Self, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let config = match pem {
            Some(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
            None => builder
                .with_platform_verifier()
                .map_err(|error| format!("the system's root certificates cannot be read: {error}"))?
                .with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("this is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate cannot be used as authority: {error}"))?;
    }
    if roots.is_empty() {
        return Err("there is no certificate: PEM begins with -----BEGIN CERTIFICATE-----".to_owned());
    }
    Ok(roots)
}

/// Why there is no connection.
#[derive(Debug)]
pub enum StreamError {
    /// The guard refuses where it goes.
    Refused(Rule),
    /// The name is not known.
    Unresolved(Unresolved),
    /// Nobody answers there.
    Unreachable(std::io::Error),
    /// The other side cannot show who it is.
    Tls(std::io::Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rule) => {
                write!(f, "it leads to {rule}; AFFERENT_OUTBOUND_ALLOW names private networks that may be reached")
            }
            Self::Unresolved(unresolved) => unresolved.fmt(f),
            Self::Unreachable(error) => write!(f, "nobody answers there: {error}"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
        }
    }
}

impl std::error::Error for StreamError {}

impl Outbound {
    /// Connects to a host (a name or an address), with TLS where somebody is to be trusted.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn stream(&self, host: &str, port: u16, tls: Option<&TlsTrust>) -> Result<Box<dyn Duplex>, StreamError> {
        let tcp = self.tcp(host, port).await?;
        let Some(trust) = tls else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| StreamError::Tls(std::io::Error::new(std::io::ErrorKind::InvalidInput, error)))?;
        let handshake = TlsConnector::from(Arc::clone(&trust.0)).connect(name, tcp);
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(StreamError::Tls(error)),
            Err(_elapsed) => Err(StreamError::Tls(std::io::ErrorKind::TimedOut.into())),
        }
    }

    async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, StreamError> {
        let timed_out = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let addresses = match tokio::time::timeout(LOOKUP_TIMEOUT, self.resolver.addresses(host)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(ResolveError::Refused(refused))) => return Err(StreamError::Refused(refused.0)),
            Ok(Err(ResolveError::Unresolved(unresolved))) => return Err(StreamError::Unresolved(unresolved)),
            Err(_elapsed) => return Err(StreamError::Unreachable(timed_out())),
        };
        let mut last = timed_out();
        for address in addresses {
            let address = SocketAddr::new(address.ip(), port);
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Acknowledgements are a few bytes each, and somebody waits for them.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection keeps its delay");
                    }
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_elapsed) => last = timed_out(),
            }
        }
        Err(StreamError::Unreachable(last))
    }

    /// Checks a host before it is stored. A name that does not resolve now passes: every connection checks again.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub async fn check_host(&self, host: &str) -> Result<(), Rule> {
        match tokio::time::timeout(LOOKUP_TIMEOUT, self.resolver.addresses(host)).await {
            Ok(Err(ResolveError::Refused(refused))) => Err(refused.0),
            Ok(Ok(_) | Err(ResolveError::Unresolved(_))) | Err(_) => Ok(()),
        }
    }
}
