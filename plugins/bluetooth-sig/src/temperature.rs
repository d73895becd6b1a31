//! Temperature Measurement (0x2A1C), Health Thermometer Service 1.0.

use afferent_plugin_sdk::registry::{body_sites, kinds};
use afferent_plugin_sdk::{DecodeError, OnChange, Outcome, Reader, Reading, record_key};

/// Temperature Type (0x2A1D). Other codes are reserved and say nothing about the site.
const SITES: &[(u8, &str)] = &[
    (1, body_sites::ARMPIT),
    (2, body_sites::BODY),
    (3, body_sites::EAR),
    (4, body_sites::FINGER),
    (5, body_sites::GASTROINTESTINAL_TRACT),
    (6, body_sites::MOUTH),
    (7, body_sites::RECTUM),
    (8, body_sites::TOE),
    (9, body_sites::TYMPANUM),
];

/// One body temperature, with its site where the thermometer names it.
///
/// # Errors
///
/// The payload is truncated, has trailing bytes, or sets a flag that would shift the fields.
pub fn decode(data: &[u8]) -> Result<Outcome, DecodeError> {
    let mut reader = Reader::new(data);
    let flags = reader.flags_u8(0b0000_0111)?;
    let unit = if flags.has(0) { "[degF]" } else { "Cel" };
    let mut reading = Reading::new(kinds::BODY_TEMPERATURE, reader.float()?.in_unit(unit));
    if flags.has(1) {
        let clock = reader.date_time()?.wall_clock();
        reading = reading.at_wall_clock(&clock).record_key(record_key(&clock, None), OnChange::Distinct);
    }
    if flags.has(2) {
        let code = reader.u8()?;
        if let Some((_, site)) = SITES.iter().find(|(known, _)| *known == code) {
            reading = reading.body_site(site);
        }
    }
    reader.finish()?;
    Ok(reading.into())
}
