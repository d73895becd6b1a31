//! Pairing codes: eight characters that people can read aloud and type, and their QR.
//!
//! The alphabet is Crockford's base 32 (digits and letters without I, L, O and U): 32^8 = 2^40 codes. What is typed may be in
//! small letters, with spaces or hyphens, with O for 0 and I or L for 1.

use anyhow::anyhow;
use qrcodegen::{QrCode, QrCodeEcc};

use crate::platform::seal::Sealer;

/// What a code is made of.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code.
const LENGTH: usize = 8;
/// Characters that are looked at at most, of what somebody typed.
const MOST_TYPED: usize = 32;
/// Light modules around a QR code (ISO/IEC 18004: four).
const QUIET_ZONE: i32 = 4;

/// A code in its one spelling: eight characters of the alphabet.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let mut bits = [0u8; LENGTH];
        getrandom::fill(&mut bits).map_err(|error| anyhow!("no randomness: {error}"))?;
        // 32 divides 256: every character is as likely as any other.
        Ok(Self(bits.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|c| char::from(*c)).collect()))
    }

    /// What somebody typed, or nothing when it cannot be a code.
    #[must_use]
    pub fn typed(text: &str) -> Option<Self> {
        if text.chars().count() > MOST_TYPED {
            return None;
        }
        let mut code = String::with_capacity(LENGTH);
        for character in text.chars().filter(|character| !character.is_whitespace() && *character != '-') {
            let character = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            u8::try_from(character).ok().filter(|byte| ALPHABET.contains(byte))?;
            code.push(character);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// As people read it: two groups of four.
    #[must_use]
    pub fn shown(&self) -> String {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }

    /// What is stored of it.
    #[must_use]
    pub fn fingerprint(&self, sealer: &Sealer) -> [u8; 32] {
        sealer.fingerprint("app-pairing", self.0.as_bytes())
    }
}

/// A text as an SVG picture of its QR code, dark on light whatever the page's colours are.
///
/// # Errors
/// When the text is too long for a QR code.
pub fn qr_svg(text: &str) -> anyhow::Result<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|error| anyhow!("no QR code: {error}"))?;
    let size = code.size() + 2 * QUIET_ZONE;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in 0..code.size() {
            if code.get_module(x, y) {
                path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET_ZONE, y + QUIET_ZONE));
            }
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"QR code to pair a phone\"><rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code::typed("A0B1-C2DE").unwrap();
        for text in ["a0b1c2de", "AOBI-C2DE", " aobl c2de ", "A-0-B-1-C-2-D-E"] {
            assert!(Code::typed(text) == Some(code.clone()), "{text}");
        }
        assert_eq!(code.shown(), "A0B1-C2DE");
        for wrong in ["", "A0B1-C2D", "A0B1-C2DEF", "A0B1-C2DU", "A0B1_C2DE", "ÄÖB1-C2DE", &"-".repeat(100)] {
            assert!(Code::typed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn codes_differ_and_use_the_whole_alphabet() {
        let codes: Vec<String> = (0..500).map(|_| Code::generate().unwrap().0).collect();
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
        let letters: std::collections::BTreeSet<char> = codes.iter().flat_map(|code| code.chars()).collect();
        assert_eq!(letters.len(), 32, "4,000 characters without one of 32: once in 10^53");
        assert!(codes.iter().all(|code| Code::typed(code).is_some()));
    }

    #[test]
    fn a_qr_code_is_a_square_with_a_quiet_zone() {
        let svg = qr_svg("https://rpm.example.org/app/#code=A0B1-C2DE").unwrap();
        // 43 characters of bytes at level M need version 4, 33 modules.
        assert!(svg.contains("viewBox=\"0 0 41 41\""), "{}", svg.get(..120).unwrap());
        assert!(svg.contains("M4,4h1") && !svg.contains("M3,") && !svg.contains("M37,"), "modules stay inside");
        assert!(qr_svg(&"x".repeat(5_000)).is_err());
    }
}
