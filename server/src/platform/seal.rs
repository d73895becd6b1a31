//! Sealed columns: secrets at rest are XChaCha20-Poly1305 boxes, bound to the row and column they belong to.
//!
//! A box says which key sealed it, so that the key can be changed while boxes of the one before still open. Boxes of
//! version 1 do not say it: they are tried with every key.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::hmac;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

/// Version of the box: one byte in front, so that another key or cipher can follow.
const VERSION: u8 = 2;
/// Boxes without a key id.
const VERSION_WITHOUT_KEY: u8 = 1;
/// Bytes of a nonce.
pub const NONCE: usize = 24;
const KEY_ID: usize = 8;

/// Which key sealed a box: the first bytes of a hash of it. Tells nothing about the key itself, and may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; KEY_ID]);

impl KeyId {
    fn of(key: &[u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"afferent key id\0").chain_update(key).finalize();
        let mut id = [0; KEY_ID];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a box says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SealedBy {
    /// This one.
    Key(KeyId),
    /// Nothing: it was sealed before keys had ids.
    Unnamed,
}

impl SealedBy {
    /// What every box of the key begins with.
    #[must_use]
    pub fn prefix(&self) -> Vec<u8> {
        match self {
            Self::Key(id) => [&[VERSION][..], &id.0].concat(),
            Self::Unnamed => vec![VERSION_WITHOUT_KEY],
        }
    }
}

impl FromStr for SealedBy {
    type Err = String;

    /// A key's id as it is shown, or `unnamed`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut id = [0; KEY_ID];
        match hex::decode_to_slice(text, &mut id) {
            Ok(()) => Ok(Self::Key(KeyId(id))),
            Err(_not_hex) if text == "unnamed" => Ok(Self::Unnamed),
            Err(_not_hex) => Err("a key's id has 16 hexadecimal digits, as --check shows it; or `unnamed`".to_owned()),
        }
    }
}

impl fmt::Display for SealedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Unnamed => f.write_str("unnamed (sealed before keys had ids)"),
        }
    }
}

#[derive(Clone)]
struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
    fingerprints: hmac::Key,
}

impl Key {
    fn new(key: &[u8; 32]) -> Self {
        let derived = Sha256::new().chain_update(b"afferent fingerprints\0").chain_update(key).finalize();
        Self {
            id: KeyId::of(key),
            cipher: XChaCha20Poly1305::new(key.into()),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, &derived),
        }
    }
}

/// Seals and opens secrets with the installation's key; opens also what previous keys sealed.
#[derive(Clone)]
pub struct Sealer {
    current: Key,
    previous: Vec<Key>,
}

impl Sealer {
    /// From 32 bytes of key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self::with_previous(key, &[])
    }

    /// The same, with keys that boxes may still be sealed with.
    #[must_use]
    pub fn with_previous(key: &[u8; 32], previous: &[[u8; 32]]) -> Self {
        let current = Key::new(key);
        let previous = previous.iter().map(Key::new).filter(|other| other.id != current.id).collect();
        Self { current, previous }
    }

    /// The key that seals.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.current.id
    }

    /// Whether a key is known, current or previous.
    #[must_use]
    pub fn knows(&self, id: KeyId) -> bool {
        self.keys().any(|key| key.id == id)
    }

    /// What every box of the current key begins with: who looks for others compares with it.
    #[must_use]
    pub fn current_prefix(&self) -> Vec<u8> {
        SealedBy::Key(self.current.id).prefix()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
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
            .current
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: secret, aad: place.as_bytes() })
            .map_err(|_opaque| anyhow!("a secret could not be sealed"))?;
        Ok([&self.current_prefix()[..], &nonce, &sealed].concat())
    }

    /// HMAC-SHA-256 of a short secret under the current key, for a purpose: what it was can be looked up and compared, but
    /// not guessed by who has the database alone. Another key, another fingerprint: only for what lives briefly.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, secret: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.current.fingerprints);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(secret);
        let mut fingerprint = [0; 32];
        fingerprint.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        fingerprint
    }

    /// Opens what [`Sealer::seal`] made for the same place, with the current key or a previous one.
    ///
    /// # Errors
    /// When the box is damaged, was made for another place, or with a key that is not known; that key's id is named.
    pub fn open(&self, place: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (by, rest) = split(sealed)?;
        let (nonce, boxed) = rest.split_at_checked(NONCE).context("a sealed value that is too short")?;
        if let SealedBy::Key(id) = by
            && !self.knows(id)
        {
            bail!("it was sealed with the key {id}, which is neither secret_key nor one of secret_keys_previous");
        }
        self.keys()
            .filter(|key| by == SealedBy::Unnamed || by == SealedBy::Key(key.id))
            .find_map(|key| {
                key.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: boxed, aad: place.as_bytes() }).ok()
            })
            .context("a sealed value does not open: another secret_key, or the value was moved or changed")
    }
}

/// Which key a box was sealed with.
///
/// # Errors
/// When it is no box, or one of a later version.
pub fn sealed_by(sealed: &[u8]) -> anyhow::Result<SealedBy> {
    split(sealed).map(|(by, _rest)| by)
}

fn split(sealed: &[u8]) -> anyhow::Result<(SealedBy, &[u8])> {
    let (version, rest) = sealed.split_first().context("an empty sealed value")?;
    match *version {
        VERSION_WITHOUT_KEY => Ok((SealedBy::Unnamed, rest)),
        VERSION => {
            let (id, rest) = rest.split_first_chunk::<KEY_ID>().context("a sealed value that is too short")?;
            Ok((SealedBy::Key(KeyId(*id)), rest))
        }
        other => Err(anyhow!("a sealed value of version {other}; this server knows up to {VERSION}")),
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
        let other = Sealer::new(&[8; 32]).open("endpoint.auth/a", &sealed).unwrap_err().to_string();
        assert!(other.contains(&sealer.key().to_string()), "{other}");
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(sealer.open("endpoint.auth/a", &damaged).is_err());
        for length in 0..sealed.len() {
            assert!(sealer.open("endpoint.auth/a", &sealed[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn the_secret_does_not_appear_in_the_box() {
        let sealed = Sealer::new(&[7; 32]).seal("p", b"a long enough secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn a_fingerprint_needs_key_purpose_and_secret() {
        let sealer = Sealer::new(&[7; 32]);
        let fingerprint = sealer.fingerprint("pairing", b"ABCD");
        assert_eq!(fingerprint, sealer.clone().fingerprint("pairing", b"ABCD"));
        assert_ne!(fingerprint, sealer.fingerprint("pairing", b"ABCE"));
        assert_ne!(fingerprint, sealer.fingerprint("other", b"ABCD"));
        assert_ne!(fingerprint, Sealer::new(&[8; 32]).fingerprint("pairing", b"ABCD"));
    }

    #[test]
    fn what_a_previous_key_sealed_opens_and_is_recognised() {
        let old = Sealer::new(&[7; 32]);
        let sealed = old.seal("p", b"secret").unwrap();
        let new = Sealer::with_previous(&[8; 32], &[[6; 32], [7; 32]]);
        assert_eq!(new.open("p", &sealed).unwrap(), b"secret");
        assert_eq!(sealed_by(&sealed).unwrap(), SealedBy::Key(old.key()));
        assert!(!sealed.starts_with(&new.current_prefix()));
        assert!(new.seal("p", b"secret").unwrap().starts_with(&new.current_prefix()));
    }

    #[test]
    fn boxes_of_version_1_still_open() {
        // As the version before wrote them: version, nonce, box.
        let (key, nonce) = ([7; 32], [9u8; NONCE]);
        let boxed = XChaCha20Poly1305::new(&key.into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: b"secret", aad: b"p" })
            .unwrap();
        let old = [&[1][..], &nonce, &boxed].concat();
        assert_eq!(Sealer::new(&key).open("p", &old).unwrap(), b"secret");
        assert_eq!(Sealer::with_previous(&[8; 32], &[key]).open("p", &old).unwrap(), b"secret");
        assert!(Sealer::new(&[8; 32]).open("p", &old).is_err());
        assert_eq!(sealed_by(&old).unwrap(), SealedBy::Unnamed);
    }
}
