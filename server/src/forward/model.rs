//! Pure rules: which endpoint gets what, which lane a patient is on, how long to wait after a failure.

use std::time::Duration;

/// Lanes an endpoint has: requests in flight to it are at most so many, and a patient is always on the same one.
pub(super) const LANES: i16 = 16;

/// Bytes of another server's words that are kept with a delivery.
const OUTCOME_LIMIT_BYTES: usize = 8 * 1024;

/// The lane of a patient: FNV-1a of the id. Stored with the row, so it must never change.
pub(super) fn lane(patient: &str) -> i16 {
    let hash = patient
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of FNV are its weakest: fold the high half in.
    let folded = hash ^ (hash >> 32);
    i16::try_from(folded % u64::from(LANES.unsigned_abs())).unwrap_or_default()
}

/// What an endpoint wants. Empty lists want everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EndpointFilter {
    codes: Vec<(String, String)>,
    except: Vec<(String, String)>,
    patients: Vec<String>,
}

impl EndpointFilter {
    /// From the stored columns: tokens `system|code` of what is wanted and of what is not, and patients' ids.
    pub(super) fn new(codes: &[String], except: &[String], patients: &[String]) -> Self {
        let pairs = |tokens: &[String]| {
            let pairs = tokens.iter().filter_map(|token| token.rsplit_once('|'));
            pairs.map(|(system, code)| (system.to_owned(), code.to_owned())).collect()
        };
        Self { codes: pairs(codes), except: pairs(except), patients: patients.to_vec() }
    }

    /// Whether an Observation with these codings (system and code) of this patient goes there.
    pub(super) fn matches(&self, codings: &[(String, String)], patient: &str) -> bool {
        !self.except.iter().any(|unwanted| codings.contains(unwanted))
            && (self.codes.is_empty() || self.codes.iter().any(|wanted| codings.contains(wanted)))
            && (self.patients.is_empty() || self.patients.iter().any(|wanted| wanted == patient))
    }
}

/// A token `system|code` with both parts, as filters need it.
pub(super) fn is_code_token(token: &str) -> bool {
    let acceptable = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    token.len() <= 512 && token.rsplit_once('|').is_some_and(|(system, code)| acceptable(system) && acceptable(code))
}

/// The pause after the `attempt`th failure in a row (from 1): exponential, capped at `max`, with full jitter over the
/// upper three quarters, so that a herd spreads and nobody comes back at once. `random` is any number.
pub(super) fn backoff(attempt: u32, base: Duration, max: Duration, random: u64) -> Duration {
    let doubled = base.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let cap = u64::try_from(doubled.min(max).as_millis()).unwrap_or(u64::MAX).max(1);
    let floor = cap / 4;
    Duration::from_millis(floor + random % (cap - floor + 1))
}

/// Cuts a text to what is kept, at a character's border. NUL, which Postgres does not store, is dropped.
pub(super) fn bounded(text: &str) -> String {
    cut(text, OUTCOME_LIMIT_BYTES)
}

/// The first `limit` bytes of a text at most, without NUL.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().replace('\0', "")
}

/// A number nobody can guess; jitter does not need more.
pub(super) fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // Without randomness the pauses are merely equal.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_stable_and_used() {
        // Stored with rows: these values must never change.
        assert_eq!(
            [lane(""), lane("a"), lane("patient-1"), lane("0195c3f0-0000-7000-8000-00000000000a")],
            [1, 0, 14, 12]
        );
        let mut used = [0usize; 16];
        for n in 0..1600 {
            let lane = lane(&format!("patient-{n}"));
            assert!((0..LANES).contains(&lane));
            used[usize::try_from(lane).unwrap_or_default()] += 1;
        }
        assert!(used.iter().all(|count| (50..200).contains(count)), "{used:?}");
    }

    #[test]
    fn filters() {
        let pair = |system: &str, code: &str| (system.to_owned(), code.to_owned());
        let codings = [pair("http://loinc.org", "85354-9"), pair("urn:iso:std:iso:11073:10101", "150020")];
        assert!(EndpointFilter::default().matches(&codings, "p"));
        let codes = EndpointFilter::new(&["http://loinc.org|85354-9".to_owned()], &[], &[]);
        assert!(codes.matches(&codings, "p"));
        assert!(!codes.matches(&[pair("http://loinc.org", "29463-7")], "p"));
        assert!(!codes.matches(&[pair("http://other.example", "85354-9")], "p"));
        let patients = EndpointFilter::new(&[], &[], &["p".to_owned()]);
        let except = EndpointFilter::new(&[], &["urn:iso:std:iso:11073:10101|150020".to_owned()], &[]);
        assert!(!except.matches(&codings, "p") && except.matches(&[pair("http://loinc.org", "29463-7")], "p"));
        assert!(patients.matches(&codings, "p"));
        assert!(!patients.matches(&codings, "q"));
        assert!(is_code_token("http://loinc.org|85354-9"));
        for bad in ["85354-9", "|85354-9", "http://loinc.org|", "http://loinc.org|a b", ""] {
            assert!(!is_code_token(bad), "{bad}");
        }
    }

    #[test]
    fn pauses_grow_within_their_bounds() {
        let (base, max) = (Duration::from_secs(2), Duration::from_secs(900));
        for random in [0, 1, 7, u64::MAX / 3, u64::MAX] {
            for (attempt, cap) in [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (40, 900), (u32::MAX, 900)] {
                let pause = backoff(attempt, base, max, random);
                assert!(
                    pause >= Duration::from_secs(cap) / 4 && pause <= Duration::from_secs(cap),
                    "{attempt} {pause:?}"
                );
            }
        }
        assert!(backoff(1, Duration::ZERO, Duration::ZERO, 9) <= Duration::from_millis(1));
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("a\0b", 10), "ab");
        assert_eq!(bounded(&"x".repeat(10_000)).len(), 8 * 1024);
    }
}
