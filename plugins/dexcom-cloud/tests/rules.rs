//! The rules of the decoder beyond its vectors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use afferent_plugin_sdk::{DecodeError, Decoded, Decoder, Input, Outcome, value_lines};
use dexcom_cloud::DexcomCloud;

fn decode(json: &str) -> Result<Outcome, DecodeError> {
    DexcomCloud::decode(&Input::new("dexcom-v3-egv", "", json))
}

fn lines(json: &str) -> Vec<String> {
    value_lines(&decode(json).unwrap())
}

fn readings(json: &str) -> Decoded {
    match decode(json).unwrap() {
        Outcome::Readings(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

fn reason(json: &str) -> String {
    match decode(json).unwrap() {
        Outcome::Nothing(nothing) => nothing.reason,
        other => panic!("{other:?}"),
    }
}

fn path(json: &str) -> String {
    decode(json).unwrap_err().path.unwrap_or_default()
}

use afferent_plugin_sdk::DeviceTime;

fn record(rest: &str) -> String {
    format!(r#"{{"records":[{{"recordId":"r1","unit":"mg/dL","systemTime":"2026-03-10T12:00:00Z",{rest}}}]}}"#)
}

#[test]
fn the_status_says_what_the_value_is() {
    for (rest, line) in [
        (r#""value":120,"status":"ok""#, "glucose-interstitial 120 mg/dL"),
        (r#""value":40,"status":"low""#, "glucose-interstitial < 40 mg/dL"),
        (r#""value":400,"status":"high""#, "glucose-interstitial > 400 mg/dL"),
        (r#""value":120"#, "glucose-interstitial 120 mg/dL"),
    ] {
        assert_eq!(lines(&record(rest)), [line]);
    }
    assert_eq!(readings(&record(r#""value":120,"status":"unknown""#)).readings[0].flags, ["questionable"]);
    assert_eq!(path(&record(r#""value":120,"status":"odd""#)), "$.records[0].status");
    let mmol = record(r#""value":6.7,"status":"ok""#).replace("mg/dL", "mmol/L");
    assert_eq!(lines(&mmol), ["glucose-interstitial 6.7 mmol/L"]);
    assert_eq!(path(&mmol.replace("mmol/L", "unknown")), "$.records[0].unit");
    assert_eq!(path(r#"{"recordType":"calibration","records":[]}"#), "$.recordType");
    assert_eq!(reason(r#"{"recordType":"egv","records":[]}"#), "no-measurement");
}

/// Receivers write the system's clock without an offset, and it is UTC; the display's clock may say anything.
#[test]
fn the_clock_of_the_system_is_utc() {
    let json = record(r#""value":120,"displayTime":"2001-01-01T00:00:00""#).replace(":00Z", ":00");
    let reading = readings(&json).readings.remove(0);
    assert_eq!(reading.time, DeviceTime::Zoned("2026-03-10T12:00:00Z".into()));
    assert_eq!(reading.record_key.as_deref(), Some("r1"));
}

fn share(json: &str) -> Result<Outcome, DecodeError> {
    DexcomCloud::decode(&Input::new("dexcom-share", "", json))
}

#[test]
fn times_of_share_are_dates_in_milliseconds() {
    for time in ["Date(1638396953000)", "/Date(1638396953000)/", "Date(1638396953000+0100)", "Date(1638396953000-0700)"]
    {
        let json = format!(r#"{{"WT":"{time}","Value":167}}"#);
        let Outcome::Readings(decoded) = share(&json).unwrap() else { panic!("no readings") };
        assert_eq!(decoded.readings[0].time, DeviceTime::Zoned("2021-12-01T22:15:53Z".into()), "{time}");
    }
    for wrong in ["1638396953000", "Date()", "Date(x)", "Date(1638396953000"] {
        assert!(share(&format!(r#"{{"WT":"{wrong}","Value":167}}"#)).is_err(), "{wrong}");
    }
    let apart = r#"[{"WT":"Date(1638396953000)","ST":"Date(1638390000000)","Value":167}]"#;
    let Outcome::Readings(decoded) = share(apart).unwrap() else { panic!("no readings") };
    assert_eq!(decoded.warnings[0].code, "timestamp-fields-disagree");
}
