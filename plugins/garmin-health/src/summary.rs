//! What all summaries share: id, start and offset, and the day of the calendar that they are shown under.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::warnings;
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Reading, Timestamp};

/// Id and time of a summary.
pub(crate) struct Summary<'d> {
    /// Garmin's id, which stays when the summary comes again with more in it.
    pub(crate) id: &'d str,
    /// The start, or the time of the measurement, at the offset of the device.
    pub(crate) start: Timestamp,
}

impl<'d> Summary<'d> {
    /// Reads a summary of a period (`startTimeInSeconds`) or of a moment (`measurementTimeInSeconds`). The epoch decides;
    /// a `calendarDate` more than a day from it is told as a contradiction.
    pub(crate) fn read(item: Json<'d>, decoded: &mut Decoded) -> Result<Self, DecodeError> {
        let (time, offsets) = match item.get("measurementTimeInSeconds")? {
            Some(time) => (time, ["measurementTimeOffsetInSeconds", "measurementTimeOffsetInSeconds"]),
            // Health snapshots were documented with the words of the offset turned round.
            None => (item.required("startTimeInSeconds")?, ["startTimeOffsetInSeconds", "offsetStartTimeInSeconds"]),
        };
        let mut start = Timestamp::from_epoch_seconds(time.integer()?).map_err(|error| error.at_path(time.path()))?;
        for name in offsets {
            if let Some(offset) = item.get(name)? {
                start = start.at_offset_seconds(offset.integer()?).map_err(|error| error.at_path(offset.path()))?;
                break;
            }
        }
        if let Some(date) = item.get("calendarDate")? {
            let day = Timestamp::parse_date(date.text()?).map_err(|error| error.at_path(date.path()))?;
            if is_far(day, start) {
                let message = "`calendarDate` is another day than that of the epoch, which is taken";
                decoded.warn(warnings::TIMESTAMP_FIELDS_DISAGREE, message);
            }
        }
        Ok(Self { id: item.required("summaryId")?.identifier()?, start })
    }

    /// Puts the time of the start, and the key of the summary, around a reading.
    pub(crate) fn around(&self, reading: Reading) -> Reading {
        reading.at(self.start.device_time()).record_key(Some(self.id.to_owned()), OnChange::Replace)
    }

    /// The same for a value that was measured so many seconds after the start.
    pub(crate) fn around_later(&self, seconds: i64, reading: Reading) -> Result<Reading, DecodeError> {
        let time = self.start.plus_ms(seconds.checked_mul(1000).unwrap_or(i64::MAX))?;
        Ok(reading.at(time.device_time()).record_key(Some(format!("{}/{seconds}", self.id)), OnChange::Replace))
    }
}

/// A summary of a night is shown under the morning's date: a day's difference is none.
fn is_far(day: Timestamp, start: Timestamp) -> bool {
    const DAY_MS: i64 = 86_400_000;
    let wall = start.as_wall_clock().with_wall_clock_offset(0).epoch_ms();
    let day = day.with_wall_clock_offset(0).epoch_ms();
    match (wall, day) {
        (Some(wall), Some(day)) => wall < day - DAY_MS || wall >= day + 2 * DAY_MS,
        _ => false,
    }
}
