//! Opening an encrypted frame: AES-CCM with the device's bind key, as MiBeacon 4 and 5 do.
//!
//! Key: 16 bytes, given when the device is bound to an account. Nonce, 12 bytes: the address, last octet first; product
//! and counter as on the wire; the 3-byte counter behind the objects. Associated data: 0x11. Tag: the last 4 bytes.

use aes::Aes128;
use afferent_plugin_sdk::{BluetoothAddress, DecodeError, Input};
use ccm::Ccm;
use ccm::aead::generic_array::GenericArray;
use ccm::aead::{AeadInPlace, KeyInit};
use ccm::consts::{U4, U12};

use super::frame::BeaconFrame;

/// The variable with the key; its value must never show up in a message.
pub const KEY_VARIABLE: &str = "bindkey";

const ASSOCIATED: &[u8] = &[0x11];

/// The objects in the clear.
///
/// # Errors
///
/// The variable `bindkey` is missing or no key; the address is neither in the frame nor in the variable `mac`; the frame
/// is truncated; or the tag is wrong: another key, another address, or a frame that was changed.
pub fn open(frame: &BeaconFrame<'_>, address: Option<BluetoothAddress>, input: &Input) -> Result<Vec<u8>, DecodeError> {
    let key = key(input)?;
    let Some(address) = address else {
        let message = "this frame is encrypted and has no address: the variable `mac` is missing for the device";
        return Err(DecodeError::unsupported(message));
    };
    let Some((before, tag)) = frame.rest.split_last_chunk::<4>() else { return Err(truncated()) };
    let Some((sealed, counter)) = before.split_last_chunk::<3>() else { return Err(truncated()) };
    let mut nonce = [0_u8; 12];
    let parts = address.reversed().into_iter().chain(frame.identity.iter().copied()).chain(*counter);
    nonce.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);

    let cipher = Ccm::<Aes128, U4, U12>::new(GenericArray::from_slice(&key));
    let mut plain = sealed.to_vec();
    let opened = cipher.decrypt_in_place_detached(
        GenericArray::from_slice(&nonce),
        ASSOCIATED,
        &mut plain,
        GenericArray::from_slice(tag),
    );
    match opened {
        Ok(()) => Ok(plain),
        Err(_wrong_tag) => Err(DecodeError::malformed(
            "the variables `bindkey` and `mac` do not open this frame: its tag is another. The key changes whenever the \
             device is bound anew",
        )),
    }
}

fn truncated() -> DecodeError {
    DecodeError::malformed("truncated: an encrypted frame ends with a counter of 3 bytes and a tag of 4")
}

/// The 16 bytes of the key.
fn key(input: &Input) -> Result<[u8; 16], DecodeError> {
    let Some(text) = input.variable(KEY_VARIABLE).map(str::trim).filter(|text| !text.is_empty()) else {
        return Err(DecodeError::unsupported(
            "this frame is encrypted: the variable `bindkey` is missing for the device",
        ));
    };
    let digits: Vec<u8> =
        text.chars().map_while(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    if text.chars().count() != 32 || digits.len() != 32 {
        return Err(DecodeError::unsupported("the variable `bindkey` is no key: it must have 32 hexadecimal digits"));
    }
    let mut key = [0; 16];
    for (place, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *place = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Ok(key)
}
