//! One lane under lease: batch after batch, until nothing is due or the endpoint wants a pause.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exchange::{Peer, Presence};
use super::prepare::{self, Batch, Item};
use super::{BREAKER_THRESHOLD, DATABASE_PAUSE};
use crate::app::App;
use crate::error::Error;
use crate::forward::model;
use crate::forward::store::lanes::{self, Lease};
use crate::forward::store::settle::{self, Failed, Finished, Health};
use crate::forward::verdict::{EntryVerdict, Refusal, Retry, Verdict};
use crate::platform::metrics::OutcomeLabel;

/// Batches before the lane is given back, so that others get their turn.
const BATCHES: usize = 20;
/// Questions to an endpoint at the same time, each about another identifier.
const QUESTIONS: usize = 4;
/// A renewal younger than this is not repeated.
const RENEWED_LATELY: Duration = Duration::from_millis(250);
/// Attempts at content that a server calls a conflict: it may be one of the moment.
const CONFLICT_ATTEMPTS: i32 = 3;

/// Attempts after which a search that never answers holds a create up no longer: on a server with conditional creates
/// nothing can happen twice, and on others a person decides sooner or later.
const SEARCH_ATTEMPTS: i32 = 8;

/// Sends on one lane.
pub(super) struct LaneWorker {
    app: Arc<App>,
    stop: CancellationToken,
    lease: Lease,
    renewed_at: Instant,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// There may be more.
    More,
    /// Nothing more to do here now.
    Rest,
    /// The lane is somebody else's.
    Lost,
}

/// What is written after an exchange, in one transaction.
#[derive(Debug, Default)]
struct Settlement {
    delivered: Vec<Finished>,
    cancelled: Vec<Finished>,
    failed: Vec<Failed>,
    health: Option<Health>,
}

impl LaneWorker {
    pub(super) fn new(app: Arc<App>, stop: CancellationToken, lease: Lease, claimed_at: Instant) -> Self {
        Self { app, stop, lease, renewed_at: claimed_at }
    }

    /// Works, and gives the lane back. After a failure of the database it is not given back: what was in flight is unknown,
    /// and the next holder must know that.
    pub(super) async fn run(mut self) {
        for _ in 0..BATCHES {
            if self.stop.is_cancelled() {
                break;
            }
            match Box::pin(self.turn()).await {
                Ok(Flow::More) => {}
                Ok(Flow::Rest) => break,
                Ok(Flow::Lost) => return,
                Err(error) => {
                    tracing::warn!(endpoint.id = %self.lease.endpoint, lane = self.lease.lane, %error, "a lane is left, the database failed");
                    return;
                }
            }
        }
        if let Err(error) = self.release().await {
            tracing::debug!(endpoint.id = %self.lease.endpoint, %error, "a lane could not be given back; its lease runs out");
        }
    }

    async fn turn(&mut self) -> Result<Flow, Error> {
        let started = Instant::now();
        let mut transaction = self.app.db.begin_worker().await?;
        if !lanes::renew_lane(&mut transaction, &self.lease, self.app.config.forward.lease).await? {
            return Ok(Flow::Lost);
        }
        let batch = prepare::load(&self.app, &mut transaction, &self.lease).await?;
        transaction.commit().await?;
        self.renewed_at = started;
        let Some(batch) = batch else { return Ok(Flow::Rest) };
        self.deliver(batch).await
    }

    async fn deliver(&mut self, batch: Batch) -> Result<Flow, Error> {
        let Batch { endpoint, items, unsendable, gone } = batch;
        if !unsendable.is_empty() || !gone.is_empty() {
            let failed = unsendable
                .into_iter()
                .map(|(id, version, reason)| dead(vec![(id, version)], None, reason, None))
                .collect();
            if !self.settle(Settlement { cancelled: gone, failed, ..Settlement::default() }).await? {
                return Ok(Flow::Lost);
            }
        }
        if items.is_empty() {
            return Ok(Flow::More);
        }
        let app = self.app.clone();
        let peer = match Peer::new(&app, &endpoint) {
            Ok(peer) => peer,
            Err(verdict) => return self.judge(items, verdict, endpoint.failures, &mut Vec::new()).await,
        };
        let (asked, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.ambiguous && item.entry.first_version);
        let mut parts = Vec::new();
        if !asked.is_empty() {
            match self.ask(&peer, asked, endpoint.failures).await? {
                (Flow::More, missing) => parts.push(items.into_iter().chain(missing).collect::<Vec<_>>()),
                (flow, _missing) => return Ok(flow),
            }
        } else {
            parts.push(items);
        }
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if !self.renew().await? {
                return Ok(Flow::Lost);
            }
            let entries: Vec<_> = part.iter().map(|item| &item.entry).collect();
            let verdict = peer.transact(&entries).await;
            let flow = self.judge(part, verdict, endpoint.failures, &mut parts).await?;
            if flow != Flow::More || self.stop.is_cancelled() {
                return Ok(if flow == Flow::Lost { flow } else { Flow::Rest });
            }
        }
        Ok(Flow::More)
    }

    /// Asks the endpoint which creates of unclear outcome took effect; those are done. Answers the others, for as far as
    /// the endpoint answers.
    async fn ask(&mut self, peer: &Peer<'_>, items: Vec<Item>, failures: i32) -> Result<(Flow, Vec<Item>), Error> {
        let mut missing = Vec::new();
        let mut rest = items;
        while !rest.is_empty() {
            if !self.renew().await? {
                return Ok((Flow::Lost, Vec::new()));
            }
            let later = rest.split_off(rest.len().min(QUESTIONS));
            let answers: Vec<(Item, Presence)> = stream::iter(rest)
                .map(|item| async move {
                    let presence = peer.presence(&item.entry.identifier).await;
                    (item, presence)
                })
                .buffered(QUESTIONS)
                .collect()
                .await;
            rest = later;
            let mut found = Vec::new();
            let mut unanswered: Option<(Vec<Item>, Verdict)> = None;
            for (item, presence) in answers {
                match presence {
                    Presence::There(location) => found.push(Finished { id: item.id, version: item.version, location }),
                    Presence::Unknown => missing.push(item),
                    Presence::NoAnswer(Verdict::Retry(_)) if item.attempts >= SEARCH_ATTEMPTS => missing.push(item),
                    Presence::NoAnswer(verdict) => unanswered.get_or_insert_with(|| (Vec::new(), verdict)).0.push(item),
                }
            }
            if !found.is_empty()
                && !self
                    .settle(Settlement { delivered: found, health: Some(Health::Success), ..Settlement::default() })
                    .await?
            {
                return Ok((Flow::Lost, Vec::new()));
            }
            if let Some((unanswered, verdict)) = unanswered {
                let flow = self.judge(unanswered, verdict, failures, &mut Vec::new()).await?;
                return Ok((if flow == Flow::Lost { flow } else { Flow::Rest }, Vec::new()));
            }
        }
        Ok((Flow::More, missing))
    }

    /// Writes down what a verdict means for the deliveries it is about; parts that are to be tried again by themselves go
    /// to `parts`.
    async fn judge(
        &mut self,
        mut part: Vec<Item>,
        verdict: Verdict,
        failures: i32,
        parts: &mut Vec<Vec<Item>>,
    ) -> Result<Flow, Error> {
        let mut settlement = Settlement::default();
        let mut flow = Flow::More;
        match verdict {
            Verdict::Answered(answers) => {
                settlement.health = Some(Health::Success);
                for (item, answer) in part.into_iter().zip(answers) {
                    match answer {
                        EntryVerdict::Done(location) => {
                            settlement.delivered.push(Finished { id: item.id, version: item.version, location });
                        }
                        EntryVerdict::Refused(refusal) => settlement.failed.push(self.refused(&item, refusal)),
                        EntryVerdict::Retry(retry) => settlement.failed.extend(self.retried(&[item], &retry)),
                    }
                }
            }
            Verdict::Refused(refusal) => {
                settlement.health = Some(Health::Answering);
                if let [item] = part.as_slice() {
                    settlement.failed.push(self.refused(item, refusal));
                } else {
                    // The one at fault is in one of the halves; the older half goes first.
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
            }
            Verdict::Retry(retry) => {
                settlement.failed = self.retried(&part, &retry);
                settlement.health = self.health_after(&retry, failures);
                flow = Flow::Rest;
            }
            Verdict::Endpoint { status, reason } => {
                // Which deliveries were in it says nothing about them: none is given up, all wait for the endpoint.
                let deliveries = part.iter().map(|item| (item.id, item.version)).collect();
                let pause = self.backoff(1);
                settlement.failed.push(Failed {
                    deliveries,
                    dead: false,
                    counts: false,
                    ambiguous: false,
                    pause,
                    status,
                    reason: reason.clone(),
                    outcome: None,
                });
                settlement.health =
                    Some(Health::Failure { reason, pause: self.circuit_pause(failures), at_once: true });
                flow = Flow::Rest;
            }
        }
        Ok(if self.settle(settlement).await? { flow } else { Flow::Lost })
    }

    fn refused(&self, item: &Item, refusal: Refusal) -> Failed {
        let Refusal { status, reason, outcome } = refusal;
        if status == 409 && item.attempts + 1 < CONFLICT_ATTEMPTS {
            let pause = self.backoff(item.attempts + 1);
            let deliveries = vec![(item.id, item.version)];
            return Failed {
                deliveries,
                dead: false,
                counts: true,
                ambiguous: false,
                pause,
                status: Some(status),
                reason,
                outcome,
            };
        }
        dead(vec![(item.id, item.version)], Some(status), reason, outcome)
    }

    /// The deliveries of a failure that passes: most wait, those at their limit are given up.
    fn retried(&self, part: &[Item], retry: &Retry) -> Vec<Failed> {
        let limits = &self.app.config.forward;
        let reached = retry.status.is_some() || retry.ambiguous;
        let over = |item: &&Item| {
            let tried = i64::from(item.attempts) + 1;
            let old = u64::try_from(item.age_seconds).unwrap_or_default() >= limits.max_age.as_secs();
            old || (reached && tried >= i64::from(limits.max_attempts))
        };
        let (given_up, waiting): (Vec<&Item>, Vec<&Item>) = part.iter().partition(over);
        let ids = |items: &[&Item]| items.iter().map(|item| (item.id, item.version)).collect::<Vec<_>>();
        let mut failed = Vec::new();
        if let Some(first) = given_up.first() {
            let reason = format!(
                "gave up after {} attempts and {} hours; the last: {}",
                first.attempts + 1,
                first.age_seconds / 3600,
                retry.reason
            );
            let mut dead = dead(ids(&given_up), retry.status, reason, retry.outcome.clone());
            dead.ambiguous = retry.ambiguous;
            failed.push(dead);
        }
        if !waiting.is_empty() {
            let attempts = waiting.iter().map(|item| item.attempts).max().unwrap_or_default();
            let quiet = if retry.in_flight { limits.request_timeout / 3 } else { Duration::ZERO };
            let named = retry.after.map(|after| self.clamp(after)).unwrap_or_default();
            failed.push(Failed {
                deliveries: ids(&waiting),
                dead: false,
                counts: reached,
                ambiguous: retry.ambiguous,
                pause: self.backoff(attempts + 1).max(quiet).max(named),
                status: retry.status,
                reason: retry.reason.clone(),
                outcome: retry.outcome.clone(),
            });
        }
        failed
    }

    fn health_after(&self, retry: &Retry, failures: i32) -> Option<Health> {
        match retry.after {
            Some(after) => Some(Health::Pause(self.clamp(after))),
            None if retry.endpoint_at_fault => Some(Health::Failure {
                reason: retry.reason.clone(),
                pause: self.circuit_pause(failures),
                at_once: false,
            }),
            None => None,
        }
    }

    /// What a server asks for, within reason.
    fn clamp(&self, after: Duration) -> Duration {
        after.clamp(Duration::from_secs(1), self.app.config.forward.backoff_max.max(Duration::from_secs(1)))
    }

    fn backoff(&self, attempt: i32) -> Duration {
        let forward = &self.app.config.forward;
        model::backoff(u32::try_from(attempt).unwrap_or(1), forward.backoff_base, forward.backoff_max, model::random())
    }

    /// How long a circuit stays open after so many failures before this one.
    fn circuit_pause(&self, failures: i32) -> Duration {
        self.backoff((failures + 2).saturating_sub(BREAKER_THRESHOLD).max(1))
    }

    /// Writes a settlement behind the fence; false when the lane is somebody else's. A database that is away for a moment
    /// is waited for, as long as the lane is ours: losing what is known would mean asking the endpoint again.
    async fn settle(&self, settlement: Settlement) -> Result<bool, Error> {
        let until = self.renewed_at + self.app.config.forward.lease;
        loop {
            match self.try_settle(&settlement).await {
                Ok(true) => {
                    self.count(&settlement);
                    return Ok(true);
                }
                Ok(false) => {
                    tracing::warn!(endpoint.id = %self.lease.endpoint, lane = self.lease.lane, "a lane was taken over before its results were written");
                    return Ok(false);
                }
                Err(error) if Instant::now() + DATABASE_PAUSE < until => {
                    tracing::debug!(%error, "results of deliveries cannot be written yet");
                    tokio::time::sleep(DATABASE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_settle(&self, settlement: &Settlement) -> Result<bool, Error> {
        let mut transaction = self.app.db.begin_worker().await?;
        if !lanes::fence(&mut transaction, &self.lease).await? {
            return Ok(false);
        }
        let Lease { tenant, endpoint, .. } = self.lease;
        settle::finish(&mut transaction, tenant, &settlement.delivered, "delivered").await?;
        settle::finish(&mut transaction, tenant, &settlement.cancelled, "cancelled").await?;
        for failed in &settlement.failed {
            settle::fail(&mut transaction, tenant, failed).await?;
        }
        if let Some(health) = &settlement.health {
            settle::note_health(&mut transaction, (tenant, endpoint), health, BREAKER_THRESHOLD).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    fn count(&self, settlement: &Settlement) {
        let count = |outcome, by: usize| {
            if by > 0 {
                self.app.metrics.deliveries.get_or_create(&OutcomeLabel { outcome }).inc_by(by as u64);
            }
        };
        count("delivered", settlement.delivered.len());
        count("cancelled", settlement.cancelled.len());
        for failed in &settlement.failed {
            count(if failed.dead { "dead" } else { "retry" }, failed.deliveries.len());
            tracing::info!(
                tenant.id = %self.lease.tenant, endpoint.id = %self.lease.endpoint, lane = self.lease.lane, status = failed.status,
                deliveries = failed.deliveries.len(), dead = failed.dead, ambiguous = failed.ambiguous, reason = %failed.reason,
                "deliveries failed"
            );
        }
    }

    async fn renew(&mut self) -> Result<bool, Error> {
        if self.renewed_at.elapsed() < RENEWED_LATELY {
            return Ok(true);
        }
        let now = Instant::now();
        let mut transaction = self.app.db.begin_worker().await?;
        let ours = lanes::renew_lane(&mut transaction, &self.lease, self.app.config.forward.lease).await?;
        transaction.commit().await?;
        self.renewed_at = now;
        Ok(ours)
    }

    async fn release(&self) -> Result<(), Error> {
        let mut transaction = self.app.db.begin_worker().await?;
        lanes::release_lane(&mut transaction, &self.lease).await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn dead(
    deliveries: Vec<(db::DeliveryId, i32)>,
    status: Option<u16>,
    reason: String,
    outcome: Option<String>,
) -> Failed {
    Failed { deliveries, dead: true, counts: true, ambiguous: false, pause: Duration::ZERO, status, reason, outcome }
}
