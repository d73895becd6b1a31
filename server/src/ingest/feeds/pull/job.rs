//! Fetches what was announced, in this process or another, until it is told to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use db::{TenantScope, UplinkId};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fetch::{Span, fetch, with_token};
use super::store::{self, Later, Pull};
use super::subscribe::subscribe;
use crate::app::App;
use crate::error::Error;
use crate::fleet::withings::Trouble;
use crate::fleet::{FeedSnapshot, authorizations, load_feed};
use crate::ingest::feeds::receive_feed_uplink::carrier;
use crate::ingest::hubs::{JSON, take_payload};
use crate::ingest::model::Received;

/// How often it is looked whether anything is due.
const PAUSE: Duration = Duration::from_millis(500);
/// Accounts that one process pulls at the same time.
const AT_ONCE: usize = 8;
/// A try may take this long; what is left then waits for the next one.
const TRY: Duration = Duration::from_secs(180);
/// A try's lease: its time, and that of a last page with its refresh and commit.
const LEASE: TimeDelta = TimeDelta::minutes(6);
/// What one series of pages covers.
const WINDOW: TimeDelta = TimeDelta::days(31);
/// Pages of one window: more would be a vendor that goes round in circles.
const MOST_PAGES: usize = 100;
/// What a vendor that says "too many" is given.
const SLOWER: TimeDelta = TimeDelta::seconds(60);
/// The longest pause between tries.
const LONGEST: TimeDelta = TimeDelta::hours(4);
/// After so many tries in vain, which take six days, a pull is given up and shown.
const MOST_TRIES: i32 = 48;

/// What became of a try.
enum Became {
    /// All of it is committed.
    Done,
    /// Some is committed, the rest is tried at once.
    GoesOn,
    /// It did not succeed.
    Failed(Trouble),
}

/// Goes on with what is due until it is told to stop. What it is in the middle of is left with its lease, which ends.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut pulling = JoinSet::new();
    loop {
        while pulling.try_join_next().is_some() {}
        let due = match claim(&app, AT_ONCE.saturating_sub(pulling.len())).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(%error, "pulls could not be looked up; they are asked for again");
                Vec::new()
            }
        };
        for pull in due {
            let app = Arc::clone(&app);
            pulling.spawn(async move { one(&app, &pull).await });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn claim(app: &App, free: usize) -> Result<Vec<Pull>, Error> {
    if free == 0 {
        return Ok(Vec::new());
    }
    let mut transaction = app.db.begin_worker().await?;
    let limit = i64::try_from(free).unwrap_or(1);
    let due = store::claim(&mut transaction, app.clock.now(), LEASE, limit).await?;
    transaction.commit().await?;
    Ok(due)
}

/// One pull, to its end or back among those that wait.
async fn one(app: &Arc<App>, pull: &Pull) {
    let began = app.clock.now();
    let became = pull_all(app, pull).await.unwrap_or_else(Became::Failed);
    if let Err(error) = settle(app, pull, began, became).await {
        tracing::debug!(feed.id = %pull.feed_id, %error, "a pull could not be settled; its lease ends by itself");
    }
}

async fn settle(app: &App, pull: &Pull, began: DateTime<Utc>, became: Became) -> Result<(), Error> {
    let now = app.clock.now();
    let mut transaction = TenantScope::one(pull.tenant_id).begin(&app.db).await?;
    match became {
        Became::Done => {
            store::finish(&mut transaction, pull).await?;
            authorizations::was_taken(&mut transaction, pull.account(), began).await?;
        }
        Became::GoesOn => {
            let later = Later { state: "waiting", attempts: 0, next_at: now, reason: None };
            store::put_back(&mut transaction, pull, &later).await?;
        }
        Became::Failed(trouble) => {
            let (state, pause, reason) = what_now(pull.attempts, &trouble);
            if state == "dead" {
                tracing::warn!(tenant.id = %pull.tenant_id, feed.id = %pull.feed_id, pull.id = %pull.id, %reason, "a pull was given up");
            }
            let later = Later { state, attempts: pull.attempts, next_at: now + pause, reason: Some(&reason) };
            store::put_back(&mut transaction, pull, &later).await?;
            if trouble == Trouble::TooMany {
                store::pause(&mut transaction, pull.tenant_id, pull.feed_id, now + pause).await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// State, pause and reason after a try in vain.
fn what_now(attempts: i32, trouble: &Trouble) -> (&'static str, TimeDelta, String) {
    let doublings = u32::try_from(attempts.clamp(1, 15) - 1).unwrap_or(0);
    let backoff = TimeDelta::seconds(i64::from(2_u32.pow(doublings))).min(LONGEST);
    let state = if attempts >= MOST_TRIES { "dead" } else { "waiting" };
    let (state, pause) = match trouble {
        Trouble::Consent(_) => ("unauthorized", TimeDelta::zero()),
        Trouble::TooMany => (state, backoff.max(SLOWER)),
        _ => (state, backoff),
    };
    (state, pause, trouble.to_string())
}

/// Fetches every window and commits it, as far as the time of a try reaches.
async fn pull_all(app: &Arc<App>, pull: &Pull) -> Result<Became, Trouble> {
    let feed = load_feed(app, pull.feed_id).await?;
    if pull.kind == "subscription" {
        return subscribe(app, &feed, pull).await.map(|()| Became::Done);
    }
    let Some(until) = pull.range_until else {
        pages(app, &feed, pull, Span::ChangedSince(pull.range_from)).await?;
        return Ok(Became::Done);
    };
    let least = if pull.kind == "activity" { TimeDelta::days(1) } else { TimeDelta::hours(1) };
    let (mut from, mut width, began) = (pull.range_from, WINDOW, Instant::now());
    loop {
        let end = (from + width).min(until);
        match pages(app, &feed, pull, Span::Within(from, end)).await {
            // A page is what the vendor makes it: fewer days, fewer bytes.
            Err(Trouble::TooLarge) if width > least => {
                width = (width / 2).max(least);
                continue;
            }
            other => other?,
        }
        if end >= until {
            return Ok(Became::Done);
        }
        from = end;
        if !advance(app, pull, from).await? || began.elapsed() > TRY {
            return Ok(Became::GoesOn);
        }
    }
}

/// Notes how far it is committed; false when the pull is another process's by now.
async fn advance(app: &App, pull: &Pull, from: DateTime<Utc>) -> Result<bool, Error> {
    let mut transaction = TenantScope::one(pull.tenant_id).begin(&app.db).await?;
    let is_ours = store::advance(&mut transaction, pull, from).await? > 0;
    transaction.commit().await?;
    Ok(is_ours)
}

/// Every page of a span, each committed before the next is asked for.
async fn pages(app: &Arc<App>, feed: &FeedSnapshot, pull: &Pull, span: Span) -> Result<(), Trouble> {
    let (client, _) = feed.api()?;
    let (mut offset, began) = (None, Instant::now());
    for _ in 0..MOST_PAGES {
        let page = with_token(app, feed, &pull.external_id, |token| async move {
            fetch(app, client, &pull.kind, span, offset, &token).await
        })
        .await?;
        commit(app, feed, pull, page.text).await?;
        match page.next {
            Some(next) if offset.is_none_or(|before| next > before) => offset = Some(next),
            _ => return Ok(()),
        }
        if began.elapsed() > TRY {
            return Err(Trouble::Later("the vendor is slow: there are more pages than a try has time for".to_owned()));
        }
    }
    Err(Trouble::Later(format!("the vendor answers more than {MOST_PAGES} pages for one range")))
}

/// A page goes the way of a post: the account is the one that it was asked for.
async fn commit(app: &Arc<App>, feed: &FeedSnapshot, pull: &Pull, text: Vec<u8>) -> Result<(), Trouble> {
    let ticket = app.intake.admit(text.len()).map_err(|bound| app.intake.refusal(bound))?;
    let received = Received {
        id: UplinkId::generate(),
        received_at: app.clock.now(),
        captured_at: None,
        channel: pull.external_id.clone(),
        content_type: JSON.to_owned(),
        body_hash: Sha256::digest(&text).into(),
        body: text,
    };
    let (status, receipt) = take_payload(app, &carrier(feed), &received, None, &ticket).await?;
    let again = |status: u16| status == 429 || status >= 500;
    if again(status) || receipt.items.iter().any(|item| again(item.status)) {
        return Err(Trouble::Later("what was fetched could not be committed".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_bounded_and_last_for_days() {
        let trouble = Trouble::Later("away".to_owned());
        let total: TimeDelta = (1..MOST_TRIES).map(|attempts| what_now(attempts, &trouble).1).sum();
        assert!(total > TimeDelta::days(5) && total < TimeDelta::days(7), "{total}");
        assert_eq!(what_now(1, &trouble), ("waiting", TimeDelta::seconds(1), "away".to_owned()));
        assert_eq!(what_now(MOST_TRIES, &trouble).0, "dead");
        assert_eq!(what_now(1, &Trouble::TooMany).1, SLOWER);
        let consent = Trouble::Consent("c".to_owned());
        assert_eq!(what_now(MOST_TRIES, &consent).0, "unauthorized", "the owner is waited for");
    }
}
