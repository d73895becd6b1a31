//! Whether two names mean the same channel. Pure.

/// Whether a channel as sent is the one that a model declares. Phones and hubs write a Bluetooth characteristic in four
/// ways, which are the same; other channels are compared without regard to case and surrounding space.
pub fn is_same(declared: &str, sent: &str) -> bool {
    match (characteristic(declared), characteristic(sent)) {
        (Some(declared), Some(sent)) => declared == sent,
        _ => declared.trim().eq_ignore_ascii_case(sent.trim()),
    }
}

/// The 16-bit number in `2A35`, `0x2A35` or `00002a35-0000-1000-8000-00805f9b34fb` (Bluetooth Core, Vol 3 Part B 2.5.1).
fn characteristic(channel: &str) -> Option<u16> {
    const BASE: &str = "-0000-1000-8000-00805f9b34fb";
    let channel = channel.trim();
    let digits = match channel.split_at_checked(8) {
        Some((short, base)) if base.eq_ignore_ascii_case(BASE) => short.strip_prefix("0000")?,
        _ => channel.strip_prefix("0x").or_else(|| channel.strip_prefix("0X")).unwrap_or(channel),
    };
    let is_number = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_number.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn spellings_of_one_characteristic_are_one_channel() {
        for sent in ["2A35", "2a35", "0x2A35", " 2A35 ", "00002a35-0000-1000-8000-00805F9B34FB"] {
            assert!(is_same("2A35", sent), "{sent}");
        }
        assert!(is_same("telemetry/up", "Telemetry/Up"));
        for other in ["2A36", "", "port 1", "2A35x", "12342a35-0000-1000-8000-00805f9b34fb"] {
            assert!(!is_same("2A35", other), "{other}");
        }
    }
}
