//! The syntax of times: the contract's local time, and RFC 3339.
//!
//! Whether such a time is plausible (2028, 1970, an hour that the zone skipped) is the host's later question.

/// `YYYY-MM-DDThh:mm:ss`, optionally with a fraction of one to nine digits, on a day that the calendar has.
pub(super) fn is_local(text: &str) -> bool {
    date_time(text).is_some_and(str::is_empty)
}

/// The same with `Z` or an offset `±hh:mm` (RFC 3339 section 5.6).
pub(super) fn is_zoned(text: &str) -> bool {
    match date_time(text).map(str::as_bytes) {
        Some(b"Z" | b"z") => true,
        Some(&[b'+' | b'-', h1, h2, b':', m1, m2]) => {
            digits(&[h1, h2]).is_some_and(|hours| hours <= 23) && digits(&[m1, m2]).is_some_and(|minutes| minutes <= 59)
        }
        _ => false,
    }
}

/// Reads date and time and gives what follows them.
fn date_time(text: &str) -> Option<&str> {
    let (head, rest) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] =
        head.as_bytes()
    else {
        return None;
    };
    let (year, month, day) = (digits(&[y1, y2, y3, y4])?, digits(&[o1, o2])?, digits(&[d1, d2])?);
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[m1, m2])?, digits(&[s1, s2])?);
    let exists = year >= 1 && (1..=days(year, month)).contains(&day) && hour <= 23 && minute <= 59 && second <= 59;
    if !exists {
        return None;
    }
    match rest.strip_prefix('.') {
        None => Some(rest),
        Some(fraction) => {
            let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
            (1..=9).contains(&end).then(|| fraction.get(end..)).flatten()
        }
    }
}

/// A number in decimal digits.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

/// Days of a month; none of a month that does not exist.
fn days(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_local, is_zoned};

    #[test]
    fn local_times_have_no_offset_and_exist() {
        for good in ["2024-02-29T23:59:59", "2026-11-22T20:45:00.5", "0001-01-01T00:00:00.123456789"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "2024-02-29",
            "2023-02-29T00:00:00",
            "2024-13-01T00:00:00",
            "2024-00-10T00:00:00",
            "2024-01-01T24:00:00",
            "2024-01-01T00:00:60",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00.1234567890",
            "2024-01-01T00:00:00Z",
            "2024-1-1T00:00:00",
            "+024-01-01T00:00:00",
            "２０２４-01-01T00:00:00",
            "0000-01-01T00:00:00",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }

    #[test]
    fn zoned_times_have_an_offset() {
        for good in ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.25+05:30", "2024-02-29T23:59:59-00:00"] {
            assert!(is_zoned(good), "{good}");
        }
        for bad in
            ["2024-02-29T23:59:59", "2024-02-29T23:59:59+24:00", "2024-02-29T23:59:59+0530", "2024-02-29T23:59:59 Z"]
        {
            assert!(!is_zoned(bad), "{bad}");
        }
    }
}
