//! The shared handles, built once from the configuration. No globals: whoever needs one of these gets the [`App`].

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::HttpServer;
use actix_web::dev::{Server, Service as _};
use actix_web::web::{Data, PayloadConfig};
use anyhow::Context;
use db::{Db, DbSettings, TenantId};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::config::{Config, Rate};
use crate::fhir::{Concepts, IdentifierSystems, Specification};
use crate::fleet::{self, FeedFormats, LiveDecoders, PairingLimits};
use crate::forward::{self, Doorbell};
use crate::ingest::{self, AppsSeen, Bounds, Clocks, Intake, Shadows, Sources, Tables};
use crate::platform::clock::AppClock;
use crate::platform::data_keys::DataKeys;
use crate::platform::installation;
use crate::platform::metrics::{HttpLabel, Metrics};
use crate::platform::outbound::Outbound;
use crate::platform::rate_limit::RateLimit;
use crate::platform::seal::Sealer;
use crate::platform::sealed_column::SealedColumn;
use crate::routes;

/// The app as handlers receive it.
pub type AppData = Data<App>;

/// Everything that requests and background work share.
pub struct App {
    /// Typed configuration.
    pub config: Config,
    /// How others reach us, without a slash at the end.
    pub public_url: String,
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: AppClock,
    /// Counters for Prometheus.
    pub metrics: Arc<Metrics>,
    /// Seals secrets at rest.
    pub sealer: Sealer,
    /// Seal and open raw bytes.
    pub data_keys: DataKeys,
    /// The one way out: guarded HTTP.
    pub outbound: Outbound,
    /// Who this installation is to the outside: the namespace of stable identifiers.
    pub installation: Uuid,
    /// Which decoder serves which model.
    pub decoders: LiveDecoders,
    /// What vendors' clouds send.
    pub feed_formats: FeedFormats,
    /// Vitals, units and dispositions.
    pub tables: Arc<Tables>,
    /// R4 definitions: what is validated and indexed by.
    pub(crate) specification: Specification,
    /// Interned codes and categories.
    pub(crate) concepts: Concepts,
    /// Interned identifier systems.
    pub(crate) identifier_systems: IdentifierSystems,
    /// Where uplinks queue for the group commit.
    pub intake: Intake,
    /// Which device a token belongs to.
    pub sources: Sources,
    /// Which phones were here a moment ago.
    pub apps_seen: AppsSeen,
    /// Decoder versions beside those that serve, on live uplinks.
    pub shadows: Shadows,
    /// How far the devices' clocks are off.
    pub clocks: Clocks,
    /// Uplinks a second and source.
    pub ingest_limits: RateLimit,
    /// API requests a second and client.
    pub api_limits: RateLimit,
    /// Wrong tokens a second and address.
    pub guess_limits: RateLimit<IpAddr>,
    /// Pairing codes that may be tried.
    pub pairing_limits: PairingLimits,
    /// Decodes at the same time.
    pub decode_slots: Arc<Semaphore>,
    /// Wakes the forwarder.
    pub doorbell: Doorbell,
    /// Set when the server was told to stop: `/readyz` says no, requests in flight finish.
    pub draining: AtomicBool,
}

impl App {
    /// The base of a tenant's FHIR interface, as EHRs configure it.
    #[must_use]
    pub fn fhir_base(&self, tenant: TenantId) -> String {
        format!("{}/t/{tenant}/fhir/r4", self.public_url)
    }

    /// The system of our stable identifiers: `urn:uuid:<installation>`.
    #[must_use]
    pub fn identifier_system(&self) -> String {
        format!("urn:uuid:{}", self.installation)
    }

    /// Says no to new work from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether the server was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}

/// Database connections: requests, committers, forwarder.
const CONNECTIONS: usize = 24;
/// How long a request waits for a connection before it is told to come again.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// Wrong tokens that one address may show.
const GUESSES: Rate = Rate { per_second: 5, burst: 50 };

impl App {
    /// Builds everything that is shared. `bound` is where the server listens.
    ///
    /// # Errors
    /// Why it cannot serve: roles that would void row-level security, a decoder that fails its own examples, a bad table.
    pub async fn build(config: Config, database_url: &str, bound: SocketAddr) -> anyhow::Result<Self> {
        let db =
            Db::new(&DbSettings { url: database_url.to_owned(), connections: CONNECTIONS, wait: CONNECTION_WAIT })?;
        db.check_roles().await?;
        let clock = AppClock::default();
        let installation = installation::identify(&db).await?;
        let tables = Arc::new(Tables::load()?);
        let decoders = LiveDecoders::load(&config, &db, &tables.units, &tables.vitals).await?;
        let (sealer, data_keys) = open_keys(&config, &db).await?;
        let metrics = Metrics::default();
        let bounds =
            Bounds { rows: config.ingest.queue_rows, bytes: config.ingest.queue_bytes, wait: config.ingest.queue_wait };
        Ok(Self {
            public_url: config.public_url_for(bound),
            outbound: Outbound::new(config.outbound_allow.clone())?,
            intake: Intake::new(bounds, metrics.ingest_refusals.clone()),
            metrics: Arc::new(metrics),
            ingest_limits: RateLimit::new(config.ingest.rate_per_source),
            api_limits: RateLimit::new(config.api_rate_per_client),
            guess_limits: RateLimit::new(GUESSES),
            pairing_limits: PairingLimits::default(),
            decode_slots: Arc::new(Semaphore::new(config.ingest.decode_threads)),
            specification: Specification::load().map_err(anyhow::Error::new)?,
            concepts: Concepts::default(),
            identifier_systems: IdentifierSystems::default(),
            sources: Sources::default(),
            apps_seen: AppsSeen::default(),
            shadows: Shadows::default(),
            clocks: Clocks::load()?,
            doorbell: Doorbell::default(),
            draining: AtomicBool::new(false),
            config,
            db,
            clock,
            sealer,
            data_keys,
            installation,
            decoders,
            feed_formats: FeedFormats::load()?,
            tables,
        })
    }
}

/// The keys, once it is certain that what the database holds opens with them: a wrong key is an error at the start, not at
/// the first read.
///
/// # Errors
/// Which key is missing.
pub async fn open_keys(config: &Config, db: &Db) -> anyhow::Result<(Sealer, DataKeys)> {
    let sealer = config.sealer()?;
    let checked = async {
        let data_keys = DataKeys::load(db, &sealer).await?;
        for column in sealed_columns() {
            column.check(db, &sealer).await?;
        }
        anyhow::Ok(data_keys)
    };
    let data_keys = checked.await.context(
        "the database holds what was sealed with another key. Set secret_key to the key that it was sealed with (secret.key of the data directory that belongs to this database), or add that key to secret_keys_previous; see docs/retention-and-keys.md",
    )?;
    Ok((sealer, data_keys))
}

/// Every column that the server's key seals, besides the data keys.
#[must_use]
pub fn sealed_columns() -> [SealedColumn; 6] {
    [
        fleet::SEALED_VARIABLES,
        fleet::SEALED_HUB_VARIABLES,
        fleet::SEALED_FEED_SECRETS,
        fleet::SEALED_TOKENS,
        forward::SEALED_CREDENTIALS,
        ingest::SEALED_PASSWORDS,
    ]
}

/// The HTTP server over a bound listener: requests in flight get `grace` to finish when it is stopped.
///
/// # Errors
/// When the listener cannot be used.
pub fn http_server(app: Arc<App>, listener: TcpListener, grace: Duration) -> std::io::Result<Server> {
    let data = Data::from(app);
    let body_limit = data.config.max_body_bytes;
    let server = HttpServer::new(move || {
        let metrics = Arc::clone(&data.metrics);
        let app = routes::build(actix_web::App::new().app_data(data.clone()).app_data(PayloadConfig::new(body_limit)));
        app.wrap_fn(move |request, service| {
            let metrics = Arc::clone(&metrics);
            let surface = surface(request.path());
            let started = Instant::now();
            let answer = service.call(request);
            async move {
                let answer = answer.await;
                let status = match &answer {
                    Ok(response) => response.status(),
                    Err(error) => error.as_response_error().status_code(),
                };
                metrics.http_requests.get_or_create(&HttpLabel { surface, class: class(status.as_u16()) }).inc();
                metrics.http_seconds.observe(started.elapsed().as_secs_f64());
                answer
            }
        })
    });
    let server = server
        .workers(thread::available_parallelism().map_or(2, std::num::NonZero::get))
        .shutdown_timeout(grace.as_secs().max(1))
        .disable_signals()
        .client_request_timeout(Duration::from_secs(30))
        .listen(listener)?;
    Ok(server.run())
}

fn surface(path: &str) -> &'static str {
    if path.starts_with("/ingest/") {
        "ingest"
    } else if path.starts_with("/api/") {
        "api"
    } else if path.starts_with("/fhir/") || path.starts_with("/t/") {
        "fhir"
    } else {
        "other"
    }
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
