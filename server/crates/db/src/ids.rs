//! Typed ids: a device's id cannot be passed where a hub's is wanted. One list, alphabetical.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsExpression, FromSqlRow, utoipa::ToSchema)]
        #[diesel(sql_type = sql_types::Uuid)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new time-ordered id (UUIDv7), made here and never by the database.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl FromSql<sql_types::Uuid, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                Uuid::from_sql(bytes).map(Self)
            }
        }

        impl ToSql<sql_types::Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <Uuid as ToSql<sql_types::Uuid, Pg>>::to_sql(&self.0, out)
            }
        }
    )+};
}

typed_ids! {
    /// A period in which a source was active.
    ActivationId,
    /// An API token of a script or system.
    ApiTokenId,
    /// An app on one phone; also the id of its row among what carries devices.
    AppInstallationId,
    /// A code by which a phone becomes an installation.
    AppPairingId,
    /// Who wore a device when.
    AssignmentId,
    /// A source's credential.
    CredentialId,
    /// One resource on its way to one endpoint.
    DeliveryId,
    /// A device's enrolment with one tenant; also the id of its FHIR Device.
    DeviceId,
    /// A physical thing, whichever tenant has it.
    DeviceUnitId,
    /// A customer's EHR.
    EndpointId,
    /// A vendor's cloud; also the id of its row among what carries devices.
    FeedId,
    /// A reading that waits for a person.
    HeldReadingId,
    /// A gateway.
    HubId,
    /// A broker that is subscribed at.
    MqttConnectionId,
    /// An entry of what was done to a decoder.
    PluginEventId,
    /// A version of a decoder.
    PluginVersionId,
    /// One entry of the record of corrections.
    ReadingCorrectionId,
    /// The correction of who wore a device in a period.
    ReassignmentId,
    /// Uplinks that are decoded again.
    ReplayId,
    /// One thing that a replay did.
    ReplayItemId,
    /// A decoder version that is run beside the one that serves.
    ShadowReplayId,
    /// A distributor or customer.
    TenantId,
    /// One received payload.
    UplinkId,
    /// A maker of decoders.
    VendorId,
}

impl From<AppInstallationId> for HubId {
    /// An installation is one of the things that carry devices, under the same id.
    fn from(installation: AppInstallationId) -> Self {
        Self(installation.0)
    }
}

impl From<FeedId> for HubId {
    /// A feed is one of the things that carry devices, under the same id.
    fn from(feed: FeedId) -> Self {
        Self(feed.0)
    }
}
