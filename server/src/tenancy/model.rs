//! A tenant, and what its kinds are; pure.

use chrono::{DateTime, Utc};
use db::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kinds of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantKind {
    /// Has customers.
    Distributor,
    /// A clinic, a hospital: has patients and devices.
    Customer,
}

impl TenantKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distributor => "distributor",
            Self::Customer => "customer",
        }
    }
}

/// A tenant's row.
#[derive(Debug, Clone)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// The distributor above a customer.
    pub parent: Option<TenantId>,
    /// Distributor or customer.
    pub kind: TenantKind,
    /// Its name.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Whether its people and devices may do anything.
    pub active: bool,
    /// Days that its raw payloads are kept; as configured when `None`. 1 to 365.
    pub uplink_retention_days: Option<i16>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}
