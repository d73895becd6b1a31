//! Sealed columns: secrets at rest are XChaCha20-Poly1305 boxes, bound to the row and column they belong to.

use anyhow::{Context, anyhow};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Version of the box: one byte in front, so that another key or cipher can follow.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Seals and opens secrets with the installation's key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    /// From 32 bytes of key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// Seals `secret` for `place` (such as `device.variables/<tenant>/<id>`): it opens only at the same place, so a box
    /// copied to another row is worthless.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn seal(&self, place: &str, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut nonce = [0u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| anyhow!("no randomness: {error}"))?;
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: secret, aad: place.as_bytes() })
            .map_err(|_opaque| anyhow!("a secret could not be sealed"))?;
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// When the box is damaged, was made for another place, or with another key.
    pub fn open(&self, place: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (version, rest) = sealed.split_first().context("an empty sealed value")?;
        if *version != VERSION {
            return Err(anyhow!("a sealed value of version {version}; this server knows {VERSION}"));
        }
        let (nonce, boxed) = rest.split_at_checked(NONCE).context("a sealed value that is too short")?;
        self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: boxed, aad: place.as_bytes() }).map_err(
            |_opaque| anyhow!("a sealed value does not open: another secret_key, or the value was moved or changed"),
        )
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn opens_only_where_it_was_sealed() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("endpoint.auth/a", b"token").unwrap();
        assert_eq!(sealer.open("endpoint.auth/a", &sealed).unwrap(), b"token");
        assert!(sealer.open("endpoint.auth/b", &sealed).is_err());
        assert!(Sealer::new(&[8; 32]).open("endpoint.auth/a", &sealed).is_err());
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(sealer.open("endpoint.auth/a", &damaged).is_err());
        assert!(sealer.open("endpoint.auth/a", &sealed[..10]).is_err());
    }

    #[test]
    fn the_secret_does_not_appear_in_the_box() {
        let sealed = Sealer::new(&[7; 32]).seal("p", b"a long enough secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
