//! The names of channels.

/// The 16-bit number of a Bluetooth characteristic, in any of the ways in which phones and hubs write it: `2A35`,
/// `2a35`, `0x2A35`, or the full UUID `00002a35-0000-1000-8000-00805f9b34fb`. None for anything else.
#[must_use]
pub fn bluetooth_characteristic(channel: &str) -> Option<u16> {
    const BASE: &str = "-0000-1000-8000-00805f9b34fb";
    let channel = channel.trim();
    let digits = match channel.split_at_checked(8) {
        Some((short, base)) if base.eq_ignore_ascii_case(BASE) => short.strip_prefix("0000")?,
        _ => channel.strip_prefix("0x").or_else(|| channel.strip_prefix("0X")).unwrap_or(channel),
    };
    let valid = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    valid.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::bluetooth_characteristic;

    #[test]
    fn every_spelling_of_a_characteristic_is_the_same() {
        for spelling in ["2A35", "2a35", "0x2A35", "0X2a35", " 2A35 ", "00002a35-0000-1000-8000-00805F9B34FB"] {
            assert_eq!(bluetooth_characteristic(spelling), Some(0x2A35), "{spelling}");
        }
        for other in ["", "2A3", "+A35", "02A35", "port 1", "12342a35-0000-1000-8000-00805f9b34fb", "é2A35000-0000"] {
            assert_eq!(bluetooth_characteristic(other), None, "{other}");
        }
    }
}
