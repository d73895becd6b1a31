//! Rows of the registry.

use chrono::{DateTime, Utc};
use db::schema::{device_unit, plugin, plugin_event, plugin_generation, plugin_version, vendor};
use db::{ApiTokenId, PluginEventId, PluginVersionId, VendorId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::model::{Action, State};
use crate::fleet::Origin;

/// Retired versions of a plugin that stay loaded, so that what they read can be read again as they did.
const KEPT: usize = 3;

/// A plugin.
#[derive(Debug, Clone, Queryable)]
pub struct PluginRow {
    pub name: String,
    pub vendor_id: Option<VendorId>,
    pub pinned: bool,
    pub created_at: DateTime<Utc>,
    pub vendor: Option<String>,
}

/// A version, without its bytes.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = plugin_version)]
pub struct VersionRow {
    /// Its id.
    pub id: PluginVersionId,
    /// The decoder's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// How far it has come.
    pub state: String,
    /// Where it came from.
    pub origin: String,
    /// SHA-256 of the component.
    pub content_hash: String,
    /// Bytes of the component.
    pub size: i64,
    /// Names of its models.
    pub models: Vec<String>,
    /// What it says of itself.
    pub manifest: Value,
    /// What its examination showed.
    pub examination: Value,
    /// Percent of live uplinks while in shadow.
    pub shadow_share: i16,
    /// Who uploaded it.
    pub author: String,
    /// The signature that came with it.
    pub signature: Option<Vec<u8>>,
    /// The key that it was made with.
    pub signed_with: Option<Vec<u8>>,
    /// When it was uploaded.
    pub uploaded_at: DateTime<Utc>,
}

/// What is needed to load a version.
#[derive(Debug, Clone, Queryable)]
pub struct RegisteredRow {
    /// The decoder's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// How far it has come.
    pub state: String,
    /// Where it came from.
    pub origin: String,
    /// SHA-256 of the component.
    pub content_hash: String,
    pinned: bool,
}

impl RegisteredRow {
    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let all = [Origin::Bundled, Origin::Directory];
        all.into_iter().find(|origin| origin.as_str() == self.origin).unwrap_or(Origin::Registry)
    }

    /// Whether somebody activated it, rather than that it came with the server.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        self.pinned && self.state == State::Active.as_str()
    }
}

/// What is stored of a version that is new.
#[derive(Debug)]
pub struct NewVersion<'a> {
    pub plugin: &'a str,
    pub version: &'a str,
    pub state: State,
    pub origin: Origin,
    pub content_hash: &'a str,
    pub component: Option<&'a [u8]>,
    pub size: i64,
    pub models: Vec<&'a str>,
    pub manifest: Value,
    pub examination: Value,
    pub author: &'a str,
    pub uploaded_by: Option<ApiTokenId>,
    pub signature: Option<Vec<u8>>,
    pub signed_with: Option<Vec<u8>>,
}

/// An event, to be stored.
#[derive(Debug)]
pub struct NewEvent<'a> {
    pub plugin: &'a str,
    pub version: &'a str,
    pub action: Action,
    pub before: Option<&'a str>,
    pub token: Option<ApiTokenId>,
    pub actor: &'a str,
    pub reason: &'a str,
}

/// An event.
#[derive(Debug, Queryable)]
pub struct EventRow {
    pub id: PluginEventId,
    pub version: String,
    pub action: String,
    pub before_version: Option<String>,
    pub actor: String,
    pub reason: String,
    pub at: DateTime<Utc>,
}

/// Lets one change of the registry after the other happen, over all processes. Ends with the transaction.
pub async fn lock(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtext('afferent.plugins'))").execute(conn).await.map(|_| ())
}

/// The count of changes.
pub async fn generation(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    plugin_generation::table.select(plugin_generation::value).first(conn).await
}

/// Counts a change: every process looks again.
pub async fn count_change(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let next = plugin_generation::value.eq(plugin_generation::value + 1);
    diesel::update(plugin_generation::table).set(next).execute(conn).await.map(|_| ())
}

/// Versions that are to be loaded: active, in shadow, and of each plugin the last that were retired.
pub async fn registered(conn: &mut AsyncPgConnection) -> QueryResult<Vec<RegisteredRow>> {
    let rows: Vec<RegisteredRow> = plugin_version::table
        .inner_join(plugin::table.on(plugin::name.eq(plugin_version::plugin)))
        .filter(plugin_version::state.ne(State::Draft.as_str()))
        .order((plugin_version::plugin, plugin_version::uploaded_at.desc()))
        .select(registered_columns())
        .load(conn)
        .await?;
    let mut retired: (String, usize) = Default::default();
    let keep = |row: &RegisteredRow| {
        if row.state != State::Retired.as_str() {
            return true;
        }
        if retired.0 != row.plugin {
            retired = (row.plugin.clone(), 0);
        }
        retired.1 += usize::from(row.origin() == Origin::Registry);
        row.origin() == Origin::Registry && retired.1 <= KEPT
    };
    Ok(rows.into_iter().filter(keep).collect())
}

/// One version, as it is loaded.
pub async fn find_registered(
    conn: &mut AsyncPgConnection,
    name: &str,
    version: &str,
) -> QueryResult<Option<RegisteredRow>> {
    plugin_version::table
        .inner_join(plugin::table.on(plugin::name.eq(plugin_version::plugin)))
        .filter(plugin_version::plugin.eq(name))
        .filter(plugin_version::version.eq(version))
        .select(registered_columns())
        .first(conn)
        .await
        .optional()
}

type RegisteredColumns = (
    plugin_version::plugin,
    plugin_version::version,
    plugin_version::state,
    plugin_version::origin,
    plugin_version::content_hash,
    plugin::pinned,
);

fn registered_columns() -> RegisteredColumns {
    (
        plugin_version::plugin,
        plugin_version::version,
        plugin_version::state,
        plugin_version::origin,
        plugin_version::content_hash,
        plugin::pinned,
    )
}

/// The bytes of an uploaded version.
pub async fn find_component(conn: &mut AsyncPgConnection, name: &str, version: &str) -> QueryResult<Option<Vec<u8>>> {
    let found = plugin_version::table
        .filter(plugin_version::plugin.eq(name))
        .filter(plugin_version::version.eq(version))
        .select(plugin_version::component)
        .first::<Option<Vec<u8>>>(conn)
        .await
        .optional()?;
    Ok(found.flatten())
}

/// Plugins by name: all, or a vendor's own.
pub async fn list_plugins(conn: &mut AsyncPgConnection, of: Option<VendorId>) -> QueryResult<Vec<PluginRow>> {
    let mut query = plugin::table
        .left_join(vendor::table.on(plugin::vendor_id.eq(vendor::id.nullable())))
        .select((plugin::name, plugin::vendor_id, plugin::pinned, plugin::created_at, vendor::name.nullable()))
        .order(plugin::name)
        .into_boxed();
    if let Some(of) = of {
        query = query.filter(plugin::vendor_id.eq(of));
    }
    query.load(conn).await
}

/// One plugin.
pub async fn find_plugin(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<PluginRow>> {
    plugin::table
        .left_join(vendor::table.on(plugin::vendor_id.eq(vendor::id.nullable())))
        .filter(plugin::name.eq(name))
        .select((plugin::name, plugin::vendor_id, plugin::pinned, plugin::created_at, vendor::name.nullable()))
        .first(conn)
        .await
        .optional()
}

/// Makes a plugin of a vendor (none: the platform's) where there is none of that name.
pub async fn insert_plugin(conn: &mut AsyncPgConnection, name: &str, of: Option<VendorId>) -> QueryResult<()> {
    diesel::insert_into(plugin::table)
        .values((plugin::name.eq(name), plugin::vendor_id.eq(of)))
        .on_conflict(plugin::name)
        .do_nothing()
        .execute(conn)
        .await
        .map(|_| ())
}

/// Whether somebody's choice holds, or what comes with the server.
pub async fn set_pinned(conn: &mut AsyncPgConnection, name: &str, pinned: bool) -> QueryResult<()> {
    diesel::update(plugin::table.find(name)).set(plugin::pinned.eq(pinned)).execute(conn).await.map(|_| ())
}

/// A plugin's versions, the last uploaded first.
pub async fn list_versions(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Vec<VersionRow>> {
    plugin_version::table
        .filter(plugin_version::plugin.eq(name))
        .order((plugin_version::uploaded_at.desc(), plugin_version::id.desc()))
        .select(VersionRow::as_select())
        .load(conn)
        .await
}

/// Versions that are active, of all plugins.
pub async fn active_versions(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VersionRow>> {
    plugin_version::table
        .filter(plugin_version::state.eq(State::Active.as_str()))
        .select(VersionRow::as_select())
        .load(conn)
        .await
}

/// How far a version has come.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = plugin_version)]
pub struct VersionState {
    /// The decoder's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// How far it has come.
    pub state: String,
}

/// The versions of these plugins, the last uploaded first.
pub async fn version_states(conn: &mut AsyncPgConnection, plugins: &[String]) -> QueryResult<Vec<VersionState>> {
    plugin_version::table
        .filter(plugin_version::plugin.eq_any(plugins))
        .order((plugin_version::uploaded_at.desc(), plugin_version::id.desc()))
        .select(VersionState::as_select())
        .load(conn)
        .await
}

/// One version.
pub async fn find_version(conn: &mut AsyncPgConnection, name: &str, version: &str) -> QueryResult<Option<VersionRow>> {
    plugin_version::table
        .filter(plugin_version::plugin.eq(name))
        .filter(plugin_version::version.eq(version))
        .select(VersionRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// The version of a plugin that is in a state of which there can be one.
pub async fn find_in_state(conn: &mut AsyncPgConnection, name: &str, state: State) -> QueryResult<Option<VersionRow>> {
    plugin_version::table
        .filter(plugin_version::plugin.eq(name))
        .filter(plugin_version::state.eq(state.as_str()))
        .select(VersionRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// Stores a version; of one that came with a server, what is there is replaced.
pub async fn upsert_version(conn: &mut AsyncPgConnection, new: NewVersion<'_>) -> QueryResult<()> {
    diesel::insert_into(plugin_version::table)
        .values((
            plugin_version::id.eq(PluginVersionId::generate()),
            plugin_version::plugin.eq(new.plugin),
            plugin_version::version.eq(new.version),
            plugin_version::state.eq(new.state.as_str()),
            plugin_version::origin.eq(new.origin.as_str()),
            plugin_version::content_hash.eq(new.content_hash),
            plugin_version::component.eq(new.component),
            plugin_version::size.eq(new.size),
            plugin_version::models.eq(&new.models),
            plugin_version::manifest.eq(&new.manifest),
            plugin_version::examination.eq(&new.examination),
            plugin_version::author.eq(new.author),
            plugin_version::uploaded_by.eq(new.uploaded_by),
            plugin_version::signature.eq(new.signature),
            plugin_version::signed_with.eq(new.signed_with),
        ))
        .on_conflict((plugin_version::plugin, plugin_version::version))
        .do_update()
        .set((
            plugin_version::origin.eq(new.origin.as_str()),
            plugin_version::content_hash.eq(new.content_hash),
            plugin_version::size.eq(new.size),
            plugin_version::models.eq(&new.models),
            plugin_version::manifest.eq(&new.manifest),
            plugin_version::examination.eq(&new.examination),
        ))
        .execute(conn)
        .await
        .map(|_| ())
}

/// Puts a version into a state.
pub async fn set_state(conn: &mut AsyncPgConnection, id: PluginVersionId, state: State, share: i16) -> QueryResult<()> {
    diesel::update(plugin_version::table.find(id))
        .set((plugin_version::state.eq(state.as_str()), plugin_version::shadow_share.eq(share)))
        .execute(conn)
        .await
        .map(|_| ())
}

/// Writes down what was done.
pub async fn insert_event(conn: &mut AsyncPgConnection, event: NewEvent<'_>) -> QueryResult<()> {
    diesel::insert_into(plugin_event::table)
        .values((
            plugin_event::id.eq(PluginEventId::generate()),
            plugin_event::plugin.eq(event.plugin),
            plugin_event::version.eq(event.version),
            plugin_event::action.eq(event.action.as_str()),
            plugin_event::before_version.eq(event.before),
            plugin_event::token_id.eq(event.token),
            plugin_event::actor.eq(event.actor),
            plugin_event::reason.eq(event.reason),
        ))
        .execute(conn)
        .await
        .map(|_| ())
}

/// What was done to a plugin, oldest first.
pub async fn list_events(
    conn: &mut AsyncPgConnection,
    name: &str,
    after: uuid::Uuid,
    limit: i64,
) -> QueryResult<Vec<EventRow>> {
    plugin_event::table
        .filter(plugin_event::plugin.eq(name))
        .filter(plugin_event::id.gt(PluginEventId(after)))
        .order(plugin_event::id)
        .select((
            plugin_event::id,
            plugin_event::version,
            plugin_event::action,
            plugin_event::before_version,
            plugin_event::actor,
            plugin_event::reason,
            plugin_event::at,
        ))
        .limit(limit + 1)
        .load(conn)
        .await
}

/// The version that was active before the one that is.
pub async fn version_before(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<String>> {
    let last = plugin_event::table
        .filter(plugin_event::plugin.eq(name))
        .filter(plugin_event::before_version.is_not_null())
        .order(plugin_event::id.desc())
        .select(plugin_event::before_version)
        .first::<Option<String>>(conn)
        .await
        .optional()?;
    Ok(last.flatten())
}

/// When it was last decided which version serves.
pub async fn last_decided(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<DateTime<Utc>>> {
    plugin_event::table
        .filter(plugin_event::plugin.eq(name))
        .filter(plugin_event::action.eq_any(["activated", "rolled-back", "unpinned"]))
        .select(diesel::dsl::max(plugin_event::at))
        .first(conn)
        .await
}

/// How many physical devices there are of these models, over all tenants.
pub async fn count_units(conn: &mut AsyncPgConnection, models: &[String]) -> QueryResult<i64> {
    device_unit::table.filter(device_unit::model.eq_any(models)).count().get_result(conn).await
}
