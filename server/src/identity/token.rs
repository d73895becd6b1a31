//! Opaque tokens: 256 random bits with a prefix that scanners and people recognise; only the SHA-256 is stored.
//!
//! A fast hash is right here: the input has 256 bits of entropy, so there is nothing to guess.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// SHA-256 of a token, as stored.
pub type TokenHash = [u8; 32];

/// A new token with its hash. `prefix` is `afd` (device), `afh` (hub), `afp` (phone app) or `afa` (API).
///
/// # Errors
/// When the machine has no randomness.
pub fn new_token(prefix: &str) -> anyhow::Result<(String, TokenHash)> {
    let mut bits = [0u8; 32];
    getrandom::fill(&mut bits).map_err(|error| anyhow!("no randomness: {error}"))?;
    let token = format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bits));
    let hash = hash(&token);
    Ok((token, hash))
}

/// The hash under which a presented token is looked up.
#[must_use]
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}
