//! One post of a vendor: which feed, whether it is the vendor's, and every item's way.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::web::Bytes;
use db::{CredentialId, FeedId};

use super::authenticate::{Shown, is_authentic, needs_body};
use super::pull;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::{FeedSnapshot, load_feed};
use crate::identity::{SourceIdentity, SourceKind};
use crate::ingest::envelope::ENVELOPE;
use crate::ingest::hubs::{HubReceipt, take_envelope, take_payload};
use crate::ingest::intake::Ticket;
use crate::ingest::read_upload::{Upload, check_key, media_type, received};
use crate::ingest::receive_uplink::{refuse_draining, refused_as};
use crate::ingest::sources::KnownHub;
use crate::platform::metrics::OutcomeLabel;

/// Longest name of an account in the address.
const MAX_ACCOUNT: usize = 128;

/// A request as it came in.
pub(super) struct Post<'a> {
    pub(super) feed: FeedId,
    pub(super) peer: Option<IpAddr>,
    pub(super) shown: Shown<'a>,
    /// `?account=`.
    pub(super) account: Option<String>,
    pub(super) content_type: String,
    pub(super) captured_at: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

/// Takes a post all the way: the answer comes after the last commit, with its status.
///
/// # Errors
/// 401, 403, 404, 413, 415, 422, 429, 503 as DESIGN §7 says; nothing is kept then.
pub(super) async fn receive(
    app: &Arc<App>,
    post: Post<'_>,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<(u16, HubReceipt), Error> {
    let result = receive_from(app, post, body).await;
    match &result {
        Ok((_, receipt)) => {
            for item in &receipt.items {
                app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome: item.outcome }).inc();
            }
            if receipt.items.is_empty() {
                app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome: receipt.outcome }).inc();
            }
        }
        Err(error) => {
            app.metrics.uplinks.get_or_create(&OutcomeLabel { outcome: refused_as(error) }).inc();
        }
    }
    result.map(|(status, receipt)| (vendors_status(status, &receipt), receipt))
}

async fn receive_from(
    app: &Arc<App>,
    post: Post<'_>,
    body: impl Future<Output = Result<(Bytes, Ticket), Error>>,
) -> Result<(u16, HubReceipt), Error> {
    refuse_draining(app)?;
    let feed = find(app, post.feed, post.peer).await?;
    if !needs_body(&feed.authentication) {
        admit(app, &feed, &post, &[])?;
    }
    let (body, ticket) = body.await?;
    if needs_body(&feed.authentication) {
        admit(app, &feed, &post, &body)?;
    }
    let received_at = app.clock.now();
    let key = post.idempotency_key.as_deref().map(check_key).transpose()?;
    let upload = Upload {
        token: String::new(),
        // The account that the address names stands where a payload's channel does, so that a replay knows it.
        channel: post.account.as_deref().map(check_account).transpose()?.unwrap_or_default().to_owned(),
        content_type: post.content_type,
        captured_at: post.captured_at,
        idempotency_key: None,
        delivery: None,
    };
    if feed.client.is_some() && is_form(&upload.content_type) {
        let what = pull::receive(app, feed.carrier.tenant, post.feed, &body, received_at).await?;
        let receipt =
            HubReceipt { uplink: None, outcome: "notified", reason: Some(what.to_owned()), items: Vec::new() };
        return Ok((200, receipt));
    }
    let media_type = media_type(&upload, &body)?;
    let hub = carrier(&feed);
    if media_type == ENVELOPE {
        return take_envelope(app, &hub, &body, received_at, key).await;
    }
    let received = received(&upload, &body, media_type, received_at)?;
    take_payload(app, &hub, &received, key, &ticket).await
}

/// The feed that the address names.
///
/// # Errors
/// 404; 429 for an address that guesses.
pub(super) async fn find(app: &App, feed: FeedId, peer: Option<IpAddr>) -> Result<FeedSnapshot, Error> {
    let found = load_feed(app, feed).await;
    if found.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
        slow_down(app, peer)?;
    }
    found
}

/// Lets a post in that is the vendor's, of a feed that is active.
fn admit(app: &App, feed: &FeedSnapshot, post: &Post<'_>, body: &[u8]) -> Result<(), Error> {
    let now = app.clock.now();
    let secrets = feed.secrets.as_ref();
    if !secrets.is_some_and(|secrets| is_authentic(&feed.authentication, secrets, post.shown, body, now)) {
        slow_down(app, post.peer)?;
        return Err(Error::new(
            Kind::Unauthenticated,
            "feed.unauthenticated",
            "This is not authenticated as the feed asks for: its header, signature, user and password, or parameter is missing or wrong.",
        ));
    }
    app.ingest_limits.check(&feed.carrier.id.0)?;
    if !feed.carrier.active {
        return Err(Error::forbidden(
            "feed.deactivated",
            "This feed is deactivated: nothing was kept. Activate it, then send again.",
        ));
    }
    Ok(())
}

/// Whoever guesses is slowed down; a vendor behind the same address that shows its secret is not.
fn slow_down(app: &App, peer: Option<IpAddr>) -> Result<(), Error> {
    peer.map_or(Ok(()), |peer| app.guess_limits.check(&peer))
}

/// A feed as what carries devices. It has no credential of its own in the table of tokens: its authentication was checked,
/// and the commit asks whether its settings are still those.
pub(super) fn carrier(feed: &FeedSnapshot) -> KnownHub {
    let identity = SourceIdentity {
        credential: CredentialId(uuid::Uuid::nil()),
        tenant: feed.carrier.tenant,
        kind: SourceKind::Feed,
        source: feed.carrier.id.0,
    };
    KnownHub { identity, hub: feed.carrier.clone() }
}

/// Whether the body is a form, as Withings writes notifications.
fn is_form(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(pull::FORM)
}

fn check_account(account: &str) -> Result<&str, Error> {
    let account = account.trim();
    if (1..=MAX_ACCOUNT).contains(&account.chars().count()) && !account.chars().any(char::is_control) {
        return Ok(account);
    }
    Err(Error::field("?account", format!("1 to {MAX_ACCOUNT} printable characters")))
}

/// The status that a vendor acts on: everything is kept, or deliberately not (200), or all of it has to be sent again.
/// Vendors repeat whatever is not answered with 2xx, and some give up on an address that refuses often: therefore what would
/// be refused the next time as well is told in the body.
fn vendors_status(status: u16, receipt: &HubReceipt) -> u16 {
    if receipt.items.iter().any(|item| item.status == 429 || item.status >= 500) {
        return 503;
    }
    match status {
        200..=299 | 403 => 200,
        other => other,
    }
}
