//! How a setting's text becomes a value: durations, sizes, networks, keys. Pure; an error says what would be right.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use url::Url;

use super::secret::Secret;

/// A value, or what was wrong and what would be right. Never repeats the text: it may be a secret.
pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn text(value: &str) -> Parsed<String> {
    if value.is_empty() { Err("is empty".to_owned()) } else { Ok(value.to_owned()) }
}

pub(super) fn secret_text(value: &str) -> Parsed<Secret<String>> {
    text(value).map(Secret::new)
}

pub(super) fn path(value: &str) -> Parsed<PathBuf> {
    text(value).map(PathBuf::from)
}

pub(super) fn socket_address(value: &str) -> Parsed<SocketAddr> {
    // A host name would make the meaning depend on a resolver; the one that everybody writes is let in.
    let value = value.strip_prefix("localhost:").map_or_else(|| value.to_owned(), |port| format!("127.0.0.1:{port}"));
    value.parse().map_err(|_error| "is not an address with a port, such as 127.0.0.1:8080 or [::]:8080".to_owned())
}

pub(super) fn web_address(value: &str) -> Parsed<Url> {
    match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("is not a URL that begins with https:// or http://".to_owned()),
    }
}

pub(super) fn database_url(value: &str) -> Parsed<Secret<String>> {
    if value.starts_with("postgres://") || value.starts_with("postgresql://") {
        return Ok(Secret::new(value.to_owned()));
    }
    Err("is not a URL of the form postgres://user:password@host:5432/database".to_owned())
}

/// A whole number that is at least 1: no setting of ours has a meaning for 0.
pub(super) fn positive<T: TryFrom<u64>>(value: &str) -> Parsed<T> {
    let number = value.parse::<u64>().ok().filter(|number| *number > 0);
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| "is not a whole number above 0".to_owned())
}

/// "250ms", "30s", "5m", "2h", "7d".
pub(super) fn duration(value: &str) -> Parsed<Duration> {
    let (number, unit) = number_and_unit(value);
    let number: Option<u64> = number.parse().ok();
    let duration = match (number, unit) {
        (Some(number), "ms") => Some(Duration::from_millis(number)),
        (Some(number), "s") => Some(Duration::from_secs(number)),
        (Some(number), "m") => number.checked_mul(60).map(Duration::from_secs),
        (Some(number), "h") => number.checked_mul(3_600).map(Duration::from_secs),
        (Some(number), "d") => number.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    };
    duration.ok_or_else(|| "is not a duration such as \"30s\", \"5m\", \"2h\" or \"7d\"".to_owned())
}

/// "4 MiB", "512 KiB", "4194304".
pub(super) fn byte_size(value: &str) -> Parsed<usize> {
    let (number, unit) = number_and_unit(value);
    let factor: Option<usize> = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1024),
        "MiB" => Some(1024 * 1024),
        "GiB" => Some(1024 * 1024 * 1024),
        _ => None,
    };
    let number = number.parse::<usize>().ok().filter(|number| *number > 0);
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| "is not a size such as \"512 KiB\", \"4 MiB\" or a number of bytes".to_owned())
}

fn number_and_unit(value: &str) -> (&str, &str) {
    let end = value.find(|character: char| !character.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    (number, unit.trim())
}

/// A single address counts as the network that holds just it.
pub(super) fn network(value: &str) -> Parsed<IpNet> {
    let network = value.parse::<IpNet>().ok().or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| format!("holds {value:?}, which is not a network such as 10.0.0.0/8 or an address"))
}

/// 32 bytes in base64.
pub(super) fn key(value: &str) -> Parsed<Secret<[u8; 32]>> {
    let bytes = STANDARD.decode(value).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes
        .map(Secret::new)
        .ok_or_else(|| "is not 32 bytes in base64 (make one with: openssl rand -base64 32)".to_owned())
}

/// Several of them, separated by commas or white space: one a line in a file.
pub(super) fn keys(value: &str) -> Parsed<Secret<Vec<[u8; 32]>>> {
    let mut keys = Vec::new();
    for text in value.split([',', ' ', '\n', '\r', '\t']).filter(|text| !text.is_empty()) {
        let one = key(text).map_err(|_problem| {
            "holds something that is not 32 bytes in base64 (several keys are separated by commas, or lines of the file)"
                .to_owned()
        })?;
        keys.push(*one.expose());
    }
    Ok(Secret::new(keys))
}

/// A number of days within bounds.
pub(super) fn days(value: &str, least: u32, most: u32) -> Parsed<u32> {
    let number = value.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("is not a number of days from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("30").is_err());
        assert!(duration("s").is_err());
        assert!(duration("999999999999999999d").is_err());
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(byte_size("4 MiB"), Ok(4 * 1024 * 1024));
        assert_eq!(byte_size("4194304"), Ok(4 * 1024 * 1024));
        assert!(byte_size("4 MB").is_err());
        assert!(byte_size("0").is_err());
    }

    #[test]
    fn networks_may_be_single_addresses() {
        assert_eq!(network("127.0.0.1").map(|it| it.to_string()), Ok("127.0.0.1/32".to_owned()));
        assert_eq!(network("10.0.0.0/8").map(|it| it.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert!(network("example.org").is_err());
    }

    #[test]
    fn keys_are_32_bytes() {
        assert!(key(&STANDARD.encode([7_u8; 32])).is_ok());
        assert!(key(&STANDARD.encode([7_u8; 31])).is_err());
    }

    #[test]
    fn several_keys_are_a_list_or_lines() {
        let (one, two) = (STANDARD.encode([1_u8; 32]), STANDARD.encode([2_u8; 32]));
        for text in [format!("{one},{two}"), format!("{one}\n{two}\n"), format!("{one}, {two}")] {
            assert_eq!(keys(&text).map(|keys| keys.expose().clone()), Ok(vec![[1; 32], [2; 32]]));
        }
        assert!(keys(&format!("{one},short")).is_err());
    }

    #[test]
    fn days_have_bounds() {
        assert_eq!(days("7", 1, 365), Ok(7));
        assert!(days("0", 1, 365).is_err() && days("366", 1, 365).is_err() && days("week", 1, 365).is_err());
    }

    #[test]
    fn localhost_is_understood() {
        assert_eq!(socket_address("localhost:80"), socket_address("127.0.0.1:80"));
        assert!(socket_address("8080").is_err());
    }
}
