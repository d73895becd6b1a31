//! When an installation last showed its token: written once a minute at most, so that it costs an uplink nothing.

use std::time::Duration;

use db::AppInstallationId;
use moka::future::Cache;

use crate::app::App;
use crate::fleet;
use crate::identity::{SourceIdentity, SourceKind};

/// How exact it is.
const EXACT: Duration = Duration::from_secs(60);
/// Installations remembered at most.
const REMEMBERED: u64 = 100_000;

/// Installations whose row says already that they were seen within a minute.
pub struct Seen {
    noted: Cache<AppInstallationId, ()>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { noted: Cache::builder().max_capacity(REMEMBERED).time_to_live(EXACT).build() }
    }
}

/// Notes that an installation was here; nothing for other sources. That it cannot be noted is no reason to refuse anything.
pub async fn saw(app: &App, source: &SourceIdentity) {
    if source.kind != SourceKind::App {
        return;
    }
    let installation = AppInstallationId(source.source);
    if app.apps_seen.noted.contains_key(&installation) {
        return;
    }
    app.apps_seen.noted.insert(installation, ()).await;
    if let Err(error) = fleet::note_seen(app, source.tenant, installation, app.clock.now()).await {
        tracing::debug!(app.id = %installation, %error, "when an app was seen could not be noted");
    }
}
