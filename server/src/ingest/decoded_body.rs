//! The stored form of readings that a hub decoded itself: what its decoder said of one item, so that the item can be read
//! again (released, claimed, replayed) without its neighbours. The hub's payload, unaltered, is an uplink of its own.

use plugin_host::{Decoded, Outcome};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Its media type. Only the server writes it; no source may send it.
pub const READINGS: &str = "application/vnd.afferent.readings+json";

/// Readings, and the decoder that said them.
#[derive(Debug, Serialize, Deserialize)]
pub struct DecodedBody {
    /// Name of the hub's decoder.
    pub decoder: String,
    /// Its version.
    pub version: String,
    /// What it said.
    pub readings: Decoded,
}

impl DecodedBody {
    /// As it is stored.
    ///
    /// # Errors
    /// 500, which is a defect of ours.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    /// As it was stored.
    ///
    /// # Errors
    /// 500: the bytes are not what [`DecodedBody::write`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|_detail| Error::internal(anyhow::anyhow!("stored readings do not read")))
    }

    /// What a decoder would have answered.
    pub fn into_outcome(self) -> Outcome {
        Outcome::Readings(self.readings)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use plugin_host::{Decimal, DeviceTime, OnChange, Quantity, Reading, Value};

    use super::*;

    #[test]
    fn what_was_written_reads_the_same() {
        let value = Decimal { mantissa: 7930, exponent: -2 };
        let reading = Reading {
            kind: "body-weight".to_owned(),
            codings: Vec::new(),
            value: Value::Quantity(Quantity { value, unit: "kg".to_owned(), comparator: None }),
            components: Vec::new(),
            time: DeviceTime::Zoned("2026-03-12T17:41:46Z".to_owned()),
            time_end: DeviceTime::None,
            clock_state: "unknown".to_owned(),
            body_site: None,
            method: None,
            context: Vec::new(),
            flags: Vec::new(),
            user_slot: None,
            device_identity: Vec::new(),
            record_key: Some("key".to_owned()),
            on_change: OnChange::Distinct,
            extra: Vec::new(),
        };
        let readings = Decoded { readings: vec![reading], facts: Vec::new(), warnings: Vec::new(), extra: Vec::new() };
        let body = DecodedBody { decoder: "ava4".to_owned(), version: "1.0.0".to_owned(), readings };
        let again = DecodedBody::read(&body.write().unwrap()).unwrap();
        assert_eq!(again.readings, body.readings, "79.30 stays 79.30");
    }
}
