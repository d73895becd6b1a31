//! The resolver of the outbound client: every address a name resolves to is judged, and a connection is made only to those
//! that pass. What is judged is what is connected to, so a name that changes its mind in between (DNS rebinding) gains nothing.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Guard, Rule};

/// What a lookup answers.
pub type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
/// Asks for the addresses of a name; the system's resolver, except in tests.
pub type Lookup = Arc<dyn Fn(String) -> Answer + Send + Sync>;

/// Every address of a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub Rule);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name resolves to {}", self.0)
    }
}

impl Error for Refused {}

/// The name could not be resolved at all.
#[derive(Debug)]
pub struct Unresolved(io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name cannot be resolved")
    }
}

impl Error for Unresolved {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A lookup with the guard behind it.
#[derive(Clone)]
pub struct GuardedResolver {
    guard: Arc<Guard>,
    lookup: Lookup,
}

/// Why there is no address to connect to.
#[derive(Debug)]
pub enum ResolveError {
    /// By the guard.
    Refused(Refused),
    /// By DNS.
    Unresolved(Unresolved),
}

impl From<ResolveError> for Box<dyn Error + Send + Sync> {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Refused(refused) => Box::new(refused),
            ResolveError::Unresolved(unresolved) => Box::new(unresolved),
        }
    }
}

impl GuardedResolver {
    /// Judges what `lookup` answers.
    pub fn new(guard: Arc<Guard>, lookup: Lookup) -> Self {
        Self { guard, lookup }
    }

    /// The addresses of a name that may be connected to.
    ///
    /// # Errors
    /// [`ResolveError::Refused`] when there are addresses and none may be.
    pub async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found =
            (self.lookup)(name.to_owned()).await.map_err(|error| ResolveError::Unresolved(Unresolved(error)))?;
        let mut refused = None;
        let mut passed = Vec::with_capacity(found.len());
        for address in found {
            match self.guard.check(address.ip()) {
                Ok(()) => passed.push(address),
                Err(rule) => refused = Some(rule),
            }
        }
        match (passed.is_empty(), refused) {
            (false, _) => Ok(passed),
            (true, Some(rule)) => Err(ResolveError::Refused(Refused(rule))),
            (true, None) => Err(ResolveError::Unresolved(Unresolved(io::ErrorKind::NotFound.into()))),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let passed = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(passed.into_iter()) as Addrs)
        })
    }
}

/// The system's resolver. Port 0 stands for the scheme's.
pub fn system_lookup() -> Lookup {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) }))
}
