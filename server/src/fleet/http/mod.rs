//! REST of the fleet: thin handlers and wire types, a file per thing.

mod assignments;
mod devices;
mod hubs;
mod models;
mod tokens;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use db::{ActivationId, TenantScope};
use serde::{Deserialize as _, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub(in crate::fleet) use self::hubs::{HubDevice, Pairing};
use super::store::activation::ActivationRow;
use crate::app::AppData;
use crate::error::Error;
use crate::identity::Caller;

/// Mounts this room's routes.
pub fn routes(config: &mut ServiceConfig) {
    models::routes(config);
    devices::routes(config);
    tokens::routes(config);
    assignments::routes(config);
    hubs::routes(config);
    super::feeds::routes(config);
    super::apps::routes(config);
    super::plugins::routes(config);
}

/// A period of activity.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// Its id.
    pub id: ActivationId,
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl From<ActivationRow> for Activation {
    fn from(row: ActivationRow) -> Self {
        Self { id: row.id, from: row.active_from, until: row.active_until }
    }
}

/// The tenants whose fleet the caller may see; `what` is not there when there are none.
pub(in crate::fleet) async fn reach(caller: &Caller, app: &AppData, what: &str) -> Result<TenantScope, Error> {
    caller.operations(app, None).await?.ok_or_else(|| Error::not_found(what))
}

/// The same, for someone who may change the fleet.
pub(in crate::fleet) async fn reach_to_change(
    caller: &Caller,
    app: &AppData,
    what: &str,
) -> Result<TenantScope, Error> {
    caller.require(caller.role().manages_fleet(), "change devices and hubs")?;
    reach(caller, app, what).await
}

/// Tells null, which says something, from a field that is not there.
pub(in crate::fleet) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// 201 with the thing and where it is.
pub(in crate::fleet) fn created(location: String, body: impl Serialize) -> HttpResponse {
    HttpResponse::build(StatusCode::CREATED).insert_header(("Location", location)).json(body)
}
