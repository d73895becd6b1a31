//! The items of a vendor's payload, as what a hub carries; devices that are known by their identifiers are linked on the way.

use std::collections::BTreeSet;

use db::FeedId;

use super::cut::{Cut, Piece, cut};
use crate::app::App;
use crate::error::Error;
use crate::fleet::{HubSnapshot, link_known, normal_address};
use crate::ingest::envelope::Frame;
use crate::ingest::hubs::{Content, Item, JSON, MOST_ITEMS, Parts};
use crate::ingest::model::Received;

/// Cuts a feed's payload. The account that the address named is the payload's channel.
///
/// # Errors
/// The database's error.
pub async fn items(app: &App, feed: &HubSnapshot, received: &Received) -> Result<Parts, Error> {
    let Some(format) = app.feed_formats.find(&feed.model) else {
        return Ok(Parts::Undecodable(
            "no-decoder".to_owned(),
            "this server does not know the feed's format".to_owned(),
        ));
    };
    let account = Some(received.channel.as_str()).filter(|account| !account.is_empty());
    let pieces = match cut(format, &received.body, account) {
        Cut::Items(pieces) if pieces.is_empty() => return Ok(Parts::Nothing("no-measurement".to_owned())),
        Cut::Items(pieces) if pieces.len() <= MOST_ITEMS => pieces,
        Cut::Items(_) => {
            let detail = format!("more than {MOST_ITEMS} items in one payload");
            return Ok(Parts::Undecodable("output-too-large".to_owned(), detail));
        }
        Cut::Malformed(detail) => return Ok(Parts::Undecodable("malformed".to_owned(), detail)),
    };
    let items: Vec<Item> = pieces.into_iter().map(item).collect();
    let ids: BTreeSet<String> =
        items.iter().map(|item| item.address.clone()).filter(|address| !address.is_empty()).collect();
    link_known(app, feed.tenant, FeedId(feed.id.0), format, ids).await?;
    Ok(Parts::Items(items))
}

fn item(piece: Piece) -> Item {
    let (address, content) = match piece {
        Piece::Of(name, body) => {
            let frame = Frame { channel: String::new(), data: body.into_bytes(), captured_at: None };
            (normal_address(&name), Content::Frame(frame, JSON))
        }
        Piece::Nobodys(detail) => (String::new(), Content::Refused("no-account", detail)),
        Piece::Announcement(detail) => (String::new(), Content::Refused("announcement", detail)),
    };
    Item { address, id: None, device_type: None, content }
}
