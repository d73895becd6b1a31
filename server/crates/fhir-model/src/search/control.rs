//! Parameters that shape the answer instead of choosing resources: `_count`, `_sort`, `_summary`, `_total`, `_format`
//! and our paging cursor (<https://hl7.org/fhir/R4/search.html#return>).

use super::table::ResourceTable;

/// How the answer is to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controls {
    /// `_count`: how many entries a page may have. `Some(0)` means the same as `_summary=count`. The server may give
    /// fewer, never more; what it caps is the caller's business.
    pub count: Option<u32>,
    /// `_sort`, most important first.
    pub sort: Vec<Sort>,
    /// `_summary`.
    pub summary: Summary,
    /// `_total`.
    pub total: Total,
    /// `_cursor`: opaque, from a `next` link of this server.
    pub cursor: Option<String>,
}

/// One key of `_sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// `-key`.
    pub descending: bool,
}

/// What results can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// The parameter `date` of the type.
    Date,
    /// `meta.lastUpdated`.
    LastUpdated,
    /// The logical id.
    Id,
}

/// `_summary`, as far as it is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Summary {
    /// The whole resources.
    #[default]
    False,
    /// Only the number of matches.
    Count,
}

/// `_total`: whether `Bundle.total` is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Not asked for: the server decides.
    #[default]
    Unsaid,
    /// `none`: leave it out.
    None,
    /// `estimate`: a cheap number will do (the exact one is always allowed).
    Estimate,
    /// `accurate`: the exact number.
    Accurate,
}

/// Whether a name is a control parameter that this server knows.
pub(super) fn is_control(name: &str) -> bool {
    matches!(name, "_count" | "_sort" | "_summary" | "_total" | "_cursor" | "_format" | "_pretty")
}

/// The names, for messages.
pub(super) const NAMES: &str = "_count, _sort, _summary, _total";

/// Reads one control parameter. The error is a sentence without its subject.
pub(super) fn read(controls: &mut Controls, name: &str, value: &str, table: &ResourceTable) -> Result<(), String> {
    match name {
        "_count" => controls.count = Some(count(value)?),
        "_sort" => controls.sort = sort(value, table)?,
        "_summary" => controls.summary = summary(value)?,
        "_total" => controls.total = total(value)?,
        "_cursor" => controls.cursor = Some(value.to_owned()),
        "_format" => format(value)?,
        // `_pretty` is a wish about white space, which a server may leave unfulfilled.
        _ => {}
    }
    Ok(())
}

fn count(value: &str) -> Result<u32, String> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| "must be a whole number, 0 or more".to_owned())
}

fn sort(value: &str, table: &ResourceTable) -> Result<Vec<Sort>, String> {
    value.split(',').map(|key| sort_key(key.trim(), table)).collect()
}

fn sort_key(text: &str, table: &ResourceTable) -> Result<Sort, String> {
    let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    let key = match name {
        "date" => SortKey::Date,
        "_lastUpdated" => SortKey::LastUpdated,
        "_id" => SortKey::Id,
        _ => return Err(unsorted(table)),
    };
    if table.sort.contains(&name) { Ok(Sort { key, descending }) } else { Err(unsorted(table)) }
}

fn unsorted(table: &ResourceTable) -> String {
    format!("for {} can be {}, each with or without '-'", table.resource_type, table.sort.join(", "))
}

fn summary(value: &str) -> Result<Summary, String> {
    match value {
        "false" => Ok(Summary::False),
        "count" => Ok(Summary::Count),
        _ => Err("can be count or false here".to_owned()),
    }
}

fn total(value: &str) -> Result<Total, String> {
    match value {
        "none" => Ok(Total::None),
        "estimate" => Ok(Total::Estimate),
        "accurate" => Ok(Total::Accurate),
        _ => Err("must be none, estimate or accurate".to_owned()),
    }
}

fn format(value: &str) -> Result<(), String> {
    // A plus sign that was not percent-encoded arrives as a space.
    let media_type = value.split(';').next().unwrap_or_default().trim().replace(' ', "+");
    if matches!(media_type.as_str(), "json" | "application/json" | "application/fhir+json" | "text/json") {
        return Ok(());
    }
    Err("must be json or application/fhir+json; this server has no XML".to_owned())
}
