//! The check sums that payloads of devices end in.

use crate::checksum::{Crc, sum, xor};

/// How a check sum is made of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The sum, cut to the width.
    Sum,
    /// What makes the sum zero.
    NegatedSum,
    /// The sum with every bit the other way round.
    InvertedSum,
    /// All bytes exclusive-or.
    Xor,
    /// A CRC.
    Crc(Crc),
}

/// Name (as the table of `docs/declarative-decoders.md` writes it, where it knows it), width in bytes, algorithm. The common
/// ones first.
pub(super) const ALGORITHMS: &[(&str, usize, Algorithm)] = &[
    ("sum8", 1, Algorithm::Sum),
    ("negated-sum8", 1, Algorithm::NegatedSum),
    ("inverted-sum8", 1, Algorithm::InvertedSum),
    ("xor8", 1, Algorithm::Xor),
    ("crc8", 1, Algorithm::Crc(Crc::of_8_bits(0x07, 0, 0, false))),
    ("crc8-maxim", 1, Algorithm::Crc(Crc::of_8_bits(0x31, 0, 0, true))),
    ("crc8-itu", 1, Algorithm::Crc(Crc::of_8_bits(0x07, 0, 0x55, false))),
    ("crc8-rohc", 1, Algorithm::Crc(Crc::of_8_bits(0x07, 0xFF, 0, true))),
    ("crc8-cdma2000", 1, Algorithm::Crc(Crc::of_8_bits(0x9B, 0xFF, 0, false))),
    ("crc8-j1850", 1, Algorithm::Crc(Crc::of_8_bits(0x1D, 0xFF, 0xFF, false))),
    ("crc8-nrsc5", 1, Algorithm::Crc(Crc::of_8_bits(0x31, 0xFF, 0, false))),
    ("crc8-autosar", 1, Algorithm::Crc(Crc::of_8_bits(0x2F, 0xFF, 0xFF, false))),
    ("crc8-wcdma", 1, Algorithm::Crc(Crc::of_8_bits(0x9B, 0, 0, true))),
    ("sum16", 2, Algorithm::Sum),
    ("negated-sum16", 2, Algorithm::NegatedSum),
    ("crc16-ccitt-false", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0xFFFF, 0, false))),
    ("crc16-xmodem", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0, 0, false))),
    ("crc16-kermit", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0, 0, true))),
    ("crc16-arc", 2, Algorithm::Crc(Crc::of_16_bits(0x8005, 0, 0, true))),
    ("crc16-modbus", 2, Algorithm::Crc(Crc::of_16_bits(0x8005, 0xFFFF, 0, true))),
    ("crc16-x25", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0xFFFF, 0xFFFF, true))),
    ("crc16-mcrf4xx", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0xFFFF, 0, true))),
    ("crc16-genibus", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0xFFFF, 0xFFFF, false))),
    ("crc16-aug-ccitt", 2, Algorithm::Crc(Crc::of_16_bits(0x1021, 0x1D0F, 0, false))),
    ("crc16-buypass", 2, Algorithm::Crc(Crc::of_16_bits(0x8005, 0, 0, false))),
    ("crc16-usb", 2, Algorithm::Crc(Crc::of_16_bits(0x8005, 0xFFFF, 0xFFFF, true))),
    ("crc16-dnp", 2, Algorithm::Crc(Crc::of_16_bits(0x3D65, 0, 0xFFFF, true))),
];

impl Algorithm {
    /// The check sum of these bytes, the highest byte first; of one of 8 bits the second is what counts.
    pub(super) fn over(self, bytes: &[u8]) -> [u8; 2] {
        let sum = match self {
            Self::Sum => sum(bytes),
            Self::NegatedSum => sum(bytes).wrapping_neg(),
            Self::InvertedSum => !sum(bytes),
            Self::Xor => u16::from(xor(bytes)),
            Self::Crc(crc) => crc.over(bytes),
        };
        sum.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::ALGORITHMS;

    /// The check values that catalogues of CRCs give for the text `123456789`.
    #[test]
    fn check_sums_come_to_their_check_values() {
        let values = [
            ("sum8", 0xDD),
            ("negated-sum8", 0x23),
            ("inverted-sum8", 0x22),
            ("xor8", 0x31),
            ("crc8", 0xF4),
            ("crc8-maxim", 0xA1),
            ("crc8-itu", 0xA1),
            ("crc8-rohc", 0xD0),
            ("crc8-cdma2000", 0xDA),
            ("crc8-j1850", 0x4B),
            ("crc8-nrsc5", 0xF7),
            ("crc8-autosar", 0xDF),
            ("crc8-wcdma", 0x25),
            ("sum16", 0x1DD),
            ("negated-sum16", 0xFE23),
            ("crc16-ccitt-false", 0x29B1),
            ("crc16-xmodem", 0x31C3),
            ("crc16-kermit", 0x2189),
            ("crc16-arc", 0xBB3D),
            ("crc16-modbus", 0x4B37),
            ("crc16-x25", 0x906E),
            ("crc16-mcrf4xx", 0x6F91),
            ("crc16-genibus", 0xD64E),
            ("crc16-aug-ccitt", 0xE5CC),
            ("crc16-buypass", 0xFEE8),
            ("crc16-usb", 0xB4C8),
            ("crc16-dnp", 0xEA82),
        ];
        assert_eq!(values.len(), ALGORITHMS.len());
        for ((name, width, algorithm), (named, value)) in ALGORITHMS.iter().zip(values) {
            assert_eq!(*name, named);
            let mask = if *width == 1 { 0xFF } else { 0xFFFF };
            assert_eq!(u16::from_be_bytes(algorithm.over(b"123456789")) & mask, value, "{name}");
        }
    }
}
