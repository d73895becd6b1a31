//! Check sums.

use afferent_plugin_sdk::checksum::{Crc, sum, xor};

use crate::table::Algorithm;

/// How many bytes one takes.
pub(super) const fn width(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sum8 | Algorithm::NegatedSum8 | Algorithm::Xor8 | Algorithm::Crc8(..) => 1,
        Algorithm::Sum16 | Algorithm::Crc16(..) => 2,
    }
}

/// The bytes that are counted: from `from` to before `to`, which counts from the end where it is negative, and is the check
/// sum's own place where it is left out.
pub(super) fn part(data: &[u8], from: i32, to: Option<i32>, at: usize) -> &[u8] {
    let place = |place: i32| {
        let distance = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
        if place < 0 { data.len().saturating_sub(distance) } else { distance }
    };
    data.get(place(from)..to.map_or(at, place)).unwrap_or_default()
}

/// The check sum of these bytes.
pub(super) fn over(algorithm: Algorithm, bytes: &[u8]) -> u64 {
    u64::from(match algorithm {
        Algorithm::Sum8 => sum(bytes) & 0xFF,
        Algorithm::NegatedSum8 => sum(bytes).wrapping_neg() & 0xFF,
        Algorithm::Sum16 => sum(bytes),
        Algorithm::Xor8 => u16::from(xor(bytes)),
        Algorithm::Crc8(polynomial, start, end, reflected) => {
            Crc::of_8_bits(polynomial, start, end, reflected).over(bytes)
        }
        Algorithm::Crc16(polynomial, start, end, reflected) => {
            Crc::of_16_bits(polynomial, start, end, reflected).over(bytes)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{over, part};
    use crate::table::Algorithm::{Crc8, Crc16, NegatedSum8, Sum8, Sum16, Xor8};

    /// The check values that catalogues of CRCs give for the text `123456789`.
    #[test]
    fn crcs_come_to_their_check_values() {
        for (algorithm, expected) in [
            (Crc8(0x07, 0, 0, false), 0xF4),
            (Crc8(0x31, 0, 0, true), 0xA1),
            (Crc16(0x1021, 0xFFFF, 0, false), 0x29B1),
            (Crc16(0x1021, 0, 0, false), 0x31C3),
            (Crc16(0x1021, 0, 0, true), 0x2189),
            (Crc16(0x8005, 0, 0, true), 0xBB3D),
            (Crc16(0x8005, 0xFFFF, 0, true), 0x4B37),
            (Crc16(0x1021, 0xFFFF, 0xFFFF, true), 0x906E),
            (Sum8, 0xDD),
            (NegatedSum8, 0x23),
            (Sum16, 0x1DD),
            (Xor8, 0x31),
        ] {
            assert_eq!(over(algorithm, b"123456789"), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn the_part_that_counts_ends_at_the_check_sum_or_where_the_table_says() {
        let data = [0, 1, 2, 3, 4, 5];
        assert_eq!(part(&data, 0, None, 5), [0, 1, 2, 3, 4]);
        assert_eq!(part(&data, 2, Some(-1), 0), [2, 3, 4]);
        assert_eq!(part(&data, 4, Some(2), 0), Vec::<u8>::new());
        assert_eq!(part(&data, 0, Some(99), 0), Vec::<u8>::new());
    }
}
