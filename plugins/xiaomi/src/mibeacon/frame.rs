//! The part of a MiBeacon frame before its objects.

use afferent_plugin_sdk::{BluetoothAddress, DecodeError, Flags, Input, Reader};

const ADDRESS_VARIABLE: &str = "mac";

/// Bits of the frame control that are reserved: what they would mean is not known.
const RESERVED: u16 = 0b110;

/// A frame whose objects are still to be read, or opened.
pub struct BeaconFrame<'a> {
    /// The product's number; the same product has several.
    pub product: u16,
    /// The address of the sender, where the frame has it.
    pub address: Option<BluetoothAddress>,
    /// There are objects.
    pub has_objects: bool,
    /// They are encrypted.
    pub is_encrypted: bool,
    /// Product and counter as they are on the wire: part of what the frame is opened with.
    pub identity: &'a [u8],
    /// The objects, and behind encrypted ones counter and tag.
    pub rest: &'a [u8],
}

impl<'a> BeaconFrame<'a> {
    /// # Errors
    ///
    /// The frame is truncated, of a version before 2, a mesh frame, sets a reserved bit, or is encrypted as versions 2
    /// and 3 are.
    pub fn read(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let control = reader.u16_le()?;
        let bits = Flags::any(u32::from(control));
        let version = control >> 12;
        if control & RESERVED != 0 {
            return Err(DecodeError::malformed("the frame control sets a reserved bit").at(0));
        }
        if version < 2 || bits.has(7) {
            return Err(DecodeError::unsupported(format!("MiBeacon version {version}, or a mesh frame")).at(1));
        }
        let is_encrypted = bits.has(3);
        if is_encrypted && version < 4 {
            // Its encryption has no tag: a wrong key would give false numbers and nobody would notice.
            return Err(DecodeError::unsupported("encrypted as in MiBeacon 2 or 3, which cannot be checked").at(1));
        }
        let product = reader.u16_le()?;
        reader.u8()?;
        let identity = data.get(2..5).unwrap_or_default();
        let address = if bits.has(4) { Some(address(&mut reader)?) } else { None };
        if bits.has(5) && reader.u8()? & 0x20 != 0 {
            reader.u8()?;
        }
        let has_objects = bits.has(6);
        if !has_objects {
            return Ok(Self { product, address, has_objects, is_encrypted, identity, rest: &[] });
        }
        let rest = reader.bytes(reader.remaining())?;
        Ok(Self { product, address, has_objects, is_encrypted, identity, rest })
    }
}

fn address(reader: &mut Reader<'_>) -> Result<BluetoothAddress, DecodeError> {
    let mut octets = [0; 6];
    octets.iter_mut().rev().zip(reader.bytes(6)?).for_each(|(place, octet)| *place = *octet);
    Ok(BluetoothAddress(octets))
}

/// The address that the platform keeps for the device.
///
/// # Errors
///
/// It is none.
pub fn address_variable(input: &Input) -> Result<Option<BluetoothAddress>, DecodeError> {
    let Some(text) = input.variable(ADDRESS_VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || DecodeError::unsupported("the variable `mac` is no Bluetooth address: twelve hexadecimal digits");
    BluetoothAddress::parse(text).map(Some).ok_or_else(wrong)
}
