//! Items on their way: whose each is, its own decode, and the group commit that it shares with its neighbours.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::UplinkId;
use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use super::answer::{ItemReceipt, is_of_the_hub, plain};
use super::item::{Content, Item};
use super::keep::{self, Fate, Nobodys};
use super::receive_hub_uplink::{item_key, not_taken};
use crate::app::App;
use crate::error::Error;
use crate::fleet::DeviceSnapshot;
use crate::ingest::decode_uplink::decode;
use crate::ingest::decoded_body::{DecodedBody, READINGS};
use crate::ingest::envelope::Frame;
use crate::ingest::intake::Ticket;
use crate::ingest::joining;
use crate::ingest::model::{Received, Submission, Verdict};
use crate::ingest::receive_uplink::joined;
use crate::ingest::shadow::Sample;
use crate::ingest::sources::{self, KnownHub, KnownSource};

/// Items that are decoded before they are committed together.
const WINDOW: usize = 64;
/// How often an item is tried whose device's settings or pairing change while it is on its way.
const ROUNDS: usize = 3;

/// Where the items of a request come from.
pub(super) struct Origin<'a> {
    pub(super) hub: &'a KnownHub,
    /// Whether the hub has just sent them; not, when its payload is replayed.
    pub(super) is_live: bool,
    pub(super) received_at: DateTime<Utc>,
    /// When the hub made the payload, for items that do not say it themselves.
    pub(super) captured_at: Option<DateTime<Utc>>,
    pub(super) idempotency_key: Option<&'a str>,
    /// The hub's decoder, where one ran.
    pub(super) decoder: Option<(String, String)>,
    /// The payload as it was kept, and whether it is in quarantine.
    pub(super) payload: Option<(UplinkId, bool)>,
}

impl<'a> Origin<'a> {
    /// What a hub has just sent.
    pub(super) fn live(hub: &'a KnownHub, received_at: DateTime<Utc>, idempotency_key: Option<&'a str>) -> Self {
        Self { hub, is_live: true, received_at, captured_at: None, idempotency_key, decoder: None, payload: None }
    }

    fn source(&self, address: &str, device: &DeviceSnapshot) -> KnownSource {
        let mut source = self.hub.carrying(address, device.clone());
        if !self.is_live {
            source.carried_by = None;
        }
        source
    }
}

/// Takes every item as far as it goes; answers in the order of the items.
///
/// # Errors
/// 401 and 403 when the hub may not send any more, 503 when its settings were changed meanwhile; what was stored before
/// that is known when it comes again.
pub(super) async fn process(app: &Arc<App>, origin: &Origin<'_>, items: Vec<Item>) -> Result<Vec<ItemReceipt>, Error> {
    let mut work = Work { app, origin, answers: items.iter().map(|_| None).collect(), again: Vec::new(), full: false };
    let mut places: Vec<usize> = (0..items.len()).collect();
    for _ in 0..ROUNDS {
        let pass: Vec<(usize, &Item)> = places.iter().filter_map(|place| Some((*place, items.get(*place)?))).collect();
        work.pass(&pass).await?;
        places = std::mem::take(&mut work.again);
        if places.is_empty() {
            break;
        }
    }
    let answers = work.answers.into_iter().zip(items).enumerate();
    Ok(answers
        .map(|(index, (answer, item))| ItemReceipt {
            index,
            device: Some(item.address).filter(|address| !address.is_empty()),
            id: item.id,
            ..answer.unwrap_or_else(|| ItemReceipt::from(&not_taken(app)))
        })
        .collect())
}

/// An item that is decoded and waits for its commit.
struct Decoded {
    place: usize,
    submission: Submission,
    ticket: Ticket,
    /// For a version beside the one that serves, when it is committed.
    sample: Option<Sample>,
}

/// A request's items while they are worked on.
struct Work<'a> {
    app: &'a Arc<App>,
    origin: &'a Origin<'a>,
    answers: Vec<Option<ItemReceipt>>,
    /// Places to try once more, with what is known by then.
    again: Vec<usize>,
    /// The queue is full: what comes after is not taken either, so that order is kept.
    full: bool,
}

impl Work<'_> {
    /// One pass over items: each is answered, or is to be tried again.
    async fn pass(&mut self, items: &[(usize, &Item)]) -> Result<(), Error> {
        let addresses: BTreeSet<String> = items
            .iter()
            .filter(|(_, item)| matches!(item.content, Content::Frame(..) | Content::Readings(_)))
            .map(|(_, item)| item.address.clone())
            .collect();
        let devices = self.app.sources.carried(self.app, self.origin.hub, addresses).await?;
        let known: HashMap<&String, KnownSource> =
            devices.iter().map(|(address, device)| (address, self.origin.source(address, device))).collect();
        let mut window: Vec<Decoded> = Vec::with_capacity(WINDOW);
        let mut nobodys = Vec::new();
        for (place, item) in items {
            let Some((frame, media_type)) = self.bytes(*place, item)? else { continue };
            let Some(source) = known.get(&item.address) else {
                nobodys.push(self.nobodys(*place, item, frame, media_type));
                continue;
            };
            if !source.device.active {
                self.answer(*place, ItemReceipt::from(&sources::deactivated()));
                continue;
            }
            let Some(decoded) = self.decoded(*place, item, source, frame, media_type).await? else { continue };
            // A device's next frames may complete these: then they have to be there.
            let waits = matches!(decoded.submission.verdict, Verdict::Incomplete { .. });
            window.push(decoded);
            if window.len() >= WINDOW || waits {
                self.commit(&mut window, items, &known).await?;
                tokio::task::yield_now().await;
            }
        }
        self.commit(&mut window, items, &known).await?;
        self.keep(nobodys).await
    }

    /// The bytes that are stored for an item and decoded; nothing when it is answered without any.
    fn bytes(&mut self, place: usize, item: &Item) -> Result<Option<(Frame, &'static str)>, Error> {
        let answer = match &item.content {
            Content::Frame(frame, media_type) => {
                let mut frame = frame.clone();
                frame.captured_at = frame.captured_at.or(self.origin.captured_at);
                return Ok(Some((frame, media_type)));
            }
            Content::Readings(readings) => {
                let (decoder, version) = self.origin.decoder.clone().unwrap_or_default();
                let data = DecodedBody { decoder, version, readings: (**readings).clone() }.write()?;
                let frame = Frame { channel: String::new(), data, captured_at: self.origin.captured_at };
                return Ok(Some((frame, READINGS)));
            }
            Content::Nothing(reason) => plain(201, "nothing", Some(reason.clone())),
            Content::Refused(reason, detail) => ItemReceipt {
                uplink: self.origin.payload.map(|(uplink, _)| uplink),
                ..plain(202, "undecodable", Some(format!("{reason}: {detail}")))
            },
            Content::Invalid(detail) => plain(422, "invalid", Some(detail.clone())),
        };
        self.answer(place, answer);
        Ok(None)
    }

    /// Decodes an item in its own sandbox. Nothing when the queue is full: then it is not taken.
    async fn decoded(
        &mut self,
        place: usize,
        item: &Item,
        source: &KnownSource,
        frame: Frame,
        media_type: &'static str,
    ) -> Result<Option<Decoded>, Error> {
        if self.full {
            return Ok(None);
        }
        let app = self.app;
        let Ok(ticket) = app.intake.admit(frame.data.len()) else {
            self.full = true;
            return Ok(None);
        };
        let received = received(self.origin, &frame, media_type);
        let sample = if self.origin.is_live { app.shadows.sample(&source.device, &received) } else { None };
        let mut submission = match decode(app, source, received, vec![frame], &ticket).await {
            Ok(submission) => submission,
            Err(error) => {
                self.answer(place, ItemReceipt::from(&error));
                return Ok(None);
            }
        };
        submission.keys.extend(item_key(self.origin, place, item));
        joining::begun_before(app, source, &mut submission).await?;
        Ok(Some(Decoded { place, submission, ticket, sample }))
    }

    /// Commits what was decoded, together, and answers it.
    async fn commit(
        &mut self,
        window: &mut Vec<Decoded>,
        items: &[(usize, &Item)],
        known: &HashMap<&String, KnownSource>,
    ) -> Result<(), Error> {
        let app = self.app;
        let waiting = window.drain(..).map(|Decoded { place, submission, ticket, sample }| async move {
            let answer = app.intake.submit(submission, ticket).await;
            app.shadows.offer(sample.filter(|_| answer.is_ok()));
            (place, answer)
        });
        for (place, answer) in join_all(waiting).await {
            let item = items.iter().find(|(other, _)| *other == place).map(|(_, item)| *item);
            match answer {
                Ok(receipt) => {
                    let receipt = match item.and_then(|item| known.get(&item.address)) {
                        Some(source) => joined(app, source, receipt).await,
                        None => receipt,
                    };
                    self.answer(place, receipt.into());
                }
                Err(error) if is_of_the_hub(&error) => return Err(error),
                Err(error) if sources::is_stale(&error) || sources::is_not_paired(&error) => {
                    if let Some(item) = item {
                        app.sources.forget_carried(self.origin.hub.hub.id, &item.address).await;
                    }
                    self.again.push(place);
                }
                Err(error) => self.answer(place, ItemReceipt::from(&error)),
            }
        }
        Ok(())
    }

    /// Keeps what is nobody's.
    async fn keep(&mut self, nobodys: Vec<(usize, Nobodys)>) -> Result<(), Error> {
        if nobodys.is_empty() {
            return Ok(());
        }
        let (places, items): (Vec<usize>, Vec<Nobodys>) = nobodys.into_iter().unzip();
        let fates = keep::keep(self.app, self.origin.hub, &items).await?;
        for (place, fate) in places.into_iter().zip(fates) {
            let not_paired = "not-paired: the device is not paired with this hub; what it sends is kept until it is";
            match fate {
                Fate::Kept(uplink) => {
                    let answer = plain(202, "unclaimed", Some(not_paired.to_owned()));
                    self.answer(place, ItemReceipt { uplink: Some(uplink), ..answer });
                }
                Fate::Paired => self.again.push(place),
                Fate::Full => self.answer(
                    place,
                    plain(
                        429,
                        "too-many-unclaimed",
                        Some("too much of devices that are not paired waits behind this hub: pair them, or discard it; nothing of this item was kept".to_owned()),
                    ),
                ),
            }
        }
        Ok(())
    }

    fn nobodys(&self, place: usize, item: &Item, frame: Frame, media_type: &'static str) -> (usize, Nobodys) {
        let received = received(self.origin, &frame, media_type);
        let key = item_key(self.origin, place, item).map(|key| key.key);
        let nobodys = Nobodys { address: item.address.clone(), key, device_type: item.device_type.clone(), received };
        (place, nobodys)
    }

    fn answer(&mut self, place: usize, answer: ItemReceipt) {
        if let Some(open) = self.answers.get_mut(place) {
            *open = Some(answer);
        }
    }
}

/// The raw side of an item: an uplink of its own.
fn received(origin: &Origin<'_>, frame: &Frame, media_type: &'static str) -> Received {
    Received {
        id: UplinkId::generate(),
        received_at: origin.received_at,
        captured_at: frame.captured_at,
        channel: frame.channel.clone(),
        content_type: media_type.to_owned(),
        body: frame.data.clone(),
        body_hash: Sha256::digest(&frame.data).into(),
    }
}
