//! Roles and what they may do; pure.

use std::str::FromStr;

use db::{ApiTokenId, TenantId, VendorId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The role of a caller (DESIGN: tenant tree). What a role may do is decided here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the platform: sees operations of all tenants, never patient data.
    PlatformAdmin,
    /// Runs a distributor: its own operations and its customers'.
    DistributorAdmin,
    /// Works for a distributor: sees what the admin sees, changes no tenant.
    DistributorUser,
    /// Runs a customer: operations and patient data of that customer.
    CustomerAdmin,
    /// Works for a customer: the same without endpoints, tokens and settings.
    CustomerUser,
    /// A clinician of a customer.
    Practitioner,
    /// Makes decoders: sees and uploads its own, and nothing of any tenant.
    Vendor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 7] = [
        Self::PlatformAdmin,
        Self::DistributorAdmin,
        Self::DistributorUser,
        Self::CustomerAdmin,
        Self::CustomerUser,
        Self::Practitioner,
        Self::Vendor,
    ];

    /// As stored and as given on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform-admin",
            Self::DistributorAdmin => "distributor-admin",
            Self::DistributorUser => "distributor-user",
            Self::CustomerAdmin => "customer-admin",
            Self::CustomerUser => "customer-user",
            Self::Practitioner => "practitioner",
            Self::Vendor => "vendor",
        }
    }

    /// May read and write patient data (FHIR) of its tenant.
    #[must_use]
    pub fn is_clinical(self) -> bool {
        matches!(self, Self::CustomerAdmin | Self::CustomerUser | Self::Practitioner)
    }

    /// May create and change devices, hubs, assignments and source tokens.
    #[must_use]
    pub fn manages_fleet(self) -> bool {
        !matches!(self, Self::Practitioner | Self::Vendor)
    }

    /// May create endpoints and change a tenant's settings.
    #[must_use]
    pub fn manages_tenant(self) -> bool {
        matches!(self, Self::PlatformAdmin | Self::DistributorAdmin | Self::CustomerAdmin)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|role| role.as_str()).collect();
            format!("`{text}` is not a role; roles are {}", known.join(", "))
        })
    }
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The token it showed.
    pub token: ApiTokenId,
    /// What the token is called.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its tenant; none for the platform and for vendors.
    pub tenant: Option<TenantId>,
    /// A vendor's token: which vendor.
    pub vendor: Option<VendorId>,
}
