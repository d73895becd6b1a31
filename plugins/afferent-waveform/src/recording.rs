//! What both forms of the format come to: a recording or a piece of one, as a reading.

use afferent_plugin_sdk::registry::{clock_states, kinds};
use afferent_plugin_sdk::{Decimal, DecodeError, OnChange, Outcome, Reading, SampledData, Timestamp, Value};

/// The leads of an electrocardiogram: the code of SCP-ECG (EN 1064), the name, the kind. Code 0: the recorder does not say.
pub const LEADS: [(u8, &str, &str); 13] = [
    (0, "", kinds::ECG_LEAD_UNSPECIFIED),
    (1, "I", kinds::ECG_LEAD_I),
    (2, "II", kinds::ECG_LEAD_II),
    (3, "V1", kinds::ECG_LEAD_V1),
    (4, "V2", kinds::ECG_LEAD_V2),
    (5, "V3", kinds::ECG_LEAD_V3),
    (6, "V4", kinds::ECG_LEAD_V4),
    (7, "V5", kinds::ECG_LEAD_V5),
    (8, "V6", kinds::ECG_LEAD_V6),
    (61, "III", kinds::ECG_LEAD_III),
    (62, "aVR", kinds::ECG_LEAD_AVR),
    (63, "aVL", kinds::ECG_LEAD_AVL),
    (64, "aVF", kinds::ECG_LEAD_AVF),
];

/// Samples a second that recorders have: one in ten seconds to 20,000.
const PERIODS_MS: (Decimal, Decimal) =
    (Decimal { mantissa: 5, exponent: -2 }, Decimal { mantissa: 10_000, exponent: 0 });

/// Why a lead has no value of which no sample was measured: FHIR's data-absent-reason.
const NOT_MEASURED: &str = "error";

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wave {
    /// Voltages of electrodes, a lead each.
    Ecg,
    /// The wave of a pulse oximeter, without a unit.
    Plethysmogram,
}

/// A recording or a piece of one.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What was recorded.
    pub wave: Wave,
    /// The device's number of the recording.
    pub number: u32,
    /// Which piece of the recording, from 0.
    pub piece: u16,
    /// When its first sample was taken.
    pub start: Option<Timestamp>,
    /// The device's clock was not set, so that `start` says nothing.
    pub clock_not_set: bool,
    /// The samples by lead, each with the kind of the lead; equally many.
    pub leads: Vec<(&'static str, SampledData)>,
}

impl Recording {
    /// One reading: an electrocardiogram of one component a lead, or a plethysmogram.
    ///
    /// # Errors
    ///
    /// The leads are not equally long, one comes twice, the rate is no recorder's, or the recording has no samples.
    pub fn outcome(self) -> Result<Outcome, DecodeError> {
        self.check()?;
        let end = self.start.and_then(|start| start.plus_ms(self.duration_ms()?).ok());
        let key = self.key();
        let reading = match self.wave {
            Wave::Ecg => {
                self.leads.into_iter().fold(Reading::new(kinds::ECG, Value::None), |reading, (kind, samples)| {
                    reading.component(kind, Value::waveform(samples, NOT_MEASURED))
                })
            }
            Wave::Plethysmogram => {
                let samples = self.leads.into_iter().next().map(|(_, samples)| samples);
                let samples = samples.ok_or_else(|| DecodeError::malformed("there are no samples"))?;
                Reading::new(kinds::PLETHYSMOGRAM, Value::waveform(samples, NOT_MEASURED))
            }
        };
        let reading = match self.start {
            Some(start) => reading.at(start.device_time()),
            None => reading,
        };
        let reading = match end {
            Some(end) => reading.until(end.device_time()),
            None => reading,
        };
        let reading = if self.clock_not_set { reading.clock_state(clock_states::NOT_SET) } else { reading };
        // A counter that begins again with a new battery gives other content: that is another recording.
        Ok(reading.record_key(key, OnChange::Distinct).into())
    }

    /// `17.0`, and `17.0@2026-03-10T12:00:00Z` where the clock of the recording is to be believed: a counter that begins again
    /// is told apart by it.
    fn key(&self) -> Option<String> {
        let start = self.start.filter(|_| !self.clock_not_set).and_then(Timestamp::epoch_ms);
        Some(match start {
            Some(start) => format!("{}.{}@{start}", self.number, self.piece),
            None => format!("{}.{}", self.number, self.piece),
        })
    }

    fn check(&self) -> Result<(), DecodeError> {
        let Some((_, first)) = self.leads.first() else { return Err(DecodeError::malformed("there are no leads")) };
        if first.samples.is_empty() {
            return Err(DecodeError::malformed("there are no samples"));
        }
        for (at, (kind, lead)) in self.leads.iter().enumerate() {
            if lead.samples.len() != first.samples.len() {
                return Err(DecodeError::malformed("the leads are not equally long"));
            }
            if self.leads.iter().take(at).any(|(other, _)| other == kind) {
                return Err(DecodeError::malformed("a lead comes twice"));
            }
            if !lead.is_faster_than(PERIODS_MS.1) || lead.is_faster_than(PERIODS_MS.0) {
                return Err(DecodeError::malformed("no recorder has such a rate: 0.05 to 10000 ms between samples"));
            }
        }
        Ok(())
    }

    /// How long it lasts, in whole milliseconds.
    fn duration_ms(&self) -> Option<i64> {
        self.leads.first()?.1.duration_ms()
    }
}

/// The kind of a lead by its code.
pub fn lead_by_code(code: u8) -> Option<&'static str> {
    LEADS.iter().find(|(known, _, _)| *known == code).map(|(_, _, kind)| *kind)
}

/// The kind of a lead by its name; no name is a lead that the recorder does not name.
pub fn lead_by_name(name: &str) -> Option<&'static str> {
    LEADS.iter().find(|(_, known, _)| *known == name).map(|(_, _, kind)| *kind)
}
