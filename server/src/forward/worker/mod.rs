//! The forwarder: finds lanes with work, claims them, and sends on several at a time.
//!
//! It wakes by the doorbell (this process committed something), when the earliest pause is over, and at least once a second
//! (another process committed something).

mod exchange;
mod prepare;
mod send_lane;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use db::EndpointId;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model;
use super::store::deliveries;
use super::store::lanes::{self, Lease, ReadyLane};
use crate::app::App;
use crate::error::Error;
use send_lane::LaneWorker;

/// Another process may have committed something.
const POLL: Duration = Duration::from_secs(1);
/// Between two looks at the lanes: a doorbell that rings with every commit costs a query, not a flood of them.
const BREATH: Duration = Duration::from_millis(15);
/// Requests in flight to one endpoint, over all processes.
const LANES_AT_ONCE: i64 = 4;
/// Failures in a row after which an endpoint's circuit opens.
const BREAKER_THRESHOLD: i32 = 5;
/// Between two counts of what waits.
const COUNTING: Duration = Duration::from_secs(15);
/// Before the worker looks again when the database failed it.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Wakes the forwarder; rings that come while it works are one.
#[derive(Debug, Default)]
pub struct Doorbell {
    notify: Notify,
}

impl Doorbell {
    /// Says that deliveries were committed, or that an endpoint may be sent to again.
    pub fn ring(&self) {
        self.notify.notify_one();
    }
}

/// Forwards until told to stop; then what is in flight finishes. Dropped before that, its lanes count as abandoned: their
/// next holder asks the receiver before it creates.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let holder = Uuid::now_v7();
    let mut sending = JoinSet::new();
    let mut counted: Option<Instant> = None;
    while !stop.is_cancelled() {
        let wait = match dispatch(&app, holder, &stop, &mut sending).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "the forwarder cannot look for work");
                DATABASE_PAUSE
            }
        };
        if counted.is_none_or(|at| at.elapsed() >= COUNTING) {
            counted = Some(Instant::now());
            count(&app).await;
        }
        let looked = Instant::now();
        tokio::select! {
            () = stop.cancelled() => break,
            () = app.doorbell.notify.notified() => {}
            Some(_finished) = sending.join_next(), if !sending.is_empty() => {}
            () = tokio::time::sleep(wait) => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(looked + BREATH) => {}
        }
    }
    while sending.join_next().await.is_some() {}
}

/// Claims lanes and starts to send on them, as far as there is room. Answers how long nothing is due.
async fn dispatch(
    app: &Arc<App>,
    holder: Uuid,
    stop: &CancellationToken,
    sending: &mut JoinSet<()>,
) -> Result<Duration, Error> {
    while sending.try_join_next().is_some() {}
    let mut room = app.config.forward.workers.saturating_sub(sending.len());
    if room == 0 {
        return Ok(POLL);
    }
    let mut transaction = app.db.begin_worker().await?;
    let ready = lanes::ready_lanes(&mut transaction).await?;
    transaction.commit().await?;
    let wait = ready.iter().filter_map(|lane| u64::try_from(lane.due_in_ms).ok()).filter(|wait| *wait > 0).min();
    for lane in choose(&ready, model::random()) {
        if room == 0 {
            break;
        }
        let Some((lease, claimed_at)) = claim(app, holder, &lane).await? else { continue };
        let worker = LaneWorker::new(app.clone(), stop.clone(), lease, claimed_at);
        sending.spawn(worker.run());
        room -= 1;
    }
    Ok(wait.map_or(POLL, |wait| Duration::from_millis(wait + 1).min(POLL)))
}

/// The due lanes to send on, earliest first: a few of each endpoint, and a single one of an endpoint that is only being
/// tried again (its circuit was open). That one is drawn, so that it is not always the one that brings the server down.
fn choose(ready: &[ReadyLane], random: u64) -> Vec<ReadyLane> {
    let mut by_endpoint: HashMap<EndpointId, Vec<&ReadyLane>> = HashMap::new();
    let mut order = Vec::new();
    for lane in ready.iter().filter(|lane| lane.due_in_ms <= 0) {
        let of_endpoint = by_endpoint.entry(lane.endpoint_id).or_default();
        if of_endpoint.is_empty() {
            order.push(lane.endpoint_id);
        }
        of_endpoint.push(lane);
    }
    let mut queues: Vec<Vec<ReadyLane>> = Vec::new();
    for due in order.iter().filter_map(|endpoint| by_endpoint.get(endpoint)) {
        let (busy, failures) = due.first().map_or((0, 0), |lane| (lane.busy, lane.failures));
        let chosen: Vec<ReadyLane> = if failures >= BREAKER_THRESHOLD {
            let drawn = usize::try_from(random % due.len() as u64).unwrap_or_default();
            due.get(drawn).filter(|_lane| busy == 0).map(|lane| (*lane).clone()).into_iter().collect()
        } else {
            let free = usize::try_from(LANES_AT_ONCE - busy).unwrap_or_default();
            due.iter().take(free).map(|lane| (*lane).clone()).collect()
        };
        queues.push(chosen);
    }
    // In turn, so that one endpoint's backlog does not take all the room.
    let longest = queues.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).flat_map(|turn| queues.iter().filter_map(move |queue| queue.get(turn).cloned())).collect()
}

async fn claim(app: &App, holder: Uuid, lane: &ReadyLane) -> Result<Option<(Lease, Instant)>, Error> {
    let claimed_at = Instant::now();
    let at_most = i64::try_from(app.config.forward.batch_size).unwrap_or(i64::MAX).max(100);
    let mut transaction = app.db.begin_worker().await?;
    let key = (lane.tenant_id, lane.endpoint_id, lane.lane);
    let lease = lanes::claim_lane(&mut transaction, key, holder, app.config.forward.lease, at_most).await?;
    transaction.commit().await?;
    Ok(lease.map(|lease| (lease, claimed_at)))
}

/// Publishes how much waits.
async fn count(app: &App) {
    let counted = async {
        let mut transaction = app.db.begin_worker().await?;
        let backlog = deliveries::backlog(&mut transaction).await?;
        transaction.commit().await?;
        Ok::<_, Error>(backlog)
    };
    match counted.await {
        Ok(backlog) => {
            app.metrics.deliveries_pending.set(backlog.pending);
            app.metrics.deliveries_dead.set(backlog.dead);
            app.metrics.delivery_lag_seconds.set(backlog.lag_seconds);
        }
        Err(error) => tracing::debug!(%error, "waiting deliveries cannot be counted"),
    }
}

#[cfg(test)]
mod tests {
    use db::TenantId;

    use super::*;

    fn lane(endpoint: u128, lane: i16, due_in_ms: i64, busy: i64, failures: i32) -> ReadyLane {
        ReadyLane {
            tenant_id: TenantId(Uuid::nil()),
            endpoint_id: EndpointId(Uuid::from_u128(endpoint)),
            lane,
            due_in_ms,
            busy,
            failures,
        }
    }

    fn chosen(ready: &[ReadyLane], random: u64) -> Vec<(u128, i16)> {
        choose(ready, random).iter().map(|lane| (lane.endpoint_id.0.as_u128(), lane.lane)).collect()
    }

    #[test]
    fn endpoints_take_turns_and_have_a_bound() {
        let mut ready: Vec<_> = (0..10).map(|n| lane(1, n, -5, 1, 0)).collect();
        ready.push(lane(2, 7, 0, 0, 0));
        ready.push(lane(3, 7, 1, 0, 0));
        assert_eq!(chosen(&ready, 0), [(1, 0), (2, 7), (1, 1), (1, 2)]);
    }

    #[test]
    fn a_closed_circuit_is_tried_with_one_lane() {
        let ready: Vec<_> = (0..4).map(|n| lane(1, n, -5, 0, BREAKER_THRESHOLD)).collect();
        assert_eq!(chosen(&ready, 6), [(1, 2)]);
        let busy: Vec<_> = (0..4).map(|n| lane(1, n, -5, 1, BREAKER_THRESHOLD)).collect();
        assert_eq!(chosen(&busy, 6), []);
    }
}
