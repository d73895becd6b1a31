//! A change of an endpoint: pausing and resuming, another URL or credential. Whoever changes it means it to be tried again.

use db::{EndpointId, TenantScope};

use super::create_endpoint::{self, AuthWish, Filter};
use super::store::endpoints::{self, EndpointChanges, EndpointRow};
use crate::app::App;
use crate::error::Error;

/// What is to change; `None` leaves it as it is.
#[derive(Debug)]
pub(super) struct ChangeWish {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) auth: Option<AuthWish>,
    pub(super) filter: Option<Filter>,
    pub(super) patient_identifier_system: Option<Option<String>>,
    pub(super) create_patients: Option<bool>,
    pub(super) active: Option<bool>,
}

/// Changes an endpoint, closes its circuit, and wakes the forwarder.
///
/// # Errors
/// 404; 422 with the fields that cannot be accepted.
pub(super) async fn update(
    app: &App,
    scope: &TenantScope,
    id: EndpointId,
    wish: ChangeWish,
) -> Result<EndpointRow, Error> {
    let mut wrong = wish.name.as_deref().map(create_endpoint::check_name).unwrap_or_default();
    wrong.extend(wish.filter.as_ref().map(create_endpoint::check_filter).unwrap_or_default());
    wrong.extend(
        wish.patient_identifier_system.as_ref().and_then(|system| create_endpoint::check_system(system.as_deref()?)),
    );
    wrong.extend(wish.auth.as_ref().and_then(create_endpoint::check_auth));
    let mut url = None;
    if let Some(text) = &wish.url {
        match create_endpoint::check_url(app, text).await {
            Ok(checked) => url = Some(checked),
            Err(field) => wrong.push(field),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::fields(wrong));
    }
    let mut transaction = scope.begin(&app.db).await?;
    let found = endpoints::find_endpoint(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("endpoint"))?;
    let auth = wish.auth.as_ref().map(|auth| create_endpoint::seal(app, found.tenant_id, id, auth)).transpose()?;
    let (auth_kind, auth_sealed) = auth.map_or((None, None), |(kind, sealed)| (Some(kind), Some(sealed)));
    let filter = wish.filter.map(|filter| (filter.codes, filter.except_codes, filter.patients));
    let (filter_codes, filter_except_codes, filter_patients) =
        filter.map_or((None, None, None), |(codes, except, patients)| (Some(codes), Some(except), Some(patients)));
    let changes = EndpointChanges {
        name: wish.name,
        url,
        auth_kind,
        auth_sealed,
        active: wish.active,
        filter_codes,
        filter_except_codes,
        filter_patients,
        patient_identifier_system: wish.patient_identifier_system,
        create_patients: wish.create_patients,
        failures: Some(0),
        closed_until: Some(None),
        last_error: Some(None),
        updated_at: Some(app.clock.now()),
    };
    let row = endpoints::update_endpoint(&mut transaction, found.tenant_id, id, &changes).await?;
    transaction.commit().await?;
    app.doorbell.ring();
    tracing::info!(tenant.id = %row.tenant_id, endpoint.id = %id, active = row.active, "an endpoint was changed");
    Ok(row)
}
