//! The FHIR Device that stands for a device of the fleet: a projection with the same id, written in the same transaction
//! (<https://hl7.org/fhir/R4/device.html>, HL7 PHD IG, `PhdDevice`).

use crate::r4;
pub use crate::r4::AuthorError;

/// System of Bluetooth addresses, six octets `EE-FF-DE-AD-77-01` (HL7 PHD IG).
pub const BLUETOOTH_ADDRESS: &str = "http://hl7.org/fhir/sid/eui-48/bluetooth";
/// System of IMEIs (GSMA, RFC 7254).
pub const IMEI: &str = "urn:gsma:imei";

/// What the fleet knows of a device.
#[derive(Debug, Clone, Default)]
pub struct FleetDevice<'a> {
    /// `id`: that of the fleet's device.
    pub id: &'a str,
    /// `meta.versionId`.
    pub version: u32,
    /// `meta.lastUpdated`, an instant with offset.
    pub last_updated: &'a str,
    /// `status`: `active` or `inactive`.
    pub active: bool,
    /// `manufacturer`.
    pub manufacturer: Option<&'a str>,
    /// `deviceName` of type `model-name`.
    pub model: &'a str,
    /// `modelNumber`.
    pub model_number: Option<&'a str>,
    /// `serialNumber`.
    pub serial: Option<&'a str>,
    /// `identifier`: (system, value).
    pub identifiers: &'a [(String, String)],
    /// `version` of type firmware.
    pub firmware: Option<&'a str>,
    /// `owner`, such as `Organization/o1`.
    pub owner: Option<&'a str>,
    /// `patient`, such as `Patient/p1`: who wears it now.
    pub patient: Option<&'a str>,
}

/// Writes the Device as compact JSON, elements in FHIR's order.
///
/// # Errors
/// [`AuthorError`] when fhirbolt refuses the resource.
pub fn author(device: &FleetDevice<'_>) -> Result<String, AuthorError> {
    let name = r4::DeviceDeviceName {
        name: device.model.into(),
        r#type: "model-name".into(),
        ..r4::DeviceDeviceName::default()
    };
    let identifiers = device.identifiers.iter();
    let resource = r4::Device {
        id: Some(device.id.into()),
        meta: Some(Box::new(r4::Meta {
            version_id: Some(device.version.to_string().into()),
            last_updated: Some(device.last_updated.into()),
            ..r4::Meta::default()
        })),
        identifier: identifiers.map(|(system, value)| r4::identifier(system, value)).collect(),
        status: Some(if device.active { "active" } else { "inactive" }.into()),
        manufacturer: device.manufacturer.map(Into::into),
        serial_number: device.serial.map(Into::into),
        device_name: vec![name],
        model_number: device.model_number.map(Into::into),
        version: device.firmware.map(firmware).into_iter().collect(),
        patient: device.patient.map(|patient| Box::new(r4::reference(patient, None))),
        owner: device.owner.map(|owner| Box::new(r4::reference(owner, None))),
        ..r4::Device::default()
    };
    r4::device_text(&resource)
}

fn firmware(version: &str) -> r4::DeviceVersion {
    // MDC 531976, MDC_ID_PROD_SPEC_FW (HL7 PHD IG, production specification).
    let kind = r4::coded("urn:iso:std:iso:11073:10101", "531976");
    r4::DeviceVersion { r#type: Some(Box::new(kind)), value: version.into(), ..r4::DeviceVersion::default() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_device_in_the_order_of_fhir() {
        let identifiers = [(BLUETOOTH_ADDRESS.to_owned(), "EE-FF-DE-AD-77-01".to_owned())];
        let device = FleetDevice {
            id: "d1",
            version: 2,
            last_updated: "2026-11-22T11:00:00.000Z",
            active: true,
            manufacturer: Some("Maker"),
            model: "Cuff",
            model_number: Some("C-1"),
            serial: Some("0042"),
            identifiers: &identifiers,
            firmware: Some("1.2.3"),
            owner: None,
            patient: Some("Patient/p1"),
        };
        let expected = r#"{"resourceType":"Device","id":"d1","meta":{"versionId":"2","lastUpdated":"2026-11-22T11:00:00.000Z"},"identifier":[{"system":"http://hl7.org/fhir/sid/eui-48/bluetooth","value":"EE-FF-DE-AD-77-01"}],"status":"active","manufacturer":"Maker","serialNumber":"0042","deviceName":[{"name":"Cuff","type":"model-name"}],"modelNumber":"C-1","version":[{"type":{"coding":[{"system":"urn:iso:std:iso:11073:10101","code":"531976"}]},"value":"1.2.3"}],"patient":{"reference":"Patient/p1"}}"#;
        assert_eq!(author(&device).unwrap(), expected);
    }
}
