//! The clocks that this process has seen: in memory, and written through when what is known changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use db::{DeviceId, TenantId};
use moka::future::Cache;

use super::measure::{ClockRules, Correction, DeviceClock, Sample};
use super::store;
use crate::app::App;
use crate::error::Error;

/// Devices remembered at most; each takes a few hundred bytes.
const REMEMBERED: u64 = 100_000;
/// Other processes measure too: what they wrote is read again after so long.
const GOOD_FOR: Duration = Duration::from_secs(600);

/// A clock, and what of it was written.
#[derive(Default)]
struct Remembered {
    clock: DeviceClock,
    written: Option<DeviceClock>,
}

/// The memory of clocks.
#[derive(Clone)]
pub struct Clocks {
    rules: Arc<ClockRules>,
    known: Cache<DeviceId, Arc<Mutex<Remembered>>>,
}

impl Clocks {
    /// An empty memory.
    ///
    /// # Errors
    /// When the table of rules was edited wrongly.
    pub fn load() -> anyhow::Result<Self> {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD_FOR).build();
        Ok(Self { rules: Arc::new(ClockRules::load()?), known })
    }

    /// Takes what a payload says, and answers by what the device's times are corrected. A database that is away costs the
    /// measuring, not the payload.
    pub async fn correct(
        &self,
        app: &App,
        tenant: TenantId,
        device: DeviceId,
        sample: Option<Sample>,
    ) -> Option<Correction> {
        let loaded = self.known.try_get_with(device, look_up(app, tenant, device)).await;
        let remembered = match loaded {
            Ok(remembered) => remembered,
            Err(error) => {
                tracing::debug!(%error, device.id = %device, "what is known of a device's clock could not be read");
                return None;
            }
        };
        let (correction, to_write) = {
            let mut held = remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sample) = sample {
                held.clock.observe(sample, &self.rules);
            }
            let to_write = held.clock.differs(held.written.as_ref(), &self.rules).then(|| held.clock.clone());
            if let Some(clock) = &to_write {
                held.written = Some(clock.clone());
            }
            (held.clock.correction(&self.rules), to_write)
        };
        if let Some(clock) = to_write {
            let applied = correction.map(|correction| correction.offset.num_milliseconds());
            if let Err(error) = store::write(app, tenant, device, &clock, applied).await {
                tracing::warn!(%error, device.id = %device, "what is known of a device's clock could not be written");
            }
        }
        correction
    }
}

async fn look_up(app: &App, tenant: TenantId, device: DeviceId) -> Result<Arc<Mutex<Remembered>>, Error> {
    let written = store::read(app, tenant, device).await?;
    Ok(Arc::new(Mutex::new(Remembered { clock: written.clone().unwrap_or_default(), written })))
}
