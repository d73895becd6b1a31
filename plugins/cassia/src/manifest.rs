//! What the decoder says about itself: its model, and examples that the host runs before it trusts the decoder.

use afferent_plugin_sdk::{Input, Manifest};

/// The model: a gateway's or an Access Controller's event stream.
pub const CASSIA: &str = "cassia-sse";

/// An example: what it shows, the handle map, the payload, its outcome and its values.
type Shown = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Shown] = &[
    ("a notification", r#"{"52":"2A37"}"#,
        r#"{"value":"08560000","handle":52,"id":"63:B4:C5:46:5C:A2","dataType":"notification"}"#,
        "items", &["63:B4:C5:46:5C:A2 frame 2A37"]),
    ("a map of its own for one device", r#"{"16":"2A35","CA:79:F5:B6:1F:04":{"16":"2A9D"}}"#,
        r#"{"dataType":"notification","ap":"CC:1B:E0:E7:FE:F8","value":"00B036","device":"CA:79:F5:B6:1F:04","handle":16}"#,
        "items", &["CA:79:F5:B6:1F:04 frame 2A9D"]),
    ("a handle that only the device knows", "{}",
        r#"{"dataType":"notification","value":"00B036","device":"CA:79:F5:B6:1F:04","handle":"16"}"#,
        "items", &["CA:79:F5:B6:1F:04 frame handle:16"]),
    ("a stream, with a value that is garbage", r#"{"52":"2A37"}"#,
        ":keep-alive\n\ndata: {\"value\":\"0856\",\"handle\":52,\"id\":\"63:B4:C5:46:5C:A2\"}\n\ndata: {\"value\":\"085\",\"handle\":52,\"id\":\"63:B4:C5:46:5C:A3\"}\n\n",
        "items", &["63:B4:C5:46:5C:A2 frame 2A37", "63:B4:C5:46:5C:A3 error malformed"]),
    ("an advertisement", "{}",
        r#"{"dataType":"scan","bdaddrs":[{"bdad":"CC:1B:E0:E0:98:16","bdaddrType":"public"}],"adData":"020106","rssi":-34}"#,
        "nothing", &[]),
    ("a link is lost", "{}", r#"{"handle":"CA:79:F5:B6:1F:04","connectionState":"disconnected"}"#, "nothing", &[]),
    ("truncated", "{}", r#"{"value":"08560000","handle":52,"#, "error", &[]),
    ("a handle map that is none", r#"["2A37"]"#, r#"{"value":"0856","handle":52,"id":"63:B4:C5:46:5C:A2"}"#, "error", &[]),
];

/// The whole manifest.
pub fn describe() -> Manifest {
    let mut manifest = Manifest::new("cassia", "Afferent", env!("CARGO_PKG_VERSION"))
        .license("Apache-2.0")
        .description("Splits the events of Cassia Bluetooth gateways into the notifications of their devices.")
        .model(CASSIA, "Cassia Bluetooth gateway, event stream", &[])
        .model_variables(&["handle_map"]);
    for (shows, map, payload, outcome, values) in EXAMPLES {
        let input = Input::new(CASSIA, "", payload.as_bytes()).with_variable("handle_map", map);
        manifest = manifest.example(shows, input, outcome, values);
    }
    manifest
}
