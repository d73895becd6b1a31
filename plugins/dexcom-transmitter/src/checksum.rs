//! The transmitter's checksum: CRC-16/XMODEM (polynomial 0x1021, begins with 0, not reflected), little-endian at the end.

use afferent_plugin_sdk::DecodeError;

/// The checksum of some bytes.
pub fn crc16(data: impl IntoIterator<Item = u8>) -> u16 {
    data.into_iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// The message before its checksum, which must be right.
///
/// # Errors
///
/// It is truncated, or was damaged on its way.
pub fn checked(data: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((message, crc)) = data.split_last_chunk::<2>() else {
        return Err(DecodeError::malformed("truncated: a message ends with a checksum of 2 bytes"));
    };
    if crc16(message.iter().copied()) != u16::from_le_bytes(*crc) {
        return Err(DecodeError::malformed("the checksum is wrong").at(message.len()));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(super::crc16(*b"123456789"), 0x31C3, "CRC-16/XMODEM");
    }
}
