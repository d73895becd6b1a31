//! Uplinks that are kept, page by page, with their raw bytes and their devices or hubs: what replays and shadow replays read.
//!
//! A page is bounded in rows and in bytes, and read in one short transaction of its tenant. Bodies are asked for by the time
//! of receipt, for a page's are near each other. Whoever works through pages gives way to live uplinks between them ([`rest`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use db::{DeviceId, HubId, TenantId, TenantScope, UplinkId};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::Received;
use crate::app::App;
use crate::error::Error;
use crate::fleet::{DeviceSnapshot, HubSnapshot, load_device, load_hub};

/// Raw bytes of a page, roughly: what comes after is left for the next.
const PAGE_BYTES: i64 = 4 << 20;
/// How often a worker without work looks for some.
const PAUSE: Duration = Duration::from_secs(1);
/// While live uplinks wait for their commit, a worker waits for so long between its pages.
const WAY: Duration = Duration::from_millis(100);
/// How long a device's settings are believed.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// Rests after a worker's step, or until it is told to stop: not at all when there was a page to do, and longer when live
/// uplinks wait, when there was none, or when it could not be looked up.
pub async fn rest(app: &App, stop: &CancellationToken, step: Result<bool, Error>, what: &'static str) {
    let pause = match step {
        Ok(true) if app.intake.waiting() > 0 => WAY,
        Ok(true) => Duration::ZERO,
        Ok(false) => PAUSE,
        Err(error) => {
            tracing::debug!(%error, what, "work could not be looked up; it is asked for again");
            PAUSE
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Which uplinks of a tenant.
#[derive(Debug, Clone, Default)]
pub struct RetainedFilter {
    /// These.
    pub uplinks: Option<Vec<UplinkId>>,
    /// Received from then on,
    pub from: Option<DateTime<Utc>>,
    /// and before then.
    pub until: Option<DateTime<Utc>>,
    /// Of devices of these models.
    pub models: Option<Vec<String>>,
    /// The payloads that hubs of these models sent in their own words, instead of devices' uplinks.
    pub hub_models: Option<Vec<String>>,
    /// Of these devices.
    pub devices: Option<Vec<DeviceId>>,
    /// In quarantine.
    pub quarantined: bool,
    /// In quarantine for this reason.
    pub quarantine_reason: Option<String>,
    /// Read by this decoder and version.
    pub decoded_by: Option<(String, String)>,
}

/// An uplink as it was received, and what it came to.
#[derive(Debug)]
pub struct Retained {
    /// What was received; its body is empty where the bytes are gone.
    pub received: Received,
    /// Whether the bytes are there.
    pub has_bytes: bool,
    /// Its device; none for a hub's own payload.
    pub device: Option<Arc<DeviceSnapshot>>,
    /// The hub whose own payload it is, where those were asked for.
    pub hub: Option<Arc<HubSnapshot>>,
    /// What it came to.
    pub outcome: String,
    /// Whether it is in quarantine.
    pub quarantined: bool,
}

/// The devices and hubs of the last pages.
#[derive(Debug, Default)]
pub struct Devices {
    known: HashMap<DeviceId, Option<Arc<DeviceSnapshot>>>,
    hubs: HashMap<HubId, Option<Arc<HubSnapshot>>>,
    since: Option<Instant>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: UplinkId,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    source_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    device_id: Option<DeviceId>,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    content_type: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    captured_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bytea)]
    body_hash: Vec<u8>,
    #[diesel(sql_type = Integer)]
    body_size: i32,
    #[diesel(sql_type = Nullable<Bytea>)]
    body: Option<Vec<u8>>,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Bool)]
    quarantined: bool,
}

/// The conditions of [`RetainedFilter`], for `$1` tenant, `$2` after, `$3` from, `$4` until, and so on.
const WHERE: &str = "FROM uplink u LEFT JOIN quarantine q ON q.tenant_id = u.tenant_id AND q.uplink_id = u.id AND q.state = 'open' \
     WHERE u.tenant_id = $1 AND u.id > $2 AND u.received_at >= $3 AND u.received_at < $4 \
       AND ($5::uuid[] IS NULL OR u.id = ANY($5)) AND ($6::uuid[] IS NULL OR u.device_id = ANY($6)) \
       AND ($7::text[] IS NULL OR EXISTS (SELECT FROM device d WHERE d.tenant_id = $1 AND d.id = u.device_id AND d.model = ANY($7))) \
       AND (NOT $8 OR q.uplink_id IS NOT NULL) AND ($9::text IS NULL OR q.reason = $9) \
       AND ($10::text IS NULL OR (u.decoder_name = $10 AND u.decoder_version = $11)) \
       AND ($12::text[] IS NULL OR (u.device_id IS NULL AND u.outcome IN ('split', 'nothing', 'undecodable') \
            AND EXISTS (SELECT FROM hub h WHERE h.tenant_id = $1 AND h.id = u.source_id AND h.model = ANY($12))))";

macro_rules! bound {
    ($sql:expr, $tenant:expr, $after:expr, $filter:expr) => {{
        let filter: &RetainedFilter = $filter;
        let after: UplinkId = $after;
        diesel::sql_query($sql)
            .bind::<SqlUuid, _>($tenant)
            .bind::<SqlUuid, _>(after)
            .bind::<Timestamptz, _>(filter.begins(after))
            .bind::<Timestamptz, _>(filter.until.unwrap_or_else(far))
            .bind::<Nullable<Array<SqlUuid>>, _>(filter.uplinks.clone())
            .bind::<Nullable<Array<SqlUuid>>, _>(filter.devices.clone())
            .bind::<Nullable<Array<Text>>, _>(filter.models.clone())
            .bind::<Bool, _>(filter.quarantined)
            .bind::<Nullable<Text>, _>(filter.quarantine_reason.clone())
            .bind::<Nullable<Text>, _>(filter.decoded_by.as_ref().map(|(name, _)| name.clone()))
            .bind::<Nullable<Text>, _>(filter.decoded_by.as_ref().map(|(_, version)| version.clone()))
            .bind::<Nullable<Array<Text>>, _>(filter.hub_models.clone())
    }};
}

/// Later than anything that was received.
fn far() -> DateTime<Utc> {
    DateTime::from_timestamp(32_503_680_000, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl RetainedFilter {
    /// The earliest receipt on the page after an uplink, so that days that are done are not read. An uplink's id was made
    /// within minutes of its receipt.
    fn begins(&self, after: UplinkId) -> DateTime<Utc> {
        let made = after
            .0
            .get_timestamp()
            .map(|time| time.to_unix())
            .and_then(|(seconds, nanoseconds)| DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds));
        let reached = made.map_or(DateTime::UNIX_EPOCH, |made| made - TimeDelta::minutes(15));
        self.from.map_or(reached, |from| from.max(reached))
    }
}

/// How many there are.
///
/// # Errors
/// The database's error.
pub async fn count(app: &App, tenant: TenantId, filter: &RetainedFilter) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let first = UplinkId(Uuid::nil());
    let found: Count = bound!(format!("SELECT count(*) AS number {WHERE}"), tenant, first, filter)
        .get_result(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(found.number)
}

/// Up to `limit` uplinks after one, in the order of their ids; an empty page is the end.
///
/// # Errors
/// The database's error; 500 when bytes do not open.
pub async fn page(
    app: &App,
    tenant: TenantId,
    filter: &RetainedFilter,
    after: UplinkId,
    limit: i64,
    devices: &mut Devices,
) -> Result<Vec<Retained>, Error> {
    let mut transaction = TenantScope::one(tenant).begin(&app.db).await?;
    let sql = format!(
        "SELECT u.id, u.received_at, u.source_id, u.device_id, u.channel, u.content_type, u.captured_at, u.body_hash, u.body_size, u.body, u.outcome, \
            q.uplink_id IS NOT NULL AS quarantined {WHERE} ORDER BY u.id LIMIT $13"
    );
    let mut rows: Vec<Row> =
        bound!(sql, tenant, after, filter).bind::<BigInt, _>(limit).load(&mut *transaction).await?;
    let mut bytes = 0;
    rows.retain(|row| {
        let first = bytes == 0;
        bytes += i64::from(row.body_size);
        first || bytes <= PAGE_BYTES
    });
    let bodies = bodies(&mut transaction, tenant, &rows).await?;
    devices.refresh();
    for device in rows.iter().filter_map(|row| row.device_id) {
        if let Entry::Vacant(unknown) = devices.known.entry(device) {
            unknown.insert(load_device(&mut transaction, app, tenant, device).await?.map(Arc::new));
        }
    }
    for hub in rows.iter().map(|row| HubId(row.source_id)).filter(|_| filter.hub_models.is_some()) {
        if let Entry::Vacant(unknown) = devices.hubs.entry(hub) {
            unknown.insert(load_hub(&mut transaction, app, tenant, hub).await?.map(Arc::new));
        }
    }
    transaction.commit().await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in rows {
        page.push(row.retained(app, tenant, &bodies, devices).await?);
    }
    Ok(page)
}

impl Devices {
    /// What is known for long may have other settings by now.
    fn refresh(&mut self) {
        if self.since.is_none_or(|since| since.elapsed() > GOOD_FOR) {
            self.known.clear();
            self.hubs.clear();
            self.since = Some(Instant::now());
        }
    }
}

impl Row {
    async fn retained(
        self,
        app: &App,
        tenant: TenantId,
        bodies: &HashMap<UplinkId, (i32, Vec<u8>)>,
        devices: &Devices,
    ) -> Result<Retained, Error> {
        let body = match (bodies.get(&self.id), self.body) {
            (Some((key, sealed)), _) => {
                let opened = app.data_keys.open(&app.db, &app.sealer, *key, (tenant, self.id), sealed).await;
                Some(opened.with_context(|| format!("the raw bytes of uplink {}", self.id)).map_err(Error::internal)?)
            }
            (None, unsealed) => unsealed,
        };
        let body_hash = self.body_hash.try_into();
        Ok(Retained {
            has_bytes: body.is_some(),
            received: Received {
                id: self.id,
                received_at: self.received_at,
                captured_at: self.captured_at,
                channel: self.channel,
                content_type: self.content_type,
                body: body.unwrap_or_default(),
                body_hash: body_hash.map_err(|_length| Error::internal(anyhow::anyhow!("a body_hash is 32 bytes")))?,
            },
            device: self.device_id.and_then(|device| devices.known.get(&device).cloned().flatten()),
            hub: devices.hubs.get(&HubId(self.source_id)).cloned().flatten(),
            outcome: self.outcome,
            quarantined: self.quarantined,
        })
    }
}

/// The sealed bytes of a page, wherever they are by now.
async fn bodies(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    rows: &[Row],
) -> QueryResult<HashMap<UplinkId, (i32, Vec<u8>)>> {
    #[derive(QueryableByName)]
    struct Body {
        #[diesel(sql_type = SqlUuid)]
        uplink_id: UplinkId,
        #[diesel(sql_type = Integer)]
        key_id: i32,
        #[diesel(sql_type = Bytea)]
        body: Vec<u8>,
    }
    let times = || rows.iter().map(|row| row.received_at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(HashMap::new()) };
    let found: Vec<Body> = diesel::sql_query(
        "SELECT uplink_id, key_id, body FROM uplink_body WHERE received_at BETWEEN $2 AND $3 AND tenant_id = $1 AND uplink_id = ANY($4) \
         UNION ALL SELECT uplink_id, key_id, body FROM uplink_body_kept WHERE tenant_id = $1 AND uplink_id = ANY($4)",
    )
    .bind::<SqlUuid, _>(tenant)
    .bind::<Timestamptz, _>(first)
    .bind::<Timestamptz, _>(last)
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| (row.uplink_id, (row.key_id, row.body))).collect())
}
