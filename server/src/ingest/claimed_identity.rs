//! What a payload says about its own device, against the device whose credential sent it (DESIGN, "What decodes it"). A
//! payload of another device is somebody else's reading: it is held, whatever it says. Pure.

use plugin_host::NameValue;

use crate::fleet::{DeviceSnapshot, normal_address};

/// Whether one of the claims (`serial`, `imei`, `address`, `vendor-device-id`) contradicts what is known of the device. What is not known of it
/// contradicts nothing.
pub fn is_another_device(claims: &[NameValue], device: &DeviceSnapshot) -> bool {
    claims.iter().any(|claim| {
        let known: Vec<String> = match claim.name.as_str() {
            "serial" => vec![device.serial.clone()],
            "imei" => identifiers(device, &["imei"]),
            "address" => identifiers(device, &["eui-48", "bluetooth"]),
            "vendor-device-id" => identifiers(device, &["vendor-device-id"]),
            _ => Vec::new(),
        };
        let normal = |text: &str| normal_address(text).to_lowercase();
        !known.is_empty() && !known.iter().any(|known| normal(known) == normal(&claim.value))
    })
}

/// The device's identifiers of the systems whose URI has one of these words.
fn identifiers(device: &DeviceSnapshot, words: &[&str]) -> Vec<String> {
    let is_meant = |system: &str| words.iter().any(|word| system.to_lowercase().contains(word));
    let meant = device.identifiers.iter().filter(|identifier| is_meant(&identifier.system));
    meant.map(|identifier| identifier.value.clone()).collect()
}
