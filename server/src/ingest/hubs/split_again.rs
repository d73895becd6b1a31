//! Reads again what a hub decoded itself: the payload that it came in is split by another version of the hub's decoder, and the
//! item is found in both. Which item it was is known by what the version that split it first said of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use db::{DeviceId, TenantId, TenantScope, UplinkId};
use plugin_host::{Decoded, Decoder, Surface};

use super::item::{Content, Item};
use super::pair_items::{Paired, pair_items};
use super::split::{Parts, hub_input, run_hub_decoder};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::fleet::load_hub;
use crate::ingest::decoded_body::DecodedBody;
use crate::ingest::model::Received;
use crate::ingest::open_body::open_body;
use crate::ingest::sources::KnownHub;
use crate::ingest::store::{KeptUplink, payloads_of_item};

/// What became of an item that is read again.
pub enum Again {
    /// What the version says of it; without readings where it says that there are none.
    Readings(DecodedBody),
    /// It is left as it is, for this reason.
    Left(&'static str),
    /// The version refuses it: reason and sentence.
    Refused(String),
}

/// Splits payloads again, each once for all of its items.
pub struct SplitAgain<'a> {
    app: &'a App,
    tenant: TenantId,
    split: HashMap<(UplinkId, String, String), Result<Arc<Both>, Unsplit>>,
}

/// Why there are no two lists of items.
#[derive(Clone)]
enum Unsplit {
    Left(&'static str),
    Refused(String),
}

/// A payload, split twice.
struct Both {
    hub: KnownHub,
    before: Vec<Item>,
    after: Vec<Item>,
    paired: Paired,
    /// Name and version of the decoder of the second list.
    decoder: (String, String),
}

impl<'a> SplitAgain<'a> {
    /// For uplinks of one tenant.
    pub fn new(app: &'a App, tenant: TenantId) -> Self {
        Self { app, tenant, split: HashMap::new() }
    }

    /// Reads an item again, whose readings are kept: by `wanted`, else by what serves the hub's model now.
    ///
    /// # Errors
    /// The database's error; 500 when stored bytes do not open.
    pub async fn item(
        &mut self,
        kept: &Received,
        device: DeviceId,
        wanted: Option<&Arc<Decoder>>,
    ) -> Result<Again, Error> {
        let body = DecodedBody::read(&kept.body)?;
        if self.is_said_by(&body, wanted) {
            return Ok(Again::Readings(body));
        }
        let mut transaction = TenantScope::one(self.tenant).begin(&self.app.db).await?;
        let payloads = payloads_of_item(&mut transaction, self.tenant, kept.id, kept.received_at).await?;
        transaction.commit().await?;
        let mut left = Again::Left("payload-gone");
        for payload in payloads {
            let both = match self.both(&payload, &body, wanted).await? {
                Ok(both) => both,
                Err(Unsplit::Left(reason)) => {
                    left = Again::Left(reason);
                    continue;
                }
                Err(Unsplit::Refused(detail)) => {
                    left = Again::Refused(detail);
                    continue;
                }
            };
            match self.place(&both, &body, device).await? {
                Ok(place) => return Ok(both.again(place)),
                Err(reason) => left = Again::Left(reason),
            }
        }
        Ok(left)
    }

    /// Whether what is kept was said by the very version that is wanted, or that serves.
    fn is_said_by(&self, body: &DecodedBody, wanted: Option<&Arc<Decoder>>) -> bool {
        let is_it = |decoder: &Decoder| {
            let manifest = decoder.manifest();
            (&manifest.name, &manifest.version) == (&body.decoder, &body.version)
        };
        match wanted {
            Some(wanted) => is_it(wanted),
            None => self.app.decoders.now().loaded().iter().any(|entry| entry.serves && is_it(&entry.decoder)),
        }
    }

    async fn both(
        &mut self,
        payload: &KeptUplink,
        body: &DecodedBody,
        wanted: Option<&Arc<Decoder>>,
    ) -> Result<Result<Arc<Both>, Unsplit>, Error> {
        let key = (payload.received.id, body.decoder.clone(), body.version.clone());
        if let Some(known) = self.split.get(&key) {
            return Ok(known.clone());
        }
        let both = self.split_both(payload, body, wanted).await?.map(Arc::new);
        if let Entry::Vacant(unknown) = self.split.entry(key) {
            unknown.insert(both.clone());
        }
        Ok(both)
    }

    async fn split_both(
        &self,
        payload: &KeptUplink,
        body: &DecodedBody,
        wanted: Option<&Arc<Decoder>>,
    ) -> Result<Result<Both, Unsplit>, Error> {
        let app = self.app;
        let left = |reason| Ok(Err(Unsplit::Left(reason)));
        let Some(hub) = payload.hub else { return left("payload-gone") };
        let mut received = payload.received.clone();
        let mut transaction = TenantScope::one(self.tenant).begin(&app.db).await?;
        let hub = load_hub(&mut transaction, app, self.tenant, hub).await?;
        let bytes = open_body(app, &mut transaction, self.tenant, received.id, received.received_at).await?;
        transaction.commit().await?;
        let (Some(hub), Some(bytes)) = (hub, bytes) else { return left("payload-gone") };
        received.body = bytes;
        let first = match app.decoders.version(&app.db, &body.decoder, &body.version).await {
            Ok(first) => first,
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => return left("first-version-gone"),
            Err(error) => return Err(error),
        };
        let serves = app.decoders.now().for_hub(&hub.model, &received.channel).ok().map(|binding| binding.decoder);
        let Some(next) = wanted.cloned().or(serves) else { return left("decoded-by-hub") };
        let knows = next.manifest().models.iter().any(|model| model.name == hub.model);
        if next.surface() != Surface::Hub || !knows {
            return left("decoded-by-hub");
        }
        let input = hub_input(&hub, &received);
        let Parts::Items(before) = Parts::of(run_hub_decoder(app, &first, input.clone(), None).await?.result) else {
            return left("payload-gone");
        };
        let after = match Parts::of(run_hub_decoder(app, &next, input, None).await?.result) {
            Parts::Items(after) => after,
            Parts::Nothing(_) => Vec::new(),
            Parts::Undecodable(reason, detail) => return Ok(Err(Unsplit::Refused(format!("{reason}: {detail}")))),
        };
        let paired = pair_items(&before, &after);
        let manifest = next.manifest();
        let decoder = (manifest.name.clone(), manifest.version.clone());
        Ok(Ok(Both { hub: KnownHub::of_kept_payload(hub), before, after, paired, decoder }))
    }

    /// Which item of the first list it was. Several items of one content are told apart by whose they are.
    async fn place(
        &self,
        both: &Both,
        body: &DecodedBody,
        device: DeviceId,
    ) -> Result<Result<usize, &'static str>, Error> {
        let is_it = |item: &Item| matches!(&item.content, Content::Readings(said) if **said == body.readings);
        let places: Vec<usize> =
            both.before.iter().enumerate().filter(|(_, item)| is_it(item)).map(|(place, _)| place).collect();
        let address = |place: usize| both.before.get(place).map(|item| item.address.clone()).unwrap_or_default();
        let Some(first) = places.first().copied() else { return Ok(Err("payload-gone")) };
        if places.iter().all(|place| address(*place) == address(first)) {
            return Ok(Ok(first));
        }
        let addresses = places.iter().map(|place| address(*place)).collect();
        let carried = self.app.sources.carried(self.app, &both.hub, addresses).await?;
        let of_device = |place: &usize| carried.get(&address(*place)).is_some_and(|carried| carried.id == device);
        Ok(places.into_iter().find(of_device).ok_or("item-ambiguous"))
    }
}

impl Both {
    /// What the second version says of the item at this place.
    fn again(&self, place: usize) -> Again {
        let counterpart = self.paired.pairs.iter().find(|(before, _)| *before == place);
        let items = counterpart.and_then(|(before, after)| Some((self.before.get(*before)?, self.after.get(*after)?)));
        let none = Decoded { readings: Vec::new(), facts: Vec::new(), warnings: Vec::new(), extra: Vec::new() };
        let readings = match items {
            // Others of its device are there, and whether it is one of them cannot be told.
            None if self.has_new_of(place) => return Again::Left("item-ambiguous"),
            None => none,
            Some((before, after)) if before.address != after.address => return Again::Left("another-device"),
            Some((_, after)) => match &after.content {
                Content::Readings(said) => (**said).clone(),
                Content::Nothing(_) => none,
                Content::Refused(reason, detail) => return Again::Refused(format!("{reason}: {detail}")),
                // Its own decoder would read it: that is another uplink.
                Content::Frame(..) | Content::Invalid(_) => return Again::Left("decoded-by-hub"),
            },
        };
        let (decoder, version) = self.decoder.clone();
        Again::Readings(DecodedBody { decoder, version, readings })
    }

    /// Whether the second version says an item of the same device that the first did not.
    fn has_new_of(&self, place: usize) -> bool {
        let address = self.before.get(place).map(|item| &item.address);
        self.paired.new.iter().any(|new| self.after.get(*new).map(|item| &item.address) == address)
    }
}
