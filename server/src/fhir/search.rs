//! A search, from its parameters to the text of the `searchset` Bundle (<https://hl7.org/fhir/R4/search.html>).
//!
//! What the server does not understand is an error: a filter that is silently ignored shows a clinician data that was
//! not asked for. Only `Prefer: handling=lenient` ignores it, and then the answer says so. Pages are continued by the keys
//! of their last row, so that what is stored meanwhile neither repeats nor hides anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use db::TenantId;
use diesel_async::AsyncPgConnection;
use fhir_model::bundle::{SearchMode, SearchSet, SearchSetEntry, searchset};
use fhir_model::outcome::{Issue, IssueCode, IssueSeverity, OperationOutcome};
use fhir_model::search::{self as grammar, Criterion, Filter, Search, Sort, SortKey, Summary, Total};
use sha2::{Digest, Sha256};

use super::model::{Base, ResourceType};
use super::store::{self, After, SearchRow};
use crate::error::{Error, Kind};

/// Entries of a page when the client does not say.
pub(super) const DEFAULT_COUNT: u32 = 50;
/// Entries of a page at most.
pub(super) const MOST_COUNT: u32 = 500;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Of which type.
    pub(crate) resource_type: ResourceType,
    /// Decoded names and values, in order.
    pub(crate) parameters: Vec<(String, String)>,
    /// Whether what is not understood is ignored.
    pub(crate) lenient: bool,
}

/// Runs a search and answers the Bundle's text.
///
/// # Errors
/// 400 with one issue for every parameter that cannot be used.
pub(crate) async fn search(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    base: &Base,
    question: &Question,
) -> Result<String, Error> {
    let understood = understand(base, question)?;
    let (search, resource_type) = (&understood.search, question.resource_type);
    let controls = &search.controls;
    let only_total = controls.summary == Summary::Count || controls.count == Some(0);
    let wants_total = only_total || matches!(controls.total, Total::Accurate | Total::Estimate);
    let total = match wants_total {
        true => Some(store::count(conn, tenant, resource_type, &search.filters).await?),
        false => None,
    };
    let size = usize::try_from(controls.count.unwrap_or(DEFAULT_COUNT).min(MOST_COUNT)).unwrap_or_default();
    let mut rows = Vec::new();
    if !only_total {
        let limit = i64::try_from(size).unwrap_or_default() + 1;
        rows = store::search(
            conn,
            tenant,
            resource_type,
            &search.filters,
            understood.sort,
            understood.after.as_ref(),
            limit,
        )
        .await?;
    }
    let fits = rows.iter().take_while(|row| row.body.is_some()).count().min(size);
    let has_more = rows.len() > fits;
    rows.truncate(fits);
    let next = rows.last().filter(|_| has_more).map(|last| {
        let cursor = write_cursor(&fingerprint(resource_type, search, understood.sort), &after(last, understood.sort));
        let mut parameters: Vec<(String, String)> =
            search.understood.iter().filter(|(name, _)| name != "_cursor").cloned().collect();
        parameters.push(("_cursor".to_owned(), cursor));
        link(base, resource_type, &parameters)
    });
    Ok(bundle(base, &understood, resource_type, &rows, total, next.as_deref()))
}

/// Filters that the grammar knows and the store cannot answer.
pub(crate) fn unanswerable(filters: &[Filter]) -> Vec<Issue> {
    let refused = filters.iter().filter(|filter| matches!(filter.criterion, Criterion::ReferenceIdentifier(_)));
    refused
        .map(|filter| {
            let right = format!("{0}:identifier is not supported here; find the resource by its identifier first, and search with {0}=Type/id", filter.code);
            Issue::error(IssueCode::NotSupported, right).at(format!("http.{}", filter.code))
        })
        .collect()
}

struct Understood {
    search: Search,
    sort: Sort,
    after: Option<After>,
    ignored: Vec<Issue>,
}

fn understand(base: &Base, question: &Question) -> Result<Understood, Error> {
    let own = base.own.each_ref().map(String::as_str);
    let refuse =
        |issues| Error::issues(Kind::Invalid, "fhir.search", "The search cannot be answered as asked.", issues);
    if let Some((name, _)) =
        question.parameters.iter().find(|(name, value)| name.contains('\0') || value.contains('\0'))
    {
        let shown: String = name.chars().filter(|char| !char.is_control()).take(64).collect();
        return Err(refuse(vec![
            Issue::error(IssueCode::Value, format!("{shown} has a NUL character")).at(format!("http.{shown}")),
        ]));
    }
    let mut search = grammar::parse(question.resource_type.as_str(), &question.parameters, &own).map_err(refuse)?;
    let mut ignored = std::mem::take(&mut search.unsupported);
    let mut issues = unanswerable(&search.filters);
    if !question.lenient {
        issues.append(&mut ignored);
    }
    let sort = sort(question.resource_type, &search).unwrap_or_else(|issue| {
        issues.push(issue);
        Sort { key: SortKey::Id, descending: false }
    });
    let cursor = search.controls.cursor.as_deref();
    let fingerprint = fingerprint(question.resource_type, &search, sort);
    let after = cursor.map(|cursor| read_cursor(&fingerprint, cursor));
    if matches!(after, Some(None)) {
        let text =
            "_cursor is not from a next link of this search; start again without it, and follow the links as they are";
        issues.push(Issue::error(IssueCode::Value, text).at("http._cursor"));
    }
    if !issues.is_empty() {
        return Err(refuse(issues));
    }
    for issue in &mut ignored {
        issue.severity = IssueSeverity::Warning;
    }
    Ok(Understood { search, sort, after: after.flatten(), ignored })
}

/// The order: as asked; else the newest first for a patient's Observations, and by id for everything else.
fn sort(resource_type: ResourceType, search: &Search) -> Result<Sort, Issue> {
    let about_one = search.filters.iter().any(|filter| matches!(filter.code, "patient" | "subject"));
    match search.controls.sort.as_slice() {
        [] if resource_type == ResourceType::Observation && about_one => {
            Ok(Sort { key: SortKey::Date, descending: true })
        }
        [] => Ok(Sort { key: SortKey::Id, descending: false }),
        [one] => Ok(*one),
        // The id orders equal keys in any case.
        [first, second] if second.key == SortKey::Id && second.descending == first.descending => Ok(*first),
        _ => Err(Issue::error(IssueCode::NotSupported, "_sort takes one key here; equal ones are ordered by id")
            .at("http._sort")),
    }
}

fn after(row: &SearchRow, sort: Sort) -> After {
    let instant = match sort.key {
        SortKey::Date => row.effective_low,
        SortKey::LastUpdated => Some(row.last_updated),
        SortKey::Id => None,
    };
    After { instant, id: row.id.clone() }
}

/// What a cursor belongs to: the same conditions in the same order. `_count` may change between pages.
fn fingerprint(resource_type: ResourceType, search: &Search, sort: Sort) -> [u8; 8] {
    let mut hasher = Sha256::new();
    hasher.update(resource_type.as_str());
    hasher.update(format!("{sort:?}"));
    for (name, value) in search
        .understood
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "_count" | "_cursor" | "_total" | "_format" | "_pretty" | "_sort"))
    {
        hasher.update([0]);
        hasher.update(name);
        hasher.update([0]);
        hasher.update(value);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn write_cursor(fingerprint: &[u8; 8], after: &After) -> String {
    let mut bytes = fingerprint.to_vec();
    bytes.push(u8::from(after.instant.is_some()));
    bytes.extend(after.instant.map_or(0, |instant| instant.timestamp_micros()).to_be_bytes());
    bytes.extend(after.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(fingerprint: &[u8; 8], text: &str) -> Option<After> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let rest = bytes.strip_prefix(fingerprint)?;
    let (dated, rest) = rest.split_first()?;
    let (micros, id) = rest.split_first_chunk::<8>()?;
    let id = std::str::from_utf8(id).ok().filter(|id| fhir_model::reference::is_id(id))?;
    let instant = match dated {
        0 => None,
        1 => Some(DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?),
        _ => return None,
    };
    Some(After { instant, id: id.to_owned() })
}

fn link(base: &Base, resource_type: ResourceType, parameters: &[(String, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}/{}{mark}{query}", base.url, resource_type.as_str())
}

fn bundle(
    base: &Base,
    understood: &Understood,
    resource_type: ResourceType,
    rows: &[SearchRow],
    total: Option<i64>,
    next: Option<&str>,
) -> String {
    let own = link(base, resource_type, &understood.search.understood);
    let mut links = vec![("self", own.as_str())];
    links.extend(next.map(|next| ("next", next)));
    let urls: Vec<String> =
        rows.iter().map(|row| format!("{}/{}/{}", base.url, resource_type.as_str(), row.id)).collect();
    let matches = rows.iter().zip(&urls);
    let mut entries: Vec<SearchSetEntry<'_>> = matches
        .map(|(row, url)| SearchSetEntry {
            full_url: Some(url),
            resource: row.body.as_deref().unwrap_or_default(),
            mode: SearchMode::Match,
        })
        .collect();
    let outcome = (!understood.ignored.is_empty()).then(|| OperationOutcome::new(understood.ignored.clone()).to_text());
    if let Some(outcome) = &outcome {
        entries.push(SearchSetEntry { full_url: None, resource: outcome, mode: SearchMode::Outcome });
    }
    searchset(&SearchSet { total: total.and_then(|total| u64::try_from(total).ok()), links: &links, entries: &entries })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn base() -> Base {
        Base::new("https://a.example", TenantId(uuid::Uuid::nil()), true)
    }

    fn question(parameters: &[(&str, &str)], lenient: bool) -> Question {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Question { resource_type: ResourceType::Observation, parameters, lenient }
    }

    fn understand_all(parameters: &[(&str, &str)]) -> Result<Understood, Error> {
        understand(&base(), &question(parameters, false))
    }

    #[test]
    fn what_is_not_understood_is_an_error_unless_lenient() {
        let asked = [("patient", "1"), ("colour", "red")];
        assert_eq!(understand_all(&asked).map(|_| ()).unwrap_err().status(), 400);
        let lenient = understand(&base(), &question(&asked, true)).map_err(|error| error.to_string()).unwrap();
        assert_eq!((lenient.search.filters.len(), lenient.ignored.len()), (1, 1));
        assert_eq!(
            link(&base(), ResourceType::Observation, &lenient.search.understood),
            "https://a.example/fhir/r4/Observation?patient=1"
        );
        let text = bundle(&base(), &lenient, ResourceType::Observation, &[], None, None);
        assert!(text.contains(r#""mode":"outcome""#) && text.contains("colour"), "{text}");
        // Wrong is wrong, and no data is not the answer to a question we cannot answer.
        for bad in [
            ("date", "yesterday"),
            ("subject:identifier", "a|b"),
            ("_cursor", "x"),
            ("_sort", "date,-_lastUpdated"),
            ("code", "a\0b"),
        ] {
            let error = understand(&base(), &question(&[bad], true)).map(|_| ()).unwrap_err();
            assert_eq!(error.status(), 400, "{bad:?}");
        }
    }

    #[test]
    fn cursors_survive_the_way_and_belong_to_their_search() {
        let one = understand_all(&[("patient", "1"), ("_count", "5")]).map_err(|error| error.to_string()).unwrap();
        let other = understand_all(&[("patient", "2")]).map_err(|error| error.to_string()).unwrap();
        let print =
            |understood: &Understood| fingerprint(ResourceType::Observation, &understood.search, understood.sort);
        let instant = DateTime::from_timestamp_micros(1_700_000_000_123_456);
        for after in [After { instant, id: "a-1.b".into() }, After { instant: None, id: "x".into() }] {
            let cursor = write_cursor(&print(&one), &after);
            assert_eq!(read_cursor(&print(&one), &cursor), Some(after.clone()));
            assert_eq!(read_cursor(&print(&other), &cursor), None);
            assert!(understand_all(&[("patient", "1"), ("_count", "7"), ("_cursor", &cursor)]).is_ok());
            assert!(understand_all(&[("patient", "1"), ("_sort", "_id"), ("_cursor", &cursor)]).is_err());
        }
        for junk in ["", "AA", "!!", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(read_cursor(&print(&one), junk), None, "{junk}");
        }
    }

    #[test]
    fn the_default_order_is_newest_first_for_one_patient() {
        let sort_of = |parameters: &[(&str, &str)]| {
            understand_all(parameters).map(|understood| understood.sort).map_err(|error| error.to_string()).unwrap()
        };
        assert_eq!(sort_of(&[("patient", "1")]), Sort { key: SortKey::Date, descending: true });
        assert_eq!(sort_of(&[("status", "final")]), Sort { key: SortKey::Id, descending: false });
        assert_eq!(sort_of(&[("_sort", "-_lastUpdated,-_id")]), Sort { key: SortKey::LastUpdated, descending: true });
    }
}
