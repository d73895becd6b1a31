//! Names that are meant: what would have been right.

use registered_words::distance;

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

#[cfg(test)]
mod tests {
    use super::unknown;

    #[test]
    fn the_nearest_name_is_named() {
        assert_eq!(unknown("field", "wieght", ["weight", "time"]), "`wieght` is no field; did you mean `weight`?");
        assert_eq!(unknown("field", "q", ["weight", "time"]), "`q` is no field; there are weight, time");
    }
}
