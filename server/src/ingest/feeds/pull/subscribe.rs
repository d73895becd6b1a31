//! The vendor is asked to announce an account's data at the feed's address, with the secret that holds now.

use crate::app::App;
use crate::fleet::withings::{SUBSCRIBED, Subscription, Trouble, change_subscription, subscriptions};
use crate::fleet::{Authentication, FeedSnapshot};

use super::fetch::with_token;
use super::store::Pull;

/// Subscribes what is not subscribed to yet; what is announced at the feed's address with another secret is ended, because
/// it would be refused here.
///
/// # Errors
/// [`Trouble`].
pub async fn subscribe(app: &App, feed: &FeedSnapshot, pull: &Pull) -> Result<(), Trouble> {
    let (client, _) = feed.api()?;
    let base = format!("{}/ingest/v1/feeds/{}", app.public_url, pull.feed_id);
    let address = address(feed, &base)?;
    with_token(app, feed, &pull.external_id, |token| {
        let (base, address) = (&base, &address);
        async move {
            let there = subscriptions(&app.outbound, client, &token).await?;
            for appli in SUBSCRIBED {
                let wanted = Subscription { appli, callbackurl: address.clone() };
                if !there.contains(&wanted) {
                    change_subscription(&app.outbound, client, &token, "subscribe", &wanted).await?;
                }
            }
            for old in there.iter().filter(|old| old.callbackurl.starts_with(base) && old.callbackurl != *address) {
                change_subscription(&app.outbound, client, &token, "revoke", old).await?;
            }
            Ok(())
        }
    })
    .await
}

/// Where the vendor is to post: its notifications show nothing but what stands in the address.
fn address(feed: &FeedSnapshot, base: &str) -> Result<String, Trouble> {
    let secret = feed.secrets.as_ref().map(|secrets| secrets.current.as_str());
    match (&feed.authentication, secret) {
        (Authentication::Query { parameter }, Some(secret)) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(parameter, secret).finish();
            Ok(format!("{base}?{query}"))
        }
        (_, None) => Err(Trouble::Later("the feed's secret is missing: set it".to_owned())),
        _ => Err(Trouble::Later(
            "the vendor can only show what stands in the address: set the feed's authentication to `query`".to_owned(),
        )),
    }
}
