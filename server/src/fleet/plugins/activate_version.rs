//! Which version serves: activated, taken back, put aside, tried in the shadow.

use plugin_host::{Decoder, Surface};

use super::model::{Action, State};
use super::store::{self, NewEvent, VersionRow};
use super::upload_version::check_models;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::Origin;
use crate::fleet::store::{decoder as provenance, hub};
use crate::identity::{Principal, Role};
use crate::wiring;

/// Why, and what the caller knows to be so.
#[derive(Debug)]
pub struct Wish {
    /// For the record.
    pub reason: String,
    /// Models that the active version knows and this one does not may go unserved.
    pub allow_missing_models: bool,
    /// No shadow replay has to have compared it with the version that serves.
    pub without_comparison: bool,
}

/// Lets a version serve in the place of the one that does.
///
/// # Errors
/// 404; 409 when a model is another's, or would go unserved, when nobody has compared it with the version that serves, or when
/// its changed record keys await a decision.
pub async fn activate(
    app: &App,
    principal: &Principal,
    plugin: &str,
    version: &str,
    wish: &Wish,
) -> Result<VersionRow, Error> {
    serve(app, principal, plugin, version, wish, Action::Activated).await
}

/// Lets the version serve that served before.
///
/// # Errors
/// 409 when there is none; as [`activate`].
pub async fn roll_back(app: &App, principal: &Principal, plugin: &str, reason: String) -> Result<VersionRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    let before = store::version_before(&mut transaction, plugin).await?;
    transaction.commit().await?;
    let before = before.ok_or_else(|| {
        Error::conflict("plugin.nothing-before", "No other version of this decoder was active before this one.")
    })?;
    let wish = Wish { reason, allow_missing_models: true, without_comparison: true };
    serve(app, principal, plugin, &before, &wish, Action::RolledBack).await
}

async fn serve(
    app: &App,
    principal: &Principal,
    plugin: &str,
    version: &str,
    wish: &Wish,
    action: Action,
) -> Result<VersionRow, Error> {
    // Compiled before anything changes: the switch itself takes no time.
    let decoder = app.decoders.version(&app.db, plugin, version).await?;
    let hubs = if decoder.surface() == Surface::Hub { count_hubs(app, &decoder).await? } else { 0 };
    let mut transaction = app.db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    let row = found(store::find_version(&mut transaction, plugin, version).await?)?;
    let active = store::find_in_state(&mut transaction, plugin, State::Active).await?;
    let is_pinned = store::find_plugin(&mut transaction, plugin).await?.is_some_and(|plugin| plugin.pinned);
    if is_pinned && active.as_ref().is_some_and(|active| active.id == row.id) {
        return Ok(row);
    }
    check_models(&mut transaction, &decoder).await?;
    if action == Action::Activated {
        wiring::version_may_serve(&mut transaction, plugin, version).await?;
    }
    if let Some(active) = &active
        && !wish.allow_missing_models
    {
        check_missing(&mut transaction, active, &row).await?;
    }
    if let Some(active) = active.as_ref().filter(|active| active.id != row.id && !wish.without_comparison) {
        check_compared(&mut transaction, active, &decoder, hubs).await?;
    }
    if let Some(active) = active.as_ref().filter(|active| active.id != row.id) {
        store::set_state(&mut transaction, active.id, State::Retired, 0).await?;
    }
    store::set_state(&mut transaction, row.id, State::Active, 0).await?;
    store::set_pinned(&mut transaction, plugin, true).await?;
    if State::of(&row.state) == State::Shadow {
        wiring::shadow_changed(app, &mut transaction, plugin, None, principal.token).await?;
    }
    if State::of(&row.state) != State::Active {
        let origin = if row.origin == Origin::Registry.as_str() { Origin::Registry } else { Origin::Bundled };
        provenance::upsert_decoder(&mut transaction, &decoder, origin).await?;
    }
    for model in &decoder.manifest().models {
        provenance::upsert_model_row(&mut transaction, model, &decoder).await?;
    }
    let before = active.as_ref().map(|row| row.version.as_str());
    let reason = match action {
        Action::Activated if wish.without_comparison => format!("{} (without comparison)", wish.reason),
        _ => wish.reason.clone(),
    };
    store::insert_event(&mut transaction, event(principal, plugin, version, action, before, &reason)).await?;
    store::count_change(&mut transaction).await?;
    let row = found(store::find_version(&mut transaction, plugin, version).await?)?;
    transaction.commit().await?;
    // Here at once, in other processes within a second.
    app.decoders.refresh(&app.db).await?;
    Ok(row)
}

/// Hubs of all tenants whose payloads this decoder splits.
async fn count_hubs(app: &App, decoder: &Decoder) -> Result<i64, Error> {
    let models: Vec<String> = decoder.manifest().models.iter().map(|model| model.name.clone()).collect();
    let mut transaction = app.db.begin_worker().await?;
    let hubs = hub::count_of_models(&mut transaction, &models).await?;
    transaction.commit().await?;
    Ok(hubs)
}

/// What serves devices or hubs is not replaced blindly: somebody has seen, since it serves, what the next version would change.
async fn check_compared(
    conn: &mut db::Transaction,
    active: &VersionRow,
    next: &Decoder,
    hubs: i64,
) -> Result<(), Error> {
    let (used_by, users) = match next.surface() {
        Surface::Device => (store::count_units(conn, &active.models).await?, "devices"),
        Surface::Hub => (hubs, "hubs"),
    };
    // Where nothing uses it there is nothing to compare.
    if used_by == 0 {
        return Ok(());
    }
    let manifest = next.manifest();
    // A version that came with the server serves from then on.
    let decided = store::last_decided(conn, &manifest.name).await?;
    let serves_since = decided.map_or(active.uploaded_at, |at| at.max(active.uploaded_at));
    if wiring::version_was_compared(conn, &manifest.name, &manifest.version, serves_since).await? {
        return Ok(());
    }
    Err(Error::conflict(
        "plugin.not-compared",
        format!(
            "{used_by} {users} use {} {}, and no shadow replay has compared it with this version since it serves: POST /api/v1/shadow-replays, and look at its report. Say `withoutComparison: true` if that cannot wait.",
            active.plugin, active.version
        ),
    ))
}

/// Devices of a model that nothing decodes are a surprise that nobody should have by accident.
async fn check_missing(conn: &mut db::Transaction, active: &VersionRow, next: &VersionRow) -> Result<(), Error> {
    let missing: Vec<String> = active.models.iter().filter(|model| !next.models.contains(model)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let devices = store::count_units(conn, &missing).await?;
    Err(Error::conflict(
        "plugin.models-missing",
        format!(
            "Version {} does not know the models {} ({devices} devices), which {} serves: their uplinks would go to quarantine. Say `allowMissingModels: true` if that is meant.",
            next.version,
            missing.join(", "),
            active.version
        ),
    ))
}

/// Puts a version aside. A vendor may do that with its drafts only.
///
/// # Errors
/// 404; 403 for a vendor's version that is more than a draft; 409 for the active one, unless its models may go unserved.
pub async fn retire(
    app: &App,
    principal: &Principal,
    plugin: &str,
    version: &str,
    reason: &str,
    without_replacement: bool,
) -> Result<VersionRow, Error> {
    let mut transaction = app.db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    let row = found(store::find_version(&mut transaction, plugin, version).await?)?;
    let is_active = State::of(&row.state) == State::Active;
    if principal.role == Role::Vendor && State::of(&row.state) != State::Draft {
        return Err(Error::forbidden("role", "A vendor may retire its drafts; this version is more than a draft."));
    }
    if is_active && row.origin != Origin::Registry.as_str() {
        return Err(Error::conflict(
            "plugin.built-in",
            "This version came with the server, and comes back with it. Activate another in its place.",
        ));
    }
    if is_active && !without_replacement {
        return Err(Error::conflict(
            "plugin.active",
            "This version is active. Activate another in its place, or say `withoutReplacement: true`: then nothing decodes its models, and their uplinks go to quarantine.",
        ));
    }
    if State::of(&row.state) == State::Retired {
        return Ok(row);
    }
    store::set_state(&mut transaction, row.id, State::Retired, 0).await?;
    if State::of(&row.state) == State::Shadow {
        wiring::shadow_changed(app, &mut transaction, plugin, None, principal.token).await?;
    }
    let before = is_active.then_some(version);
    store::insert_event(&mut transaction, event(principal, plugin, version, Action::Retired, before, reason)).await?;
    store::count_change(&mut transaction).await?;
    finish(app, transaction, plugin, version).await
}

/// Lets a version decode a share of the live uplinks beside the active one.
///
/// # Errors
/// 404; 409 for the active version; 422 for a share that is none, or a hub's decoder.
pub async fn shadow(
    app: &App,
    principal: &Principal,
    plugin: &str,
    version: &str,
    share: i16,
    reason: &str,
) -> Result<VersionRow, Error> {
    if !(0..=100).contains(&share) {
        return Err(Error::field("/share", "a share is 0 to 100 percent"));
    }
    if app.decoders.version(&app.db, plugin, version).await?.surface() == Surface::Hub {
        return Err(Error::field(
            "/share",
            "a hub's decoder has no live shadow; POST /api/v1/shadow-replays compares what it makes of the payloads that are kept",
        ));
    }
    let mut transaction = app.db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    let row = found(store::find_version(&mut transaction, plugin, version).await?)?;
    if State::of(&row.state) == State::Active {
        return Err(Error::conflict("plugin.active", "This version is active: it decodes everything already."));
    }
    let other = store::find_in_state(&mut transaction, plugin, State::Shadow).await?;
    if let Some(other) = other.filter(|other| other.id != row.id) {
        store::set_state(&mut transaction, other.id, State::Draft, 0).await?;
    }
    store::set_state(&mut transaction, row.id, State::Shadow, share).await?;
    let percent = u8::try_from(share).unwrap_or_default();
    let wanted = Some((version, row.models.as_slice(), percent));
    wiring::shadow_changed(app, &mut transaction, plugin, wanted, principal.token).await?;
    store::insert_event(&mut transaction, event(principal, plugin, version, Action::Shadowed, None, reason)).await?;
    store::count_change(&mut transaction).await?;
    finish(app, transaction, plugin, version).await
}

/// Lets what comes with the server serve again, now and after every upgrade.
///
/// # Errors
/// 404; 409 when no version came with the server.
pub async fn unpin(app: &App, principal: &Principal, plugin: &str, reason: &str) -> Result<(), Error> {
    let local = app
        .decoders
        .local_version(plugin)
        .ok_or_else(|| Error::conflict("plugin.not-built-in", "No version of this decoder came with the server."))?;
    let mut transaction = app.db.begin_platform().await?;
    store::lock(&mut transaction).await?;
    let row = found(store::find_version(&mut transaction, plugin, &local).await?)?;
    let active = store::find_in_state(&mut transaction, plugin, State::Active).await?;
    if let Some(active) = active.as_ref().filter(|active| active.id != row.id) {
        store::set_state(&mut transaction, active.id, State::Retired, 0).await?;
    }
    store::set_state(&mut transaction, row.id, State::Active, 0).await?;
    store::set_pinned(&mut transaction, plugin, false).await?;
    let before = active.as_ref().map(|row| row.version.as_str());
    store::insert_event(&mut transaction, event(principal, plugin, &local, Action::Unpinned, before, reason)).await?;
    store::count_change(&mut transaction).await?;
    transaction.commit().await?;
    app.decoders.refresh(&app.db).await?;
    super::register_models(&app.db, &app.decoders.now()).await
}

async fn finish(app: &App, mut transaction: db::Transaction, plugin: &str, version: &str) -> Result<VersionRow, Error> {
    let row = found(store::find_version(&mut transaction, plugin, version).await?)?;
    transaction.commit().await?;
    app.decoders.refresh(&app.db).await?;
    Ok(row)
}

fn found(row: Option<VersionRow>) -> Result<VersionRow, Error> {
    row.ok_or_else(|| Error::not_found("version of this plugin"))
}

fn event<'a>(
    principal: &'a Principal,
    plugin: &'a str,
    version: &'a str,
    action: Action,
    before: Option<&'a str>,
    reason: &'a str,
) -> NewEvent<'a> {
    NewEvent { plugin, version, action, before, token: Some(principal.token), actor: &principal.name, reason }
}

/// A reason that says something.
///
/// # Errors
/// 422.
pub fn check_reason(reason: &str) -> Result<(), Error> {
    let fits = (1..=1_000).contains(&reason.trim().chars().count()) && !reason.contains('\0');
    if fits {
        return Ok(());
    }
    Err(Error::new(Kind::Unprocessable, "reason", "`reason` says why, in 1 to 1,000 characters: it is kept for good."))
}
