//! What vendors' clouds send, as data (`formats.json`): how a payload is cut into items, and how an item names its device or
//! account. Pure; a new vendor is a line there.

use serde::Deserialize;

/// The table of formats.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedFormats {
    #[serde(rename = "note")]
    _note: String,
    formats: Vec<FeedFormat>,
}

/// One vendor's format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedFormat {
    /// Its name, as a feed's `format`.
    pub name: String,
    /// For people.
    pub title: String,
    /// How a payload is cut.
    pub shape: Shape,
    /// JSON pointers into an item to the vendor's id of its device or account; the first that is there counts.
    pub names: Vec<String>,
    /// Words in the systems of a device's identifiers by which it is found, beside its serial.
    pub identifiers: Vec<String>,
    /// How the vendor writes an id that is known in another spelling.
    #[serde(default)]
    pub spelling: Spelling,
    /// Models of the devices and accounts behind such a feed.
    pub models: Vec<String>,
    /// A pointer that marks an item which announces data and has none.
    #[serde(default)]
    pub announcement: Option<String>,
    /// The API from which announced data is fetched, where the server can.
    #[serde(default)]
    pub api: Option<VendorApi>,
}

/// A vendor's API that the server calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VendorApi {
    /// Withings Health Data API.
    Withings,
}

/// How a payload is cut into items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The root, or each element of a list at the root.
    Object,
    /// Elements of a list at the root that have one name, together.
    Grouped,
    /// An object of lists, whose elements that have one name belong together.
    Lists,
}

/// How a vendor writes ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// As they are.
    #[default]
    Same,
    /// An IMEI without leading zeros and without its check digit (BodyTrace).
    ImeiWithoutCheckDigit,
}

impl FeedFormats {
    /// The table that the server ships.
    ///
    /// # Errors
    /// When it does not read, which a test rules out.
    pub fn load() -> anyhow::Result<Self> {
        Ok(serde_json::from_str(include_str!("formats.json"))?)
    }

    /// The format of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&FeedFormat> {
        self.formats.iter().find(|format| format.name == name)
    }

    /// All names, for an error that says what would be right.
    #[must_use]
    pub fn names(&self) -> String {
        self.formats.iter().map(|format| format.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl FeedFormat {
    /// Other spellings under which the device of a vendor's id may be known.
    #[must_use]
    pub fn spellings(&self, id: &str) -> Vec<String> {
        let mut known = vec![id.to_owned()];
        if self.spelling == Spelling::ImeiWithoutCheckDigit {
            known.extend(whole_imei(id));
        }
        known
    }
}

/// The IMEI of its first 14 digits, with the check digit of 3GPP TS 23.003 annex B (Luhn).
fn whole_imei(id: &str) -> Option<String> {
    if id.is_empty() || id.len() > 14 || !id.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let body = format!("{id:0>14}");
    let sum: u32 = body
        .bytes()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    Some(format!("{body}{}", (10 - sum % 10) % 10))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn the_table_reads_and_names_are_pointers() {
        let formats = FeedFormats::load().unwrap();
        for format in &formats.formats {
            assert!(!format.models.is_empty(), "{}", format.name);
            assert!(format.names.iter().all(|name| name.starts_with('/')), "{}", format.name);
            assert_eq!(formats.formats.iter().filter(|other| other.name == format.name).count(), 1);
        }
        assert_eq!(formats.find("tenovi").unwrap().shape, Shape::Grouped);
        assert!(formats.find("nobody").is_none());
    }

    #[test]
    fn an_imei_gets_back_what_bodytrace_leaves_out() {
        let formats = FeedFormats::load().unwrap();
        let bodytrace = formats.find("bodytrace").unwrap();
        assert_eq!(bodytrace.spellings("26053179311383"), ["26053179311383", "260531793113837"]);
        assert_eq!(bodytrace.spellings("351358815532467"), ["351358815532467"], "15 digits are whole");
        assert_eq!(formats.find("kati").unwrap().spellings("26053179311383").len(), 1);
    }
}
