//! What a device, a hub and an assignment are, and the rules on their fields; pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, FieldError};
use crate::platform::sealed_column::SealedColumn;
use crate::tenancy;

/// Characters of a serial, a hub's model or an address.
const MAX_NAME: usize = 128;
/// Identifiers of one device.
const MAX_IDENTIFIERS: usize = 20;
/// Variables of one device, and characters of one name.
const MAX_VARIABLES: usize = 50;
/// Characters of an identifier's parts.
const MAX_IDENTIFIER: usize = 500;
/// Characters of one variable's value: keys and handle maps, not documents.
const MAX_VALUE: usize = 8_192;

/// An identifier of the thing itself, such as its IMEI or its Bluetooth address (FHIR Identifier).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceIdentifier {
    /// URI of the system, such as `http://hl7.org/fhir/sid/eui-48/bluetooth`.
    pub system: String,
    /// The value in that system.
    pub value: String,
}

/// The decoder's settings for one device: bind key, session start, handle map. Secrets.
pub type Variables = BTreeMap<String, String>;

/// Where a device's variables are sealed for: the box opens nowhere else.
pub fn variables_place(tenant: db::TenantId, device: db::DeviceId) -> String {
    format!("device.variables/{tenant}/{device}")
}

/// Where the variables are, for changing the key.
pub const SEALED_VARIABLES: SealedColumn = SealedColumn {
    title: "device variables",
    table: "device",
    column: "variables_sealed",
    emptied: "variables_sealed = NULL, variables_version = variables_version + 1, updated_at = now()",
    place: |tenant, device| variables_place(tenant, db::DeviceId(device)),
};

/// Where a hub's variables are sealed for.
pub fn hub_variables_place(tenant: db::TenantId, hub: db::HubId) -> String {
    format!("hub.variables/{tenant}/{hub}")
}

/// Where the variables of hubs are, for changing the key.
pub const SEALED_HUB_VARIABLES: SealedColumn = SealedColumn {
    title: "hub variables",
    table: "hub",
    column: "variables_sealed",
    emptied: "variables_sealed = NULL, variables_version = variables_version + 1, updated_at = now()",
    place: |tenant, hub| hub_variables_place(tenant, db::HubId(hub)),
};

/// Collects what is wrong, so that the caller sees all of it at once.
#[derive(Default)]
pub struct Checks {
    wrong: Vec<FieldError>,
}

impl Checks {
    /// All problems as one 422, or nothing.
    pub fn finish(self) -> Result<(), Error> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Error::fields(self.wrong)) }
    }

    fn wrong(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.wrong.push(FieldError { pointer: pointer.into(), detail: detail.into() });
    }

    /// A serial, model or address: 1 to 128 printable characters without space around them.
    pub fn name(&mut self, pointer: &str, text: &str) {
        if !is_printable(text, MAX_NAME) {
            self.wrong(pointer, format!("1 to {MAX_NAME} printable characters, without space at either end"));
        }
    }

    /// An IANA zone, when there is one.
    pub fn time_zone(&mut self, zone: Option<&str>) {
        if let Some(Err(_unknown)) = zone.map(|zone| tenancy::check_time_zone("/timeZone", zone)) {
            self.wrong("/timeZone", "this is not an IANA time zone; write it as in `Europe/Berlin`");
        }
    }

    /// Identifiers: a URI and a value each, none twice.
    pub fn identifiers(&mut self, identifiers: &[DeviceIdentifier]) {
        if identifiers.len() > MAX_IDENTIFIERS {
            self.wrong("/identifiers", format!("{MAX_IDENTIFIERS} identifiers at most"));
        }
        for (index, identifier) in identifiers.iter().enumerate() {
            if !is_printable(&identifier.system, MAX_IDENTIFIER)
                || identifier.system.contains(' ')
                || !identifier.system.contains(':')
            {
                self.wrong(
                    format!("/identifiers/{index}/system"),
                    "the URI of the identifier's system, such as urn:gsma:imei",
                );
            }
            if !is_printable(&identifier.value, MAX_IDENTIFIER) {
                self.wrong(
                    format!("/identifiers/{index}/value"),
                    format!("1 to {MAX_IDENTIFIER} printable characters"),
                );
            }
            if identifiers.iter().take(index).any(|other| other == identifier) {
                self.wrong(format!("/identifiers/{index}"), "this identifier is there twice");
            }
        }
    }

    /// Variables, of which no value may be repeated in an error.
    pub fn variables<'a>(&mut self, variables: impl ExactSizeIterator<Item = (&'a str, Option<&'a str>)>) {
        if variables.len() > MAX_VARIABLES {
            self.wrong("/variables", format!("{MAX_VARIABLES} variables at most"));
        }
        for (name, value) in variables {
            if !is_printable(name, MAX_NAME) {
                self.wrong("/variables", format!("a variable's name has 1 to {MAX_NAME} printable characters"));
            } else if value.is_some_and(|value| value.chars().count() > MAX_VALUE || value.contains('\0')) {
                self.wrong(
                    format!("/variables/{}", pointer_part(name)),
                    format!("a value has at most {MAX_VALUE} characters, none of them NUL"),
                );
            }
        }
    }
}

/// A name as a part of a JSON pointer (RFC 6901, section 3).
fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn is_printable(text: &str, most: usize) -> bool {
    !text.is_empty() && text.trim() == text && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// How a hub names a device, in one spelling: a Bluetooth address, however its six octets are written, as
/// `AA:BB:CC:DD:EE:FF`; anything else without the space around it.
#[must_use]
pub fn normal_address(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().filter(|character| !matches!(character, ':' | '-')).collect();
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.to_owned();
    }
    let upper = digits.to_ascii_uppercase();
    let octets: Vec<_> = (0..6).filter_map(|octet| upper.get(2 * octet..2 * octet + 2)).collect();
    octets.join(":")
}

/// A patient as callers name it, `p1` or `Patient/p1`, as its id.
pub fn patient_id(text: &str) -> Result<&str, Error> {
    let id = text.strip_prefix("Patient/").unwrap_or(text);
    if fhir_model::reference::is_id(id) {
        return Ok(id);
    }
    Err(Error::field("/patient", "the patient's FHIR id, alone or as `Patient/<id>`"))
}

/// A period of wearing: `until` after `from`.
pub fn check_period(from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Result<(), Error> {
    if until.is_some_and(|until| until <= from) {
        return Err(Error::field("/until", "the end has to be after the beginning"));
    }
    Ok(())
}

/// The slot of a shared device: its name, or empty for the device's only wearer.
pub fn check_slot(slot: &str) -> Result<(), Error> {
    if slot.is_empty() || is_printable(slot, MAX_NAME) {
        return Ok(());
    }
    Err(Error::field(
        "/slot",
        format!("the user slot as the device names it, such as `1`: at most {MAX_NAME} printable characters"),
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        for text in ["aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "aabbccddee0f", " AA:BB:CC:DD:EE:0F "] {
            assert_eq!(normal_address(text), "AA:BB:CC:DD:EE:0F");
        }
        assert_eq!(normal_address(" port-7 "), "port-7");
        assert_eq!(normal_address("é23456789012"), "é23456789012");
    }

    #[test]
    fn a_patient_is_named_by_id_or_reference() {
        assert_eq!(patient_id("p1").unwrap(), "p1");
        assert_eq!(patient_id("Patient/p-1.2").unwrap(), "p-1.2");
        for wrong in ["", "Patient/", "Device/p1", "Patient/p1/_history/2", "p 1"] {
            assert!(patient_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut checks = Checks::default();
        checks.name("/serial", " A1");
        checks.time_zone(Some("Mars/Base"));
        checks.identifiers(&[DeviceIdentifier { system: "imei".to_owned(), value: String::new() }]);
        checks.variables([("bind/key", Some("a\0b"))].into_iter());
        let wrong: Vec<_> = checks.wrong.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(
            wrong,
            ["/serial", "/timeZone", "/identifiers/0/system", "/identifiers/0/value", "/variables/bind~1key"]
        );
    }

    #[test]
    fn a_period_has_a_length() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert!(check_period(at, None).is_ok());
        assert!(check_period(at, Some(at)).is_err());
        assert!(check_slot("").is_ok() && check_slot("1").is_ok() && check_slot("\u{7}").is_err());
    }
}
