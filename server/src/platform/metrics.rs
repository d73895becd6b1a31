//! What Prometheus reads at `/metrics`. No label names a tenant, a device or a person.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Label of the uplink counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// stored, duplicate, nothing, undecodable …
    pub outcome: &'static str,
}

/// Label of open items: what they wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// quarantine, held or incomplete.
    pub kind: &'static str,
}

/// Label of partitioned tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TableLabel {
    /// uplink, `uplink_body` or `delivery_log`.
    pub table: &'static str,
}

/// Label of uplinks that were turned away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BoundLabel {
    /// The bound that was met: rows, bytes, decode, wait.
    pub bound: &'static str,
}

/// Label of commits whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FateLabel {
    /// What was found out: committed, rolled-back, unknown.
    pub fate: &'static str,
}

/// Label of MQTT messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MessageLabel {
    /// What became of it: taken, refused, retained.
    pub fate: &'static str,
}

/// Labels of HTTP requests: the surface, never the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpLabel {
    /// api, fhir, ingest or other.
    pub surface: &'static str,
    /// 2xx, 4xx …
    pub class: &'static str,
}

/// All metrics of the server.
pub struct Metrics {
    registry: Registry,
    /// Uplinks by what became of them.
    pub uplinks: Family<OutcomeLabel, Counter>,
    /// Observations stored from readings.
    pub observations: Counter,
    /// Uplinks that wait for the group commit.
    pub ingest_queue: Gauge,
    /// Bytes of uplinks that were let in and are not answered, and of bodies that are arriving.
    pub ingest_queue_bytes: Gauge,
    /// Uplinks that were turned away by a bound of the queue.
    pub ingest_refusals: Family<BoundLabel, Counter>,
    /// Commits that were tried again because of the database.
    pub ingest_retries: Counter,
    /// Batches that were halved because of an item.
    pub ingest_bisections: Counter,
    /// Uplinks that could not be stored and were quarantined alone.
    pub ingest_poison: Counter,
    /// Commits whose answer was lost, by what became of them.
    pub ingest_in_doubt: Family<FateLabel, Counter>,
    /// Uplinks a group commit.
    pub commit_batch: Histogram,
    /// Seconds a group commit took.
    pub commit_seconds: Histogram,
    /// Seconds a decode took.
    pub decode_seconds: Histogram,
    /// Fuel that decoders burnt.
    pub decode_fuel: Counter,
    /// MQTT messages by what became of them.
    pub mqtt_messages: Family<MessageLabel, Counter>,
    /// MQTT messages that wait for their commit.
    pub mqtt_in_flight: Gauge,
    /// MQTT sessions of this process that are connected.
    pub mqtt_sessions: Gauge,
    /// MQTT connections that could not be made, or ended.
    pub mqtt_failures: Counter,
    /// Attempts at MQTT messages that have to be made again.
    pub mqtt_retries: Counter,
    /// Delivery attempts by what became of them: delivered, retry, dead.
    pub deliveries: Family<OutcomeLabel, Counter>,
    /// Deliveries that wait.
    pub deliveries_pending: Gauge,
    /// Deliveries that were given up and wait for a person.
    pub deliveries_dead: Gauge,
    /// Age of the oldest waiting delivery.
    pub delivery_lag_seconds: Gauge<f64, AtomicU64>,
    /// Whole days after today that partitions are there for; -1 when today's is missing.
    pub partition_days_ahead: Family<TableLabel, Gauge>,
    /// Open items that expire within two weeks.
    pub open_items_expiring: Family<KindLabel, Gauge>,
    /// Open items that nobody settled in time.
    pub open_items_expired: Family<KindLabel, Counter>,
    /// How far the server's clock is ahead of the database's.
    pub clock_offset_seconds: Gauge<f64, AtomicU64>,
    /// HTTP requests.
    pub http_requests: Family<HttpLabel, Counter>,
    /// Seconds an HTTP request took.
    pub http_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("afferent");
        let metrics = Self {
            uplinks: Family::default(),
            observations: Counter::default(),
            ingest_queue: Gauge::default(),
            ingest_queue_bytes: Gauge::default(),
            ingest_refusals: Family::default(),
            ingest_retries: Counter::default(),
            ingest_bisections: Counter::default(),
            ingest_poison: Counter::default(),
            ingest_in_doubt: Family::default(),
            commit_batch: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            commit_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 14)),
            decode_seconds: Histogram::new(exponential_buckets(0.000_01, 2.0, 16)),
            decode_fuel: Counter::default(),
            mqtt_messages: Family::default(),
            mqtt_in_flight: Gauge::default(),
            mqtt_sessions: Gauge::default(),
            mqtt_failures: Counter::default(),
            mqtt_retries: Counter::default(),
            deliveries: Family::default(),
            deliveries_pending: Gauge::default(),
            deliveries_dead: Gauge::default(),
            delivery_lag_seconds: Gauge::default(),
            partition_days_ahead: Family::default(),
            open_items_expiring: Family::default(),
            open_items_expired: Family::default(),
            clock_offset_seconds: Gauge::default(),
            http_requests: Family::default(),
            http_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            registry: Registry::default(),
        };
        registry.register("ingest_uplinks", "Uplinks by what became of them", metrics.uplinks.clone());
        registry.register("ingest_observations", "Observations stored from readings", metrics.observations.clone());
        metrics.register_queue(&mut registry);
        metrics.register_mqtt(&mut registry);
        registry.register("ingest_commit_batch", "Uplinks a group commit", metrics.commit_batch.clone());
        registry.register_with_unit(
            "ingest_commit",
            "Time a group commit took",
            Unit::Seconds,
            metrics.commit_seconds.clone(),
        );
        registry.register_with_unit("decode", "Time a decode took", Unit::Seconds, metrics.decode_seconds.clone());
        registry.register("decode_fuel", "Fuel that decoders burnt", metrics.decode_fuel.clone());
        registry.register("forward_attempts", "Delivery attempts by what became of them", metrics.deliveries.clone());
        registry.register("forward_pending", "Deliveries that wait", metrics.deliveries_pending.clone());
        registry.register("forward_dead", "Deliveries given up, waiting for a person", metrics.deliveries_dead.clone());
        registry.register_with_unit(
            "forward_lag",
            "Age of the oldest waiting delivery",
            Unit::Seconds,
            metrics.delivery_lag_seconds.clone(),
        );
        metrics.register_storage(&mut registry);
        registry.register("http_requests", "HTTP requests", metrics.http_requests.clone());
        registry.register_with_unit(
            "http_request",
            "Time an HTTP request took",
            Unit::Seconds,
            metrics.http_seconds.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_storage(&self, registry: &mut Registry) {
        registry.register(
            "partition_days_ahead",
            "Whole days after today that partitions are there for; -1 when today's is missing",
            self.partition_days_ahead.clone(),
        );
        registry.register(
            "open_items_expiring",
            "Open items that expire within two weeks unless somebody settles them",
            self.open_items_expiring.clone(),
        );
        registry.register(
            "open_items_expired",
            "Open items closed because nobody settled them in time",
            self.open_items_expired.clone(),
        );
        registry.register_with_unit(
            "clock_offset",
            "How far the server's clock is ahead of the database's",
            Unit::Seconds,
            self.clock_offset_seconds.clone(),
        );
    }

    fn register_queue(&self, registry: &mut Registry) {
        registry.register("ingest_queue", "Uplinks let in and not answered", self.ingest_queue.clone());
        registry.register_with_unit(
            "ingest_queue",
            "Bytes of uplinks let in and not answered",
            Unit::Bytes,
            self.ingest_queue_bytes.clone(),
        );
        registry.register("ingest_refusals", "Uplinks turned away by a bound", self.ingest_refusals.clone());
        registry.register("ingest_commit_retries", "Commits tried again", self.ingest_retries.clone());
        registry.register("ingest_bisections", "Batches halved because of an item", self.ingest_bisections.clone());
        registry.register("ingest_poison", "Uplinks quarantined because not storable", self.ingest_poison.clone());
        registry.register("ingest_in_doubt", "Commits whose answer was lost", self.ingest_in_doubt.clone());
    }

    fn register_mqtt(&self, registry: &mut Registry) {
        registry.register("mqtt_messages", "MQTT messages by what became of them", self.mqtt_messages.clone());
        registry.register("mqtt_in_flight", "MQTT messages that wait for their commit", self.mqtt_in_flight.clone());
        registry.register("mqtt_sessions", "MQTT sessions that are connected", self.mqtt_sessions.clone());
        registry.register("mqtt_failures", "MQTT connections not made, or ended", self.mqtt_failures.clone());
        registry.register("mqtt_retries", "MQTT messages that were tried again", self.mqtt_retries.clone());
    }

    /// Counts an MQTT message.
    pub fn mqtt_message(&self, fate: &'static str) {
        self.mqtt_messages.get_or_create(&MessageLabel { fate }).inc();
    }

    /// The text that Prometheus scrapes (`OpenMetrics`).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }
}
