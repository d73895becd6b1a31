//! The shared handles, built once from the configuration. No globals: whoever needs one of these gets the [`App`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web::Data;
use db::{Db, TenantId};
use uuid::Uuid;

use crate::config::Config;
use crate::fleet::Decoders;
use crate::forward::Doorbell;
use crate::ingest::{Intake, Tables};
use crate::platform::clock::Clock;
use crate::platform::metrics::Metrics;
use crate::platform::outbound::Outbound;
use crate::platform::seal::Sealer;

/// The app as handlers receive it.
pub type AppData = Data<App>;

/// Everything that requests and background work share.
pub struct App {
    /// Typed configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Counters for Prometheus.
    pub metrics: Arc<Metrics>,
    /// Seals secrets at rest.
    pub sealer: Sealer,
    /// The one way out: guarded HTTP.
    pub outbound: Outbound,
    /// Who this installation is to the outside: the namespace of stable identifiers.
    pub installation: Uuid,
    /// Which decoder serves which model.
    pub decoders: Decoders,
    /// Vitals, units and dispositions.
    pub tables: Arc<Tables>,
    /// Where uplinks queue for the group commit.
    pub intake: Intake,
    /// Wakes the forwarder.
    pub doorbell: Doorbell,
    /// Set when the server was told to stop: `/readyz` says no, requests in flight finish.
    pub draining: AtomicBool,
}

impl App {
    /// The base of a tenant's FHIR interface, as EHRs configure it.
    #[must_use]
    pub fn fhir_base(&self, tenant: TenantId) -> String {
        format!("{}/t/{tenant}/fhir/r4", self.config.public_url.trim_end_matches('/'))
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
