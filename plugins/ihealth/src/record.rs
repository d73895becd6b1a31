//! What all records of the API share: id, source, and a local time that is dressed as an epoch.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::flags;
use afferent_plugin_sdk::{DecodeError, OnChange, Reading, Timestamp};

/// Id, time and source of a record.
pub(crate) struct Record<'d> {
    id: &'d str,
    /// The wall clock with its offset; without one where the record names none.
    pub(crate) time: Timestamp,
    manual: bool,
}

impl<'d> Record<'d> {
    /// Reads `DataID`, `MDate`, `TimeZone` and `DataSource`. `MDate` counts seconds from 1970 to the *local* time, so
    /// that `TimeZone` turns it into a moment; `LastChangeTime`, which is UTC, tells of edits only.
    pub(crate) fn read(item: Json<'d>) -> Result<Self, DecodeError> {
        let id = match item.get("DataID")? {
            Some(id) => id,
            None => item.required("DataId")?,
        };
        let local = Timestamp::from_epoch_seconds(item.required("MDate")?.integer()?)?;
        let time = match item.get("TimeZone")? {
            Some(zone) => local.with_wall_clock_offset(offset_minutes(zone)?),
            None => local.as_wall_clock(),
        };
        let source = item.get("DataSource")?.map_or(Ok(""), Json::text)?;
        Ok(Self { id: id.identifier()?, time, manual: source.eq_ignore_ascii_case("manual") })
    }

    /// Puts time, key and source around a reading. A record that was edited comes again under its id.
    pub(crate) fn around(&self, reading: Reading) -> Reading {
        let reading = reading.at(self.time.device_time()).record_key(Some(self.id.to_owned()), OnChange::Replace);
        if self.manual { reading.flags(&[flags::MANUAL_ENTRY]) } else { reading }
    }
}

/// `-0800`, `+05:30`, or a number of hours.
fn offset_minutes(zone: Json<'_>) -> Result<i16, DecodeError> {
    let wrong = || zone.malformed("not an offset from UTC");
    let word = zone.identifier()?;
    let (sign, digits) = match word.as_bytes() {
        [b'-', ..] => (-1, word.get(1..).unwrap_or_default()),
        [b'+', ..] => (1, word.get(1..).unwrap_or_default()),
        _ => (1, word),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2).ok_or_else(wrong)?,
        None => (digits, "0"),
    };
    let number = |text: &str| text.parse::<i16>().ok().filter(|number| (0..60).contains(number));
    let (hours, minutes) = (number(hours).ok_or_else(wrong)?, number(minutes).ok_or_else(wrong)?);
    if hours > 14 { Err(wrong()) } else { Ok(sign * (hours * 60 + minutes)) }
}
