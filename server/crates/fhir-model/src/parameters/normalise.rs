//! Folding of strings for search: case and accents are ignored, white space counts once
//! (<https://hl7.org/fhir/R4/search.html#string>). The tables are the canonical decompositions of Unicode, plus the
//! letters with a stroke, which have none but are typed without it.

/// Folds a text: lower case, no accents, `ß` as `ss`, `æ` as `ae`, single spaces. Use it on both sides of a comparison.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        for char in word.chars().flat_map(char::to_lowercase) {
            push_folded(&mut folded, char);
        }
    }
    folded
}

fn push_folded(folded: &mut String, char: char) {
    match char {
        '\0'..='\x7f' => folded.push(char),
        '\u{300}'..='\u{36f}' => {}
        'ß' => folded.push_str("ss"),
        'æ' | 'ǽ' | 'ǣ' => folded.push_str("ae"),
        'œ' => folded.push_str("oe"),
        'ĳ' => folded.push_str("ij"),
        'þ' => folded.push_str("th"),
        'ς' => folded.push('σ'),
        '’' | '‘' | 'ʼ' => folded.push('\''),
        '‐' | '‑' | '–' => folded.push('-'),
        _ => folded.push(base_letter(char).unwrap_or(char)),
    }
}

fn base_letter(char: char) -> Option<char> {
    let code = u32::from(char);
    let (table, first) = match code {
        0xC0..=0x24F => (LATIN, 0xC0),
        0x1E00..=0x1EFF => (LATIN_ADDITIONAL, 0x1E00),
        _ => return None,
    };
    let at = usize::try_from(code - first).ok()?;
    table.get(at).copied().filter(|base| *base != b'-').map(char::from)
}

/// Base letters of U+00C0 to U+024F, by position; `-` where there is none.
const LATIN: &[u8] = b"\
    aaaaaa-ceeeeiiiidnooooo-ouuuuy--aaaaaa-ceeeeiiiidnooooo-ouuuuy-yaaaaaaccccccccddddeeeeeeeeeegggggggg\
    hhhhiiiiiiiiii--jjkk-llllll--llnnnnnn-nnoooooo--rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzz-b-------\
    ------------------------oo-------------uu----------------------------aaiioouuuuuuuuuu-aaaa----ggkkoo\
    oo--j---gg--nnaa--ooaaaaeeeeiiiioooorrrruuuusstt--hh------aaeeooooooooyy---------------b------------";

/// Base letters of U+1E00 to U+1EFF, by position.
const LATIN_ADDITIONAL: &[u8] = b"\
    aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssss\
    ssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy------aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeee\
    iiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy------";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_accents_and_space() {
        assert_eq!(normalise("  Müller \t  Große-Æsir "), "muller grosse-aesir");
        assert_eq!(normalise("ÅÉîõÜçñŠžŁøđİI"), "aeioucnszlodii");
        assert_eq!(normalise("Nguyễn Thị Hương"), "nguyen thi huong");
        assert_eq!(normalise("e\u{301}"), normalise("é"));
        assert_eq!(normalise("O’Neil"), "o'neil");
        assert_eq!(normalise("日本 Ωmega"), "日本 ωmega");
        assert_eq!((LATIN.len(), LATIN_ADDITIONAL.len()), (0x190, 0x100));
    }
}
