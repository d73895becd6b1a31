//! How long frames wait for the rest of their record, and how many do: as the decoder says, within the platform's own
//! limits. Pure.

use std::time::Duration;

use plugin_host::NameValue;

/// A device's frames of one record come in one session; a phone that was offline sends them together.
const WINDOW: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(86_400);
/// Uplinks of one record.
const UPLINKS: usize = 16;
/// Uplinks of one record at most, whatever a decoder says.
const MOST_UPLINKS: usize = 64;

/// The bounds for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the receipt of an uplink to that of the last one of its record.
    pub window: Duration,
    /// Uplinks that are joined, and that wait.
    pub uplinks: usize,
}

impl Bounds {
    /// Uplinks of one device that are looked at together at most.
    pub const MOST_UPLINKS: usize = MOST_UPLINKS;

    /// As the manifest's `extra` says for a model: `join-window/MODEL` in seconds, `join-uplinks/MODEL`.
    #[must_use]
    pub fn of(extra: &[NameValue], model: &str) -> Self {
        let said = |what: &str| {
            let pair = extra
                .iter()
                .find(|pair| pair.name.strip_prefix(what).and_then(|rest| rest.strip_prefix('/')) == Some(model))?;
            pair.value.parse::<u64>().ok()
        };
        let window = said("join-window").map_or(WINDOW, |seconds| Duration::from_secs(seconds.max(1)).min(LONGEST));
        let uplinks = said("join-uplinks").and_then(|number| usize::try_from(number).ok());
        Self { window, uplinks: uplinks.map_or(UPLINKS, |number| number.clamp(2, MOST_UPLINKS)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_says_its_own_within_limits() {
        let pair = |name: &str, value: &str| NameValue { name: name.to_owned(), value: value.to_owned() };
        let extra =
            [pair("join-window/scale", "30"), pair("join-uplinks/scale", "3"), pair("join-uplinks/cuff", "9999")];
        assert_eq!(Bounds::of(&extra, "scale"), Bounds { window: Duration::from_secs(30), uplinks: 3 });
        assert_eq!(Bounds::of(&extra, "cuff"), Bounds { window: WINDOW, uplinks: MOST_UPLINKS });
        assert_eq!(Bounds::of(&[], "cuff"), Bounds { window: WINDOW, uplinks: UPLINKS });
    }
}
