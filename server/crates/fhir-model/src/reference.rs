//! The forms a `Reference.reference` may take (<https://hl7.org/fhir/R4/references.html#literal>).

/// A literal reference, taken apart. The parts borrow from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `Patient/1` or `Patient/1/_history/2`, on this server.
    Relative(Local<'a>),
    /// `https://ehr.example/fhir/Patient/1`: a REST URL elsewhere (or here, see [`Reference::on_server`]).
    Absolute {
        /// The URL up to the type, without the slash before it.
        base: &'a str,
        /// What it names there.
        local: Local<'a>,
    },
    /// `urn:uuid:…` or `urn:oid:…`, the `fullUrl` of another entry of the same Bundle; the whole text.
    Urn(&'a str),
    /// `Patient?identifier=system|value`: a search that must match exactly one resource (only in a transaction).
    Conditional {
        /// The resource type searched.
        resource_type: &'a str,
        /// Everything after the question mark, still URL-encoded.
        query: &'a str,
    },
    /// `#id`, a contained resource; an empty id means the container itself.
    Fragment(&'a str),
    /// Any other absolute URL: nothing is known about what it names.
    Url(&'a str),
}

/// Type, id and version of a resource at some base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local<'a> {
    /// `Patient`
    pub resource_type: &'a str,
    /// `1`
    pub id: &'a str,
    /// `2` of `_history/2`
    pub version: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart; `None` when it has none of the forms.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
            return None;
        }
        if let Some(id) = text.strip_prefix('#') {
            return (id.is_empty() || is_id(id)).then_some(Self::Fragment(id));
        }
        if text.starts_with("urn:") {
            return is_urn(text).then_some(Self::Urn(text));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return is_scheme(scheme).then(|| Self::parse_url(text, scheme.len() + 3, rest)).flatten();
        }
        if let Some((resource_type, query)) = text.split_once('?') {
            return (is_type_name(resource_type) && query.contains('='))
                .then_some(Self::Conditional { resource_type, query });
        }
        Local::parse(text).map(Self::Relative)
    }

    /// The type and id when the reference is relative, or absolute below one of this server's base URLs.
    #[must_use]
    pub fn on_server(&self, bases: &[&str]) -> Option<Local<'a>> {
        match self {
            Self::Relative(local) => Some(*local),
            Self::Absolute { base, local } => {
                bases.iter().any(|own| own.trim_end_matches('/') == *base).then_some(*local)
            }
            _ => None,
        }
    }

    /// The resource type the reference says it points at, if it says so.
    #[must_use]
    pub fn resource_type(&self) -> Option<&'a str> {
        match self {
            Self::Relative(local) | Self::Absolute { local, .. } => Some(local.resource_type),
            Self::Conditional { resource_type, .. } => Some(resource_type),
            Self::Urn(_) | Self::Fragment(_) | Self::Url(_) => None,
        }
    }

    fn parse_url(text: &'a str, host_at: usize, rest: &str) -> Option<Self> {
        if rest.is_empty() || rest.starts_with('/') {
            return None;
        }
        // The last two segments are type and id, or the last four with `_history`; the host is never one of them.
        let mut slashes = text.rmatch_indices('/').map(|(at, _)| at).filter(|at| *at >= host_at);
        let splits = [slashes.nth(1), slashes.nth(1)];
        let found =
            splits.into_iter().flatten().find_map(|at| Some((text.get(..at)?, Local::parse(text.get(at + 1..)?)?)));
        Some(match found {
            Some((base, local)) => Self::Absolute { base, local },
            None => Self::Url(text),
        })
    }
}

impl<'a> Local<'a> {
    /// Reads `Type/id` or `Type/id/_history/version`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let (resource_type, id) = (parts.next()?, parts.next()?);
        let version = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some("_history"), Some(version), None) if is_id(version) => Some(version),
            _ => return None,
        };
        (is_type_name(resource_type) && is_id(id)).then_some(Self { resource_type, id, version })
    }
}

/// True for the `id` datatype: 1 to 64 letters, digits, `-` and `.`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// True for what looks like a resource type; whether there is such a type, the definitions know.
#[must_use]
pub fn is_type_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// True for `urn:uuid:` with a UUID (lower case, as FHIR wants it).
#[must_use]
pub fn is_urn_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    let parts: Vec<&str> = uuid.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_urn(text: &str) -> bool {
    match text.strip_prefix("urn:uuid:") {
        // Upper case is tolerated in references: only equality with a fullUrl matters.
        Some(_) => is_urn_uuid(&text.to_ascii_lowercase()),
        None => {
            text.strip_prefix("urn:").and_then(|rest| rest.split_once(':')).is_some_and(|(_, name)| !name.is_empty())
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local<'a>(resource_type: &'a str, id: &'a str, version: Option<&'a str>) -> Local<'a> {
        Local { resource_type, id, version }
    }

    #[test]
    fn takes_every_form_apart() {
        assert_eq!(Reference::parse("Patient/1"), Some(Reference::Relative(local("Patient", "1", None))));
        assert_eq!(
            Reference::parse("Patient/a.b-c/_history/2"),
            Some(Reference::Relative(local("Patient", "a.b-c", Some("2"))))
        );
        assert_eq!(
            Reference::parse("https://ehr.example/r4/Patient/1/_history/2"),
            Some(Reference::Absolute { base: "https://ehr.example/r4", local: local("Patient", "1", Some("2")) })
        );
        assert_eq!(
            Reference::parse("http://localhost:8080/Patient/1"),
            Some(Reference::Absolute { base: "http://localhost:8080", local: local("Patient", "1", None) })
        );
        let urn = "urn:uuid:0195c3f0-0000-7000-8000-00000000000a";
        assert_eq!(Reference::parse(urn), Some(Reference::Urn(urn)));
        assert_eq!(
            Reference::parse("Patient?identifier=s|v"),
            Some(Reference::Conditional { resource_type: "Patient", query: "identifier=s|v" })
        );
        assert_eq!(Reference::parse("#d1"), Some(Reference::Fragment("d1")));
        assert_eq!(Reference::parse("#"), Some(Reference::Fragment("")));
        assert_eq!(Reference::parse("https://example.org/about"), Some(Reference::Url("https://example.org/about")));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "Patient",
            "patient/1",
            "Patient/",
            "Patient/1/2",
            "Patient/1/_history",
            "Patient/a b",
            "Patient/ä",
            "Patient?x",
            "urn:uuid:1",
            "urn:",
            "://x",
            "http://",
            "/Patient/1",
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
        let long = format!("Patient/{}", "x".repeat(65));
        assert_eq!(Reference::parse(&long), None);
    }

    #[test]
    fn own_absolute_urls_are_local() {
        let text = "https://us.example/t/a/fhir/r4/Device/7";
        let reference = Reference::parse(text);
        let found = reference.and_then(|reference| reference.on_server(&["https://us.example/t/a/fhir/r4/"]));
        assert_eq!(found, Some(local("Device", "7", None)));
        assert_eq!(reference.and_then(|reference| reference.on_server(&["https://us.example/t/b/fhir/r4"])), None);
    }
}
