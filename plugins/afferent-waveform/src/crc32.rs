//! The checksum of IEEE 802.3 (and of zip and PNG): polynomial 0x04C11DB7, reflected, all ones before and after.

/// The reflected polynomial.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// What each value of a byte does to the register.
static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut register = byte;
        let mut bit = 0;
        while bit < 8 {
            register = if register & 1 == 1 { (register >> 1) ^ POLYNOMIAL } else { register >> 1 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "computed when compiled; below 256")]
        {
            table[byte as usize] = register;
        }
        byte += 1;
    }
    table
}

/// The checksum: 0xCBF43926 for `123456789`.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |register: u32, byte: &u8| {
        let [low, ..] = register.to_le_bytes();
        let change = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        (register >> 8) ^ change
    };
    !bytes.iter().fold(u32::MAX, step)
}
