//! An object of metrics by name, as samples and templates of the MedTech service have them.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::registry::{device_identity, fact_kinds};
use afferent_plugin_sdk::{DecodeError, Decoded, OnChange, Reading, Value};

use crate::envelope::{Around, moment};
use crate::metric::{self, Metric};

/// Members in which an object says when it was measured, the first of which counts.
const TIMES: &[&str] =
    &["endDate", "measurementDateTime", "measurementdatetime", "date", "dateTime", "timestamp", "time"];

/// Members that are no metrics of a person, in lower case without punctuation.
const NO_METRICS: &[&str] = &[
    "deviceid",
    "patientid",
    "enddate",
    "startdate",
    "date",
    "datetime",
    "timestamp",
    "time",
    "measurementdatetime",
    "unit",
    "units",
    "devicetemperature",
    "eventprocessedutctime",
    "eventenqueuedutctime",
    "partitionid",
    "bloodpressure",
    "systolic",
    "diastolic",
];

/// Adds the metrics of an object; of those in lists within it, too, which share its device and time.
pub(crate) fn object<'d>(item: Json<'d>, outer: Around<'d>, decoded: &mut Decoded) -> Result<(), DecodeError> {
    let mut around = outer;
    for name in TIMES {
        if let Some(written) = item.get(name)? {
            around.time = Some(moment(written)?);
            break;
        }
    }
    for name in ["deviceId", "deviceid"] {
        // The connection was authenticated, what the body says was not.
        if let (None, Some(device)) = (around.device, item.get(name)?) {
            around.device = Some(device.identifier()?);
        }
    }
    let mut readings = Vec::new();
    readings.extend(blood_pressure(item)?);
    for (name, member) in item.members()? {
        let plain = metric::plain(name);
        if member.is_null() || NO_METRICS.contains(&plain.as_str()) {
            continue;
        }
        if member.is_list() {
            for inner in member.items()?.filter(|inner| inner.is_object()) {
                object(inner, around, decoded)?;
            }
        } else if plain == "batterylevel" {
            decoded.add_fact(fact_kinds::BATTERY, Value::decimal(member.decimal()?, "%"));
        } else if let Some(metric) = Metric::named(&plain) {
            readings.extend(metric.read(item, name, member)?);
        } else if member.is_object() || member.decimal().is_ok() {
            // Words beside the numbers, such as an activity, are no measurements.
            decoded.warn_of_metric(name);
        }
    }
    decoded.readings.extend(readings.into_iter().map(|reading| around.around(reading)));
    Ok(())
}

impl Around<'_> {
    /// Puts time, key and device around a reading.
    pub(crate) fn around(&self, reading: Reading) -> Reading {
        let reading = match self.time {
            Some(time) => reading.at(time.device_time()).record_key(Some(time.to_string()), OnChange::Distinct),
            None => reading,
        };
        match self.device {
            Some(device) => reading.device_identity(device_identity::VENDOR_DEVICE_ID, device),
            None => reading,
        }
    }
}

/// `systolic` and `diastolic` in the object, or in a `BloodPressure` of its own.
fn blood_pressure(item: Json<'_>) -> Result<Option<Reading>, DecodeError> {
    let mut parts = [None, None];
    let mut look = |object: Json<'_>| -> Result<(), DecodeError> {
        for (name, member) in object.members()? {
            let place = match metric::plain(name).as_str() {
                "systolic" => 0,
                "diastolic" => 1,
                _ => continue,
            };
            let pressure = member.rounded(1)?;
            if let Some(part) = parts.get_mut(place)
                && pressure.compare(0).is_gt()
                && part.replace(pressure).is_some()
            {
                return Err(member.malformed("a second pressure of the same name"));
            }
        }
        Ok(())
    };
    look(item)?;
    for (name, member) in item.members()? {
        if metric::plain(name) == "bloodpressure" && member.is_object() {
            look(member)?;
        }
    }
    let part = |value| Value::decimal(value, "mm[Hg]");
    Ok(match parts {
        [None, None] => None,
        [systolic, diastolic] => {
            let unknown = || Value::absent("unknown");
            Some(Reading::blood_pressure(systolic.map_or_else(unknown, part), diastolic.map_or_else(unknown, part)))
        }
    })
}
