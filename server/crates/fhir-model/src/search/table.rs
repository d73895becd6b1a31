//! What can be searched: one table, from which the parser, the `CapabilityStatement` and the messages come.
//! The definitions behind the codes are the official `SearchParameters` in `fhir-profiles/r4`.

/// The type of a search parameter, as in `SearchParameter.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the code of the same name in the specification")]
pub enum ParameterType {
    Token,
    String,
    Date,
    Reference,
    Uri,
    Quantity,
    Number,
}

impl ParameterType {
    /// The code as in a `CapabilityStatement`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::String => "string",
            Self::Date => "date",
            Self::Reference => "reference",
            Self::Uri => "uri",
            Self::Quantity => "quantity",
            Self::Number => "number",
        }
    }

    /// The modifiers that this server understands for the type, without `:Type` of references.
    #[must_use]
    pub fn modifiers(self) -> &'static [&'static str] {
        match self {
            Self::Token => &["missing", "not"],
            Self::String => &["missing", "exact", "contains"],
            Self::Reference => &["missing", "identifier"],
            Self::Date | Self::Uri | Self::Quantity | Self::Number => &["missing"],
        }
    }
}

/// One parameter of one resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchParameter {
    /// The name in the URL.
    pub code: &'static str,
    /// Its type.
    pub kind: ParameterType,
    /// For references: the types it may point at.
    pub targets: &'static [&'static str],
    /// Canonical URL of the official definition.
    pub definition: &'static str,
    /// True when an index answers it; false when it only filters what other parameters left over.
    pub indexed: bool,
}

/// Everything that can be asked about one resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceTable {
    /// The resource type.
    pub resource_type: &'static str,
    /// Its parameters, those of every resource (`_id`, `_lastUpdated`) included.
    pub parameters: &'static [SearchParameter],
    /// What `_sort` may name.
    pub sort: &'static [&'static str],
}

impl ResourceTable {
    /// The parameter with this code.
    #[must_use]
    pub fn parameter(&self, code: &str) -> Option<&'static SearchParameter> {
        self.parameters.iter().find(|parameter| parameter.code == code)
    }

    /// All codes, for messages.
    #[must_use]
    pub fn codes(&self) -> String {
        self.parameters.iter().map(|parameter| parameter.code).collect::<Vec<_>>().join(", ")
    }
}

/// The searches of one resource type; `None` when it cannot be searched.
#[must_use]
pub fn table_of(resource_type: &str) -> Option<&'static ResourceTable> {
    TABLE.iter().find(|table| table.resource_type == resource_type)
}

macro_rules! parameters {
    ($($code:literal $kind:ident $([$($target:literal),+])? $definition:literal $indexed:literal;)+) => {
        &[$(SearchParameter {
            code: $code,
            kind: ParameterType::$kind,
            targets: &[$($($target),+)?],
            definition: concat!("http://hl7.org/fhir/SearchParameter/", $definition),
            indexed: $indexed,
        },)+]
    };
}

/// The resource types that can be searched.
pub const TABLE: &[ResourceTable] = &[
    ResourceTable {
        resource_type: "Observation",
        parameters: parameters! {
            "_id" Token "Resource-id" true;
            "_lastUpdated" Date "Resource-lastUpdated" true;
            "identifier" Token "clinical-identifier" true;
            "patient" Reference ["Patient"] "clinical-patient" true;
            "subject" Reference ["Patient", "Group", "Device", "Location"] "Observation-subject" true;
            "code" Token "clinical-code" true;
            "category" Token "Observation-category" false;
            "date" Date "clinical-date" true;
            "device" Reference ["Device", "DeviceMetric"] "Observation-device" true;
            "status" Token "Observation-status" false;
        },
        sort: &["date", "_lastUpdated", "_id"],
    },
    ResourceTable {
        resource_type: "Patient",
        parameters: parameters! {
            "_id" Token "Resource-id" true;
            "_lastUpdated" Date "Resource-lastUpdated" true;
            "identifier" Token "Patient-identifier" true;
            "name" String "Patient-name" true;
            "family" String "individual-family" true;
            "given" String "individual-given" true;
            "birthdate" Date "individual-birthdate" true;
            "gender" Token "individual-gender" true;
        },
        sort: &["_lastUpdated", "_id"],
    },
    ResourceTable {
        resource_type: "Device",
        parameters: parameters! {
            "_id" Token "Resource-id" true;
            "_lastUpdated" Date "Resource-lastUpdated" true;
            "identifier" Token "Device-identifier" true;
            "status" Token "Device-status" true;
            "type" Token "Device-type" true;
            "patient" Reference ["Patient"] "Device-patient" true;
        },
        sort: &["_lastUpdated", "_id"],
    },
];
