//! Signatures of uploads: Ed25519 (RFC 8032) over the component's bytes, as `openssl pkeyutl -sign -rawin` makes them.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Kind};

/// The header that carries it, base64 of 64 bytes.
pub const HEADER: &str = "Afferent-Signature";

/// A signature that holds, and the key that it was made with.
#[derive(Debug)]
pub struct Signed {
    pub signature: Vec<u8>,
    pub key: Vec<u8>,
}

/// Checks what came with a component.
///
/// # Errors
/// 422 when a vendor with a key sends none, when there is no key to check one by, or when it does not fit.
pub fn check(component: &[u8], header: Option<&str>, key: Option<&[u8]>) -> Result<Option<Signed>, Error> {
    let refused = |detail: &'static str| Error::new(Kind::Unprocessable, "plugin.signature", detail);
    match (header, key) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(refused(
            "Your account has a key: sign the component with it and send the signature as `Afferent-Signature`, base64 of 64 bytes.",
        )),
        (Some(_), None) => Err(refused(
            "There is no key to check this signature by: give the vendor one (PATCH /api/v1/vendors/{id} publicKey), or leave the signature out.",
        )),
        (Some(header), Some(key)) => {
            let signature = STANDARD.decode(header.trim()).ok().filter(|signature| signature.len() == 64);
            let signature = signature
                .ok_or_else(|| refused("`Afferent-Signature` is base64 of the 64 bytes of an Ed25519 signature."))?;
            let fits = UnparsedPublicKey::new(&ED25519, key).verify(component, &signature);
            fits.map_err(|_unspecified| {
                refused(
                    "The signature does not fit these bytes and your account's key: sign the very file that is sent.",
                )
            })?;
            Ok(Some(Signed { signature, key: key.to_vec() }))
        }
    }
}
