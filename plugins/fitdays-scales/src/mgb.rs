//! MGB streaming (Dr Trust 505 and others of Swan, Icomon, YG), notifications of characteristic 0xFFB2, 8 bytes.
//!
//! `AC 02 | 4 bytes | type u8 | checksum u8`, the checksum the sum of the 4 bytes and the type. Type 0xCE is a live
//! weight, 0xCA the final one: u16 BE, 0.01 kg, then two bytes of 0. Type 0xCB is the impedance: `FD 01 | u16 BE, ohms`;
//! `FD 00` opens that measurement and `FD FF` says that it failed. Type 0xCC echoes what the app has set.

use afferent_plugin_sdk::registry::nothing_reasons;
use afferent_plugin_sdk::{DecodeError, Nothing, Outcome, Reader};

use crate::{final_weight, impedance, not_final, status};

const HEADER: [u8; 2] = [0xAC, 0x02];

/// The weight when it is final, or the impedance.
///
/// # Errors
///
/// Another scale's frame, another length, a wrong checksum, or a type or data that are not known.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    if reader.bytes(2)? != HEADER {
        return Err(DecodeError::not_for_me("the frame does not begin with AC 02").at(0));
    }
    let (first, second) = (reader.u16_be()?, reader.u16_be()?);
    let (kind, sum) = (reader.u8()?, reader.u8()?);
    reader.finish()?;
    let summed = data.iter().skip(2).take(5).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if sum != summed {
        return Err(DecodeError::malformed("the checksum is wrong").at(7));
    }
    match (kind, first, second) {
        (0xCA, weight, 0) => Ok(final_weight(u32::from(weight), -2)),
        (0xCE, _, 0) => Ok(not_final()),
        (0xCB, 0xFD01, 1..) => Ok(impedance(second).into()),
        (0xCB, 0xFD00, _) => Ok(status("the measurement of the impedance begins")),
        (0xCB, 0xFDFF | 0xFD01, _) => {
            Ok(Nothing::because(nothing_reasons::FAILED_MEASUREMENT, "the impedance could not be measured").into())
        }
        (0xCC, ..) => Ok(status("an echo of what the app has set")),
        _ => Err(DecodeError::unsupported("a type or a value that the layout does not explain").at(6)),
    }
}
