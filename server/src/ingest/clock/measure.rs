//! From samples to an offset; pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

const SOURCE: &str = include_str!("../../../../fhir-profiles/clocks.json");

/// The rules of `fhir-profiles/clocks.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockRules {
    /// Offsets up to this are left alone.
    tolerance_seconds: i64,
    /// How far samples of one offset may lie apart: devices show minutes, transmissions take seconds.
    spread_seconds: i64,
    /// Samples that have to agree.
    samples: usize,
    /// The same where the device tells its current time.
    samples_of_device_clock: usize,
    /// Samples that follow each other faster are one.
    seconds_between_samples: i64,
    /// Changes of the offset that are worth a row.
    write_step_seconds: i64,
}

impl ClockRules {
    /// Reads the table that is built into the binary.
    ///
    /// # Errors
    /// When the table was edited wrongly; a test loads it.
    pub fn load() -> Result<Self, serde_json::Error> {
        serde_json::from_str(SOURCE)
    }
}

/// What one payload says about its device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was captured, or received.
    pub anchor: DateTime<Utc>,
    /// What the device's clock said, in its zone.
    pub device: DateTime<Utc>,
    /// Whether that is the device's current time; otherwise the time of a reading, which may have been sent late.
    pub current: bool,
}

impl Sample {
    fn offset_ms(self) -> i64 {
        self.anchor.signed_duration_since(self.device).num_milliseconds()
    }
}

/// What is known of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Too few samples agree.
    #[default]
    Settling,
    /// Measured.
    Steady,
    /// It differs from what was steady, and is being measured again.
    Jumped,
    /// Whole quarters of an hour off: a wrong zone, or a change of daylight saving that the device missed.
    Zone,
}

impl State {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settling => "settling",
            Self::Steady => "steady",
            Self::Jumped => "jumped",
            Self::Zone => "zone",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "steady" => Self::Steady,
            "jumped" => Self::Jumped,
            "zone" => Self::Zone,
            _ => Self::Settling,
        }
    }
}

/// What is added to the times that a device gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// How much.
    pub offset: TimeDelta,
    /// Only to device times from then on: a clock that missed a change of daylight saving was right before it.
    pub since: Option<DateTime<Utc>>,
}

/// One device's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceClock {
    /// What is known.
    pub state: State,
    /// Server time minus device time, in milliseconds; the last one that was established.
    pub offset_ms: i64,
    /// How far the samples lay apart.
    pub spread_ms: i64,
    /// How many samples agreed.
    pub samples: i32,
    /// When it was last measured.
    pub measured_at: Option<DateTime<Utc>>,
    /// Device time from which a `zone` offset holds.
    pub since: Option<DateTime<Utc>>,
    /// The last samples, oldest first.
    recent: Vec<Sample>,
}

/// Samples that are remembered.
const REMEMBERED: usize = 8;
/// A quarter of an hour, the step of the world's time zones.
const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// The farthest zone is 14 hours off, the farthest two 26 apart.
const FARTHEST_ZONE_MS: i64 = 26 * 3_600 * 1_000;

impl DeviceClock {
    /// What was known when the server stopped.
    pub(super) fn known(
        state: State,
        offset_ms: i64,
        spread_ms: i64,
        samples: i32,
        measured_at: DateTime<Utc>,
        since: Option<DateTime<Utc>>,
    ) -> Self {
        Self { state, offset_ms, spread_ms, samples, measured_at: Some(measured_at), since, recent: Vec::new() }
    }

    /// What is added to this device's times at present.
    #[must_use]
    pub fn correction(&self, rules: &ClockRules) -> Option<Correction> {
        match self.state {
            State::Steady if self.offset_ms.abs() > rules.tolerance_seconds * 1_000 => {
                Some(Correction { offset: TimeDelta::milliseconds(self.offset_ms), since: None })
            }
            State::Zone => Some(Correction { offset: TimeDelta::milliseconds(self.offset_ms), since: self.since }),
            State::Steady | State::Settling | State::Jumped => None,
        }
    }

    /// Takes a sample.
    pub fn observe(&mut self, sample: Sample, rules: &ClockRules) {
        let pause = TimeDelta::seconds(rules.seconds_between_samples);
        let too_close = |last: &Sample| {
            sample.anchor.signed_duration_since(last.anchor).abs() < pause
                || (!sample.current && sample.device.signed_duration_since(last.device).abs() < pause)
        };
        if self.recent.last().is_some_and(too_close) {
            return;
        }
        let spread_ms = rules.spread_seconds * 1_000;
        let settled = matches!(self.state, State::Steady | State::Zone);
        let away = sample.offset_ms() - self.offset_ms;
        if settled && away.abs() <= spread_ms {
            self.samples = self.samples.saturating_add(1);
            self.measured_at = Some(sample.anchor);
            self.recent.clear();
            if self.state == State::Steady {
                // A clock that drifts is followed slowly.
                self.offset_ms += away / 8;
            }
            return;
        }
        self.recent.push(sample);
        if self.recent.len() > REMEMBERED {
            self.recent.remove(0);
        }
        if let Some(agreed) = agreement(&self.recent, rules) {
            self.settle(agreed, rules);
        } else if settled && (away < -spread_ms || sample.current) {
            // Nothing arrives before it was measured, and the current time is never late: the clock was changed.
            self.state = State::Jumped;
            self.samples = 1;
            self.measured_at = Some(sample.anchor);
        }
    }

    fn settle(&mut self, agreed: Agreement, rules: &ClockRules) {
        let nearest_zone = (agreed.offset_ms + agreed.offset_ms.signum() * QUARTER_MS / 2) / QUARTER_MS * QUARTER_MS;
        let is_zone = nearest_zone != 0
            && nearest_zone.abs() <= FARTHEST_ZONE_MS
            && (agreed.offset_ms - nearest_zone).abs() <= rules.spread_seconds * 1_000;
        self.state = if is_zone { State::Zone } else { State::Steady };
        self.offset_ms = if is_zone { nearest_zone } else { agreed.offset_ms };
        self.since = is_zone.then_some(agreed.first);
        self.spread_ms = agreed.spread_ms;
        self.samples = agreed.samples;
        self.measured_at = Some(agreed.last);
        self.recent.clear();
    }

    /// Whether the difference to what was written is worth a row.
    #[must_use]
    pub(super) fn differs(&self, written: Option<&Self>, rules: &ClockRules) -> bool {
        if self.state == State::Settling {
            return false;
        }
        written.is_none_or(|written| {
            written.state != self.state
                || written.offset_ms.abs_diff(self.offset_ms)
                    > u64::try_from(rules.write_step_seconds * 1_000).unwrap_or(u64::MAX)
        })
    }
}

/// Samples that agree.
struct Agreement {
    offset_ms: i64,
    spread_ms: i64,
    samples: i32,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// The newest sample with enough others within the spread. What arrives live arrives soonest: the smallest offset counts.
fn agreement(recent: &[Sample], rules: &ClockRules) -> Option<Agreement> {
    let newest = recent.last()?;
    let needed = if newest.current { rules.samples_of_device_clock } else { rules.samples };
    let spread_ms = rules.spread_seconds * 1_000;
    let mut agreeing: Vec<&Sample> =
        recent.iter().filter(|sample| (sample.offset_ms() - newest.offset_ms()).abs() <= spread_ms).collect();
    if agreeing.len() < needed {
        return None;
    }
    let first = agreeing.iter().map(|sample| sample.device).min()?;
    agreeing.sort_by_key(|sample| sample.offset_ms());
    let (least, most) = (agreeing.first()?.offset_ms(), agreeing.last()?.offset_ms());
    if most - least > spread_ms {
        return None;
    }
    let samples = i32::try_from(agreeing.len()).unwrap_or(i32::MAX);
    Some(Agreement { offset_ms: least, spread_ms: most - least, samples, first, last: newest.anchor })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;

    fn rules() -> ClockRules {
        ClockRules::load().unwrap()
    }

    fn start() -> DateTime<Utc> {
        "2026-03-28T06:00:00Z".parse().unwrap()
    }

    /// A reading every two hours: so many seconds off, sent with so many seconds of delay.
    fn readings(clock: &mut DeviceClock, from: i64, offsets: &[(i64, i64)]) {
        for (number, (offset, delay)) in offsets.iter().enumerate() {
            let true_time = start() + TimeDelta::hours(from + 2 * i64::try_from(number).unwrap());
            let device = true_time - TimeDelta::seconds(*offset);
            let anchor = true_time + TimeDelta::seconds(*delay);
            clock.observe(Sample { anchor, device, current: false }, &rules());
        }
    }

    fn measured(offsets: &[(i64, i64)]) -> DeviceClock {
        let mut clock = DeviceClock::default();
        readings(&mut clock, 0, offsets);
        clock
    }

    fn correction_seconds(clock: &DeviceClock) -> Option<i64> {
        clock.correction(&rules()).map(|correction| correction.offset.num_seconds())
    }

    #[test]
    fn table_of_clocks() {
        let live = |offset: i64| vec![(offset, 5), (offset, 9), (offset, 40), (offset, 3), (offset, 12)];
        for (what, offsets, state, correction) in [
            ("right", live(0), State::Steady, None),
            ("a minute behind: within the tolerance", live(MINUTE), State::Steady, None),
            ("seven minutes behind", live(7 * MINUTE), State::Steady, Some(7 * MINUTE + 3)),
            ("seven minutes ahead", live(-7 * MINUTE), State::Steady, Some(-7 * MINUTE + 3)),
            (
                "sixteen years behind, a factory date",
                live(16 * 8_766 * HOUR + 77),
                State::Steady,
                Some(16 * 8_766 * HOUR + 80),
            ),
            ("an hour behind: spring was missed", live(HOUR), State::Zone, Some(HOUR)),
            ("an hour ahead: autumn was missed", live(-HOUR), State::Zone, Some(-HOUR)),
            (
                "the zone was never set: Kathmandu",
                live(5 * HOUR + 45 * MINUTE),
                State::Zone,
                Some(5 * HOUR + 45 * MINUTE),
            ),
            ("four samples are too few", live(7 * MINUTE)[..4].to_vec(), State::Settling, None),
            (
                "stored and sent late, each time other",
                vec![(0, 900), (0, 5_000), (0, 300), (0, 2_000), (0, 9_000), (0, 700)],
                State::Settling,
                None,
            ),
            (
                "one of them late",
                vec![(420, 5), (420, 5), (420, 4_000), (420, 7), (420, 9), (420, 6)],
                State::Steady,
                Some(425),
            ),
        ] {
            let clock = measured(&offsets);
            assert_eq!((clock.state, correction_seconds(&clock)), (state, correction), "{what}");
        }
    }

    #[test]
    fn the_same_payload_again_is_no_second_sample() {
        let mut clock = DeviceClock::default();
        for delay in 0..20 {
            let anchor = start() + TimeDelta::seconds(600 + delay);
            clock.observe(Sample { anchor, device: start(), current: false }, &rules());
        }
        assert_eq!(clock.state, State::Settling);
    }

    #[test]
    fn a_late_reading_does_not_unsettle_a_clock_and_an_early_one_does() {
        let mut clock = measured(&[(420, 5); 5]);
        readings(&mut clock, 20, &[(420, 30_000)]);
        assert_eq!(correction_seconds(&clock), Some(425));
        // Somebody set the clock right: what it gives now cannot come from a clock seven minutes behind.
        readings(&mut clock, 30, &[(0, 5)]);
        assert_eq!((clock.state, correction_seconds(&clock)), (State::Jumped, None));
        readings(&mut clock, 40, &[(0, 5); 5]);
        assert_eq!((clock.state, correction_seconds(&clock)), (State::Steady, None));
    }

    #[test]
    fn a_new_battery_sets_the_clock_back_and_it_is_measured_again() {
        let mut clock = measured(&[(420, 5); 5]);
        let back = 26 * 8_766 * HOUR;
        readings(&mut clock, 20, &[(back, 5); 4]);
        // By one sample it may as well be an old reading that came late.
        assert_eq!(correction_seconds(&clock), Some(425));
        readings(&mut clock, 40, &[(back, 5)]);
        assert_eq!((clock.state, correction_seconds(&clock)), (State::Steady, Some(back + 5)));
    }

    #[test]
    fn where_the_device_tells_its_time_two_samples_do_and_a_jump_shows_at_once() {
        let mut clock = DeviceClock::default();
        let tell = |clock: &mut DeviceClock, hour: i64, offset: i64| {
            let anchor = start() + TimeDelta::hours(hour);
            clock.observe(Sample { anchor, device: anchor - TimeDelta::seconds(offset), current: true }, &rules());
        };
        tell(&mut clock, 0, 300);
        assert_eq!(clock.state, State::Settling);
        tell(&mut clock, 1, 302);
        assert_eq!(correction_seconds(&clock), Some(300));
        tell(&mut clock, 2, 90_000);
        assert_eq!((clock.state, correction_seconds(&clock)), (State::Jumped, None));
        tell(&mut clock, 3, 90_010);
        assert_eq!(correction_seconds(&clock), Some(90_000));
    }

    #[test]
    fn what_was_measured_before_a_missed_change_of_daylight_saving_stays() {
        let clock = measured(&[(HOUR, 5); 5]);
        let correction = clock.correction(&rules()).unwrap();
        assert_eq!(correction.since, Some(start() - TimeDelta::seconds(HOUR)));
    }

    #[test]
    fn a_row_is_written_when_something_changes() {
        let settled = measured(&[(420, 5); 5]);
        assert!(!DeviceClock::default().differs(None, &rules()), "nothing is known yet");
        assert!(settled.differs(None, &rules()));
        let mut drifted = settled.clone();
        readings(&mut drifted, 20, &[(430, 5); 20]);
        assert!(!drifted.differs(Some(&settled), &rules()), "{drifted:?}");
        readings(&mut drifted, 80, &[(480, 5); 20]);
        assert!(drifted.differs(Some(&settled), &rules()), "{drifted:?}");
    }
}
