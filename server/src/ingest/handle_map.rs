//! What a device's attribute handles mean. A Bluetooth gateway that names a value by its attribute handle (Bluetooth Core,
//! Vol 3 Part F 3.2.2) says nothing about what it is: the same handle is another characteristic on another model. So a
//! frame's channel `handle:52` is looked up in the device's own variable `handle_map`, `{"52": "2A37"}`. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::fleet::Variables;

/// The channel that a frame came from: its characteristic, where the device's map knows the handle.
pub fn characteristic<'a>(channel: &'a str, variables: &Variables) -> Cow<'a, str> {
    let mapped = channel.strip_prefix("handle:").and_then(|handle| {
        let map: BTreeMap<String, String> = serde_json::from_str(variables.get("handle_map")?).ok()?;
        map.get(handle).cloned()
    });
    mapped.map_or(Cow::Borrowed(channel), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_handle_becomes_a_characteristic() {
        let variables = Variables::from([("handle_map".to_owned(), r#"{"52": "2A37"}"#.to_owned())]);
        assert_eq!(characteristic("handle:52", &variables), "2A37");
        assert_eq!(characteristic("handle:16", &variables), "handle:16");
        assert_eq!(characteristic("2A35", &variables), "2A35");
        assert_eq!(characteristic("handle:52", &Variables::new()), "handle:52");
    }
}
