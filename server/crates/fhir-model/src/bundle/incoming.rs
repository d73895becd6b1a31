//! A `transaction` or `batch` that comes in: entries taken apart and checked, and the order in which they count.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::definitions::Definitions;
use crate::outcome::{Issue, IssueCode};
use crate::reference::{Local, Reference};
use crate::resource::Resource;
use crate::search::decode_query;

/// Whether all entries succeed together, or each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// All or nothing.
    Transaction,
    /// Each for itself.
    Batch,
}

/// `Bundle.entry.request.method`, in the order in which R4 has them processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the HTTP method of the same name")]
pub enum Method {
    Delete,
    Post,
    Put,
    Patch,
    Get,
    Head,
}

impl Method {
    fn from_code(code: &str) -> Option<Self> {
        match code {
            "DELETE" => Some(Self::Delete),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "PATCH" => Some(Self::Patch),
            "GET" => Some(Self::Get),
            "HEAD" => Some(Self::Head),
            _ => None,
        }
    }

    /// DELETE, then POST, then PUT and PATCH, then GET and HEAD.
    fn phase(self) -> u8 {
        match self {
            Self::Delete => 0,
            Self::Post => 1,
            Self::Put | Self::Patch => 2,
            Self::Get | Self::Head => 3,
        }
    }
}

/// `Bundle.entry.request.url`, relative to the base.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestUrl {
    /// `Observation`
    Type(String),
    /// `Observation/1`, `Observation/1/_history/2`
    Instance {
        /// The resource type.
        resource_type: String,
        /// The logical id.
        id: String,
        /// The version, for reads.
        version: Option<String>,
    },
    /// `Observation?code=x`: a search, or the condition of a conditional update or delete.
    Query {
        /// The resource type.
        resource_type: String,
        /// The decoded parameters.
        query: Vec<(String, String)>,
    },
    /// Anything else (`metadata`, `Observation/$lastn?…`), only with GET and HEAD, as given.
    Other(String),
}

/// One entry, checked as far as that is possible without the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place in the Bundle; answers go out in this order.
    pub index: usize,
    /// `fullUrl`: what other entries refer to.
    pub full_url: Option<String>,
    /// What to do.
    pub method: Method,
    /// To what.
    pub url: RequestUrl,
    /// The resource of a POST, PUT or PATCH. It is not validated yet.
    pub resource: Option<Resource>,
    /// `ifNoneExist`, decoded: create only when nothing matches.
    pub if_none_exist: Option<Vec<(String, String)>>,
    /// `ifMatch`: the version (without `W/"…"`) the resource must have.
    pub if_match: Option<String>,
    /// `ifNoneMatch`, as given.
    pub if_none_match: Option<String>,
    /// `ifModifiedSince`, as given.
    pub if_modified_since: Option<String>,
}

/// A Bundle that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Transaction or batch.
    pub kind: BundleKind,
    /// The entries that can be processed, in the order of the Bundle.
    pub entries: Vec<Entry>,
    /// Only in a batch: entries that cannot, by their place in the Bundle.
    pub refused: Vec<(usize, Vec<Issue>)>,
}

impl Incoming {
    /// The entries in the order of processing: DELETE, POST, PUT and PATCH, GET and HEAD; within each, as given.
    #[must_use]
    pub fn in_processing_order(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.method.phase());
        entries
    }
}

/// Reads a Bundle of type `transaction` or `batch`. `bases` are this server's own base URLs; `most_entries` bounds
/// the Bundle.
///
/// # Errors
/// Issues with their places: another type of Bundle, too many entries, or (in a transaction) any faulty entry,
/// the same resource changed twice, the same `ifNoneExist` or `fullUrl` twice.
pub fn read(
    definitions: &Definitions,
    bundle: Resource,
    bases: &[&str],
    most_entries: usize,
) -> Result<Incoming, Vec<Issue>> {
    let kind = match (bundle.resource_type(), bundle.string("type")) {
        ("Bundle", Some("transaction")) => BundleKind::Transaction,
        ("Bundle", Some("batch")) => BundleKind::Batch,
        _ => {
            return Err(vec![
                Issue::error(IssueCode::Invalid, "must be a Bundle of type transaction or batch").at("Bundle.type"),
            ]);
        }
    };
    let Value::Object(mut object) = bundle.into_value() else { return Err(Vec::new()) };
    let entries = match object.remove("entry") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            return Err(vec![Issue::error(IssueCode::Structure, "Bundle.entry must be an array").at("Bundle.entry")]);
        }
    };
    if entries.len() > most_entries {
        let text = format!("the Bundle has {} entries; {most_entries} are allowed", entries.len());
        return Err(vec![Issue::error(IssueCode::TooCostly, text).at("Bundle.entry")]);
    }
    let reader = Reader { definitions, bases };
    let mut incoming = Incoming { kind, entries: Vec::with_capacity(entries.len()), refused: Vec::new() };
    for (index, entry) in entries.into_iter().enumerate() {
        match reader.entry(index, entry) {
            Ok(entry) => incoming.entries.push(entry),
            Err(issue) => incoming.refused.push((index, vec![issue])),
        }
    }
    if kind == BundleKind::Batch {
        return Ok(incoming);
    }
    let mut issues: Vec<Issue> = incoming.refused.drain(..).flat_map(|(_, issues)| issues).collect();
    issues.extend(duplicates(&incoming.entries));
    if issues.is_empty() { Ok(incoming) } else { Err(issues) }
}

struct Reader<'a> {
    definitions: &'a Definitions,
    bases: &'a [&'a str],
}

impl Reader<'_> {
    fn entry(&self, index: usize, entry: Value) -> Result<Entry, Issue> {
        let place = format!("Bundle.entry[{index}]");
        let fault = |code, part: &str, text: &str| {
            Issue::error(code, format!("{place}{part} {text}")).at(format!("{place}{part}"))
        };
        let Value::Object(mut entry) = entry else { return Err(fault(IssueCode::Structure, "", "must be an object")) };
        let full_url = full_url(&entry).map_err(|text| fault(IssueCode::Value, ".fullUrl", text))?;
        let resource = entry.remove("resource").map(Resource::from_value).transpose();
        let resource = resource.map_err(|error| fault(IssueCode::Structure, ".resource", &error.message))?;
        let Some(Value::Object(request)) = entry.get("request") else {
            return Err(fault(IssueCode::Required, "", "needs a request with method and url (bdl-3)"));
        };
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let method = text("method").and_then(Method::from_code);
        let method = method.ok_or_else(|| {
            fault(IssueCode::CodeInvalid, ".request.method", "must be GET, HEAD, POST, PUT, DELETE or PATCH")
        })?;
        let url = text("url").ok_or_else(|| fault(IssueCode::Required, ".request.url", "is missing"))?;
        let url = self.url(method, url).map_err(|text| fault(IssueCode::Value, ".request.url", &text))?;
        agree(method, &url, resource.as_ref()).map_err(|text| fault(IssueCode::Invalid, "", &text))?;
        let if_none_exist = text("ifNoneExist")
            .map(condition)
            .transpose()
            .map_err(|text| fault(IssueCode::Value, ".request.ifNoneExist", &text))?;
        if if_none_exist.is_some() && method != Method::Post {
            return Err(fault(IssueCode::Invalid, ".request.ifNoneExist", "is allowed only with POST"));
        }
        let if_match = text("ifMatch")
            .map(version)
            .transpose()
            .map_err(|text| fault(IssueCode::Value, ".request.ifMatch", text))?;
        let (if_none_match, if_modified_since) =
            (text("ifNoneMatch").map(str::to_owned), text("ifModifiedSince").map(str::to_owned));
        Ok(Entry { index, full_url, method, url, resource, if_none_exist, if_match, if_none_match, if_modified_since })
    }

    /// Reads a request URL, relative or below one of the server's own bases.
    fn url(&self, method: Method, text: &str) -> Result<RequestUrl, String> {
        let below = |base: &&str| text.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/');
        let relative = self.bases.iter().find_map(below).unwrap_or(text);
        let known = |name: &str| self.definitions.resource_type(name).is_some();
        let url = match Reference::parse(relative) {
            Some(Reference::Relative(local)) if known(local.resource_type) => Some(instance(local)),
            Some(Reference::Conditional { resource_type, query }) if known(resource_type) => {
                Some(RequestUrl::Query { resource_type: resource_type.to_owned(), query: decode_query(query)? })
            }
            _ if known(relative) => Some(RequestUrl::Type(relative.to_owned())),
            _ => None,
        };
        match url {
            Some(url) => Ok(url),
            None if matches!(method, Method::Get | Method::Head)
                && !relative.starts_with('/')
                && !relative.contains("://") =>
            {
                Ok(RequestUrl::Other(relative.to_owned()))
            }
            None => Err("must be Type, Type/id or Type?query of an R4 resource type, relative to the base".to_owned()),
        }
    }
}

fn instance(local: Local<'_>) -> RequestUrl {
    RequestUrl::Instance {
        resource_type: local.resource_type.to_owned(),
        id: local.id.to_owned(),
        version: local.version.map(str::to_owned),
    }
}

fn full_url(entry: &Map<String, Value>) -> Result<Option<String>, &'static str> {
    let Some(value) = entry.get("fullUrl") else { return Ok(None) };
    let text = value.as_str().ok_or("must be a string")?;
    match Reference::parse(text) {
        Some(Reference::Absolute { local, .. }) if local.version.is_some() => Err("must not have a version (bdl-8)"),
        Some(Reference::Absolute { .. } | Reference::Urn(_) | Reference::Url(_)) => Ok(Some(text.to_owned())),
        _ => Err("must be an absolute URL or urn:uuid:…"),
    }
}

/// Whether method, URL and resource fit together.
fn agree(method: Method, url: &RequestUrl, resource: Option<&Resource>) -> Result<(), String> {
    let wants_resource = matches!(method, Method::Post | Method::Put | Method::Patch);
    let resource = match (wants_resource, resource) {
        (true, None) => return Err("needs a resource for this method".to_owned()),
        (false, Some(_)) => return Err("must not have a resource for this method".to_owned()),
        (_, resource) => resource,
    };
    let resource_type = match (method, url) {
        (Method::Post, RequestUrl::Type(name)) => name,
        (Method::Post, _) => return Err("must POST to a resource type, such as \"Observation\"".to_owned()),
        (
            Method::Put | Method::Patch | Method::Delete,
            RequestUrl::Instance { resource_type, version: None, .. } | RequestUrl::Query { resource_type, .. },
        ) => resource_type,
        (Method::Put | Method::Patch | Method::Delete, _) => {
            return Err("needs a url with an id (Type/id) or a condition (Type?query)".to_owned());
        }
        (Method::Get | Method::Head, _) => return Ok(()),
    };
    let Some(resource) = resource.filter(|_| method != Method::Patch) else { return Ok(()) };
    if resource.resource_type() != resource_type {
        return Err(format!("has a {} as resource, but its url names {resource_type}", resource.resource_type()));
    }
    match url {
        RequestUrl::Instance { id, .. } if resource.id() != Some(id) => {
            Err("needs the id of its url as resource.id".to_owned())
        }
        _ => Ok(()),
    }
}

/// The parameters of `ifNoneExist`. A leading `?` or `Type?` is a common mistake, and meant the same.
fn condition(text: &str) -> Result<Vec<(String, String)>, String> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    let query = decode_query(query)?;
    if query.iter().all(|(_, value)| value.is_empty()) {
        return Err("must be search parameters, such as identifier=system|value".to_owned());
    }
    Ok(query)
}

/// The version in `W/"3"` or `"3"`.
fn version(text: &str) -> Result<String, &'static str> {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let version = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|version| crate::reference::is_id(version));
    version.map(str::to_owned).ok_or("must be an ETag such as W/\"3\"")
}

/// R4: a resource may be the target of only one change in a transaction. The same condition twice would create two
/// resources where one was meant, so that is refused too.
fn duplicates(entries: &[Entry]) -> Vec<Issue> {
    let mut changed = HashMap::new();
    let mut conditions = HashMap::new();
    let mut full_urls = HashMap::new();
    let mut issues = Vec::new();
    let mut report = |first: Option<usize>, index: usize, part: &str, what: &str| {
        if let Some(first) = first {
            let text = format!("Bundle.entry[{index}]{part} {what} entry {first} does");
            issues.push(Issue::error(IssueCode::Duplicate, text).at(format!("Bundle.entry[{index}]{part}")));
        }
    };
    for entry in entries {
        let index = entry.index;
        if let Some(url) = &entry.full_url {
            report(full_urls.insert(url, index), index, ".fullUrl", "names the same resource as");
        }
        let changes = matches!(entry.method, Method::Put | Method::Patch | Method::Delete);
        if changes && !matches!(entry.url, RequestUrl::Type(_)) {
            report(changed.insert(&entry.url, index), index, ".request.url", "changes the same resource as");
        }
        if let (Some(condition), RequestUrl::Type(resource_type)) = (&entry.if_none_exist, &entry.url) {
            let mut condition: Vec<_> = condition.iter().collect();
            condition.sort();
            report(
                conditions.insert((resource_type, condition), index),
                index,
                ".request.ifNoneExist",
                "has the same condition as",
            );
        }
    }
    issues
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::definitions::tests::r4;

    const URN: &str = "urn:uuid:0195c3f0-0000-7000-8000-00000000000a";

    fn try_read(kind: &str, entries: Value) -> Result<Incoming, Vec<Issue>> {
        let bundle = Resource::from_value(json!({"resourceType": "Bundle", "type": kind, "entry": entries})).unwrap();
        read(r4(), bundle, &["https://us.example/fhir/"], 10)
    }

    fn post(resource_type: &str, if_none_exist: Option<&str>) -> Value {
        let mut entry =
            json!({"resource": {"resourceType": resource_type}, "request": {"method": "POST", "url": resource_type}});
        if let Some(condition) = if_none_exist {
            entry["request"]["ifNoneExist"] = json!(condition);
        }
        entry
    }

    #[test]
    fn reads_every_kind_of_entry_and_orders_them() {
        let incoming = try_read("transaction", json!([
            {"request": {"method": "GET", "url": "Observation?patient=1&_count=2"}},
            {"request": {"method": "GET", "url": "Observation/$lastn?max=1"}},
            {"resource": {"resourceType": "Patient", "id": "1"}, "request": {"method": "PUT", "url": "https://us.example/fhir/Patient/1", "ifMatch": "W/\"3\""}},
            {"fullUrl": URN, "resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=urn%3Ax%7C1"}},
            {"request": {"method": "DELETE", "url": "Device/7"}},
            {"resource": {"resourceType": "Parameters"}, "request": {"method": "PATCH", "url": "Device/8"}},
        ])).unwrap();
        let order: Vec<usize> = incoming.in_processing_order().iter().map(|entry| entry.index).collect();
        assert_eq!(order, [4, 3, 2, 5, 0, 1]);
        let entry = &incoming.entries[3];
        assert_eq!((entry.full_url.as_deref(), &entry.url), (Some(URN), &RequestUrl::Type("Observation".into())));
        assert_eq!(entry.if_none_exist, Some(vec![("identifier".into(), "urn:x|1".into())]));
        assert_eq!(incoming.entries[2].if_match.as_deref(), Some("3"));
        assert_eq!(
            incoming.entries[2].url,
            RequestUrl::Instance { resource_type: "Patient".into(), id: "1".into(), version: None }
        );
        assert_eq!(incoming.entries[1].url, RequestUrl::Other("Observation/$lastn?max=1".into()));
    }

    #[test]
    fn faults_stop_a_transaction_and_mark_a_batch() {
        let faulty = json!([
            post("Observation", None),
            {"resource": {"resourceType": "Observation"}},
            {"resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Patient"}},
            {"resource": {"resourceType": "Observation", "id": "2"}, "request": {"method": "PUT", "url": "Observation/1"}},
            {"resource": {"resourceType": "Observation"}, "request": {"method": "PUT", "url": "Observation"}},
            {"request": {"method": "POST", "url": "Observation"}},
            {"request": {"method": "DELETE", "url": "https://elsewhere.example/Device/1"}},
            {"fullUrl": "Patient/1", "resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
            post("Observation", Some("identifier=")),
            {"resource": {"resourceType": "Patient", "id": "1"}, "request": {"method": "PUT", "url": "Patient/1", "ifMatch": "3"}},
        ]);
        let batch = try_read("batch", faulty.clone()).unwrap();
        assert_eq!((batch.entries.len(), batch.refused.len()), (1, 9));
        let issues = try_read("transaction", faulty).unwrap_err();
        assert_eq!(issues.len(), 9);
        assert_eq!(issues[0].expression, ["Bundle.entry[1]"]);
        assert_eq!(issues[8].expression, ["Bundle.entry[9].request.ifMatch"]);
    }

    #[test]
    fn duplicates_stop_a_transaction_only() {
        let put = json!({"resource": {"resourceType": "Patient", "id": "1"}, "request": {"method": "PUT", "url": "Patient/1"}});
        let delete = json!({"request": {"method": "DELETE", "url": "https://us.example/fhir/Patient/1"}});
        let issues = try_read("transaction", json!([put, delete])).unwrap_err();
        assert_eq!(
            (issues[0].code, issues[0].expression[0].as_str()),
            (IssueCode::Duplicate, "Bundle.entry[1].request.url")
        );
        assert!(try_read("batch", json!([put, put])).is_ok());
        let same = json!([
            post("Observation", Some("identifier=a|1&status=final")),
            post("Observation", Some("status=final&identifier=a%7C1"))
        ]);
        assert_eq!(try_read("transaction", same).unwrap_err()[0].expression, ["Bundle.entry[1].request.ifNoneExist"]);
        assert!(
            try_read(
                "transaction",
                json!([post("Observation", Some("identifier=a|1")), post("Patient", Some("identifier=a|1"))])
            )
            .is_ok()
        );
        let named = json!({"fullUrl": URN, "resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}});
        assert_eq!(
            try_read("transaction", json!([named, named])).unwrap_err()[0].expression,
            ["Bundle.entry[1].fullUrl"]
        );
    }

    #[test]
    fn other_bundles_and_too_many_entries_are_refused() {
        assert_eq!(try_read("searchset", json!([])).unwrap_err()[0].code, IssueCode::Invalid);
        let many = vec![post("Observation", None); 11];
        assert_eq!(try_read("batch", json!(many)).unwrap_err()[0].code, IssueCode::TooCostly);
        assert_eq!(try_read("transaction", json!("x")).unwrap_err()[0].code, IssueCode::Structure);
    }
}
