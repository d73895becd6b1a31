//! The typed configuration, and the only place that reads the environment, `afferent.toml` and files of secrets.
//!
//! `config.default.toml` beside this file is both the manual and the defaults. The environment wins over the file, the
//! file over the defaults. Every problem is reported at once; unknown keys are problems.

mod layers;
mod secret;
mod secret_key;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;
use zeroize::Zeroizing;

use self::layers::Reader;
pub use self::secret::Secret;
use crate::platform::seal::Sealer;

/// Every key, its meaning and its default, as commented TOML: what `afferent` prints as a starting point.
pub const DEFAULT_CONFIG: &str = include_str!("config.default.toml");

/// The configuration of one server process. The keys are the fields' names; see [`DEFAULT_CONFIG`] for their meaning.
#[derive(Debug, Clone)]
pub struct Config {
    /// `listen`: where HTTP is served.
    pub listen: SocketAddr,
    /// `public_url`: how others reach us, if it was set; see [`Config::public_url_for`].
    pub public_url: Option<Url>,
    /// `data_dir`: what is kept outside the database, and the private database.
    pub data_dir: PathBuf,
    /// `shutdown_grace`: the time to finish after SIGTERM.
    pub shutdown_grace: Duration,
    /// `database_url`, or a private Postgres.
    pub database_url: Option<Secret<String>>,
    /// `postgres_binaries` of the private Postgres.
    pub postgres_binaries: Option<PathBuf>,
    /// `postgres_run_as`: the account of the private Postgres, for root.
    pub postgres_run_as: Option<String>,
    /// `secret_key`, if it was set; see [`Config::secret_key_or_create`].
    pub secret_key: Option<Secret<[u8; 32]>>,
    /// `secret_keys_previous`: keys that sealed what is still to be opened.
    pub secret_keys_previous: Option<Secret<Vec<[u8; 32]>>>,
    /// `data_key_days`: how long one key seals raw payloads before the next is made.
    pub data_key_days: u32,
    /// `oidc_issuer`: where people sign in; local accounts when `None`.
    pub oidc_issuer: Option<Url>,
    /// `outbound_allow`: private networks that outbound calls may reach.
    pub outbound_allow: Vec<IpNet>,
    /// `metrics_token`: what `/metrics` asks for; only the machine itself when `None`.
    pub metrics_token: Option<Secret<String>>,
    /// `api_rate_per_client` and `api_burst_per_client`.
    pub api_rate_per_client: Rate,
    /// `max_body_bytes`: the largest request body.
    pub max_body_bytes: usize,
    /// `ingest_…` and `decode_threads`.
    pub ingest: IngestConfig,
    /// `decoder_dir`: additional decoders to load at start.
    pub decoder_dir: Option<PathBuf>,
    /// `uplink_retention_days`: how long raw payloads are kept, where a tenant has no days of its own; 1 to 365.
    pub uplink_retention_days: u32,
    /// `uplink_passport_days`: how long the facts of their receipt are kept; 366 at least.
    pub uplink_passport_days: u32,
    /// `delivery_log_days`: how long finished deliveries are kept; 7 at least.
    pub delivery_log_days: u32,
    /// `forward_…`.
    pub forward: ForwardConfig,
    /// `log`: a level or filter, as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
    /// `log_format`.
    pub log_format: LogFormat,
}

/// Bounds of the way in.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// `ingest_batch_rows`: payloads in one group commit.
    pub batch_rows: usize,
    /// `ingest_batch_bytes`: their bytes.
    pub batch_bytes: usize,
    /// `ingest_queue_rows`: payloads that may wait before sources get 503.
    pub queue_rows: usize,
    /// `ingest_queue_bytes`: what they may weigh.
    pub queue_bytes: usize,
    /// `ingest_queue_wait`: how long one may wait for its commit.
    pub queue_wait: Duration,
    /// `ingest_committers`: group commits in flight.
    pub committers: usize,
    /// `decode_threads`: threads that run decoders.
    pub decode_threads: usize,
    /// `ingest_rate_per_source` and `ingest_burst_per_source`.
    pub rate_per_source: Rate,
}

/// Bounds of the way out to EHR systems.
#[derive(Debug, Clone)]
pub struct ForwardConfig {
    /// `forward_request_timeout`: of one request.
    pub request_timeout: Duration,
    /// `forward_lease`: how long a worker owns what it took; always longer than the request timeout.
    pub lease: Duration,
    /// `forward_backoff_base`: the pause after the first failure.
    pub backoff_base: Duration,
    /// `forward_backoff_max`: the longest pause.
    pub backoff_max: Duration,
    /// `forward_max_attempts` before a delivery becomes a dead letter.
    pub max_attempts: u32,
    /// `forward_max_age` before a delivery becomes a dead letter.
    pub max_age: Duration,
    /// `forward_batch_size`: deliveries in one Bundle.
    pub batch_size: usize,
    /// `forward_workers`: requests in flight.
    pub workers: usize,
}

/// A limit in the long run, and what may come at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests per second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything that is wrong with the configuration.
#[derive(Debug)]
pub struct ConfigError {
    /// One sentence each; names keys and files, never a secret's value.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => write!(f, "the configuration has a problem: {problem}"),
            problems => {
                write!(f, "the configuration has {} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads this process' environment and `afferent.toml` (from the working directory, or as `AFFERENT_CONFIG` says).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_process() -> Result<Self, ConfigError> {
        let mut unreadable = Vec::new();
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                match value.into_string() {
                    Ok(value) => Some((name, value)),
                    Err(_not_text) => {
                        unreadable.push(name);
                        None
                    }
                }
            })
            .collect();
        unreadable.retain(|name| name.starts_with("AFFERENT_") || name.starts_with("DATABASE_URL"));
        if !unreadable.is_empty() {
            let problems = unreadable.into_iter().map(|name| format!("{name} is not UTF-8 text")).collect();
            return Err(ConfigError { problems });
        }
        Self::load(environment, Some(Path::new("afferent.toml")))
    }

    /// Reads the environment as handed in, and `file` if it exists (`AFFERENT_CONFIG` in the environment names another,
    /// which must exist). Besides `AFFERENT_…` and `DATABASE_URL` the environment's `XDG_DATA_HOME` and `HOME` count, for
    /// the default of `data_dir`. Creates nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem.
    pub fn load(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let default_data_dir = default_data_dir(&environment);
        let mut reader = Reader::new(environment, file, DEFAULT_CONFIG);
        let config = Self::read(&mut reader, default_data_dir);
        let (_, problems) = reader.finish();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    fn read(reader: &mut Reader, default_data_dir: Option<PathBuf>) -> Self {
        let data_dir = reader.optional("data_dir", values::path).or(default_data_dir).unwrap_or_else(|| {
            reader.problem(
                "data_dir is not set, and there is no HOME to derive it from: set AFFERENT_DATA_DIR".to_owned(),
            );
            PathBuf::new()
        });
        let max_body_bytes = reader.value("max_body_bytes", 0, values::byte_size);
        Self {
            listen: reader.value("listen", SocketAddr::from(([127, 0, 0, 1], 8080)), values::socket_address),
            public_url: reader.optional("public_url", values::web_address),
            // Postgres and the decoders' cache change their working directory: no path of ours depends on it.
            data_dir: std::path::absolute(&data_dir).unwrap_or(data_dir),
            shutdown_grace: reader.value("shutdown_grace", Duration::ZERO, values::duration),
            database_url: reader.secret("database_url", values::database_url),
            postgres_binaries: reader.optional("postgres_binaries", values::path),
            postgres_run_as: reader.optional("postgres_run_as", values::text),
            secret_key: reader.secret("secret_key", values::key),
            secret_keys_previous: reader.secret("secret_keys_previous", values::keys),
            data_key_days: reader.value("data_key_days", 0, |text| values::days(text, 1, 365)),
            oidc_issuer: reader.optional("oidc_issuer", values::web_address),
            outbound_allow: reader.list("outbound_allow", values::network),
            metrics_token: reader.secret("metrics_token", values::secret_text),
            api_rate_per_client: read_rate(reader, "api_rate_per_client", "api_burst_per_client"),
            max_body_bytes,
            ingest: IngestConfig::read(reader, max_body_bytes),
            decoder_dir: reader.optional("decoder_dir", values::path),
            uplink_retention_days: reader.value("uplink_retention_days", 0, |text| values::days(text, 1, 365)),
            // Longer than the raw payloads of any tenant: those are found by their passport.
            uplink_passport_days: reader.value("uplink_passport_days", 0, |text| values::days(text, 366, 36_500)),
            delivery_log_days: reader.value("delivery_log_days", 0, |text| values::days(text, 7, 36_500)),
            forward: ForwardConfig::read(reader),
            log: reader.value("log", String::new(), values::text),
            log_format: reader.value("log_format", LogFormat::Text, LogFormat::parse),
        }
    }

    /// How others reach us: `public_url`, or an address made of what we are bound to (with port 0 only known then).
    #[must_use]
    pub fn public_url_for(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        // "All addresses" is nothing that anybody can connect to.
        let address = if bound.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bound.ip() };
        format!("http://{}", SocketAddr::new(address, bound.port()))
    }

    /// `secret_key`, or the one in `data_dir/secret.key`, which is made when there is none.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when that file cannot be read or made, or holds something else.
    pub fn secret_key_or_create(&self) -> Result<Secret<[u8; 32]>, ConfigError> {
        match &self.secret_key {
            Some(key) => Ok(key.clone()),
            None => {
                secret_key::read_or_create(&self.data_dir).map_err(|problem| ConfigError { problems: vec![problem] })
            }
        }
    }
}

impl Config {
    /// What seals and opens secrets: `secret_key` (see [`Config::secret_key_or_create`]), and to open also
    /// `secret_keys_previous` and `data_dir/secret.key.previous`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a file of keys cannot be read, or holds something else.
    pub fn sealer(&self) -> Result<Sealer, ConfigError> {
        let current = self.secret_key_or_create()?;
        let in_file =
            secret_key::previous(&self.data_dir).map_err(|problem| ConfigError { problems: vec![problem] })?;
        let mut previous = Zeroizing::new(Vec::new());
        for keys in self.secret_keys_previous.iter().chain(&in_file) {
            previous.extend_from_slice(keys.expose());
        }
        Ok(Sealer::with_previous(current.expose(), &previous))
    }
}

impl IngestConfig {
    fn read(reader: &mut Reader, max_body_bytes: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let ingest = Self {
            batch_rows: reader.value("ingest_batch_rows", 0, values::positive),
            batch_bytes: reader.value("ingest_batch_bytes", 0, values::byte_size),
            queue_rows: reader.value("ingest_queue_rows", 0, values::positive),
            queue_bytes: reader.value("ingest_queue_bytes", 0, values::byte_size),
            queue_wait: reader.value("ingest_queue_wait", Duration::ZERO, values::duration),
            committers: reader.value("ingest_committers", 0, values::positive),
            decode_threads: reader.value("decode_threads", cores, values::positive),
            rate_per_source: read_rate(reader, "ingest_rate_per_source", "ingest_burst_per_source"),
        };
        if ingest.queue_rows < ingest.batch_rows {
            reader.problem("ingest_queue_rows is smaller than ingest_batch_rows: a batch could never fill".to_owned());
        }
        if ingest.queue_bytes < max_body_bytes.saturating_mul(4) {
            reader.problem(
                "ingest_queue_bytes is smaller than four times max_body_bytes: a large payload could never be let in"
                    .to_owned(),
            );
        }
        ingest
    }
}

impl ForwardConfig {
    fn read(reader: &mut Reader) -> Self {
        let forward = Self {
            request_timeout: reader.value("forward_request_timeout", Duration::ZERO, values::duration),
            lease: reader.value("forward_lease", Duration::MAX, values::duration),
            backoff_base: reader.value("forward_backoff_base", Duration::ZERO, values::duration),
            backoff_max: reader.value("forward_backoff_max", Duration::MAX, values::duration),
            max_attempts: reader.value("forward_max_attempts", 0, values::positive),
            max_age: reader.value("forward_max_age", Duration::ZERO, values::duration),
            batch_size: reader.value("forward_batch_size", 0, values::positive),
            workers: reader.value("forward_workers", 0, values::positive),
        };
        if forward.lease <= forward.request_timeout {
            reader.problem(
                "forward_lease must be longer than forward_request_timeout: else two workers could send the same delivery"
                    .to_owned(),
            );
        }
        if forward.backoff_max < forward.backoff_base {
            reader.problem("forward_backoff_max is shorter than forward_backoff_base".to_owned());
        }
        forward
    }
}

impl LogFormat {
    fn parse(value: &str) -> Result<Self, String> {
        match value {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("is neither \"text\" nor \"json\"".to_owned()),
        }
    }
}

fn read_rate(reader: &mut Reader, rate_key: &str, burst_key: &str) -> Rate {
    Rate {
        per_second: reader.value(rate_key, 0, values::positive),
        burst: reader.value(burst_key, 0, values::positive),
    }
}

/// `/var/lib/afferent` for root, else the XDG base directory for data (XDG Base Directory Specification).
fn default_data_dir(environment: &[(String, String)]) -> Option<PathBuf> {
    if nix::unistd::Uid::effective().is_root() {
        return Some(PathBuf::from("/var/lib/afferent"));
    }
    let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| Path::new(value));
    // The specification says to ignore relative paths.
    let data_home = variable("XDG_DATA_HOME").filter(|path| path.is_absolute()).map(Path::to_path_buf);
    let home = variable("HOME").filter(|path| path.is_absolute());
    data_home.or_else(|| home.map(|home| home.join(".local/share"))).map(|folder| folder.join("afferent"))
}
