//! Names that are meant: what would have been right.

/// Says that a name is unknown, and which known one is nearest.
pub(super) fn unknown<'n>(what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|candidate| (distance(name, candidate), *candidate)).min();
    match nearest {
        Some((distance, nearest)) if distance <= name.len() / 3 + 1 => {
            format!("`{name}` is no {what}; did you mean `{nearest}`?")
        }
        _ if known.is_empty() => format!("`{name}` is no {what}; there is none yet"),
        _ if known.len() <= 24 => format!("`{name}` is no {what}; there are {}", known.join(", ")),
        _ => format!("`{name}` is no {what}"),
    }
}

/// How many letters have to be changed, put in or left out.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (above, candidate) in row.iter().skip(1).zip(&other) {
            let changed = before + usize::from(letter != *candidate);
            before = *above;
            left = changed.min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, unknown};

    #[test]
    fn the_nearest_name_is_named() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(unknown("field", "wieght", ["weight", "time"]), "`wieght` is no field; did you mean `weight`?");
        assert_eq!(unknown("field", "q", ["weight", "time"]), "`q` is no field; there are weight, time");
    }
}
