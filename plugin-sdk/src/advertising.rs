//! Bluetooth advertisements: the HCI report in which a controller gives one to its host, and the structures inside.
//!
//! Bluetooth Core Specification 5.4, volume 4, part E, 7.7.65.2 (LE Advertising Report) and 7.7.65.13 (LE Extended
//! Advertising Report); volume 3, part C, section 11, with the Supplement, part A (advertising data).

use crate::{DecodeError, Reader};

/// The packet type of an HCI event, and the event code of the LE meta event.
const LE_META_EVENT: [u8; 2] = [0x04, 0x3E];
const ADVERTISING_REPORT: u8 = 0x02;
const EXTENDED_ADVERTISING_REPORT: u8 = 0x0D;
const SERVICE_DATA_16: u8 = 0x16;
const MANUFACTURER_DATA: u8 = 0xFF;

/// A Bluetooth device address, in the order in which people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BluetoothAddress(pub [u8; 6]);

impl BluetoothAddress {
    /// Reads twelve hexadecimal digits, with colons, hyphens or nothing between the octets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| !matches!(byte, b':' | b'-')).collect();
        let mut address = [0; 6];
        let pairs = digits.chunks_exact(2);
        if digits.len() != 12 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (octet, pair) in address.iter_mut().zip(pairs) {
            *octet = core::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())?;
        }
        Some(Self(address))
    }

    /// The address as it goes over the air: the last octet first.
    #[must_use]
    pub fn reversed(self) -> [u8; 6] {
        let mut octets = self.0;
        octets.reverse();
        octets
    }
}

impl core::fmt::Display for BluetoothAddress {
    /// As `device_identity::ADDRESS` has it: `AA:BB:CC:DD:EE:FF`.
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}")
    }
}

/// One advertisement: who sent it, and its structures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement<'a> {
    /// The address of the sender; none where only the structures are known.
    pub address: Option<BluetoothAddress>,
    /// The address stays the same: it is public, or random and static. A private address changes every few minutes.
    pub address_is_stable: bool,
    structures: Vec<(u8, &'a [u8])>,
}

impl<'a> Advertisement<'a> {
    /// Does this begin as an HCI event with advertising reports does?
    #[must_use]
    pub fn is_hci_report(data: &[u8]) -> bool {
        data.starts_with(&LE_META_EVENT)
    }

    /// Reads an HCI event (packet type 0x04) that holds one advertising report, legacy or extended.
    ///
    /// # Errors
    ///
    /// It is another event, is truncated or has bytes left over, holds several reports, or a part of a longer one.
    pub fn from_hci_report(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        if reader.bytes(2)? != LE_META_EVENT {
            return Err(DecodeError::not_for_me("not an HCI event with an advertising report"));
        }
        let length = usize::from(reader.u8()?);
        if length != reader.remaining() {
            return Err(reader.error(format!("the event says {length} bytes, and has {}", reader.remaining())));
        }
        let subevent = reader.u8()?;
        if reader.u8()? != 1 {
            return Err(DecodeError::unsupported("an HCI event with other than one report").at(4));
        }
        let (kind, address) = match subevent {
            ADVERTISING_REPORT => {
                reader.u8()?;
                (reader.u8()?, address(&mut reader)?)
            }
            EXTENDED_ADVERTISING_REPORT => extended(&mut reader)?,
            _ => return Err(DecodeError::not_for_me("this HCI event is no advertising report").at(3)),
        };
        let length = usize::from(reader.u8()?);
        let structures = structures(reader.position(), reader.bytes(length)?)?;
        if subevent == ADVERTISING_REPORT {
            // The strength at which it was heard.
            reader.i8()?;
        }
        reader.finish()?;
        let is_static = |address: BluetoothAddress| address.0.first().is_some_and(|octet| octet >> 6 == 0b11);
        let stable = matches!(kind, 0 | 2) || matches!(kind, 1 | 3) && is_static(address);
        Ok(Self { address: Some(address), address_is_stable: stable, structures })
    }

    /// Reads advertising data as phones and gateways give it: the structures without the report around them.
    ///
    /// # Errors
    ///
    /// A structure is longer than the data.
    pub fn from_structures(data: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self { address: None, address_is_stable: false, structures: structures(0, data)? })
    }

    /// The data of a service with a 16-bit UUID.
    #[must_use]
    pub fn service_data(&self, uuid: u16) -> Option<&'a [u8]> {
        let [low, high] = uuid.to_le_bytes();
        let data = self.structures.iter().filter(|(kind, _)| *kind == SERVICE_DATA_16);
        data.filter_map(|(_, data)| data.strip_prefix(&[low, high])).next()
    }

    /// The data of the manufacturers, each with the company identifier that it begins with.
    pub fn manufacturer_data(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let data = self.structures.iter().filter(|(kind, _)| *kind == MANUFACTURER_DATA);
        data.filter_map(|(_, data)| {
            data.split_first_chunk().map(|(company, data)| (u16::from_le_bytes(*company), data))
        })
    }
}

fn address(reader: &mut Reader<'_>) -> Result<BluetoothAddress, DecodeError> {
    let mut octets = [0; 6];
    octets.iter_mut().rev().zip(reader.bytes(6)?).for_each(|(place, octet)| *place = *octet);
    Ok(BluetoothAddress(octets))
}

/// The part of an extended report before its data: event type 2, address type and address, primary and secondary
/// PHY, set id, transmit power, strength, interval 2, direct address type and address.
fn extended(reader: &mut Reader<'_>) -> Result<(u8, BluetoothAddress), DecodeError> {
    const DATA_STATUS: u16 = 0b110_0000;
    if reader.u16_le()? & DATA_STATUS != 0 {
        return Err(DecodeError::unsupported("the data of this advertisement is not complete").at(5));
    }
    let sender = (reader.u8()?, address(reader)?);
    reader.bytes(2 + 1 + 1 + 1 + 2 + 7)?;
    Ok(sender)
}

/// `length | type | data` each; a length of 0 ends them early.
fn structures(start: usize, data: &[u8]) -> Result<Vec<(u8, &[u8])>, DecodeError> {
    let mut reader = Reader::new(data);
    let mut found = Vec::with_capacity(4);
    while reader.remaining() > 0 {
        let at = start + reader.position();
        let length = usize::from(reader.u8()?);
        if length == 0 {
            break;
        }
        let structure = reader.bytes(length).map_err(|_truncated| {
            DecodeError::malformed(format!("an advertising structure of {length} bytes is longer than the data")).at(at)
        })?;
        found.extend(structure.split_first().map(|(kind, data)| (*kind, data)));
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// A legacy report of a public address: flags, and service data of 0x181D.
    const LEGACY: [u8; 22] = [
        0x04, 0x3E, 0x13, 0x02, 0x01, 0x00, 0x00, 6, 5, 4, 3, 2, 1, 0x07, 0x02, 0x01, 0x06, 0x03, 0x16, 0x1D, 0x18,
        0xC5,
    ];

    #[test]
    fn a_legacy_report_is_read_to_its_last_byte() {
        let report = Advertisement::from_hci_report(&LEGACY).unwrap();
        assert_eq!(report.address.unwrap().to_string(), "01:02:03:04:05:06");
        assert!(report.address_is_stable);
        assert_eq!(report.service_data(0x181D), Some(&[][..]));
        assert_eq!(report.service_data(0x181B), None);
        for length in 0..LEGACY.len() {
            assert!(Advertisement::from_hci_report(&LEGACY[..length]).is_err(), "{length}");
        }
        assert!(Advertisement::from_hci_report(&[&LEGACY[..], &[0]].concat()).is_err());
    }

    #[test]
    fn what_is_not_one_whole_report_is_refused() {
        let changed = |at: usize, byte: u8| {
            let mut data = LEGACY;
            data[at] = byte;
            data
        };
        assert_eq!(Advertisement::from_hci_report(&changed(1, 0x0E)).unwrap_err().kind, ErrorKind::NotForMe);
        assert_eq!(Advertisement::from_hci_report(&changed(3, 0x01)).unwrap_err().kind, ErrorKind::NotForMe);
        assert_eq!(Advertisement::from_hci_report(&changed(4, 2)).unwrap_err().kind, ErrorKind::Unsupported);
        assert_eq!(Advertisement::from_hci_report(&changed(14, 0x09)).unwrap_err().offset, Some(14));
        let private = changed(6, 1);
        assert!(!Advertisement::from_hci_report(&private).unwrap().address_is_stable);
        let mut random = private;
        random[12] = 0xC1;
        assert!(Advertisement::from_hci_report(&random).unwrap().address_is_stable);
    }

    #[test]
    fn an_extended_report_that_is_a_part_is_refused() {
        let mut data = vec![0x04, 0x3E, 29, 0x0D, 0x01, 0x13, 0, 0, 6, 5, 4, 3, 2, 1];
        data.extend([1, 0, 0xFF, 0x7F, 0xC7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0xFF, 0x57]);
        assert_eq!(Advertisement::from_hci_report(&data).unwrap().manufacturer_data().count(), 0, "no company");
        data[5] |= 0b010_0000;
        assert_eq!(Advertisement::from_hci_report(&data).unwrap_err().kind, ErrorKind::Unsupported);
    }

    #[test]
    fn structures_without_a_report_have_no_sender() {
        let advertisement = Advertisement::from_structures(&[4, 0xFF, 0x57, 0x01, 9, 0, 0, 0]).unwrap();
        assert_eq!(advertisement.manufacturer_data().collect::<Vec<_>>(), [(0x0157, &[9][..])]);
        assert!(advertisement.address.is_none() && !advertisement.address_is_stable);
    }

    #[test]
    fn an_address_has_many_spellings() {
        let address = BluetoothAddress([0x8C, 0xD0, 0xB2, 0xF6, 0xBE, 0xEF]);
        for text in ["8C:D0:B2:F6:BE:EF", "8cd0b2f6beef", "8C-D0-B2-F6-BE-EF", " 8CD0B2F6BEEF "] {
            assert_eq!(BluetoothAddress::parse(text), Some(address), "{text}");
        }
        for text in ["", "8CD0B2F6BEE", "8CD0B2F6BEEFA", "8CD0B2F6BEEG", "8C:D0:B2:F6:BE:é"] {
            assert_eq!(BluetoothAddress::parse(text), None, "{text}");
        }
        assert_eq!(address.reversed(), [0xEF, 0xBE, 0xF6, 0xB2, 0xD0, 0x8C]);
    }
}
