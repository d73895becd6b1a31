//! MiBeacon: Xiaomi's format for advertisements, service data of 0xFE95, versions 2 to 5.
//!
//! `frame control u16 | product u16 | counter u8 | [address 6] | [capability u8 [io u8]] | objects`. Encrypted (versions
//! 4 and 5), the objects are followed by a 3-byte counter and a 4-byte tag; see [`open`]. An object is
//! `type u16 | length u8 | value`, and there may be several.

mod frame;
mod objects;
mod open;
mod skin;

use afferent_plugin_sdk::registry::{device_identity, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, Decoded, Input, Nothing, Outcome};

use frame::BeaconFrame;

/// What MiBeacon devices this decoder knows. The same object number means different fields on different products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// MMC-T201-1, worn in a baby's armpit.
    BabyThermometer,
    /// MMC-W505, worn in the armpit.
    BodyThermometer,
    /// Smart Scale S200 (MJTZC02YM).
    S200,
    /// Body Composition Scale S400 (MJTZC01YM, MJTZC03YM).
    S400,
}

impl Product {
    /// All of them.
    pub const ALL: &[Self] = &[Self::BabyThermometer, Self::BodyThermometer, Self::S200, Self::S400];

    const fn of(id: u16) -> Option<Self> {
        Some(match id {
            0x00DB => Self::BabyThermometer,
            0x0391 => Self::BodyThermometer,
            0x45C9 | 0x4C04 | 0x4DCB => Self::S200,
            0x3BD5 | 0x48CF | 0x4B05 => Self::S400,
            _ => return None,
        })
    }
}

/// What one advertisement says, for the products that the model covers.
///
/// # Errors
///
/// It is another product's or another device's, has a layout that is not known, is truncated, or is encrypted and the
/// device's variables do not open it.
pub fn decode(data: &[u8], input: &Input, products: &[Product]) -> Result<Outcome, DecodeError> {
    // Some gateways leave the service's UUID in front of its data.
    let data = data.strip_prefix(&[0x95, 0xFE]).unwrap_or(data);
    let frame = BeaconFrame::read(data)?;
    let Some(product) = Product::of(frame.product) else {
        return Err(DecodeError::unsupported(format!(
            "the product {:#06x} is not known to this decoder",
            frame.product
        ))
        .at(2));
    };
    if !products.contains(&product) {
        return Err(DecodeError::not_for_me("the advertisement is another product's than the model's").at(2));
    }
    let known = frame::address_variable(input)?;
    if let (Some(sent), Some(known)) = (frame.address, known)
        && sent != known
    {
        return Err(DecodeError::not_for_me("the advertisement has another address than the variable `mac`").at(5));
    }
    if !frame.has_objects {
        return Ok(Nothing::because(nothing_reasons::HEARTBEAT, "an advertisement without an object").into());
    }
    let opened = if frame.is_encrypted { Some(open::open(&frame, frame.address.or(known), input)?) } else { None };
    let mut decoded = match &opened {
        Some(plain) => objects::read(plain, product)?,
        None => objects::read(frame.rest, product).map_err(|error| after(error, data.len() - frame.rest.len()))?,
    };
    if let (Outcome::Readings(Decoded { readings, .. }), Some(address)) = (&mut decoded, frame.address) {
        for reading in readings {
            *reading = reading.clone().device_identity(device_identity::ADDRESS, address.to_string());
        }
    }
    Ok(decoded)
}

/// The offset of an error within the whole frame.
fn after(mut error: DecodeError, start: usize) -> DecodeError {
    error.offset = error.offset.and_then(|offset| offset.checked_add(u32::try_from(start).ok()?));
    error
}
