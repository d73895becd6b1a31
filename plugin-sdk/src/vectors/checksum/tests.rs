//! Check sums are found in what a decoder accepts, and only those that it insists on.

use super::{Checksum, find};

/// A payload of 12 bytes with a check sum: what a decoder accepts that looks at the check sum, and at the first byte.
fn payload(checksum: &Checksum) -> Vec<u8> {
    let data: Vec<u8> = vec![0xB5, 0x10, 0x27, 0x33, 0x08, 0x9C, 0x01, 0x71, 0x1F, 0x55, 0xA3, 0x0D];
    checksum.repaired(&data).unwrap_or(data)
}

#[test]
fn every_check_sum_is_found_wherever_it_stands() {
    let mut found = 0;
    for checksum in Checksum::all() {
        let data = payload(&checksum);
        let place = checksum.place(data.len()).map(|place| place.start);
        let told = find(&data, &[], |data| data.first() == Some(&0xB5) && checksum.holds(data));
        let agrees = told.is_some_and(|told| {
            // Where the first bytes never change, one that counts them and one that does not may be the same.
            told.place(data.len()).map(|place| place.start) == place
                && (0..200_u8).all(|byte| {
                    let mut other = data.clone();
                    other[5] = byte;
                    other[7] = byte.wrapping_mul(31);
                    checksum.repaired(&other) == told.repaired(&other)
                })
        });
        assert!(agrees, "{checksum:?} was found as {told:?}");
        found += 1;
    }
    assert_eq!(found, 5 * 5 * (13 + 2 * 14));
}

#[test]
fn a_payload_without_one_has_none_whatever_agrees_by_chance() {
    let checksum = Checksum::all().next();
    let data = checksum.map(|checksum| payload(&checksum)).unwrap_or_default();
    // The sum agrees, and the decoder takes anything.
    let mut calls = 0;
    let count = |_: &[u8]| {
        calls += 1;
        true
    };
    assert_eq!(find(&data, &[], count), None);
    assert!(calls < 10, "{calls} calls to see that there is none");
    // The decoder insists on its last byte, which is a mark and no sum of what stands before it.
    assert_eq!(find(&data, &[], |changed| changed.last() == data.last()), None);
    // An encrypted payload: everything that was changed is refused.
    assert_eq!(find(&data, &[], |changed| changed == data), None);
    for short in 0..4 {
        assert_eq!(find(&data[..short], &[], |changed| changed == &data[..short]), None);
    }
}

#[test]
fn it_is_repaired_and_described_in_the_words_of_the_table() {
    let Some(sum) = Checksum::all().next() else { return };
    assert_eq!(sum.described(17), "sum8 of bytes 0 to 15");
    let mut data = vec![1, 2, 3, 9];
    assert!(!sum.holds(&data));
    data = sum.repaired(&data).unwrap_or_default();
    assert_eq!(data, [1, 2, 3, 6]);
    assert!(sum.holds(&data) && sum.repaired(&data).is_none() && sum.repaired(&[7]).is_none());
    let crc = Checksum::all().find(|checksum| checksum.name == "crc16-modbus" && checksum.from == 2);
    assert_eq!(crc.map(|crc| crc.described(9)).as_deref(), Some("crc16-modbus of bytes 2 to 6, little endian"));
}
