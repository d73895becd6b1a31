//! Makes an installation of a code: once, while the code lives.

use std::net::IpAddr;

use db::{AppInstallationId, HubId, TenantScope};

use super::code::Code;
use super::store::{self, InstallationRow, PairingRow};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::model::Checks;
use crate::fleet::store::activation::open_activation;
use crate::fleet::store::hub::{HubRow, insert_hub};
use crate::identity::{self, SourceKind};
use crate::tenancy;

/// What an installation is called when nobody says anything.
const NAMELESS: &str = "Phone";

/// What an app says of itself.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// The app's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
}

/// An installation that has just come to be.
pub struct Paired {
    /// Its own row.
    pub installation: InstallationRow,
    /// Its row among what carries devices.
    pub hub: HubRow,
    /// What it shows from now on; not kept.
    pub token: String,
}

/// Makes the installation, active, with its token and its first period of activity.
///
/// # Errors
/// 404, the same for a code that is wrong, used, withdrawn or too old; 422 for a description that cannot be accepted; 429
/// when codes are tried too often.
pub async fn redeem(app: &App, peer: Option<IpAddr>, typed: &str, described: Described) -> Result<Paired, Error> {
    app.pairing_limits.check(peer)?;
    check(&described)?;
    let code = Code::typed(typed).ok_or_else(no_such_code)?;
    let hash = code.fingerprint(&app.sealer);
    let now = app.clock.now();
    let mut transaction = app.db.begin_worker().await?;
    let found = store::find_code(&mut transaction, &hash, now).await?;
    transaction.commit().await?;
    let (tenant, id) = found.ok_or_else(no_such_code)?;

    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let owner = tenancy::find_tenant(&mut transaction, tenant).await?;
    let pairing = store::lock_pairing(&mut transaction, &[tenant], id).await?;
    // Locked: of two phones that show one code at the same time, the second finds it used.
    let pairing = pairing
        .filter(|pairing| pairing.code_hash.as_deref() == Some(hash.as_slice()))
        .filter(|_| owner.is_some_and(|owner| owner.active))
        .ok_or_else(no_such_code)?;
    let (hub, installation) = rows(&pairing, described, now);
    let (token, token_hash) = identity::new_token("afp").map_err(Error::internal)?;
    insert_hub(&mut transaction, &hub).await?;
    store::insert_installation(&mut transaction, &installation).await?;
    open_activation(&mut transaction, tenant, SourceKind::App, hub.id.0, now).await?;
    identity::insert_credential(&mut transaction, &token_hash, tenant, SourceKind::App, hub.id.0).await?;
    store::close_pairing(&mut transaction, tenant, id, Some(installation.id), now).await?;
    transaction.commit().await?;
    tracing::info!(tenant.id = %tenant, app.id = %installation.id, "a phone was paired");
    Ok(Paired { installation, hub, token })
}

fn rows(pairing: &PairingRow, described: Described, now: chrono::DateTime<chrono::Utc>) -> (HubRow, InstallationRow) {
    let id = AppInstallationId::generate();
    let hub = HubRow {
        tenant_id: pairing.tenant_id,
        id: HubId::from(id),
        model: store::KIND.to_owned(),
        serial: id.to_string(),
        name: pairing.name.clone().or_else(|| described.name.clone()).unwrap_or_else(|| NAMELESS.to_owned()),
        time_zone: pairing.time_zone.clone(),
        active: true,
        created_at: now,
        updated_at: now,
        variables_sealed: None,
        variables_version: 1,
        kind: store::KIND.to_owned(),
    };
    let installation = InstallationRow {
        tenant_id: pairing.tenant_id,
        id,
        app_name: described.name,
        app_version: described.version,
        platform: described.platform,
        patient_id: pairing.patient_id.clone(),
        last_seen_at: Some(now),
        revoked_at: None,
    };
    (hub, installation)
}

fn check(described: &Described) -> Result<(), Error> {
    let mut checks = Checks::default();
    for (pointer, text) in [
        ("/installation/name", &described.name),
        ("/installation/version", &described.version),
        ("/installation/platform", &described.platform),
    ] {
        if let Some(text) = text {
            checks.name(pointer, text);
        }
    }
    checks.finish()
}

/// One answer, whatever is wrong with a code: which it is would help whoever guesses.
fn no_such_code() -> Error {
    Error::new(
        Kind::NotFound,
        "pairing.unknown",
        "This code is not valid: it was mistyped, was used already, or has expired. Ask for a new one.",
    )
}
