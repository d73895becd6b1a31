//! The current glucose: opcode 0x31 (G5) or 0x4F (G6).
//!
//! `opcode u8 | status u8 | sequence u32 | glucose 8 | [more of the G6] | checksum u16`. Status 0 is fine, 0x81 a low battery.

use afferent_plugin_sdk::registry::{flags, nothing_reasons};
use afferent_plugin_sdk::{DecodeError, DeviceTime, Nothing, Outcome, Reader, Timestamp};

use crate::checksum::checked;
use crate::glucose::Glucose;

/// Message without checksum: of the G5 exactly, of the G6 at least.
const LENGTH: usize = 14;
const LONGEST: usize = 18;

/// One glucose.
///
/// # Errors
///
/// The checksum is wrong, the message is another one, or of another length.
pub fn decode(data: &[u8], activated: Option<Timestamp>) -> Result<Outcome, DecodeError> {
    let message = checked(data)?;
    let mut reader = Reader::new(message);
    let opcode = reader.u8()?;
    let fits = match opcode {
        0x31 => message.len() == LENGTH,
        0x4F => (LENGTH..=LONGEST).contains(&message.len()),
        _ => return Err(DecodeError::unsupported(format!("the message {opcode:#04x} is no current glucose")).at(0)),
    };
    if !fits {
        return Err(DecodeError::malformed(format!("a current glucose of {} bytes", data.len())));
    }
    let status = reader.u8()?;
    reader.u32_le()?;
    let glucose = Glucose::read(&mut reader)?;
    let said: &[&str] = match status {
        0 => &[],
        0x81 => &[flags::BATTERY_LOW],
        _ => &[flags::QUESTIONABLE],
    };
    let time = glucose.moment(activated)?.unwrap_or(DeviceTime::None);
    Ok(match glucose.reading(time, said) {
        Ok(reading) => reading.into(),
        Err(why) => Nothing::because(nothing_reasons::ERROR_CODE, &why).into(),
    })
}
