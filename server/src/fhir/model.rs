//! Types of the room and their pure rules: which resource types there are, what may be done with them, version tags.

use chrono::{DateTime, SecondsFormat, Utc};
use db::TenantId;

/// The resource types this interface serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ResourceType {
    /// Made by the fleet; clients only read it.
    Device,
    /// Vital signs: readings of devices, and what clients write.
    Observation,
    /// The people who wear devices.
    Patient,
}

impl ResourceType {
    /// All of them, by name.
    pub(crate) const ALL: [Self; 3] = [Self::Device, Self::Observation, Self::Patient];

    /// FHIR's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Device => "Device",
            Self::Observation => "Observation",
            Self::Patient => "Patient",
        }
    }

    /// The type with this name, when it is served.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether clients may create and update it. A Device is a projection of the fleet's device: it changes only with it.
    pub(crate) fn is_written_by_clients(self) -> bool {
        self != Self::Device
    }

    /// Whether `PUT` of an unknown id makes the resource. Patients often come with the customer's own ids; the ids of
    /// Observations are ours alone, what identifies them to others is their identifier.
    pub(crate) fn is_created_by_update(self) -> bool {
        self == Self::Patient
    }
}

/// One version of a resource, as it is stored and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Logical id.
    pub(crate) id: String,
    /// `meta.versionId`, from 1.
    pub(crate) version: i32,
    /// `meta.lastUpdated`, to the millisecond.
    pub(crate) last_updated: DateTime<Utc>,
    /// Whether this version is a deletion.
    pub(crate) deleted: bool,
    /// The exact JSON text.
    pub(crate) body: String,
}

/// `W/"3"`: the version as an entity tag (<https://hl7.org/fhir/R4/http.html#versioning>).
pub(crate) fn etag(version: i32) -> String {
    format!("W/\"{version}\"")
}

/// The version that an entity tag names. Weak and strong form are the same here.
pub(crate) fn version_of_etag(tag: &str) -> Option<i32> {
    let tag = tag.trim();
    let version = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    version.parse().ok().filter(|version| *version > 0)
}

/// A FHIR `instant` with milliseconds, in UTC.
pub(crate) fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The FHIR base that a client called: links in an answer start with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// The URL without a slash at the end.
    pub(crate) url: String,
    /// Both URLs of this tenant's base: an absolute reference to either is one to ourselves.
    pub(crate) own: [String; 2],
}

impl Base {
    /// The base of a tenant, as `/t/{tenant}/fhir/r4` or (when `short`) as `/fhir/r4`.
    pub(crate) fn new(public_url: &str, tenant: TenantId, short: bool) -> Self {
        let public_url = public_url.trim_end_matches('/');
        let own = [format!("{public_url}/t/{tenant}/fhir/r4"), format!("{public_url}/fhir/r4")];
        let [long_url, short_url] = own.clone();
        Self { url: if short { short_url } else { long_url }, own }
    }

    /// `{base}/Patient/1/_history/2`
    pub(crate) fn version_url(&self, resource_type: ResourceType, id: &str, version: i32) -> String {
        format!("{}/{}/{id}/_history/{version}", self.url, resource_type.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_weak_and_strong() {
        assert_eq!(version_of_etag("W/\"3\""), Some(3));
        assert_eq!(version_of_etag(" \"12\" "), Some(12));
        for bad in ["3", "W/3", "W/\"\"", "W/\"0\"", "W/\"-1\"", "W/\"x\"", "*", "W/\"3", ""] {
            assert_eq!(version_of_etag(bad), None, "{bad}");
        }
        assert_eq!(etag(3), "W/\"3\"");
    }

    #[test]
    fn links_keep_the_base_that_was_called() {
        let tenant = TenantId(uuid::Uuid::from_u128(7));
        let long = Base::new("https://a.example/", tenant, false);
        assert_eq!(
            long.version_url(ResourceType::Patient, "p", 2),
            "https://a.example/t/00000000-0000-0000-0000-000000000007/fhir/r4/Patient/p/_history/2"
        );
        let short = Base::new("https://a.example", tenant, true);
        assert_eq!(short.url, "https://a.example/fhir/r4");
        assert_eq!(short.own, long.own);
    }

    #[test]
    fn instants_have_milliseconds_and_z() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_007).unwrap_or_default();
        assert_eq!(instant(time), "2023-11-14T22:13:20.007Z");
    }
}
