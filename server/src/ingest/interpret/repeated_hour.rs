//! Which of two hours a wall clock means at the end of daylight saving, where the order of a payload's readings tells.

use chrono::{LocalResult, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use plugin_host::{DeviceTime, Reading};

/// One of two hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepeatedHour {
    /// Nothing tells.
    #[default]
    Unknown,
    /// While daylight saving lasted.
    First,
    /// After it.
    Second,
}

/// For each reading in order. A device's memory comes in the order in which it was measured: where the wall clock goes back
/// by up to an hour, once, between two readings of a list that otherwise only goes on, the hour has begun anew. A list that
/// goes back more than once is in no such order (newest first, say), and tells nothing.
pub fn repeated_hours(readings: &[Reading], zone: Tz) -> Vec<RepeatedHour> {
    let locals: Vec<Option<NaiveDateTime>> = readings.iter().map(local).collect();
    let mut known = locals.iter().enumerate().filter_map(|(place, local)| Some((place, (*local)?)));
    let mut turn = None;
    let Some(mut before) = known.next() else { return vec![RepeatedHour::Unknown; readings.len()] };
    for (place, local) in known {
        if local < before.1 {
            let within = before.1.signed_duration_since(local) <= chrono::TimeDelta::hours(1);
            if turn.is_some() || !within || !is_repeated(local, zone) || !is_repeated(before.1, zone) {
                return vec![RepeatedHour::Unknown; readings.len()];
            }
            turn = Some(place);
        }
        before = (place, local);
    }
    let Some(turn) = turn else { return vec![RepeatedHour::Unknown; readings.len()] };
    (0..readings.len()).map(|place| if place < turn { RepeatedHour::First } else { RepeatedHour::Second }).collect()
}

fn local(reading: &Reading) -> Option<NaiveDateTime> {
    match &reading.time {
        DeviceTime::Local(text) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok(),
        DeviceTime::None | DeviceTime::Zoned(_) | DeviceTime::BeforeCapture(_) => None,
    }
}

fn is_repeated(local: NaiveDateTime, zone: Tz) -> bool {
    matches!(zone.from_local_datetime(&local), LocalResult::Ambiguous(..))
}
