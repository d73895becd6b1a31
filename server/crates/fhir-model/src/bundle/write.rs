//! Bundles that go out, written around stored resource texts: those are copied, not parsed, so that what was stored
//! is what is served. Every resource text must be one JSON object.

/// What a searchset is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct SearchSet<'a> {
    /// The number of all matches, over all pages; left out when not known.
    pub total: Option<u64>,
    /// (relation, absolute URL): `self` always, `first`, `next`, `previous` where they are.
    pub links: &'a [(&'a str, &'a str)],
    /// The entries of this page.
    pub entries: &'a [SearchSetEntry<'a>],
}

/// One entry of a searchset.
#[derive(Debug, Clone, Copy)]
pub struct SearchSetEntry<'a> {
    /// The absolute URL of the resource; `None` for an `OperationOutcome`, which has none.
    pub full_url: Option<&'a str>,
    /// The resource as stored.
    pub resource: &'a str,
    /// Why it is here.
    pub mode: SearchMode,
}

/// `Bundle.entry.search.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// It was searched for.
    Match,
    /// Something that was searched for refers to it.
    Include,
    /// An `OperationOutcome` about the search itself.
    Outcome,
}

impl SearchMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
            Self::Outcome => "outcome",
        }
    }
}

/// The text of a `searchset` Bundle.
#[must_use]
pub fn searchset(set: &SearchSet<'_>) -> String {
    let size: usize = set.entries.iter().map(|entry| entry.resource.len() + 160).sum();
    let mut text = String::with_capacity(size + 512);
    text.push_str(r#"{"resourceType":"Bundle","type":"searchset""#);
    if let Some(total) = set.total {
        text.push_str(&format!(r#","total":{total}"#));
    }
    list(&mut text, "link", set.links, |text, (relation, url)| {
        text.push('{');
        member(text, "relation", relation);
        text.push(',');
        member(text, "url", url);
        text.push('}');
    });
    list(&mut text, "entry", set.entries, |text, entry| {
        text.push('{');
        if let Some(full_url) = entry.full_url {
            member(text, "fullUrl", full_url);
            text.push(',');
        }
        text.push_str(r#""resource":"#);
        text.push_str(entry.resource);
        text.push_str(r#","search":{"mode":""#);
        text.push_str(entry.mode.as_str());
        text.push_str(r#""}}"#);
    });
    text.push('}');
    text
}

/// The answer to one entry of a transaction or batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResponseEntry<'a> {
    /// HTTP status with or without its phrase: `201 Created`.
    pub status: &'a str,
    /// Where the resource is: `Observation/1/_history/1` or absolute.
    pub location: Option<&'a str>,
    /// `W/"1"`
    pub etag: Option<&'a str>,
    /// An instant.
    pub last_modified: Option<&'a str>,
    /// The absolute URL of the resource that is returned.
    pub full_url: Option<&'a str>,
    /// The resource, for reads and `Prefer: return=representation`.
    pub resource: Option<&'a str>,
    /// An `OperationOutcome`, for failures and `Prefer: return=OperationOutcome`.
    pub outcome: Option<&'a str>,
}

/// The text of a `transaction-response` or `batch-response` Bundle; entries in the order of the request.
#[must_use]
pub fn response(kind: super::BundleKind, entries: &[ResponseEntry<'_>]) -> String {
    let mut text = String::with_capacity(entries.len() * 200 + 100);
    text.push_str(match kind {
        super::BundleKind::Transaction => r#"{"resourceType":"Bundle","type":"transaction-response""#,
        super::BundleKind::Batch => r#"{"resourceType":"Bundle","type":"batch-response""#,
    });
    list(&mut text, "entry", entries, |text, entry| {
        text.push('{');
        if let Some(full_url) = entry.full_url {
            member(text, "fullUrl", full_url);
            text.push(',');
        }
        if let Some(resource) = entry.resource {
            text.push_str(r#""resource":"#);
            text.push_str(resource);
            text.push(',');
        }
        text.push_str(r#""response":{"#);
        member(text, "status", entry.status);
        let others = [("location", entry.location), ("etag", entry.etag), ("lastModified", entry.last_modified)];
        for (name, value) in others {
            if let Some(value) = value {
                text.push(',');
                member(text, name, value);
            }
        }
        if let Some(outcome) = entry.outcome {
            text.push_str(r#","outcome":"#);
            text.push_str(outcome);
        }
        text.push_str("}}");
    });
    text.push('}');
    text
}

/// One resource to send to another server.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingEntry<'a> {
    /// `urn:uuid:…`, different for every entry.
    pub full_url: &'a str,
    /// The resource.
    pub resource: &'a str,
    /// `POST` or `PUT`.
    pub method: &'a str,
    /// `Observation`, or `Observation/1`, or `Observation?identifier=…` for PUT.
    pub url: &'a str,
    /// `identifier=system|value`, URL-encoded, for a conditional create.
    pub if_none_exist: Option<&'a str>,
}

/// The text of a `transaction` Bundle.
#[must_use]
pub fn transaction(entries: &[OutgoingEntry<'_>]) -> String {
    let size: usize = entries.iter().map(|entry| entry.resource.len() + 300).sum();
    let mut text = String::with_capacity(size + 64);
    text.push_str(r#"{"resourceType":"Bundle","type":"transaction""#);
    list(&mut text, "entry", entries, |text, entry| {
        text.push('{');
        member(text, "fullUrl", entry.full_url);
        text.push_str(r#","resource":"#);
        text.push_str(entry.resource);
        text.push_str(r#","request":{"#);
        member(text, "method", entry.method);
        text.push(',');
        member(text, "url", entry.url);
        if let Some(condition) = entry.if_none_exist {
            text.push(',');
            member(text, "ifNoneExist", condition);
        }
        text.push_str("}}");
    });
    text.push('}');
    text
}

/// Writes `,"name":[…]`; nothing for an empty list, which FHIR does not allow.
pub(super) fn list<T>(text: &mut String, name: &str, items: &[T], write: impl Fn(&mut String, &T)) {
    if items.is_empty() {
        return;
    }
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}

pub(super) fn member(text: &mut String, name: &str, value: &str) {
    text.push('"');
    text.push_str(name);
    text.push_str("\":");
    text.push_str(&serde_json::Value::from(value).to_string());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::bundle::BundleKind;
    use crate::definitions::tests::r4;
    use crate::parse::Limits;
    use crate::resource::Resource;
    use crate::validate::{Options, validate};

    const URN: &str = "urn:uuid:0195c3f0-0000-7000-8000-00000000000a";
    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"1","status":"final","code":{"text":"x"},"valueQuantity":{"value":97.50}}"#;

    fn valid(text: &str) {
        let resource = Resource::from_slice(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(validate(r4(), &resource, Options::default()), [], "{text}");
    }

    #[test]
    fn a_searchset_copies_resources_and_escapes_links() {
        let entries = [SearchSetEntry {
            full_url: Some("https://us.example/fhir/Observation/1"),
            resource: OBSERVATION,
            mode: SearchMode::Match,
        }];
        let links = [("self", "https://us.example/fhir/Observation?code=\"x\"")];
        let text = searchset(&SearchSet { total: Some(1), links: &links, entries: &entries });
        assert_eq!(
            text,
            format!(
                r#"{{"resourceType":"Bundle","type":"searchset","total":1,"link":[{{"relation":"self","url":"https://us.example/fhir/Observation?code=\"x\""}}],"entry":[{{"fullUrl":"https://us.example/fhir/Observation/1","resource":{OBSERVATION},"search":{{"mode":"match"}}}}]}}"#
            )
        );
        valid(&text);
        assert_eq!(searchset(&SearchSet::default()), r#"{"resourceType":"Bundle","type":"searchset"}"#);
    }

    #[test]
    fn responses_are_valid() {
        let outcome = crate::outcome::OperationOutcome::default().to_text();
        let entries = [
            ResponseEntry {
                status: "201 Created",
                location: Some("Observation/1/_history/1"),
                etag: Some("W/\"1\""),
                last_modified: Some("2026-11-22T20:52:10Z"),
                ..ResponseEntry::default()
            },
            ResponseEntry {
                status: "200 OK",
                resource: Some(OBSERVATION),
                full_url: Some("https://us.example/fhir/Observation/1"),
                ..ResponseEntry::default()
            },
            ResponseEntry { status: "404 Not Found", outcome: Some(&outcome), ..ResponseEntry::default() },
        ];
        valid(&response(BundleKind::Transaction, &entries));
        valid(&response(BundleKind::Batch, &entries));
    }

    #[test]
    fn an_outgoing_transaction_reads_back() {
        let entries = [OutgoingEntry {
            full_url: URN,
            resource: OBSERVATION,
            method: "POST",
            url: "Observation",
            if_none_exist: Some("identifier=urn%3Ax%7C1"),
        }];
        let text = transaction(&entries);
        valid(&text);
        let bundle = Resource::from_slice(text.as_bytes(), &Limits::default()).unwrap();
        let incoming = crate::bundle::read(r4(), bundle, &[], 5).unwrap();
        assert_eq!(incoming.entries[0].resource.as_ref().unwrap().to_text(), OBSERVATION);
    }
}
