//! The versions of a resource as a Bundle (<https://hl7.org/fhir/R4/http.html#history>), around the stored texts.

use super::write::{list, member};

/// One version.
#[derive(Debug, Clone, Copy)]
pub struct HistoryEntry<'a> {
    /// The text as stored; `None` for a deletion.
    pub resource: Option<&'a str>,
    /// How this version came to be: `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// What that was sent to, below the base: `Observation` or `Observation/1`.
    pub url: &'a str,
    /// What was answered: `201 Created`.
    pub status: &'a str,
    /// `W/"1"`
    pub etag: &'a str,
    /// `meta.lastUpdated`.
    pub last_modified: &'a str,
}

/// The text of a `history` Bundle. `full_url` is the absolute URL of the resource, whose versions all entries are, newest
/// first; `total` counts the versions of all pages.
#[must_use]
pub fn history(total: u64, links: &[(&str, &str)], full_url: &str, entries: &[HistoryEntry<'_>]) -> String {
    let size: usize = entries.iter().map(|entry| entry.resource.map_or(0, str::len) + 400).sum();
    let mut text = String::with_capacity(size + 512);
    text.push_str(r#"{"resourceType":"Bundle","type":"history""#);
    text.push_str(&format!(r#","total":{total}"#));
    list(&mut text, "link", links, |text, (relation, url)| {
        text.push('{');
        member(text, "relation", relation);
        text.push(',');
        member(text, "url", url);
        text.push('}');
    });
    list(&mut text, "entry", entries, |text, entry| {
        text.push('{');
        member(text, "fullUrl", full_url);
        if let Some(resource) = entry.resource {
            text.push_str(r#","resource":"#);
            text.push_str(resource);
        }
        text.push_str(r#","request":{"#);
        member(text, "method", entry.method);
        text.push(',');
        member(text, "url", entry.url);
        text.push_str(r#"},"response":{"#);
        member(text, "status", entry.status);
        text.push(',');
        member(text, "etag", entry.etag);
        text.push(',');
        member(text, "lastModified", entry.last_modified);
        text.push_str("}}");
    });
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::definitions::tests::r4;
    use crate::parse::Limits;
    use crate::resource::Resource;
    use crate::validate::{Options, validate};

    #[test]
    fn versions_keep_their_text_and_a_deletion_has_none() {
        let body = r#"{"resourceType":"Patient","id":"1","meta":{"versionId":"1"},"multipleBirthInteger":2}"#;
        let first = HistoryEntry {
            resource: Some(body),
            method: "POST",
            url: "Patient",
            status: "201 Created",
            etag: "W/\"1\"",
            last_modified: "2026-11-22T20:52:10.123Z",
        };
        let deleted =
            HistoryEntry { resource: None, method: "DELETE", url: "Patient/1", status: "204 No Content", ..first };
        let links = [("self", "https://us.example/fhir/Patient/1/_history")];
        let text = history(2, &links, "https://us.example/fhir/Patient/1", &[deleted, first]);
        assert!(text.contains(body), "{text}");
        assert_eq!(text.matches("\"resource\":").count(), 1);
        let resource = Resource::from_slice(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(validate(r4(), &resource, Options::default()), [], "{text}");
        assert!(!history(0, &links, "x", &[]).contains("entry"), "FHIR has no empty lists");
    }
}
