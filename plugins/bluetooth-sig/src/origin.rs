//! When a measurement was made and of whom, as the payload says it: device time, user slot and record key.

use afferent_plugin_sdk::{DecodeError, OnChange, Reader, Reading, WallClock, record_key};

/// The user id that means "unknown user".
const UNKNOWN_USER: u8 = 255;

/// What all readings of one record share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The device's wall clock, where the record carries a time.
    pub clock: Option<WallClock>,
    /// The user slot, where the record names one.
    pub user: Option<String>,
}

impl Origin {
    /// Reads the fields Time Stamp and User ID, which follow each other in the records of scales.
    pub fn read(reader: &mut Reader, has_time: bool, has_user: bool) -> Result<Self, DecodeError> {
        let clock = if has_time { Some(reader.date_time()?.wall_clock()) } else { None };
        let user = if has_user { user_slot(reader.u8()?) } else { None };
        Ok(Self { clock, user })
    }

    /// Does neither contradict the other? What one does not say, the other may.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let same_time = self.clock.is_none() || other.clock.is_none() || self.clock == other.clock;
        let same_user = self.user.is_none() || other.user.is_none() || self.user == other.user;
        same_time && same_user
    }

    /// What either says of one measurement that came in two frames.
    pub fn or(self, other: &Self) -> Self {
        Self { clock: self.clock.or_else(|| other.clock.clone()), user: self.user.or_else(|| other.user.clone()) }
    }

    /// The record key: time and slot; none without a usable time.
    pub fn key(&self) -> Option<String> {
        self.clock.as_ref().and_then(|clock| record_key(clock, self.user.as_deref()))
    }

    /// Puts time, slot and key on a reading.
    pub fn stamp(&self, mut reading: Reading) -> Reading {
        if let Some(clock) = &self.clock {
            reading = reading.at_wall_clock(clock);
        }
        reading.user_slot(self.user.as_deref()).record_key(self.key(), OnChange::Distinct)
    }
}

/// The user slot as the device names it: 255 means that it does not know.
pub fn user_slot(id: u8) -> Option<String> {
    (id != UNKNOWN_USER).then(|| id.to_string())
}
