//! What attribute handles mean, as the installation says.

use afferent_plugin_sdk::json::Json;
use afferent_plugin_sdk::{BluetoothAddress, DecodeError};

/// The variable `handle_map`.
pub struct HandleMap<'m> {
    all: Vec<(&'m str, &'m str)>,
    of_devices: Vec<(BluetoothAddress, Vec<(&'m str, &'m str)>)>,
}

/// The variable is not what it must be. Its content is not repeated: it is sealed where it is kept.
pub fn broken() -> DecodeError {
    DecodeError::unsupported(
        "the hub's variable handle_map is not readable; it looks like {\"52\": \"2A37\"} or {\"63:B4:C5:46:5C:A2\": {\"52\": \"2A37\"}}",
    )
}

impl<'m> HandleMap<'m> {
    /// Reads the variable; empty when there is none.
    ///
    /// # Errors
    ///
    /// It is no map from handles to channels, nor one from devices to such.
    pub fn new(variable: Option<Json<'m>>) -> Result<Self, DecodeError> {
        let mut map = Self { all: Vec::new(), of_devices: Vec::new() };
        let Some(variable) = variable else { return Ok(map) };
        for (name, value) in variable.members().map_err(|_detail| broken())? {
            if value.is_object() {
                let address = BluetoothAddress::parse(name).ok_or_else(broken)?;
                map.of_devices.push((address, entries(value)?));
            } else {
                map.all.push((name.trim(), value.text().map_err(|_detail| broken())?));
            }
        }
        Ok(map)
    }

    /// The channel of a handle: of this device's own map, else of the map for all, else `handle:52` for the host to look up.
    pub fn channel(&self, device: &str, handle: u16) -> String {
        let number = handle.to_string();
        let within = |map: &[(&str, &str)]| {
            map.iter().find(|(known, _)| *known == number).map(|(_, channel)| (*channel).to_owned())
        };
        let address = BluetoothAddress::parse(device);
        let own = self.of_devices.iter().find(|(known, _)| Some(*known) == address);
        own.and_then(|(_, map)| within(map)).or_else(|| within(&self.all)).unwrap_or_else(|| format!("handle:{number}"))
    }
}

fn entries(map: Json<'_>) -> Result<Vec<(&str, &str)>, DecodeError> {
    let members = map.members().map_err(|_detail| broken())?;
    members.map(|(name, value)| Ok((name.trim(), value.text().map_err(|_detail| broken())?))).collect()
}
