//! Makes and withdraws pairing codes.

use chrono::TimeDelta;
use db::{ApiTokenId, AppPairingId, TenantId, TenantScope};

use super::code::Code;
use super::store::{self, PairingRow};
use crate::app::App;
use crate::error::Error;
use crate::fhir;
use crate::fleet::model::{Checks, patient_id};

/// Seconds that a code lives when nobody says otherwise.
const LIFE: u32 = 600;
/// The shortest and longest life of a code, seconds.
const LIVES: std::ops::RangeInclusive<u32> = 60..=86_400;
/// Codes that are tried before it is given up: two that are equal are met once in 10^12.
const TRIES: usize = 3;

/// What the installation is to be.
pub struct NewPairing {
    /// What people call it.
    pub name: Option<String>,
    /// Whose phone it is, as `p1` or `Patient/p1`.
    pub patient: Option<String>,
    /// IANA zone, when it differs from the tenant's.
    pub time_zone: Option<String>,
    /// Seconds that the code lives.
    pub expires_in: Option<u32>,
}

/// Makes a code; it is shown this once.
///
/// # Errors
/// 422 for fields that cannot be accepted.
pub async fn create(
    app: &App,
    scope: &TenantScope,
    tenant: TenantId,
    by: ApiTokenId,
    wish: NewPairing,
) -> Result<(PairingRow, Code), Error> {
    let mut checks = Checks::default();
    if let Some(name) = &wish.name {
        checks.name("/name", name);
    }
    checks.time_zone(wish.time_zone.as_deref());
    checks.finish()?;
    let life = wish.expires_in.unwrap_or(LIFE);
    if !LIVES.contains(&life) {
        return Err(Error::field("/expiresIn", format!("{} to {} seconds", LIVES.start(), LIVES.end())));
    }
    let mut transaction = scope.begin(&app.db).await?;
    let patient = known_patient(&mut transaction, tenant, wish.patient.as_deref()).await?;
    let now = app.clock.now();
    let mut row = PairingRow {
        tenant_id: tenant,
        id: AppPairingId::generate(),
        code_hash: None,
        name: wish.name,
        patient_id: patient,
        time_zone: wish.time_zone,
        token_id: by,
        created_at: now,
        expires_at: now + TimeDelta::seconds(i64::from(life)),
        cancelled_at: None,
        redeemed_at: None,
        installation_id: None,
    };
    for _ in 0..TRIES {
        let code = Code::generate().map_err(Error::internal)?;
        row.code_hash = Some(code.fingerprint(&app.sealer).to_vec());
        if store::insert_pairing(&mut transaction, &row).await? {
            transaction.commit().await?;
            return Ok((row, code));
        }
    }
    Err(Error::internal(anyhow::anyhow!("{TRIES} pairing codes in a row were taken")))
}

/// Withdraws a code; one that is withdrawn stays so.
///
/// # Errors
/// 404; 409 when it was used.
pub async fn cancel(app: &App, scope: &TenantScope, id: AppPairingId) -> Result<(), Error> {
    let mut transaction = scope.begin(&app.db).await?;
    let row = store::lock_pairing(&mut transaction, &scope.tenants(), id)
        .await?
        .ok_or_else(|| Error::not_found("app pairing"))?;
    if row.redeemed_at.is_some() {
        return Err(Error::conflict(
            "pairing.redeemed",
            "This code was used. Revoke the installation instead (POST /api/v1/apps/{id}/revoke).",
        ));
    }
    if row.cancelled_at.is_none() {
        store::close_pairing(&mut transaction, row.tenant_id, id, None, app.clock.now()).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A patient of the tenant, by id.
pub(super) async fn known_patient(
    conn: &mut diesel_async::AsyncPgConnection,
    tenant: TenantId,
    named: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(patient) = named.map(patient_id).transpose()? else { return Ok(None) };
    if !fhir::store::patient_exists(conn, tenant, patient).await? {
        return Err(Error::field("/patient", "the tenant has no such patient"));
    }
    Ok(Some(patient.to_owned()))
}
