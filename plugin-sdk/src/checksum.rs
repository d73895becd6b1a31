//! The check sums that devices put behind their payloads.
//!
//! ```
//! use afferent_plugin_sdk::checksum::{Crc, sum, xor};
//!
//! assert_eq!(sum(&[0xF0, 0x20]), 0x110);
//! assert_eq!(sum(&[0xF0, 0x20]) & 0xFF, 0x10); // a sum of one byte
//! assert_eq!(xor(&[0xF0, 0x20]), 0xD0);
//! let modbus = Crc::of_16_bits(0x8005, 0xFFFF, 0, true);
//! assert_eq!(modbus.over(b"123456789"), 0x4B37);
//! ```

/// The sum of all bytes, modulo 65,536; its lower byte is their sum modulo 256.
#[must_use]
pub fn sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(u16::from(*byte)))
}

/// All bytes combined with exclusive-or.
#[must_use]
pub fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |all, byte| all ^ byte)
}

/// A cyclic redundancy check of 8 or 16 bits, by the parameters under which catalogues list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crc {
    bits: u32,
    polynomial: u16,
    start: u16,
    end: u16,
    lowest_first: bool,
}

impl Crc {
    /// Of 8 bits: polynomial, what it starts with, what the end is combined with, and whether the lowest bit of every byte
    /// comes first (*reflected*).
    #[must_use]
    pub const fn of_8_bits(polynomial: u8, start: u8, end: u8, lowest_first: bool) -> Self {
        Self { bits: 8, polynomial: polynomial as u16, start: start as u16, end: end as u16, lowest_first }
    }

    /// Of 16 bits.
    #[must_use]
    pub const fn of_16_bits(polynomial: u16, start: u16, end: u16, lowest_first: bool) -> Self {
        Self { bits: 16, polynomial, start, end, lowest_first }
    }

    /// The check of these bytes, bit by bit.
    #[must_use]
    pub fn over(self, bytes: &[u8]) -> u16 {
        // One of 8 bits whose highest bit comes first is one of 16 whose lower half stays empty.
        let empty = 16 - self.bits;
        let crc = if self.lowest_first {
            let (polynomial, start) = (self.polynomial.reverse_bits() >> empty, self.start.reverse_bits() >> empty);
            let step = |crc: u16, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ polynomial };
            bytes.iter().fold(start, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), step))
        } else {
            let (polynomial, start) = (self.polynomial << empty, self.start << empty);
            let step = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ polynomial };
            bytes.iter().fold(start, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, step)) >> empty
        };
        crc ^ self.end
    }
}
