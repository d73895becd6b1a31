//! The parts of measurements, until they are all there.

use afferent_plugin_sdk::{DecodeError, Reader};

/// More than a memory has.
const MOST: u8 = 120;

/// The parts of one command.
pub struct Parts<'a> {
    /// The command: 0x59, 0x42 or 0x4C.
    pub command: u8,
    count: u8,
    found: Vec<(u8, &'a [u8])>,
}

/// What the parts make up.
pub enum Joined {
    /// There are none.
    Nothing,
    /// Only the first part of what was just measured: the user.
    FirstOnly,
    /// Some are missing.
    Waiting,
    /// The measurements, each with its user where a part names one.
    Whole(Vec<(Option<u64>, Vec<u8>)>),
}

impl<'a> Parts<'a> {
    /// No parts yet.
    pub const fn new(command: u8) -> Self {
        Self { command, count: 0, found: Vec::new() }
    }

    /// Keeps a part; the same once more is one transmission.
    ///
    /// # Errors
    ///
    /// Its number is beyond the count, or it contradicts a part that is already there.
    pub fn add(&mut self, count: u8, part: u8, data: &'a [u8]) -> Result<(), DecodeError> {
        if !(1..=MOST).contains(&count) || !(1..=count).contains(&part) {
            return Err(DecodeError::malformed(format!("part {part} of {count}")).at(2));
        }
        if self.found.is_empty() {
            self.count = count;
        }
        if count != self.count {
            return Err(DecodeError::malformed("the parts of two measurements are mixed").at(2));
        }
        match self.found.iter().find(|(known, _)| *known == part) {
            Some((_, known)) if *known == data => Ok(()),
            Some(_) => Err(DecodeError::malformed("the same part twice, and different").at(3)),
            None => {
                self.found.push((part, data));
                Ok(())
            }
        }
    }

    /// What is there so far.
    ///
    /// # Errors
    ///
    /// The first part has no user, or the count is not that of whole measurements.
    pub fn joined(&self) -> Result<Joined, DecodeError> {
        if self.found.is_empty() {
            return Ok(Joined::Nothing);
        }
        let part = |number: u8| self.found.iter().find(|(known, _)| *known == number).map(|(_, data)| *data);
        if self.command == super::MEASURED {
            let user = part(1).map(user).transpose()?;
            if user.is_some() && self.found.len() == 1 {
                return Ok(Joined::FirstOnly);
            }
            let data: Option<Vec<&[u8]>> = (2..=self.count).map(part).collect();
            return Ok(data.map_or(Joined::Waiting, |data| Joined::Whole(vec![(user, data.concat())])));
        }
        if !self.count.is_multiple_of(2) {
            return Err(DecodeError::malformed("measurements of the memory have two parts each"));
        }
        let data: Option<Vec<&[u8]>> = (1..=self.count).map(part).collect();
        let Some(data) = data else { return Ok(Joined::Waiting) };
        Ok(Joined::Whole(data.chunks_exact(2).map(|pair| (None, pair.concat())).collect()))
    }
}

/// The user in the first part of what was just measured: `1 byte | id u64`.
fn user(data: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(data);
    reader.u8()?;
    let (high, low) = (reader.u32_be()?, reader.u32_be()?);
    reader.finish()?;
    Ok(u64::from(high) << 32 | u64::from(low))
}
