//! The JSON form: what a recorder's gateway can write without a library, with the samples as FHIR writes them.

use afferent_plugin_sdk::json::{Document, Json};
use afferent_plugin_sdk::registry::kinds;
use afferent_plugin_sdk::{Decimal, DecodeError, SampledData, Timestamp};

use crate::recording::{Recording, Wave, lead_by_name};

/// The only version there is.
const FORMAT: &str = "afferent-waveform/1";

const MEMBERS: &[&str] = &[
    "format",
    "wave",
    "recording",
    "piece",
    "start",
    "clockNotSet",
    "periodMs",
    "unit",
    "origin",
    "factor",
    "lowerLimit",
    "upperLimit",
    "leads",
];

/// Reads a document.
///
/// # Errors
///
/// It is none of this format, a member is missing, unknown or of another type.
pub fn read(data: &[u8]) -> Result<Recording, DecodeError> {
    let document = Document::parse(data)?;
    let root = document.root();
    let format = root.required("format")?;
    if format.text()? != FORMAT {
        return Err(format.unsupported(format!("the format is not {FORMAT}")));
    }
    only(root, MEMBERS)?;
    let wave = root.required("wave")?;
    let wave = match wave.text()? {
        "ecg" => Wave::Ecg,
        "plethysmogram" => Wave::Plethysmogram,
        _ => return Err(wave.unsupported("a wave that is neither `ecg` nor `plethysmogram`")),
    };
    let scale = Scale::read(root, wave)?;
    let items = root.required("leads")?.items()?;
    let leads = items.map(|lead| read_lead(lead, wave, &scale)).collect::<Result<Vec<_>, _>>()?;
    if wave == Wave::Plethysmogram && leads.len() != 1 {
        return Err(root.malformed("a plethysmogram has one lead"));
    }
    let start = root.get("start")?.map(|start| instant(start)).transpose()?;
    Ok(Recording {
        wave,
        number: counter(root, "recording")?,
        piece: counter(root, "piece")?,
        start,
        clock_not_set: root.get("clockNotSet")?.map(Json::boolean).transpose()?.unwrap_or(false),
        leads,
    })
}

/// Nothing but these members: one that is not known might change what the others mean.
fn only(object: Json<'_>, known: &[&str]) -> Result<(), DecodeError> {
    let unknown = object.members()?.find(|(name, _)| !known.contains(name));
    unknown.map_or(Ok(()), |(_, member)| Err(member.unsupported("the format has no such member")))
}

/// A point in time with its offset: a recorder without a zone is a recorder whose wave cannot be placed.
fn instant(start: Json<'_>) -> Result<Timestamp, DecodeError> {
    let time = Timestamp::parse(start.text()?).map_err(|error| error.at_path(start.path()))?;
    match time.epoch_ms() {
        Some(_) => Ok(time),
        None => Err(start.malformed("a time without an offset")),
    }
}

fn counter<T: TryFrom<i64>>(root: Json<'_>, name: &str) -> Result<T, DecodeError> {
    let member = root.required(name)?;
    T::try_from(member.integer()?).map_err(|_range| member.malformed("a number that the format has no room for"))
}

/// What a count is.
struct Scale {
    unit: &'static str,
    period_ms: Decimal,
    origin: Decimal,
    factor: Decimal,
    lower_limit: Option<Decimal>,
    upper_limit: Option<Decimal>,
}

impl Scale {
    fn read(root: Json<'_>, wave: Wave) -> Result<Self, DecodeError> {
        let unit = root.required("unit")?;
        let unit = match (wave, unit.text()?) {
            (Wave::Ecg, "uV") => "uV",
            (Wave::Ecg, "mV") => "mV",
            (Wave::Plethysmogram, "1") => "1",
            _ => return Err(unit.unsupported("the unit is uV or mV for an ecg, and 1 for a plethysmogram")),
        };
        let positive = |name: &str| {
            let member = root.required(name)?;
            let number = member.decimal()?;
            if number.mantissa > 0 { Ok(number) } else { Err(member.malformed("the number is not above 0")) }
        };
        let limit = |name: &str| root.get(name)?.map(Json::decimal).transpose();
        Ok(Self {
            unit,
            period_ms: positive("periodMs")?,
            origin: root.required("origin")?.decimal()?,
            factor: positive("factor")?,
            lower_limit: limit("lowerLimit")?,
            upper_limit: limit("upperLimit")?,
        })
    }

    /// Samples with this scale, each within the limits or said to be beyond them.
    fn sampled(&self, samples: Vec<i32>, data: Json<'_>) -> Result<SampledData, DecodeError> {
        let mut sampled = SampledData::new(self.unit, self.period_ms, self.factor, samples);
        sampled.origin = self.origin;
        sampled.lower_limit = self.lower_limit;
        sampled.upper_limit = self.upper_limit;
        match sampled.problem() {
            // A lead that was off all the time is a lead without a value, which the reading says.
            None => Ok(sampled),
            Some(_) if sampled.is_missing() => Ok(sampled),
            Some(problem) => Err(data.malformed(problem)),
        }
    }
}

fn read_lead(lead: Json<'_>, wave: Wave, scale: &Scale) -> Result<(&'static str, SampledData), DecodeError> {
    only(lead, &["lead", "data"])?;
    let kind = match wave {
        Wave::Ecg => {
            let name = lead.required("lead")?;
            lead_by_name(name.text()?).ok_or_else(|| name.unsupported("none of the twelve leads, nor an empty name"))?
        }
        Wave::Plethysmogram => kinds::PLETHYSMOGRAM,
    };
    let data = lead.required("data")?;
    let samples = samples(data.text()?.as_bytes());
    let samples =
        samples.ok_or_else(|| data.malformed("samples are whole numbers, E, L or U, separated by single spaces"))?;
    Ok((kind, scale.sampled(samples, data)?))
}

/// `-12 0 E 44`: whole numbers and the letters of FHIR's SampledData. Written for speed: there are ten thousands of them,
/// and general splitting and parsing took three quarters of a decoder's fuel.
fn samples(text: &[u8]) -> Option<Vec<i32>> {
    // A sample takes two bytes at least, with its space; mostly it takes four or five.
    let mut samples = Vec::with_capacity(text.len() / 4 + 1);
    let mut rest = text;
    loop {
        let (sample, behind) = sample(rest)?;
        samples.push(sample);
        match behind.split_first() {
            None => return Some(samples),
            Some((b' ', next)) => rest = next,
            Some(_) => return None,
        }
    }
}

/// One sample, and what stands behind it.
fn sample(text: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, digits) = match text {
        [b'E', behind @ ..] => return Some((SampledData::MISSING, behind)),
        [b'L', behind @ ..] => return Some((SampledData::BELOW_LIMIT, behind)),
        [b'U', behind @ ..] => return Some((SampledData::ABOVE_LIMIT, behind)),
        [b'-', digits @ ..] => (-1, digits),
        // `+12` is a number of Rust's, and not of FHIR's.
        digits => (1, digits),
    };
    let mut number = 0_i32;
    let mut behind = digits;
    while let [digit @ b'0'..=b'9', next @ ..] = behind {
        number = number.checked_mul(10)?.checked_add(sign * i32::from(digit - b'0'))?;
        behind = next;
    }
    let is_number = behind.len() < digits.len() && SampledData::letter(number).is_none();
    is_number.then_some((number, behind))
}
