//! States of a version, and what was done to it. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Uploaded and examined; it decodes nothing.
    Draft,
    /// Decodes a share of the live uplinks beside the active one, for comparison: nothing of it is stored.
    Shadow,
    /// Serves its models.
    Active,
    /// Served, or was put aside; it can be activated again.
    Retired,
}

impl State {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    /// From what is stored.
    pub fn of(text: &str) -> Self {
        [Self::Draft, Self::Shadow, Self::Active]
            .into_iter()
            .find(|state| state.as_str() == text)
            .unwrap_or(Self::Retired)
    }
}

/// What was done to a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Uploaded,
    Shadowed,
    Activated,
    RolledBack,
    Retired,
    Unpinned,
}

impl Action {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Shadowed => "shadowed",
            Self::Activated => "activated",
            Self::RolledBack => "rolled-back",
            Self::Retired => "retired",
            Self::Unpinned => "unpinned",
        }
    }
}
