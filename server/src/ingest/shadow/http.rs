//! REST of shadow runs: of the platform, because a version is activated for everybody.

use actix_web::web::{Json, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use db::ShadowReplayId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::begin::{self, RecordKeys, ShadowScope};
use super::model::{Class, Example, FieldCount, Report};
use super::store::{self, RunRow};
use crate::app::AppData;
use crate::error::{ApiResult, Error, Problems};
use crate::fleet::visible_plugins;
use crate::identity::{Caller, Role};
use crate::ingest::held::check_reason;
use crate::ingest::replays::DecoderVersion;
use crate::platform::page::{Page, PageQuery};

/// Mounts the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create_shadow_replay)
        .service(list_shadow_replays)
        .service(find_shadow_replay)
        .service(find_shadow_report)
        .service(cancel_shadow_replay)
        .service(resume_shadow_replay)
        .service(decide_record_keys);
}

/// A decoder version to be run beside the one that serves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewShadowReplay {
    /// The version.
    pub decoder: DecoderVersion,
    /// What it looks at; with a `share` it is a live shadow.
    #[serde(default)]
    pub scope: ShadowScope,
}

/// A decoder version that is run beside the one that serves.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReplay {
    /// Its id.
    pub id: ShadowReplayId,
    /// The version.
    pub decoder: DecoderVersion,
    /// `replay` (over retained uplinks) or `live`.
    pub kind: String,
    /// What it looks at.
    pub scope: ShadowScope,
    /// `running`, `cancelled` or `done`; a live one runs until it is cancelled.
    pub state: String,
    /// Retained uplinks that it is about; absent until they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Uplinks that were looked at so far.
    pub uplinks: u64,
    /// Uplinks a second, from its beginning to its last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplinks_per_second: Option<u64>,
    /// What was decided about changed record keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_keys: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_keys_reason: Option<String>,
    /// Why the last attempt did not get on; it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last got on.
    pub updated_at: DateTime<Utc>,
}

fn report_of(row: &RunRow) -> Result<Report, Error> {
    serde_json::from_value(row.report.clone()).map_err(Error::internal)
}

impl TryFrom<RunRow> for ShadowReplay {
    type Error = Error;

    fn try_from(row: RunRow) -> Result<Self, Error> {
        let report = report_of(&row)?;
        let uplinks = report.uplinks + report.skipped.values().sum::<u64>();
        let elapsed = u64::try_from((row.updated_at - row.created_at).num_milliseconds()).unwrap_or_default();
        Ok(Self {
            id: row.id,
            decoder: DecoderVersion { name: row.decoder_name, version: row.decoder_version },
            kind: row.kind,
            scope: serde_json::from_value(row.scope).map_err(Error::internal)?,
            state: row.state,
            total: row.total,
            uplinks,
            uplinks_per_second: (uplinks * 1000).checked_div(elapsed),
            record_keys: row.record_keys,
            record_keys_reason: row.record_keys_reason,
            failure: row.failure,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Amounts of one version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Fuel of the median uplink, to six percent: the same on every machine.
    pub fuel_median: u64,
    /// Fuel that one uplink in a hundred exceeds.
    pub fuel_p99: u64,
    /// Nanoseconds of the median uplink, on this machine.
    pub nanoseconds_median: u64,
    /// Nanoseconds that one uplink in a hundred exceeds.
    pub nanoseconds_p99: u64,
}

/// What differs between a version and the one that serves.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// The run.
    pub shadow: ShadowReplay,
    /// `same` (nothing differs), `differs`, or `blocked`: record keys differ and nobody has said what becomes of them.
    pub verdict: &'static str,
    /// Uplinks of which both made the same.
    pub same: u64,
    /// Uplinks whose readings differ.
    pub changed: u64,
    /// Uplinks that the one that serves refuses, and the version reads.
    pub newly_decoded: u64,
    /// Uplinks that the one that serves reads, and the version refuses.
    pub newly_failing: u64,
    /// Uplinks that both refuse.
    pub both_refuse: u64,
    /// Uplinks that could not be compared, by reason.
    pub skipped: std::collections::BTreeMap<String, u64>,
    /// Why the version refuses what the one that serves reads, by reason.
    pub failures: std::collections::BTreeMap<String, u64>,
    /// Readings whose record key, or what else identifies them, differs: sent again, they would be stored a second time.
    pub record_keys_changed: u64,
    /// Readings of `distinct` records with other content, which is part of their identity: replay them after the activation,
    /// before their devices send them again.
    pub content_in_key: u64,
    /// How often each field of each kind differs, the most frequent first.
    pub fields: Vec<FieldCount>,
    /// Whether the version burns more than half as much fuel again, in the median or the 99th percentile.
    pub slower: bool,
    /// Uplinks for which it does.
    pub slower_uplinks: u64,
    /// What the one that serves costs.
    pub active: Cost,
    /// What the version costs.
    pub version: Cost,
    /// Live uplinks that were not compared because the queue was full.
    pub dropped: u64,
    /// A few uplinks of each kind of difference, with the fields before and after. They name no person.
    pub examples: Vec<Example>,
}

impl TryFrom<RunRow> for ShadowReport {
    type Error = Error;

    fn try_from(row: RunRow) -> Result<Self, Error> {
        let report = report_of(&row)?;
        let blocked = report.keys_changed > 0 && row.record_keys.is_none();
        let same = report.of(Class::Same) + report.of(Class::BothRefuse) == report.uplinks;
        Ok(Self {
            shadow: row.try_into()?,
            verdict: if blocked {
                "blocked"
            } else if same {
                "same"
            } else {
                "differs"
            },
            same: report.of(Class::Same),
            changed: report.of(Class::Changed),
            newly_decoded: report.of(Class::NewlyDecoded),
            newly_failing: report.of(Class::NewlyFailing),
            both_refuse: report.of(Class::BothRefuse),
            record_keys_changed: report.keys_changed,
            content_in_key: report.content_keys,
            fields: report.field_counts(),
            slower: report.is_slower(),
            slower_uplinks: report.slower,
            active: Cost {
                fuel_median: report.fuel_active.percentile(50),
                fuel_p99: report.fuel_active.percentile(99),
                nanoseconds_median: report.time_active.percentile(50),
                nanoseconds_p99: report.time_active.percentile(99),
            },
            version: Cost {
                fuel_median: report.fuel_version.percentile(50),
                fuel_p99: report.fuel_version.percentile(99),
                nanoseconds_median: report.time_version.percentile(50),
                nanoseconds_p99: report.time_version.percentile(99),
            },
            dropped: report.dropped,
            skipped: report.skipped,
            failures: report.failures,
            examples: report.examples,
        })
    }
}

fn platform_only(caller: &Caller) -> Result<(), Error> {
    caller.require(caller.role() == Role::PlatformAdmin, "run decoder versions over all tenants")
}

/// The same for one that is named: to others it is not there.
fn platform_sees(caller: &Caller) -> Result<(), Error> {
    if caller.role() == Role::PlatformAdmin { Ok(()) } else { Err(Error::not_found("shadow replay")) }
}

/// A run, for the platform and for the vendor whose decoder it runs.
async fn seen(caller: &Caller, app: &AppData, id: ShadowReplayId) -> Result<RunRow, Error> {
    let run = find(app, id).await?;
    match visible_plugins(caller, app).await? {
        None => Ok(run),
        Some(own) if own.contains(&run.decoder_name) => Ok(for_its_vendor(run)),
        Some(_) => Err(Error::not_found("shadow replay")),
    }
}

/// Without what belongs to tenants: whose they are, which uplinks, what was read. Counts and the names of fields stay.
fn for_its_vendor(mut run: RunRow) -> RunRow {
    for (of, name) in [(&mut run.report, "examples"), (&mut run.scope, "tenants")] {
        if let Some(members) = of.as_object_mut() {
            members.remove(name);
        }
    }
    run
}

/// Run a decoder version beside the one that serves
///
/// Over the retained uplinks of its models; or, with `scope.share`, beside live uplinks from now on, after their commit.
/// Nothing of what it reads is stored but the report. Answers 202; the report grows while it runs.
#[utoipa::path(tag = "fleet", request_body = NewShadowReplay, responses((status = 202, body = ShadowReplay, description = "Begun"), Problems))]
#[post("/shadow-replays")]
async fn create_shadow_replay(caller: Caller, app: AppData, body: Json<NewShadowReplay>) -> ApiResult<HttpResponse> {
    platform_only(&caller)?;
    let body = body.into_inner();
    let run = begin::begin(&app, &body.decoder, body.scope, Some(caller.principal.token)).await?;
    let run = ShadowReplay::try_from(run)?;
    let location = format!("/api/v1/shadow-replays/{}", run.id);
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(run))
}

/// List shadow runs
///
/// Oldest first. All for a platform admin; for a vendor those of its own decoders.
#[utoipa::path(tag = "fleet", params(PageQuery), responses((status = 200, body = Page<ShadowReplay>), Problems))]
#[get("/shadow-replays")]
async fn list_shadow_replays(
    caller: Caller,
    app: AppData,
    page: Query<PageQuery>,
) -> ApiResult<Json<Page<ShadowReplay>>> {
    caller.require(matches!(caller.role(), Role::PlatformAdmin | Role::Vendor), "see runs of decoder versions")?;
    let limit = page.limit()?;
    let own = visible_plugins(&caller, &app).await?;
    let mut transaction = app.db.begin_worker().await?;
    let rows = store::list(&mut transaction, own.as_deref(), ShadowReplayId(page.after()), limit + 1).await?;
    transaction.commit().await?;
    let rows = match own {
        None => rows,
        Some(_) => rows.into_iter().map(for_its_vendor).collect(),
    };
    let rows = Page::from_rows(rows, limit, |row: &RunRow| row.id.0);
    let items = rows.items.into_iter().map(ShadowReplay::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: rows.next }))
}

async fn find(app: &AppData, id: ShadowReplayId) -> Result<RunRow, Error> {
    let mut transaction = app.db.begin_worker().await?;
    let run = begin::find(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(run)
}

/// Read a shadow run
#[utoipa::path(tag = "fleet", params(("id" = ShadowReplayId, Path)), responses((status = 200, body = ShadowReplay), Problems))]
#[get("/shadow-replays/{id}")]
async fn find_shadow_replay(caller: Caller, app: AppData, id: Path<ShadowReplayId>) -> ApiResult<Json<ShadowReplay>> {
    Ok(Json(seen(&caller, &app, *id).await?.try_into()?))
}

/// Read the report of a shadow run
///
/// What differs from the version that serves, in numbers and with a few uplinks as examples. The vendor of the decoder sees
/// the numbers, and no example.
#[utoipa::path(tag = "fleet", params(("id" = ShadowReplayId, Path)), responses((status = 200, body = ShadowReport), Problems))]
#[get("/shadow-replays/{id}/report")]
async fn find_shadow_report(caller: Caller, app: AppData, id: Path<ShadowReplayId>) -> ApiResult<Json<ShadowReport>> {
    Ok(Json(seen(&caller, &app, *id).await?.try_into()?))
}

/// Cancel a shadow run
///
/// What was counted stays; a shadow replay can be resumed.
#[utoipa::path(tag = "fleet", params(("id" = ShadowReplayId, Path)), responses((status = 200, body = ShadowReplay), Problems))]
#[post("/shadow-replays/{id}/cancel")]
async fn cancel_shadow_replay(caller: Caller, app: AppData, id: Path<ShadowReplayId>) -> ApiResult<Json<ShadowReplay>> {
    platform_sees(&caller)?;
    Ok(Json(begin::change(&app, *id, "running", "cancelled").await?.try_into()?))
}

/// Resume a shadow run
///
/// It goes on where it stopped.
#[utoipa::path(tag = "fleet", params(("id" = ShadowReplayId, Path)), responses((status = 200, body = ShadowReplay), Problems))]
#[post("/shadow-replays/{id}/resume")]
async fn resume_shadow_replay(caller: Caller, app: AppData, id: Path<ShadowReplayId>) -> ApiResult<Json<ShadowReplay>> {
    platform_sees(&caller)?;
    Ok(Json(begin::change(&app, *id, "cancelled", "running").await?.try_into()?))
}

/// What becomes of changed record keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordKeysDecision {
    /// `remap` or `accept`.
    pub record_keys: RecordKeys,
    /// Why; kept with the run.
    pub reason: String,
}

/// What was decided, and how many records are known under a second key now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordKeysDecided {
    /// The run.
    pub shadow: ShadowReplay,
    /// Records that were mapped.
    pub mapped: usize,
}

/// Decide about changed record keys
///
/// `remap`: records of the uplinks that were compared are known under their new key too, so that what comes again meets its
/// Observation. `accept`: what comes again is stored as new. Until one is said, the version cannot be activated.
#[utoipa::path(
    tag = "fleet",
    params(("id" = ShadowReplayId, Path)),
    request_body = RecordKeysDecision,
    responses((status = 200, body = RecordKeysDecided), Problems)
)]
#[post("/shadow-replays/{id}/record-keys")]
async fn decide_record_keys(
    caller: Caller,
    app: AppData,
    id: Path<ShadowReplayId>,
    body: Json<RecordKeysDecision>,
) -> ApiResult<Json<RecordKeysDecided>> {
    platform_sees(&caller)?;
    let reason = check_reason(&body.reason)?;
    let (run, mapped) = begin::decide_keys(&app, *id, body.record_keys, &reason).await?;
    Ok(Json(RecordKeysDecided { shadow: run.try_into()?, mapped }))
}
