//! What the registry's routes answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::{PluginEventId, PluginVersionId, VendorId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fleet::plugins::model::State;
use crate::fleet::plugins::store::{EventRow, PluginRow, VersionRow, VersionState};

/// A decoder, over all its versions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Its name, as its versions declare it.
    pub name: String,
    /// Whose it is; absent: the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<VendorId>,
    /// That vendor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_name: Option<String>,
    /// Whether somebody chose the active version: then a newer one that comes with the server does not replace it.
    pub pinned: bool,
    /// The version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_version: Option<String>,
    /// All its versions, the last uploaded first.
    pub versions: Vec<PluginVersionState>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
}

/// A version, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginVersionState {
    /// Semantic version.
    pub version: String,
    /// How far it has come.
    pub state: State,
}

/// A version of a decoder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginVersion {
    /// Its id.
    pub id: PluginVersionId,
    /// The decoder's name.
    pub plugin: String,
    /// Semantic version.
    pub version: String,
    /// How far it has come.
    pub state: State,
    /// `bundled`, `directory` or `registry`.
    pub origin: String,
    /// SHA-256 of the component, hexadecimal.
    pub content_hash: String,
    /// Bytes of the component; 0 for what came with the server.
    pub size: i64,
    /// Names of its models.
    pub models: Vec<String>,
    /// What it says of itself: vendor, license, description, models, kinds, flags, warnings.
    #[schema(value_type = Object)]
    pub manifest: Value,
    /// What its examination showed: examples, mostFuel, mostMemory (bytes).
    #[schema(value_type = Object)]
    pub examination: Value,
    /// In shadow: percent of the live uplinks that it decodes beside the active version.
    #[serde(skip_serializing_if = "is_zero")]
    pub shadow_share: i16,
    /// The token that uploaded it, by name.
    pub author: String,
    /// The Ed25519 signature that came with it, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The key that it was checked by, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_with: Option<String>,
    /// When it was uploaded, or first came with a server.
    pub uploaded_at: DateTime<Utc>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(share: &i16) -> bool {
    *share == 0
}

/// All plugins, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plugins {
    /// The plugins; there are few, so that the list has no pages.
    pub items: Vec<Plugin>,
}

/// A plugin's versions, the last uploaded first.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginVersions {
    /// The versions.
    pub items: Vec<PluginVersion>,
}

/// Something that was done to a decoder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginEvent {
    /// Its id.
    pub id: PluginEventId,
    /// The version.
    pub version: String,
    /// `uploaded`, `shadowed`, `activated`, `rolled-back`, `retired` or `unpinned`.
    pub action: String,
    /// The version that was active until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_version: Option<String>,
    /// Whose token it was, by name; `server` for what a server did when it started.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<VersionRow> for PluginVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            id: row.id,
            plugin: row.plugin,
            version: row.version,
            state: State::of(&row.state),
            origin: row.origin,
            content_hash: row.content_hash,
            size: row.size,
            models: row.models,
            manifest: row.manifest,
            examination: row.examination,
            shadow_share: row.shadow_share,
            author: row.author,
            signature: row.signature.map(|bytes| STANDARD.encode(bytes)),
            signed_with: row.signed_with.map(|bytes| STANDARD.encode(bytes)),
            uploaded_at: row.uploaded_at,
        }
    }
}

impl From<EventRow> for PluginEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            version: row.version,
            action: row.action,
            before_version: row.before_version,
            actor: row.actor,
            reason: row.reason,
            at: row.at,
        }
    }
}

/// A plugin with those of these versions that are its own.
pub fn view(row: PluginRow, versions: &[VersionState]) -> Plugin {
    let own = versions.iter().filter(|version| version.plugin == row.name);
    let versions: Vec<PluginVersionState> = own
        .map(|version| PluginVersionState { version: version.version.clone(), state: State::of(&version.state) })
        .collect();
    Plugin {
        active_version: versions.iter().find(|own| own.state == State::Active).map(|own| own.version.clone()),
        versions,
        name: row.name,
        vendor: row.vendor_id,
        vendor_name: row.vendor,
        pinned: row.pinned,
        created_at: row.created_at,
    }
}
